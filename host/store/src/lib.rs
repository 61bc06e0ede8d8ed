//! Keeps blocks, receipts, pins and names.
//!
//! A [`Store`] is plain data behind a trait: [`Memory`] for tests and for what need not last. What it acknowledged
//! is there, and is what it was: a block is checked against its name when it is handed out. It fetches nothing,
//! runs nothing, and knows neither the time (it is told) nor what links a block has (it is given a function).
//!
//! ```
//! use homestar_core::ipld::Block;
//! use homestar_store::{Memory, Pin, Store};
//!
//! let store = Memory::new();
//! let (kept, other) = (Block::raw(b"kept".to_vec()), Block::raw(b"other".to_vec()));
//! store.put(&[kept.clone(), other.clone()])?;
//! store.pin(&Pin::recursive(*kept.cid(), "mine", 1_700_000_000_000))?;
//!
//! let collected = store.gc(&|_| vec![])?;
//! assert_eq!(collected.blocks, 1);
//! assert_eq!(store.get(kept.cid())?, Some(kept));
//! assert_eq!(store.get(other.cid())?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`Store`]: everything that a store does
//! - [`Record`], [`Recorded`]: receipts on the way in and out
//! - [`Pin`], [`Session`]: what keeps blocks from [`Store::gc`]
//! - [`StoreError`]: what goes wrong, and what to do about it

mod disk;
mod error;
mod key;
mod mark;
mod memory;
mod pin;
mod record;
mod report;
mod session;
mod store;

pub use disk::{Config, Disk, Io, IoFile, Lock, Mode, Os, Rebuilt};
pub use error::{Flaw, StoreError};
pub use mark::Links;
pub use memory::Memory;
pub use pin::{Depth, Pin};
pub use record::{Record, Recorded};
pub use report::{Collected, Damage, Stats, Verified};
pub use session::{Holder, Session};
pub use store::Store;
