//! The one block that a reader waits for.

use super::{Fault, UnixfsError};
use crate::ipld::{Block, Cid, IDENTITY, SHA2_256};

/// A block that was asked for, with what the reader wants to remember about it.
#[derive(Clone, Debug)]
pub(super) struct Asked<T>(Option<(Cid, T)>);

impl<T> Default for Asked<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Asked<T> {
    /// Asks for a block. Returns it if its CID holds it, so that nobody needs to be asked.
    pub(super) fn ask(&mut self, cid: Cid, about: T) -> Result<Option<Block>, UnixfsError> {
        match cid.hash().code() {
            SHA2_256 | IDENTITY => {}
            code => return Err(Fault::Hash { code }.of(&cid)),
        }
        self.0 = Some((cid, about));
        Ok(Block::inline(&cid))
    }

    /// What is waited for.
    pub(super) fn cid(&self) -> Option<Cid> {
        self.0.as_ref().map(|(cid, _)| *cid)
    }

    /// What to remember about it.
    pub(super) fn about(&self) -> Option<&T> {
        self.0.as_ref().map(|(_, about)| about)
    }

    /// Takes a block if it is the one. The two versions of a CID name the same block.
    pub(super) fn take(&mut self, block: &Block) -> Result<(Cid, T), UnixfsError> {
        let given = block.cid();
        self.0
            .take_if(|(cid, _)| (cid.codec(), cid.hash()) == (given.codec(), given.hash()))
            .ok_or_else(|| Fault::Unasked.of(given))
    }

    pub(super) fn forget(&mut self) {
        self.0 = None;
    }
}
