//! What stores say about themselves.

use homestar_core::ipld::Cid;

use crate::Flaw;

/// What [`Store::gc`](crate::Store::gc) did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// How many blocks were taken away.
    pub blocks: u64,
    /// How many bytes they had.
    pub bytes: u64,
    /// How many bytes of disk were given back.
    pub disk_bytes: u64,
    /// How many blocks stay.
    pub kept: u64,
}

/// What [`Store::verify`](crate::Store::verify) found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many blocks were read.
    pub blocks: u64,
    /// How many bytes they had.
    pub bytes: u64,
    /// What is damaged. Putting a block again repairs it.
    pub damaged: Vec<Damage>,
    /// What is wrong with the index itself, in its own words. Rebuilding the store repairs it.
    pub index: Vec<String>,
}

/// A damaged block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The block.
    pub cid: Cid,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// How much a store keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// How many blocks there are.
    pub blocks: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many bytes they may have.
    pub quota_bytes: Option<u64>,
    /// How many bytes of disk are taken, by everything.
    pub disk_bytes: u64,
    /// How many receipts there are.
    pub receipts: u64,
    /// How many pins there are.
    pub pins: u64,
    /// How many names there are.
    pub names: u64,
}
