//! Whole DAGs between Homestars: one asks for them, and the blocks come on one stream, one after the other.
//!
//! ```text
//! who asks                                      who gives
//! roots and a scope           ──────────→       reads blocks in the order of a walk, as a gateway does
//! Walk: is it the next? kept  ←──────────       sections as in a CAR file, a zero, and whether there may be more
//! ```
//!
//! Bitswap asks for each block by its name. Here what is asked for are roots, so a DAG of any depth takes one question, and nobody
//! speaks of single blocks. Who gives leaves out what it doesn't have, or what isn't for whoever asks. That, and what was to come when
//! a stream broke off, is still ahead on the walk of who asked: it asks again for just that, here or elsewhere.
//!
//! - `behaviour` and `handler` open streams, and take those of others
//! - `request` is the question
//! - `give` answers it, `take` reads the answer
//! - `whole` decides whom to ask for what, until all is there

mod behaviour;
mod give;
mod handler;
mod request;
mod take;
mod whole;

pub(super) use self::behaviour::{Behaviour, Event, Opened};
pub(super) use self::give::{Gave, give};
pub(super) use self::handler::{NoStream, PROTOCOL};
pub(super) use self::whole::{Asked, DagGiver, Whole, whole};
