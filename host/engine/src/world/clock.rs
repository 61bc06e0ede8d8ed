//! Virtual time: it stands still, except that sleeping moves it.
//!
//! A guest that reads the clock twice reads the same time twice. A guest that sleeps for 30 ms is woken at once
//! and reads a time 30 ms later. When several things sleep, the earliest wakes first, and only when nothing
//! else can go on, so the order is that of real time and the same on every machine.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// The time at which every task starts: 2000-01-01 00:00:00 UTC, as seconds of Unix time. Not the start of 1970,
/// since programs take zero for "not set" and formats such as ZIP know no date before 1980.
pub(crate) const START_UNIX_SECONDS: u64 = 946_684_800;

/// A clock that everything in one task shares.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    now: u64,
    /// Time that really passed while drivers were asked. Guests don't see it; what sleeps meanwhile is due by it.
    waited: Duration,
    sleepers: BTreeMap<(u64, u64), Sleeper>,
    next: u64,
}

#[derive(Debug)]
struct Sleeper {
    waker: Waker,
    /// When it is due, as time that really passed.
    due: Duration,
}

impl Clock {
    /// Returns nanoseconds since the task began.
    pub(crate) fn now(&self) -> u64 {
        self.lock().now
    }

    /// Returns the time of day, as time since the start of 1970.
    pub(crate) fn wall(&self) -> Duration {
        Duration::from_secs(START_UNIX_SECONDS) + Duration::from_nanos(self.now())
    }

    /// Returns a future that ends when the clock shows `at`, in nanoseconds since the task began.
    pub(crate) fn sleep_until(&self, at: u64) -> Sleep {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        drop(state);
        Sleep {
            clock: self.clone(),
            key: (at, number),
        }
    }

    /// Returns the first moment for which something sleeps, and how long it is until then in real time.
    pub(crate) fn due(&self) -> Option<(u64, Duration)> {
        let state = self.lock();
        let (&(at, _), sleeper) = state.sleepers.first_key_value()?;
        Some((at, sleeper.due.saturating_sub(state.waited)))
    }

    /// Counts time that really passed.
    pub(crate) fn count_waited(&self, time: Duration) {
        self.lock().waited += time;
    }

    /// Moves time to `at` and wakes what sleeps until then.
    pub(crate) fn advance_to(&self, at: u64) {
        let mut state = self.lock();
        state.now = state.now.max(at);
        let later = state.sleepers.split_off(&(at, u64::MAX));
        let due = std::mem::replace(&mut state.sleepers, later);
        drop(state);
        due.into_values().for_each(|sleeper| sleeper.waker.wake());
    }

    /// Moves time to the first moment for which something sleeps and wakes what sleeps until then.
    /// Returns false when nothing sleeps.
    pub(crate) fn advance(&self) -> bool {
        let Some((at, _)) = self.due() else {
            return false;
        };
        self.advance_to(at);
        true
    }

    /// The state is consistent between any two statements, so a panic while it was locked does not matter.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Clock::sleep_until`].
#[derive(Debug)]
pub(crate) struct Sleep {
    clock: Clock,
    key: (u64, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.lock();
        if state.now >= self.key.0 {
            return Poll::Ready(());
        }
        let sleeps = Duration::from_nanos(self.key.0 - state.now);
        let due = match state.sleepers.get(&self.key) {
            Some(sleeper) => sleeper.due,
            None => state.waited.saturating_add(sleeps),
        };
        let waker = cx.waker().clone();
        state.sleepers.insert(self.key, Sleeper { waker, due });
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.clock.lock().sleepers.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    fn poll(sleep: &mut Sleep) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(sleep).poll(&mut cx).is_ready()
    }

    #[test]
    fn time_stands_still_until_something_sleeps() {
        let clock = Clock::default();
        assert_eq!(clock.now(), 0);
        assert!(!clock.advance());
        assert_eq!(clock.wall(), Duration::from_secs(START_UNIX_SECONDS));
    }

    #[test]
    fn the_earliest_sleeper_wakes_first() {
        let clock = Clock::default();
        let (mut late, mut early) = (clock.sleep_until(20), clock.sleep_until(10));
        assert!(!poll(&mut late) && !poll(&mut early));
        assert!(clock.advance());
        assert!(poll(&mut early) && !poll(&mut late));
        assert_eq!(clock.now(), 10);
        assert!(clock.advance());
        assert!(poll(&mut late));
        assert_eq!(clock.now(), 20);
    }

    #[test]
    fn a_dropped_sleeper_moves_nothing() {
        let clock = Clock::default();
        let mut sleep = clock.sleep_until(10);
        assert!(!poll(&mut sleep));
        drop(sleep);
        assert!(!clock.advance());
        assert_eq!(clock.now(), 0);
    }
}
