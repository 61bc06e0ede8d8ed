//! Drives one call that may wait, on the thread that asked for it.
//!
//! There is no runtime underneath: in the deterministic world nothing happens outside the guest, so when the
//! guest waits, either something sleeps and virtual time moves on, or nothing will ever wake it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::clock::Clock;

/// The call waits for something that can't happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the guest waits for something that will never happen")]
pub(crate) struct Stuck;

/// Runs `future` to its end, moving `clock` whenever all of it waits.
pub(crate) fn drive<F: Future>(future: F, clock: &Clock) -> Result<F::Output, Stuck> {
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(woken.clone());
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Ok(output);
        }
        if !woken.0.swap(false, Ordering::AcqRel) && !clock.advance() {
            return Err(Stuck);
        }
    }
}

/// Remembers that something asked to be polled again.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeping_takes_virtual_time_only() {
        let clock = Clock::default();
        let a_year = 365 * 24 * 3600 * 1_000_000_000;
        drive(clock.sleep_until(a_year), &clock).unwrap();
        assert_eq!(clock.now(), a_year);
    }

    #[test]
    fn waiting_for_nothing_is_noticed() {
        let clock = Clock::default();
        assert_eq!(drive(std::future::pending::<()>(), &clock), Err(Stuck));
    }
}
