//! Long byte strings leave an event and become raw blocks.

use crate::ipld::{Block, Cid, Ipld, MAX_BLOCK_BYTES, RAW};
use thiserror::Error;

/// Byte strings longer than this become blocks of their own.
pub const SPILL_BYTES: usize = 4 << 10;

/// Replaces each long byte string in `value` by a link: to a raw block, or if one block can't hold it, to a DAG-CBOR
/// block that lists links to raw blocks. `keep` gets the blocks. Driver calls have no links of their own, so what is
/// a link afterwards was bytes.
pub fn spill(mut value: Ipld, keep: &mut impl FnMut(Block)) -> Ipld {
    spill_within(&mut value, keep);
    value
}

/// Does it in place: most values have nothing that is long, and stay as they are.
fn spill_within(value: &mut Ipld, keep: &mut impl FnMut(Block)) {
    match value {
        Ipld::Bytes(bytes) if bytes.len() > SPILL_BYTES => {
            *value = Ipld::Link(spilled(std::mem::take(bytes), keep));
        }
        Ipld::List(items) => items.iter_mut().for_each(|item| spill_within(item, keep)),
        Ipld::Map(fields) => fields
            .values_mut()
            .for_each(|item| spill_within(item, keep)),
        _ => {}
    }
}

fn spilled(bytes: Vec<u8>, keep: &mut impl FnMut(Block)) -> Cid {
    if bytes.len() <= MAX_BLOCK_BYTES {
        return kept(Block::raw(bytes), keep);
    }
    let pieces = bytes.chunks(MAX_BLOCK_BYTES);
    let links = pieces.map(|piece| Ipld::Link(kept(Block::raw(piece.to_vec()), keep)));
    let index = Block::of_dag_cbor(&Ipld::List(links.collect()));
    kept(index.expect("a list of links has an encoding"), keep)
}

fn kept(block: Block, keep: &mut impl FnMut(Block)) -> Cid {
    let cid = *block.cid();
    keep(block);
    cid
}

/// Undoes [`spill`]. `block` gives a block, checked against its CID.
pub fn unspill(
    value: Ipld,
    block: &mut impl FnMut(&Cid) -> Option<Block>,
) -> Result<Ipld, SpillError> {
    match value {
        Ipld::Link(cid) => Ok(Ipld::Bytes(bytes(&cid, block)?)),
        Ipld::List(items) => {
            let items = items.into_iter().map(|item| unspill(item, block));
            Ok(Ipld::List(items.collect::<Result<_, _>>()?))
        }
        Ipld::Map(fields) => {
            let fields = fields.into_iter();
            let fields = fields.map(|(name, item)| Ok((name, unspill(item, block)?)));
            Ok(Ipld::Map(fields.collect::<Result<_, _>>()?))
        }
        other => Ok(other),
    }
}

fn bytes(cid: &Cid, block: &mut impl FnMut(&Cid) -> Option<Block>) -> Result<Vec<u8>, SpillError> {
    let found = block(cid).ok_or(SpillError(*cid))?;
    if cid.codec() == RAW {
        return Ok(found.into_parts().1);
    }
    let Ok(Ipld::List(links)) = found.decode::<Ipld>() else {
        return Err(SpillError(*cid));
    };
    let mut whole = Vec::new();
    for link in links {
        match link {
            Ipld::Link(piece) if piece.codec() == RAW => {
                let piece = block(&piece).ok_or(SpillError(piece))?;
                whole.extend_from_slice(piece.bytes());
            }
            _ => return Err(SpillError(*cid)),
        }
    }
    Ok(whole)
}

/// A block with bytes of an event is not there.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the trace's block {0} is not there, or holds something else")]
pub struct SpillError(pub Cid);

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn there_and_back(value: &Ipld) -> (Ipld, usize) {
        let mut blocks = BTreeMap::new();
        let spilled = spill(value.clone(), &mut |block: Block| {
            blocks.insert(*block.cid(), block);
        });
        let count = blocks.len();
        let back = unspill(spilled, &mut |cid| blocks.get(cid).cloned()).unwrap();
        (back, count)
    }

    #[test]
    fn only_long_bytes_leave() {
        let sizes = [
            0,
            SPILL_BYTES,
            SPILL_BYTES + 1,
            MAX_BLOCK_BYTES,
            MAX_BLOCK_BYTES + 1,
        ];
        for (size, count) in sizes.into_iter().zip([0, 0, 1, 1, 3]) {
            let value = Ipld::Map([("body".to_owned(), Ipld::Bytes(vec![7; size]))].into());
            let back = there_and_back(&value);
            assert_eq!(back, (value, count), "{size} bytes");
        }
    }

    #[test]
    fn long_strings_in_a_list_stay_apart() {
        let long = |byte| Ipld::Bytes(vec![byte; SPILL_BYTES + 1]);
        let list = Ipld::List(vec![long(1), long(2)]);
        assert_eq!(there_and_back(&list).0, list);
    }

    #[test]
    fn a_missing_block_is_named() {
        let block = Block::raw(vec![1]);
        let link = Ipld::Link(*block.cid());
        assert_eq!(unspill(link, &mut |_| None), Err(SpillError(*block.cid())));
    }
}
