//! One key: its secret bytes and its public ones.

use std::fmt;

use ring::hkdf;
use ring::rand::SecureRandom;
use zeroize::Zeroizing;

use super::types::{Algorithm, Error, Hash};
use super::{agree, curve};

/// The longest secret for HMAC and HKDF. More than a hash's block adds nothing.
const SECRET_BYTES_MAX: usize = 1024;

/// How often a random number is drawn until it is a scalar. Nearly always the first is; 64 that aren't come from no
/// random source.
const DRAWS_MAX: usize = 64;

/// A key that can be used: of the right size, and a scalar where it must be one.
///
/// The secret is wiped from memory when the key is dropped and never shown.
pub struct Key {
    algorithm: Algorithm,
    private: Zeroizing<Vec<u8>>,
    /// What goes with the private key, if anything does.
    public: Option<Vec<u8>>,
}

impl Key {
    /// Takes over a private or secret key, in the form that [`Algorithm`] says.
    pub fn new(algorithm: Algorithm, private: Zeroizing<Vec<u8>>) -> Result<Self, Error> {
        check_size(algorithm, private.len())?;
        let public = match algorithm {
            Algorithm::Ed25519 => Some(curve::ed25519_public(&private)?),
            Algorithm::P256 => Some(curve::p256_public(&private)?),
            Algorithm::Secp256k1 => Some(curve::secp256k1_public(&private)?),
            Algorithm::X25519 => Some(agree::public(&private)?),
            Algorithm::Aes128Gcm
            | Algorithm::Aes256Gcm
            | Algorithm::Chacha20Poly1305
            | Algorithm::Secret => None,
        };
        Ok(Self {
            algorithm,
            private,
            public,
        })
    }

    /// Makes a key.
    pub fn generate(algorithm: Algorithm, random: &dyn SecureRandom) -> Result<Self, Error> {
        for _ in 0..DRAWS_MAX {
            let mut private = Zeroizing::new(vec![0; algorithm.private_bytes()]);
            random.fill(&mut private).map_err(|_| no_random())?;
            match Self::new(algorithm, private) {
                Err(Error::InvalidKey) => {}
                made => return made,
            }
        }
        Err(no_random())
    }

    /// Derives a key from this secret by HKDF (RFC 5869).
    ///
    /// A scalar that is zero or too large is an invalid key; for P-256 that happens once in 2^32 times, and another
    /// `info` gives another key.
    pub fn derive(
        &self,
        hash: Hash,
        salt: &[u8],
        info: &[u8],
        algorithm: Algorithm,
    ) -> Result<Self, Error> {
        let secret = self.private_of(&[Algorithm::Secret])?;
        let hash = match hash {
            Hash::Sha256 => hkdf::HKDF_SHA256,
            Hash::Sha384 => hkdf::HKDF_SHA384,
            Hash::Sha512 => hkdf::HKDF_SHA512,
        };
        let mut private = Zeroizing::new(vec![0; algorithm.private_bytes()]);
        hkdf::Salt::new(hash, salt)
            .extract(secret)
            .expand(&[info], Length(private.len()))
            .and_then(|key| key.fill(&mut private))
            .map_err(|_| Error::Failed("HKDF gives no key of this length".into()))?;
        Self::new(algorithm, private)
    }

    /// What it is for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its public key: 32 bytes of Ed25519 or X25519, 33 of a compressed point on P-256 or secp256k1.
    pub fn public(&self) -> Result<&[u8], Error> {
        self.public
            .as_deref()
            .ok_or(Error::WrongAlgorithm(self.algorithm))
    }

    /// The secret bytes.
    pub(super) fn private(&self) -> &[u8] {
        &self.private
    }

    /// The secret bytes, if the key is for one of `algorithms`.
    pub(super) fn private_of(&self, algorithms: &[Algorithm]) -> Result<&[u8], Error> {
        if algorithms.contains(&self.algorithm) {
            Ok(&self.private)
        } else {
            Err(Error::WrongAlgorithm(self.algorithm))
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Key {
    /// Takes as long for keys that differ as for equal ones.
    fn eq(&self, other: &Self) -> bool {
        let differing = |(one, two): (&u8, &u8)| one ^ two;
        self.algorithm == other.algorithm
            && self.private.len() == other.private.len()
            && self
                .private
                .iter()
                .zip(&*other.private)
                .map(differing)
                .fold(0, |all, bits| all | bits)
                == 0
    }
}

impl Eq for Key {}

fn check_size(algorithm: Algorithm, bytes: usize) -> Result<(), Error> {
    let right = algorithm.private_bytes();
    match algorithm {
        Algorithm::Secret if (1..=SECRET_BYTES_MAX).contains(&bytes) => Ok(()),
        Algorithm::Secret => Err(Error::size(
            "a secret",
            bytes,
            format!("1 to {SECRET_BYTES_MAX}"),
        )),
        _ if bytes == right => Ok(()),
        _ => Err(Error::size(
            format!("a private key of {algorithm}"),
            bytes,
            right,
        )),
    }
}

pub(super) fn no_random() -> Error {
    Error::Failed("the operating system gave no random number".into())
}

/// How many bytes HKDF shall give.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}
