//! What a person wants to keep.

use homestar_core::ipld::Cid;

/// A reason for keeping a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// What is kept.
    pub cid: Cid,
    /// Why or for whom, in the words of whoever pins. The same CID may be pinned under several labels.
    pub label: String,
    /// How much is kept.
    pub depth: Depth,
    /// When it was pinned, in milliseconds since 1970.
    pub at_ms: u64,
}

impl Pin {
    /// Keeps a block and all that it links to.
    pub fn recursive(cid: Cid, label: impl Into<String>, at_ms: u64) -> Self {
        Self {
            cid,
            label: label.into(),
            depth: Depth::Recursive,
            at_ms,
        }
    }

    /// Keeps one block.
    pub fn direct(cid: Cid, label: impl Into<String>, at_ms: u64) -> Self {
        Self {
            depth: Depth::Direct,
            ..Self::recursive(cid, label, at_ms)
        }
    }
}

/// How much a pin keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The block and all that it links to.
    Recursive,
    /// The block alone.
    Direct,
}
