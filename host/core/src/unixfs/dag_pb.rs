//! dag-pb: links with names, and bytes.
//!
//! ```text
//! PBNode { 2: PBLink …, 1: data }      PBLink { 1: CID, 2: name, 3: size of all below }
//! ```
//!
//! Written in one form: links before data, although the numbers say otherwise, and every link with name and size.
//! Read are both orders, and links without name or size, as some writers leave them out.

use super::Fault;
use super::proto::{self, Field, Fields, Value};
use crate::ipld::{Cid, cid_from_bytes};
use std::ops::Range;

/// A node that was read. Ranges are positions in the block.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) links: Vec<Link>,
    pub(super) data: Option<Range<usize>>,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) cid: Cid,
    pub(super) name: Range<usize>,
    pub(super) total_bytes: Option<u64>,
}

const DATA: u8 = 1;
const LINK: u8 = 2;
const HASH: u8 = 1;
const NAME: u8 = 2;
const SIZE: u8 = 3;

pub(super) fn read(block: &[u8]) -> Result<Node, Fault> {
    let mut fields = Fields::of(block, 0..block.len());
    let mut node = Node::default();
    let mut links_ended = false;
    while let Some(Field { number, value }) = fields.next()? {
        match (number, value) {
            (1, Value::Bytes(data)) => {
                if node.data.replace(data).is_some() {
                    return Err(Fault::Order);
                }
                links_ended = !node.links.is_empty();
            }
            (2, Value::Bytes(_)) if links_ended => return Err(Fault::Order),
            (2, Value::Bytes(link)) => node.links.push(read_link(block, link)?),
            _ => return Err(Fault::Field { number }),
        }
    }
    Ok(node)
}

fn read_link(block: &[u8], within: Range<usize>) -> Result<Link, Fault> {
    let mut fields = Fields::of(block, within.clone());
    let mut cid = None;
    let mut name = within.end..within.end;
    let mut total_bytes = None;
    let mut last = 0;
    while let Some(Field { number, value }) = fields.next()? {
        match (number, value) {
            (1..=3, _) if number <= last => return Err(Fault::Order),
            (1, Value::Bytes(hash)) => {
                cid = Some(cid_from_bytes(&block[hash]).map_err(|_| Fault::Link)?);
            }
            (2, Value::Bytes(text)) => name = text,
            (3, Value::Number(bytes)) => total_bytes = Some(bytes),
            _ => return Err(Fault::Field { number }),
        }
        last = number;
    }
    Ok(Link {
        cid: cid.ok_or(Fault::Link)?,
        name,
        total_bytes,
    })
}

/// Writes links one after the other, and data last.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    total_bytes: u64,
}

impl Writer {
    pub(super) fn link(&mut self, cid: &Cid, name: &str, total_bytes: u64) {
        let hash = cid.to_bytes();
        let length = proto::bytes_bytes(hash.len())
            + proto::bytes_bytes(name.len())
            + 1
            + proto::varint_bytes(total_bytes);
        proto::start(&mut self.bytes, LINK, length);
        proto::bytes(&mut self.bytes, HASH, &hash);
        proto::bytes(&mut self.bytes, NAME, name.as_bytes());
        proto::number(&mut self.bytes, SIZE, total_bytes);
        self.total_bytes = self.total_bytes.saturating_add(total_bytes);
    }

    /// Returns the node, and how many bytes it has together with all below.
    pub(super) fn finish(mut self, data: &[u8]) -> (Vec<u8>, u64) {
        self.bytes.reserve_exact(proto::bytes_bytes(data.len()));
        proto::bytes(&mut self.bytes, DATA, data);
        let total_bytes = self.total_bytes.saturating_add(self.bytes.len() as u64);
        (self.bytes, total_bytes)
    }
}
