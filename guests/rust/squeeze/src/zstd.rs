//! zstd, as a stream: frames one after the other, as the format (RFC 8878) lets them be.

use std::io::{Error, Result, Write};

use ruzstd::decoding::FrameDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::Finish;

/// Bytes that become one frame. What is repeated is found within one.
const FRAME_BYTES: usize = 1 << 20;

/// What frames that are skipped begin with, but for the last four bits.
const SKIPPED: u32 = 0x184d_2a50;

/// Compresses.
#[derive(Default)]
pub(crate) struct Encoder {
    /// What is no frame yet.
    rest: Vec<u8>,
    output: Vec<u8>,
}

impl Encoder {
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    fn frame(&mut self) {
        self.output = compress_to_vec(&self.rest[..], CompressionLevel::Fastest);
        self.rest.clear();
    }
}

impl Write for Encoder {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let taken = bytes.len().min(FRAME_BYTES - self.rest.len());
        self.rest.extend_from_slice(&bytes[..taken]);
        if self.rest.len() == FRAME_BYTES {
            self.frame();
        }
        Ok(taken)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Finish for Encoder {
    fn end(&mut self) -> Result<()> {
        self.frame();
        Ok(())
    }
}

/// Decompresses. Each write takes no more than one block, which has at most 128 KiB when it is unpacked.
#[derive(Default)]
pub(crate) struct Decoder {
    decoder: FrameDecoder,
    next: Next,
    /// Whether the frame ends with a checksum.
    has_checksum: bool,
    /// The beginning of what is next.
    begin: Vec<u8>,
    output: Vec<u8>,
}

/// What comes next.
#[derive(Clone, Copy, Default)]
enum Next {
    /// As much of a frame as says how long its header is, or that it is skipped.
    #[default]
    Frame,
    /// A frame's header, of so many bytes.
    Header(usize),
    /// A block's header.
    Block,
    /// A block with its header, and with the checksum if it is the last, of so many bytes.
    Body(usize),
    /// The rest of a frame that is skipped.
    Skipped(usize),
}

impl Next {
    fn bytes(self) -> usize {
        match self {
            Self::Frame => 5,
            Self::Block => 3,
            Self::Header(bytes) | Self::Body(bytes) | Self::Skipped(bytes) => bytes,
        }
    }
}

impl Decoder {
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Goes on with `begin`, which is as long as `next` is.
    fn step(&mut self) -> Result<Next> {
        let bytes = &self.begin[..];
        match self.next {
            Next::Frame => Ok(Next::Header(match is_skipped(bytes) {
                true => 8,
                false => header_bytes(bytes[4]),
            })),
            Next::Header(8) if is_skipped(bytes) => {
                let length = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
                self.begin.clear();
                Ok(match length {
                    0 => Next::Frame,
                    length => Next::Skipped(length as usize),
                })
            }
            Next::Header(_) => {
                self.decoder.reset(bytes).map_err(Error::other)?;
                self.has_checksum = bytes[4] & 4 != 0;
                self.begin.clear();
                Ok(Next::Block)
            }
            Next::Block => {
                let header = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
                let (is_last, is_run) = (header & 1 == 1, header >> 1 & 3 == 1);
                let content = if is_run { 1 } else { header as usize >> 3 };
                let checksum = if is_last && self.has_checksum { 4 } else { 0 };
                Ok(Next::Body(3 + content + checksum))
            }
            Next::Body(_) => {
                let decoded = self.decoder.decode_from_to(bytes, &mut []);
                let (read, _) = decoded.map_err(Error::other)?;
                if read != bytes.len() {
                    return Err(Error::other("a block is not whole"));
                }
                self.output = self.decoder.collect().unwrap_or_default();
                self.begin.clear();
                if !self.decoder.is_finished() {
                    return Ok(Next::Block);
                }
                let said = self.decoder.get_checksum_from_data();
                if said.is_some() && said != self.decoder.get_calculated_checksum() {
                    self.output.clear();
                    return Err(Error::other("the checksum is another"));
                }
                Ok(Next::Frame)
            }
            // It is counted where it is written.
            Next::Skipped(left) => Ok(Next::Skipped(left)),
        }
    }
}

fn is_skipped(bytes: &[u8]) -> bool {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) & !0xf == SKIPPED
}

/// How many bytes a frame's header has, by the byte that describes it.
fn header_bytes(descriptor: u8) -> usize {
    let is_single = descriptor >> 5 & 1 == 1;
    let window = usize::from(!is_single);
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size = match descriptor >> 6 {
        0 => usize::from(is_single),
        1 => 2,
        2 => 4,
        _ => 8,
    };
    5 + window + dictionary + size
}

impl Write for Decoder {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let wanted = self.next.bytes() - self.begin.len();
        let taken = bytes.len().min(wanted);
        // What is skipped is counted and not held.
        if let Next::Skipped(left) = self.next {
            self.next = match left - taken {
                0 => Next::Frame,
                left => Next::Skipped(left),
            };
            return Ok(taken);
        }
        self.begin.extend_from_slice(&bytes[..taken]);
        while taken == wanted && self.begin.len() == self.next.bytes() {
            self.next = self.step()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Finish for Decoder {
    fn end(&mut self) -> Result<()> {
        Ok(())
    }
}
