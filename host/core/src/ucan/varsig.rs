//! How: which algorithm signed, over which encoding.

use std::fmt;
use std::fmt::Write;
use thiserror::Error;

/// Varsig 1, EdDSA over Ed25519 with SHA2-512, DAG-CBOR.
const ED25519: [u8; 8] = [0x34, 0x01, 0xed, 0x01, 0xed, 0x01, 0x13, 0x71];
/// Varsig 1, ECDSA over P-256 with SHA2-256, DAG-CBOR.
const P256: [u8; 8] = [0x34, 0x01, 0xec, 0x01, 0x80, 0x24, 0x12, 0x71];
/// Varsig 1, ECDSA over secp256k1 with SHA2-256, DAG-CBOR.
const SECP256K1: [u8; 8] = [0x34, 0x01, 0xec, 0x01, 0xe7, 0x01, 0x12, 0x71];

/// An algorithm that signs UCANs. Signatures of all of them have 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// EdDSA over Ed25519.
    Ed25519,
    /// ECDSA over P-256 with SHA2-256, `ES256` elsewhere.
    P256,
    /// ECDSA over secp256k1 with SHA2-256, `ES256K` elsewhere.
    Secp256k1,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ed25519, Self::P256, Self::Secp256k1];

    /// The header that says: signed with this, over DAG-CBOR.
    pub const fn header(self) -> &'static [u8] {
        match self {
            Self::Ed25519 => &ED25519,
            Self::P256 => &P256,
            Self::Secp256k1 => &SECP256K1,
        }
    }

    /// Reads a header.
    pub fn from_header(header: &[u8]) -> Result<Self, UnknownHeader> {
        let known = Self::ALL.into_iter().find(|known| known.header() == header);
        known.ok_or_else(|| UnknownHeader::new(header))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ed25519 => "Ed25519",
            Self::P256 => "P-256",
            Self::Secp256k1 => "secp256k1",
        })
    }
}

/// A signature header of another algorithm, or over another encoding, than we check.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown signature header {hex}; known are Ed25519, P-256 and secp256k1 over DAG-CBOR")]
pub struct UnknownHeader {
    /// Its first bytes.
    hex: String,
}

impl UnknownHeader {
    fn new(header: &[u8]) -> Self {
        let mut hex = String::new();
        for byte in header.iter().take(16) {
            write!(hex, "{byte:02x}").expect("a String takes all");
        }
        Self { hex }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_own_headers() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_header(algorithm.header()), Ok(algorithm));
        }
    }

    #[test]
    fn other_headers_are_unknown() {
        for hex in [
            "",
            "3401ed01ed011371ff",
            "3401ed01ed01135f",     // DAG-PB instead of DAG-CBOR
            "3401ed01ed0113a902",   // DAG-JSON
            "3400ed01ed011371",     // varsig 0
            "3401ec0180241371",     // P-256 with another hash
            "3401ec0181242071",     // P-384
            "340185241280027171",   // RSA
            "3401ec01e7011b91c303", // Ethereum's prefix
        ] {
            let error = Algorithm::from_header(&crate::testing::unhex(hex)).expect_err(hex);
            let words = error.to_string();
            assert!(
                words.starts_with(&format!("unknown signature header {hex};")),
                "{words}"
            );
        }
    }
}
