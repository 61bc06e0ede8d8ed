//! How a task comes to another machine, and its receipt back.
//!
//! ```text
//! requester                          executors
//!     │── Ask: what, how much, with which content ──→ some of them
//!     │←─────────── Bid: when, at what price ────────│   or Refuse: why, when again, who may be better
//!     │── Award, with the invocation ──→ the best
//!     │←──────────── Lease ─────────────│               or Gone: why
//!     │←────────── Heartbeat ───────────│   again and again, answered by Renew or by Cancel
//!     │←─ Answer: the signed receipt ───│
//!     │────────────── Ack ─────────────→│
//! ```
//!
//! Both sides are machines that do nothing themselves: a [`Requester`] and an [`Executor`] are told what happened and the
//! time, and say what is to be done. Messages may be lost, come twice, late or in any order; whoever sends them may crash
//! or lie. What holds all the same, and is simulated with hundreds of nodes:
//!
//! - Every task of a requester that lives ends: with a receipt, or with the reason why not.
//! - A receipt is used only if it is about that instruction and signed by who was chosen to run it, or by somebody trusted.
//! - A pure task is given to somebody else when a lease runs out. One that reaches the outside begins at most once: it is
//!   given to somebody else only by who says that it hasn't begun there and never will.
//! - Requesters share an executor by what their tasks use, so one with many tasks doesn't keep out another.
//! - What others can make either side keep has a bound. Who asks for more is refused, and told when to ask again.
//!
//! A bid is a number that is good once. That is the fence: an award that comes late or twice finds no bid, and does nothing.
//! The invocation travels with the award and not before, so of those who are asked only the one who is chosen learns the
//! arguments, and only that one may run it.

mod announcement;
mod bids;
mod choice;
mod executor;
mod fair;
mod message;
mod numbers;
mod requester;
mod workers;

pub use self::announcement::{ANNOUNCEMENT_BYTES_MAX, Announcement, AnnouncementError, Room};
pub use self::executor::{
    Admission, Executor, ExecutorInput, ExecutorSettings, ExecutorStep, House, Unwilling,
};
pub use self::fair::{FairQueue, Full};
pub use self::message::{
    Answer, Ask, Award, Bid, Content, Gone, MESSAGE_BYTES_MAX, Message, MessageError, Reason,
    Refusal,
};
pub use self::requester::{
    Judge, Offer, Requester, RequesterInput, RequesterSettings, RequesterStep, Said, Signatures,
    Unrun,
};
pub use self::workers::{Worker, Workers};
