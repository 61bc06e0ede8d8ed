//! Many blocks in one file: CAR, version 1.
//!
//! ```text
//! length ─ header {roots: [CID], version: 1}      length ─ CID ─ bytes      length ─ CID ─ bytes      …
//! ```
//!
//! Lengths are unsigned varints. The reader is strict: what it takes, any other reader takes, and every block that it
//! hands out has the bytes that its CID says.
//!
//! ```
//! use homestar_core::car;
//! use homestar_core::ipld::Block;
//!
//! let hello = Block::raw(b"hello".to_vec());
//! let file = car::write(&[*hello.cid()], [&hello]);
//!
//! let mut reader = car::Reader::new(&file)?;
//! assert_eq!(reader.roots(), [*hello.cid()]);
//! assert_eq!(reader.next(), Some(Ok(hello)));
//! assert_eq!(reader.next(), None);
//! # Ok::<(), car::CarError>(())
//! ```

use std::collections::BTreeMap;

use thiserror::Error;

use crate::ipld::{
    Block, BlockError, Cid, DecodeError, FieldError, Fields, Ipld, MAX_BLOCK_BYTES, decode, encode,
};

/// The most bytes of a header: as many as of a block.
const MAX_HEADER_BYTES: u64 = MAX_BLOCK_BYTES as u64;

/// The version that is written and read.
const VERSION: u64 = 1;

/// How the header of a version 1 begins: a map of two, the first of which is `roots`.
const HEADER_START: &[u8] = b"\xa2\x65roots";

/// Writes the blocks in their order, each as often as it comes.
pub fn write<'a>(roots: &[Cid], blocks: impl IntoIterator<Item = &'a Block>) -> Vec<u8> {
    let links = roots.iter().copied().map(Ipld::Link).collect();
    let header = Ipld::Map(BTreeMap::from([
        ("roots".to_owned(), Ipld::List(links)),
        ("version".to_owned(), Ipld::Integer(VERSION.into())),
    ]));
    let header = encode(&header).expect("a map of links and a number has an encoding");
    let mut file = Vec::new();
    section(&mut file, &[&header]);
    for block in blocks {
        section(&mut file, &[&block.cid().to_bytes(), block.bytes()]);
    }
    file
}

fn section(file: &mut Vec<u8>, pieces: &[&[u8]]) {
    let mut length: usize = pieces.iter().map(|piece| piece.len()).sum();
    while length >= 0x80 {
        file.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    file.push(length as u8);
    for piece in pieces {
        file.extend_from_slice(piece);
    }
}

/// Tells whether bytes begin as a file of this kind does. Nothing else is looked at.
pub fn is_car(bytes: &[u8]) -> bool {
    match varint(bytes) {
        Ok((_, length)) => bytes[length..].starts_with(HEADER_START),
        Err(_) => false,
    }
}

/// Reads a file block by block, each checked against its CID. It ends after the first error.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    roots: Vec<Cid>,
    rest: &'a [u8],
    /// Where `rest` begins.
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads the header.
    pub fn new(bytes: &'a [u8]) -> Result<Self, CarError> {
        let mut reader = Self {
            roots: Vec::new(),
            rest: bytes,
            at: 0,
        };
        let (length, _) = varint(bytes).map_err(|fault| fault.at(0))?;
        if length > MAX_HEADER_BYTES {
            return Err(CarError::Header);
        }
        let header = reader.section()?;
        let mut fields = Fields::of("header", decode::<Ipld>(header)?)?;
        let version = fields.unsigned("version")?;
        if version != VERSION {
            return Err(CarError::Version(version));
        }
        reader.roots = fields.links("roots")?;
        fields.end()?;
        match reader.roots.is_empty() {
            true => Err(CarError::NoRoot),
            false => Ok(reader),
        }
    }

    /// The blocks that the file is about. Whether they are in it is not said.
    pub fn roots(&self) -> &[Cid] {
        &self.roots
    }

    /// Returns what follows the next length.
    fn section(&mut self) -> Result<&'a [u8], CarError> {
        let (length, start) = varint(self.rest).map_err(|fault| fault.at(self.at))?;
        let cut = CarError::Cut { at: self.at };
        let length = usize::try_from(length).map_err(|_| cut.clone())?;
        let end = start.checked_add(length).ok_or(cut.clone())?;
        let section = self.rest.get(start..end).ok_or(cut)?;
        self.rest = &self.rest[end..];
        self.at += end;
        Ok(section)
    }

    fn block(&mut self) -> Result<Block, CarError> {
        let at = self.at;
        let section = self.section()?;
        let mut rest = section;
        let cid = Cid::read_bytes(&mut rest).map_err(|_| CarError::NoCid { at })?;
        let (name, bytes) = section.split_at(section.len() - rest.len());
        if cid.to_bytes() != name {
            return Err(CarError::NoCid { at });
        }
        Ok(Block::verify_large(cid, bytes.to_vec())?)
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Block, CarError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let block = self.block();
        if block.is_err() {
            self.rest = &[];
        }
        Some(block)
    }
}

/// The most bytes of a varint, as its specification has it.
const MAX_VARINT_BYTES: usize = 9;

/// Why there is no number.
enum Fault {
    Cut,
    Form,
}

impl Fault {
    fn at(&self, at: usize) -> CarError {
        match self {
            Self::Cut => CarError::Cut { at },
            Self::Form => CarError::Length { at },
        }
    }
}

/// Reads a number and returns how many bytes it took. One in more bytes than needed is refused.
fn varint(bytes: &[u8]) -> Result<(u64, usize), Fault> {
    let mut number = 0;
    for (position, byte) in bytes.iter().enumerate().take(MAX_VARINT_BYTES) {
        number |= u64::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            return match (position, byte) {
                (1.., 0) => Err(Fault::Form),
                _ => Ok((number, position + 1)),
            };
        }
    }
    match bytes.len() < MAX_VARINT_BYTES {
        true => Err(Fault::Cut),
        false => Err(Fault::Form),
    }
}

/// Why bytes are no file of this kind.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CarError {
    /// The header is longer than any.
    #[error("the header has more than {MAX_HEADER_BYTES} bytes")]
    Header,
    /// The header isn't DAG-CBOR.
    #[error("the header can't be read")]
    Decode(#[from] DecodeError),
    /// The header has other fields.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// Another version.
    #[error("version {0} is not read here, only version {VERSION}")]
    Version(u64),
    /// The header names no root.
    #[error("the header names no root")]
    NoRoot,
    /// The file ends inside of something.
    #[error("the file ends inside of what begins at byte {at}")]
    Cut {
        /// Where that begins.
        at: usize,
    },
    /// A length isn't written in its shortest form, or is too long for any.
    #[error("byte {at} begins no length")]
    Length {
        /// Where it begins.
        at: usize,
    },
    /// A block has no CID, or one that isn't written in its shortest form.
    #[error("the block at byte {at} has no CID")]
    NoCid {
        /// Where it begins.
        at: usize,
    },
    /// A block is not what its CID says.
    #[error(transparent)]
    Block(#[from] BlockError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(file: &[u8]) -> Result<(Vec<Cid>, Vec<Block>), CarError> {
        let reader = Reader::new(file)?;
        let roots = reader.roots().to_vec();
        Ok((roots, reader.collect::<Result<_, _>>()?))
    }

    fn two() -> (Vec<Cid>, Vec<Block>) {
        let list = Block::of_dag_cbor(&Ipld::List(vec![Ipld::Null])).unwrap();
        let long = Block::raw(vec![7; MAX_BLOCK_BYTES + 1]);
        (vec![*list.cid()], vec![list, long])
    }

    #[test]
    fn the_header_is_as_the_specification_has_it() {
        let (roots, _) = two();
        let file = write(&roots, []);
        assert!(is_car(&file) && !is_car(&file[1..]) && !is_car(b""));
        // a2 65 "roots" 81 d8 2a 58 25 00 CID 67 "version" 01
        assert_eq!(file[0] as usize, file.len() - 1);
        assert_eq!(file[1..14], *b"\xa2\x65roots\x81\xd8\x2a\x58\x25\x00");
        assert_eq!(file[14..50], *roots[0].to_bytes());
        assert_eq!(file[50..], *b"\x67version\x01");
    }

    #[test]
    fn a_file_that_was_cut_is_refused() {
        let (roots, blocks) = two();
        let file = write(&roots, &blocks[..1]);
        let header = file[0] as usize + 1;
        for end in (0..file.len()).filter(|end| *end != header) {
            assert!(read(&file[..end]).is_err(), "{end}");
        }
        assert_eq!(read(&file[..header]).unwrap().1, []);
        assert_eq!(
            read(&file[..file.len() - 1]),
            Err(CarError::Cut { at: header })
        );
    }

    #[test]
    fn other_headers_are_refused() {
        let with = |header: Ipld| {
            let mut file = Vec::new();
            section(&mut file, &[&encode(&header).unwrap()]);
            read(&file).unwrap_err().to_string()
        };
        let header = |roots, version| {
            let fields = [
                ("roots".to_owned(), Ipld::List(roots)),
                ("version".to_owned(), Ipld::Integer(version)),
            ];
            Ipld::Map(fields.into())
        };
        let root = Ipld::Link(two().0[0]);
        assert_eq!(
            with(header(vec![root], 2)),
            "version 2 is not read here, only version 1"
        );
        assert_eq!(with(header(vec![], 1)), "the header names no root");
        let number = with(header(vec![Ipld::Null], 1));
        assert!(number.contains("roots"), "{number}");
        assert_eq!(
            with(Ipld::Map([("version".to_owned(), Ipld::Integer(2))].into())),
            "version 2 is not read here, only version 1"
        );
        assert_eq!(with(Ipld::Null), "header should be a map, not null");
        let huge = b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f";
        assert_eq!(read(huge), Err(CarError::Header));
    }

    #[test]
    fn lengths_and_names_have_one_form() {
        let (roots, blocks) = two();
        let start = write(&roots, []);
        let with = |section: &[u8]| read(&[&start, section].concat());
        let at = start.len();
        assert_eq!(with(&[0x80, 0]), Err(CarError::Length { at }));
        assert_eq!(with(&[0x80]), Err(CarError::Cut { at }));
        assert_eq!(with(&[0xff; 10]), Err(CarError::Length { at }));
        // Nothing, as files have it that were padded with zeros.
        assert_eq!(with(&[0]), Err(CarError::NoCid { at }));
        let mut cid = blocks[0].cid().to_bytes();
        cid.splice(1..2, [0xf1, 0]);
        let mut long = Vec::new();
        section(&mut long, &[&cid, blocks[0].bytes()]);
        assert_eq!(with(&long), Err(CarError::NoCid { at }));
    }

    #[test]
    fn a_block_of_another_hash_is_refused() {
        let (roots, _) = two();
        let mut file = write(&roots, []);
        let identity = multihash::Multihash::wrap(0, b"hi").unwrap();
        let cid = Cid::new_v1(crate::ipld::RAW, identity);
        section(&mut file, &[&cid.to_bytes(), b"hi"]);
        assert!(matches!(
            read(&file),
            Err(CarError::Block(BlockError::UnknownHash { .. }))
        ));
    }

    #[test]
    fn nothing_follows_an_error() {
        let (roots, blocks) = two();
        let mut file = write(&roots, &blocks[..1]);
        *file.last_mut().unwrap() ^= 1;
        section(&mut file, &[&blocks[0].cid().to_bytes(), blocks[0].bytes()]);
        let mut reader = Reader::new(&file).unwrap();
        assert!(matches!(reader.next(), Some(Err(_))));
        assert_eq!(reader.next(), None);
    }

    #[test]
    fn any_flipped_bit_is_seen() {
        let (roots, blocks) = two();
        let whole = (roots.clone(), blocks[..1].to_vec());
        let file = write(&roots, &blocks[..1]);
        for at in 0..file.len() * 8 {
            let mut changed = file.clone();
            changed[at / 8] ^= 1 << (at % 8);
            assert_ne!(read(&changed).ok().as_ref(), Some(&whole), "bit {at}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..5),
            codec in prop_oneof![Just(crate::ipld::RAW), Just(crate::ipld::DAG_CBOR)],
        ) {
            let blocks: Vec<_> = contents.into_iter().map(|bytes| Block::new(codec, bytes)).collect();
            let roots: Vec<_> = blocks.iter().map(|block| *block.cid()).collect();
            prop_assert_eq!(read(&write(&roots, &blocks)), Ok((roots, blocks)));
        }

        #[test]
        fn garbage_ends_in_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(read(&bytes).is_err());
        }

        #[test]
        fn garbage_after_a_header_ends_in_an_error(bytes in proptest::collection::vec(any::<u8>(), 1..200)) {
            let start = write(&two().0, []);
            prop_assert!(read(&[start, bytes].concat()).is_err());
        }
    }

    #[test]
    fn large_blocks_are_read() {
        let (roots, blocks) = two();
        assert_eq!(read(&write(&roots, &blocks)), Ok((roots, blocks)));
    }
}
