//! Tokens whose signatures were checked before.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Delegation, Invocation};
use crate::ipld::Cid;

/// The largest token that is remembered, in bytes. A token in memory takes up to forty times its bytes, and
/// anybody can sign large ones.
const LARGEST_BYTES: usize = 4 << 10;

/// Tokens whose signatures were checked, so that the next request with them needn't check them again.
///
/// Only that is remembered: time, revocations and policies are asked anew for each request. It holds so many
/// tokens as it was told; the ones that weren't asked for longest go first, half of them at a time. Tokens of
/// more than 4 KiB aren't remembered.
#[derive(Debug)]
pub struct Known {
    recent: HashMap<Cid, Token>,
    older: HashMap<Cid, Token>,
    half: usize,
}

#[derive(Clone, Debug)]
enum Token {
    Delegation(Arc<Delegation>),
    Invocation(Arc<Invocation>),
}

impl Known {
    /// Remembers at most so many tokens, but at least two.
    pub fn new(tokens_max: usize) -> Self {
        Self {
            recent: HashMap::new(),
            older: HashMap::new(),
            half: (tokens_max / 2).max(1),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.recent.len() + self.older.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn delegation(&mut self, cid: &Cid) -> Option<Arc<Delegation>> {
        match self.get(cid)? {
            Token::Delegation(delegation) => Some(delegation),
            Token::Invocation(_) => None,
        }
    }

    pub(super) fn invocation(&mut self, cid: &Cid) -> Option<Arc<Invocation>> {
        match self.get(cid)? {
            Token::Invocation(invocation) => Some(invocation),
            Token::Delegation(_) => None,
        }
    }

    /// Remembers a delegation. Its signature has been checked.
    pub(super) fn keep_delegation(&mut self, delegation: &Arc<Delegation>) {
        if delegation.block().bytes().len() <= LARGEST_BYTES {
            self.keep(*delegation.cid(), Token::Delegation(delegation.clone()));
        }
    }

    /// Remembers an invocation. Its signature has been checked.
    pub(super) fn keep_invocation(&mut self, invocation: &Arc<Invocation>) {
        if invocation.block().bytes().len() <= LARGEST_BYTES {
            self.keep(*invocation.cid(), Token::Invocation(invocation.clone()));
        }
    }

    fn get(&mut self, cid: &Cid) -> Option<Token> {
        if let Some(token) = self.recent.get(cid) {
            return Some(token.clone());
        }
        let token = self.older.remove(cid)?;
        self.keep(*cid, token.clone());
        Some(token)
    }

    fn keep(&mut self, cid: Cid, token: Token) {
        if self.recent.len() >= self.half && !self.recent.contains_key(&cid) {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(cid, token);
    }
}

impl Default for Known {
    /// Remembers a thousand tokens: a few megabytes.
    fn default() -> Self {
        Self::new(1024)
    }
}
