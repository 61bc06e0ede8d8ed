//! The effect `homestar:crypto/digest`: hash functions. It imports nothing.

use std::cell::RefCell;

use bindings::exports::homestar::crypto::digest::{Algorithm, Guest, GuestHasher};
use sha2::{Digest, Sha256, Sha384, Sha512};
use sha3::{Sha3_256, Sha3_384, Sha3_512};

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        world: "homestar:driver/digest-provider",
        generate_all,
    });

    #[cfg(target_family = "wasm")]
    export!(Effect with_types_in self);

    #[cfg(target_family = "wasm")]
    use super::Effect;
}

struct Effect;

impl Guest for Effect {
    type Hasher = RefCell<State>;

    fn hash(algorithm: Algorithm, text: Vec<u8>) -> Vec<u8> {
        let mut state = State::new(algorithm);
        state.update(&text);
        state.finish()
    }
}

impl GuestHasher for RefCell<State> {
    fn new(algorithm: Algorithm) -> Self {
        Self::new(State::new(algorithm))
    }

    fn update(&self, piece: Vec<u8>) {
        self.borrow_mut().update(&piece);
    }

    fn finish(&self) -> Vec<u8> {
        self.borrow().clone().finish()
    }
}

/// A digest under way.
#[derive(Clone)]
enum State {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
    Sha3_256(Sha3_256),
    Sha3_384(Sha3_384),
    Sha3_512(Sha3_512),
    Blake3(Box<blake3::Hasher>),
}

impl State {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha384 => Self::Sha384(Sha384::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
            Algorithm::Sha3256 => Self::Sha3_256(Sha3_256::new()),
            Algorithm::Sha3384 => Self::Sha3_384(Sha3_384::new()),
            Algorithm::Sha3512 => Self::Sha3_512(Sha3_512::new()),
            Algorithm::Blake3 => Self::Blake3(Box::new(blake3::Hasher::new())),
        }
    }

    fn update(&mut self, piece: &[u8]) {
        match self {
            Self::Sha256(state) => state.update(piece),
            Self::Sha384(state) => state.update(piece),
            Self::Sha512(state) => state.update(piece),
            Self::Sha3_256(state) => state.update(piece),
            Self::Sha3_384(state) => state.update(piece),
            Self::Sha3_512(state) => state.update(piece),
            Self::Blake3(state) => {
                state.update(piece);
            }
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Sha256(state) => state.finalize().to_vec(),
            Self::Sha384(state) => state.finalize().to_vec(),
            Self::Sha512(state) => state.finalize().to_vec(),
            Self::Sha3_256(state) => state.finalize().to_vec(),
            Self::Sha3_384(state) => state.finalize().to_vec(),
            Self::Sha3_512(state) => state.finalize().to_vec(),
            Self::Blake3(state) => state.finalize().as_bytes().to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Algorithm; 7] = [
        Algorithm::Sha256,
        Algorithm::Sha384,
        Algorithm::Sha512,
        Algorithm::Sha3256,
        Algorithm::Sha3384,
        Algorithm::Sha3512,
        Algorithm::Blake3,
    ];

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The first 8 bytes of the digests of `abc`, as their specifications give them, and the sizes.
    #[test]
    fn digests_are_those_of_the_specifications() {
        let known = [
            ("ba7816bf8f01cfea", 32),
            ("cb00753f45a35e8b", 48),
            ("ddaf35a193617aba", 64),
            ("3a985da74fe225b2", 32),
            ("ec01498288516fc9", 48),
            ("b751850b1a57168a", 64),
            ("6437b3ac38465133", 32),
        ];
        for (algorithm, (start, length)) in ALL.into_iter().zip(known) {
            let digest = Effect::hash(algorithm, b"abc".to_vec());
            assert_eq!(hex(&digest[..8]), start, "{algorithm:?}");
            assert_eq!(digest.len(), length, "{algorithm:?}");
        }
    }

    #[test]
    fn pieces_give_the_digest_of_the_whole() {
        let text: Vec<u8> = (0..5000_u32).map(|n| n as u8).collect();
        for algorithm in ALL {
            let hasher = <RefCell<State> as GuestHasher>::new(algorithm);
            for piece in text.chunks(700) {
                GuestHasher::update(&hasher, piece.to_vec());
                GuestHasher::finish(&hasher);
            }
            let whole = Effect::hash(algorithm, text.clone());
            assert_eq!(GuestHasher::finish(&hasher), whole, "{algorithm:?}");
        }
    }
}
