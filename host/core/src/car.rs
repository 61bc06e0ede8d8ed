//! Many blocks in one file: CAR.
//!
//! ```text
//! length ─ header {roots: [CID], version: 1}      length ─ CID ─ bytes      length ─ CID ─ bytes      …
//! ```
//!
//! Lengths are unsigned varints. Version 1 is written. Version 2 is read too: it is a version 1 with an index behind it,
//! which is passed over. Readers are strict: what they take, any other reader takes, and every block that they hand out
//! has the bytes that its CID says.
//!
//! [`Parser`] takes a file piece by piece, as it comes, and [`header`] and [`section_head`] write one as it goes. For
//! files that lie in memory there are [`Reader`] and [`write()`]:
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

use crate::ipld::{Block, BlockError, Cid, DecodeError, FieldError, Ipld, MAX_BLOCK_BYTES, encode};

mod parser;

pub use self::parser::{Parser, Piece};

use self::parser::{MAX_VARINT_BYTES, varint};

/// The most bytes of a header: as many as of a block.
const MAX_HEADER_BYTES: u64 = MAX_BLOCK_BYTES as u64;

/// The version that is written.
const VERSION: u64 = 1;

/// How a file of version 2 begins: the length and encoding of `{version: 2}`.
const PRAGMA: &[u8] = b"\x0a\xa1\x67version\x02";

/// How the header of a version 1 begins: a map of two, the first of which is `roots`.
const HEADER_START: &[u8] = b"\xa2\x65roots";

/// Writes the blocks in their order, each as often as it comes.
pub fn write<'a>(roots: &[Cid], blocks: impl IntoIterator<Item = &'a Block>) -> Vec<u8> {
    let mut file = header(roots);
    for block in blocks {
        file.extend(section_head(block));
        file.extend_from_slice(block.bytes());
    }
    file
}

/// What a file begins with. Blocks follow, each behind its [`section_head`].
pub fn header(roots: &[Cid]) -> Vec<u8> {
    let links = roots.iter().copied().map(Ipld::Link).collect();
    let header = Ipld::Map(BTreeMap::from([
        ("roots".to_owned(), Ipld::List(links)),
        ("version".to_owned(), Ipld::Integer(VERSION.into())),
    ]));
    let header = encode(&header).expect("a map of links and a number has an encoding");
    let mut file = Vec::new();
    push_varint(&mut file, header.len());
    file.extend(header);
    file
}

/// What stands before the bytes of a block: their length, and the CID.
pub fn section_head(block: &Block) -> Vec<u8> {
    let cid = block.cid().to_bytes();
    let mut head = Vec::with_capacity(cid.len() + MAX_VARINT_BYTES);
    push_varint(&mut head, cid.len() + block.bytes().len());
    head.extend(cid);
    head
}

/// How many bytes a block of so many takes in a file, for those who say beforehand how long it will be.
pub fn section_bytes(cid: &Cid, block_bytes: usize) -> u64 {
    let length = cid.encoded_len() + block_bytes;
    let mut prefix = Vec::with_capacity(MAX_VARINT_BYTES);
    push_varint(&mut prefix, length);
    (prefix.len() + length) as u64
}

fn push_varint(file: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        file.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    file.push(number as u8);
}

/// Tells whether bytes begin as a file of this kind does. Nothing else is looked at.
pub fn is_car(bytes: &[u8]) -> bool {
    match varint(bytes) {
        Ok((_, length)) => bytes.starts_with(PRAGMA) || bytes[length..].starts_with(HEADER_START),
        Err(_) => false,
    }
}

/// Reads a file that lies in memory, block by block, each checked against its CID. It ends after the first error.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    parser: Parser,
    roots: Vec<Cid>,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads the header.
    pub fn new(bytes: &'a [u8]) -> Result<Self, CarError> {
        let mut parser = Parser::new();
        let mut rest = bytes;
        match parser.next(&mut rest)? {
            Some(Piece::Header { roots }) => Ok(Self {
                parser,
                roots,
                rest,
            }),
            _ => Err(parser.end().err().unwrap_or(CarError::Cut { at: 0 })),
        }
    }

    /// The blocks that the file is about. Whether they are in it is not said.
    pub fn roots(&self) -> &[Cid] {
        &self.roots
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Block, CarError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let block = match self.parser.next(&mut self.rest) {
            Ok(Some(Piece::Block(block))) => return Some(Ok(block)),
            Ok(_) => self.parser.end(),
            Err(error) => Err(error),
        };
        self.rest = &[];
        block.err().map(Err)
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
    #[error("version {0} is not read here, only 1 and 2")]
    Version(u64),
    /// The header names no root.
    #[error("the header names no root")]
    NoRoot,
    /// The file ends inside of something.
    #[error("the file ends inside of what begins at byte {at}")]
    Cut {
        /// Where that begins.
        at: u64,
    },
    /// What a version 2 says of where its blocks are can't be.
    #[error("the header says that blocks are where they can't be")]
    Place,
    /// Something is longer than a block with its name.
    #[error("what begins at byte {at} has {bytes} bytes, more than a block")]
    Section {
        /// Where it begins.
        at: u64,
        /// How long it is.
        bytes: u64,
    },
    /// A length isn't written in its shortest form, or is too long for any.
    #[error("byte {at} begins no length")]
    Length {
        /// Where it begins.
        at: u64,
    },
    /// A block has no CID, or one that isn't written in its shortest form.
    #[error("the block at byte {at} has no CID")]
    NoCid {
        /// Where it begins.
        at: u64,
    },
    /// A block is not what its CID says.
    #[error(transparent)]
    Block(#[from] BlockError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn section(file: &mut Vec<u8>, pieces: &[&[u8]]) {
        push_varint(file, pieces.iter().map(|piece| piece.len()).sum());
        pieces
            .iter()
            .for_each(|piece| file.extend_from_slice(piece));
    }

    fn read(file: &[u8]) -> Result<(Vec<Cid>, Vec<Block>), CarError> {
        let reader = Reader::new(file)?;
        let roots = reader.roots().to_vec();
        Ok((roots, reader.collect::<Result<_, _>>()?))
    }

    fn two() -> (Vec<Cid>, Vec<Block>) {
        let list = Block::of_dag_cbor(&Ipld::List(vec![Ipld::Null])).unwrap();
        let long = Block::raw(vec![7; MAX_BLOCK_BYTES]);
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
            Err(CarError::Cut { at: header as u64 })
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
        let odd = with(header(vec![root.clone()], 2));
        assert!(odd.contains("roots"), "{odd}");
        assert_eq!(
            with(header(vec![root], 3)),
            "version 3 is not read here, only 1 and 2"
        );
        assert_eq!(with(header(vec![], 1)), "the header names no root");
        let number = with(header(vec![Ipld::Null], 1));
        assert!(number.contains("roots"), "{number}");
        let bare = |version| Ipld::Map([("version".to_owned(), Ipld::Integer(version))].into());
        assert_eq!(with(bare(1)), "header has no roots");
        assert!(with(bare(2)).contains("ends inside"));
        assert_eq!(with(Ipld::Null), "header should be a map, not null");
        let huge = b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f";
        assert_eq!(read(huge), Err(CarError::Header));
    }

    #[test]
    fn lengths_and_names_have_one_form() {
        let (roots, blocks) = two();
        let start = write(&roots, []);
        let with = |section: &[u8]| read(&[&start, section].concat());
        let at = start.len() as u64;
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
        let sha3 = multihash::Multihash::wrap(0x16, &[7; 32]).unwrap();
        let cid = Cid::new_v1(crate::ipld::RAW, sha3);
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
    fn the_largest_blocks_are_read_and_no_larger() {
        let (roots, mut blocks) = two();
        let whole = (roots.clone(), blocks.clone());
        assert_eq!(read(&write(&roots, &blocks)), Ok(whole));
        blocks.push(Block::raw(vec![7; MAX_BLOCK_BYTES + 1]));
        assert!(matches!(
            read(&write(&roots, &blocks)),
            Err(CarError::Block(BlockError::TooLarge { .. }))
        ));
    }
}
