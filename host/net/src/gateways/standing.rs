//! What is remembered of a gateway while the program runs.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::What;

/// How long a gateway that failed is asked after the others.
const REST: Duration = Duration::from_secs(15);

/// How a gateway has behaved.
#[derive(Debug, Default)]
pub(super) struct Record(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    lie: Option<What>,
    has_no_car: bool,
    /// It failed; others are asked first.
    rests_until: Option<Instant>,
    /// It asked to be left alone.
    away_until: Option<Instant>,
}

impl Record {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing is left half done if a thread panics here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what it did. A lie is never forgotten, and a 404 is no failure.
    pub(super) fn note(&self, what: &What) {
        let mut state = self.state();
        match what {
            What::Lied { .. } => state.lie = Some(what.clone()),
            What::Unreachable(_)
            | What::TimedOut(_)
            | What::Stalled { .. }
            | What::TooSlow { .. }
            | What::BrokeOff { .. }
            | What::TooMuch { .. }
            | What::Flooded { .. }
            | What::ContentType { .. }
            | What::Redirected { .. }
            | What::Answered {
                status: 429 | 500..,
            } => {
                state.rests_until = Some(Instant::now() + REST);
            }
            _ => {}
        }
    }

    /// Notes that it did what was asked.
    pub(super) fn note_good(&self) {
        self.state().rests_until = None;
    }

    /// Notes that it wants no request for some time.
    pub(super) fn note_away(&self, time: Duration) {
        self.state().away_until = Some(Instant::now() + time);
    }

    /// Notes that it has blocks, but no CAR files.
    pub(super) fn note_no_car(&self) {
        self.state().has_no_car = true;
    }

    pub(super) fn has_no_car(&self) -> bool {
        self.state().has_no_car
    }

    pub(super) fn lie(&self) -> Option<What> {
        self.state().lie.clone()
    }

    pub(super) fn is_resting(&self) -> bool {
        self.state()
            .rests_until
            .is_some_and(|until| until > Instant::now())
    }

    pub(super) fn away(&self) -> Option<Instant> {
        self.state()
            .away_until
            .filter(|until| *until > Instant::now())
    }
}
