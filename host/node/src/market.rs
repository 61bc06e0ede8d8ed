//! Tasks that run here for others, and tasks that run elsewhere for who is here.
//!
//! ```text
//! Errands: what is wanted ──→ Requester ─┐                  ┌─ Executor ←── Worker ──→ Workshop: may it? ──→ Order: run it
//!     ↑                        Award with the invocation ──→│                 ↑              (whoever has an engine)
//!     └── the receipt, checked ←────── Answer ──────────────┘                 │
//!     Lent: what the task links to ──blocks──→ the one who was given it       └── Lent: the receipt and what it links to
//! ```
//!
//! The rules are those of [`homestar_core::market`]; here are the threads, the messages and the clock. Each side has one thread that
//! owns its machine, and is told everything by a queue with bounds.

mod announced;
mod announcer;
mod clock;
mod ears;
mod errands;
mod lent;
mod letters;
mod worker;

pub use self::errands::{Errand, Errands, Invoke, NotRun, Ran};
pub use self::lent::Lent;
pub use self::worker::{Admitted, Broken, Order, Worker, Workshop};

pub(crate) use self::announced::Announced;
pub(crate) use self::ears::Ears;
pub(crate) use self::letters::Mailbox;
