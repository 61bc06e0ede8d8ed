//! What stands in a segment: a header, and one record after another.
//!
//! A record is a header of 64 bytes and the bytes of a block. The bytes need no checksum, since their hash stands in
//! the header; the header has one. `docs/store-format.md` draws both.

use std::io;

use homestar_core::ipld::{Block, Buffers, Cid, MAX_BLOCK_BYTES};
use xxhash_rust::xxh3::xxh3_64;

use super::io::IoFile;
use crate::Flaw;
use crate::key::{KEY_BYTES, Key};

/// Length of a segment's header, and of the header of a record.
pub(super) const HEADER_BYTES: usize = 64;

/// The version of the format of segments and of the index.
pub(super) const VERSION: u32 = 1;

const SEGMENT_MARK: [u8; 16] = *b"homestar segment";
const RECORD_MARK: [u8; 4] = *b"hsb\x01";

/// Where the checksum of a header begins: it is over everything before.
const SUM_AT: usize = HEADER_BYTES - 8;

/// How much is read at once when a segment is searched.
const SCAN_BYTES: usize = 1 << 20;

/// What stands before the bytes of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) key: Key,
    /// The codec of the CID that the block came with. Nothing depends on it but how the block is listed.
    pub(super) codec: u64,
    pub(super) length: u32,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&RECORD_MARK);
        bytes[4..8].copy_from_slice(&self.length.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.codec.to_le_bytes());
        bytes[16..16 + KEY_BYTES].copy_from_slice(&self.key.0);
        sealed(bytes)
    }

    pub(super) fn decode(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        if bytes[..4] != RECORD_MARK || !is_sealed(bytes) {
            return None;
        }
        let length = u32::from_le_bytes(bytes[4..8].try_into().ok()?);
        if length as usize > MAX_BLOCK_BYTES {
            return None;
        }
        Some(Self {
            length,
            codec: u64::from_le_bytes(bytes[8..16].try_into().ok()?),
            key: Key(bytes[16..16 + KEY_BYTES].try_into().ok()?),
        })
    }
}

/// Returns the header of the segment of this number.
pub(super) fn segment_header(number: u64) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..16].copy_from_slice(&SEGMENT_MARK);
    bytes[16..20].copy_from_slice(&VERSION.to_le_bytes());
    bytes[24..32].copy_from_slice(&number.to_le_bytes());
    sealed(bytes)
}

/// Returns the version that a segment's header says, if it is one.
pub(super) fn segment_version(bytes: &[u8; HEADER_BYTES]) -> Option<u32> {
    // A version is said in the same place for ever, whatever else changes.
    let version = u32::from_le_bytes(bytes[16..20].try_into().ok()?);
    let is_known = version != VERSION || is_sealed(bytes);
    (bytes[..16] == SEGMENT_MARK && is_known).then_some(version)
}

fn sealed(mut bytes: [u8; HEADER_BYTES]) -> [u8; HEADER_BYTES] {
    let sum = xxh3_64(&bytes[..SUM_AT]);
    bytes[SUM_AT..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn is_sealed(bytes: &[u8; HEADER_BYTES]) -> bool {
    bytes[SUM_AT..] == xxh3_64(&bytes[..SUM_AT]).to_le_bytes()
}

/// Reads bytes that must be there.
pub(super) fn read_exact(
    file: &dyn IoFile,
    mut bytes: &mut [u8],
    mut offset: u64,
) -> io::Result<bool> {
    while !bytes.is_empty() {
        match file.read_at(bytes, offset) {
            Ok(0) => return Ok(false),
            Ok(read) => {
                bytes = &mut bytes[read..];
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Reads a block whose record begins at `offset`.
pub(super) fn read_block(
    file: &dyn IoFile,
    offset: u64,
    length: u32,
    cid: &Cid,
    buffers: &Buffers,
) -> Result<Block, Flaw> {
    check_header(file, offset, length, cid)?;
    read_bytes(file, offset, length, cid, buffers)
}

/// Tells whether a block lies where its record begins at `offset`.
pub(super) fn holds(file: &dyn IoFile, offset: u64, block: &Block) -> bool {
    let bytes = block.bytes();
    let Ok(length) = u32::try_from(bytes.len()) else {
        return false;
    };
    if check_header(file, offset, length, block.cid()).is_err() {
        return false;
    }
    let mut there = vec![0; bytes.len().min(COMPARED_BYTES)];
    let mut at = offset + HEADER_BYTES as u64;
    bytes.chunks(COMPARED_BYTES).all(|piece| {
        let there = &mut there[..piece.len()];
        let is_read = read_exact(file, there, at);
        at += piece.len() as u64;
        is_read.is_ok_and(|is_whole| is_whole) && there == piece
    })
}

/// Bytes that are compared at a time: few enough to stay near the processor.
const COMPARED_BYTES: usize = 64 << 10;

fn check_header(file: &dyn IoFile, offset: u64, length: u32, cid: &Cid) -> Result<(), Flaw> {
    let unreadable = |error: io::Error| Flaw::Unreadable(error.to_string());
    let mut header = [0; HEADER_BYTES];
    if !read_exact(file, &mut header, offset).map_err(unreadable)? {
        return Err(Flaw::Missing);
    }
    let key = Key::of(cid);
    let is_its = |header: Header| Some(header.key) == key && header.length == length;
    match Header::decode(&header).is_some_and(is_its) {
        true => Ok(()),
        false => Err(Flaw::Header),
    }
}

/// Reads a block whose record begins at `offset`, whatever its header says.
pub(super) fn read_bytes(
    file: &dyn IoFile,
    offset: u64,
    length: u32,
    cid: &Cid,
    buffers: &Buffers,
) -> Result<Block, Flaw> {
    let mut bytes = buffers.take(length as usize);
    match read_exact(file, &mut bytes, offset + HEADER_BYTES as u64) {
        Ok(true) => Block::verify(*cid, bytes).map_err(|_| Flaw::Bytes),
        Ok(false) => Err(Flaw::Missing),
        Err(error) => Err(Flaw::Unreadable(error.to_string())),
    }
}

/// Finds the blocks in a segment and tells where each record begins. What isn't the record of a good block is skipped,
/// up to the next one: a write that a crash has torn, a record that was damaged.
pub(super) fn scan<E: From<io::Error>>(
    file: &dyn IoFile,
    mut found: impl FnMut(u64, &Header, &Block) -> Result<(), E>,
) -> Result<(), E> {
    let buffers = Buffers::new(1);
    let mut offset = HEADER_BYTES as u64;
    while let Some((at, header)) = next_header(file, offset)? {
        let cid = header.key.cid(header.codec);
        match cid.map(|cid| read_bytes(file, at, header.length, &cid, &buffers)) {
            Some(Ok(block)) => {
                found(at, &header, &block)?;
                offset = at + HEADER_BYTES as u64 + u64::from(header.length);
            }
            _ => offset = at + 1,
        }
    }
    Ok(())
}

/// Finds the first good header at or behind `offset`.
fn next_header(file: &dyn IoFile, mut offset: u64) -> io::Result<Option<(u64, Header)>> {
    let mut header = [0; HEADER_BYTES];
    if !read_exact(file, &mut header, offset)? {
        return Ok(None);
    }
    if let Some(header) = Header::decode(&header) {
        return Ok(Some((offset, header)));
    }
    let mut window = vec![0; SCAN_BYTES];
    loop {
        let read = read_some(file, &mut window, offset)?;
        let starts = read.saturating_sub(HEADER_BYTES - 1);
        for start in 0..starts {
            if window[start..start + 4] != RECORD_MARK {
                continue;
            }
            let bytes = window[start..start + HEADER_BYTES].try_into();
            if let Some(header) = Header::decode(&bytes.expect("as long as a header")) {
                return Ok(Some((offset + start as u64, header)));
            }
        }
        if starts == 0 || read < window.len() {
            return Ok(None);
        }
        offset += starts as u64;
    }
}

/// Reads as much as there is.
fn read_some(file: &dyn IoFile, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], offset + read as u64)? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::super::io::{Io, Mode, Os};
    use super::*;

    fn header(length: u32) -> Header {
        let cid = *Block::raw(b"x".to_vec()).cid();
        let key = Key::of(&cid).unwrap();
        Header {
            key,
            codec: u64::MAX,
            length,
        }
    }

    #[test]
    fn a_flipped_bit_in_a_header_is_noticed() {
        let bytes = header(77).encode();
        assert_eq!(Header::decode(&bytes), Some(header(77)));
        for bit in 0..HEADER_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&flipped), None, "bit {bit}");
        }
    }

    #[test]
    fn a_segment_says_its_version() {
        assert_eq!(segment_version(&segment_header(3)), Some(VERSION));
        assert_eq!(segment_version(&[0; HEADER_BYTES]), None);
        let mut newer = segment_header(3);
        newer[16] = 9;
        assert_eq!(segment_version(&newer), Some(9));
    }

    #[test]
    fn a_block_lies_where_all_of_it_does() {
        let bytes = vec![7; 3 * COMPARED_BYTES + 5];
        let block = Block::raw(bytes.clone());
        let folder = tempfile::tempdir().unwrap();
        let file = Os.open(&folder.path().join("x"), Mode::CreateNew).unwrap();
        assert!(!holds(&*file, 0, &block));
        let record = record(&bytes);
        file.write_at(&record, 0).unwrap();
        assert!(holds(&*file, 0, &block));
        let last = record.len() - 1;
        for at in [0, HEADER_BYTES, HEADER_BYTES + COMPARED_BYTES, last] {
            file.write_at(&[record[at] ^ 1], at as u64).unwrap();
            assert!(!holds(&*file, 0, &block), "byte {at}");
            file.write_at(&record[at..=at], at as u64).unwrap();
        }
        assert!(holds(&*file, 0, &block));
        assert!(!holds(&*file, 1, &block));
        assert!(!holds(&*file, 0, &Block::raw(bytes[1..].to_vec())));
    }

    /// A file with these pieces behind a segment's header, and the blocks that are found in it.
    fn scanned(pieces: &[&[u8]]) -> Vec<(u64, Vec<u8>)> {
        let folder = tempfile::tempdir().unwrap();
        let file = Os.open(&folder.path().join("x"), Mode::CreateNew).unwrap();
        let all = [&[&segment_header(1)[..]], pieces].concat().concat();
        file.write_at(&all, 0).unwrap();
        let mut found = vec![];
        scan::<io::Error>(&*file, |offset, _, block| {
            found.push((offset, block.bytes().to_vec()));
            Ok(())
        })
        .unwrap();
        found
    }

    fn record(bytes: &[u8]) -> Vec<u8> {
        let block = Block::raw(bytes.to_vec());
        let header = Header {
            key: Key::of(block.cid()).unwrap(),
            codec: block.cid().codec(),
            length: bytes.len() as u32,
        };
        [&header.encode()[..], bytes].concat()
    }

    #[test]
    fn blocks_are_found_behind_what_is_torn_or_damaged() {
        let (one, two) = (record(&[1; 100]), record(&[2; 900_000]));
        let second = HEADER_BYTES as u64 + 164;
        let both = [(64, vec![1; 100]), (second, vec![2; 900_000])];
        assert_eq!(scanned(&[&one, &two]), both);
        let gap = 2_500_000;
        let after_gap = [(64, vec![1; 100]), (second + gap, vec![2; 900_000])];
        assert_eq!(scanned(&[&one, &vec![0; gap as usize], &two]), after_gap);
        // A header whose bytes were never written, then others' records.
        assert_eq!(scanned(&[&two[..64], &one]), [(128, vec![1; 100])]);
        assert_eq!(scanned(&[&one, &two[..600_000]]), both[..1]);
        assert_eq!(scanned(&[&one, &two[..10]]), both[..1]);
        let mut damaged = one.clone();
        damaged[80] ^= 1;
        assert_eq!(scanned(&[&damaged, &two]), both[1..]);
        assert_eq!(scanned(&[]), []);
    }
}
