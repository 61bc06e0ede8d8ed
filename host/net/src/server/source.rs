//! Where the blocks come from that others get.

use std::fmt;
use std::sync::Arc;

use homestar_core::ipld::{Block, Cid, Link};
use homestar_core::receipt::Receipt;
use homestar_core::task::Instruction;
use libp2p::PeerId;
use thiserror::Error;
use tokio::sync::Semaphore;

use crate::Scope;

/// Where the blocks come from that others get.
///
/// All that this gives is served to everybody who asks whoever has this source. What is private must not be given: for a block that is there and none of
/// the others' business, the answer is the same as for one that isn't there.
pub trait BlockSource: Send + Sync + fmt::Debug {
    /// Returns a block, or none. Called on threads that may wait.
    fn get(&self, cid: &Cid) -> Result<Option<Block>, SourceError>;

    /// Returns how many bytes a block has, or none. Sources that needn't read it for that say so.
    fn size(&self, cid: &Cid) -> Result<Option<u64>, SourceError> {
        Ok(self.get(cid)?.map(|block| block.bytes().len() as u64))
    }

    /// Returns what a peer gets instead, if it gets anything else than whoever else has this source.
    fn of_peer(&self, _peer: &PeerId) -> Option<Arc<dyn BlockSource>> {
        None
    }

    /// Returns where a walk is read that begins at a root, if that makes a difference: somebody who fetches what it doesn't have
    /// knows by it what will be asked for.
    fn of_walk(&self, _root: &Cid, _scope: Scope) -> Option<Arc<dyn BlockSource>> {
        None
    }

    /// Names receipts of each of these instructions, in that order: those that this source gives and that may answer for
    /// whoever asks the same. Sources that keep none have none.
    fn receipts_of(
        &self,
        _ran: &[Link<Instruction>],
    ) -> Result<Vec<Vec<Link<Receipt>>>, SourceError> {
        Ok(Vec::new())
    }
}

/// Why a source can't say whether it has a block.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SourceError {
    /// It has it and is not to give it to anybody any more: 410.
    #[error("withheld")]
    Withheld,
    /// It isn't to be had, and it may be said why: 404.
    #[error("{0}")]
    Nowhere(String),
    /// It can't read it. What it says isn't told to clients.
    #[error("{0}")]
    Failed(String),
}

/// Reads from a source without holding up what else is to be done.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    source: Arc<dyn BlockSource>,
    permits: Arc<Semaphore>,
}

impl Reader {
    pub(super) fn new(source: Arc<dyn BlockSource>, reads_max: usize) -> Self {
        Self {
            source,
            permits: Arc::new(Semaphore::new(reads_max)),
        }
    }

    /// Reads what comes on a walk.
    pub(super) fn of_walk(self, root: &Cid, scope: Scope) -> Self {
        let source = self.source.of_walk(root, scope);
        Self {
            source: source.unwrap_or(self.source),
            ..self
        }
    }

    pub(super) async fn get(&self, cid: Cid) -> Result<Option<Block>, SourceError> {
        let _permit = self.permits.acquire().await;
        let source = self.source.clone();
        let read = tokio::task::spawn_blocking(move || source.get(&cid)).await;
        let found = read.map_err(|error| SourceError::Failed(error.to_string()))??;
        match found {
            Some(block) if *block.cid() != cid => Err(SourceError::Failed(format!(
                "{} came for {cid}",
                block.cid()
            ))),
            found => Ok(found),
        }
    }
}
