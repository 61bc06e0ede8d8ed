//! Digests and keys: handles that pass on what is asked of them.

use crate::bindings::exports::homestar::crypto::digest::{
    Algorithm as Asked, Guest as Digests, GuestHasher,
};
use crate::bindings::exports::homestar::crypto::keys::{Guest as Keys, GuestKey, Key as Handle};
use crate::bindings::homestar::crypto::digest::{self, Algorithm as Digest, Hasher};
use crate::bindings::homestar::crypto::keys::{self, Key};
use crate::bindings::homestar::crypto::types::{Algorithm, Error, Hash};
use crate::told::{Told, cases, variant};
use crate::{Witness, number, tell};

cases!(Asked {
    Sha256 "sha256"
    Sha384 "sha384"
    Sha512 "sha512"
    Sha3256 "sha3-256"
    Sha3384 "sha3-384"
    Sha3512 "sha3-512"
    Blake3 "blake3"
});
cases!(Algorithm {
    Ed25519 "ed25519"
    P256 "p256"
    Secp256k1 "secp256k1"
    X25519 "x25519"
    Aes128Gcm "aes128-gcm"
    Aes256Gcm "aes256-gcm"
    Chacha20Poly1305 "chacha20-poly1305"
    Secret "secret"
});
cases!(Hash { Sha256 "sha256" Sha384 "sha384" Sha512 "sha512" });
variant!(Error {
    Denied(text) "denied"
    Budget(text) "budget"
    NoKey "no-key"
    WrongAlgorithm(algorithm) "wrong-algorithm"
    Size(text) "size"
    InvalidKey "invalid-key"
    Tampered "tampered"
    Taken "taken"
    Failed(text) "failed"
});

fn passed_on(algorithm: Asked) -> Digest {
    match algorithm {
        Asked::Sha256 => Digest::Sha256,
        Asked::Sha384 => Digest::Sha384,
        Asked::Sha512 => Digest::Sha512,
        Asked::Sha3256 => Digest::Sha3256,
        Asked::Sha3384 => Digest::Sha3384,
        Asked::Sha3512 => Digest::Sha3512,
        Asked::Blake3 => Digest::Blake3,
    }
}

impl Digests for Witness {
    type Hasher = Watched<Hasher>;

    fn hash(algorithm: Asked, text: Vec<u8>) -> Vec<u8> {
        let answer = digest::hash(passed_on(algorithm), &text);
        tell("homestar:crypto/digest.hash", &[&algorithm, &text], &answer);
        answer
    }
}

/// A handle that the guest has, and its number.
pub(crate) struct Watched<T> {
    number: u32,
    handle: T,
}

impl<T> Watched<T> {
    fn new(handle: T) -> Self {
        Self {
            number: number(),
            handle,
        }
    }
}

impl GuestHasher for Watched<Hasher> {
    fn new(algorithm: Asked) -> Self {
        let watched = Self::new(Hasher::new(passed_on(algorithm)));
        tell(
            "homestar:crypto/digest.hasher",
            &[&algorithm],
            &watched.number,
        );
        watched
    }

    fn update(&self, piece: Vec<u8>) {
        self.handle.update(&piece);
        tell(
            "homestar:crypto/digest.hasher.update",
            &[&self.number, &piece],
            &(),
        );
    }

    fn finish(&self) -> Vec<u8> {
        let answer = self.handle.finish();
        tell(
            "homestar:crypto/digest.hasher.finish",
            &[&self.number],
            &answer,
        );
        answer
    }
}

/// Says that a key was asked for, and gives it.
fn given(call: &str, args: &[&dyn Told], answer: Result<Key, Error>) -> Result<Handle, Error> {
    let answer = answer.map(Watched::new);
    tell(call, args, &answer.as_ref().map(|key| key.number));
    answer.map(Handle::new)
}

impl Keys for Witness {
    type Key = Watched<Key>;

    fn verify(
        algorithm: Algorithm,
        public_key: Vec<u8>,
        message: Vec<u8>,
        signature: Vec<u8>,
    ) -> Result<bool, Error> {
        let answer = keys::verify(algorithm, &public_key, &message, &signature);
        let args: &[&dyn Told] = &[&algorithm, &public_key, &message, &signature];
        tell("homestar:crypto/keys.verify", args, &answer);
        answer
    }

    fn seal(
        public_key: Vec<u8>,
        info: Vec<u8>,
        additional: Vec<u8>,
        plaintext: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        let answer = keys::seal(&public_key, &info, &additional, &plaintext);
        let args: &[&dyn Told] = &[&public_key, &info, &additional, &plaintext];
        tell("homestar:crypto/keys.seal", args, &answer);
        answer
    }
}

impl GuestKey for Watched<Key> {
    fn generate(algorithm: Algorithm) -> Result<Handle, Error> {
        given(
            "homestar:crypto/keys.key.generate",
            &[&algorithm],
            Key::generate(algorithm),
        )
    }

    fn import(algorithm: Algorithm, private: Vec<u8>) -> Result<Handle, Error> {
        let answer = Key::import(algorithm, &private);
        given(
            "homestar:crypto/keys.key.import",
            &[&algorithm, &private],
            answer,
        )
    }

    fn open(name: String) -> Result<Handle, Error> {
        given("homestar:crypto/keys.key.open", &[&name], Key::open(&name))
    }

    fn keep(&self, name: String) -> Result<(), Error> {
        let answer = self.handle.keep(&name);
        tell(
            "homestar:crypto/keys.key.keep",
            &[&self.number, &name],
            &answer,
        );
        answer
    }

    fn algorithm(&self) -> Result<Algorithm, Error> {
        let answer = self.handle.algorithm();
        tell(
            "homestar:crypto/keys.key.algorithm",
            &[&self.number],
            &answer,
        );
        answer
    }

    fn public_key(&self) -> Result<Vec<u8>, Error> {
        let answer = self.handle.public_key();
        tell(
            "homestar:crypto/keys.key.public-key",
            &[&self.number],
            &answer,
        );
        answer
    }

    fn sign(&self, message: Vec<u8>) -> Result<Vec<u8>, Error> {
        let answer = self.handle.sign(&message);
        tell(
            "homestar:crypto/keys.key.sign",
            &[&self.number, &message],
            &answer,
        );
        answer
    }

    fn hmac(&self, hash: Hash, message: Vec<u8>) -> Result<Vec<u8>, Error> {
        let answer = self.handle.hmac(hash, &message);
        let args: &[&dyn Told] = &[&self.number, &hash, &message];
        tell("homestar:crypto/keys.key.hmac", args, &answer);
        answer
    }

    fn derive(
        &self,
        hash: Hash,
        salt: Vec<u8>,
        info: Vec<u8>,
        algorithm: Algorithm,
    ) -> Result<Handle, Error> {
        let answer = self.handle.derive(hash, &salt, &info, algorithm);
        let args: &[&dyn Told] = &[&self.number, &hash, &salt, &info, &algorithm];
        given("homestar:crypto/keys.key.derive", args, answer)
    }

    fn agree(&self, public_key: Vec<u8>) -> Result<Handle, Error> {
        let answer = self.handle.agree(&public_key);
        given(
            "homestar:crypto/keys.key.agree",
            &[&self.number, &public_key],
            answer,
        )
    }

    fn encrypt(
        &self,
        nonce: Vec<u8>,
        additional: Vec<u8>,
        plaintext: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        let answer = self.handle.encrypt(&nonce, &additional, &plaintext);
        let args: &[&dyn Told] = &[&self.number, &nonce, &additional, &plaintext];
        tell("homestar:crypto/keys.key.encrypt", args, &answer);
        answer
    }

    fn decrypt(
        &self,
        nonce: Vec<u8>,
        additional: Vec<u8>,
        ciphertext: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        let answer = self.handle.decrypt(&nonce, &additional, &ciphertext);
        let args: &[&dyn Told] = &[&self.number, &nonce, &additional, &ciphertext];
        tell("homestar:crypto/keys.key.decrypt", args, &answer);
        answer
    }

    fn open_sealed(
        &self,
        info: Vec<u8>,
        additional: Vec<u8>,
        sealed: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        let answer = self.handle.open_sealed(&info, &additional, &sealed);
        let args: &[&dyn Told] = &[&self.number, &info, &additional, &sealed];
        tell("homestar:crypto/keys.key.open-sealed", args, &answer);
        answer
    }
}
