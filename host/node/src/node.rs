//! The running whole: a node among peers, which its owner's programs on this machine use.
//!
//! ```text
//! peers ←──→ Peers ←── Shared, Kept: what they get
//!              ↑
//!            Source: the store, then peers, then gateways
//!              ↑
//! socket ──→ GatewayServer, Api: blocks, and what people ask about the node
//! ```

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use homestar_core::ipld::{Block, Cid, Ipld};
use homestar_core::json;
use homestar_core::key::SigningKey;
use homestar_net::{
    Api, ApiAnswer, ApiRequest, AuthoritiesError, BlockSource, Fetch, GatewayServer, Gateways,
    GatewaysSettings, InTurn, PeerAddress, PeerStatus, Peers, PeersError, PeersSettings,
    PeersStatus, Served, ServerError, ServerSettings, SourceError as ServeError, wait_for,
};
use homestar_store::Store;
use thiserror::Error;

use crate::{Kept, Shared, Source, SourceError, shared};

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
    /// What it says that it is.
    pub version: &'static str,
}

/// A node that runs.
#[must_use = "the node ends at once when this is dropped; `shutdown` ends it in order"]
pub struct Node {
    peers: Peers,
    local: GatewayServer,
    source: Arc<Source>,
}

impl Node {
    /// Starts a node that is known by `key`. When somebody asks it to stop, it calls `on_stop` and goes on, so that it can be
    /// shut down.
    pub fn spawn(
        config: NodeConfig,
        key: &SigningKey,
        store: Arc<dyn Store>,
        on_stop: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, NodeError> {
        let served = Served {
            strangers: Arc::new(Shared::of(Arc::clone(&store))),
            trusted: Arc::new(Kept(Arc::clone(&store))),
        };
        let peers = Peers::spawn(config.peers, key, served)?;
        let mut ways: Vec<Arc<dyn Fetch>> = vec![Arc::new(peers.clone())];
        if let Some(settings) = config.gateways {
            ways.push(Arc::new(Gateways::new(settings)?));
        }
        let source = Arc::new(Source::new(store, InTurn::of(ways)));
        let api = About {
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
            peers,
            local,
            source,
        })
    }

    /// Where it listens, and who its peers are.
    pub fn status(&self) -> Result<PeersStatus, NodeError> {
        Ok(wait_for(self.peers.status())?)
    }

    /// Ends it in order: no more is asked of it, answers end that are under way, connections are closed, and what was fetched
    /// is safe.
    pub fn shutdown(self) {
        self.local.shutdown();
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

/// What is here, and what can be had elsewhere.
#[derive(Debug)]
struct Everything(Arc<Source>);

impl BlockSource for Everything {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ServeError> {
        match self.0.get(cid) {
            Ok(block) => Ok(Some(block)),
            Err(SourceError::Missing { .. } | SourceError::Unavailable { .. }) => Ok(None),
            Err(error) => Err(ServeError::Failed(error.to_string())),
        }
    }
}

/// What can be asked about a node, and said to it.
struct About {
    peers: Peers,
    source: Arc<Source>,
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
            ("POST", "/v1/connect") => (200, self.connect(&request.body)),
            ("POST", "/v1/shared") => {
                self.provide();
                (200, Ok(Ipld::Map([].into())))
            }
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
        Ok(map([
            ("addresses", Ipld::List(addresses.collect())),
            ("id", Ipld::String(status.id.to_string())),
            ("peers", number(status.peers.len() as u64)),
            ("pid", number(std::process::id().into())),
            ("shared", number(shared.len() as u64)),
            ("version", Ipld::String(self.version.to_owned())),
            ("wanted", number(status.wanted as u64)),
        ]))
    }

    fn peers(&self) -> Result<Ipld, String> {
        let peers = self.status()?.peers;
        Ok(Ipld::List(peers.iter().map(peer).collect()))
    }

    fn connect(&self, body: &[u8]) -> Result<Ipld, String> {
        let text = str::from_utf8(body).unwrap_or_default();
        let address: PeerAddress = text.trim().parse().map_err(|error| format!("{error}"))?;
        let connected = wait_for(self.peers.connect(address.clone()));
        connected.map_err(|error| format!("{address} {error}"))?;
        Ok(map([("id", Ipld::String(address.id().to_string()))]))
    }

    /// Tells others what is shared. That of a store that can't be read is told when somebody shares something.
    fn provide(&self) {
        for cid in shared(&**self.source.store()).unwrap_or_default() {
            let _ = wait_for(self.peers.provide(cid));
        }
    }
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
