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

#[cfg(test)]
mod tests {
    use super::super::testing::file_of;
    use super::super::{DirectoryWriter, Layout, Leaves, proto, symlink};
    use super::*;
    use crate::ipld::cid_of_raw;
    use proptest::prelude::*;

    fn number(field: u8, value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        proto::number(&mut out, field, value);
        out
    }

    fn bytes(field: u8, value: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        proto::bytes(&mut out, field, value);
        out
    }

    /// A link without name and size, as some writers leave them out.
    fn bare_link(cid: &Cid) -> Vec<u8> {
        bytes(2, &bytes(1, &cid.to_bytes()))
    }

    fn decode(node: &[Vec<u8>]) -> Result<Node, Fault> {
        let block = Block::new(DAG_PB, node.concat());
        Node::decode(&block).map_err(|error| error.fault)
    }

    /// A node without links, of this data.
    fn of_data(fields: &[Vec<u8>]) -> Result<Node, Fault> {
        decode(&[bytes(1, &fields.concat())])
    }

    #[test]
    fn what_writers_leave_out_or_add_is_tolerated() {
        let v1 = cid_of_raw(b"hello");
        let v0 = Cid::new_v0(*v1.hash()).unwrap();
        let links = [bare_link(&v1), bare_link(&v0)].concat();
        let file = [number(1, 2), number(4, 5), number(4, 5)].concat();
        let part = |cid| Part { cid, file_bytes: 5 };
        let expected = Node::File(File {
            file_bytes: 10,
            own: 0..0,
            parts: vec![part(v1), part(v0)],
            meta: Metadata::default(),
        });
        // In both orders, without the size of all, with packed sizes, with fields of another time.
        let data = bytes(1, &file);
        assert_eq!(decode(&[links.clone(), data.clone()]), Ok(expected.clone()));
        assert_eq!(decode(&[data, links.clone()]), Ok(expected.clone()));
        let packed = [number(1, 2), bytes(4, &[5, 5]), number(3, 10), number(9, 1)];
        let data = bytes(1, &packed.concat());
        assert_eq!(decode(&[links, data]), Ok(expected));
    }

    #[test]
    fn mode_and_time_are_read() {
        let mut time = number(1, -7i64 as u64);
        time.extend([2 << 3 | 5, 1, 0, 0, 0]);
        // A mode that was written as a number with sign.
        let mode = number(7, 0xffff_ffff_8000_01a4);
        let Ok(Node::File(file)) = of_data(&[number(1, 2), mode, bytes(8, &time)]) else {
            panic!("a file");
        };
        let mtime = Mtime {
            seconds: -7,
            nanoseconds: 1,
        };
        assert_eq!(file.meta.mode, Some(0x8000_01a4));
        assert_eq!(file.meta.mtime, Some(mtime));
        let late = [number(1, 0), vec![2 << 3 | 5, 0, 0xca, 0x9a, 0x3b]].concat();
        let late = of_data(&[number(1, 2), bytes(8, &late)]);
        assert_eq!(late, Err(Fault::Time(1_000_000_000)));
        let without_seconds = of_data(&[number(1, 2), bytes(8, &[])]);
        assert_eq!(without_seconds, Err(Fault::DataField { number: 8 }));
    }

    #[test]
    fn what_is_no_node_is_refused() {
        let cid = cid_of_raw(b"hello");
        let link = bare_link(&cid);
        let data = bytes(1, &number(1, 1));
        let with = |pieces: &[&Vec<u8>]| {
            let pieces: Vec<_> = pieces.iter().map(|piece| (*piece).clone()).collect();
            decode(&pieces)
        };
        assert_eq!(with(&[]), Err(Fault::NoData));
        assert_eq!(with(&[&link]), Err(Fault::NoData));
        assert_eq!(with(&[&data, &data]), Err(Fault::Order));
        assert_eq!(with(&[&link, &data, &link]), Err(Fault::Order));
        assert_eq!(with(&[&number(1, 0)]), Err(Fault::Field { number: 1 }));
        assert_eq!(with(&[&bytes(3, b"")]), Err(Fault::Field { number: 3 }));
        let of_link = |fields: &[Vec<u8>]| with(&[&bytes(2, &fields.concat()), &data]);
        let hash = bytes(1, &cid.to_bytes());
        let name = bytes(2, b"a");
        assert_eq!(of_link(std::slice::from_ref(&name)), Err(Fault::Link));
        assert_eq!(of_link(&[bytes(1, &[1, 0x55])]), Err(Fault::Link));
        let longer = [cid.to_bytes(), vec![0]].concat();
        assert_eq!(of_link(&[bytes(1, &longer)]), Err(Fault::Link));
        assert_eq!(of_link(&[name.clone(), hash.clone()]), Err(Fault::Order));
        let twice = of_link(&[hash.clone(), name.clone(), name]);
        assert_eq!(twice, Err(Fault::Order));
        let more = of_link(&[hash.clone(), number(4, 1)]);
        assert_eq!(more, Err(Fault::Field { number: 4 }));
        let not_text = of_link(&[hash, bytes(2, &[0xff])]);
        assert_eq!(not_text, Err(Fault::NotUtf8));
    }

    #[test]
    fn what_is_no_data_is_refused() {
        assert_eq!(of_data(&[]), Err(Fault::NoData));
        assert_eq!(of_data(&[number(1, 3)]), Err(Fault::Type(3)));
        assert_eq!(of_data(&[number(1, 6)]), Err(Fault::Type(6)));
        let twice = of_data(&[number(1, 2), number(1, 2)]);
        assert_eq!(twice, Err(Fault::Order));
        let other_form = of_data(&[number(1, 2), number(2, 2)]);
        assert_eq!(other_form, Err(Fault::DataField { number: 2 }));
        let cut = of_data(&[number(1, 2), vec![0x12, 5]]);
        assert_eq!(cut, Err(Fault::EndsEarly));
        let not_text = of_data(&[number(1, 4), bytes(2, &[0xff])]);
        assert_eq!(not_text, Err(Fault::NotUtf8));
    }

    #[test]
    fn sizes_add_up() {
        let link = bare_link(&cid_of_raw(b"hello"));
        let with = |links: usize, fields: &[Vec<u8>]| {
            let mut node = vec![link.clone(); links];
            node.push(bytes(1, &[number(1, 2), fields.concat()].concat()));
            decode(&node)
        };
        let sizes = |links, sizes| Err(Fault::Sizes { links, sizes });
        assert_eq!(with(1, &[]), sizes(1, 0));
        assert_eq!(with(0, &[number(4, 1)]), sizes(0, 1));
        let sum = |parts, said| Err(Fault::Sum { parts, said });
        assert_eq!(with(1, &[number(4, 5), number(3, 6)]), sum(5, 6));
        assert_eq!(with(0, &[bytes(2, b"own"), number(3, 4)]), sum(3, 4));
        let most = number(4, u64::MAX);
        assert_eq!(with(2, &[most.clone(), number(4, 1)]), Err(Fault::Overflow));
        assert_eq!(with(1, &[bytes(2, b"x"), most]), Err(Fault::Overflow));
        assert!(with(1, &[bytes(2, b"x"), number(4, 5), number(3, 6)]).is_ok());
    }

    proptest! {
        #[test]
        fn a_changed_node_never_panics(
            which in 0..4usize,
            at in any::<prop::sample::Index>(),
            bit in 0..8u8,
            cut in any::<prop::sample::Index>(),
        ) {
            let (file, blocks) = file_of(Layout::new(3, 4, Leaves::DagPb).unwrap(), b"some bytes");
            let node = |shard_above| {
                let mut directory = DirectoryWriter::new().shard_above(shard_above);
                directory.add("a", file).unwrap();
                directory.add("b", file).unwrap();
                let mut root = None;
                let Ok(_) = directory.finish(&mut |block| {
                    root = Some(block);
                    Ok::<_, std::convert::Infallible>(())
                });
                root.unwrap()
            };
            let block = match which {
                0 => blocks.get(&file.cid).clone(),
                1 => node(0),
                2 => node(1000),
                _ => symlink("target").unwrap().1,
            };
            let mut bytes = block.bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let _ = Node::decode(&Block::new(DAG_PB, bytes.clone()));
            bytes.truncate(cut.index(bytes.len()));
            let _ = Node::decode(&Block::new(DAG_PB, bytes));
        }
    }
}
