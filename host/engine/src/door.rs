//! The one door between a task and the outside.
//!
//! Everything that isn't deterministic enters here, as the answer to a driver call. The door numbers the calls,
//! counts them, and writes each with its answer into the task's trace. An answer is handed over only while the whole
//! guest waits, one at a time, so what the guest sees depends on the order of the answers and on nothing else. With
//! a trace in its place the same door plays the answers back, and the task can't tell the difference.

mod live;
mod replay;

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use homestar_core::ipld::{Block, Ipld};
use homestar_core::trace::{self, Events};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::drivers::Lane;
use crate::stop::Deadline;

pub(crate) use live::Live;
pub(crate) use replay::{Divergence, Replay};

/// The passage of one task. Clones share it.
#[derive(Clone)]
pub(crate) struct Door(Arc<Mutex<State>>);

struct State {
    side: Side,
    budget: Budget,
    /// Number of the next call.
    next: u64,
    /// Calls whose answers were not handed over.
    asked: BTreeMap<u64, Asked>,
}

/// What is on the other side.
enum Side {
    Live(Live),
    Replay(Replay),
}

/// A call that waits for its answer, or whose answer waits to be fetched.
struct Asked {
    by: u32,
    name: &'static str,
    /// As they stand in a trace.
    args: Vec<u8>,
    waker: Option<Waker>,
    answer: Option<Answer>,
}

/// An answer on its way into the task.
enum Answer {
    /// As the driver gave it.
    Value(Box<dyn Any + Send>),
    /// As it stands in a trace.
    Written(Ipld),
    /// None, because it can't be written down.
    Failed(wasmtime::Error),
}

/// What a task may ask, in all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) calls: u64,
    pub(crate) bytes: u64,
}

/// Calls beyond the budget that are answered by saying so. A guest that goes on asking is ended.
const CALLS_OVER: u64 = 1000;

/// The task asked for more than it may, and went on when it was told so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("made more than {0} driver calls, or moved more bytes by them than it may")]
pub(crate) struct OverBudget(pub(crate) u64);

/// What to do when the whole guest waits.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// An answer was handed over.
    Answered,
    /// Time passed until this many nanoseconds since the task began.
    Slept(u64),
    /// Nobody was asked anything.
    Nothing,
    /// It took too long.
    TimedOut,
}

impl Door {
    pub(crate) fn live(live: Live, budget: Budget) -> Self {
        Self::new(Side::Live(live), budget)
    }

    pub(crate) fn replay(replay: Replay) -> Self {
        let budget = Budget {
            calls: u64::MAX,
            bytes: u64::MAX,
        };
        Self::new(Side::Replay(replay), budget)
    }

    fn new(side: Side, budget: Budget) -> Self {
        Self(Arc::new(Mutex::new(State {
            side,
            budget,
            next: 0,
            asked: BTreeMap::new(),
        })))
    }

    /// Says why the next call may not be made any more, if the budget is used up. In a replay it never is: what was
    /// answered then is in the trace.
    pub(crate) fn over_budget(&self) -> Option<String> {
        let state = self.lock();
        let Side::Live(live) = &state.side else {
            return None;
        };
        let Budget { calls, bytes } = state.budget;
        if state.next >= calls {
            return Some(format!("the task's {calls} driver calls are used up"));
        }
        (live.bytes() >= bytes)
            .then(|| format!("the task's {bytes} bytes of driver calls are used up"))
    }

    /// Returns how many calls were made, and how many bytes they moved as far as they were answered.
    pub(crate) fn asked_before(&self) -> (u64, u64) {
        let state = self.lock();
        let bytes = match &state.side {
            Side::Live(live) => live.bytes(),
            Side::Replay(_) => 0,
        };
        (state.next, bytes)
    }

    /// Returns the number of the call that is made next.
    pub(crate) fn next_number(&self) -> u64 {
        self.lock().next
    }

    /// Counts bytes that a call moves and the trace doesn't hold.
    pub(crate) fn count(&self, bytes: u64) {
        if let Side::Live(live) = &mut self.lock().side {
            live.count(bytes);
        }
    }

    /// Asks what is answered at once. `work` is not called in a replay.
    pub(crate) fn ask_now<A, R>(
        &self,
        by: u32,
        name: &'static str,
        args: &A,
        work: impl FnOnce() -> R,
    ) -> wasmtime::Result<R>
    where
        A: Serialize,
        R: Serialize + DeserializeOwned,
    {
        let mut state = self.lock();
        let number = state.number()?;
        match &mut state.side {
            Side::Live(live) => live.ask_now(number, by, name, args, work),
            Side::Replay(replay) => {
                let args = replay::read(&replay::written(args)?);
                let answer = replay.answer_now(number, by, name, &args)?;
                Ok(replay.read(answer)?)
            }
        }
    }

    /// Asks what takes its time. `work` gets the number of the call and where it goes on, and doesn't run in a replay.
    pub(crate) fn ask<A, R, F>(
        &self,
        by: u32,
        name: &'static str,
        args: &A,
        work: impl FnOnce(u64, &Lane) -> F,
    ) -> wasmtime::Result<Answered<R>>
    where
        A: Serialize,
        R: Serialize + DeserializeOwned + Send + 'static,
        F: Future<Output = R> + Send + 'static,
    {
        let mut state = self.lock();
        let number = state.number()?;
        let args = match &mut state.side {
            Side::Live(live) => {
                let args = live.written(args)?;
                live.start(number, |lane| work(number, lane))?;
                args
            }
            Side::Replay(_) => replay::written(args)?,
        };
        let asked = Asked {
            by,
            name,
            args,
            waker: None,
            answer: None,
        };
        state.asked.insert(number, asked);
        Ok(Answered {
            door: self.clone(),
            number,
            of: std::marker::PhantomData,
        })
    }

    /// Waits until one answer is there and hands it over; called while the whole guest waits. Something that sleeps
    /// is due at `due` (nanoseconds since the task began), which is `after` from now.
    pub(crate) fn wait(
        &self,
        due: Option<(u64, Duration)>,
        deadline: &Deadline,
    ) -> Result<Waited, Divergence> {
        let mut state = self.lock();
        if state.asked.values().all(|asked| asked.answer.is_some()) {
            return Ok(Waited::Nothing);
        }
        let State { side, asked, .. } = &mut *state;
        let waited = match side {
            Side::Live(live) => live.wait(asked, due, deadline),
            Side::Replay(replay) => replay.wait(asked)?,
        };
        let woken = match waited {
            (Waited::Answered, number) => state
                .asked
                .get_mut(&number)
                .and_then(|asked| asked.waker.take()),
            _ => None,
        };
        drop(state);
        if let Some(waker) = woken {
            waker.wake();
        }
        Ok(waited.0)
    }

    /// Returns what was heard, with the blocks of long byte strings; calls that nobody waited for come last.
    pub(crate) fn finish(&self) -> Result<Heard, Divergence> {
        let mut state = self.lock();
        let asked = std::mem::take(&mut state.asked);
        let left = asked
            .into_iter()
            .filter(|(_, asked)| asked.answer.is_none());
        match &mut state.side {
            Side::Live(live) => Ok(live.finish(left)),
            Side::Replay(replay) => replay.finish(left).map(|()| Heard::default()),
        }
    }

    /// The state is consistent between any two statements, so a panic while it was locked does not matter.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Returns the number of a new call.
    fn number(&mut self) -> Result<u64, OverBudget> {
        let Budget { calls, bytes } = self.budget;
        let moved = match &self.side {
            Side::Live(live) => live.bytes(),
            Side::Replay(_) => 0,
        };
        if self.next >= calls.saturating_add(CALLS_OVER) || moved / 2 > bytes {
            return Err(OverBudget(calls));
        }
        let number = self.next;
        self.next += 1;
        Ok(number)
    }
}

/// What a task heard, and the blocks of long byte strings.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) events: Events,
    pub(crate) blocks: Vec<Block>,
}

/// The answer to a call, when it comes.
pub(crate) struct Answered<R> {
    door: Door,
    number: u64,
    of: std::marker::PhantomData<fn() -> R>,
}

impl<R: DeserializeOwned + 'static> Future for Answered<R> {
    type Output = wasmtime::Result<R>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.door.lock();
        let State { side, asked, .. } = &mut *state;
        let Some(call) = asked.get_mut(&self.number) else {
            return Poll::Ready(Err(wasmtime::format_err!("an answer was fetched twice")));
        };
        let Some(answer) = call.answer.take() else {
            call.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        asked.remove(&self.number);
        let value = match (answer, side) {
            (Answer::Value(value), _) => match value.downcast() {
                Ok(value) => Ok(*value),
                Err(_) => Err(wasmtime::format_err!("an answer of another type")),
            },
            (Answer::Failed(error), _) => Err(error),
            (Answer::Written(written), Side::Replay(replay)) => Ok(replay.read(written)?),
            (Answer::Written(_), Side::Live(_)) => Err(wasmtime::format_err!(
                "an answer from a trace while the outside is there"
            )),
        };
        Poll::Ready(value)
    }
}

/// Writes a value as it stands in a trace, in place of what is in `into`. Long byte strings become blocks of their own.
fn write(
    value: &(impl Serialize + ?Sized),
    into: &mut Vec<u8>,
    keep: &mut impl FnMut(Block),
) -> wasmtime::Result<()> {
    trace::write(value, into, keep)
        .map_err(|error| wasmtime::format_err!("a driver call can't be written: {error}"))
}
