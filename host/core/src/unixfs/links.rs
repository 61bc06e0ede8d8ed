//! What a block leads to.

use super::{Fault, UnixfsError, dag_pb};
use crate::ipld::{Block, Cid, DAG_CBOR, DAG_PB, RAW, links_of_dag_cbor};

/// The blocks that a block links, in the order in which they stand in it, each as often.
///
/// Reads raw, dag-pb and DAG-CBOR. What a link holds in itself is part of the block: it is not among the links, and what
/// *it* links is. Links by hashes that we don't compute are among them.
pub fn links(block: &Block) -> Result<Vec<Cid>, UnixfsError> {
    let mut found = Vec::new();
    collect(block, &mut found)?;
    Ok(found)
}

/// What lies inside is shorter than what it lies in, so this ends soon.
fn collect(block: &Block, found: &mut Vec<Cid>) -> Result<(), UnixfsError> {
    let fail = |fault: Fault| fault.of(block.cid());
    let links = match block.cid().codec() {
        RAW => Vec::new(),
        DAG_PB => {
            let node = dag_pb::read(block.bytes()).map_err(fail)?;
            node.links.into_iter().map(|link| link.cid).collect()
        }
        DAG_CBOR => links_of_dag_cbor(block.bytes()).map_err(|_| fail(Fault::DagCbor))?,
        code => return Err(fail(Fault::Codec { code })),
    };
    for cid in links {
        match Block::inline(&cid) {
            Some(inner) => collect(&inner, found)?,
            None => found.push(cid),
        }
    }
    Ok(())
}
