//! The blocks of a DAG, in the order in which they come: the root, then what hangs on its first link, and so on.
//!
//! A walk is told of blocks and says which comes next. It does no I/O, and it knows of every block why it is expected: so
//! what a stranger sends can be told apart from what was asked for, before anything is kept. It also is all that has to be
//! known to go on where somebody broke off.

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
/// How far ahead is looked for a block before it isn't known to come.
const PASSED_MAX: usize = 1 << 10;
/// The multihash code of CIDs that hold their bytes. Nobody is asked for those.
pub(crate) const IDENTITY: u64 = 0;

/// A walk through a DAG. By default there is nothing to come.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    /// What is to come, the next one last.
    ahead: Vec<(Cid, Part)>,
    /// What was to come and was left out, in order. It comes when nothing else is ahead.
    left_out: Vec<(Cid, Part)>,
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

impl Part {
    /// The scope by which it is asked for.
    fn scope(&self) -> Scope {
        match self {
            Self::Block => Scope::Block,
            Self::Entity => Scope::Entity,
            Self::Bytes(bytes) => Scope::Bytes(*bytes),
            // What is too far to be said is all of it.
            Self::Range(range) => {
                EntityBytes::try_from(range.clone()).map_or(Scope::Entity, Scope::Bytes)
            }
            Self::All => Scope::All,
        }
    }
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
        Self::over(&[root], scope)
    }

    /// A walk through several DAGs, one after the other, on which each block comes once.
    pub fn over(roots: &[Cid], scope: Scope) -> Self {
        Self {
            ahead: Vec::new(),
            left_out: Vec::new(),
            done: Some(HashMap::new()),
        }
        .starting_with(roots, scope)
    }

    /// A walk on which a block comes as often as links lead to it. It takes no memory of what came, but there may be far
    /// more steps than blocks.
    pub(crate) fn repeating(root: Cid, scope: Scope) -> Self {
        Self {
            ahead: Vec::new(),
            left_out: Vec::new(),
            done: None,
        }
        .starting_with(&[root], scope)
    }

    fn starting_with(mut self, roots: &[Cid], scope: Scope) -> Self {
        let part = match scope {
            Scope::Block => Part::Block,
            Scope::Entity => Part::Entity,
            Scope::Bytes(bytes) => Part::Bytes(bytes),
            Scope::All => Part::All,
        };
        for root in roots.iter().rev() {
            self.push(*root, part.clone());
        }
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
        loop {
            while let Some((cid, part)) = self.ahead.last() {
                if !self.is_done(cid, part) {
                    return Some(*cid);
                }
                self.ahead.pop();
            }
            if self.left_out.is_empty() {
                return None;
            }
            self.ahead.append(&mut self.left_out);
            self.ahead.reverse();
        }
    }

    /// The blocks that come next as far as it is known, each once, at most `count`.
    pub fn upcoming(&self, count: usize) -> Vec<Cid> {
        let mut seen = HashSet::new();
        let fresh = self.ahead.iter().rev();
        let fresh = fresh.filter(|(cid, part)| !self.is_done(cid, part) && seen.insert(*cid));
        fresh.take(count).map(|(cid, _)| *cid).collect()
    }

    /// What is ahead, in order, as far as one scope says it, at most `count`, and whether that is all. None if nothing is.
    pub(crate) fn rest(&mut self, count: usize) -> Option<(Vec<Cid>, Scope, bool)> {
        self.next_cid()?;
        let (mut roots, mut scope) = (Vec::new(), None);
        let mut is_all = self.ahead.len() <= count && self.left_out.is_empty();
        for (cid, part) in self.ahead.iter().rev().take(count) {
            // Leaves are the same in every scope.
            if cid.codec() != RAW {
                let needed = part.scope();
                if *scope.get_or_insert(needed) != needed {
                    is_all = false;
                    break;
                }
            }
            if !self.is_done(cid, part) {
                roots.push(*cid);
            }
        }
        Some((roots, scope.unwrap_or(Scope::Block), is_all))
    }

    /// Which part is meant of what hangs on the block that comes next.
    pub(crate) fn next_scope(&mut self) -> Option<(Cid, Scope)> {
        self.next_cid()?;
        let (cid, part) = self.ahead.last()?;
        Some((*cid, part.scope()))
    }

    /// How many blocks are known to come. What hangs on one is through when there are fewer than with it.
    pub(crate) fn count(&self) -> usize {
        self.ahead.len()
    }

    /// Leaves out what comes before a block that is known to come, and says whether it is. What was left out comes at the end.
    pub(crate) fn pass_to(&mut self, cid: &Cid) -> bool {
        let ahead = self.ahead.iter().rev().take(PASSED_MAX);
        let place = ahead
            .clone()
            .position(|(ahead, part)| ahead == cid && !self.is_done(ahead, part));
        let Some(count) = place else {
            return false;
        };
        let passed = self.ahead.split_off(self.ahead.len() - count);
        let passed = passed.into_iter().rev();
        let passed: Vec<_> = passed
            .filter(|(cid, part)| !self.is_done(cid, part))
            .collect();
        self.left_out.extend(passed);
        true
    }

    /// Goes on without the block that comes next, and without what hangs on it.
    pub(crate) fn drop_next(&mut self) {
        self.ahead.pop();
    }

    /// Goes through what somebody has, and leaves ahead what they don't: `get` gives blocks that lead on, and `missing` returns
    /// which of some others aren't there. So many blocks are read at most; what hangs on others comes, whether it is there or not.
    pub fn leave_out<E: From<WalkError>>(
        &mut self,
        blocks_max: usize,
        mut get: impl FnMut(&Cid) -> Result<Option<Block>, E>,
        mut missing: impl FnMut(&[Cid]) -> Result<Vec<Cid>, E>,
    ) -> Result<(), E> {
        let mut kept: Vec<(Cid, Part)> = Vec::new();
        let mut read = 0;
        while self.next_cid().is_some() && kept.len() < AHEAD_MAX {
            let is_leaf = |(_, part): &&(Cid, Part)| *part == Part::Block;
            let leaves = self.ahead.iter().rev().take_while(is_leaf).count();
            if leaves > 0 {
                let leaves = self.ahead.split_off(self.ahead.len() - leaves);
                let cids: Vec<Cid> = leaves.iter().rev().map(|(cid, _)| *cid).collect();
                let missing: HashSet<Cid> = missing(&cids)?.into_iter().collect();
                let leaves = leaves.into_iter().rev();
                kept.extend(leaves.filter(|(cid, _)| missing.contains(cid)));
                continue;
            }
            if read == blocks_max {
                break;
            }
            read += 1;
            let Some((cid, part)) = self.ahead.pop() else {
                break;
            };
            match get(&cid)? {
                Some(block) => {
                    self.follow(&block, &part)?;
                    self.remember(cid, part)?;
                }
                None => kept.push((cid, part)),
            }
        }
        self.ahead.extend(kept.into_iter().rev());
        Ok(())
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
        match self.ahead.len() + self.left_out.len() > AHEAD_MAX {
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
