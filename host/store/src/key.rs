//! The name under which a block is kept.

use homestar_core::ipld::{Cid, SHA2_256};

/// Length of a multihash of sha2-256: code, length, digest.
pub(crate) const KEY_BYTES: usize = 34;

/// A multihash of sha2-256, as bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Key(pub(crate) [u8; KEY_BYTES]);

impl Key {
    /// The key of what a CID names. There is none for hashes that blocks don't have here.
    pub(crate) fn of(cid: &Cid) -> Option<Self> {
        if cid.hash().code() != SHA2_256 {
            return None;
        }
        cid.hash().to_bytes().try_into().ok().map(Self)
    }
}
