//! Compresses and decompresses.

use std::io::{Read as _, Write};

use flate2::Compression;
use flate2::write::{GzEncoder, MultiGzDecoder};
use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use wit_bindgen::{StreamReader, spawn_local};

wit_bindgen::generate!({ path: "wit" });

/// How much of a stream is held at a time.
const STEP: usize = 128 * 1024;

struct Squeeze;

impl Guest for Squeeze {
    async fn gzip(input: StreamReader<u8>, level: u32) -> StreamReader<u8> {
        let encoder = GzEncoder::new(Vec::new(), Compression::new(level.min(9)));
        through(input, encoder, |encoder| encoder.get_mut())
    }

    async fn gunzip(input: StreamReader<u8>) -> StreamReader<u8> {
        let decoder = MultiGzDecoder::new(Vec::new());
        through(input, decoder, |decoder| decoder.get_mut())
    }

    fn zstd(input: Vec<u8>) -> Vec<u8> {
        compress_to_vec(&input[..], CompressionLevel::Fastest)
    }

    fn unzstd(input: Vec<u8>) -> Result<Vec<u8>, String> {
        let mut output = Vec::new();
        let mut decoder = StreamingDecoder::new(&input[..]).map_err(|error| error.to_string())?;
        decoder
            .read_to_end(&mut output)
            .map_err(|error| error.to_string())?;
        Ok(output)
    }
}

/// Sends a stream through a coder, which writes to what `output` returns. It writes the rest when it is dropped.
fn through<C: Finish + 'static>(
    mut input: StreamReader<u8>,
    mut coder: C,
    output: fn(&mut C) -> &mut Vec<u8>,
) -> StreamReader<u8> {
    let (mut writer, stream) = wit_stream::new();
    spawn_local(async move {
        loop {
            let (_, piece) = input.read(Vec::with_capacity(STEP)).await;
            let is_over = piece.is_empty();
            let done = match is_over {
                false => coder.write_all(&piece),
                true => coder.end(),
            };
            let bytes = std::mem::take(output(&mut coder));
            if !bytes.is_empty() && !writer.write_all(bytes).await.is_empty() {
                return; // nobody reads on
            }
            if is_over || done.is_err() {
                return;
            }
        }
    });
    stream
}

/// What has to be told that there is no more.
trait Finish: Write {
    fn end(&mut self) -> std::io::Result<()>;
}

impl Finish for GzEncoder<Vec<u8>> {
    fn end(&mut self) -> std::io::Result<()> {
        self.try_finish()
    }
}

impl Finish for MultiGzDecoder<Vec<u8>> {
    fn end(&mut self) -> std::io::Result<()> {
        self.try_finish()
    }
}

export!(Squeeze);
