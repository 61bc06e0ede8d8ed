//! A CAR file that comes in pieces, cut into its sections. Never more than one of them is held.
//!
//! What peers send is the same without the header, and with a length of zero at the end.

use homestar_core::ipld::{Cid, MAX_BLOCK_BYTES};

/// The most bytes of a CID. Ours have 36; one with a hash of 64 bytes has some 70.
const CID_BYTES_MAX: usize = 100;
/// The most bytes of a header, which isn't looked at: its roots are the gateway's opinion.
const HEADER_BYTES_MAX: usize = 64 << 10;

/// Cuts sections.
#[derive(Debug, Default)]
pub(crate) struct Sections {
    state: State,
    is_past_header: bool,
    /// Whether a length of zero is the end, and not a mistake.
    has_end: bool,
}

#[derive(Debug)]
enum State {
    /// Bits of a length so far, and how many.
    Length(u64, u32),
    /// The start of a section, with the CID somewhere in it.
    Name { start: Vec<u8>, length: usize },
    /// What follows a CID.
    Bytes {
        cid: Cid,
        bytes: Vec<u8>,
        length: usize,
    },
    /// What is left of the header.
    Header(usize),
    /// What follows is no section any more.
    Ended,
}

impl Default for State {
    fn default() -> Self {
        Self::Length(0, 0)
    }
}

impl Sections {
    /// Cuts what has no header, and an end.
    pub(crate) fn with_end() -> Self {
        Self {
            is_past_header: true,
            has_end: true,
            ..Self::default()
        }
    }

    /// Whether the end has come.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Takes from `piece` what belongs to the next section, and returns its name and bytes when it is whole. The bytes
    /// aren't verified.
    pub(crate) fn next(&mut self, piece: &mut &[u8]) -> Result<Option<(Cid, Vec<u8>)>, String> {
        loop {
            match &mut self.state {
                State::Length(number, bits) => {
                    let Some(byte) = take_one(piece) else {
                        return Ok(None);
                    };
                    if *bits > 56 {
                        return Err("a length is too long".to_owned());
                    }
                    *number |= u64::from(byte & 0x7f) << *bits;
                    *bits += 7;
                    if byte & 0x80 == 0 {
                        let length = usize::try_from(*number).unwrap_or(usize::MAX);
                        self.state = self.begin(length)?;
                    }
                }
                State::Ended => return Ok(None),
                State::Header(left) => {
                    let taken = take(piece, *left).len();
                    *left -= taken;
                    if *left > 0 {
                        return Ok(None);
                    }
                    self.is_past_header = true;
                    self.state = State::default();
                }
                State::Name { start, length } => {
                    let wanted = (*length).min(CID_BYTES_MAX);
                    start.extend_from_slice(take(piece, wanted - start.len()));
                    if start.len() < wanted {
                        return Ok(None);
                    }
                    let mut rest = start.as_slice();
                    let cid = Cid::read_bytes(&mut rest).map_err(|_| "a block has no CID")?;
                    let length = *length - (start.len() - rest.len());
                    if length > MAX_BLOCK_BYTES {
                        return Err(format!("block {cid} has {length} bytes"));
                    }
                    let mut bytes = Vec::with_capacity(length);
                    bytes.extend_from_slice(rest);
                    self.state = State::Bytes { cid, bytes, length };
                }
                State::Bytes { cid, bytes, length } => {
                    bytes.extend_from_slice(take(piece, *length - bytes.len()));
                    if bytes.len() < *length {
                        return Ok(None);
                    }
                    let section = (*cid, std::mem::take(bytes));
                    self.state = State::default();
                    return Ok(Some(section));
                }
            }
        }
    }

    fn begin(&self, length: usize) -> Result<State, String> {
        match self.is_past_header {
            false if length == 0 || length > HEADER_BYTES_MAX => {
                Err(format!("its header has {length} bytes"))
            }
            false => Ok(State::Header(length)),
            true if length == 0 && self.has_end => Ok(State::Ended),
            true if length > MAX_BLOCK_BYTES + CID_BYTES_MAX => {
                Err(format!("a block has {length} bytes"))
            }
            true => Ok(State::Name {
                start: Vec::with_capacity(CID_BYTES_MAX),
                length,
            }),
        }
    }
}

fn take_one(piece: &mut &[u8]) -> Option<u8> {
    let (first, rest) = piece.split_first()?;
    *piece = rest;
    Some(*first)
}

fn take<'a>(piece: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (taken, rest) = piece.split_at(most.min(piece.len()));
    *piece = rest;
    taken
}

#[cfg(test)]
mod tests {
    use homestar_core::car;
    use homestar_core::ipld::Block;
    use proptest::prelude::*;

    use super::*;

    fn cut(file: &[u8], piece_bytes: usize) -> Result<Vec<(Cid, Vec<u8>)>, String> {
        let mut sections = Sections::default();
        let mut found = Vec::new();
        for mut piece in file.chunks(piece_bytes) {
            while let Some(section) = sections.next(&mut piece)? {
                found.push(section);
            }
        }
        Ok(found)
    }

    #[test]
    fn the_end_is_known_where_there_is_one() {
        let block = Block::raw(b"block".to_vec());
        let mut sent = car::section_head(&block);
        sent.extend_from_slice(block.bytes());
        sent.extend([0, 7]);
        let mut sections = Sections::with_end();
        let mut piece = &sent[..];
        let section = sections.next(&mut piece);
        assert_eq!(section, Ok(Some((*block.cid(), block.bytes().to_vec()))));
        assert!(!sections.has_ended());
        assert_eq!(sections.next(&mut piece), Ok(None));
        assert!(sections.has_ended());
        assert_eq!(piece, [7]);
        // In a CAR file it is none.
        let file = car::write(&[*block.cid()], []);
        assert!(cut(&[&file[..], &[0]].concat(), 3).is_err());
    }

    proptest! {
        #[test]
        fn any_pieces_give_the_same_sections(
            contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..400), 0..6),
            piece_bytes in 1..600usize,
        ) {
            let blocks: Vec<_> = contents.into_iter().map(Block::raw).collect();
            let root = *Block::raw(vec![1]).cid();
            let file = car::write(&[root], &blocks);
            let part = |block: Block| (*block.cid(), block.bytes().to_vec());
            let parts: Vec<_> = blocks.into_iter().map(part).collect();
            prop_assert_eq!(cut(&file, piece_bytes), Ok(parts));
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), piece_bytes in 1..50usize) {
            let _ = cut(&bytes, piece_bytes);
        }
    }

    #[test]
    fn what_is_too_long_is_not_waited_for() {
        let large = Block::raw(vec![0; MAX_BLOCK_BYTES + 1]);
        let file = car::write(&[*large.cid()], [&large]);
        // The error comes with the CID, not after the bytes.
        assert!(
            cut(&file[..300], 300)
                .unwrap_err()
                .contains("has 1048577 bytes")
        );
        assert!(
            cut(&[0xff, 0xff, 0xff, 0x7f], 9)
                .unwrap_err()
                .contains("header")
        );
        assert!(cut(&[0xff; 12], 12).is_err());
        assert!(cut(&[0], 1).is_err());
    }
}
