//! Random numbers that the instruction decides.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The sources of randomness of one component in one task. Each is a stream of ChaCha20 of its own, so what is
/// drawn from one doesn't shift another.
#[derive(Debug)]
pub(crate) struct Random {
    /// What `wasi:random/random` draws from.
    pub(crate) secure: ChaCha20Rng,
    /// What `wasi:random/insecure` draws from.
    pub(crate) insecure: ChaCha20Rng,
    /// The answer of `wasi:random/insecure-seed`, with which languages seed their hash maps.
    pub(crate) insecure_seed: (u64, u64),
}

impl Random {
    /// Returns the sources of a part for `seed`: the SHA-256 digest in the CID of the instruction.
    pub(crate) fn new(seed: [u8; 32], part: usize) -> Self {
        let first = part as u64 * 3;
        let stream = |number| {
            let mut rng = ChaCha20Rng::from_seed(seed);
            rng.set_stream(first + number);
            rng
        };
        let mut seeds = stream(2);
        let high = seeds.next_u64();
        let insecure_seed = (seeds.next_u64(), high);
        Self {
            secure: stream(0),
            insecure: stream(1),
            insecure_seed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides_and_streams_differ() {
        let (mut a, mut b) = (Random::new([7; 32], 1), Random::new([7; 32], 1));
        assert_eq!(a.insecure_seed, b.insecure_seed);
        assert_eq!(a.secure.next_u64(), b.secure.next_u64());
        assert_ne!(a.secure.next_u64(), a.insecure.next_u64());
        assert_ne!(Random::new([7; 32], 2).insecure_seed, a.insecure_seed);
        assert_ne!(Random::new([8; 32], 1).insecure_seed, a.insecure_seed);
    }

    /// Receipts depend on these numbers, so they may never change.
    #[test]
    fn the_numbers_are_fixed_forever() {
        let mut random = Random::new([0; 32], 0);
        // RFC 8439, A.1, test vector 1: the first key stream block of the zero key.
        assert_eq!(
            random.secure.next_u64(),
            u64::from_le_bytes([0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90])
        );
    }
}
