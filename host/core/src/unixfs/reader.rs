//! Blocks to bytes.

use super::asked::Asked;
use super::node::{File, Node};
use super::{Fault, UnixfsError};
use crate::ipld::{Block, Cid};
use std::ops::Range;

/// How deep the nodes of a file may lie. Writers that put two links in a node come to 64 with the longest file there
/// can be.
pub const MAX_FILE_DEPTH: usize = 64;

/// Reads a range of a file, asking for the blocks that it takes and for no others.
///
/// It does no input and output: [`step`](Self::step) says what it needs, [`give`](Self::give) takes it. It holds links
/// of the nodes between the root and where it is, and no bytes. Every node is checked against what the one above it
/// says, so what is read has the size that the root says, or ends in an error.
///
/// ```
/// use homestar_core::unixfs::{FileReader, Step, blocks_of_file};
///
/// let bytes: Vec<u8> = (0..1_000_000u32).map(|at| (at / 1000) as u8).collect();
/// let (file, blocks) = blocks_of_file(&bytes);
///
/// let mut read = Vec::new();
/// let mut reader = FileReader::range(file.cid, 300_000..300_500);
/// let mut given = None;
/// loop {
///     match reader.step()? {
///         Step::Need(cid) => {
///             let block = blocks.iter().find(|block| *block.cid() == cid).expect("stored");
///             reader.give(block)?;
///             given = Some(block);
///         }
///         Step::Bytes { range, .. } => read.extend(&given.expect("given").bytes()[range]),
///         Step::Inline(bytes) => read.extend(bytes),
///         Step::Done => break,
///     }
/// }
/// assert_eq!(read, bytes[300_000..300_500]);
/// # Ok::<(), homestar_core::unixfs::UnixfsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FileReader {
    root: Cid,
    /// What of the file is still to be read. The end lies within the file once that is known.
    range: Range<u64>,
    /// The nodes between the root and what is read next.
    path: Vec<Level>,
    file_bytes: Option<u64>,
    asked: Asked<Range<u64>>,
    /// Bytes that were given and not yet handed out.
    ready: Option<Step>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Give this block.
    Need(Cid),
    /// The next bytes of the file stand here, in the block that was given last.
    Bytes {
        /// That block.
        cid: Cid,
        /// Where in it. Never empty.
        range: Range<usize>,
    },
    /// These are the next bytes of the file. They came with a link, so there is no block to find them in.
    Inline(Vec<u8>),
    /// All of the range has been read.
    Done,
}

/// A node of the path, with where its parts are in the file.
#[derive(Clone, Debug)]
struct Level {
    /// Where the bytes of its parts begin. Its own are before them, and can't be had without asking for it again.
    start: u64,
    /// Each part, and where it ends.
    parts: Vec<(Cid, u64)>,
}

impl Level {
    fn end(&self) -> u64 {
        self.parts.last().map_or(self.start, |part| part.1)
    }

    /// The parts that have anything of a range.
    fn within(&self, range: Range<u64>) -> impl Iterator<Item = (Cid, Range<u64>)> {
        let first = self.parts.partition_point(|part| part.1 <= range.start);
        let mut start = match first {
            0 => self.start,
            after => self.parts[after - 1].1,
        };
        let end = range.end;
        let parts = self.parts[first..].iter().map(move |part| {
            let from = std::mem::replace(&mut start, part.1);
            (part.0, from..part.1)
        });
        parts
            .take_while(move |(_, span)| span.start < end)
            .filter(|(_, span)| !span.is_empty())
    }
}

impl FileReader {
    /// Reads a whole file.
    pub fn new(root: Cid) -> Self {
        Self::range(root, 0..u64::MAX)
    }

    /// Reads a range of a file. What lies behind the end of the file is left out. The root is asked for whatever the
    /// range, since it says how long the file is.
    pub fn range(root: Cid, range: Range<u64>) -> Self {
        Self {
            root,
            range,
            path: Vec::new(),
            file_bytes: None,
            asked: Asked::default(),
            ready: None,
        }
    }

    /// Goes on with another range. What lies between the root and the new place, and was on the way to the old one, is
    /// not asked for again.
    pub fn seek(&mut self, range: Range<u64>) {
        self.range = range;
        self.clip();
        self.ready = None;
        self.asked.forget();
        let start = self.range.start;
        let is_within = |level: &Level| level.start <= start && start < level.end();
        let kept = self.path.iter().take_while(|level| is_within(level));
        self.path.truncate(kept.count());
    }

    /// How many bytes the whole file has. It is known once the root was given.
    pub fn file_bytes(&self) -> Option<u64> {
        self.file_bytes
    }

    /// What of the range is still to be handed out.
    pub fn left(&self) -> Range<u64> {
        self.range.clone()
    }

    /// Says what to do next. It says the same again until a block that it needs is given.
    pub fn step(&mut self) -> Result<Step, UnixfsError> {
        loop {
            if let Some(step) = self.ready.take() {
                return Ok(step);
            }
            if let Some(cid) = self.asked.cid() {
                return Ok(Step::Need(cid));
            }
            let Some((cid, span)) = self.next() else {
                return Ok(Step::Done);
            };
            if let Some(block) = self.asked.ask(cid, span)? {
                let (cid, span) = self.asked.take(&block)?;
                self.enter(cid, span, &block, true)?;
            }
        }
    }

    /// Takes the block that was asked for.
    pub fn give(&mut self, block: &Block) -> Result<(), UnixfsError> {
        let (cid, span) = self.asked.take(block)?;
        self.enter(cid, span, block, false)
    }

    /// The blocks that will be asked for next, as far as the nodes that were given say, for those who fetch ahead. The
    /// one that is needed now is the first of them.
    pub fn upcoming(&self, count: usize) -> Vec<Cid> {
        let needed = self.asked.cid().into_iter();
        // What is needed now is the next part of some level, and not yet read.
        let behind = match self.asked.about() {
            Some(span) => span.end..self.range.end,
            None => self.range.clone(),
        };
        let is_at_root = self.path.is_empty() && self.asked.cid().is_none() && !self.is_done();
        let root = is_at_root.then_some(self.root).into_iter();
        let mut from = behind.start;
        let levels = self.path.iter().rev();
        let levels = levels.flat_map(move |level| {
            let range = from..behind.end;
            from = from.max(level.end());
            level.within(range).map(|(cid, _)| cid)
        });
        let all = needed.chain(root).chain(levels);
        all.filter(|cid| Block::inline(cid).is_none())
            .take(count)
            .collect()
    }

    /// The next part to go into, and what of the file it is.
    fn next(&mut self) -> Option<(Cid, Range<u64>)> {
        if self.is_done() {
            return None;
        }
        while self
            .path
            .pop_if(|level| level.end() <= self.range.start)
            .is_some()
        {}
        match self.path.last() {
            Some(level) => level.within(self.range.clone()).next(),
            None => Some((self.root, 0..self.file_bytes.unwrap_or(u64::MAX))),
        }
    }

    fn is_done(&self) -> bool {
        self.file_bytes.is_some() && self.range.is_empty()
    }

    fn enter(
        &mut self,
        cid: Cid,
        span: Range<u64>,
        block: &Block,
        is_inline: bool,
    ) -> Result<(), UnixfsError> {
        let fail = |fault: Fault| fault.of(&cid);
        let (size, own, parts) = match Node::decode(block)? {
            Node::Raw(bytes) => (bytes as u64, 0..bytes, Vec::new()),
            Node::File(File {
                file_bytes,
                own,
                parts,
                ..
            }) => (file_bytes, own, parts),
            _ => return Err(fail(Fault::NotAFile)),
        };
        match self.file_bytes {
            None => {
                self.file_bytes = Some(size);
                self.clip();
            }
            Some(_) if size != span.end - span.start => {
                let said = span.end - span.start;
                return Err(fail(Fault::Size { said, found: size }));
            }
            Some(_) if self.path.len() == MAX_FILE_DEPTH => {
                return Err(fail(Fault::Depth(MAX_FILE_DEPTH)));
            }
            Some(_) => {}
        }
        let start = span.start + own.len() as u64;
        self.own(span.start..start, own, block, is_inline);
        if !parts.is_empty() {
            let mut end = start;
            let parts = parts.into_iter().map(|part| {
                end += part.file_bytes;
                (part.cid, end)
            });
            let parts = parts.collect();
            self.path.push(Level { start, parts });
        }
        Ok(())
    }

    /// Makes ready what of a block's own bytes is in the range.
    fn own(&mut self, span: Range<u64>, at: Range<usize>, block: &Block, is_inline: bool) {
        let wanted = self.range.start.max(span.start)..self.range.end.min(span.end);
        if wanted.is_empty() {
            return;
        }
        let from = at.start + (wanted.start - span.start) as usize;
        let range = from..from + (wanted.end - wanted.start) as usize;
        self.range.start = wanted.end;
        self.ready = Some(match is_inline {
            true => Step::Inline(block.bytes()[range].to_vec()),
            false => Step::Bytes {
                cid: *block.cid(),
                range,
            },
        });
    }

    /// Keeps the range within the file.
    fn clip(&mut self) {
        if let Some(file_bytes) = self.file_bytes {
            self.range.end = self.range.end.min(file_bytes);
        }
    }
}
