//! What the tests of several files share.

use super::{Entry, FileWriter, Layout, Leaves, links};
use crate::ipld::{Block, Cid};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::convert::Infallible;

/// Blocks by name.
#[derive(Debug, Default)]
pub(super) struct Blocks(pub(super) BTreeMap<Cid, Block>);

impl Blocks {
    pub(super) fn put(&mut self, block: Block) {
        self.0.insert(*block.cid(), block);
    }

    pub(super) fn try_put(&mut self, block: Block) -> Result<(), Infallible> {
        self.put(block);
        Ok(())
    }

    pub(super) fn get(&self, cid: &Cid) -> &Block {
        &self.0[cid]
    }

    /// How many bytes a block and all below it have.
    pub(super) fn total_bytes(&self, cid: &Cid) -> u64 {
        let block = self.get(cid);
        let below = links(block).unwrap();
        let below = below.iter().map(|cid| self.total_bytes(cid));
        block.bytes().len() as u64 + below.sum::<u64>()
    }
}

/// A file with its blocks. Bytes are written in pieces of several sizes.
pub(super) fn file_of(layout: Layout, bytes: &[u8]) -> (Entry, Blocks) {
    let mut blocks = Blocks::default();
    let mut put = |block| blocks.try_put(block);
    let mut writer = FileWriter::new(layout);
    let mut rest = bytes;
    for size in [1, 5, 300, 0, 17].into_iter().cycle() {
        let (now, later) = rest.split_at(rest.len().min(size));
        writer.write(now, &mut put).unwrap();
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    let file = writer.finish(&mut put).unwrap();
    (file, blocks)
}

/// Small chunks and few links, so that small files are deep.
pub(super) fn any_layout() -> impl Strategy<Value = Layout> {
    let leaves = prop_oneof![Just(Leaves::Raw), Just(Leaves::DagPb)];
    (1..40usize, 2..6usize, leaves)
        .prop_map(|(chunk_bytes, links, leaves)| Layout::new(chunk_bytes, links, leaves).unwrap())
}

pub(super) fn contents() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..600),
        // Equal chunks, whose blocks are equal.
        (any::<u8>(), 0..600usize).prop_map(|(byte, count)| vec![byte; count]),
    ]
}

/// Something to put in a directory.
pub(super) fn entry(seed: u64) -> Entry {
    Entry {
        cid: crate::ipld::cid_of_raw(&seed.to_le_bytes()),
        file_bytes: seed,
        total_bytes: seed + 100,
    }
}

/// Names of entries, of which some are alike.
pub(super) fn name_in() -> impl Strategy<Value = String> {
    let is_name = |name: &String| !matches!(name.as_str(), "." | "..");
    let names = prop_oneof!["[a-z]{1,3}", "[^/\0]{1,30}", "file-[0-9]{1,4}\\.txt"];
    names.prop_filter("a name", is_name)
}
