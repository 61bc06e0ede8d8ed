//! Bytes with their CID.

use super::{
    Cid, DAG_CBOR, DecodeError, EncodeError, IDENTITY, RAW, SHA2_256, cid_of, decode, encode,
};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use thiserror::Error;

/// The most bytes a block from outside may have: 1 MiB.
///
/// kubo and Helia serve and fetch blocks up to about this size (Bitswap messages end at 2 MiB and 4 MiB),
/// so a larger one could not travel. It also bounds what one hash check and one decode may cost.
pub const MAX_BLOCK_BYTES: usize = 1 << 20;

/// Bytes whose hash is their name.
///
/// Holding one is proof of the hash: every constructor computes it or checks it. Clones share the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Block {
    cid: Cid,
    bytes: Bytes,
}

impl Block {
    /// Returns the block of these bytes under a codec. Nothing is asked of the bytes.
    pub fn new(codec: u64, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let cid = cid_of(codec, &bytes);
        Self { cid, bytes }
    }

    /// Returns the raw block of these bytes.
    ///
    /// Keep them within [`MAX_BLOCK_BYTES`]; more is a file ([`FileWriter`](crate::unixfs::FileWriter)).
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self::new(RAW, bytes)
    }

    /// Encodes a value and returns its block. What [`decode`] would refuse is refused here too.
    pub fn of_dag_cbor<T: Serialize + ?Sized>(value: &T) -> Result<Self, EncodeError> {
        let bytes = encode(value)?;
        if bytes.len() > MAX_BLOCK_BYTES {
            return Err(EncodeError::TooLarge { len: bytes.len() });
        }
        Ok(Self::new(DAG_CBOR, bytes))
    }

    /// Returns the block that a CID holds in itself, if it does. Nobody needs to be asked for it.
    pub fn inline(cid: &Cid) -> Option<Self> {
        let is_inline = cid.hash().code() == IDENTITY;
        is_inline.then(|| Self {
            cid: *cid,
            bytes: Bytes::copy_from_slice(cid.hash().digest()),
        })
    }

    /// Takes bytes from outside under the name they came with, if they have it.
    pub fn verify(cid: Cid, bytes: impl Into<Bytes>) -> Result<Self, BlockError> {
        let bytes = bytes.into();
        if bytes.len() > MAX_BLOCK_BYTES {
            let len = bytes.len();
            return Err(BlockError::TooLarge { cid, len });
        }
        let is_named = match cid.hash().code() {
            SHA2_256 => cid_of(cid.codec(), &bytes).hash() == cid.hash(),
            IDENTITY => bytes == cid.hash().digest(),
            code => return Err(BlockError::UnknownHash { cid, code }),
        };
        match is_named {
            true => Ok(Self { cid, bytes }),
            false => Err(BlockError::WrongHash { cid }),
        }
    }

    /// The name of the bytes.
    pub fn cid(&self) -> &Cid {
        &self.cid
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The name and the bytes, apart.
    pub fn into_parts(self) -> (Cid, Bytes) {
        (self.cid, self.bytes)
    }

    /// Reads the value of a DAG-CBOR block.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        if self.cid.codec() != DAG_CBOR {
            let codec = self.cid.codec();
            return Err(DecodeError::Codec { codec });
        }
        decode(&self.bytes)
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Block({}, {} bytes)", self.cid, self.bytes.len())
    }
}

/// Why bytes are not the block they came as.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BlockError {
    /// More bytes than a block may have. Large files travel in pieces.
    #[error("block {cid} has {len} bytes, more than {MAX_BLOCK_BYTES}")]
    TooLarge {
        /// The name that was asked for.
        cid: Cid,
        /// How many bytes came.
        len: usize,
    },
    /// The CID uses a hash that we don't compute.
    #[error("block {cid} is named by hash 0x{code:x}, not by sha2-256")]
    UnknownHash {
        /// The name that was asked for.
        cid: Cid,
        /// Its multihash code.
        code: u64,
    },
    /// The bytes are others than the name says.
    #[error("bytes do not hash to {cid}")]
    WrongHash {
        /// The name that was asked for.
        cid: Cid,
    },
}

#[cfg(test)]
mod tests {
    use super::super::Ipld;
    use super::*;

    #[test]
    fn verify_takes_only_the_named_bytes() {
        let block = Block::raw(b"hello".to_vec());
        let cid = *block.cid();
        assert_eq!(Block::verify(cid, b"hello".to_vec()), Ok(block));
        assert_eq!(
            Block::verify(cid, b"hellp".to_vec()),
            Err(BlockError::WrongHash { cid })
        );
    }

    #[test]
    fn verify_refuses_large_blocks_and_other_hashes() {
        let large = Block::raw(vec![0; MAX_BLOCK_BYTES + 1]);
        let (cid, bytes) = large.into_parts();
        let len = MAX_BLOCK_BYTES + 1;
        assert_eq!(
            Block::verify(cid, bytes),
            Err(BlockError::TooLarge { cid, len })
        );

        let sha3 = multihash::Multihash::wrap(0x16, &[7; 32]).expect("short");
        let cid = Cid::new_v1(RAW, sha3);
        let refused = Block::verify(cid, b"hi".to_vec());
        assert_eq!(refused, Err(BlockError::UnknownHash { cid, code: 0x16 }));
    }

    #[test]
    fn a_cid_may_hold_its_block() {
        let identity = multihash::Multihash::wrap(IDENTITY, b"hi").expect("short");
        let cid = Cid::new_v1(RAW, identity);
        let block = Block::inline(&cid).expect("held");
        assert_eq!(block.bytes(), b"hi");
        assert_eq!(Block::verify(cid, b"hi".to_vec()), Ok(block));
        let others = Block::verify(cid, b"ho".to_vec());
        assert_eq!(others, Err(BlockError::WrongHash { cid }));
        assert_eq!(Block::inline(&super::super::cid_of_raw(b"hi")), None);
    }

    #[test]
    fn a_raw_block_is_not_decoded() {
        let block = Block::raw(vec![0xf6]);
        assert_eq!(
            block.decode::<Ipld>(),
            Err(DecodeError::Codec { codec: RAW })
        );
    }
}
