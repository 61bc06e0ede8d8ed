//! Blocks for tests to serve.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use homestar_core::ipld::{Block, Cid};
use homestar_net::{
    BlockSource, Fetch, FetchError, Gateway, GatewayServer, Gateways, GatewaysSettings, Scope,
    ServerSettings, SourceError, wait,
};

const DAG_PB: u64 = 0x70;

/// Blocks in memory.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<HashMap<Cid, Block>>);

impl Kept {
    pub(crate) fn new(blocks: impl IntoIterator<Item = Block>) -> Arc<Self> {
        let blocks = blocks.into_iter().map(|block| (*block.cid(), block));
        Arc::new(Self(Mutex::new(blocks.collect())))
    }

    pub(crate) fn remove(&self, cid: &Cid) {
        self.0.lock().unwrap().remove(cid);
    }
}

impl BlockSource for Kept {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, SourceError> {
        Ok(self.0.lock().unwrap().get(cid).cloned())
    }
}

/// Waits for something that needs no runtime.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    libp2p::futures::executor::block_on(future)
}

/// Our server over some blocks, and its URL.
pub(crate) fn serve(kept: Arc<Kept>) -> (String, GatewayServer) {
    let (address, server) =
        GatewayServer::spawn(ServerSettings::default(), kept).expect("a server");
    (format!("http://{address}"), server)
}

/// A client that doesn't wait long.
pub(crate) fn impatient(urls: &[&str]) -> Gateways {
    let gateways = urls
        .iter()
        .map(|url| Gateway::parse(url).expect("a gateway"));
    Gateways::new(GatewaysSettings {
        gateways: gateways.collect(),
        answer_timeout: Duration::from_millis(300),
        stall_timeout: Duration::from_millis(300),
        hedge_after: Duration::from_millis(100),
        patience: Duration::from_millis(100),
        ..GatewaysSettings::default()
    })
    .expect("gateways")
}

/// All blocks of a DAG in the order in which they came.
pub(crate) fn dag(fetch: &dyn Fetch, root: &Cid, scope: Scope) -> Result<Vec<Block>, FetchError> {
    let mut blocks = Vec::new();
    let mut take = |block| {
        blocks.push(block);
        ControlFlow::Continue(())
    };
    wait(fetch.dag(root, scope, &mut take)).map(|()| blocks)
}

pub(crate) fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn field(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(number << 3 | 2);
    varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn pb_node(links: &[(&Cid, &str)], data: &[u8]) -> Block {
    let mut bytes = Vec::new();
    for (cid, name) in links {
        let mut link = Vec::new();
        field(1, &cid.to_bytes(), &mut link);
        field(2, name.as_bytes(), &mut link);
        field(2, &link, &mut bytes);
    }
    field(1, data, &mut bytes);
    Block::new(DAG_PB, bytes)
}

/// A file's node over pieces of these sizes.
pub(crate) fn file_node(pieces: &[(Cid, u64)]) -> Block {
    let mut data = vec![8, 2, 24];
    varint(pieces.iter().map(|(_, size)| size).sum(), &mut data);
    for (_, size) in pieces {
        data.push(32);
        varint(*size, &mut data);
    }
    let links: Vec<_> = pieces.iter().map(|(cid, _)| (cid, "")).collect();
    pb_node(&links, &data)
}

/// A directory.
pub(crate) fn directory(entries: &[(&Cid, &str)]) -> Block {
    pb_node(entries, &[8, 1])
}

/// A file of `count` pieces, each of `bytes` that differ, in two levels. All its blocks in order, the root first.
pub(crate) fn file(count: usize, bytes: usize) -> Vec<Block> {
    let leaf = |at: usize| {
        let mut content = vec![(at % 251) as u8; bytes];
        content[..8].copy_from_slice(&(at as u64).to_le_bytes());
        Block::raw(content)
    };
    let mut below = Vec::new();
    let mut nodes = Vec::new();
    for start in (0..count).step_by(100) {
        let leaves: Vec<_> = (start..count.min(start + 100)).map(leaf).collect();
        let pieces: Vec<_> = leaves
            .iter()
            .map(|leaf| (*leaf.cid(), bytes as u64))
            .collect();
        let node = file_node(&pieces);
        nodes.push((*node.cid(), (bytes * leaves.len()) as u64));
        below.push(node);
        below.extend(leaves);
    }
    below.insert(0, file_node(&nodes));
    below
}
