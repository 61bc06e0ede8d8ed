//! Files and directories as blocks: UnixFS, as IPFS has it.
//!
//! ```text
//!                 node  ←─ its CID names the file            directory ─┬─ "a.txt" → file
//!               ╱   │   ╲   links and sizes                             ├─ "b"     → directory
//!          leaf   leaf   leaf  256 KiB of the file each                 └─ "c"     → symbolic link
//! ```
//!
//! A file is cut into chunks, and nodes above them say how they follow each other. A file of one chunk is that chunk.
//! A directory is a node of names; one of many thousand names is spread over shards by the names' hashes.
//!
//! Nothing here waits for a block. Writers are given a function that takes blocks; readers say which block they need
//! and are given it ([`FileReader`]), so the same code reads from a store, a network or a file of blocks. What comes
//! from outside is checked as it is read: against its CID by [`Block`](crate::ipld::Block), and here against what the
//! node above said of it, so that no file is longer than it says and no entry has a name that leads elsewhere.
//!
//! - [`Layout`], [`FileWriter`], [`Tree`], [`cid_of_file`]: files to blocks
//! - [`FileReader`], [`read_file`]: a range of a file from blocks, or all of a small one
//! - [`DirectoryWriter`], [`symlink`]: directories to blocks
//! - [`Listing`]: what is in a directory
//! - [`Resolve`]: where a path leads, through directories and through values
//! - [`Node`]: one block, read
//! - [`links`]: what any block leads to

mod asked;
mod dag_pb;
mod data;
mod directory;
mod error;
mod layout;
mod links;
mod listing;
mod murmur3;
mod node;
mod proto;
mod read;
mod reader;
mod resolve;
mod shard;
mod tree;
mod writer;

#[cfg(test)]
mod testing;

pub use self::data::Mtime;
pub use self::directory::{DirectoryWriter, MAX_NAME_BYTES, MAX_TARGET_BYTES, symlink};
pub use self::error::{DirectoryError, Fault, LayoutError, PathError, UnixfsError};
pub use self::layout::{Layout, Leaves, MAX_LINKS};
pub use self::links::links;
pub use self::listing::{ListStep, Listing};
pub use self::node::{DirEntry, Directory, File, Metadata, Node, Part, Shard, Slot, Symlink};
pub use self::read::{ReadError, read_file};
pub use self::reader::{FileReader, MAX_FILE_DEPTH, Step};
pub use self::resolve::{Found, Resolve, ResolveStep};
pub use self::shard::Fanout;
pub use self::tree::Tree;
pub use self::writer::{Entry, FileWriter, blocks_of_file, cid_of_file};
