//! Long byte strings leave an event and become files.

use crate::ipld::{Block, Cid, EncodeError, Ipld, encode_into};
use crate::unixfs::{FileWriter, Layout, ReadError, read_file};
use ipld_core::serde::to_ipld;
use serde::Serialize;
use std::convert::Infallible;
use thiserror::Error;

/// Byte strings longer than this become files of their own.
pub const SPILL_BYTES: usize = 4 << 10;

/// The most bytes of such a string that are read back: more than an evidence file has. Few blocks can make a long file.
const MAX_SPILLED_BYTES: u64 = 1 << 30;

/// Writes a value as it stands in an event, in place of what is in `into`: each long byte string is a link to a file of it.
/// `keep` gets the blocks. Driver calls have no links of their own, so what is a link afterwards was bytes.
pub fn write<T: Serialize + ?Sized>(
    value: &T,
    into: &mut Vec<u8>,
    keep: &mut impl FnMut(Block),
) -> Result<(), EncodeError> {
    encode_into(value, into)?;
    // What is short as a whole has nothing long in it.
    if into.len() > SPILL_BYTES {
        let mut value = to_ipld(value).map_err(EncodeError::value)?;
        spill_within(&mut value, keep);
        encode_into(&value, into)?;
    }
    Ok(())
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
    let layout = Layout::default();
    if bytes.len() <= layout.chunk_bytes() {
        let (file, block) = layout.leaf(bytes);
        keep(block);
        return file.cid;
    }
    let mut put = |block| {
        keep(block);
        Ok::<_, Infallible>(())
    };
    let mut writer = FileWriter::new(layout);
    let Ok(()) = writer.write(&bytes, &mut put);
    let Ok(file) = writer.finish(&mut put);
    file.cid
}

/// Undoes what [`write`] did to long byte strings. `block` gives a block, checked against its CID.
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
    read_file(cid, MAX_SPILLED_BYTES, block).map_err(SpillError)
}

/// Bytes of an event are not there, or are no file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a long answer of the trace can't be read")]
pub struct SpillError(#[source] ReadError);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipld::decode;
    use std::collections::BTreeMap;

    fn there_and_back(value: &Ipld) -> (Ipld, usize) {
        let mut blocks = BTreeMap::new();
        let mut written = Vec::new();
        let mut keep = |block: Block| {
            blocks.insert(*block.cid(), block);
        };
        write(value, &mut written, &mut keep).unwrap();
        let spilled = decode(&written).unwrap();
        let count = blocks.len();
        let back = unspill(spilled, &mut |cid| blocks.get(cid).cloned()).unwrap();
        (back, count)
    }

    #[test]
    fn only_long_bytes_leave() {
        let chunk = Layout::default().chunk_bytes();
        let sizes = [0, SPILL_BYTES, SPILL_BYTES + 1, chunk, chunk + 1];
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
        let missing = ReadError::Missing(*block.cid());
        assert_eq!(unspill(link, &mut |_| None), Err(SpillError(missing)));
    }
}
