//! The running whole: a node among peers, which its owner's programs on this machine use.
//!
//! ```text
//! peers ←──→ Peers ←── Shared, Kept: what they get
//!              ↑
//!            Source: the store, then peers, then gateways
//!              ↑
//! socket ──→ GatewayServer ──→ About: blocks, runs, and what people ask about the node
//! TCP ─────→ GatewayServer ───────↑   whoever shows leave for it
//! ```

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use homestar_core::ipld::{Block, Cid};
use homestar_core::key::SigningKey;
use homestar_core::market::ExecutorSettings;
use homestar_net::{
    Api, AuthoritiesError, BlockSource, Fetch, FetchError, Fetching, GatewayServer, Gateways,
    GatewaysSettings, InTurn, Peers, PeersError, PeersSettings, PeersStatus, Scope, Served,
    ServerError, ServerSettings, SourceError as ServeError, Topic, wait_for,
};
use homestar_store::Store;
use thiserror::Error;

use crate::api::About;
use crate::api::gate::Gate;
use crate::follow::served;
use crate::market::{Announced, Ears, Lent, Mailbox, Worker, Workshop};
use crate::runs::{Manager, Runs};
use crate::{Believed, Elsewhere, Heard, Kept, Shared, Source, Way};

/// Blocks that this machine's programs ask for at one time.
const READS_MAX: usize = 64;
/// Connections over TCP at one time.
const CONNECTIONS_MAX: usize = 64;

/// What a node is to be.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Where its owner's programs find it.
    pub socket: PathBuf,
    /// Where others find it who show leave for what they ask, if they do.
    pub api: Option<ApiConfig>,
    /// Where it listens, and whom it knows.
    pub peers: PeersSettings,
    /// Whom it asks for what no peer has.
    pub gateways: Option<GatewaysSettings>,
    /// Whose receipts count as one's own.
    pub believed: Believed,
    /// Whether strangers get the receipts that were [shared](crate::share_receipts).
    pub shares_receipts: bool,
    /// Whether it runs tasks for others. They are refused until it is told [who does](Node::work).
    pub works: bool,
    /// What it says that it is.
    pub version: &'static str,
}

/// Where a node is asked over TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiConfig {
    /// Where to listen.
    pub address: SocketAddr,
    /// Names that requests may be for, besides addresses and `localhost`.
    pub hosts: Vec<String>,
}

/// A node that runs.
#[must_use = "the node ends at once when this is dropped; `shutdown` ends it in order"]
pub struct Node {
    worker: Arc<OnceLock<Worker>>,
    peers: Peers,
    local: GatewayServer,
    api: Option<(SocketAddr, GatewayServer)>,
    about: Arc<About>,
    source: Arc<Source>,
    shared: Arc<Shared>,
    lent: Arc<Lent>,
    mailbox: Option<Arc<Mailbox>>,
}

impl Node {
    /// Starts a node that is known by `key`. When somebody asks it to stop, it calls `on_stop` and goes on, so that it can be
    /// shut down.
    pub fn spawn(
        mut config: NodeConfig,
        key: &SigningKey,
        store: Arc<dyn Store>,
        on_stop: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, NodeError> {
        let heard = Arc::new(Heard::of_believed(config.believed.clone()));
        let hears = config.shares_receipts || !config.believed.is_nobody();
        if hears {
            config.peers.topics.push(Topic::Receipts);
        }
        config.peers.topics.push(Topic::Announcements);
        let announced = Arc::<Announced>::default();
        let shared = Arc::new(Shared::of(Arc::clone(&store), config.shares_receipts));
        let lent = Arc::new(Lent::nothing(shared.clone()));
        let mailbox = config.works.then(Arc::<Mailbox>::default);
        let ears = Ears {
            receipts: hears.then(|| Arc::clone(&heard)),
            announced: Arc::clone(&announced),
            mailbox: mailbox.clone(),
        };
        let served = Served {
            strangers: lent.clone(),
            trusted: Arc::new(Kept(Arc::clone(&store))),
            listener: Some(Arc::new(ears)),
        };
        let known = config.peers.peers.clone();
        let peers = Peers::spawn(config.peers, key, served)?;
        let mut ways: Vec<Arc<dyn Fetch>> = vec![Arc::new(peers.clone())];
        if let Some(settings) = config.gateways {
            ways.push(Arc::new(Gateways::new(settings)?));
        }
        let source = Arc::new(Source::new(store, InTurn::of(ways)));
        let ways = vec![Way::Peers(peers.clone(), known)];
        let elsewhere = Elsewhere::new(config.believed.clone(), Arc::clone(&source), ways);
        let elsewhere = Arc::new(elsewhere.with_heard(Arc::clone(&heard)));
        let worker = Arc::<OnceLock<Worker>>::default();
        let runs = Runs::new(
            Arc::clone(&source),
            &config.believed,
            Arc::clone(&elsewhere),
            config.shares_receipts,
        );
        let about = Arc::new(About {
            worker: Arc::clone(&worker),
            announced,
            elsewhere,
            heard,
            shares_receipts: config.shares_receipts,
            told: Mutex::default(),
            peers: peers.clone(),
            source: Arc::clone(&source),
            runs: Arc::new(runs),
            gate: Gate::new(key.did(), Arc::clone(source.store())),
            metrics: Default::default(),
            address: OnceLock::new(),
            is_closing: Default::default(),
            on_stop: Box::new(on_stop),
            version: config.version,
        });
        let telling = Arc::downgrade(&about);
        about.runs.on_shared(move || {
            if let Some(about) = telling.upgrade() {
                about.provide();
            }
        });
        about.provide();
        let settings = ServerSettings {
            reads_max: READS_MAX,
            ..ServerSettings::default()
        };
        let blocks: Arc<dyn BlockSource> = Arc::new(Everything(Arc::clone(&source)));
        let asked: Arc<dyn Api> = about.clone();
        let api = config.api.map(|api| {
            let settings = ServerSettings {
                address: api.address,
                connections_max: CONNECTIONS_MAX,
                ..settings.clone()
            };
            let (blocks, asked) = (Arc::clone(&blocks), Arc::clone(&asked));
            GatewayServer::spawn_api(settings, api.hosts, blocks, asked)
        });
        let api = api.transpose()?;
        if let Some((address, _)) = &api {
            let _ = about.address.set(*address);
        }
        let local = GatewayServer::spawn_local(&config.socket, settings, blocks, asked)?;
        Ok(Self {
            worker,
            peers,
            local,
            api,
            about,
            source,
            shared,
            lent,
            mailbox,
        })
    }

    /// Where it is asked over TCP, if it is.
    pub fn api(&self) -> Option<SocketAddr> {
        self.api.as_ref().map(|(address, _)| *address)
    }

    /// Where what workflows read is: the store, and whomever the node asks.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// From now on workflows are run that `manager` makes ready. Goes on with those that had not ended. Locks of runs are in the
    /// folder `locks`.
    pub fn run_workflows(&self, manager: Arc<dyn Manager>, locks: PathBuf) {
        self.about.runs.open(manager, locks);
    }

    /// Returns whom to ask for what tasks of others read: what is shared here, then whomever the node asks.
    pub fn ways(&self) -> Option<Arc<dyn Fetch>> {
        let here: Arc<dyn Fetch> = Arc::new(Public(Arc::clone(&self.shared)));
        let elsewhere = self.source.fetch().cloned();
        InTurn::of([here].into_iter().chain(elsewhere).collect())
    }

    /// From now on tasks of others are run by a workshop. What it reads and keeps is in `store`, which is theirs.
    pub fn work(
        &self,
        settings: ExecutorSettings,
        workshop: Arc<dyn Workshop>,
        key: SigningKey,
        store: Arc<dyn Store>,
    ) {
        self.lent.from_store(store);
        if let Some(mailbox) = &self.mailbox {
            let (peers, lent) = (self.peers.clone(), Arc::clone(&self.lent));
            let (worker, mail) = Worker::spawn(settings, workshop, key, peers, lent);
            mailbox.open(mail);
            let _ = self.worker.set(worker);
        }
    }

    /// Where it listens, and who its peers are.
    pub fn status(&self) -> Result<PeersStatus, NodeError> {
        Ok(wait_for(self.peers.status())?)
    }

    /// Ends it in order: no more is asked of it; runs stop where they can be gone on with, when the tasks that run have ended;
    /// answers end that are under way; so does work for others; connections are closed, and what was fetched is safe.
    pub fn shutdown(self) {
        self.about.close();
        self.about.runs.close();
        self.local.close();
        if let Some((_, api)) = &self.api {
            api.close();
        }
        self.about.runs.wait();
        self.local.shutdown();
        if let Some((_, api)) = self.api {
            api.shutdown();
        }
        if let Some(worker) = self.worker.get() {
            worker.end();
        }
        wait_for(self.peers.shutdown());
        // What isn't durable can be fetched again.
        let _ = self.source.store().flush();
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({:?})", self.peers)
    }
}

/// Why there is no node.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NodeError {
    /// It can't be among peers.
    #[error(transparent)]
    Peers(#[from] PeersError),
    /// It can't be asked.
    #[error(transparent)]
    Local(#[from] ServerError),
    /// Gateways can't be used.
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
}

/// What is shared here, as a way by which blocks come.
#[derive(Debug)]
struct Public(Arc<Shared>);

impl Fetch for Public {
    fn block<'a>(&'a self, cid: &'a Cid) -> Fetching<'a, Block> {
        let found = self.0.get(cid).ok().flatten();
        Box::pin(async move { found.ok_or(FetchError::NoProvider { cid: *cid }) })
    }
}

/// What is here, and what can be had elsewhere.
#[derive(Debug)]
struct Everything(Arc<Source>);

impl BlockSource for Everything {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ServeError> {
        // It is asked by whom it belongs to, who may know whom it has asked.
        served(self.0.get(cid))
    }

    fn of_walk(&self, root: &Cid, scope: Scope) -> Option<Arc<dyn BlockSource>> {
        Some(Arc::new(self.0.follow(vec![*root], scope)))
    }
}
