//! The bytes of a file, in order, whatever its layout is.

use std::ops::Range;
use std::sync::{Arc, Weak};

use homestar_core::ipld::{Block, Cid};
use homestar_core::unixfs::{FileReader, Step};

use super::fetch::AHEAD_MAX;
use super::{Content, Fault};

/// Reads a file from some place on.
pub(super) struct Reader {
    file: FileReader,
    rest: Option<Rest>,
    /// Blocks that are ordered ahead. It grows as reading goes on: who reads here and there needs no more than that.
    ahead: usize,
    /// Whether each block is read once, one after the other.
    is_whole: bool,
}

/// What is left of a block.
struct Rest {
    block: Held,
    range: Range<usize>,
}

/// A block that is read. It stays on the shelf as long as there is room, and is fetched again when there was none: many
/// files may be open.
enum Held {
    Shelf(Cid, Weak<Block>),
    /// It came with its link.
    Inline(Arc<Block>),
}

impl Held {
    fn get(&self, content: &Content) -> Result<Arc<Block>, Fault> {
        match self {
            Self::Inline(block) => Ok(block.clone()),
            Self::Shelf(cid, block) => block.upgrade().map_or_else(|| content.get(cid), Ok),
        }
    }
}

/// Some bytes of a block.
type Piece = (Arc<Block>, Range<usize>);

impl Reader {
    /// Returns a reader of a file from `offset` on. `whole` says that all of it will be read.
    pub(super) fn new(cid: Cid, offset: u64, whole: bool) -> Self {
        Self {
            file: FileReader::range(cid, offset..u64::MAX),
            rest: None,
            ahead: if whole { AHEAD_MAX } else { 0 },
            is_whole: whole,
        }
    }

    /// Fills `out` with what comes next, and returns how much that is: less than there is room for only at the end.
    pub(super) fn read(&mut self, content: &Content, out: &mut [u8]) -> Result<usize, Fault> {
        let mut filled = 0;
        while filled < out.len() {
            let room = &mut out[filled..];
            let Some((block, range)) = self.next(content, room.len())? else {
                break;
            };
            let bytes = &block.bytes()[range];
            room[..bytes.len()].copy_from_slice(bytes);
            filled += bytes.len();
        }
        Ok(filled)
    }

    /// Appends to `out` what comes next, up to `length` bytes, and returns how much that is.
    pub(super) fn append(
        &mut self,
        content: &Content,
        out: &mut Vec<u8>,
        length: usize,
    ) -> Result<usize, Fault> {
        let mut appended = 0;
        while appended < length {
            let Some((block, range)) = self.next(content, length - appended)? else {
                break;
            };
            appended += range.len();
            out.extend_from_slice(&block.bytes()[range]);
        }
        Ok(appended)
    }

    /// Returns the next bytes: up to `length`, and none at the end.
    fn next(&mut self, content: &Content, length: usize) -> Result<Option<Piece>, Fault> {
        let rest = match self.rest.take() {
            Some(rest) => rest,
            None => match self.next_block(content)? {
                Some(rest) => rest,
                None => return Ok(None),
            },
        };
        let block = rest.block.get(content)?;
        let Range { start, end } = rest.range;
        let middle = end.min(start + length);
        if middle < end {
            self.rest = Some(Rest {
                block: rest.block,
                range: middle..end,
            });
        } else if self.is_whole {
            self.spend(content, &rest.block);
        }
        Ok(Some((block, start..middle)))
    }

    /// Lets go of a block that was read, unless it comes again at once.
    fn spend(&self, content: &Content, block: &Held) {
        if let Held::Shelf(cid, _) = block
            && !self.file.upcoming(AHEAD_MAX).contains(cid)
        {
            content.fetch().spent(cid);
        }
    }

    /// Goes on to the next block that has bytes of the file in it.
    fn next_block(&mut self, content: &Content) -> Result<Option<Rest>, Fault> {
        loop {
            match self.file.step()? {
                Step::Need(cid) => {
                    if self.ahead > 0 {
                        content.fetch().ahead(&self.file.upcoming(self.ahead));
                    }
                    let block = content.get(&cid)?;
                    self.file.give(&block)?;
                    self.ahead = (self.ahead * 2).clamp(1, AHEAD_MAX);
                }
                Step::Bytes { cid, range } => {
                    let block = Arc::downgrade(&content.get(&cid)?);
                    let block = Held::Shelf(cid, block);
                    return Ok(Some(Rest { block, range }));
                }
                Step::Inline(bytes) if bytes.is_empty() => {}
                Step::Inline(bytes) => {
                    let range = 0..bytes.len();
                    let block = Held::Inline(Arc::new(Block::raw(bytes)));
                    return Ok(Some(Rest { block, range }));
                }
                Step::Done => return Ok(None),
            }
        }
    }
}
