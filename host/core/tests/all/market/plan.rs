//! Which networks are simulated.

use super::faults::Faults;
use super::numbers::Numbers;

/// A network, and what happens to it.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) nodes: usize,
    /// Every so many-th node wants tasks.
    pub(super) requesters: usize,
    pub(super) tasks: u64,
    /// One that wants so many more.
    pub(super) crowd: u64,
    pub(super) faults: Faults,
    /// Of a thousand tasks.
    pub(super) reach_outside: u64,
    /// Of a thousand tasks: those that nobody wants any more after a while.
    pub(super) recalled: u64,
    pub(super) takes_ms: u64,
}

impl Plan {
    /// All that can go wrong, at once.
    pub(super) fn of_everything(seed: u64) -> Self {
        let mut numbers = Numbers::new(seed ^ 0x5eed);
        let faults = Faults {
            lost: numbers.below(150),
            twice: numbers.below(100),
            delay: 10 + numbers.below(400),
            crashes: numbers.below(40),
            partitions: numbers.below(4),
            skew: numbers.below(20_000),
            liars: numbers.below(250),
        };
        Self {
            seed,
            nodes: 40 + numbers.below(260) as usize,
            requesters: 2 + numbers.below(6) as usize,
            tasks: 1 + numbers.below(4),
            crowd: numbers.below(2) * 60,
            faults,
            reach_outside: numbers.below(500),
            recalled: numbers.below(300),
            takes_ms: 200 + numbers.below(20_000),
        }
    }

    /// One that wants very many tasks, and calls each back when it has run for a moment.
    pub(super) fn of_fickle(seed: u64) -> Self {
        Self {
            recalled: 1_000,
            ..Self::of_crowd(seed)
        }
    }

    /// Nothing goes wrong.
    pub(super) fn of_calm(seed: u64) -> Self {
        Self {
            faults: Faults {
                delay: 50,
                ..Faults::default()
            },
            nodes: 100,
            crowd: 0,
            recalled: 0,
            takes_ms: 2_000,
            ..Self::of_everything(seed)
        }
    }

    /// Few executors, one requester with very many tasks, and some with one.
    pub(super) fn of_crowd(seed: u64) -> Self {
        Self {
            nodes: 12,
            requesters: 2,
            tasks: 1,
            crowd: 200,
            takes_ms: 2_000,
            reach_outside: 0,
            ..Self::of_calm(seed)
        }
    }
}
