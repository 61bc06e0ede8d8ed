//! The time as machines are told it.

use std::time::{Duration, Instant};

use homestar_core::schedule::Timestamp;

/// Counts from when it was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(self) -> Timestamp {
        let passed = self.0.elapsed().as_millis();
        Timestamp(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// How long it is until then.
    pub(super) fn until(self, at: Timestamp) -> Duration {
        Duration::from_millis(at.0.saturating_sub(self.now().0))
    }
}

/// A number that nobody guesses, for machines to make their numbers of.
pub(super) fn seed() -> u64 {
    use std::collections::hash_map::RandomState;
    use std::hash::{BuildHasher, Hasher};

    // Each is seeded by the system anew.
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u128(
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |time| time.as_nanos()),
    );
    hasher.finish()
}
