//! Blocks on their way into a store, many at a time.

use homestar_core::ipld::Block;
use homestar_store::{Store, StoreError};

/// Bytes from which blocks are handed over. A store shares its work among those that come together; beyond that,
/// waiting would only take memory.
const BYTES: usize = 2 << 20;

/// Blocks from which they are handed over, however small they are.
const BLOCKS: usize = 1024;

/// Blocks on their way into a store. What was pushed is durable once [`Staging::flush`] has returned.
#[derive(Debug)]
pub(crate) struct Staging<'a> {
    store: &'a dyn Store,
    blocks: Vec<Block>,
    bytes: usize,
}

impl<'a> Staging<'a> {
    pub(crate) fn new(store: &'a dyn Store) -> Self {
        Self {
            store,
            blocks: Vec::new(),
            bytes: 0,
        }
    }

    /// Takes a block. An error may be that of an earlier one.
    pub(crate) fn push(&mut self, block: Block) -> Result<(), StoreError> {
        self.bytes += block.bytes().len();
        self.blocks.push(block);
        match self.bytes >= BYTES || self.blocks.len() >= BLOCKS {
            true => self.stage(),
            false => Ok(()),
        }
    }

    /// Hands over what there is, so that it can be read.
    pub(crate) fn stage(&mut self) -> Result<(), StoreError> {
        self.store.stage(&self.blocks)?;
        self.blocks.clear();
        self.bytes = 0;
        Ok(())
    }

    /// Hands over what there is, and waits until everything is durable.
    pub(crate) fn flush(&mut self) -> Result<(), StoreError> {
        self.stage()?;
        self.store.flush()
    }
}
