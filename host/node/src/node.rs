//! The running whole: a node among peers, which its owner's programs on this machine use.
//!
//! ```text
//! peers ←──→ Peers ←── Shared, Kept: what they get
//!              ↑
//!            Source: the store, then peers, then gateways
//!              ↑
//! socket ──→ GatewayServer, Api: blocks, and what people ask about the node
//! ```

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use homestar_core::ipld::{Block, Cid, Ipld, Link};
use homestar_core::json;
use homestar_core::key::SigningKey;
use homestar_core::market::{Announcement, ExecutorSettings};
use homestar_core::receipt::Receipt;
use homestar_core::task::Instruction;
use homestar_net::{
    Api, ApiAnswer, ApiRequest, AuthoritiesError, BlockSource, Counts, Fetch, FetchError, Fetching,
    GatewayServer, Gateways, GatewaysSettings, InTurn, PeerAddress, PeerStatus, Peers, PeersError,
    PeersSettings, PeersStatus, Reached, Served, ServerError, ServerSettings,
    SourceError as ServeError, Topic, peer_of, wait_for,
};
use homestar_store::Store;
use thiserror::Error;

use crate::elsewhere::{ASKED_AT_ONCE, read_links};
use crate::heard::{self, NAMED_MAX};
use crate::market::{Announced, Ears, Lent, Mailbox, Worker, Workshop};
use crate::{
    Believed, Elsewhere, Heard, Kept, Shared, Source, SourceError, Way, shared, shared_receipts,
};

/// Shared receipts that others are told of by the names of their instructions. What others remember of one node is bounded, and files are to
/// have room there too; whoever is connected is asked directly.
const TOLD_MAX: usize = 256;
/// Messages by which new receipts are told of at one time. Others hear a few of one author each second.
const MESSAGES_MAX: usize = 4;
/// Blocks that this machine's programs ask for at one time.
const READS_MAX: usize = 64;

/// What a node is to be.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Where its owner's programs find it.
    pub socket: PathBuf,
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

/// A node that runs.
#[must_use = "the node ends at once when this is dropped; `shutdown` ends it in order"]
pub struct Node {
    worker: Arc<OnceLock<Worker>>,
    peers: Peers,
    local: GatewayServer,
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
        let elsewhere = Elsewhere::new(config.believed, Arc::clone(&source), ways);
        let worker = Arc::<OnceLock<Worker>>::default();
        let api = About {
            worker: Arc::clone(&worker),
            announced,
            elsewhere: elsewhere.with_heard(Arc::clone(&heard)),
            heard,
            shares_receipts: config.shares_receipts,
            told: Mutex::default(),
            peers: peers.clone(),
            source: Arc::clone(&source),
            on_stop: Box::new(on_stop),
            version: config.version,
        };
        api.provide();
        let settings = ServerSettings {
            reads_max: READS_MAX,
            ..ServerSettings::default()
        };
        let blocks = Arc::new(Everything(Arc::clone(&source)));
        let local = GatewayServer::spawn_local(&config.socket, settings, blocks, Arc::new(api))?;
        Ok(Self {
            worker,
            peers,
            local,
            source,
            shared,
            lent,
            mailbox,
        })
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

    /// Ends it in order: no more is asked of it, answers end that are under way, connections are closed, and what was fetched
    /// is safe.
    pub fn shutdown(self) {
        self.local.shutdown();
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
        match self.0.get(cid) {
            Ok(block) => Ok(Some(block)),
            Err(SourceError::Missing { .. }) => Ok(None),
            // It is asked by whom it belongs to, who may know whom it has asked.
            Err(SourceError::Unavailable { source, .. }) => {
                Err(ServeError::Nowhere(source.to_string()))
            }
            Err(error) => Err(ServeError::Failed(error.to_string())),
        }
    }
}

/// What can be asked about a node, and said to it.
struct About {
    worker: Arc<OnceLock<Worker>>,
    announced: Arc<Announced>,
    peers: Peers,
    source: Arc<Source>,
    elsewhere: Elsewhere,
    heard: Arc<Heard>,
    shares_receipts: bool,
    /// What others were told of.
    told: Mutex<HashSet<Cid>>,
    on_stop: Box<dyn Fn() + Send + Sync>,
    version: &'static str,
}

impl fmt::Debug for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "About({:?})", self.peers)
    }
}

impl Api for About {
    fn answer(&self, request: &ApiRequest) -> ApiAnswer {
        let (status, value) = match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/v1/ping") => (200, Ok(Ipld::Map([].into()))),
            ("GET", "/v1/node") => (200, self.node()),
            ("GET", "/v1/peers") => (200, self.peers()),
            ("GET", "/v1/workers") => (200, Ok(self.workers())),
            ("POST", "/v1/connect") => (200, self.connect(&request.body)),
            ("POST", "/v1/shared") => {
                self.provide();
                (200, Ok(Ipld::Map([].into())))
            }
            ("POST", "/v1/receipts") => (200, self.receipts(&request.body)),
            ("POST", "/v1/stop") => {
                (self.on_stop)();
                (200, Ok(Ipld::Map([].into())))
            }
            _ => (404, Err("there is nothing of that name".to_owned())),
        };
        let (status, value) = match value {
            Ok(value) => (status, value),
            Err(words) => (
                if status == 200 { 502 } else { status },
                map([("error", Ipld::String(words))]),
            ),
        };
        let body = json::to_string(&value).unwrap_or_else(|_| "{}".to_owned());
        ApiAnswer {
            status,
            body: body.into_bytes(),
        }
    }
}

impl About {
    fn status(&self) -> Result<PeersStatus, String> {
        wait_for(self.peers.status()).map_err(|error| error.to_string())
    }

    fn node(&self) -> Result<Ipld, String> {
        let status = self.status()?;
        let addresses = status
            .addresses
            .iter()
            .map(|at| Ipld::String(at.to_string()));
        let shared = shared(&**self.source.store()).map_err(|error| error.to_string())?;
        let room = self.worker.get().and_then(Worker::room).unwrap_or_default();
        Ok(map([
            ("addresses", Ipld::List(addresses.collect())),
            ("counts", self.counts(&status.counts)),
            ("reached", reached(&status.reached)),
            ("id", Ipld::String(status.id.to_string())),
            ("peers", number(status.peers.len() as u64)),
            ("pid", number(std::process::id().into())),
            ("queued", number(room.waiting)),
            ("shared", number(shared.len() as u64)),
            ("version", Ipld::String(self.version.to_owned())),
            ("wanted", number(status.wanted as u64)),
            ("working", number(room.running)),
        ]))
    }

    fn counts(&self, counts: &Counts) -> Ipld {
        map([
            ("accepted", number(counts.accepted)),
            ("gossips", number(counts.gossips as u64)),
            ("ignored", number(counts.ignored)),
            ("lookups", number(counts.lookups)),
            ("messages", number(counts.messages)),
            ("provided", number(counts.provided as u64)),
            ("receipts_heard", number(self.heard.count() as u64)),
            ("receipts_taken", number(self.elsewhere.taken())),
            ("records", number(counts.records as u64)),
            ("rejected", number(counts.rejected)),
            ("shunned", number(counts.shunned as u64)),
            ("table", number(counts.table as u64)),
            ("topics", number(counts.topics as u64)),
        ])
    }

    fn peers(&self) -> Result<Ipld, String> {
        let peers = self.status()?.peers;
        Ok(Ipld::List(peers.iter().map(peer).collect()))
    }

    /// What nodes said that they can do.
    fn workers(&self) -> Ipld {
        let texts = |texts: &[String]| texts.iter().cloned().map(Ipld::String).collect();
        let worker = |said: Announcement| {
            let id = peer_of(&said.who)?;
            let effects = said.effects.into_iter();
            let effects = effects.map(|(name, cid)| (name, Ipld::Link(cid)));
            Some(map([
                ("addresses", Ipld::List(texts(&said.addresses))),
                ("effects", Ipld::Map(effects.collect())),
                ("id", Ipld::String(id.to_string())),
                ("jobs", number(said.room.jobs)),
                ("memory", number(said.room.memory)),
                ("running", number(said.room.running)),
                ("signer", Ipld::String(said.who.to_string())),
                ("waiting", number(said.room.waiting)),
            ]))
        };
        Ipld::List(
            self.announced
                .all()
                .into_iter()
                .filter_map(worker)
                .collect(),
        )
    }

    fn connect(&self, body: &[u8]) -> Result<Ipld, String> {
        let text = str::from_utf8(body).unwrap_or_default();
        let address: PeerAddress = text.trim().parse().map_err(|error| format!("{error}"))?;
        let connected = wait_for(self.peers.connect(address.clone()));
        connected.map_err(|error| format!("{address} {error}"))?;
        Ok(map([("id", Ipld::String(address.id().to_string()))]))
    }

    /// Looks for receipts of instructions among peers, and names all that there are then.
    fn receipts(&self, body: &[u8]) -> Result<Ipld, String> {
        let links = read_links(body).filter(|links| links.len() <= ASKED_AT_ONCE);
        let links = links
            .ok_or_else(|| format!("a list of at most {ASKED_AT_ONCE} links belongs there"))?;
        let ran: Vec<Link<Instruction>> = links.into_iter().map(Link::new).collect();
        self.elsewhere.look(&ran, &[]);
        let found = self.source.store().receipts_of(&ran);
        let found = found.map_err(|error| error.to_string())?;
        let found = found.iter().flatten().filter(|it| it.is_reusable());
        let links = found.map(|it| Ipld::Link(*it.link().cid()));
        Ok(Ipld::List(links.collect()))
    }

    /// Tells others what is shared. That of a store that can't be read is told when somebody shares something.
    fn provide(&self) {
        for cid in shared(&**self.source.store()).unwrap_or_default() {
            self.provide_once(cid);
        }
        if self.shares_receipts {
            self.tell_receipts();
        }
    }

    fn provide_once(&self, cid: Cid) {
        if self.is_new(cid) {
            let _ = wait_for(self.peers.provide(cid));
        }
    }

    /// Tells others of receipts that are shared since the last time: all who follow, and those who keep who provides what.
    fn tell_receipts(&self) {
        let store = self.source.store();
        let shared = shared_receipts(&**store).unwrap_or_default();
        let mut new = Vec::new();
        for cid in shared.iter().take(TOLD_MAX) {
            let block = store.get(cid).ok().flatten();
            let receipt = block.and_then(|block| Receipt::decode(block.bytes()).ok());
            if let Some(receipt) = receipt
                && self.is_new(*cid)
            {
                self.provide_once(*receipt.ran().cid());
                new.push((*receipt.ran(), receipt.link()));
            }
        }
        for some in new.chunks(NAMED_MAX).take(MESSAGES_MAX) {
            if let Some(message) = heard::write(some) {
                // Who isn't there to hear it asks when they need one.
                let _ = wait_for(self.peers.publish(Topic::Receipts, message));
            }
        }
    }

    /// Notes that something is told now. False if it was before.
    fn is_new(&self, cid: Cid) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(cid)
    }
}

fn reached(reached: &Reached) -> Ipld {
    let texts = |texts: Vec<String>| Ipld::List(texts.into_iter().map(Ipld::String).collect());
    let addresses = reached.addresses.iter().map(ToString::to_string);
    let relays = reached.relays.iter().map(ToString::to_string);
    map([
        ("addresses", texts(addresses.collect())),
        ("in_vain", Ipld::Bool(reached.is_in_vain)),
        ("relays", texts(relays.collect())),
    ])
}

fn peer(peer: &PeerStatus) -> Ipld {
    let rtt = peer
        .rtt
        .map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX));
    map([
        ("address", Ipld::String(peer.address.to_string())),
        ("agent", peer.agent.clone().map_or(Ipld::Null, Ipld::String)),
        ("came_bytes", number(peer.came_bytes)),
        ("id", Ipld::String(peer.id.to_string())),
        ("incoming", Ipld::Bool(peer.is_incoming)),
        ("rtt_us", rtt.map_or(Ipld::Null, number)),
        ("score", Ipld::Integer(peer.score.into())),
        ("went_bytes", number(peer.went_bytes)),
    ])
}

fn map<const N: usize>(entries: [(&str, Ipld); N]) -> Ipld {
    Ipld::Map(
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

fn number(number: u64) -> Ipld {
    Ipld::Integer(number.into())
}
