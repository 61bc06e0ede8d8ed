//! Drives one call that may wait, on the thread that asked for it.
//!
//! A guest that waits can be woken by two things: virtual time, which moves on when something sleeps, or the answer
//! to a driver call. Both come only when all of the guest waits, one at a time, in an order that the trace holds. In
//! the deterministic world there are no drivers, so time moves at once, and if nothing sleeps, nothing will ever
//! wake the guest.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use super::clock::Clock;
use crate::door::{Divergence, Door, Waited};
use crate::end::LimitReached;
use crate::stop::Deadline;

/// Why a call that waits goes on no longer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Halt {
    /// It waits for something that can't happen.
    #[error("the guest waits for something that will never happen")]
    Stuck,
    /// It waited too long.
    #[error(transparent)]
    Limit(LimitReached),
    /// It left the trace that it follows.
    #[error(transparent)]
    Diverged(Divergence),
}

/// What a call that waits waits for.
#[derive(Clone)]
pub(crate) struct Idle {
    pub(crate) clock: Clock,
    pub(crate) door: Option<Door>,
    pub(crate) deadline: Deadline,
    pub(crate) time_max: Duration,
}

impl Idle {
    /// Lets one thing happen.
    fn pass(&self) -> Result<(), Halt> {
        let Some(door) = &self.door else {
            return self.sleep();
        };
        let begin = Instant::now();
        let waited = door
            .wait(self.clock.due(), &self.deadline)
            .map_err(Halt::Diverged)?;
        self.clock.count_waited(begin.elapsed());
        match waited {
            Waited::Answered => Ok(()),
            Waited::Slept(until) => {
                self.clock.advance_to(until);
                Ok(())
            }
            Waited::Nothing => self.sleep(),
            Waited::TimedOut => Err(Halt::Limit(LimitReached::Time(self.time_max))),
        }
    }

    fn sleep(&self) -> Result<(), Halt> {
        self.clock.advance().then_some(()).ok_or(Halt::Stuck)
    }
}

impl Idle {
    /// Runs `future` to its end. `with_tasks` says whether its world starts tasks of tokio.
    pub(crate) fn run<F: Future>(
        &self,
        future: F,
        with_tasks: bool,
    ) -> wasmtime::Result<F::Output> {
        match with_tasks {
            true => drive_with_tasks(future, self),
            false => Ok(drive(future, self)?),
        }
    }
}

/// Runs `future` to its end, letting things happen whenever all of it waits.
fn drive<F: Future>(future: F, idle: &Idle) -> Result<F::Output, Halt> {
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(woken.clone());
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Ok(output);
        }
        if !woken.0.swap(false, Ordering::AcqRel) {
            idle.pass()?;
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

/// Does the same for a guest whose world starts tasks of tokio: they run on this thread too, in the order in which
/// they are woken, and things happen when none of them can go on.
fn drive_with_tasks<F: Future>(future: F, idle: &Idle) -> wasmtime::Result<F::Output> {
    let parked = Arc::new(Parked::default());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .on_thread_park({
            let parked = parked.clone();
            move || parked.tell()
        })
        .build()?;
    let mut future = pin!(future);
    loop {
        let output = runtime.block_on(poll_fn(|cx| match parked.hear(cx) {
            true => Poll::Ready(None),
            false => future.as_mut().poll(cx).map(Some),
        }));
        match output {
            Some(output) => return Ok(output),
            // Outside of the runtime, since drivers wait in one of their own.
            None => idle.pass()?,
        }
    }
}

/// Whether no task of a runtime can go on, and who waits for that.
#[derive(Default)]
struct Parked(Mutex<(bool, Option<Waker>)>);

impl Parked {
    fn tell(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = true;
        if let Some(waker) = state.1.take() {
            waker.wake();
        }
    }

    fn hear(&self, cx: &Context<'_>) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.1 = Some(cx.waker().clone());
        std::mem::take(&mut state.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle() -> Idle {
        Idle {
            clock: Clock::default(),
            door: None,
            deadline: Deadline::new(Instant::now(), None),
            time_max: Duration::ZERO,
        }
    }

    #[test]
    fn sleeping_takes_virtual_time_only() {
        let idle = idle();
        let a_year = 365 * 24 * 3600 * 1_000_000_000;
        drive(idle.clock.sleep_until(a_year), &idle).unwrap();
        assert_eq!(idle.clock.now(), a_year);
    }

    #[test]
    fn waiting_for_nothing_is_noticed() {
        assert_eq!(
            drive(std::future::pending::<()>(), &idle()),
            Err(Halt::Stuck)
        );
    }

    #[test]
    fn tasks_run_and_sleep_in_virtual_time() {
        let idle = idle();
        let clock = idle.clock.clone();
        let future = async {
            let task = tokio::spawn(async move { clock.sleep_until(7).await });
            task.await
        };
        drive_with_tasks(future, &idle).unwrap().unwrap();
        assert_eq!(idle.clock.now(), 7);
    }

    #[test]
    fn tasks_that_wait_for_nothing_are_noticed() {
        let future = async { tokio::spawn(std::future::pending::<()>()).await };
        let error = drive_with_tasks(future, &idle()).unwrap_err();
        assert!(error.is::<Halt>(), "{error}");
    }
}
