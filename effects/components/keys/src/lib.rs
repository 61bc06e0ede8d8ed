//! The effect `homestar:crypto/keys`: a handle for each number that the driver gives.

use bindings::exports::homestar::crypto::keys::{Guest, GuestKey, Key};
use bindings::homestar::crypto::types::{Algorithm, Error, Hash};
use bindings::homestar::driver::keys as driver;

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        world: "homestar:driver/keys-provider",
        generate_all,
    });

    #[cfg(target_family = "wasm")]
    export!(Effect with_types_in self);

    #[cfg(target_family = "wasm")]
    use super::Effect;
}

struct Effect;

impl Guest for Effect {
    type Key = Number;

    fn verify(
        algorithm: Algorithm,
        public_key: Vec<u8>,
        message: Vec<u8>,
        signature: Vec<u8>,
    ) -> Result<bool, Error> {
        driver::verify(algorithm, &public_key, &message, &signature)
    }

    fn seal(
        public_key: Vec<u8>,
        info: Vec<u8>,
        additional: Vec<u8>,
        plaintext: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        driver::seal_box(&public_key, &info, &additional, &plaintext)
    }
}

/// The number of a key. The driver forgets it when the guest drops its handle.
struct Number(u32);

impl Number {
    /// The handle of a number, if there is one.
    fn handle(number: Result<u32, Error>) -> Result<Key, Error> {
        number.map(|number| Key::new(Self(number)))
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        driver::close(self.0);
    }
}

impl GuestKey for Number {
    fn generate(algorithm: Algorithm) -> Result<Key, Error> {
        Self::handle(driver::generate(algorithm))
    }

    fn import(algorithm: Algorithm, private: Vec<u8>) -> Result<Key, Error> {
        Self::handle(driver::import(algorithm, &private))
    }

    fn open(name: String) -> Result<Key, Error> {
        Self::handle(driver::open(&name))
    }

    fn keep(&self, name: String) -> Result<(), Error> {
        driver::keep(self.0, &name)
    }

    fn algorithm(&self) -> Result<Algorithm, Error> {
        driver::algorithm_of(self.0)
    }

    fn public_key(&self) -> Result<Vec<u8>, Error> {
        driver::public_key(self.0)
    }

    fn sign(&self, message: Vec<u8>) -> Result<Vec<u8>, Error> {
        driver::sign(self.0, &message)
    }

    fn hmac(&self, hash: Hash, message: Vec<u8>) -> Result<Vec<u8>, Error> {
        driver::hmac(self.0, hash, &message)
    }

    fn derive(
        &self,
        hash: Hash,
        salt: Vec<u8>,
        info: Vec<u8>,
        algorithm: Algorithm,
    ) -> Result<Key, Error> {
        Self::handle(driver::derive(self.0, hash, &salt, &info, algorithm))
    }

    fn agree(&self, public_key: Vec<u8>) -> Result<Key, Error> {
        Self::handle(driver::agree(self.0, &public_key))
    }

    fn encrypt(
        &self,
        nonce: Vec<u8>,
        additional: Vec<u8>,
        plaintext: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        driver::encrypt(self.0, &nonce, &additional, &plaintext)
    }

    fn decrypt(
        &self,
        nonce: Vec<u8>,
        additional: Vec<u8>,
        ciphertext: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        driver::decrypt(self.0, &nonce, &additional, &ciphertext)
    }

    fn open_sealed(
        &self,
        info: Vec<u8>,
        additional: Vec<u8>,
        sealed: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        driver::open_box(self.0, &info, &additional, &sealed)
    }
}
