//! Blocks from peers and for peers, over libp2p.
//!
//! ```text
//! Peers (handles) ──commands──→ Actor: owns the swarm, does what Seeker and Giver say
//!                                 ├──→ jobs: blocks are hashed and read there
//!                                 └──→ Swarm: QUIC, TCP; identify, ping, kad, Bitswap, messages, gossip; limits
//! ```
//!
//! The actor is the only one that touches the swarm. It never waits: whatever takes time is a job, whose end it is told.
//! It runs on threads of its own, so a fetch can be waited for on any thread.

mod actor;
mod address;
mod dags;
mod deaf;
mod direct;
mod frame;
mod gossip;
mod jobs;
mod judged;
mod listener;
mod lookup;
mod network;
mod others;
mod outbox;
mod providers;
mod receipts;
mod redial;
mod relays;
mod score;
mod settings;
mod status;
mod telling;
mod who;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;

use homestar_core::ipld::{Block, Cid, Link};
use homestar_core::key::SigningKey;
use homestar_core::receipt::Receipt;
use homestar_core::task::Instruction;
use libp2p::{Multiaddr, PeerId};
use thiserror::Error;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Semaphore, mpsc, oneshot};

pub use self::address::{PeerAddress, PeerAddressError};
pub use self::listener::{GOSSIP_BYTES_MAX, Listener, MESSAGE_BYTES_MAX, Topic, Verdict};
pub use self::lookup::{LOOKUP_MAX, RECEIPTS_OF_ONE_MAX};
pub use self::receipts::{Candidate, Hint};
pub use self::settings::PeersSettings;
pub use self::status::{Counts, PeerStatus, PeersStatus, Reached};
pub use self::who::{did_of, peer_of};

use self::actor::{Actor, Command};
use self::dags::{Asked, DagGiver, NoStream, Opened, Whole};
use self::lookup::{Names, Ran};
use self::network::Network;
use self::outbox::Letter;
use crate::threads::Job;
use crate::{BlockSource, Fetch, FetchError, Fetching, Walk, What, side};

/// Blocks that are wanted at one time: so many may be in memory, of 1 MiB at most each.
const WANTED_MAX: usize = 128;
/// Blocks of DAGs that came and weren't taken yet.
const UNTAKEN_MAX: usize = 8;
/// Messages to single peers that aren't delivered yet: of 64 KiB at most each.
const LETTERS_MAX: usize = 256;
/// Searches for providers that somebody waits for. Each asks some dozen peers.
const SEARCHES_MAX: usize = 16;
/// Commands that wait for the actor. It takes them at once, so this is for the moment in which it is busy.
const COMMANDS_MAX: usize = 64;

/// What peers get of what is here, and who hears what they say.
#[derive(Clone, Debug)]
pub struct Served {
    /// For everybody.
    pub strangers: Arc<dyn BlockSource>,
    /// For those that the settings name as trusted.
    pub trusted: Arc<dyn BlockSource>,
    /// Who takes messages and looks at gossip. Without it there is neither.
    pub listener: Option<Arc<dyn Listener>>,
}

/// A node among others: a cheap handle. The node ends when the last of its handles is dropped, or by
/// [`shutdown`](Self::shutdown).
#[derive(Clone)]
pub struct Peers {
    id: PeerId,
    commands: mpsc::Sender<Command>,
    threads: Handle,
    /// What may still be wanted.
    wanted: Arc<Semaphore>,
    letters: Arc<Semaphore>,
    searches: Arc<Semaphore>,
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
        let threads = runtime.handle().clone();
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
            threads,
            wanted: Arc::new(Semaphore::new(WANTED_MAX)),
            letters: Arc::new(Semaphore::new(LETTERS_MAX)),
            searches: Arc::new(Semaphore::new(SEARCHES_MAX)),
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

    /// Returns who says that it provides a block, some of them and at most `max`, and begins to connect to them. It takes as
    /// long as those take who are asked.
    pub async fn providers(&self, cid: Cid, max: usize) -> Result<Vec<PeerId>, PeersError> {
        let _permit = self.searches.acquire().await;
        let search = |answer| Command::Providers { cid, max, answer };
        self.ask(search).await
    }

    /// Sends a message to a peer, of at most [`MESSAGE_BYTES_MAX`], and returns when it has it. A connection is made if there is
    /// none. Messages may arrive in another order, and of one that failed it may be unknown whether it arrived.
    pub async fn tell(&self, peer: PeerId, message: Vec<u8>) -> Result<(), PeersError> {
        check_size(&message, MESSAGE_BYTES_MAX)?;
        let _permit = self.letters.acquire().await;
        let letter = |answer| Command::Tell {
            peer,
            letter: Letter { message, answer },
        };
        self.ask(letter).await?
    }

    /// Sends a message as [`tell`](Self::tell) does, without waiting. `then` is told what came of it, on a thread that must not be
    /// held up.
    pub fn send(
        &self,
        peer: PeerId,
        message: Vec<u8>,
        then: impl FnOnce(Result<(), PeersError>) + Send + 'static,
    ) {
        let peers = self.clone();
        let sent = async move { then(peers.tell(peer, message).await) };
        self.threads.spawn(sent);
    }

    /// Tells all who follow a topic, by way of those of them who are connected. The message has at most [`GOSSIP_BYTES_MAX`].
    /// What was said within the last minute isn't said again.
    pub async fn publish(&self, topic: Topic, message: Vec<u8>) -> Result<(), PeersError> {
        check_size(&message, GOSSIP_BYTES_MAX)?;
        let publish = |answer| Command::Publish {
            topic,
            message,
            answer,
        };
        self.ask(publish).await?
    }

    /// Asks a peer which receipts it has of these instructions, of which there may be [`LOOKUP_MAX`], and would give. For each it
    /// names [`RECEIPTS_OF_ONE_MAX`] at most. Nothing of it is checked.
    pub async fn receipts_of(
        &self,
        peer: PeerId,
        ran: Vec<Link<Instruction>>,
    ) -> Result<Vec<Vec<Link<Receipt>>>, PeersError> {
        let count = ran.len();
        let _permit = self.searches.acquire().await;
        let lookup = |answer| Command::Receipts {
            peer,
            ran: Ran(ran),
            answer,
        };
        let Names(mut names) = self.ask(lookup).await??;
        names.truncate(count);
        names.resize(count, Vec::new());
        Ok(names)
    }

    /// Says that a peer sent nonsense, or what others have signed and is none of theirs. Its score falls; after some of it, it
    /// isn't spoken to for a while.
    pub async fn blame(&self, peer: PeerId) -> Result<(), PeersError> {
        self.ask(|answer| Command::Blame { peer, answer }).await
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
        self.find(cid).await.map(|(_, block)| block)
    }

    /// Fetches a block, and says who gave it.
    async fn find(&self, cid: Cid) -> Result<(PeerId, Block), FetchError> {
        crate::fetch::check(&cid)?;
        let _permit = self.wanted.acquire().await;
        let want = |answer| Command::Want { cid, answer };
        self.ask(want).await.unwrap_or(Err(FetchError::Closed))
    }

    /// Returns who may be asked for DAGs: `first`, if it may, and then others.
    async fn givers(&self, first: PeerId) -> Result<Vec<DagGiver>, FetchError> {
        let givers = self.ask(|answer| Command::Givers { first, answer });
        givers.await.map_err(|_| FetchError::Closed)
    }

    /// Opens a stream to ask for a DAG.
    async fn open(&self, peer: PeerId) -> Result<Opened, FetchError> {
        let (answer, opened) = oneshot::channel();
        let sent = self.commands.send(Command::Open { peer, answer }).await;
        sent.map_err(|_| FetchError::Closed)?;
        // Who waits for a stream of a connection that ends isn't answered.
        Ok(opened.await.unwrap_or(Err(NoStream::Broke)))
    }

    /// Notes that a peer can't be asked for DAGs.
    async fn gives_no_dags(&self, peer: PeerId) -> Result<(), FetchError> {
        let noted = self.ask(|answer| Command::GivesNoDags { peer, answer });
        noted.await.map_err(|_| FetchError::Closed)
    }

    /// Has nothing to do with a peer any more.
    async fn part_with(&self, peer: PeerId, what: What) -> Result<(), FetchError> {
        let parted = self.ask(|answer| Command::PartWith { peer, what, answer });
        parted.await.map_err(|_| FetchError::Closed)
    }

    /// Fetches what is ahead on a walk: as DAGs from those who give such, and block by block what these leave out.
    async fn go(
        &self,
        walk: &mut Walk,
        take: &mut (dyn FnMut(Block) -> ControlFlow<()> + Send),
    ) -> Result<(), FetchError> {
        let (out, mut blocks) = mpsc::channel(UNTAKEN_MAX);
        let whole = dags::whole(self.clone(), std::mem::take(walk), out);
        let job = Job::of(self.threads.spawn(whole));
        while let Some(block) = blocks.recv().await {
            side::hand_over(take, block)?;
        }
        let asked = job.await.ok_or(FetchError::Closed)?;
        *walk = asked.walk;
        let ended = match asked.ended {
            Ok(Whole::Through) => return Ok(()),
            Ok(Whole::Rest) => side::walk(|cid| self.fetch(cid), walk, take).await,
            Err(error) => Err(error),
        };
        ended.map_err(|error| Asked::blame(asked.faults, error))
    }
}

fn check_size(message: &[u8], bytes_max: usize) -> Result<(), PeersError> {
    match message.len() {
        bytes if bytes > bytes_max => Err(PeersError::TooLarge { bytes, bytes_max }),
        _ => Ok(()),
    }
}

impl Fetch for Peers {
    fn block<'a>(&'a self, cid: &'a Cid) -> Fetching<'a, Block> {
        Box::pin(self.fetch(*cid))
    }

    fn walk<'a>(
        &'a self,
        walk: &'a mut Walk,
        take: &'a mut (dyn FnMut(Block) -> ControlFlow<()> + Send),
    ) -> Fetching<'a, ()> {
        Box::pin(self.go(walk, take))
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
    /// Gossip can't be set up.
    #[error("gossip can't be set up: {0}")]
    Gossip(String),
    /// A message is too large to be sent.
    #[error("a message of {bytes} bytes is too large: it may have {bytes_max}")]
    TooLarge {
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        bytes_max: usize,
    },
    /// A message didn't arrive, as far as is known.
    #[error("the message wasn't delivered: {cause}")]
    Undelivered {
        /// Why.
        cause: String,
    },
    /// A peer was sent more messages than it takes.
    #[error("it takes no more messages now")]
    Busy,
    /// A peer takes no messages.
    #[error("it takes no messages")]
    Deaf,
    /// There is nobody to whom gossip could be told.
    #[error("nobody who is connected follows {}", topic.name())]
    NobodyFollows {
        /// The topic.
        topic: Topic,
    },
    /// It can't be seen which networks this machine is in.
    #[error("peers nearby can't be looked for")]
    Nearby(#[source] std::io::Error),
    /// It has ended.
    #[error("the node has ended")]
    Ended,
}

impl PeersError {
    fn undelivered(cause: impl fmt::Display) -> Self {
        Self::Undelivered {
            cause: cause.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
