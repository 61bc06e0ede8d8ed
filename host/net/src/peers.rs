//! Blocks from peers and for peers, over libp2p.
//!
//! ```text
//! Peers (handles) ──commands──→ Actor: owns the swarm, does what Seeker and Giver say
//!                                 ├──→ jobs: blocks are hashed and read there
//!                                 └──→ Swarm: QUIC, TCP; identify, ping, kad, Bitswap; limits
//! ```
//!
//! The actor is the only one that touches the swarm. It never waits: whatever takes time is a job, whose end it is told.
//! It runs on threads of its own, so a fetch can be waited for on any thread.

mod actor;
mod address;
mod deaf;
mod jobs;
mod network;
mod others;
mod redial;
mod settings;
mod status;
mod telling;

use std::fmt;
use std::sync::Arc;
use std::thread;

use homestar_core::ipld::{Block, Cid};
use homestar_core::key::SigningKey;
use libp2p::{Multiaddr, PeerId};
use thiserror::Error;
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, mpsc, oneshot};

pub use self::address::{PeerAddress, PeerAddressError};
pub use self::settings::PeersSettings;
pub use self::status::{PeerStatus, PeersStatus};

use self::actor::{Actor, Command};
use self::network::Network;
use crate::{BlockSource, Fetch, FetchError, Fetching};

/// Blocks that are wanted at one time: so many may be in memory, of 1 MiB at most each.
const WANTED_MAX: usize = 128;
/// Commands that wait for the actor. It takes them at once, so this is for the moment in which it is busy.
const COMMANDS_MAX: usize = 64;

/// What peers get of what is here.
#[derive(Clone, Debug)]
pub struct Served {
    /// For everybody.
    pub strangers: Arc<dyn BlockSource>,
    /// For those that the settings name as trusted.
    pub trusted: Arc<dyn BlockSource>,
}

/// A node among others: a cheap handle. The node ends when the last of its handles is dropped, or by
/// [`shutdown`](Self::shutdown).
#[derive(Clone)]
pub struct Peers {
    id: PeerId,
    commands: mpsc::Sender<Command>,
    /// What may still be wanted.
    wanted: Arc<Semaphore>,
}

impl Peers {
    /// Starts a node that is known by `key`, and returns when it listens.
    pub fn spawn(
        settings: PeersSettings,
        key: &SigningKey,
        served: Served,
    ) -> Result<Self, PeersError> {
        let network = Network::new(key)?;
        let id = network.id();
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(4)
            .thread_name("homestar-peers")
            .enable_io()
            .enable_time()
            .build()
            .map_err(PeersError::Threads)?;
        let (commands, received) = mpsc::channel(COMMANDS_MAX);
        let (ready, is_ready) = std::sync::mpsc::sync_channel(1);
        let run = move || {
            runtime.block_on(async {
                let started = Actor::start(network, settings, served, received).await;
                match started {
                    Ok(actor) => {
                        let _ = ready.send(Ok(()));
                        actor.run().await;
                    }
                    Err(error) => {
                        let _ = ready.send(Err(error));
                    }
                }
            });
            runtime.shutdown_background();
        };
        let builder = thread::Builder::new().name("homestar-peers".to_owned());
        builder.spawn(run).map_err(PeersError::Threads)?;
        is_ready.recv().unwrap_or(Err(PeersError::Ended))?;
        Ok(Self {
            id,
            commands,
            wanted: Arc::new(Semaphore::new(WANTED_MAX)),
        })
    }

    /// Who this node is.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// Says where it listens and who its peers are.
    pub async fn status(&self) -> Result<PeersStatus, PeersError> {
        self.ask(|answer| Command::Status { answer }).await
    }

    /// Connects to a peer, unless there is a connection.
    pub async fn connect(&self, address: PeerAddress) -> Result<(), PeersError> {
        let told = self
            .ask(|answer| Command::Connect { address, answer })
            .await?;
        told.map_err(|cause| PeersError::Unreachable { cause })
    }

    /// Tells others that this node has a block and what hangs on it, until it ends. What is told is found by who looks for
    /// providers; that nobody was there to be told is no error, it is told again.
    pub async fn provide(&self, cid: Cid) -> Result<(), PeersError> {
        self.ask(|answer| Command::Provide { cid, answer }).await
    }

    /// Ends the node in order: takes no more, lets messages go that are on their way, and closes its connections.
    pub async fn shutdown(self) {
        let _ = self.ask(|answer| Command::Shutdown { answer }).await;
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, PeersError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.commands.send(command(answer)).await;
        sent.map_err(|_| PeersError::Ended)?;
        answered.await.map_err(|_| PeersError::Ended)
    }

    async fn fetch(&self, cid: Cid) -> Result<Block, FetchError> {
        crate::fetch::check(&cid)?;
        let _permit = self.wanted.acquire().await;
        let want = |answer| Command::Want { cid, answer };
        self.ask(want).await.unwrap_or(Err(FetchError::Closed))
    }
}

impl Fetch for Peers {
    fn block<'a>(&'a self, cid: &'a Cid) -> Fetching<'a, Block> {
        Box::pin(self.fetch(*cid))
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peers({})", self.id)
    }
}

/// What is wrong with a node.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PeersError {
    /// Its key is of no use for others.
    #[error("the key can't be used among peers")]
    Key(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An address can't be listened on.
    #[error("can't listen on {address}")]
    Listen {
        /// The address.
        address: Multiaddr,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Its threads can't be started.
    #[error("the node's threads can't be started")]
    Threads(#[source] std::io::Error),
    /// A peer can't be reached.
    #[error("can't be reached: {cause}")]
    Unreachable {
        /// Why, for each of its addresses.
        cause: String,
    },
    /// It has ended.
    #[error("the node has ended")]
    Ended,
}

#[cfg(test)]
mod tests;
