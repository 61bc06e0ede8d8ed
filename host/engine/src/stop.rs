//! Ends a call from outside, since nobody waits for what would come of it.
//!
//! A call waits in several places: in the guest, for an answer of a driver, for content. Each of them has a deadline, and
//! that of a call that is stopped is now. Whoever waits without looking at a clock lets itself be woken.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Lets somebody end calls that run on other threads: one, or all that were given the same.
#[derive(Clone, Default)]
pub struct Stop(Arc<Shared>);

#[derive(Default)]
struct Shared {
    is_stopped: AtomicBool,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    wake: BTreeMap<u64, Box<dyn Fn() + Send + Sync>>,
}

impl Stop {
    /// One that has not been used.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the calls that have not ended: they give [`CallError::Stopped`](crate::CallError::Stopped). A call that begins
    /// later ends at once.
    pub fn stop(&self) {
        self.0.is_stopped.store(true, Ordering::SeqCst);
        self.0.lock().wake.values().for_each(|wake| wake());
    }

    /// Whether it was.
    pub fn is_stopped(&self) -> bool {
        self.0.is_stopped.load(Ordering::SeqCst)
    }

    /// Calls this when it is stopped, for as long as what is returned lives; at once, if it was. `wake` doesn't wait.
    pub fn on_stop(&self, wake: impl Fn() + Send + Sync + 'static) -> Waking {
        let mut waiting = self.0.lock();
        if self.is_stopped() {
            wake();
        }
        let number = waiting.next;
        waiting.next += 1;
        waiting.wake.insert(number, Box::new(wake));
        Waking {
            shared: Arc::clone(&self.0),
            number,
        }
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stop({})", self.is_stopped())
    }
}

impl Shared {
    /// The state is consistent between any two statements, so a panic while it was locked does not matter.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who is woken. Nothing is woken any more when this was dropped.
#[must_use = "nobody is woken any more when this is dropped"]
pub struct Waking {
    shared: Arc<Shared>,
    number: u64,
}

impl fmt::Debug for Waking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Waking({})", self.number)
    }
}

impl Drop for Waking {
    fn drop(&mut self) {
        let woken = self.shared.lock().wake.remove(&self.number);
        // What it holds may want to be woken no more either.
        drop(woken);
    }
}

/// When a call has to have ended: at a time, or as soon as it is stopped.
#[derive(Clone, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    stop: Option<Stop>,
}

impl Deadline {
    pub(crate) fn new(at: Instant, stop: Option<Stop>) -> Self {
        Self { at, stop }
    }

    /// The time, if nothing stops the call before.
    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    /// How long it is until then.
    pub(crate) fn left(&self) -> Duration {
        match self.is_stopped() {
            true => Duration::ZERO,
            false => self.at.saturating_duration_since(Instant::now()),
        }
    }

    /// Whether the call was stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(Stop::is_stopped)
    }

    /// Wakes who waits when the call is stopped, for as long as what is returned lives.
    pub(crate) fn on_stop(&self, wake: impl Fn() + Send + Sync + 'static) -> Option<Waking> {
        self.stop.as_ref().map(|stop| stop.on_stop(wake))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn who_waits_is_woken_whenever_it_came_and_until_it_goes() {
        let stop = Stop::new();
        let woken = Arc::<AtomicUsize>::default();
        let wake = |by: usize| {
            let woken = Arc::clone(&woken);
            move || {
                woken.fetch_add(by, Ordering::SeqCst);
            }
        };
        let _early = stop.on_stop(wake(1));
        drop(stop.on_stop(wake(100)));
        stop.stop();
        let _late = stop.on_stop(wake(10));
        assert_eq!(woken.load(Ordering::SeqCst), 11);
    }

    #[test]
    fn the_deadline_of_what_is_stopped_is_now() {
        let stop = Stop::new();
        let far = Instant::now() + Duration::from_secs(1000);
        let deadline = Deadline::new(far, Some(stop.clone()));
        assert!(deadline.left() > Duration::from_secs(900) && !deadline.is_stopped());
        stop.stop();
        assert!(deadline.left().is_zero() && deadline.is_stopped());
        assert!(!Deadline::new(far, None).left().is_zero());
    }
}
