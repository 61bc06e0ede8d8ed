//! Keys that sign. Where a key is kept, and where its seed comes from, is for others to decide.

use crate::ucan::did::Did;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};
use ed25519_dalek::{SIGNATURE_LENGTH, Signer};
use std::fmt;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

/// An Ed25519 key that signs.
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
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// The key of a seed of 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// Reads a key from PKCS#8 PEM, as `openssl genpkey -algorithm ed25519` writes it.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let key = ed25519_dalek::SigningKey::from_pkcs8_pem(pem).map_err(|_| KeyError)?;
        Ok(Self(key))
    }

    /// Writes the key as PKCS#8 PEM. The text is the secret; it is wiped when dropped.
    ///
    /// The public key is left out: older OpenSSL versions don't read a file that has it.
    pub fn to_pem(&self) -> Zeroizing<String> {
        let mut pair = KeypairBytes {
            secret_key: self.0.to_bytes(),
            public_key: None,
        };
        let pem = pair
            .to_pkcs8_pem(LineEnding::LF)
            .expect("32 bytes have a PKCS#8 form");
        pair.secret_key.zeroize();
        pem
    }

    /// The seed that the key came from, for keys that follow from it. It is wiped when dropped.
    pub(crate) fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// Who signs with this key.
    pub fn did(&self) -> Did {
        Did::of(self.0.verifying_key())
    }

    /// Signs a message. The same message always gets the same signature.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LENGTH] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.did())
    }
}

/// A text that holds no Ed25519 key in PKCS#8 PEM. It says no more, since the text may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not an Ed25519 key in PKCS#8 PEM")]
pub struct KeyError;

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of the seed 0, 1, 2, … 31, as `openssl pkey` reads and writes it.
    const OPENSSL: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n\
        -----END PRIVATE KEY-----\n";

    #[test]
    fn pem_is_what_openssl_writes() {
        let key = SigningKey::from_seed(&std::array::from_fn(|at| at as u8));
        assert_eq!(key.to_pem().as_str(), OPENSSL);
        assert_eq!(
            SigningKey::from_pem(OPENSSL).map(|read| read.did()),
            Ok(key.did())
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = SigningKey::from_seed(&[0xab; 32]);
        let shown = format!("{key:?}");
        assert_eq!(shown, format!("SigningKey({})", key.did()));
        assert!(!shown.contains("abab") && !shown.contains("171, 171"));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for pem in ["", "x", &OPENSSL.replace("MC4C", "MC5C"), &OPENSSL[..60]] {
            assert!(SigningKey::from_pem(pem).is_err(), "{pem}");
        }
    }
}
