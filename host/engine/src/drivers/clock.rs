//! The `clock` driver: the time of day and how time passes, as they really are. Waiting is up to who links this.

use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use wasmtime::component::{ComponentType, Lift, Lower};

/// Why time can't be told: `clock.error`.
#[derive(
    Clone, Debug, PartialEq, Eq, Error, ComponentType, Lift, Lower, Serialize, Deserialize,
)]
#[component(variant)]
#[serde(rename_all = "kebab-case")]
pub enum Error {
    /// Not granted.
    #[component(name = "denied")]
    #[error("{0}")]
    Denied(String),
    /// The task's budget of calls is used up.
    #[component(name = "budget")]
    #[error("the budget is used up: {0}")]
    Budget(String),
}

/// The clocks of one task.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Begins to count, before the task does.
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// Returns nanoseconds since 1970-01-01 00:00:00 UTC, or 0 if the machine believes that this lies ahead.
    pub fn now(&self) -> u64 {
        since_1970(SystemTime::now())
    }

    /// Returns nanoseconds since the start. Never goes back.
    pub fn monotonic(&self) -> u64 {
        nanoseconds(self.start.elapsed())
    }
}

/// Returns seconds since 1970.
pub(crate) fn seconds() -> i64 {
    i64::try_from(since_1970(SystemTime::now()) / 1_000_000_000).unwrap_or(i64::MAX)
}

fn since_1970(time: SystemTime) -> u64 {
    nanoseconds(
        time.duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default(),
    )
}

/// The most that fit are those of the year 2554.
fn nanoseconds(duration: Duration) -> u64 {
    duration.as_nanos().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_day_is_the_machines() {
        let clock = Clock::start();
        let before = since_1970(SystemTime::now());
        let now = clock.now();
        // Clocks are set, but seldom by a minute.
        assert!(now.abs_diff(before) < 60_000_000_000);
        assert!(now > 1_700_000_000_000_000_000, "{now} lies before 2023");
    }

    #[test]
    fn times_out_of_range_are_at_its_ends() {
        let hour = Duration::from_secs(3600);
        assert_eq!(since_1970(SystemTime::UNIX_EPOCH - hour), 0);
        assert_eq!(since_1970(SystemTime::UNIX_EPOCH + hour), 3_600_000_000_000);
        assert_eq!(nanoseconds(Duration::MAX), u64::MAX);
    }

    #[test]
    fn the_monotonic_clock_starts_at_zero_and_never_goes_back() {
        let clock = Clock::start();
        let mut last = 0;
        for _ in 0..1000 {
            let now = clock.monotonic();
            assert!(now >= last);
            last = now;
        }
        std::thread::sleep(Duration::from_millis(2));
        assert!(clock.monotonic() >= last + 2_000_000);
    }
}
