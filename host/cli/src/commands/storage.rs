//! Options of several commands: where content is kept, and whom to ask for what isn't there.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use homestar_core::ipld::{Block, Cid};
use homestar_core::key::SigningKey;
use homestar_node::{
    BlockSource, Disk, DownloadsSettings, Fetch, Gateway, Gateways, GatewaysSettings, InTurn,
    LocalNode, PeerAddress, Peers, PeersSettings, ServeError, Served, Source, StoreConfig,
    StoreError, Way,
};

use super::data::{Data, Opened};
use crate::error::{Caused, CommandError};
use crate::paths;
use crate::settings::Settings;

/// Where content is.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct StorageOptions {
    /// The folder of the store, instead of the user's
    #[arg(long, value_name = "FOLDER", help_heading = "Content")]
    pub(super) store: Option<PathBuf>,

    /// A gateway to ask for content that isn't in the store, before those of homestar.toml; may be given more than once
    ///
    /// It need not be trusted: every block is checked against its CID. http:// is for this machine.
    #[arg(long, value_name = "URL", help_heading = "Content")]
    gateway: Vec<String>,

    /// A peer to ask for content that isn't in the store, before gateways; may be given more than once
    ///
    /// It is a multiaddress with an id, such as /ip4/192.0.2.1/tcp/4808/p2p/12D3KooW…, of a node of Homestar, kubo, Helia or
    /// another that speaks Bitswap. It need not be trusted: every block is checked against its CID.
    #[arg(long, value_name = "ADDRESS", help_heading = "Content")]
    peer: Vec<PeerAddress>,

    /// Ask nobody for content that isn't in the store, and download nothing
    #[arg(long, conflicts_with_all = ["gateway", "peer"], help_heading = "Content")]
    offline: bool,
}

impl StorageOptions {
    /// Of a store, and nobody else is asked.
    pub(super) fn of_store(store: Option<PathBuf>) -> Self {
        Self {
            store,
            offline: true,
            ..Self::default()
        }
    }

    /// For a command that has options of its own.
    pub(super) fn of(store: Option<PathBuf>, gateway: Vec<String>) -> Self {
        Self {
            store,
            gateway,
            ..Self::default()
        }
    }

    /// Returns content for a command that may need it.
    pub(crate) fn data(&self, settings: &Settings) -> Result<Data, CommandError> {
        self.data_among(settings, None)
    }

    /// Returns content for a command that is among peers already.
    pub(crate) fn data_among(
        &self,
        settings: &Settings,
        among_peers: Option<Peers>,
    ) -> Result<Data, CommandError> {
        let (place, gateways) = (self.place(settings), self.gateways(settings)?);
        let peers = self.peer.clone();
        let is_offline = self.offline;
        let config = config(settings);
        let open = move || {
            let place = place.clone().map_err(CommandError::input)?;
            let store = open(&place, config.clone())?;
            let (mut fetches, mut ways): (Vec<Arc<dyn Fetch>>, _) = (Vec::new(), Vec::new());
            let among = match &among_peers {
                Some(among) => Some(among.clone()),
                None if peers.is_empty() => None,
                None => Some(among(&peers)?),
            };
            if let Some(among) = among {
                ways.push(Way::Peers(among.clone(), peers.clone()));
                fetches.push(Arc::new(among));
            }
            let node = node(is_offline);
            let gateways = with_node(gateways.clone(), node.as_ref());
            ways.extend(node.map(Way::Node));
            if let Some(settings) = gateways {
                fetches.push(fetching(settings)?);
            }
            let source = Source::new(Arc::new(store), InTurn::of(fetches));
            Ok(Opened {
                source: Arc::new(source),
                ways,
            })
        };
        Ok(Data::new(open, self.downloading(settings)))
    }

    /// Returns the peers that are named.
    pub(crate) fn peers(&self) -> &[PeerAddress] {
        &self.peer
    }

    /// Returns how files are downloaded, if they are.
    fn downloading(&self, settings: &Settings) -> Option<DownloadsSettings> {
        (!self.offline).then(|| DownloadsSettings {
            authorities: authorities(settings),
            ..DownloadsSettings::default()
        })
    }

    /// Returns the store.
    pub(crate) fn disk(&self, settings: &Settings) -> Result<Disk, CommandError> {
        let place = self.place(settings).map_err(CommandError::input)?;
        open(&place, config(settings))
    }

    /// Returns the folder of the store.
    pub(crate) fn place(&self, settings: &Settings) -> Result<PathBuf, paths::NoHome> {
        let set = settings.file().store.path.as_deref();
        let set = set.map(|path| settings.place(path));
        self.store.clone().or(set).map_or_else(paths::store, Ok)
    }

    /// Returns the gateways to ask, if any.
    pub(crate) fn gateways(
        &self,
        settings: &Settings,
    ) -> Result<Option<GatewaysSettings>, CommandError> {
        if self.offline {
            return Ok(None);
        }
        let mut gateways = Vec::new();
        for url in &self.gateway {
            gateways.push(Gateway::parse(url).map_err(CommandError::usage)?);
        }
        let file = settings.file();
        for url in &file.gateways {
            let gateway = Gateway::parse(url).map_err(|error| {
                let words = format!("can't use a gateway of {}", settings.name());
                CommandError::input(Caused::new(words, error))
            })?;
            gateways.push(gateway);
        }
        Ok((!gateways.is_empty()).then(|| GatewaysSettings {
            gateways,
            authorities: authorities(settings),
            ..GatewaysSettings::default()
        }))
    }
}

/// Returns the files of authorities that are trusted besides the system's.
fn authorities(settings: &Settings) -> Vec<PathBuf> {
    let paths = settings.file().https.ca.iter();
    paths.map(|path| settings.place(path)).collect()
}

pub(crate) fn config(settings: &Settings) -> StoreConfig {
    let mut config = StoreConfig::default();
    config.quota_bytes = settings.file().store.quota;
    config
}

/// Returns the node of this machine, if one runs and is to be asked.
fn node(is_offline: bool) -> Option<LocalNode> {
    let socket = paths::socket().ok().filter(|_| !is_offline);
    socket.and_then(|socket| LocalNode::find(&socket))
}

/// Puts the node of this machine before all gateways.
fn with_node(
    gateways: Option<GatewaysSettings>,
    node: Option<&LocalNode>,
) -> Option<GatewaysSettings> {
    let Some(node) = node else {
        return gateways;
    };
    let mut settings = gateways.unwrap_or_default();
    settings.gateways.insert(0, node.gateway());
    Some(settings)
}

/// Returns a key that nobody knows.
pub(crate) fn new_key() -> Result<SigningKey, CommandError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| CommandError::host(error.to_string()))?;
    Ok(SigningKey::from_seed(&seed))
}

/// Begins to be among these peers. They see a key that nobody knows.
fn among(peers: &[PeerAddress]) -> Result<Peers, CommandError> {
    let settings = PeersSettings {
        peers: peers.to_vec(),
        ..PeersSettings::default()
    };
    let nothing = Arc::new(Nothing);
    let served = Served {
        strangers: nothing.clone(),
        trusted: nothing,
        listener: None,
    };
    let peers = Peers::spawn(settings, &new_key()?, served);
    peers.map_err(CommandError::host)
}

/// Has no blocks for others.
#[derive(Debug)]
struct Nothing;

impl BlockSource for Nothing {
    fn get(&self, _: &Cid) -> Result<Option<Block>, ServeError> {
        Ok(None)
    }
}

fn fetching(settings: GatewaysSettings) -> Result<Arc<dyn Fetch>, CommandError> {
    let gateways = Gateways::new(settings).map_err(CommandError::input)?;
    Ok(Arc::new(gateways))
}

/// Opens the store in a folder.
pub(crate) fn open(place: &std::path::Path, config: StoreConfig) -> Result<Disk, CommandError> {
    Disk::open(place, config).map_err(|error| {
        let is_lost = matches!(error, StoreError::Index { .. } | StoreError::NoIndex { .. });
        let words = format!("can't open the store in {}", place.display());
        let error = CommandError::host(Caused::new(words, error));
        match is_lost {
            true => error.hint("`homestar store rebuild` makes the index anew from what is there"),
            false => error,
        }
    })
}
