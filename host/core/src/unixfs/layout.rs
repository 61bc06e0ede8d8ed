//! How a file is cut, and what its leaves look like.

use super::dag_pb::Writer;
use super::{Entry, LayoutError, data};
use bytes::Bytes;

use crate::ipld::{Block, DAG_PB, MAX_BLOCK_BYTES, RAW, cid_of};

/// The most links of a node: so many that their block stays within its size whatever they say.
pub const MAX_LINKS: usize = 8192;

/// What is around a leaf's bytes in dag-pb, at most.
const LEAF_OVERHEAD_BYTES: usize = 32;

/// How a file is cut into chunks, and how its nodes are built.
///
/// The name of a file is that of its root block, so it depends on this. The default is what
/// `ipfs add --cid-version 1` does, and it is what Homestar names files by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    chunk_bytes: usize,
    links: usize,
    leaves: Leaves,
}

/// What the leaves of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// Raw blocks: the bytes and nothing else.
    Raw,
    /// Nodes as those above them, as they were before there were raw blocks.
    DagPb,
}

impl Default for Layout {
    /// Chunks of 256 KiB, 174 links a node, raw leaves.
    fn default() -> Self {
        Self {
            chunk_bytes: 256 << 10,
            links: 174,
            leaves: Leaves::Raw,
        }
    }
}

impl Layout {
    /// Chunks of a fixed size, in nodes of so many links.
    pub fn new(chunk_bytes: usize, links: usize, leaves: Leaves) -> Result<Self, LayoutError> {
        let room = match leaves {
            Leaves::Raw => MAX_BLOCK_BYTES,
            Leaves::DagPb => MAX_BLOCK_BYTES - LEAF_OVERHEAD_BYTES,
        };
        if chunk_bytes == 0 || chunk_bytes > room {
            return Err(LayoutError::Chunk(chunk_bytes));
        }
        if !(2..=MAX_LINKS).contains(&links) {
            return Err(LayoutError::Links { links });
        }
        Ok(Self {
            chunk_bytes,
            links,
            leaves,
        })
    }

    /// How many bytes every chunk but the last has.
    pub fn chunk_bytes(&self) -> usize {
        self.chunk_bytes
    }

    /// How many links a node has when it is full.
    pub fn links(&self) -> usize {
        self.links
    }

    /// Returns the leaf of a chunk, with its block. A file without bytes has one leaf, of none.
    pub fn leaf(&self, chunk: impl Into<Bytes>) -> (Entry, Block) {
        let chunk = chunk.into();
        let file_bytes = chunk.len() as u64;
        let block = match self.leaves {
            Leaves::Raw => Block::new(RAW, chunk),
            Leaves::DagPb => Block::new(DAG_PB, Self::wrapped(&chunk)),
        };
        let entry = Entry {
            cid: *block.cid(),
            file_bytes,
            total_bytes: block.bytes().len() as u64,
        };
        (entry, block)
    }

    /// Returns the leaf of a chunk without making its block: raw leaves are hashed where they lie.
    pub fn name_leaf(&self, chunk: &[u8]) -> Entry {
        match self.leaves {
            Leaves::Raw => Entry {
                cid: cid_of(RAW, chunk),
                file_bytes: chunk.len() as u64,
                total_bytes: chunk.len() as u64,
            },
            Leaves::DagPb => {
                let bytes = Self::wrapped(chunk);
                Entry {
                    cid: cid_of(DAG_PB, &bytes),
                    file_bytes: chunk.len() as u64,
                    total_bytes: bytes.len() as u64,
                }
            }
        }
    }

    fn wrapped(chunk: &[u8]) -> Vec<u8> {
        Writer::default().finish(&data::leaf(chunk)).0
    }
}
