//! Who: `did:key:z6Mk…`, a name that is its public key.

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePublicKey, EncodePublicKey};
use k256::ecdsa::VerifyingKey as Secp256k1;
use p256::ecdsa::VerifyingKey as P256;
use p256::ecdsa::signature::Verifier;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use thiserror::Error;

use super::varsig::Algorithm;

/// What every `did:key` in base58 begins with.
const PREFIX: &str = "did:key:z";
/// The longest text read as a DID: ours have at most 57 characters, of the largest keys in use a few
/// hundred, and base58 takes quadratic time to read.
const MAX_TEXT_BYTES: usize = 512;
/// Length of the longest key: a compressed point of P-256 or secp256k1.
const MAX_KEY_BYTES: usize = 33;

/// The multicodec of a public key, as a varint.
const fn multicodec(algorithm: Algorithm) -> [u8; 2] {
    match algorithm {
        Algorithm::Ed25519 => [0xed, 0x01],
        Algorithm::P256 => [0x80, 0x24],
        Algorithm::Secp256k1 => [0xe7, 0x01],
    }
}

/// A principal: who issues, is addressed or owns.
///
/// Holding one is proof that the key can be signed with: what is no point of its curve, keys of low order,
/// for which one signature fits every message, and keys written in a second way are refused when read.
#[derive(Clone, Copy)]
pub struct Did {
    key: Key,
    /// The key in its one form, and zeros behind.
    bytes: [u8; MAX_KEY_BYTES],
}

#[derive(Clone, Copy)]
enum Key {
    Ed25519(ed25519_dalek::VerifyingKey),
    P256(P256),
    Secp256k1(Secp256k1),
}

impl Did {
    pub(crate) fn of_ed25519(key: ed25519_dalek::VerifyingKey) -> Self {
        Self::new(Key::Ed25519(key), key.as_bytes())
    }

    pub(crate) fn of_p256(key: P256) -> Self {
        Self::new(Key::P256(key), key.to_sec1_point(true).as_bytes())
    }

    pub(crate) fn of_secp256k1(key: Secp256k1) -> Self {
        Self::new(Key::Secp256k1(key), key.to_sec1_point(true).as_bytes())
    }

    fn new(key: Key, form: &[u8]) -> Self {
        let mut bytes = [0; MAX_KEY_BYTES];
        bytes[..form.len()].copy_from_slice(form);
        Self { key, bytes }
    }

    /// The DID of an Ed25519 public key.
    pub fn from_ed25519(bytes: &[u8; 32]) -> Result<Self, DidError> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| DidError::NotAKey)?;
        if key.is_weak() {
            return Err(DidError::WeakKey);
        }
        if key.to_edwards().compress().to_bytes() != *bytes {
            return Err(DidError::NotCanonical);
        }
        Ok(Self::of_ed25519(key))
    }

    /// The DID of a public key's bytes: 32 of Ed25519, a compressed point of 33 of the others.
    pub fn from_key(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, DidError> {
        match algorithm {
            Algorithm::Ed25519 => {
                Self::from_ed25519(bytes.try_into().map_err(|_| DidError::NotAKey)?)
            }
            Algorithm::P256 => {
                let point = compressed(bytes)?;
                let key = P256::from_sec1_bytes(point).map_err(|_| DidError::NotAKey)?;
                Ok(Self::of_p256(key))
            }
            Algorithm::Secp256k1 => {
                let point = compressed(bytes)?;
                let key = Secp256k1::from_sec1_bytes(point).map_err(|_| DidError::NotAKey)?;
                Ok(Self::of_secp256k1(key))
            }
        }
    }

    /// Reads a public key in PEM, as `openssl pkey -pubout` writes it.
    pub fn from_pem(pem: &str) -> Result<Self, DidError> {
        if let Ok(key) = ed25519_dalek::VerifyingKey::from_public_key_pem(pem) {
            return Self::from_ed25519(key.as_bytes());
        }
        if let Ok(key) = P256::from_public_key_pem(pem) {
            return Ok(Self::of_p256(key));
        }
        let key = Secp256k1::from_public_key_pem(pem).map_err(|_| DidError::Pem)?;
        Ok(Self::of_secp256k1(key))
    }

    /// The public key in PEM.
    pub fn to_pem(&self) -> String {
        let pem = match &self.key {
            Key::Ed25519(key) => key.to_public_key_pem(LineEnding::LF),
            Key::P256(key) => key.to_public_key_pem(LineEnding::LF),
            Key::Secp256k1(key) => key.to_public_key_pem(LineEnding::LF),
        };
        pem.expect("a point has a PEM form")
    }

    /// The public key's bytes: 32 of Ed25519, a compressed point of 33 of the others.
    pub fn as_bytes(&self) -> &[u8] {
        match self.key {
            Key::Ed25519(_) => &self.bytes[..32],
            Key::P256(_) | Key::Secp256k1(_) => &self.bytes,
        }
    }

    /// The algorithm this principal signs with.
    pub fn algorithm(&self) -> Algorithm {
        match self.key {
            Key::Ed25519(_) => Algorithm::Ed25519,
            Key::P256(_) => Algorithm::P256,
            Key::Secp256k1(_) => Algorithm::Secp256k1,
        }
    }

    /// True if the principal signed exactly this message.
    ///
    /// Ed25519 and secp256k1 have one signature that counts. P-256 has two: half of those
    /// that browsers make are the one, half the other, so neither can be refused.
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            Key::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Key::P256(key) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Key::Secp256k1(key) => k256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
        }
    }
}

/// The other signature of P-256 that is as good as this one, if it is one.
pub(super) fn flipped(signature: &[u8]) -> Option<[u8; 64]> {
    let signature = p256::ecdsa::Signature::from_slice(signature).ok()?;
    let other = p256::ecdsa::Signature::from_scalars(signature.r(), -signature.s()).ok()?;
    Some(other.to_bytes().into())
}

/// A point that is not compressed, or compressed in the form that leaves the sign out, is a second name.
fn compressed(bytes: &[u8]) -> Result<&[u8], DidError> {
    match bytes {
        [2 | 3, ..] if bytes.len() == MAX_KEY_BYTES => Ok(bytes),
        _ => Err(DidError::NotCanonical),
    }
}

impl FromStr for Did {
    type Err = DidError;

    fn from_str(text: &str) -> Result<Self, DidError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(DidError::TooLong);
        }
        let base58 = text.strip_prefix(PREFIX).ok_or(DidError::Method)?;
        let bytes = bs58::decode(base58)
            .into_vec()
            .map_err(|_| DidError::NotBase58)?;
        let known = Algorithm::ALL
            .into_iter()
            .find_map(|algorithm| Some((algorithm, bytes.strip_prefix(&multicodec(algorithm))?)));
        let (algorithm, key) = known.ok_or(DidError::KeyType)?;
        // Base58 is one to one, so a key has one text.
        Self::from_key(algorithm, key)
    }
}

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&multicodec(self.algorithm())[..], self.as_bytes()].concat();
        write!(f, "{PREFIX}{}", bs58::encode(key).into_string())
    }
}

impl fmt::Debug for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Did({self})")
    }
}

impl PartialEq for Did {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes && self.algorithm() == other.algorithm()
    }
}

impl Eq for Did {}

impl PartialOrd for Did {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Did {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.algorithm(), self.bytes).cmp(&(other.algorithm(), other.bytes))
    }
}

impl Hash for Did {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.algorithm().hash(state);
        self.bytes.hash(state);
    }
}

/// Why a text is not a DID we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DidError {
    /// The text is longer than any DID.
    #[error("a DID has at most {MAX_TEXT_BYTES} characters")]
    TooLong,
    /// Another method than `did:key`, or another base than base58.
    #[error("a DID begins with `{PREFIX}`")]
    Method,
    /// A character that base58 doesn't have. A fragment or a path behind the key is refused by this too.
    #[error("a DID's key is not in base58")]
    NotBase58,
    /// A key of another type.
    #[error("a DID's key is not of Ed25519, P-256 or secp256k1")]
    KeyType,
    /// The bytes are not a point of the curve, or too few or too many.
    #[error("a DID's bytes are not a key")]
    NotAKey,
    /// A key of low order: one signature fits every message.
    #[error("a DID's key is weak")]
    WeakKey,
    /// A key written in another than its one form; points of P-256 and secp256k1 are compressed.
    #[error("a DID's key is not in its canonical form")]
    NotCanonical,
    /// A text that holds no public key in PEM.
    #[error("not a public key of Ed25519, P-256 or secp256k1 in PEM")]
    Pem,
}

#[cfg(test)]
mod tests;
