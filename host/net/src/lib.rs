//! Blocks from elsewhere, and to elsewhere.
//!
//! ```text
//! who needs a block ──→ Fetch ──→ Gateways ──→ others' gateways       (HTTP, trustless)
//!                           ├───→ Peers ──→ others' nodes             (Bitswap over libp2p)
//! who has a URL     ──→ Downloads ──→ any server                    (HTTPS, trusted by its certificate)
//! others ──→ GatewayServer ──→ BlockSource ──→ whoever keeps the blocks
//! ```
//!
//! [`Fetch`] is what the rest of Homestar sees of other machines: a CID goes in, and the block that it names comes out, or
//! an error that says who was asked and what each did. [`Gateways`] does it with the
//! [trustless gateways](https://specs.ipfs.tech/http-gateways/trustless-gateway/) of IPFS, and [`GatewayServer`] is one.
//! [`Peers`] is a node among others, which speaks [Bitswap](https://specs.ipfs.tech/bitswap-protocol/) with them: it fetches
//! what they have and gives them what is theirs to have.
//!
//! [`Downloads`] is for files that have a place, a URL, and no name by content until somebody has read them.
//!
//! Nobody is trusted: what is handed on has the hash that was asked for, and of a whole DAG only what hangs on its root.
//! Nothing is kept here either. This crate holds no store, decides on no grants, and never prints.
//!
//! ```
//! use std::sync::Arc;
//! use homestar_core::ipld::{Block, Cid};
//! use homestar_net::{BlockSource, Fetch, Gateway, Gateways, GatewaysSettings, GatewayServer, ServerSettings};
//! use homestar_net::{SourceError, wait};
//!
//! #[derive(Debug)]
//! struct One(Block);
//!
//! impl BlockSource for One {
//!     fn get(&self, cid: &Cid) -> Result<Option<Block>, SourceError> {
//!         Ok((cid == self.0.cid()).then(|| self.0.clone()))
//!     }
//! }
//!
//! let block = Block::raw(b"hello".to_vec());
//! let (address, server) = GatewayServer::spawn(ServerSettings::default(), Arc::new(One(block.clone())))?;
//!
//! let gateway = Gateway::parse(&format!("http://{address}"))?;
//! let gateways = Gateways::new(GatewaysSettings { gateways: vec![gateway], ..Default::default() })?;
//! assert_eq!(wait(gateways.block(block.cid()))?, block);
//! server.shutdown();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`Fetch`], [`InTurn`], [`wait`], [`wait_for`], [`FetchError`], [`Fault`], [`What`]: blocks from elsewhere, and what went wrong
//! - [`Scope`], [`EntityBytes`], [`Walk`]: which part of a DAG, and the order in which its blocks come
//! - [`Gateways`], [`GatewaysSettings`], [`Gateway`]: by HTTP
//! - [`Downloads`], [`DownloadsSettings`], [`DownloadUrl`], [`Download`]: files that have no name by content yet
//! - [`Poster`]: bytes to where the operator wants them
//! - [`Peers`], [`PeersSettings`], [`PeerAddress`], [`Served`], [`PeersStatus`]: by libp2p
//! - [`Listener`], [`Topic`], [`Verdict`]: what else peers say, to one and to all
//! - [`GatewayServer`], [`ServerSettings`], [`BlockSource`]: for others
//! - [`Api`], [`ApiHead`], [`Ticket`], [`ApiRequest`], [`ApiAnswer`], [`Feed`], [`Rates`]: what else a server answers, and whom
//! - [`LocalNode`], [`RemoteNode`], [`Said`], [`Told`]: nodes as their owners' programs ask them

mod authorities;
mod bitswap;
mod client;
mod downloads;
mod error;
mod fetch;
mod gateways;
mod in_turn;
mod local;
mod peers;
mod place;
mod post;
mod scope;
mod sections;
mod server;
mod side;
mod sift;
mod threads;
mod walk;

pub use self::authorities::AuthoritiesError;
pub use self::downloads::{Download, DownloadUrl, DownloadUrlError, Downloads, DownloadsSettings};
pub use self::error::{Fault, FetchError, What};
pub use self::fetch::{Fetch, Fetching, wait, wait_for, wait_until};
pub use self::gateways::{Gateway, GatewayError, Gateways, GatewaysSettings, Standing};
pub use self::in_turn::InTurn;
pub use self::local::{LocalNode, NodeUrlError, RemoteNode, Said, Told};
pub use self::peers::{
    Candidate, Counts, GOSSIP_BYTES_MAX, Hint, LOOKUP_MAX, Listener, MESSAGE_BYTES_MAX,
    PeerAddress, PeerAddressError, PeerStatus, Peers, PeersError, PeersSettings, PeersStatus,
    RECEIPTS_OF_ONE_MAX, Reached, Served, Topic, Verdict, did_of, peer_of,
};
pub use self::post::Poster;
pub use self::scope::{EntityBytes, Scope, ScopeError};
pub use self::server::{
    Answer, Api, ApiAnswer, ApiHead, ApiRequest, BlockSource, Caller, Feed, GatewayServer, Rates,
    ServerError, ServerSettings, SourceError, Ticket,
};
pub use self::walk::{Given, Walk, WalkError};
pub use libp2p::{Multiaddr, PeerId};
