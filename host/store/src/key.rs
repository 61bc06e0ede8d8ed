//! The name under which a block is kept.

use homestar_core::ipld::{Block, Cid, MAX_BLOCK_BYTES, SHA2_256};

use crate::StoreError;

/// Length of a multihash of sha2-256: code, length, digest.
pub(crate) const KEY_BYTES: usize = 34;

/// A multihash of sha2-256, as bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Key(pub(crate) [u8; KEY_BYTES]);

impl Key {
    /// The key of what a CID names. There is none for hashes that blocks don't have here.
    pub(crate) fn of(cid: &Cid) -> Option<Self> {
        if cid.hash().code() != SHA2_256 {
            return None;
        }
        let digest: [u8; KEY_BYTES - 2] = cid.hash().digest().try_into().ok()?;
        let mut key = [0; KEY_BYTES];
        key[..2].copy_from_slice(&PREFIX);
        key[2..].copy_from_slice(&digest);
        Some(Self(key))
    }

    /// The key under which a block is to be kept. There is none if its CID holds it already.
    pub(crate) fn for_keeping(block: &Block) -> Result<Option<Self>, StoreError> {
        let bytes = block.bytes().len();
        if bytes > MAX_BLOCK_BYTES {
            let (cid, bytes) = (*block.cid(), bytes as u64);
            return Err(StoreError::TooLarge { cid, bytes });
        }
        Ok(Self::of(block.cid()))
    }

    /// The CID of what is kept under the key, read by a codec. There is none if the key isn't one.
    pub(crate) fn cid(&self, codec: u64) -> Option<Cid> {
        if self.0[..2] != PREFIX {
            return None;
        }
        let hash = multihash::Multihash::wrap(SHA2_256, &self.0[2..]).ok()?;
        Some(Cid::new_v1(codec, hash))
    }
}

/// What every multihash of sha2-256 begins with.
const PREFIX: [u8; 2] = [0x12, 0x20];

#[cfg(test)]
mod tests {
    use super::*;
    use homestar_core::ipld::{RAW, cid_of_raw};

    #[test]
    fn a_key_is_the_multihash() {
        let cid = cid_of_raw(b"x");
        let key = Key::of(&cid).unwrap();
        assert_eq!(&key.0[..], cid.hash().to_bytes());
        assert_eq!(key.cid(RAW), Some(cid));
        assert_eq!(Key([0; KEY_BYTES]).cid(RAW), None);
    }
}
