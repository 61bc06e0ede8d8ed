//! The blocks of a DAG, in the order in which they come: the root, then what hangs on its first link, and so on.
//!
//! A walk is told of blocks and says which comes next. It does no I/O, and it knows of every block why it is expected: so
//! what a stranger sends can be told apart from what was asked for, before anything is kept.

mod links;

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use homestar_core::ipld::{Block, Cid, RAW};
use homestar_core::unixfs::UnixfsError;
use thiserror::Error;

use crate::{EntityBytes, Scope};

/// The most blocks that one walk remembers, so that it doesn't ask for them twice: 256 GiB of a file.
const REMEMBERED_MAX: usize = 1 << 20;
/// The most links that lie ahead at one time. A file has 174 for each level, a directory some thousands.
const AHEAD_MAX: usize = 1 << 20;
/// The multihash code of CIDs that hold their bytes. Nobody is asked for those.
pub(crate) const IDENTITY: u64 = 0;

/// A walk through a DAG.
#[derive(Clone, Debug)]
pub struct Walk {
    /// What is to come, the next one last.
    ahead: Vec<(Cid, Part)>,
    /// What came, and for what. None if what comes again is to come again.
    done: Option<HashMap<Cid, Vec<Part>>>,
}

/// Which part of what hangs on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// The block.
    Block,
    /// What it takes to read it.
    Entity,
    /// What takes part in these bytes of it, before it is known how many it has.
    Bytes(EntityBytes),
    /// What takes part in these bytes of it, which are not all.
    Range(Range<u64>),
    /// Everything.
    All,
}

/// What a block was to a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// The one that came next.
    Next,
    /// One that came before.
    Again,
    /// One that isn't part of it, or not yet.
    Unexpected,
}

impl Walk {
    /// A walk on which each block comes once.
    pub fn new(root: Cid, scope: Scope) -> Self {
        Self {
            ahead: Vec::new(),
            done: Some(HashMap::new()),
        }
        .starting_with(root, scope)
    }

    /// A walk on which a block comes as often as links lead to it. It takes no memory of what came, but there may be far
    /// more steps than blocks.
    pub(crate) fn repeating(root: Cid, scope: Scope) -> Self {
        Self {
            ahead: Vec::new(),
            done: None,
        }
        .starting_with(root, scope)
    }

    fn starting_with(mut self, root: Cid, scope: Scope) -> Self {
        let part = match scope {
            Scope::Block => Part::Block,
            Scope::Entity => Part::Entity,
            Scope::Bytes(bytes) => Part::Bytes(bytes),
            Scope::All => Part::All,
        };
        self.push(root, part);
        self
    }

    fn push(&mut self, cid: Cid, part: Part) {
        if cid.hash().code() != IDENTITY {
            let part = if cid.codec() == RAW {
                Part::Block
            } else {
                part
            };
            self.ahead.push((cid, part));
        }
    }

    /// The block that comes next, or none at the end.
    pub fn next_cid(&mut self) -> Option<Cid> {
        while let Some((cid, part)) = self.ahead.last() {
            if !self.is_done(cid, part) {
                return Some(*cid);
            }
            self.ahead.pop();
        }
        None
    }

    /// The blocks that come next as far as it is known, each once, at most `count`.
    pub fn upcoming(&self, count: usize) -> Vec<Cid> {
        let mut seen = HashSet::new();
        let fresh = self.ahead.iter().rev();
        let fresh = fresh.filter(|(cid, part)| !self.is_done(cid, part) && seen.insert(*cid));
        fresh.take(count).map(|(cid, _)| *cid).collect()
    }

    /// Takes a block. What hangs on it is ahead from now on, if it was the next.
    pub fn give(&mut self, block: &Block) -> Result<Given, WalkError> {
        let given = self.judge(block.cid());
        if given == Given::Next
            && let Some((cid, part)) = self.ahead.pop()
        {
            self.follow(block, &part)?;
            self.remember(cid, part)?;
        }
        Ok(given)
    }

    /// What a block of this name would be.
    pub fn judge(&mut self, cid: &Cid) -> Given {
        if self.next_cid().as_ref() == Some(cid) {
            return Given::Next;
        }
        match &self.done {
            Some(done) if done.contains_key(cid) => Given::Again,
            _ => Given::Unexpected,
        }
    }

    fn is_done(&self, cid: &Cid, part: &Part) -> bool {
        let parts = self.done.as_ref().and_then(|done| done.get(cid));
        parts.is_some_and(|parts| parts.contains(part))
    }

    fn remember(&mut self, cid: Cid, part: Part) -> Result<(), WalkError> {
        if let Some(done) = &mut self.done {
            if done.len() == REMEMBERED_MAX {
                return Err(WalkError::TooLarge);
            }
            done.entry(cid).or_default().push(part);
        }
        Ok(())
    }

    /// Puts what hangs on a block ahead.
    fn follow(&mut self, block: &Block, part: &Part) -> Result<(), WalkError> {
        for (cid, part) in links::below(block, part)?.into_iter().rev() {
            self.push(cid, part);
        }
        match self.ahead.len() > AHEAD_MAX {
            true => Err(WalkError::TooLarge),
            false => Ok(()),
        }
    }
}

/// Why a DAG can't be followed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WalkError {
    /// A block isn't what its codec says, or of a codec whose links aren't known here.
    #[error(transparent)]
    Unreadable(Box<UnixfsError>),
    /// More than is kept in mind.
    #[error("more than {REMEMBERED_MAX} blocks hang together; ask for parts of them")]
    TooLarge,
}

impl From<UnixfsError> for WalkError {
    fn from(error: UnixfsError) -> Self {
        Self::Unreadable(error.into())
    }
}

#[cfg(test)]
mod tests;
