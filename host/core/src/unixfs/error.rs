//! What can be wrong with a node.

use crate::ipld::{Cid, MAX_BLOCK_BYTES};
use thiserror::Error;

/// Something about one block of a file or directory is not as it has to be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("block {cid}: {fault}")]
pub struct UnixfsError {
    /// The block.
    pub cid: Cid,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong, as the text of it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// The codec is one whose blocks we can't read.
    #[error("codec 0x{code:x} is not read here")]
    Codec {
        /// The codec in the CID.
        code: u64,
    },
    /// The CID uses a hash that we don't compute, so no bytes could be checked against it.
    #[error("it is named by hash 0x{code:x}, not by sha2-256")]
    Hash {
        /// Its multihash code.
        code: u64,
    },
    /// The block was not asked for.
    #[error("it was not asked for")]
    Unasked,

    /// The bytes end inside a field.
    #[error("the bytes end early")]
    EndsEarly,
    /// A number has more bits than its field.
    #[error("a number is too long")]
    Number,
    /// A field that dag-pb doesn't have, or one in another form than it has.
    #[error("field {number} is not one of dag-pb, or in another form")]
    Field {
        /// The field's number.
        number: u64,
    },
    /// A field of the UnixFS data is in another form than it has.
    #[error("field {number} of its data is in another form")]
    DataField {
        /// The field's number.
        number: u64,
    },
    /// A field that may stand once stands twice, or stands before one that it has to follow.
    #[error("a field stands twice, or in the wrong place")]
    Order,
    /// A link has no CID, or bytes that are none.
    #[error("a link is not a CID")]
    Link,
    /// It is dag-pb without UnixFS in it.
    #[error("it has no UnixFS data")]
    NoData,
    /// It is of a kind that UnixFS doesn't have, or that nobody uses.
    #[error("UnixFS type {0} is not read here")]
    Type(u64),
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    NotUtf8,
    /// A part of a second is not one.
    #[error("a time has {0} nanoseconds")]
    Time(u32),
    /// It is no good DAG-CBOR.
    #[error("it is no strict DAG-CBOR")]
    DagCbor,

    /// It isn't a file, and one was asked for.
    #[error("it is not a file")]
    NotAFile,
    /// It isn't a directory, and one was asked for, or a path goes on behind it.
    #[error("it is not a directory")]
    NotADirectory,
    /// A path goes on behind a symbolic link. Links are not followed.
    #[error("it is a symbolic link to {0:?}, which is not followed")]
    Symlink(Box<str>),
    /// A directory, map or list has no entry of that name.
    #[error("it has no entry {0:?}")]
    NoEntry(Box<str>),

    /// A file's node has other links than sizes of what they lead to.
    #[error("it has {links} links and {sizes} sizes of them")]
    Sizes {
        /// How many links.
        links: usize,
        /// How many sizes.
        sizes: usize,
    },
    /// Sizes of a file's parts don't give its size.
    #[error("its parts have {parts} bytes, and it says {said}")]
    Sum {
        /// What they give.
        parts: u64,
        /// What is said.
        said: u64,
    },
    /// Sizes of a file's parts are more than any.
    #[error("the sizes of its parts are too large to be added up")]
    Overflow,
    /// A part of a file has another size than the node above says.
    #[error("it has {found} bytes of the file, and the node above says {said}")]
    Size {
        /// What the node above says.
        said: u64,
        /// What it has.
        found: u64,
    },
    /// The nodes of a file above one part have more links together than anyone needs.
    #[error("it and the nodes above it have more than {0} links")]
    Wide(usize),
    /// Nodes of a file lie below each other deeper than any writer puts them.
    #[error("it lies deeper than {0} nodes")]
    Depth(usize),

    /// An entry has a name that no entry may have.
    #[error("an entry has the name {0:?}")]
    Name(Box<str>),
    /// Entries are not sorted by name.
    #[error("the entry {0:?} is out of order")]
    NotSorted(Box<str>),
    /// Two entries have one name.
    #[error("the entry {0:?} stands twice")]
    Twice(Box<str>),
    /// A shard uses another hash than the one of UnixFS, or another number of slots than can be read.
    #[error(
        "its entries are spread by hash 0x{hash:x} over {fanout} slots, which is not read here"
    )]
    Fanout {
        /// The multihash code of the hash.
        hash: u64,
        /// The number of slots.
        fanout: u64,
    },
    /// The bit field of a shard doesn't fit its links.
    #[error("its bit field does not fit its links")]
    BitField,
    /// An entry or shard lies in a slot where its name would not be looked for.
    #[error("the entry {0:?} is in the wrong slot")]
    Slot(Box<str>),
    /// A shard below others is empty.
    #[error("it is an empty shard")]
    EmptyShard,
}

impl Fault {
    pub(super) fn of(self, cid: &Cid) -> UnixfsError {
        UnixfsError {
            cid: *cid,
            fault: self,
        }
    }
}

/// Why files can't be cut in a certain way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// A chunk has no bytes, or so many that its block would be too large.
    #[error("chunks of {0} bytes do not fit blocks of at most {MAX_BLOCK_BYTES}")]
    Chunk(usize),
    /// A node has fewer links than two, or so many that its block would be too large.
    #[error("nodes have from 2 to {max} links, not {links}", max = super::MAX_LINKS)]
    Links {
        /// What was asked for.
        links: usize,
    },
}

/// Why something can't be put in a directory.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// No entry may have this name: it is empty, `.` or `..`, or has a slash or a zero byte in it.
    #[error("{0:?} is no name for an entry")]
    Name(String),
    /// The name is longer than names are.
    #[error("a name has at most {max} bytes, not {bytes}", max = super::MAX_NAME_BYTES)]
    NameLength {
        /// How many it has.
        bytes: usize,
    },
    /// An entry of the name is there.
    #[error("there is an entry {0:?} already")]
    Twice(String),
    /// The hash by which entries are spread is the same for two names. Somebody must have looked for them.
    #[error("the names {0:?} and {1:?} have the same hash")]
    Collision(String, String),
    /// The target of a symbolic link is longer than targets are.
    #[error("a symbolic link's target has at most {max} bytes, not {bytes}", max = super::MAX_TARGET_BYTES)]
    Target {
        /// How many it has.
        bytes: usize,
    },
}

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a path has no part {0:?}")]
pub struct PathError(pub String);
