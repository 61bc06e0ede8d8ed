//! What tasks read by CID, and where they write.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use homestar_core::ipld::{Block, Cid};

/// What tasks read by CID, and where they write.
///
/// It is called from threads of the engine, several at a time, and may wait: a task waits with it, and no longer than
/// its limit of time.
pub trait Blocks: Send + Sync + fmt::Debug {
    /// Returns the block of this name, from wherever it can be had.
    fn get(&self, cid: &Cid) -> Result<Block, BlocksError>;

    /// Keeps blocks at least until the receipt of the task that wrote them is recorded. They come in such an order
    /// that what a block links to was put before it, or with it.
    fn put(&self, blocks: &[Block]) -> Result<(), BlocksError>;

    /// Is told which blocks will be asked for soon.
    fn ahead(&self, cids: &[Cid]) {
        let _ = cids;
    }
}

/// Why a block isn't there, or isn't kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlocksError {
    /// No store and no provider has it. The task ends by that, and a later one may have more luck.
    #[error("block {cid} can't be had: {reason}")]
    Unavailable {
        /// The block.
        cid: Cid,
        /// Who was asked, and what they said.
        reason: String,
    },
    /// This host failed, which says nothing about the task.
    #[error("{0}")]
    Host(String),
}

/// Blocks in memory: for tests, and for a program that keeps nothing.
#[derive(Default)]
pub struct MemoryBlocks(Mutex<BTreeMap<Cid, Block>>);

impl MemoryBlocks {
    /// Returns how many blocks there are.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Takes a block out, as if it had never been there.
    pub fn remove(&self, cid: &Cid) -> Option<Block> {
        self.lock().remove(cid)
    }

    /// The map is consistent between any two statements, so a panic while it was locked does not matter.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Cid, Block>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryBlocks({})", self.len())
    }
}

impl Blocks for MemoryBlocks {
    fn get(&self, cid: &Cid) -> Result<Block, BlocksError> {
        let block = self.lock().get(cid).cloned();
        block.ok_or_else(|| BlocksError::Unavailable {
            cid: *cid,
            reason: "it is not in memory".to_owned(),
        })
    }

    fn put(&self, blocks: &[Block]) -> Result<(), BlocksError> {
        let blocks = blocks.iter().map(|block| (*block.cid(), block.clone()));
        self.lock().extend(blocks);
        Ok(())
    }
}

/// What a task has that was given no blocks.
#[derive(Debug)]
pub(crate) struct NoBlocks;

impl Blocks for NoBlocks {
    fn get(&self, cid: &Cid) -> Result<Block, BlocksError> {
        Err(BlocksError::Unavailable {
            cid: *cid,
            reason: "this task was given nothing to read from".to_owned(),
        })
    }

    fn put(&self, _: &[Block]) -> Result<(), BlocksError> {
        Err(BlocksError::Host(
            "this task was given nowhere to write to".to_owned(),
        ))
    }
}
