//! The `keys` driver: keys that never leave the host, and what is done with them.
//!
//! A component holds numbers, [`Keys`] the keys behind them, for one component in one task. Kept keys lie in a folder
//! ([`Kept`]) and are there for later tasks. Who may use which is decided before anything here is called. Functions
//! that need random numbers take them as an argument; all others give the same for the same.
//!
//! ```
//! use homestar_engine::drivers::keys::{Algorithm, Keys, verify};
//! use ring::rand::SystemRandom;
//!
//! let random = SystemRandom::new();
//! let mut keys = Keys::new(None);
//! let key = keys.generate(Algorithm::Ed25519, &random)?;
//! let signature = keys.sign(key, b"message", &random)?;
//! let public = keys.public_key(key)?;
//! assert!(verify(Algorithm::Ed25519, &public, b"message", &signature)?);
//! # Ok::<(), homestar_engine::drivers::keys::Error>(())
//! ```

mod aead;
mod agree;
mod curve;
mod hpke;
mod kept;
mod key;
mod types;

#[cfg(test)]
mod edges;
#[cfg(test)]
mod vectors;

use std::collections::BTreeMap;

use ring::hmac;
use ring::rand::SecureRandom;
use zeroize::Zeroizing;

pub use kept::{Kept, KeptError};
pub use key::Key;
pub use types::{Algorithm, Error, Hash};

/// How many keys a component may hold open. Each takes about 200 bytes, but a secret may take a thousand more.
pub const OPEN_MAX: usize = 1024;

/// The open keys of one component in one task.
///
/// A number is never given twice, so that one of a closed key opens no other.
#[derive(Debug, Default)]
pub struct Keys {
    kept: Option<Kept>,
    open: BTreeMap<u32, Key>,
    /// Under which names those are kept that were opened by name.
    names: BTreeMap<u32, String>,
    next: u32,
}

impl Keys {
    /// No open keys yet. Without `kept`, no key is found by name and none is kept.
    pub fn new(kept: Option<Kept>) -> Self {
        Self {
            kept,
            ..Self::default()
        }
    }

    /// Makes a key.
    pub fn generate(
        &mut self,
        algorithm: Algorithm,
        random: &dyn SecureRandom,
    ) -> Result<u32, Error> {
        self.insert(|_| Key::generate(algorithm, random))
    }

    /// Takes over a private or secret key.
    pub fn import(&mut self, algorithm: Algorithm, private: Vec<u8>) -> Result<u32, Error> {
        let private = Zeroizing::new(private);
        self.insert(|_| Key::new(algorithm, private))
    }

    /// Opens a key that was kept under a name.
    pub fn open(&mut self, name: &str) -> Result<u32, Error> {
        let key = self.insert(|keys| match &keys.kept {
            Some(kept) => kept.load(name)?.ok_or(Error::NoKey),
            None => Err(Error::NoKey),
        })?;
        self.names.insert(key, name.to_owned());
        Ok(key)
    }

    /// Keeps a key under a name, for later tasks.
    pub fn keep(&self, key: u32, name: &str) -> Result<(), Error> {
        let key = self.get(key)?;
        match &self.kept {
            Some(kept) => Ok(kept.keep(name, key)?),
            None => Err(Error::Failed("this host has no folder for keys".into())),
        }
    }

    /// Forgets a number. A kept key stays.
    pub fn close(&mut self, key: u32) {
        self.open.remove(&key);
        self.names.remove(&key);
    }

    /// Returns the name by which a key was opened, if it was.
    pub fn name_of(&self, key: u32) -> Option<&str> {
        self.names.get(&key).map(String::as_str)
    }

    /// Returns what a key is for.
    pub fn algorithm_of(&self, key: u32) -> Result<Algorithm, Error> {
        Ok(self.get(key)?.algorithm())
    }

    /// Returns the public key.
    pub fn public_key(&self, key: u32) -> Result<Vec<u8>, Error> {
        Ok(self.get(key)?.public()?.to_vec())
    }

    /// Signs.
    pub fn sign(
        &self,
        key: u32,
        message: &[u8],
        random: &dyn SecureRandom,
    ) -> Result<Vec<u8>, Error> {
        curve::sign(self.get(key)?, message, random)
    }

    /// Returns the HMAC (RFC 2104) of a text.
    pub fn hmac(&self, key: u32, hash: Hash, message: &[u8]) -> Result<Vec<u8>, Error> {
        let hash = match hash {
            Hash::Sha256 => hmac::HMAC_SHA256,
            Hash::Sha384 => hmac::HMAC_SHA384,
            Hash::Sha512 => hmac::HMAC_SHA512,
        };
        let secret = self.get(key)?.private_of(&[Algorithm::Secret])?;
        let tag = hmac::sign(&hmac::Key::new(hash, secret), message);
        Ok(tag.as_ref().to_vec())
    }

    /// Derives a key by HKDF (RFC 5869).
    pub fn derive(
        &mut self,
        key: u32,
        hash: Hash,
        salt: &[u8],
        info: &[u8],
        algorithm: Algorithm,
    ) -> Result<u32, Error> {
        self.insert(|keys| keys.get(key)?.derive(hash, salt, info, algorithm))
    }

    /// Agrees on a secret by X25519.
    pub fn agree(&mut self, key: u32, public_key: &[u8]) -> Result<u32, Error> {
        self.insert(|keys| {
            let private = keys.get(key)?.private_of(&[Algorithm::X25519])?;
            Key::new(Algorithm::Secret, agree::shared(private, public_key)?)
        })
    }

    /// Encrypts, and returns text and tag together.
    pub fn encrypt(
        &self,
        key: u32,
        nonce: &[u8],
        additional: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, Error> {
        aead::encrypt(self.get(key)?, nonce, additional, plaintext)
    }

    /// Decrypts what `encrypt` gave.
    pub fn decrypt(
        &self,
        key: u32,
        nonce: &[u8],
        additional: &[u8],
        ciphertext: &[u8],
    ) -> Result<Vec<u8>, Error> {
        aead::decrypt(self.get(key)?, nonce, additional, ciphertext)
    }

    /// Opens what [`seal_box`] gave.
    pub fn open_box(
        &self,
        key: u32,
        info: &[u8],
        additional: &[u8],
        sealed: &[u8],
    ) -> Result<Vec<u8>, Error> {
        hpke::open(self.get(key)?, info, additional, sealed)
    }

    fn get(&self, key: u32) -> Result<&Key, Error> {
        self.open.get(&key).ok_or(Error::NoKey)
    }

    /// Gives a number to the key that `make` makes, if there may be one more.
    fn insert(&mut self, make: impl FnOnce(&Self) -> Result<Key, Error>) -> Result<u32, Error> {
        let after = self.next.checked_add(1);
        let (Some(after), true) = (after, self.open.len() < OPEN_MAX) else {
            let words = format!("{OPEN_MAX} keys are open; close some");
            return Err(Error::Budget(words));
        };
        let key = make(self)?;
        let number = std::mem::replace(&mut self.next, after);
        self.open.insert(number, key);
        Ok(number)
    }
}

/// Tells whether a signature is that of a message under a public key.
pub fn verify(
    algorithm: Algorithm,
    public_key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<bool, Error> {
    curve::verify(algorithm, public_key, message, signature)
}

/// Seals a text to the owner of an X25519 key: encapsulated key and ciphertext.
pub fn seal_box(
    public_key: &[u8],
    info: &[u8],
    additional: &[u8],
    plaintext: &[u8],
    random: &dyn SecureRandom,
) -> Result<Vec<u8>, Error> {
    hpke::seal(public_key, info, additional, plaintext, random)
}
