//! Numbers that follow from a seed, and who is who.

use std::collections::HashMap;
use std::sync::LazyLock;

use homestar_core::key::SigningKey;
use homestar_core::ucan::Did;

/// Numbers that follow from a seed.
#[derive(Debug)]
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// True for so many of a thousand.
    pub(super) fn chance(&mut self, thousandths: u64) -> bool {
        self.below(1_000) < thousandths
    }
}

/// Nodes of the largest network.
const NODES_MAX: usize = 400;

pub(super) static DIDS: LazyLock<Vec<Did>> = LazyLock::new(|| {
    let did = |number: usize| {
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&number.to_le_bytes());
        SigningKey::from_seed(&seed).did()
    };
    (0..NODES_MAX).map(did).collect()
});

static NUMBERS: LazyLock<HashMap<Vec<u8>, usize>> = LazyLock::new(|| {
    let numbered = DIDS.iter().enumerate();
    numbered
        .map(|(number, did)| (did.as_bytes().to_vec(), number))
        .collect()
});

pub(super) fn did_of(bytes: &[u8]) -> Option<Did> {
    NUMBERS.get(bytes).map(|number| DIDS[*number])
}

pub(super) fn number_of(did: &Did) -> usize {
    NUMBERS[did.as_bytes()]
}
