//! What an executor is told, and what it says.

use std::time::Duration;

use super::super::message::{Ask, Award, Message, Reason, Refusal};
use crate::ipld::Cid;
use crate::ucan::Did;

/// What an operator decides, and what is here.
pub trait House {
    /// Would a task be run for that requester, if there is room? If so, says how many bytes of its content aren't here.
    ///
    /// Who the requester is is proven later. This is so that others needn't try.
    fn would(&self, ask: &Ask) -> Result<u64, Unwilling>;

    /// Who may be better, if there is no room here.
    fn better(&self, ask: &Ask) -> Vec<Did>;
}

/// Why a task would not be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwilling {
    /// Why.
    pub reason: Reason,
    /// Why, for people.
    pub words: String,
}

/// An invocation that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Who asks.
    pub requester: Did,
}

/// How much an executor takes on.
#[derive(Clone, Debug)]
pub struct ExecutorSettings {
    /// Tasks that run at a time.
    pub jobs: usize,
    /// Bytes of memory for all of them.
    pub memory: u64,
    /// Tasks that wait.
    pub waiting: usize,
    /// Tasks of one requester that wait.
    pub waiting_each: usize,
    /// Bids that are open.
    pub bids: usize,
    /// Bids that are open to one peer.
    pub bids_each: usize,
    /// How long a bid is good.
    pub bid: Duration,
    /// How long a lease lasts: a third of it after each sign of life comes the next.
    pub lease: Duration,
    /// After which silence nobody waits for a task any more.
    pub silence: Duration,
    /// What a second of a task costs.
    pub price: u64,
    /// What random numbers follow from. Each life of an executor has another one.
    pub seed: u64,
}

impl Default for ExecutorSettings {
    fn default() -> Self {
        Self {
            jobs: 1,
            memory: 4 << 30,
            waiting: 256,
            waiting_each: 64,
            bids: 1024,
            bids_each: 128,
            bid: Duration::from_secs(10),
            lease: Duration::from_secs(15),
            silence: Duration::from_secs(60),
            price: 0,
            seed: 0,
        }
    }
}

/// What an executor is told.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "most of what it is told are messages"
)]
pub enum ExecutorInput {
    /// A message came.
    Received(Did, Message),
    /// An invocation was checked.
    Admitted {
        /// By its bid.
        bid: u64,
        /// Who asks, or why it doesn't hold.
        admission: Result<Admission, Refusal>,
    },
    /// A task has ended.
    Ended {
        /// Which.
        instruction: Cid,
        /// Its receipt.
        receipt: Cid,
        /// The receipt's bytes.
        bytes: Vec<u8>,
        /// How long it took.
        took: Duration,
    },
    /// A task couldn't be run, or was stopped. There is no receipt.
    Broke {
        /// Which.
        instruction: Cid,
        /// Whether it may have reached the outside.
        begun: bool,
        /// Why, for people.
        words: String,
    },
    /// A task was stopped, as [`ExecutorStep::Stop`] asked. There is no receipt.
    Stopped {
        /// Which.
        instruction: Cid,
        /// Whether it may have reached the outside.
        begun: bool,
        /// How long it took until then.
        took: Duration,
    },
    /// A message didn't arrive, or nothing can be said to somebody any more.
    Unreached(Did),
    /// Nothing more is run here.
    Close,
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum ExecutorStep {
    /// Say something to somebody.
    Tell(Did, Message),
    /// Check the invocation that comes with an award, and say so by [`ExecutorInput::Admitted`].
    Admit {
        /// Whose award.
        from: Did,
        /// The question that was answered by the bid.
        ask: Ask,
        /// The award.
        award: Award,
    },
    /// Run a task. If it isn't pure, note durably that it begins, before it does.
    Start {
        /// Which.
        instruction: Cid,
        /// Whose invocation counts.
        bid: u64,
        /// Who has a lease on it.
        peer: Did,
        /// Whether it is pure, as its requester says.
        pure: bool,
    },
    /// Nobody waits for a task that runs: end it, and say so by [`ExecutorInput::Stopped`], unless it has ended meanwhile.
    Stop(Cid),
}
