//! What is at work, and must not be cleared away under somebody's hands.

use std::fmt::Debug;

use homestar_core::ipld::Cid;

use crate::StoreError;

/// A time in which nothing that is put is collected.
///
/// It ends when this is dropped, or the process ends in whatever way. Sessions are cheap: a task or an import begins
/// one, puts its blocks, and points to them (by a pin, a name or a receipt) before it ends.
#[derive(Debug)]
#[must_use = "the session ends when this is dropped"]
pub struct Session(Box<dyn Holder>);

impl Session {
    /// Wraps a store's own kind of session.
    pub fn new(holder: Box<dyn Holder>) -> Self {
        Self(holder)
    }

    /// Keeps what was there before the session too: `cids` and everything that they link to, as far as it is there.
    /// For what a task is about to read.
    pub fn hold(&self, cids: &[Cid]) -> Result<(), StoreError> {
        self.0.hold(cids)
    }
}

/// A store's own kind of session. It ends when it is dropped.
pub trait Holder: Send + Sync + Debug {
    /// See [`Session::hold`].
    fn hold(&self, cids: &[Cid]) -> Result<(), StoreError>;
}
