//! Names of bytes: which codecs and which hash we use, and the one way to read a CID from text.

use ::cid::Cid;
use cid::multibase::{self, Base};
use multihash::Multihash;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The multicodec of DAG-CBOR, the codec of every structured block.
pub const DAG_CBOR: u64 = 0x71;
/// The multicodec of dag-pb, the codec of directories and of files that don't fit a block.
pub const DAG_PB: u64 = 0x70;
/// The multicodec of raw bytes, the codec of leaves and files.
pub const RAW: u64 = 0x55;
/// The multihash code of SHA2-256, the only hash we compute.
pub const SHA2_256: u64 = 0x12;
/// The multihash code of no hash at all: the bytes stand in the CID. Some write small blocks like that.
pub const IDENTITY: u64 = 0;

/// The longest text read as a CID. A 64-byte digest in base 2 is about 560 characters; no CID in use
/// comes near, and base58 takes quadratic time to read.
const MAX_TEXT_BYTES: usize = 600;

/// Why a text or some bytes are not a CID.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CidError {
    /// The text is longer than any CID.
    #[error("a CID has at most {MAX_TEXT_BYTES} characters")]
    TooLong,
    /// The text is not in a known multibase, or what it spells is not a CID.
    #[error("not a CID")]
    NotACid,
    /// A CID stands there, with more behind it or with numbers written longer than needed.
    #[error("not the shortest form of its CID")]
    NotCanonical,
}

/// The CID of a DAG-CBOR block with these bytes.
pub fn cid_of_dag_cbor(bytes: &[u8]) -> Cid {
    cid_of(DAG_CBOR, bytes)
}

/// The CID of a raw block with these bytes.
pub fn cid_of_raw(bytes: &[u8]) -> Cid {
    cid_of(RAW, bytes)
}

/// The CID of these bytes under a codec: version 1, SHA2-256.
pub fn cid_of(codec: u64, bytes: &[u8]) -> Cid {
    let digest = Sha256::digest(bytes);
    let hash = Multihash::wrap(SHA2_256, &digest).expect("a SHA2-256 digest fits a multihash");
    Cid::new_v1(codec, hash)
}

/// Reads a CID from its text, in any multibase (version 0 in base58, without a prefix).
///
/// `Cid::from_str` takes more: it skips everything up to `/ipfs/` and ignores bytes after the CID.
/// Here the text is the CID and nothing else.
pub fn parse_cid(text: &str) -> Result<Cid, CidError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(CidError::TooLong);
    }
    let bytes = if text.starts_with("Qm") && text.len() == 46 {
        Base::Base58Btc
            .decode(text)
            .map_err(|_| CidError::NotACid)?
    } else {
        multibase::decode(text).map_err(|_| CidError::NotACid)?.1
    };
    cid_from_bytes(&bytes)
}

/// Reads a CID that fills `bytes` exactly.
///
/// `Cid::try_from` stops at the end of the CID, so the same link could be written in many ways.
pub(crate) fn cid_from_bytes(bytes: &[u8]) -> Result<Cid, CidError> {
    // Nearly all are like this, and have one form.
    if let [1, codec @ 0..0x80, 0x12, 32, digest @ ..] = bytes
        && digest.len() == 32
    {
        let hash = Multihash::wrap(SHA2_256, digest).map_err(|_| CidError::NotACid)?;
        return Ok(Cid::new_v1(u64::from(*codec), hash));
    }
    let cid = Cid::try_from(bytes).map_err(|_| CidError::NotACid)?;
    if cid.to_bytes() == bytes {
        Ok(cid)
    } else {
        Err(CidError::NotCanonical)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_base32_and_reads_back() {
        let cid = cid_of_raw(b"hello");
        assert_eq!(
            cid.to_string(),
            "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq"
        );
        assert_eq!(parse_cid(&cid.to_string()), Ok(cid));
    }

    #[test]
    fn reads_other_bases_and_version_0() {
        let cid = cid_of_raw(b"hello");
        let base58 = cid.to_string_of_base(Base::Base58Btc).expect("base58");
        assert_eq!(parse_cid(&base58), Ok(cid));
        let v0 = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n";
        assert_eq!(parse_cid(v0).map(|cid| cid.to_string()), Ok(v0.into()));
    }

    #[test]
    fn the_short_way_reads_the_same() {
        for codec in [0, RAW, DAG_PB, DAG_CBOR, 0x7f, 0x80, 0x0129] {
            let bytes = cid_of(codec, b"hello").to_bytes();
            let read = cid_from_bytes(&bytes);
            assert_eq!(read, Ok(Cid::try_from(&bytes[..]).expect("a CID")));
            assert!(cid_from_bytes(&bytes[..bytes.len() - 1]).is_err());
            assert!(cid_from_bytes(&[&bytes[..], &[0]].concat()).is_err());
        }
    }

    #[test]
    fn refuses_what_is_not_only_a_cid() {
        let cid = cid_of_raw(b"hello");
        assert!(parse_cid(&format!("/ipfs/{cid}")).is_err());
        assert!(parse_cid(&format!("{cid} ")).is_err());
        assert!(parse_cid("").is_err());
        assert!(parse_cid(&"z".repeat(100_000)).is_err());
        let mut longer = cid.to_bytes();
        longer.push(0);
        let text = multibase::encode(Base::Base32Lower, longer);
        assert_eq!(parse_cid(&text), Err(CidError::NotCanonical));
    }
}
