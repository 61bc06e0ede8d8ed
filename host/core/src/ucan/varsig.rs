//! How: which algorithm signed, over which encoding.

use std::fmt::Write;
use thiserror::Error;

/// Varsig 1, EdDSA over Ed25519 with SHA2-512, DAG-CBOR.
const ED25519: [u8; 8] = [0x34, 0x01, 0xed, 0x01, 0xed, 0x01, 0x13, 0x71];

/// An algorithm that signs UCANs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// EdDSA over Ed25519.
    Ed25519,
}

impl Algorithm {
    /// The header that says: signed with this, over DAG-CBOR.
    pub const fn header(self) -> &'static [u8] {
        match self {
            Self::Ed25519 => &ED25519,
        }
    }

    /// Reads a header.
    pub fn from_header(header: &[u8]) -> Result<Self, UnknownHeader> {
        if header == ED25519 {
            Ok(Self::Ed25519)
        } else {
            Err(UnknownHeader::new(header))
        }
    }
}

/// A signature header of another algorithm, or over another encoding, than we check.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown signature header {hex}")]
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
    fn reads_its_own_header() {
        let header = Algorithm::Ed25519.header();
        assert_eq!(Algorithm::from_header(header), Ok(Algorithm::Ed25519));
    }

    #[test]
    fn other_headers_are_unknown() {
        for hex in [
            "",
            "3401ed01ed011371ff",
            "3401ed01ed01135f",   // DAG-PB instead of DAG-CBOR
            "3401ed01ed0113a902", // DAG-JSON
            "3400ed01ed011371",   // varsig 0
            "3401ec0180241271",   // ES256
            "3401ec01e7011271",   // ES256K
        ] {
            let error = Algorithm::from_header(&crate::testing::unhex(hex)).expect_err(hex);
            assert_eq!(error.to_string(), format!("unknown signature header {hex}"));
        }
    }
}
