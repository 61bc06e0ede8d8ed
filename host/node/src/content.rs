//! What tasks read and write: a [`Source`], as the engine wants it.

use std::sync::Arc;

use homestar_core::ipld::{Block, Cid};
use homestar_engine::{Blocks, BlocksError};
use homestar_store::{Session, StoreError};

use crate::{Source, SourceError};

/// Content for tasks. As long as this is there, nothing of what they write is collected: what is to stay is recorded or
/// pinned before it goes.
#[derive(Debug)]
pub struct Content {
    source: Arc<Source>,
    session: Session,
}

impl Content {
    /// Lets tasks read from `source` and write to its store.
    pub fn new(source: Arc<Source>) -> Result<Self, StoreError> {
        let session = source.store().session()?;
        Ok(Self { source, session })
    }

    /// Where blocks are read.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Keeps what is there already and what it links to, for a task that is about to read it.
    pub fn hold(&self, cids: &[Cid]) -> Result<(), StoreError> {
        self.session.hold(cids)
    }
}

impl Blocks for Content {
    fn get(&self, cid: &Cid) -> Result<Block, BlocksError> {
        self.source.get(cid).map_err(|error| match error {
            SourceError::Missing { cid } => BlocksError::Unavailable {
                cid,
                reason: "it is not in the store, and nobody else is asked".to_owned(),
            },
            SourceError::Unavailable { cid, source } => BlocksError::Unavailable {
                cid,
                reason: source.to_string(),
            },
            SourceError::Store(StoreError::Corrupt { cid, flaw }) => BlocksError::Unavailable {
                cid,
                reason: format!("it is damaged in the store: {flaw}"),
            },
            error => BlocksError::Host(error.to_string()),
        })
    }

    fn put(&self, blocks: &[Block]) -> Result<(), BlocksError> {
        let staged = self.source.store().stage(blocks);
        staged.map_err(|error| BlocksError::Host(error.to_string()))
    }

    fn ahead(&self, cids: &[Cid]) {
        self.source.ahead(cids);
    }
}

#[cfg(test)]
mod tests {
    use homestar_core::ipld::cid_of_raw;
    use homestar_store::{Memory, Store};

    use super::*;

    #[test]
    fn what_a_task_wrote_stays_while_it_runs() {
        let store = Memory::new();
        let source = Arc::new(Source::new(Arc::new(store.clone()), None));
        let content = Content::new(source).unwrap();
        let block = Block::raw(b"written".to_vec());
        content.put(std::slice::from_ref(&block)).unwrap();
        store.gc(&|_| Vec::new()).unwrap();
        assert_eq!(content.get(block.cid()), Ok(block.clone()));
        drop(content);
        store.gc(&|_| Vec::new()).unwrap();
        assert!(!store.has(block.cid()).unwrap());
    }

    #[test]
    fn what_is_nowhere_is_unavailable() {
        let source = Arc::new(Source::new(Arc::new(Memory::new()), None));
        let content = Content::new(source).unwrap();
        let cid = cid_of_raw(b"nowhere");
        let missing = content.get(&cid);
        assert!(matches!(missing, Err(BlocksError::Unavailable { .. })));
    }
}
