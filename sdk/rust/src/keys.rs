//! Keys and what is done with them, by `homestar:crypto`. The bytes of a private or secret one are the host's.
//!
//! They need `homestar run --allow crypto` for keys that live as long as the task, and `--allow crypto=NAME` for a kept one.

use crate::effect::{cases, error, functions};

cases! {
    /// What a key is for.
    Algorithm {
        Ed25519,
        P256,
        Secp256k1,
        X25519,
        Aes128Gcm,
        Aes256Gcm,
        Chacha20Poly1305,
        /// For HMAC and HKDF.
        Secret,
    }
}

cases! {
    /// Hash functions for HMAC and HKDF.
    Hash {
        Sha256,
        Sha384,
        Sha512,
    }
}

error! {
    /// Why not.
    {
        /// Not granted; the text says what would allow it.
        Denied(text: String) => "{text}",
        /// The task's budget is used up.
        Budget(text: String) => "{text}",
        /// There is no key of that name.
        NoKey => "there is no such key",
        /// The key is for something else, which is given.
        WrongAlgorithm(algorithm: Algorithm) => "the key is for {algorithm:?}",
        /// A key, nonce, signature or text has a size that can't be.
        Size(text: String) => "{text}",
        /// A public key that isn't one.
        InvalidKey => "this is no public key",
        /// The text was tampered with, or key, nonce or additional data are others.
        Tampered => "the text was tampered with, or is of another key",
        /// A name is taken by another key.
        Taken => "the name is another key's",
        /// The host failed to keep or find the key.
        Failed(text: String) => "{text}",
    }
}

functions! {
    "keys", self::bound {
        /// Makes a key.
        fn generate(algorithm: Algorithm) -> Result<Key, Error>;
        /// Takes over a private or secret key.
        fn take(algorithm: Algorithm, private: &[u8]) -> Result<Key, Error>;
        /// Opens the key that was kept under a name.
        fn open(name: &str) -> Result<Key, Error>;
        /// Tells whether a signature is that of a message under a public key.
        fn verify(algorithm: Algorithm, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<bool, Error>;
        /// Seals a text so that only the owner of an X25519 key opens it (HPKE).
        fn seal(public_key: &[u8], info: &[u8], additional: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Error>;
    }
}

#[cfg(target_family = "wasm")]
mod bound {
    use super::{Algorithm, Error, Key};
    use crate::bindings::homestar::crypto::keys;

    pub(super) use keys::{seal, verify};

    pub(super) fn generate(algorithm: Algorithm) -> Result<Key, Error> {
        keys::Key::generate(algorithm).map(Key)
    }

    pub(super) fn take(algorithm: Algorithm, private: &[u8]) -> Result<Key, Error> {
        keys::Key::import(algorithm, private).map(Key)
    }

    pub(super) fn open(name: &str) -> Result<Key, Error> {
        keys::Key::open(name).map(Key)
    }
}

/// A key.
#[cfg(target_family = "wasm")]
pub struct Key(crate::bindings::homestar::crypto::keys::Key);

/// A key.
#[cfg(not(target_family = "wasm"))]
pub struct Key(Box<dyn HostKey>);

#[cfg(not(target_family = "wasm"))]
impl Key {
    /// A key that does what `key` does, for tests.
    pub fn standing_in(key: impl HostKey + 'static) -> Self {
        Self(Box::new(key))
    }
}

/// Declares what keys do, and what does it in tests.
macro_rules! methods {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ident: $ty:ty),*) -> $result:ty $(as $made:path)?;)*) => {
        impl Key {
            $(
                $(#[$doc])*
                pub fn $name(&self, $($argument: $ty),*) -> Result<$result, Error> {
                    #[cfg(target_family = "wasm")]
                    return self.0.$name($($argument),*) $(.map($made))?;
                    #[cfg(not(target_family = "wasm"))]
                    return self.0.$name($($argument),*);
                }
            )*
        }

        /// What a key does where there is no host: in tests. What isn't overridden panics.
        #[cfg(not(target_family = "wasm"))]
        #[expect(unused_variables, reason = "names that say what an argument is")]
        pub trait HostKey {
            $(
                $(#[$doc])*
                fn $name(&self, $($argument: $ty),*) -> Result<$result, Error> {
                    crate::effect::unanswered("keys", concat!("Key::", stringify!($name)))
                }
            )*
        }
    };
}

methods! {
    /// Keeps it under a name, for later tasks.
    fn keep(name: &str) -> ();
    /// Returns what it is for.
    fn algorithm() -> Algorithm;
    /// Returns its public key: 32 bytes of Ed25519 or X25519, 33 on P-256 or secp256k1.
    fn public_key() -> Vec<u8>;
    /// Signs a message.
    fn sign(message: &[u8]) -> Vec<u8>;
    /// Returns the HMAC of a message.
    fn hmac(hash: Hash, message: &[u8]) -> Vec<u8>;
    /// Derives a key from it by HKDF.
    fn derive(hash: Hash, salt: &[u8], info: &[u8], algorithm: Algorithm) -> Key as Key;
    /// Agrees by X25519 with the owner of a public key on a secret, from which to `derive` keys.
    fn agree(public_key: &[u8]) -> Key as Key;
    /// Encrypts. A nonce has 12 bytes, and no two texts under one key may have the same.
    fn encrypt(nonce: &[u8], additional: &[u8], plaintext: &[u8]) -> Vec<u8>;
    /// Decrypts what `encrypt` gave.
    fn decrypt(nonce: &[u8], additional: &[u8], ciphertext: &[u8]) -> Vec<u8>;
    /// Opens what `seal` gave.
    fn open_sealed(info: &[u8], additional: &[u8], sealed: &[u8]) -> Vec<u8>;
}
