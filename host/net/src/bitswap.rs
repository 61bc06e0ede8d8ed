//! Bitswap 1.2, which peers of IPFS speak: who wants blocks says so, and who has them sends them.
//!
//! ```text
//!            Seeker: what we want, whom to ask          Giver: what others want of us
//!                 ↑ ↓  steps                                 ↑ ↓  steps
//! whoever drives both (the actor of `peers`): sends, reads blocks, verifies, connects
//!                 ↑ ↓  messages
//!            Behaviour ←→ Handler, one for each connection ←→ streams
//! ```
//!
//! [`Seeker`] and [`Giver`] do no I/O and know no time but what they are told.

mod behaviour;
mod giver;
mod handler;
mod message;
mod seeker;

pub(crate) use self::behaviour::{Behaviour, Event};
pub(crate) use self::giver::{Answer, Asked, Giver, GiverStep};
pub(crate) use self::handler::Sender;
pub(crate) use self::message::{Message, Payload, Prefix};
pub(crate) use self::seeker::{Checked, Seeker, SeekerSettings, SeekerStep, Ticket};
