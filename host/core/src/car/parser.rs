//! A file taken as it comes.

use super::{CarError, MAX_HEADER_BYTES, VERSION};
use crate::ipld::{Block, Cid, Fields, Ipld, MAX_BLOCK_BYTES, decode};

/// The most bytes of a block's section. CIDs that can be read have fewer than what is added for them.
const MAX_SECTION_BYTES: u64 = MAX_BLOCK_BYTES as u64 + 128;

/// How many bytes follow the pragma of a version 2: characteristics, where blocks begin, their length, where the index
/// begins.
const SECOND_HEADER_BYTES: u64 = 40;

/// Where the blocks of a version 2 begin at the earliest: behind pragma and header.
const FIRST_PLACE: u64 = 11 + SECOND_HEADER_BYTES;

/// Reads a file from pieces of it, however it was cut, and hands out its parts once they are complete and checked.
///
/// It holds less than one section: the bytes of one block and its name. After an error it must be dropped.
///
/// ```
/// use homestar_core::car::{self, Parser, Piece};
/// use homestar_core::ipld::Block;
///
/// let hello = Block::raw(b"hello".to_vec());
/// let file = car::write(&[*hello.cid()], [&hello]);
///
/// let mut parser = Parser::new();
/// let mut blocks = Vec::new();
/// for mut bytes in file.chunks(10) {
///     while let Some(piece) = parser.next(&mut bytes)? {
///         match piece {
///             Piece::Header { roots } => assert_eq!(roots, [*hello.cid()]),
///             Piece::Block(block) => blocks.push(block),
///         }
///     }
/// }
/// parser.end()?;
/// assert_eq!(blocks, [hello]);
/// # Ok::<(), car::CarError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Parser {
    state: State,
    /// What came of something that isn't complete.
    begun: Vec<u8>,
    /// Where in the file the next byte is.
    at: u64,
    /// Where what is being read begins.
    start: u64,
    /// Where blocks end, in a version 2.
    end: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before or in the length of a section.
    Length(Kind),
    /// In a section of so many bytes.
    Section(Kind, u64),
    /// In the header of a version 2.
    Second,
    /// Before the place where the blocks of a version 2 begin.
    Before(u64),
    /// Behind the blocks of a version 2.
    Behind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The header, which may be that of a version 2.
    Header,
    /// The header inside of a version 2.
    Inner,
    Block,
}

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// What the file is about. It comes first, and once.
    Header {
        /// The blocks that the file is about. Whether they are in it is not said.
        roots: Vec<Cid>,
    },
    /// A block.
    Block(Block),
}

impl Default for Parser {
    fn default() -> Self {
        Self {
            state: State::Length(Kind::Header),
            begun: Vec::new(),
            at: 0,
            start: 0,
            end: None,
        }
    }
}

impl Parser {
    /// At the beginning of a file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes from `bytes` until a part is complete and returns it. Without one, all of `bytes` has been taken, and more
    /// is needed.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Piece>, CarError> {
        loop {
            let is_at_end = self.end == Some(self.at);
            match self.state {
                State::Behind => {
                    *bytes = &[];
                    return Ok(None);
                }
                State::Length(_) if is_at_end && self.begun.is_empty() => {
                    self.state = State::Behind;
                }
                _ if is_at_end => return Err(CarError::Cut { at: self.start }),
                State::Before(place) if place == self.at => self.begin(Kind::Inner),
                _ if bytes.is_empty() => return Ok(None),
                State::Before(place) => {
                    self.take(bytes, place - self.at);
                }
                State::Length(kind) => self.length(kind, bytes)?,
                State::Second => {
                    if let Some(header) = self.gather(bytes, SECOND_HEADER_BYTES) {
                        self.second(&header)?;
                    }
                }
                State::Section(kind, length) => {
                    let Some(section) = self.gather(bytes, length) else {
                        continue;
                    };
                    if let Some(piece) = self.section(kind, section)? {
                        return Ok(Some(piece));
                    }
                }
            }
        }
    }

    /// Checks that the file may end here.
    pub fn end(&self) -> Result<(), CarError> {
        match self.state {
            State::Behind => Ok(()),
            State::Length(Kind::Block) if self.begun.is_empty() && self.end.is_none() => Ok(()),
            _ => Err(CarError::Cut { at: self.start }),
        }
    }

    fn begin(&mut self, kind: Kind) {
        self.start = self.at;
        self.state = State::Length(kind);
    }

    /// Takes at most so many bytes, and none from behind the blocks.
    fn take<'a>(&mut self, bytes: &mut &'a [u8], most: u64) -> &'a [u8] {
        let most = match self.end {
            Some(end) => most.min(end - self.at),
            None => most,
        };
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let (taken, rest) = bytes.split_at(most.min(bytes.len()));
        *bytes = rest;
        self.at += taken.len() as u64;
        taken
    }

    /// Takes what is missing of so many bytes, and returns them when they are complete.
    fn gather(&mut self, bytes: &mut &[u8], length: u64) -> Option<Vec<u8>> {
        // No section is longer than a block and its name, so whoever lies about a length gets no more than that.
        self.begun.reserve_exact(length as usize - self.begun.len());
        let taken = self.take(bytes, length - self.begun.len() as u64);
        self.begun.extend_from_slice(taken);
        let is_complete = self.begun.len() as u64 == length;
        is_complete.then(|| std::mem::take(&mut self.begun))
    }

    fn length(&mut self, kind: Kind, bytes: &mut &[u8]) -> Result<(), CarError> {
        let taken = self.take(bytes, 1);
        self.begun.extend_from_slice(taken);
        let length = match varint(&self.begun) {
            Ok((length, _)) => length,
            Err(Fault::Cut) => return Ok(()),
            Err(Fault::Form) => return Err(CarError::Length { at: self.start }),
        };
        self.begun.clear();
        match kind {
            Kind::Header | Kind::Inner if length > MAX_HEADER_BYTES => Err(CarError::Header),
            Kind::Block if length > MAX_SECTION_BYTES => Err(CarError::Section {
                at: self.start,
                bytes: length,
            }),
            // Nothing, as files have it that were padded with zeros.
            Kind::Block if length == 0 => Err(CarError::NoCid { at: self.start }),
            _ => {
                self.state = State::Section(kind, length);
                Ok(())
            }
        }
    }

    fn section(&mut self, kind: Kind, section: Vec<u8>) -> Result<Option<Piece>, CarError> {
        if kind == Kind::Block {
            let block = block(section, self.start)?;
            self.begin(Kind::Block);
            return Ok(Some(Piece::Block(block)));
        }
        let mut fields = Fields::of("header", decode::<Ipld>(&section)?)?;
        match (fields.unsigned("version")?, kind) {
            (VERSION, _) => {
                let roots = fields.links("roots")?;
                fields.end()?;
                if roots.is_empty() {
                    return Err(CarError::NoRoot);
                }
                self.begin(Kind::Block);
                Ok(Some(Piece::Header { roots }))
            }
            (2, Kind::Header) => {
                fields.end()?;
                self.start = self.at;
                self.state = State::Second;
                Ok(None)
            }
            (version, _) => Err(CarError::Version(version)),
        }
    }

    /// Reads where the blocks of a version 2 are.
    fn second(&mut self, header: &[u8]) -> Result<(), CarError> {
        let number = |at: usize| {
            let eight = header[at..].first_chunk().copied();
            u64::from_le_bytes(eight.unwrap_or_default())
        };
        // The first 16 bytes say what kind of index there is.
        let (place, length) = (number(16), number(24));
        let end = place.checked_add(length).ok_or(CarError::Place)?;
        if place < FIRST_PLACE || length == 0 {
            return Err(CarError::Place);
        }
        self.end = Some(end);
        self.state = State::Before(place);
        Ok(())
    }
}

fn block(mut section: Vec<u8>, at: u64) -> Result<Block, CarError> {
    let mut rest = &section[..];
    let cid = Cid::read_bytes(&mut rest).map_err(|_| CarError::NoCid { at })?;
    let length = section.len() - rest.len();
    if cid.to_bytes() != section[..length] {
        return Err(CarError::NoCid { at });
    }
    section.drain(..length);
    Ok(Block::verify(cid, section)?)
}

/// The most bytes of a varint, as its specification has it.
pub(super) const MAX_VARINT_BYTES: usize = 9;

/// Why there is no number.
pub(super) enum Fault {
    Cut,
    Form,
}

/// Reads a number and returns how many bytes it took. One in more bytes than needed is refused.
pub(super) fn varint(bytes: &[u8]) -> Result<(u64, usize), Fault> {
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

#[cfg(test)]
mod tests {
    use super::super::{PRAGMA, header, section_bytes, section_head, write};
    use super::*;
    use proptest::prelude::*;

    type Parsed = Result<(Vec<Cid>, Vec<Block>), CarError>;

    /// Reads a file in pieces of these sizes, again and again. Says how many bytes were held at most.
    fn parse(file: &[u8], sizes: &[usize]) -> (Parsed, usize) {
        let mut parser = Parser::new();
        let (mut held, mut rest) = (0, file);
        let mut parsed = || {
            let (mut roots, mut blocks) = (Vec::new(), Vec::new());
            for size in sizes.iter().cycle() {
                let (mut now, later) = rest.split_at(rest.len().min(*size));
                while let Some(piece) = parser.next(&mut now)? {
                    match piece {
                        Piece::Header { roots: found } => roots = found,
                        Piece::Block(block) => blocks.push(block),
                    }
                }
                assert!(now.is_empty());
                held = held.max(parser.begun.capacity());
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            parser.end()?;
            Ok((roots, blocks))
        };
        (parsed(), held)
    }

    /// The file inside of a version 2, with some bytes before it and an index behind it.
    fn second(inner: &[u8], before: usize, index: &[u8]) -> Vec<u8> {
        let place = FIRST_PLACE + before as u64;
        let end = place + inner.len() as u64;
        let mut file = [PRAGMA, &[0x80; 16]].concat();
        for number in [place, inner.len() as u64, end] {
            file.extend(number.to_le_bytes());
        }
        file.extend(vec![0; before]);
        [&file, inner, index].concat()
    }

    fn blocks_of(contents: Vec<Vec<u8>>) -> (Vec<Cid>, Vec<Block>) {
        let blocks: Vec<_> = contents.into_iter().map(Block::raw).collect();
        (vec![*blocks[0].cid()], blocks)
    }

    proptest! {
        #[test]
        fn how_a_file_is_cut_does_not_matter(
            contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..5),
            sizes in prop::collection::vec(1..200usize, 1..5),
            before in 0..30usize,
            index in prop::collection::vec(any::<u8>(), 0..30),
            end in any::<prop::sample::Index>(),
        ) {
            let (roots, blocks) = blocks_of(contents);
            let file = write(&roots, &blocks);
            let sections = blocks.iter().map(|block| section_bytes(block.cid(), block.bytes().len()));
            prop_assert_eq!(file.len() as u64, header(&roots).len() as u64 + sections.sum::<u64>());
            let whole = Ok((roots, blocks));
            prop_assert_eq!(&parse(&file, &sizes).0, &whole);
            let file = second(&file, before, &index);
            prop_assert_eq!(&parse(&file, &sizes).0, &whole);
            let end = end.index(file.len() - index.len());
            prop_assert!(parse(&file[..end], &sizes).0.is_err(), "{}", end);
        }

        #[test]
        fn garbage_never_panics(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            sizes in prop::collection::vec(1..200usize, 1..5),
            start in prop::sample::select(vec![&b""[..], PRAGMA, b"\x01\xf6"]),
        ) {
            prop_assert!(parse(&[start, &bytes].concat(), &sizes).0.is_err());
        }
    }

    #[test]
    fn no_more_than_a_section_is_held() {
        let (roots, blocks) = blocks_of(vec![vec![7; MAX_BLOCK_BYTES], vec![8; MAX_BLOCK_BYTES]]);
        let file = write(&roots, &blocks);
        let (parsed, held) = parse(&file, &[100_000]);
        assert_eq!(parsed, Ok((roots.clone(), blocks)));
        assert!(held <= 2 * MAX_BLOCK_BYTES, "{held}");

        let start = header(&roots);
        let at = start.len() as u64;
        let huge = [&start, &b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f"[..]].concat();
        let bytes = (1 << 63) - 1;
        assert_eq!(parse(&huge, &[7]).0, Err(CarError::Section { at, bytes }));
        let more = Block::raw(vec![7; MAX_BLOCK_BYTES + 128]);
        let head = [&start[..], &section_head(&more)].concat();
        let parsed = parse(&head, &[1000]).0;
        assert!(
            matches!(parsed, Err(CarError::Section { .. })),
            "{parsed:?}"
        );
    }

    #[test]
    fn blocks_are_where_they_can_be() {
        let (roots, blocks) = blocks_of(vec![vec![7; 10]]);
        let inner = write(&roots, &blocks);
        let good = second(&inner, 3, b"index");
        assert!(parse(&good, &[1]).0.is_ok());
        for (at, number) in [
            (27, FIRST_PLACE - 1),
            (27, u64::MAX),
            (35, 0),
            (35, u64::MAX),
        ] {
            let mut bad = good.clone();
            bad[at..at + 8].copy_from_slice(&number.to_le_bytes());
            assert_eq!(parse(&bad, &[9]).0, Err(CarError::Place), "{at} {number}");
        }
        // Blocks that end inside of one.
        let mut short = good.clone();
        short[35] -= 1;
        let at = FIRST_PLACE + 3 + header(&roots).len() as u64;
        assert_eq!(parse(&short, &[9]).0, Err(CarError::Cut { at }));
        // A version 2 in a version 2.
        let nested = second(&good, 0, b"");
        assert_eq!(parse(&nested, &[9]).0, Err(CarError::Version(2)));
    }
}
