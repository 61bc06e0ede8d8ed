//! The watchdog: a thread of its own that ends calls whose time is up.
//!
//! Guests run until they return, so nothing on the threads that run them can be relied on to stop them: every
//! one may be held by an endless loop. The watchdog sleeps until the next deadline and then moves the epoch of
//! the engine, at which each running guest looks at its own deadline and either ends or goes on. While nothing
//! is overdue it costs nothing.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use wasmtime::EngineWeak;

/// How long an overdue guest is given to notice, before the epoch moves again. A guest may have read the clock
/// just before its deadline.
const AGAIN_AFTER: Duration = Duration::from_millis(5);

/// Deadlines of running calls, by time and then by number.
type Deadlines = BTreeMap<(Instant, u64), EngineWeak>;

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    deadlines: Deadlines,
    next: u64,
    /// When the watchdog wakes by itself. Waking it earlier costs more than a small call, so only a deadline
    /// before this does that; that of a call which has ended meanwhile wakes it once for nothing.
    wakes_at: Option<Instant>,
}

impl Shared {
    /// The state holds plain numbers and is consistent between any two statements, so a panic elsewhere while
    /// it was locked does not matter.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A registered deadline; dropping it ends the watch.
pub(crate) struct Watch {
    shared: &'static Shared,
    key: (Instant, u64),
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.lock().deadlines.remove(&self.key);
    }
}

/// Watches calls of `engine` that must end by `deadline`.
pub(crate) fn watch(engine: &wasmtime::Engine, deadline: Instant) -> Watch {
    watch_weak(engine.weak(), deadline)
}

/// The same for an engine that may be gone.
pub(crate) fn watch_weak(engine: EngineWeak, deadline: Instant) -> Watch {
    let shared = shared();
    let mut state = shared.lock();
    let key = (deadline, state.next);
    state.next += 1;
    state.deadlines.insert(key, engine);
    let is_sooner = state.wakes_at.is_none_or(|wakes_at| deadline < wakes_at);
    if is_sooner {
        state.wakes_at = Some(deadline);
    }
    drop(state);
    if is_sooner {
        shared.changed.notify_one();
    }
    Watch { shared, key }
}

/// Returns the deadlines of this process, with their thread running.
fn shared() -> &'static Shared {
    static SHARED: OnceLock<&'static Shared> = OnceLock::new();
    SHARED.get_or_init(|| {
        let shared: &'static Shared = Box::leak(Box::default());
        thread::Builder::new()
            .name("homestar-watchdog".into())
            .stack_size(64 << 10)
            .spawn(move || watch_forever(shared))
            .expect("the system starts a thread");
        shared
    })
}

fn watch_forever(shared: &Shared) {
    let mut state = shared.lock();
    loop {
        let now = Instant::now();
        let wait = move_overdue(&state.deadlines, now);
        state.wakes_at = wait.map(|wait| now + wait);
        state = match wait {
            None => shared
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner),
            Some(wait) => {
                let waited = shared.changed.wait_timeout(state, wait);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
    }
}

/// Moves the epoch of every engine with an overdue call, and returns how long to wait for the next one.
fn move_overdue(deadlines: &Deadlines, now: Instant) -> Option<Duration> {
    let mut overdue = false;
    for ((deadline, _), engine) in deadlines {
        if *deadline > now {
            let next = *deadline - now;
            return Some(if overdue { next.min(AGAIN_AFTER) } else { next });
        }
        overdue = true;
        if let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
        }
    }
    overdue.then_some(AGAIN_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_overdue_waits_for_the_first_deadline() {
        let now = Instant::now();
        assert_eq!(move_overdue(&Deadlines::new(), now), None);
        let engine = wasmtime::Engine::default();
        let soon = now + Duration::from_secs(3);
        let deadlines = Deadlines::from([((soon, 0), engine.weak())]);
        assert_eq!(move_overdue(&deadlines, now), Some(Duration::from_secs(3)));
    }

    #[test]
    fn an_overdue_call_is_reminded_until_it_ends() {
        let now = Instant::now();
        let engine = wasmtime::Engine::default();
        let deadlines = Deadlines::from([
            ((now, 0), engine.weak()),
            ((now + Duration::from_secs(3), 1), engine.weak()),
        ]);
        assert_eq!(move_overdue(&deadlines, now), Some(AGAIN_AFTER));
    }

    #[test]
    fn dropping_a_watch_forgets_it() {
        let engine = wasmtime::Engine::default();
        let far = Instant::now() + Duration::from_secs(1000);
        let watch = watch(&engine, far);
        let key = watch.key;
        assert!(shared().lock().deadlines.contains_key(&key));
        drop(watch);
        assert!(!shared().lock().deadlines.contains_key(&key));
    }
}
