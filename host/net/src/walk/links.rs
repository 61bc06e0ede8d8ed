//! What hangs on a block, and where a path leads from it.

use std::ops::Range;

use homestar_core::ipld::{Block, Cid, DAG_PB};
use homestar_core::unixfs::{self, File, Node, Slot, UnixfsError};

use super::Part;

/// What hangs on a block, as far as it is part of `part`, in order. What a CID holds in itself is looked through.
pub(super) fn below(block: &Block, part: &Part) -> Result<Vec<(Cid, Part)>, UnixfsError> {
    let all =
        |cids: Vec<Cid>, part: Part| cids.into_iter().map(|cid| (cid, part.clone())).collect();
    match (part, block.cid().codec()) {
        (Part::Block, _) => return Ok(Vec::new()),
        (Part::All, _) => return Ok(all(unixfs::links(block)?, Part::All)),
        (_, DAG_PB) => {}
        _ => return Ok(Vec::new()),
    }
    let found = match Node::decode(block)? {
        Node::Shard(shard) => {
            let shards = shard.slots.into_iter().filter_map(|(_, slot)| match slot {
                Slot::Shard(cid) => Some(cid),
                Slot::Entry(_) => None,
            });
            all(shards.collect(), Part::Entity)
        }
        Node::File(file) => match part {
            Part::Bytes(bytes) => match bytes.range(file.file_bytes) {
                Some(range) => within_file(&file, &range),
                None => Vec::new(),
            },
            Part::Range(range) => within_file(&file, range),
            _ => all(
                file.parts.iter().map(|part| part.cid).collect(),
                Part::Entity,
            ),
        },
        _ => Vec::new(),
    };
    let mut below = Vec::with_capacity(found.len());
    for (cid, part) in found {
        match Block::inline(&cid) {
            Some(inner) => below.extend(self::below(&inner, &part)?),
            None => below.push((cid, part)),
        }
    }
    Ok(below)
}

/// The parts of a file that some of its bytes are in.
fn within_file(file: &File, range: &Range<u64>) -> Vec<(Cid, Part)> {
    let mut found = Vec::new();
    let mut from = file.own.len() as u64;
    for piece in &file.parts {
        let to = from.saturating_add(piece.file_bytes);
        let start = range.start.max(from);
        let end = range.end.min(to);
        if start < end {
            let part = match start == from && end == to {
                true => Part::Entity,
                false => Part::Range(start - from..end - from),
            };
            found.push((piece.cid, part));
        }
        from = to;
    }
    found
}
