//! Files to read, in layouts of all kinds, and stores that are slow, or fail.

use std::sync::{Condvar, Mutex};
use std::thread;

use homestar_core::ipld::{Block, Cid, DAG_PB};
use homestar_core::unixfs::{FileReader, FileWriter, Layout, Leaves, Step};
use homestar_engine::{Blocks, BlocksError, MemoryBlocks};

/// The layout of `ipfs add`.
pub(super) fn quarter_mib() -> Layout {
    Layout::default()
}

/// Large chunks.
pub(super) fn one_mib() -> Layout {
    layout(1 << 20, 1024)
}

pub(super) fn layout(chunk_bytes: usize, links: usize) -> Layout {
    Layout::new(chunk_bytes, links, Leaves::Raw).expect("a layout")
}

/// Writes a file in this layout.
pub(super) fn put_file(blocks: &dyn Blocks, bytes: &[u8], layout: Layout) -> Cid {
    let mut put = |block: Block| blocks.put(&[block]);
    let mut writer = FileWriter::new(layout);
    writer.write(bytes, &mut put).expect("memory takes it");
    writer.finish(&mut put).expect("memory takes it").cid
}

/// Reads a file to its end.
pub(super) fn bytes_of(blocks: &dyn Blocks, cid: &Cid) -> Vec<u8> {
    let mut reader = FileReader::new(*cid);
    let mut bytes = Vec::new();
    loop {
        match reader.step().expect("a file") {
            Step::Need(cid) => reader
                .give(&blocks.get(&cid).expect("a block"))
                .expect("a file"),
            Step::Bytes { cid, range } => {
                bytes.extend_from_slice(&blocks.get(&cid).expect("a block").bytes()[range]);
            }
            Step::Inline(inline) => bytes.extend(inline),
            Step::Done => return bytes,
        }
    }
}

/// Writes a directory.
pub(super) fn directory(blocks: &dyn Blocks, entries: &[(&str, Cid)]) -> Cid {
    let entry = |(name, cid): &(&str, Cid)| {
        let link = [
            &[0x0a, cid.to_bytes().len() as u8],
            &cid.to_bytes()[..],
            &[0x12, name.len() as u8],
            name.as_bytes(),
            &[0x18, 0],
        ]
        .concat();
        [&[0x12, link.len() as u8], &link[..]].concat()
    };
    let mut bytes: Vec<u8> = entries.iter().flat_map(entry).collect();
    bytes.extend([0x0a, 2, 8, 1]);
    put_pb(blocks, bytes)
}

/// Writes a file of one chunk that says it has so many bytes, and has others.
pub(super) fn lying_file(blocks: &dyn Blocks, says: u64, has: usize) -> Cid {
    let leaf = Block::raw(vec![7; has]);
    blocks
        .put(std::slice::from_ref(&leaf))
        .expect("memory takes it");
    let cid = leaf.cid().to_bytes();
    let link = [&[0x0a, cid.len() as u8], &cid[..], &[0x12, 0, 0x18, 0]].concat();
    let mut size = Vec::new();
    let mut rest = says;
    while rest >= 0x80 {
        size.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    size.push(rest as u8);
    let data = [&[8, 2, 0x18], &size[..], &[0x20], &size[..]].concat();
    let node = [
        &[0x12, link.len() as u8],
        &link[..],
        &[0x0a, data.len() as u8],
        &data[..],
    ];
    put_pb(blocks, node.concat())
}

fn put_pb(blocks: &dyn Blocks, bytes: Vec<u8>) -> Cid {
    let block = Block::new(DAG_PB, bytes);
    let cid = *block.cid();
    blocks.put(&[block]).expect("memory takes it");
    cid
}

/// A store that lets others go first, however many they are.
#[derive(Debug)]
pub(super) struct Slow(pub(super) MemoryBlocks);

impl Blocks for Slow {
    fn get(&self, cid: &Cid) -> Result<Block, BlocksError> {
        (0..200).for_each(|_| thread::yield_now());
        self.0.get(cid)
    }

    fn put(&self, blocks: &[Block]) -> Result<(), BlocksError> {
        (0..200).for_each(|_| thread::yield_now());
        self.0.put(blocks)
    }
}

/// A store that gives one block at a time, the one that was asked for last first; or none at all.
#[derive(Debug, Default)]
pub(super) struct Gate {
    blocks: MemoryBlocks,
    is_closed: bool,
    waiting: Mutex<Vec<u64>>,
    passed: Condvar,
}

impl Gate {
    pub(super) fn closed() -> Self {
        Self {
            is_closed: true,
            ..Self::default()
        }
    }
}

impl Blocks for Gate {
    fn get(&self, cid: &Cid) -> Result<Block, BlocksError> {
        let mut waiting = self.waiting.lock().expect("no test panics in here");
        let number = waiting.last().map_or(0, |last| last + 1);
        waiting.push(number);
        drop(waiting);
        thread::yield_now();
        let waiting = self.waiting.lock().expect("no test panics in here");
        let is_next = |waiting: &mut Vec<u64>| self.is_closed || waiting.last() != Some(&number);
        let waited = self.passed.wait_while(waiting, is_next);
        let block = self.blocks.get(cid);
        waited.expect("no test panics in here").pop();
        self.passed.notify_all();
        block
    }

    fn put(&self, blocks: &[Block]) -> Result<(), BlocksError> {
        self.blocks.put(blocks)
    }
}

/// A store that does nothing but fail.
#[derive(Debug)]
pub(super) struct Broken;

impl Blocks for Broken {
    fn get(&self, _: &Cid) -> Result<Block, BlocksError> {
        Err(BlocksError::Host("the disk is gone".to_owned()))
    }

    fn put(&self, _: &[Block]) -> Result<(), BlocksError> {
        Err(BlocksError::Host("the disk is gone".to_owned()))
    }
}
