//! Names to blocks.

use super::dag_pb::Writer;
use super::node::entry_name;
use super::shard::{self, Placed, hash_of};
use super::{DirectoryError, Entry, data};
use crate::ipld::{Block, DAG_PB};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry::{Occupied, Vacant};

/// The most bytes of a name that is written: so many that a shard of the longest fits its block. Names of file systems
/// have at most 255.
pub const MAX_NAME_BYTES: usize = 2048;

/// The most bytes of a symbolic link's target that is written, as file systems have it.
pub const MAX_TARGET_BYTES: usize = 4096;

/// Names and CIDs of a directory together may have so many bytes before it is spread over shards. IPFS has the same
/// bound, and the name of a directory depends on it.
const SHARD_ABOVE_BYTES: u64 = 256 << 10;

/// Gathers what is in a directory, and writes it as blocks: one, or for many entries a tree of shards.
///
/// ```
/// use homestar_core::unixfs::{DirectoryWriter, blocks_of_file, symlink};
///
/// let (file, mut blocks) = blocks_of_file(b"hello");
/// let (link, block) = symlink("hello.txt")?;
/// blocks.push(block);
///
/// let mut directory = DirectoryWriter::new();
/// directory.add("hello.txt", file)?;
/// directory.add("greeting", link)?;
/// let Ok(root) = directory.finish(&mut |block| {
///     blocks.push(block);
///     Ok::<_, std::convert::Infallible>(())
/// });
/// assert_eq!(root.file_bytes, 5);
/// assert_eq!(blocks.last().map(|block| *block.cid()), Some(root.cid));
/// # Ok::<(), homestar_core::unixfs::DirectoryError>(())
/// ```
#[derive(Clone, Debug)]
pub struct DirectoryWriter {
    /// By the hash of the name, as shards have them.
    entries: BTreeMap<u64, (String, Entry)>,
    /// What [`SHARD_ABOVE_BYTES`] bounds.
    bytes: u64,
    shard_above: u64,
}

impl Default for DirectoryWriter {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            bytes: 0,
            shard_above: SHARD_ABOVE_BYTES,
        }
    }
}

impl DirectoryWriter {
    /// An empty directory.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, spread over shards when names and CIDs have more than so many bytes together. By default that is
    /// 256 KiB, and more is not possible. The directory's name depends on it.
    #[must_use]
    pub fn shard_above(mut self, bytes: u64) -> Self {
        self.shard_above = bytes.min(SHARD_ABOVE_BYTES);
        self
    }

    /// Puts a file, a directory or a symbolic link in it.
    pub fn add(&mut self, name: &str, entry: Entry) -> Result<(), DirectoryError> {
        entry_name(name).map_err(|_| DirectoryError::Name(name.to_owned()))?;
        if name.len() > MAX_NAME_BYTES {
            let bytes = name.len();
            return Err(DirectoryError::NameLength { bytes });
        }
        match self.entries.entry(hash_of(name)) {
            Vacant(place) => {
                place.insert((name.to_owned(), entry));
                self.bytes += (name.len() + entry.cid.encoded_len()) as u64;
                Ok(())
            }
            Occupied(there) if there.get().0 == name => Err(DirectoryError::Twice(name.to_owned())),
            Occupied(there) => {
                let there = there.get().0.clone();
                Err(DirectoryError::Collision(there, name.to_owned()))
            }
        }
    }

    /// Writes it. `put` gets the blocks, the root last.
    pub fn finish<E>(self, put: &mut impl FnMut(Block) -> Result<(), E>) -> Result<Entry, E> {
        match self.bytes > self.shard_above && !self.entries.is_empty() {
            true => {
                let placed = self.entries.into_iter();
                let placed = placed.map(|(hash, (name, entry))| Placed { hash, name, entry });
                shard::write(&placed.collect::<Vec<_>>(), 0, put)
            }
            false => {
                let mut entries: Vec<_> = self.entries.into_values().collect();
                entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
                let mut writer = Writer::default();
                let mut file_bytes = 0u64;
                for (name, entry) in entries {
                    writer.link(&entry.cid, &name, entry.total_bytes);
                    file_bytes = file_bytes.saturating_add(entry.file_bytes);
                }
                let (block, total_bytes) = writer.finish(&data::directory());
                let block = Block::new(DAG_PB, block);
                let cid = *block.cid();
                put(block)?;
                Ok(Entry {
                    cid,
                    file_bytes,
                    total_bytes,
                })
            }
        }
    }
}

/// Returns a symbolic link, with its block.
pub fn symlink(target: &str) -> Result<(Entry, Block), DirectoryError> {
    if target.len() > MAX_TARGET_BYTES {
        let bytes = target.len();
        return Err(DirectoryError::Target { bytes });
    }
    let (bytes, total_bytes) = Writer::default().finish(&data::symlink(target));
    let block = Block::new(DAG_PB, bytes);
    let entry = Entry {
        cid: *block.cid(),
        file_bytes: 0,
        total_bytes,
    };
    Ok((entry, block))
}
