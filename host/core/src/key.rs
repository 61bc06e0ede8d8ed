//! Keys that sign. Where a key is kept, and where its secret comes from, is for others to decide.

mod locked;

use crate::ucan::did::Did;
use crate::ucan::varsig::Algorithm;
use ed25519_dalek::pkcs8::KeypairBytes;
use p256::ecdsa::signature::Signer as _;
use pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use std::fmt;
use std::sync::Arc;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

pub use self::locked::{LockedKey, SALT_BYTES, UnlockError};

/// The length of every signature.
pub const SIGNATURE_BYTES: usize = 64;

/// A key that signs: Ed25519, P-256 or secp256k1.
///
/// The secret is wiped from memory when the key is dropped and never shown: `Debug` prints the DID.
///
/// ```
/// use homestar_core::key::SigningKey;
///
/// let key = SigningKey::from_seed(&[7; 32]);
/// let same = SigningKey::from_pem(&key.to_pem())?;
/// assert_eq!(key.did(), same.did());
/// # Ok::<(), homestar_core::key::KeyError>(())
/// ```
#[derive(Clone)]
pub struct SigningKey {
    secret: Secret,
    signer: Arc<Signer>,
}

/// Who signs.
struct Signer {
    did: Did,
    /// As it is written: base58 takes a fifth of a signature, and each token says it.
    written: String,
}

#[derive(Clone)]
enum Secret {
    Ed25519(ed25519_dalek::SigningKey),
    P256(p256::ecdsa::SigningKey),
    Secp256k1(k256::ecdsa::SigningKey),
}

impl SigningKey {
    fn new(secret: Secret) -> Self {
        let did = match &secret {
            Secret::Ed25519(key) => Did::of_ed25519(key.verifying_key()),
            Secret::P256(key) => Did::of_p256(*key.verifying_key()),
            Secret::Secp256k1(key) => Did::of_secp256k1(*key.verifying_key()),
        };
        let written = did.to_string();
        let signer = Arc::new(Signer { did, written });
        Self { secret, signer }
    }

    /// The Ed25519 key of a seed of 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = ed25519_dalek::SigningKey::from_bytes(seed);
        Self::new(Secret::Ed25519(key))
    }

    /// The key of 32 random bytes.
    ///
    /// None for the few bytes that are no key of the curve: of random ones at most one in 2³². Draw again.
    pub fn from_secret(algorithm: Algorithm, secret: &[u8; 32]) -> Option<Self> {
        let key = match algorithm {
            Algorithm::Ed25519 => return Some(Self::from_seed(secret)),
            Algorithm::P256 => Secret::P256(p256::ecdsa::SigningKey::from_slice(secret).ok()?),
            Algorithm::Secp256k1 => {
                Secret::Secp256k1(k256::ecdsa::SigningKey::from_slice(secret).ok()?)
            }
        };
        Some(Self::new(key))
    }

    /// Reads a key of any of the three types from PKCS#8 PEM, as `openssl genpkey` writes it.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        if let Ok(key) = ed25519_dalek::SigningKey::from_pkcs8_pem(pem) {
            return Ok(Self::new(Secret::Ed25519(key)));
        }
        if let Ok(key) = p256::ecdsa::SigningKey::from_pkcs8_pem(pem) {
            return Ok(Self::new(Secret::P256(key)));
        }
        let key = k256::ecdsa::SigningKey::from_pkcs8_pem(pem).map_err(|_| KeyError)?;
        Ok(Self::new(Secret::Secp256k1(key)))
    }

    /// Writes the key as PKCS#8 PEM. The text is the secret; it is wiped when dropped.
    ///
    /// For Ed25519 the public key is left out: older OpenSSL versions don't read a file that has it.
    pub fn to_pem(&self) -> Zeroizing<String> {
        match &self.secret {
            Secret::Ed25519(key) => {
                let mut pair = KeypairBytes {
                    secret_key: key.to_bytes(),
                    public_key: None,
                };
                let pem = pair
                    .to_pkcs8_pem(LineEnding::LF)
                    .expect("32 bytes have a PKCS#8 form");
                pair.secret_key.zeroize();
                pem
            }
            Secret::P256(key) => key
                .to_pkcs8_pem(LineEnding::LF)
                .expect("a scalar has a PKCS#8 form"),
            Secret::Secp256k1(key) => key
                .to_pkcs8_pem(LineEnding::LF)
                .expect("a scalar has a PKCS#8 form"),
        }
    }

    /// Locks the key under a passphrase, so that it can be kept where others may look. Salt and vector are random and
    /// never used again.
    pub fn lock(
        &self,
        passphrase: &[u8],
        salt: &[u8; SALT_BYTES],
        vector: &[u8; SALT_BYTES],
    ) -> LockedKey {
        LockedKey::new(self, passphrase, salt, vector)
    }

    /// The 32 bytes that the key came from, for keys that follow from it. They are wiped when dropped.
    pub fn secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(match &self.secret {
            Secret::Ed25519(key) => key.to_bytes(),
            Secret::P256(key) => key.to_bytes().into(),
            Secret::Secp256k1(key) => key.to_bytes().into(),
        })
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        match &self.secret {
            Secret::Ed25519(_) => Algorithm::Ed25519,
            Secret::P256(_) => Algorithm::P256,
            Secret::Secp256k1(_) => Algorithm::Secp256k1,
        }
    }

    /// Who signs with this key.
    pub fn did(&self) -> Did {
        self.signer.did
    }

    /// The same, as it is written.
    pub(crate) fn issuer(&self) -> &str {
        &self.signer.written
    }

    /// Signs a message. The same message always gets the same signature.
    ///
    /// Of the two signatures that ECDSA has for each, it is the one with the smaller `s`.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        match &self.secret {
            Secret::Ed25519(key) => key.sign(message).to_bytes(),
            Secret::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.normalize_s().to_bytes().into()
            }
            Secret::Secp256k1(key) => {
                let signature: k256::ecdsa::Signature = key.sign(message);
                signature.normalize_s().to_bytes().into()
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.issuer())
    }
}

/// What the file of a private key holds.
#[derive(Clone, Debug)]
pub enum KeyFile {
    /// The key.
    Plain(SigningKey),
    /// The key, under a passphrase.
    Locked(LockedKey),
}

impl KeyFile {
    /// Reads a private key in PEM: PKCS#8, encrypted or not, or the older form that `openssl ecparam` writes.
    ///
    /// ```
    /// use homestar_core::key::{KeyFile, SigningKey};
    ///
    /// let key = SigningKey::from_seed(&[7; 32]);
    /// let locked = key.lock(b"open sesame", &[1; 16], &[2; 16]);
    /// let KeyFile::Locked(read) = KeyFile::parse(&locked.to_pem())? else {
    ///     panic!("it is locked");
    /// };
    /// assert_eq!(read.did(), Some(&key.did()));
    /// assert_eq!(read.unlock(b"open sesame")?.did(), key.did());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if let Some(locked) = LockedKey::parse(text) {
            return locked.map(Self::Locked);
        }
        if let Some(block) = block(text, "EC PRIVATE KEY") {
            if let Ok(key) = p256::SecretKey::from_sec1_pem(block) {
                return Ok(Self::Plain(SigningKey::new(Secret::P256(key.into()))));
            }
            let key = k256::SecretKey::from_sec1_pem(block).map_err(|_| KeyError)?;
            return Ok(Self::Plain(SigningKey::new(Secret::Secp256k1(key.into()))));
        }
        SigningKey::from_pem(text).map(Self::Plain)
    }

    /// Who signs with it, as far as that can be told without its passphrase.
    pub fn did(&self) -> Option<Did> {
        match self {
            Self::Plain(key) => Some(key.did()),
            Self::Locked(key) => key.did().copied(),
        }
    }

    /// The text of the file. It is wiped when dropped.
    pub fn to_pem(&self) -> Zeroizing<String> {
        match self {
            Self::Plain(key) => key.to_pem(),
            Self::Locked(key) => Zeroizing::new(key.to_pem()),
        }
    }
}

/// The first block of a text in PEM that has this label.
fn block<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    let from = text.find(&format!("-----BEGIN {label}-----"))?;
    let end = format!("-----END {label}-----");
    let to = from + text[from..].find(&end)? + end.len();
    // The line break is part of it.
    let line = text[to..].find('\n').map_or(text.len(), |at| to + at + 1);
    Some(&text[from..line])
}

/// A text that holds no key in PEM. It says no more, since the text may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not an Ed25519, P-256 or secp256k1 key in PKCS#8 PEM")]
pub struct KeyError;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The key of the seed 0, 1, 2, … 31, as `openssl pkey` reads and writes it.
    const OPENSSL: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n\
        -----END PRIVATE KEY-----\n";

    fn counting() -> [u8; 32] {
        std::array::from_fn(|at| at as u8)
    }

    #[test]
    fn pem_is_what_openssl_writes() {
        let key = SigningKey::from_seed(&counting());
        assert_eq!(key.to_pem().as_str(), OPENSSL);
        assert_eq!(
            SigningKey::from_pem(OPENSSL).map(|read| read.did()),
            Ok(key.did())
        );
    }

    #[test]
    fn pem_of_the_other_curves_is_what_openssl_writes() {
        for (algorithm, private, public) in [
            (
                Algorithm::P256,
                "-----BEGIN PRIVATE KEY-----\n\
            MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgv0Q6zrF0O8+5JmY+\n\
            rrvbq57bKyqO4b0BW0Pf8r4JPfWhRANCAAQVP1qmDUT8cn/rMdlTje8F+yAE/mHl\n\
            CkB7tZT86L8VaoyFrQgvD29t6Qs/zGTAjLmmPt73AqqYYUMMK814wPOd\n\
            -----END PRIVATE KEY-----\n",
                "-----BEGIN PUBLIC KEY-----\n\
            MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEFT9apg1E/HJ/6zHZU43vBfsgBP5h\n\
            5QpAe7WU/Oi/FWqMha0ILw9vbekLP8xkwIy5pj7e9wKqmGFDDCvNeMDznQ==\n\
            -----END PUBLIC KEY-----\n",
            ),
            (
                Algorithm::Secp256k1,
                "-----BEGIN PRIVATE KEY-----\n\
            MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQggjBupO2nFgFRT+/732VM\n\
            smc6pmES2suLsbVCORCxuVyhRANCAARnug8jgXIRI+l9WlA9iwGrU9vEy/o0Lx4K\n\
            b6OEgPCCvvu8R3YYMlPZ69klyvKlkne+DCvD4dyY3T+Wxem7Dmno\n\
            -----END PRIVATE KEY-----\n",
                "-----BEGIN PUBLIC KEY-----\n\
            MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEZ7oPI4FyESPpfVpQPYsBq1PbxMv6NC8e\n\
            Cm+jhIDwgr77vEd2GDJT2evZJcrypZJ3vgwrw+HcmN0/lsXpuw5p6A==\n\
            -----END PUBLIC KEY-----\n",
            ),
        ] {
            let key = SigningKey::from_pem(private).expect("a key");
            assert_eq!(key.algorithm(), algorithm);
            assert_eq!(key.to_pem().as_str(), private);
            assert_eq!(key.did().to_pem(), public);
            assert_eq!(Did::from_pem(public), Ok(key.did()));
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        for algorithm in Algorithm::ALL {
            let key = SigningKey::from_secret(algorithm, &[0xab; 32]).expect("a key");
            let shown = format!("{key:?}");
            assert_eq!(shown, format!("SigningKey({})", key.did()));
            assert!(!shown.contains("abab") && !shown.contains("171, 171"));
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for pem in ["", "x", &OPENSSL.replace("MC4C", "MC5C"), &OPENSSL[..60]] {
            assert!(SigningKey::from_pem(pem).is_err(), "{pem}");
        }
        for secret in [[0; 32], [0xff; 32]] {
            for algorithm in [Algorithm::P256, Algorithm::Secp256k1] {
                assert!(SigningKey::from_secret(algorithm, &secret).is_none());
            }
        }
    }

    proptest! {
        #[test]
        fn keys_of_each_type_come_back_from_pem(secret: [u8; 32], message: Vec<u8>) {
            for algorithm in Algorithm::ALL {
                let Some(key) = SigningKey::from_secret(algorithm, &secret) else { continue };
                let read = SigningKey::from_pem(&key.to_pem()).expect("its own PEM");
                prop_assert_eq!(read.did(), key.did());
                prop_assert_eq!(read.algorithm(), algorithm);
                prop_assert_eq!(read.sign(&message), key.sign(&message));
                prop_assert!(key.did().has_signed(&message, &key.sign(&message)));
            }
        }
    }
}
