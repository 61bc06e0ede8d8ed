//! What a task reads by content, for a file that holds all it takes to run the task again.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use homestar_core::ipld::{Block, Cid};
use homestar_engine::{Blocks, BlocksError};

use super::super::data::Data;
use crate::error::{Caused, CommandError};

/// Most bytes of content in such a file, which is made and read in memory.
pub(super) const CONTENT_BYTES_MAX: u64 = 256 << 20;

/// Content for a task, with a note of what it reads that it didn't write itself.
#[derive(Debug)]
pub(super) struct Reads {
    data: Arc<Data>,
    seen: Mutex<Seen>,
    bytes_max: u64,
}

#[derive(Debug, Default)]
struct Seen {
    read: BTreeSet<Cid>,
    /// Bytes of what was read. Beyond the maximum nothing more is noted.
    bytes: u64,
    written: HashSet<Cid>,
}

impl Reads {
    pub(super) fn new(data: Arc<Data>) -> Self {
        Self {
            data,
            seen: Mutex::default(),
            bytes_max: CONTENT_BYTES_MAX,
        }
    }

    /// Returns what was read, in the order of the CIDs; none if it is too much for a file.
    pub(super) fn content(&self) -> Result<Option<Vec<Block>>, CommandError> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.bytes > self.bytes_max {
            return Ok(None);
        }
        let read = seen.read.iter().map(|cid| self.data.get(cid));
        let read = read.collect::<Result<_, _>>().map_err(|error| {
            CommandError::host(Caused::new(
                "can't read again what the task has read",
                error,
            ))
        });
        read.map(Some)
    }

    fn note(&self, block: &Block) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let cid = block.cid();
        let is_noted = seen.bytes <= self.bytes_max
            && Block::inline(cid).is_none()
            && !seen.written.contains(cid);
        if is_noted && seen.read.insert(*cid) {
            seen.bytes += block.bytes().len() as u64;
        }
    }
}

impl Blocks for Reads {
    fn get(&self, cid: &Cid) -> Result<Block, BlocksError> {
        let block = self.data.get(cid)?;
        self.note(&block);
        Ok(block)
    }

    fn put(&self, blocks: &[Block]) -> Result<(), BlocksError> {
        self.data.put(blocks)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.written.extend(blocks.iter().map(|block| *block.cid()));
        Ok(())
    }

    fn ahead(&self, cids: &[Cid]) {
        self.data.ahead(cids);
    }
}

#[cfg(test)]
mod tests {
    use homestar_node::{Memory, Source};

    use super::*;

    fn reads(bytes_max: u64) -> Reads {
        let open = || Ok(Arc::new(Source::new(Arc::new(Memory::new()), None)).into());
        Reads {
            bytes_max,
            ..Reads::new(Arc::new(Data::new(open, None)))
        }
    }

    #[test]
    fn what_was_read_is_kept_and_what_was_written_is_not() {
        let reads = reads(10);
        let [read, written] = [b"read", b"made"].map(|bytes| Block::raw(bytes.to_vec()));
        reads.data.put(std::slice::from_ref(&read)).unwrap();
        reads.put(std::slice::from_ref(&written)).unwrap();
        for cid in [read.cid(), written.cid(), read.cid()] {
            reads.get(cid).unwrap();
        }
        assert_eq!(reads.content().unwrap(), Some(vec![read]));
    }

    #[test]
    fn too_much_is_left_out() {
        let reads = reads(10);
        for at in 0..3 {
            let block = Block::raw(vec![at; 5]);
            reads.data.put(std::slice::from_ref(&block)).unwrap();
            reads.get(block.cid()).unwrap();
            assert_eq!(reads.content().unwrap().is_some(), at < 2);
        }
    }
}
