//! Introduces engine, store and net to each other.
//!
//! ```text
//! files, folders ──→ import ──→ Store ──→ export ──→ files, folders
//!                                 ↕ Source
//!                               Fetch ←── others
//! ```
//!
//! A [`Source`] is the one place where blocks are read: from the store, and from elsewhere if the store doesn't have
//! them, which then has them too. Everything that reads data by content reads through it.
//!
//! A [`Run`] drives a schedule: it looks for receipts, has tasks run by whoever can ([`Execute`]), and records what
//! comes of them.
//!
//! This room reads and writes the files that it is told to, and no others. It prints nothing and doesn't read the
//! environment.
//!
//! - [`Reference`], [`ContentPath`]: how people name data
//! - [`Source`], [`SourceError`]: blocks from here or elsewhere
//! - [`Content`]: the same, for tasks
//! - [`Node`], [`Shared`]: a node among others, and what it gives them
//! - [`Run`], [`Execute`], [`RunRecord`], [`Events`]: workflows at work
//! - [`Manager`], [`Prepared`], [`RunTasks`], [`Fault`]: workflows that a node runs since it is asked to
//! - [`Elsewhere`], [`Believed`], [`Heard`]: receipts of others, and whose count
//! - [`Worker`], [`Errands`]: tasks that are run for others, and by others
//! - [`seen`]: invocations that were carried out
//! - [`Tokens`]: delegations and revocations that are kept

mod api;
mod blocks;
mod content;
mod dag;
mod elsewhere;
mod export;
mod facts;
mod follow;
mod heard;
mod import;
mod market;
mod missing;
mod node;
mod read;
mod reference;
mod run;
mod runs;
pub mod seen;
mod shared;
mod staging;
mod tokens;

pub use self::api::{Fault, FaultKind, command_of};
pub use self::blocks::{Source, SourceError};
pub use self::content::Content;
pub use self::dag::{FromCar, ReadCarError, WriteCarError, gc, pin, read_car, write_car};
pub use self::elsewhere::{Believed, Elsewhere, Refusal, Way};
pub use self::export::{ExportError, Exported, export};
pub use self::heard::Heard;
pub use self::import::{ImportError, ImportOptions, Importer, Watch};
pub use self::market::{
    Admitted, Broken, Errand, Errands, Invoke, Lent, NotRun, Order, Ran, Worker, Workshop,
};
pub use self::node::{ApiConfig, Node, NodeConfig, NodeError};
pub use self::read::{CopyError, FileStream, Held, Kind, Look, ReadError, links_of};
pub use self::reference::{ContentPath, Reference, ReferenceError};
pub use self::run::{
    Canceller, Ended, Events, Execute, Executed, News, OpenRun, OpenRunError, Run, RunEnd, RunLock,
    RunRecord, RunRecordError, RunTask, Sharing, Stops, Trouble, Work, now_ms,
};
pub use self::runs::{
    Manager, Prepared, ResultsError, RunTasks, is_of_others, labelled, scheduling,
};
pub use self::shared::{Kept, Shared, share, share_receipts, shared, shared_receipts, unshare};
pub use self::tokens::{KeepError, KeptTokens, Token, Tokens, TokensError};

pub use homestar_net::{
    AuthoritiesError, BlockSource, DownloadUrl, DownloadUrlError, Downloads, DownloadsSettings,
    Fetch, Gateway, GatewayError, GatewayServer, Gateways, GatewaysSettings, InTurn, Listener,
    LocalNode, Multiaddr, NodeUrlError, PeerAddress, PeerAddressError, PeerId, Peers, PeersError,
    PeersSettings, PeersStatus, Poster, RemoteNode, Said, Served, ServerError, ServerSettings,
    SourceError as ServeError, Told, What, did_of, peer_of, wait_for,
};
pub use homestar_store::{
    Collected, Config as StoreConfig, Depth, Disk, Memory, Pin, Record, Recorded, Store, StoreError,
};
