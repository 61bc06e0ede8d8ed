//! Digests, by `homestar:crypto`. They need no grant.

use crate::effect::{cases, functions};

cases! {
    /// Hash functions.
    Algorithm {
        Sha256,
        Sha384,
        Sha512,
        Sha3256,
        Sha3384,
        Sha3512,
        Blake3,
    }
}

functions! {
    "digest", crate::bindings::homestar::crypto::digest {
        /// Returns the digest of a text.
        fn hash(algorithm: Algorithm, text: &[u8]) -> Vec<u8>;
    }
}
