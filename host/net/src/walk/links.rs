//! Where blocks link to.

use std::ops::Range;

use homestar_core::ipld::{Block, Cid, DAG_CBOR, Ipld, RAW};

/// The multicodec of DAG-PB: nodes of files and directories.
pub(crate) const DAG_PB: u64 = 0x70;

/// Types of UnixFS nodes.
mod kind {
    pub(super) const RAW: u64 = 0;
    pub(super) const DIRECTORY: u64 = 1;
    pub(super) const FILE: u64 = 2;
    pub(super) const SHARD: u64 = 5;
}

/// All links of a block, in order.
pub(super) fn of(block: &Block) -> Result<Vec<Cid>, String> {
    match block.cid().codec() {
        RAW => Ok(Vec::new()),
        DAG_PB => {
            let links = pb_links(block.bytes())?.0;
            Ok(links.into_iter().map(|link| link.cid).collect())
        }
        DAG_CBOR => {
            let value = block.decode::<Ipld>().map_err(|error| error.to_string())?;
            let mut links = Vec::new();
            collect(&value, &mut links);
            Ok(links)
        }
        codec => Err(format!("codec 0x{codec:x} is not known here")),
    }
}

fn collect(value: &Ipld, links: &mut Vec<Cid>) {
    match value {
        Ipld::Link(cid) => links.push(*cid),
        Ipld::List(list) => list.iter().for_each(|value| collect(value, links)),
        Ipld::Map(map) => map.values().for_each(|value| collect(value, links)),
        _ => {}
    }
}

/// Where one step of a path leads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// To another block.
    Block(Cid),
    /// Nowhere.
    Nowhere,
    /// Through a sharded directory, whose shards would have to be searched.
    Sharded,
}

/// Follows a path from a block as far as to the next block. Returns how many of its names that took.
pub(crate) fn step(block: &Block, path: &[String]) -> Result<(Step, usize), String> {
    match block.cid().codec() {
        DAG_PB => {
            let node = Node::decode(block.bytes())?;
            let step = match node.kind {
                Kind::Directory => {
                    let mut links = node.links.iter();
                    let found = links.find(|link| Some(&link.name) == path.first());
                    found.map_or(Step::Nowhere, |link| Step::Block(link.cid))
                }
                Kind::Shard => Step::Sharded,
                _ => Step::Nowhere,
            };
            Ok((step, 1))
        }
        DAG_CBOR => {
            let value = block.decode::<Ipld>().map_err(|error| error.to_string())?;
            Ok(within(&value, path))
        }
        _ => Ok((Step::Nowhere, 0)),
    }
}

fn within(value: &Ipld, path: &[String]) -> (Step, usize) {
    let mut value = value;
    for (taken, name) in path.iter().enumerate() {
        if let Ipld::Link(cid) = value {
            return (Step::Block(*cid), taken);
        }
        let next = match value {
            Ipld::Map(map) => map.get(name),
            Ipld::List(list) => name.parse::<usize>().ok().and_then(|at| list.get(at)),
            _ => None,
        };
        match next {
            Some(next) => value = next,
            None => return (Step::Nowhere, taken),
        }
    }
    match value {
        Ipld::Link(cid) => (Step::Block(*cid), path.len()),
        // A value inside of a block is no block.
        _ => (Step::Nowhere, path.len()),
    }
}

/// A node of a file or a directory.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) links: Vec<Link>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file, or a piece of one: first bytes of its own, then its links.
    File {
        own_bytes: u64,
        /// Of each link.
        sizes: Vec<u64>,
    },
    Directory,
    /// A directory in pieces.
    Shard,
    /// A symbolic link, or no UnixFS at all.
    Other,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) cid: Cid,
    pub(super) name: String,
}

impl Link {
    /// True for a link of a shard to another shard: entries have more in their name than where they stand.
    pub(super) fn is_shard(&self) -> bool {
        self.name.len() == 2
    }
}

impl Node {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let (links, data) = pb_links(bytes)?;
        let kind = match data {
            None => Kind::Other,
            Some(data) => kind_of(data)?,
        };
        match &kind {
            Kind::File { sizes, .. } if sizes.len() != links.len() => {
                Err("a file says the size of other pieces than it has".to_owned())
            }
            _ => Ok(Self { kind, links }),
        }
    }

    /// Bytes of the file.
    pub(super) fn file_bytes(&self) -> u64 {
        match &self.kind {
            Kind::File { own_bytes, sizes } => sizes
                .iter()
                .fold(*own_bytes, |sum, size| sum.saturating_add(*size)),
            _ => 0,
        }
    }

    /// The links of a file, each with the bytes of the file that are behind it.
    pub(super) fn pieces(&self) -> Vec<(&Link, Range<u64>)> {
        let Kind::File { own_bytes, sizes } = &self.kind else {
            return Vec::new();
        };
        let mut start = *own_bytes;
        let pieces = self.links.iter().zip(sizes).map(|(link, size)| {
            let end = start.saturating_add(*size);
            let piece = (link, start..end);
            start = end;
            piece
        });
        pieces.collect()
    }
}

fn kind_of(data: &[u8]) -> Result<Kind, String> {
    let mut node_type = None;
    let mut own_bytes = 0;
    let mut sizes = Vec::new();
    let mut fields = Fields(data);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Number(value)) => node_type = Some(value),
            (2, Field::Bytes(bytes)) => own_bytes = bytes.len() as u64,
            (4, Field::Number(size)) => sizes.push(size),
            // Several in one, as writers may do it.
            (4, Field::Bytes(packed)) => {
                let mut rest = packed;
                while !rest.is_empty() {
                    sizes.push(varint(&mut rest)?);
                }
            }
            _ => {}
        }
    }
    match node_type {
        Some(kind::RAW | kind::FILE) => Ok(Kind::File { own_bytes, sizes }),
        Some(kind::DIRECTORY) => Ok(Kind::Directory),
        Some(kind::SHARD) => Ok(Kind::Shard),
        Some(_) => Ok(Kind::Other),
        None => Err("a node of UnixFS says no type".to_owned()),
    }
}

/// The links of a DAG-PB node, and its data.
fn pb_links(bytes: &[u8]) -> Result<(Vec<Link>, Option<&[u8]>), String> {
    let mut links = Vec::new();
    let mut data = None;
    let mut fields = Fields(bytes);
    while let Some(field) = fields.next()? {
        match field {
            (1, Field::Bytes(bytes)) => data = Some(bytes),
            (2, Field::Bytes(bytes)) => links.push(pb_link(bytes)?),
            (number, _) => return Err(format!("a node has no field {number}")),
        }
    }
    Ok((links, data))
}

fn pb_link(bytes: &[u8]) -> Result<Link, String> {
    let mut cid = None;
    let mut name = "";
    let mut fields = Fields(bytes);
    while let Some(field) = fields.next()? {
        match field {
            (1, Field::Bytes(bytes)) => cid = Some(bytes),
            (2, Field::Bytes(bytes)) => {
                name = std::str::from_utf8(bytes).map_err(|_| "a name is not UTF-8")?;
            }
            (3, Field::Number(_)) => {}
            (number, _) => return Err(format!("a link has no field {number}")),
        }
    }
    let cid = cid.and_then(|bytes| {
        Cid::try_from(bytes)
            .ok()
            .filter(|cid| cid.to_bytes() == bytes)
    });
    Ok(Link {
        cid: cid.ok_or("a link has no CID")?,
        name: name.to_owned(),
    })
}

/// The fields of a protobuf message.
struct Fields<'a>(&'a [u8]);

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<Option<(u64, Field<'a>)>, String> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = varint(&mut self.0)?;
        let field = match key & 7 {
            0 => Field::Number(varint(&mut self.0)?),
            2 => {
                let length = usize::try_from(varint(&mut self.0)?).unwrap_or(usize::MAX);
                let (bytes, rest) = self.0.split_at_checked(length).ok_or("a field is cut")?;
                self.0 = rest;
                Field::Bytes(bytes)
            }
            wire => return Err(format!("a field is of type {wire}")),
        };
        Ok(Some((key >> 3, field)))
    }
}

fn varint(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut number = 0;
    for at in 0..10 {
        let byte = *bytes.get(at).ok_or("a number is cut")?;
        let bits = u64::from(byte & 0x7f);
        number |= bits.checked_shl(7 * at as u32).unwrap_or(0);
        if byte & 0x80 == 0 {
            *bytes = &bytes[at + 1..];
            return Ok(number);
        }
    }
    Err("a number is too long".to_owned())
}
