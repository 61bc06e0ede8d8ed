//! `homestar start`

use std::collections::HashSet;
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use clap::Args;
use homestar_core::ipld::Ipld;
use homestar_node::{
    ApiConfig, LocalNode, Multiaddr, Node, NodeConfig, NodeError, PeerAddress, PeerAddressError,
    PeerId, PeersError, PeersSettings, ServerError,
};

use super::super::limits::ConfigOptions;
use super::super::run::works::{self, WorksFor};
use super::super::storage::StorageOptions;
use super::super::workflow::Workflows;
use super::detach::{self, DETACHED};
use super::notify;
use crate::error::{Caused, CommandError};
use crate::settings::Settings;
use crate::{interrupt, keyring, paths, print};

/// Where a node listens, unless somebody says otherwise.
pub(in crate::commands) const LISTEN: [&str; 2] =
    ["/ip4/0.0.0.0/udp/4808/quic-v1", "/ip4/0.0.0.0/tcp/4808"];

/// Run a node: be among peers, until Ctrl-C or `homestar stop`
///
/// Peers get what is shared (`homestar share add`), and those that homestar.toml names as trusted get everything that is in
/// the store. While the node runs, commands of yours that need content ask it for what isn't in the store.
///
/// It is known by your key. It listens at the addresses of --listen, or of homestar.toml, or at port 4808 of TCP and of UDP.
///
/// With --api, or `listen` under [api] in homestar.toml, it is asked over TCP too. Nothing but whether it is well is answered
/// there without a token by your key, or by whom you let: `homestar node token` makes one.
///
/// Ctrl-C or SIGTERM ends it in order; the second one ends it at once.
#[derive(Args, Debug, Default)]
#[command(after_long_help = "\
Examples:
  homestar start
  homestar start --detach --api 127.0.0.1:4807
  homestar start --listen /ip4/127.0.0.1/tcp/0 --peer /ip4/192.0.2.1/tcp/4808/p2p/12D3KooW…")]
pub(crate) struct Start {
    /// Where to listen, as a multiaddress; may be given more than once
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<Multiaddr>,

    /// A peer to connect to, again and again, besides those of homestar.toml; may be given more than once
    #[arg(long, value_name = "ADDRESS")]
    peer: Vec<PeerAddress>,

    /// A relay through which others reach this node if they can't otherwise, besides those of homestar.toml; may be given more than
    /// once
    #[arg(long, value_name = "ADDRESS")]
    relay: Vec<PeerAddress>,

    /// A gateway to ask for what no peer has, before those of homestar.toml; may be given more than once
    #[arg(long, value_name = "URL")]
    gateway: Vec<String>,

    /// The folder of the store, instead of the user's
    #[arg(long, value_name = "FOLDER")]
    store: Option<PathBuf>,

    /// Where to be asked over TCP, such as 127.0.0.1:4807
    #[arg(long, value_name = "ADDRESS:PORT")]
    api: Option<SocketAddr>,

    /// Return when it answers, and let it run. It says where it logs to
    #[arg(long)]
    detach: bool,

    /// It was started to run by itself.
    #[arg(long = DETACHED, hide = true)]
    is_detached: bool,

    /// Run tasks for somebody, besides those of homestar.toml: a signer as did:key:…, trusted, delegated or anyone; may be given more
    /// than once
    ///
    /// trusted are the peers that homestar.toml names so, delegated those who show a delegation of /wasm/run by your key. Their
    /// tasks use what they ask for, up to `[limits.max]`, reach what your settings grant and they show delegations for, and
    /// read what they send or anybody may have.
    #[arg(long, value_name = "WHO", help_heading = "Work")]
    work_for: Vec<String>,

    /// How many tasks of others run at a time [default: as many as there are processors]
    #[arg(long, value_name = "COUNT", help_heading = "Work")]
    jobs: Option<NonZero<u16>>,

    #[command(flatten)]
    config: ConfigOptions,

    /// Print one JSON object when it runs: {"ok": {"id": …, "addresses": […], "api": …}}
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn main(options: &Start) -> Result<(), CommandError> {
    if options.detach {
        return detach::start(options.json);
    }
    if options.is_detached {
        detach::leave()?;
    }
    let settings = options.config.settings()?;
    let socket = paths::socket().map_err(CommandError::input)?;
    if LocalNode::find(&socket).is_some() {
        let error = CommandError::input("a node of yours runs on this machine");
        return Err(error.hint("`homestar stop` ends it, `homestar status` says how it is"));
    }
    let storage = StorageOptions::of(options.store.clone(), options.gateway.clone());
    let works_for = WorksFor::parse(&options.work_for, &settings)?;
    let config = NodeConfig {
        works: !works_for.is_nobody(),
        api: api(options, &settings)?,
        socket,
        peers: peers(options, &settings)?,
        gateways: storage.gateways(&settings)?,
        believed: settings.believed()?,
        shares_receipts: settings.file().network.share_receipts,
        version: env!("CARGO_PKG_VERSION"),
    };
    let store = Arc::new(storage.disk(&settings)?);
    let (ask, asked) = mpsc::channel();
    let stop = ask.clone();
    interrupt::on_first(move || {
        // The receiver is there for as long as the node is.
        let _ = ask.send(());
    })?;
    let node = Node::spawn(
        config,
        &keyring::key()?,
        Arc::clone(&store) as _,
        move || {
            let _ = stop.send(());
        },
    );
    let node = node.map_err(not_started)?;
    let place = storage.place(&settings).map_err(CommandError::input)?;
    Workflows::begin(&node, &settings, &place)?;
    if !works_for.is_nobody() {
        let jobs = options.jobs.or(settings.file().work.jobs);
        works::begin(&node, works_for, jobs, &settings, store, &place)?;
    }
    let status = node.status().map_err(CommandError::host)?;
    if options.json {
        let addresses = status.addresses.iter().map(ToString::to_string);
        let url = node.api().map_or(Ipld::Null, |at| Ipld::String(url(at)));
        let facts = print::map([
            ("addresses", print::texts(addresses)),
            ("api", url),
            ("id", Ipld::String(status.id.to_string())),
        ]);
        print::ok(facts)?;
    } else {
        print::line(&format!("{} listens at", status.id))?;
        for address in &status.addresses {
            print::line(&format!("  {address}"))?;
        }
        if let Some(address) = node.api() {
            print::line(&format!("and is asked at {}", url(address)))?;
        }
    }
    notify::tell("READY=1");
    if asked.recv().is_ok() {
        notify::tell("STOPPING=1");
        print::note("the node ends");
        node.shutdown();
    }
    Ok(())
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// Returns where it is asked over TCP, if it is.
fn api(options: &Start, settings: &Settings) -> Result<Option<ApiConfig>, CommandError> {
    let table = &settings.file().api;
    let Some(address) = options.api.or(table.listen) else {
        return Ok(None);
    };
    if !address.ip().is_loopback() {
        print::warning(&format!(
            "whoever reaches {address} may ask; answers are for tokens only, and aren't encrypted on their way"
        ));
    }
    let hosts = table.hosts.clone();
    Ok(Some(ApiConfig { address, hosts }))
}

fn not_started(error: NodeError) -> CommandError {
    let hint = match &error {
        NodeError::Peers(PeersError::Listen { .. }) => Some(
            "`--listen ADDRESS`, or `listen` under [network] in homestar.toml, names another place",
        ),
        NodeError::Local(ServerError::Listen { .. }) => Some(
            "`--api ADDRESS:PORT`, or `listen` under [api] in homestar.toml, names another place",
        ),
        _ => None,
    };
    let error = CommandError::input(Caused::new("can't start a node", error));
    hint.into_iter().fold(error, CommandError::hint)
}

/// Returns how a node is among peers by its settings alone.
pub(in crate::commands) fn peers_of(settings: &Settings) -> Result<PeersSettings, CommandError> {
    peers(&Start::default(), settings)
}

fn peers(options: &Start, settings: &Settings) -> Result<PeersSettings, CommandError> {
    let table = &settings.file().network;
    let bad = |error: Box<dyn std::error::Error + Send + Sync>| {
        let words = format!("can't use [network] of {}", settings.name());
        CommandError::input(Caused::new(words, error))
    };
    let mut listen = options.listen.clone();
    if listen.is_empty() {
        let texts = table.listen.clone();
        let texts = texts.unwrap_or_else(|| LISTEN.map(str::to_owned).into());
        for text in texts {
            let address = text.parse().map_err(|_| {
                bad(
                    format!("`{text}` is no address to listen at, such as /ip4/0.0.0.0/tcp/4808")
                        .into(),
                )
            })?;
            listen.push(address);
        }
    }
    let addresses = |texts: &[String]| -> Result<Vec<PeerAddress>, CommandError> {
        let parsed = texts.iter().map(|text| text.parse());
        parsed
            .map(|it| it.map_err(|error: PeerAddressError| bad(Box::new(error))))
            .collect()
    };
    let ids = |texts: &[String]| -> Result<HashSet<PeerId>, CommandError> {
        let no_id = |text| bad(format!("`{text}` is no peer's id, such as 12D3KooW…").into());
        let parsed = texts
            .iter()
            .map(|text| text.parse().map_err(|_| no_id(text)));
        parsed.collect()
    };
    let mut peers = options.peer.clone();
    peers.extend(addresses(&table.peers)?);
    let mut relays = options.relay.clone();
    relays.extend(addresses(&table.relays)?);
    Ok(PeersSettings {
        listen,
        peers,
        trusted: ids(&table.trusted)?,
        blocked: ids(&table.blocked)?,
        allowed: table.allowed.as_deref().map(ids).transpose()?,
        relays,
        is_relay: table.relay,
        looks_nearby: table.nearby,
        ..PeersSettings::default()
    })
}
