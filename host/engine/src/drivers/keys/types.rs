//! The types of `homestar:crypto/types`, as guests see them and as a trace holds them.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use wasmtime::component::{ComponentType, Lift, Lower};

/// What a key is for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, ComponentType, Lift, Lower, Serialize, Deserialize,
)]
#[component(enum)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Algorithm {
    /// Signatures (RFC 8032).
    #[component(name = "ed25519")]
    Ed25519,
    /// ECDSA on P-256 with SHA-256 (FIPS 186-5).
    #[component(name = "p256")]
    P256,
    /// ECDSA on secp256k1 with SHA-256, s in the lower half.
    #[component(name = "secp256k1")]
    Secp256k1,
    /// Agreement (RFC 7748).
    #[component(name = "x25519")]
    X25519,
    /// Encryption: AES-128-GCM (NIST SP 800-38D).
    #[component(name = "aes128-gcm")]
    Aes128Gcm,
    /// Encryption: AES-256-GCM.
    #[component(name = "aes256-gcm")]
    Aes256Gcm,
    /// Encryption: ChaCha20-Poly1305 (RFC 8439).
    #[component(name = "chacha20-poly1305")]
    Chacha20Poly1305,
    /// A secret for HMAC and HKDF.
    #[component(name = "secret")]
    Secret,
}

impl Algorithm {
    /// All there are.
    pub const ALL: [Self; 8] = [
        Self::Ed25519,
        Self::P256,
        Self::Secp256k1,
        Self::X25519,
        Self::Aes128Gcm,
        Self::Aes256Gcm,
        Self::Chacha20Poly1305,
        Self::Secret,
    ];

    /// Its name in WIT, in traces and in the files of kept keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::P256 => "p256",
            Self::Secp256k1 => "secp256k1",
            Self::X25519 => "x25519",
            Self::Aes128Gcm => "aes128-gcm",
            Self::Aes256Gcm => "aes256-gcm",
            Self::Chacha20Poly1305 => "chacha20-poly1305",
            Self::Secret => "secret",
        }
    }

    /// Length of a private or secret key of it, where it makes one: secrets may have another.
    pub(crate) fn private_bytes(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            _ => 32,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Hash functions for HMAC and HKDF.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, ComponentType, Lift, Lower, Serialize, Deserialize,
)]
#[component(enum)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Hash {
    /// SHA-256 (FIPS 180-4).
    #[component(name = "sha256")]
    Sha256,
    /// SHA-384.
    #[component(name = "sha384")]
    Sha384,
    /// SHA-512.
    #[component(name = "sha512")]
    Sha512,
}

/// Why not.
#[derive(
    Clone, Debug, PartialEq, Eq, Error, ComponentType, Lift, Lower, Serialize, Deserialize,
)]
#[component(variant)]
#[serde(rename_all = "kebab-case")]
pub enum Error {
    /// Not granted.
    #[component(name = "denied")]
    #[error("{0}")]
    Denied(String),
    /// The task's budget is used up.
    #[component(name = "budget")]
    #[error("the budget is used up: {0}")]
    Budget(String),
    /// There is no key of that number or name.
    #[component(name = "no-key")]
    #[error("there is no such key")]
    NoKey,
    /// The key is for something else: this.
    #[component(name = "wrong-algorithm")]
    #[error("a key for {0} can't do this")]
    WrongAlgorithm(Algorithm),
    /// A key, nonce, signature or text has a size that can't be.
    #[component(name = "size")]
    #[error("{0}")]
    Size(String),
    /// A public key that isn't one, or a private one: a number that is zero or too large.
    #[component(name = "invalid-key")]
    #[error("not a key of this algorithm")]
    InvalidKey,
    /// The text was tampered with, or key, nonce or additional data are others.
    #[component(name = "tampered")]
    #[error("the text was tampered with, or key, nonce or additional data are others")]
    Tampered,
    /// A name is taken by another key.
    #[component(name = "taken")]
    #[error("the name is taken by another key")]
    Taken,
    /// The host failed to keep or find the key, or to draw a random number.
    #[component(name = "failed")]
    #[error("{0}")]
    Failed(String),
}

impl Error {
    /// Something has another size than it must.
    pub(crate) fn size(what: impl fmt::Display, bytes: usize, right: impl fmt::Display) -> Self {
        Self::Size(format!("{what} has {bytes} bytes, and must have {right}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_in_wit_and_in_traces() {
        let wit = include_str!("../../../../../wit/deps/homestar-crypto/crypto.wit");
        for algorithm in Algorithm::ALL {
            let name = algorithm.name();
            assert!(wit.contains(&format!("        {name},\n")), "{name}");
            assert_eq!(serde_json::to_value(algorithm).unwrap(), name);
        }
        for (error, traced) in [
            (Error::NoKey, r#""no-key""#),
            (
                Error::WrongAlgorithm(Algorithm::Chacha20Poly1305),
                r#"{"wrong-algorithm":"chacha20-poly1305"}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&error).unwrap(), traced);
        }
    }
}
