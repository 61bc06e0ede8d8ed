//! Keeps blocks, receipts, pins and names.
//!
//! ```text
//!            engine's outputs, files, what peers sent        what is asked for again
//!                      │                                            ↑
//!                      ↓ put, stage, record           get, receipts_of │
//!  ┌─ Store ───────────────────────────────────────────────────────────┐
//!  │  blocks by multihash ←── receipts by instruction, pins, names     │
//!  │                          sessions: who is at work                 │
//!  └────────────────────────── gc: what nothing leads to ──────────────┘
//!       Memory: as long as it is held      Disk: a folder, for several processes at once
//! ```
//!
//! A [`Store`] is plain data behind a trait: [`Memory`] for tests and for what need not last, [`Disk`] for everything
//! else. What it acknowledged is there after any crash, and is what it was: a block is checked against its name when it
//! is handed out. A store fetches nothing, runs nothing, prints nothing, and knows neither the time (it is told) nor what
//! links a block has (it is given a function).
//!
//! ```
//! use homestar_core::ipld::{Block, Cid, Ipld};
//! use homestar_store::{Config, Disk, Pin, Store};
//!
//! // What a block links to; here of lists, which is all that there is.
//! fn links(block: &Block) -> Vec<Cid> {
//!     match block.decode() {
//!         Ok(Ipld::List(items)) => items.iter().filter_map(|item| match item {
//!             Ipld::Link(cid) => Some(*cid),
//!             _ => None,
//!         }).collect(),
//!         _ => vec![],
//!     }
//! }
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("store");
//! let store = Disk::open(&path, Config::default())?;
//! {
//!     // Whoever puts something now and points to it later does both within a session.
//!     let _session = store.session()?;
//!     let leaf = Block::raw(b"a leaf".to_vec());
//!     let root = Block::of_dag_cbor(&[*leaf.cid()])?;
//!     store.put(&[leaf, root.clone()])?;
//!     store.pin(&Pin::recursive(*root.cid(), "mine", 1_700_000_000_000))?;
//! }
//! let other = Block::raw(b"nobody's".to_vec());
//! store.put(&[other.clone()])?;
//!
//! let collected = store.gc(&links)?;
//! assert_eq!((collected.blocks, collected.kept), (1, 2));
//! assert_eq!(store.get(other.cid())?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`Store`]: everything that a store does
//! - [`Record`], [`Recorded`]: receipts on the way in and out
//! - [`Pin`], [`Session`]: what keeps blocks from [`Store::gc`]
//! - [`StoreError`]: what goes wrong, and what to do about it
//! - [`Io`]: the files under a [`Disk`], so that tests can let them crash

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
