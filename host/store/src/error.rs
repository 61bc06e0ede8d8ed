//! What goes wrong in a store.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use homestar_core::ipld::{Cid, MAX_BLOCK_BYTES};

/// Why a store can't do what was asked. Nothing that was acknowledged before is lost by any of these, and but for
/// [`Index`](Self::Index) the store goes on being usable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A block is there and isn't what its name says. It can be put again, and is well then.
    #[error("block {cid} is damaged: {flaw}")]
    Corrupt {
        /// The block.
        cid: Cid,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// The store may not hold that much. Collect garbage, unpin something or raise the quota.
    #[error(
        "the store holds {used} of {quota} bytes that it may hold, too many for another {asked}; \
             collect garbage, remove pins or raise the quota"
    )]
    Quota {
        /// How many bytes it may hold.
        quota: u64,
        /// How many bytes it holds.
        used: u64,
        /// How many more were to be put.
        asked: u64,
    },
    /// The disk is full. Collect garbage or make room.
    #[error("no room on the disk for {path}; collect garbage or free space")]
    DiskFull {
        /// The file that couldn't grow.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The disk refused something.
    #[error("{path} can't be read or written")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The index is damaged, or isn't one. Rebuild the store.
    #[error("the index {path} is damaged; rebuild the store")]
    Index {
        /// The index file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The index is gone while there are blocks. Rebuild the store.
    #[error("the index {path} is missing though there are blocks; rebuild the store")]
    NoIndex {
        /// Where it should be.
        path: PathBuf,
    },
    /// The store was written by a newer version of homestar.
    #[error(
        "{path} has format version {found}; this version of homestar knows versions up to {known}"
    )]
    Version {
        /// The file that says so.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest that we know.
        known: u32,
    },
    /// Others use the store, and this can't be done meanwhile.
    #[error("{path} is in use; end what uses it and try again")]
    InUse {
        /// The store.
        path: PathBuf,
    },
    /// A block is larger than blocks are. Larger things are kept as files of several blocks.
    #[error("block {cid} has {bytes} bytes, more than the {MAX_BLOCK_BYTES} of a block")]
    TooLarge {
        /// The block.
        cid: Cid,
        /// How many bytes it has.
        bytes: u64,
    },
}

impl StoreError {
    /// The same error for somebody else who waited for the same.
    pub(crate) fn again(&self) -> Self {
        let again = |source: &io::Error| io::Error::new(source.kind(), source.to_string());
        match self {
            Self::Corrupt { cid, flaw } => Self::Corrupt {
                cid: *cid,
                flaw: flaw.clone(),
            },
            &Self::Quota { quota, used, asked } => Self::Quota { quota, used, asked },
            Self::DiskFull { path, source } => Self::DiskFull {
                path: path.clone(),
                source: again(source),
            },
            Self::Io { path, source } => Self::Io {
                path: path.clone(),
                source: again(source),
            },
            Self::Index { path, source } => Self::Index {
                path: path.clone(),
                source: source.to_string().into(),
            },
            Self::NoIndex { path } => Self::NoIndex { path: path.clone() },
            &Self::Version {
                ref path,
                found,
                known,
            } => Self::Version {
                path: path.clone(),
                found,
                known,
            },
            Self::InUse { path } => Self::InUse { path: path.clone() },
            &Self::TooLarge { cid, bytes } => Self::TooLarge { cid, bytes },
        }
    }

    /// The error of those whose commit ended in a panic of whoever made it.
    pub(crate) fn abandoned() -> Self {
        Self::Io {
            path: PathBuf::new(),
            source: io::Error::other("the commit was abandoned"),
        }
    }
}

/// What is wrong with a block.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// Its bytes have another hash.
    Bytes,
    /// What stands before its bytes in a segment doesn't belong to it.
    Header,
    /// The segment ends before it, or isn't there.
    Missing,
    /// The disk can't read it.
    Unreadable(String),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes => f.write_str("its bytes have another hash"),
            Self::Header => f.write_str("another header stands before its bytes"),
            Self::Missing => f.write_str("its bytes are gone"),
            Self::Unreadable(reason) => write!(f, "its bytes can't be read: {reason}"),
        }
    }
}
