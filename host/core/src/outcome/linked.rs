//! Values that are too large for a receipt.

use crate::ipld::{
    Block, Cid, DAG_CBOR, DecodeError, EncodeError, Ipld, MAX_BLOCK_BYTES, decode_within, encode,
};
use crate::unixfs::{ReadError, blocks_of_file, read_file};
use std::collections::BTreeMap;
use thiserror::Error;

/// The field of a block that stands for a value which is encoded in a file.
const IN_A_FILE: &str = "dag-cbor";

/// Returns what stands for a value, and its blocks, the one that it names last. None is larger than blocks are.
pub(super) fn link(value: &Ipld) -> Result<(Cid, Vec<Block>), EncodeError> {
    if let Ipld::Bytes(bytes) = value {
        let (file, blocks) = blocks_of_file(bytes);
        return Ok((file.cid, blocks));
    }
    let encoded = encode(value)?;
    let (root, mut blocks) = match encoded.len() <= MAX_BLOCK_BYTES {
        true => (Block::new(DAG_CBOR, encoded), Vec::new()),
        false => {
            let (file, blocks) = blocks_of_file(&encoded);
            let field = (IN_A_FILE.to_owned(), Ipld::Link(file.cid));
            let root = Block::of_dag_cbor(&Ipld::Map(BTreeMap::from([field])))?;
            (root, blocks)
        }
    };
    let cid = *root.cid();
    blocks.push(root);
    Ok((cid, blocks))
}

/// Reads the value that a link stands for in an outcome, if it has at most so many bytes. `block` gives blocks, checked
/// against their CIDs.
///
/// - A link to DAG-CBOR stands for the value in that block.
/// - A link to a file, raw or dag-pb, stands for its bytes.
/// - If the block is `{"dag-cbor": &file}` and nothing else, the value is what the bytes of that file encode: one block
///   was not enough for it. No other value looks like this here, since such a small one isn't linked.
pub fn read_linked(
    cid: &Cid,
    bytes_max: u64,
    mut block: impl FnMut(&Cid) -> Option<Block>,
) -> Result<Ipld, LinkedError> {
    if cid.codec() != DAG_CBOR {
        return Ok(Ipld::Bytes(read_file(cid, bytes_max, block)?));
    }
    let found = block(cid).ok_or(ReadError::Missing(*cid))?;
    let value = found.decode::<Ipld>()?;
    match in_a_file(&value) {
        None => Ok(value),
        Some(file) => {
            let bytes = read_file(&file, bytes_max, block)?;
            Ok(decode_within(&bytes, bytes.len())?)
        }
    }
}

/// The file that encodes a value, if this is what stands for it.
pub(crate) fn in_a_file(value: &Ipld) -> Option<Cid> {
    match value {
        Ipld::Map(fields) if fields.len() == 1 => match fields.get(IN_A_FILE) {
            Some(Ipld::Link(cid)) => Some(*cid),
            _ => None,
        },
        _ => None,
    }
}

/// Why a link stands for no value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LinkedError {
    /// A block isn't there, or doesn't belong to a file.
    #[error(transparent)]
    File(#[from] ReadError),
    /// A value isn't DAG-CBOR.
    #[error("the value can't be read")]
    Decode(#[from] DecodeError),
}
