//! What a block is: a piece of a file, a directory, a shard of one, a symbolic link.

use super::data::{self, Data, Mtime};
use super::shard::Fanout;
use super::{Fault, UnixfsError, dag_pb};
use crate::ipld::{Block, Cid, DAG_PB, RAW};
use std::ops::Range;

/// A block of a file or directory, read.
///
/// What one block shows is checked: sizes that add up, names that may stand, bits that fit links. What the blocks
/// below have to agree with is checked by whoever goes down to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A raw block: so many bytes of a file.
    Raw(usize),
    /// A file, or a part of one.
    File(File),
    /// A whole directory.
    Directory(Directory),
    /// A directory that was too large for one block, or a part of one.
    Shard(Shard),
    /// A symbolic link.
    Symlink(Symlink),
}

/// A file in dag-pb, or a part of one: first its own bytes, then those of its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// All of its bytes.
    pub file_bytes: u64,
    /// Where its own bytes are in the block.
    pub own: Range<usize>,
    /// What follows them.
    pub parts: Vec<Part>,
    /// Mode and time, where the writer keeps them.
    pub meta: Metadata,
}

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its block.
    pub cid: Cid,
    /// How many bytes of the file it has, with everything below it.
    pub file_bytes: u64,
}

/// A whole directory in one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// What is in it, sorted by name.
    pub entries: Vec<DirEntry>,
    /// Mode and time, where the writer keeps them.
    pub meta: Metadata,
}

/// A shard of a directory: entries that one bit field has room for, and shards for those that shared a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// How many slots each shard of the directory has.
    pub fanout: Fanout,
    /// The slots that aren't empty, from the first.
    pub slots: Vec<(u32, Slot)>,
    /// Mode and time, where the writer keeps them.
    pub meta: Metadata,
}

/// What is in a slot of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The only entry whose name leads here.
    Entry(DirEntry),
    /// A shard with all of them.
    Shard(Cid),
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// The name: not empty, not `.` or `..`, without a slash and without a zero byte.
    pub name: String,
    /// What has it.
    pub cid: Cid,
    /// How many bytes that has in all its blocks. The writer says so, and nobody checks it.
    pub total_bytes: Option<u64>,
}

/// A symbolic link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symlink {
    /// Where it leads, in the words of its writer. It may be anything.
    pub target: String,
    /// Mode and time, where the writer keeps them.
    pub meta: Metadata,
}

/// What some writers keep beside the content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Permissions, as Unix has them.
    pub mode: Option<u32>,
    /// When it was changed.
    pub mtime: Option<Mtime>,
}

impl Node {
    /// Reads a block by the codec in its CID.
    pub fn decode(block: &Block) -> Result<Self, UnixfsError> {
        let read = match block.cid().codec() {
            RAW => Ok(Self::Raw(block.bytes().len())),
            DAG_PB => read(block.bytes()),
            code => Err(Fault::Codec { code }),
        };
        read.map_err(|fault| fault.of(block.cid()))
    }
}

fn read(block: &[u8]) -> Result<Node, Fault> {
    let node = dag_pb::read(block)?;
    let data = data::read(block, node.data.ok_or(Fault::NoData)?)?;
    let meta = Metadata {
        mode: data.mode,
        mtime: data.mtime,
    };
    match data.kind {
        data::TYPE_RAW | data::TYPE_FILE => file(node.links, data, meta).map(Node::File),
        data::TYPE_DIRECTORY => {
            let entries = entries(block, node.links)?;
            Ok(Node::Directory(Directory { entries, meta }))
        }
        data::TYPE_SHARD => shard(block, node.links, data, meta).map(Node::Shard),
        data::TYPE_SYMLINK => {
            let target = text(block, data.bytes.unwrap_or_default())?.to_owned();
            Ok(Node::Symlink(Symlink { target, meta }))
        }
        other => Err(Fault::Type(other)),
    }
}

fn file(links: Vec<dag_pb::Link>, data: Data, meta: Metadata) -> Result<File, Fault> {
    if links.len() != data.sizes.len() {
        let (links, sizes) = (links.len(), data.sizes.len());
        return Err(Fault::Sizes { links, sizes });
    }
    let own = data.bytes.unwrap_or_default();
    let mut sizes = data.sizes.iter();
    let parts = sizes.try_fold(own.len() as u64, |sum, size| sum.checked_add(*size));
    let parts = parts.ok_or(Fault::Overflow)?;
    // Some writers leave the size of a leaf away.
    let said = data.file_bytes.unwrap_or(parts);
    if said != parts {
        return Err(Fault::Sum { parts, said });
    }
    let parts = links.into_iter().zip(data.sizes);
    let parts = parts.map(|(link, file_bytes)| Part {
        cid: link.cid,
        file_bytes,
    });
    Ok(File {
        file_bytes: said,
        own,
        parts: parts.collect(),
        meta,
    })
}

fn entries(block: &[u8], links: Vec<dag_pb::Link>) -> Result<Vec<DirEntry>, Fault> {
    let mut entries: Vec<DirEntry> = Vec::with_capacity(links.len());
    for link in links {
        let name = entry_name(text(block, link.name)?)?;
        match entries.last() {
            Some(last) if last.name == name => return Err(Fault::Twice(name.into())),
            Some(last) if last.name.as_str() > name => return Err(Fault::NotSorted(name.into())),
            _ => {}
        }
        entries.push(DirEntry {
            name: name.to_owned(),
            cid: link.cid,
            total_bytes: link.total_bytes,
        });
    }
    Ok(entries)
}

fn shard(
    block: &[u8],
    links: Vec<dag_pb::Link>,
    data: Data,
    meta: Metadata,
) -> Result<Shard, Fault> {
    let fanout = Fanout::read(data.hash, data.fanout)?;
    let bit_field = &block[data.bytes.unwrap_or_default()];
    let mut slots = Vec::with_capacity(links.len());
    let mut bits = fanout.slots_of(bit_field)?;
    for link in links {
        let slot = bits.next().ok_or(Fault::BitField)?;
        let name = text(block, link.name)?;
        let prefix = fanout.prefix(slot);
        let rest = name.strip_prefix(prefix.as_str()).ok_or(Fault::BitField)?;
        let cid = link.cid;
        let held = match rest {
            "" => Slot::Shard(cid),
            name => Slot::Entry(DirEntry {
                name: entry_name(name)?.to_owned(),
                cid,
                total_bytes: link.total_bytes,
            }),
        };
        slots.push((slot, held));
    }
    match bits.next() {
        None => Ok(Shard {
            fanout,
            slots,
            meta,
        }),
        Some(_) => Err(Fault::BitField),
    }
}

fn text(block: &[u8], at: Range<usize>) -> Result<&str, Fault> {
    std::str::from_utf8(&block[at]).map_err(|_| Fault::NotUtf8)
}

/// Lets through a name that an entry may have. Whoever makes files of entries relies on it.
pub(super) fn entry_name(name: &str) -> Result<&str, Fault> {
    match name {
        "" | "." | ".." => Err(Fault::Name(name.into())),
        name if name.contains(['/', '\0']) => Err(Fault::Name(name.into())),
        name => Ok(name),
    }
}
