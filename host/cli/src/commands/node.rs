//! `homestar start`, `stop`, `status`, `ping` and `node`: the node of this machine

use std::collections::HashSet;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Instant;

use clap::{Args, Subcommand};
use homestar_core::ipld::Ipld;
use homestar_core::json;
use homestar_node::{
    LocalNode, Multiaddr, Node, NodeConfig, NodeError, PeerAddress, PeerAddressError, PeerId,
    PeersError, PeersSettings,
};

use super::limits::ConfigOptions;
use super::run::works::{self, WorksFor};
use super::storage::StorageOptions;
use crate::error::{Caused, CommandError};
use crate::settings::Settings;
use crate::{interrupt, keyring, paths, print};

/// Where a node listens, unless somebody says otherwise.
pub(super) const LISTEN: [&str; 2] = ["/ip4/0.0.0.0/udp/4808/quic-v1", "/ip4/0.0.0.0/tcp/4808"];

/// Run a node: be among peers, until Ctrl-C or `homestar stop`
///
/// Peers get what is shared (`homestar share add`), and those that homestar.toml names as trusted get everything that is in
/// the store. While the node runs, commands of yours that need content ask it for what isn't in the store.
///
/// It is known by your key. It listens at the addresses of --listen, or of homestar.toml, or at port 4808 of TCP and of UDP.
///
/// Ctrl-C or SIGTERM ends it in order; the second one ends it at once.
#[derive(Args, Debug, Default)]
#[command(after_long_help = "\
Examples:
  homestar start
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

    /// Print one JSON object when it runs: {"ok": {"id": …, "addresses": […]}}
    #[arg(long)]
    pub(crate) json: bool,
}

/// What commands to a node take.
#[derive(Args, Debug)]
pub(crate) struct Plain {
    /// Print one JSON object: {"ok": …}, or {"error": {"kind": …, "message": …}}
    #[arg(long)]
    pub(crate) json: bool,
}

/// End the node of this machine, in order
#[derive(Args, Debug)]
pub(crate) struct Stop {
    #[command(flatten)]
    pub(crate) plain: Plain,
}

/// Say whether a node runs on this machine, and how it is
#[derive(Args, Debug)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) plain: Plain,
}

/// Ask the node of this machine for an answer, and say how long that takes
#[derive(Args, Debug)]
pub(crate) struct Ping {
    #[command(flatten)]
    pub(crate) plain: Plain,
}

/// Look at the node of this machine
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say who it is and where it listens
    Info(Plain),
    /// List the peers that it is connected with
    Peers(Plain),
    /// List the nodes that say that they run tasks for others
    Workers(Plain),
    /// Connect it to a peer
    Connect(Connect),
}

#[derive(Args, Debug)]
struct Connect {
    /// The peer: a multiaddress with an id, such as /ip4/192.0.2.1/tcp/4808/p2p/12D3KooW…
    #[arg(value_name = "ADDRESS")]
    peer: PeerAddress,

    #[command(flatten)]
    plain: Plain,
}

impl Options {
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            Command::Info(plain) | Command::Peers(plain) | Command::Workers(plain) => plain.json,
            Command::Connect(connect) => connect.plain.json,
        }
    }
}

pub(crate) fn start(options: &Start) -> Result<(), CommandError> {
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
    if !works_for.is_nobody() {
        let jobs = options.jobs.or(settings.file().work.jobs);
        let place = storage.place(&settings).map_err(CommandError::input)?;
        works::begin(&node, works_for, jobs, &settings, store, &place)?;
    }
    let status = node.status().map_err(CommandError::host)?;
    if options.json {
        let addresses = status.addresses.iter().map(ToString::to_string);
        let facts = print::map([
            ("addresses", print::texts(addresses)),
            ("id", Ipld::String(status.id.to_string())),
        ]);
        print::ok(facts)?;
    } else {
        print::line(&format!("{} listens at", status.id))?;
        for address in &status.addresses {
            print::line(&format!("  {address}"))?;
        }
    }
    if asked.recv().is_ok() {
        print::note("the node ends");
        node.shutdown();
    }
    Ok(())
}

fn not_started(error: NodeError) -> CommandError {
    let is_taken = matches!(&error, NodeError::Peers(PeersError::Listen { .. }));
    let error = CommandError::input(Caused::new("can't start a node", error));
    match is_taken {
        true => error.hint(
            "`--listen ADDRESS`, or `listen` under [network] in homestar.toml, names another place",
        ),
        false => error,
    }
}

/// Returns how a node is among peers by its settings alone.
pub(super) fn peers_of(settings: &Settings) -> Result<PeersSettings, CommandError> {
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

/// Returns the node of this machine.
fn node() -> Result<LocalNode, CommandError> {
    let socket = paths::socket().map_err(CommandError::input)?;
    LocalNode::find(&socket).ok_or_else(|| {
        let error = CommandError::input("no node of yours runs on this machine");
        error.hint("`homestar start` starts one")
    })
}

/// Asks the node for something, and returns what it answers.
fn ask(node: &LocalNode, method: &str, path: &str, body: &str) -> Result<Ipld, CommandError> {
    let answer = node.ask(method, path, body.as_bytes().to_vec());
    let answer = answer.map_err(|what| CommandError::host(format!("the node {what}")))?;
    let text = String::from_utf8_lossy(&answer.body);
    let value = json::parse(&text).map_err(|error| {
        CommandError::host(Caused::new("the node answers what isn't understood", error))
    })?;
    match (answer.status, value) {
        (200, value) => Ok(value),
        (_, Ipld::Map(mut map)) => Err(CommandError::input(match map.remove("error") {
            Some(Ipld::String(words)) => words,
            _ => format!("the node answered with status {}", answer.status),
        })),
        (status, _) => Err(CommandError::host(format!(
            "the node answered with status {status}"
        ))),
    }
}

pub(crate) fn stop(options: &Stop) -> Result<(), CommandError> {
    ask(&node()?, "POST", "/v1/stop", "")?;
    match options.plain.json {
        true => print::ok(print::map([])),
        false => print::line("the node ends"),
    }
}

pub(crate) fn status(options: &Status) -> Result<(), CommandError> {
    info(&options.plain)
}

pub(crate) fn ping(options: &Ping) -> Result<(), CommandError> {
    let node = node()?;
    let start = Instant::now();
    ask(&node, "GET", "/v1/ping", "")?;
    let time = start.elapsed();
    match options.plain.json {
        true => {
            let micros = i128::try_from(time.as_micros()).unwrap_or(i128::MAX);
            print::ok(print::map([("time_us", Ipld::Integer(micros))]))
        }
        false => print::line(&format!("the node answers, within {time:.1?}")),
    }
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    match &options.command {
        Command::Info(plain) => info(plain),
        Command::Peers(plain) => list(plain),
        Command::Workers(plain) => workers(plain),
        Command::Connect(options) => connect(options),
    }
}

fn info(options: &Plain) -> Result<(), CommandError> {
    let facts = ask(&node()?, "GET", "/v1/node", "")?;
    if options.json {
        return print::ok(facts);
    }
    let mut rows = vec![("id", text(&facts, "id"))];
    let addresses = list_of(&facts, "addresses");
    rows.extend(
        addresses
            .iter()
            .map(|address| ("listens at", address.clone())),
    );
    rows.extend(reached(&facts));
    rows.push(("peers", text(&facts, "peers")));
    rows.push(("shared", text(&facts, "shared")));
    let (working, queued) = (text(&facts, "working"), text(&facts, "queued"));
    rows.push(("for others", format!("{working} tasks run, {queued} wait")));
    rows.extend(counts(&facts));
    rows.push(("process", text(&facts, "pid")));
    rows.push(("version", text(&facts, "version")));
    print::out(print::table(&rows).as_bytes())
}

/// How others reach it.
fn reached(facts: &Ipld) -> Vec<(&'static str, String)> {
    let Ok(Some(reached)) = facts.get("reached") else {
        return Vec::new();
    };
    let at = list_of(reached, "addresses");
    let through = list_of(reached, "relays");
    let is_in_vain = matches!(reached.get("in_vain"), Ok(Some(Ipld::Bool(true))));
    let mut rows: Vec<_> = at.into_iter().map(|at| ("reached at", at)).collect();
    rows.extend(through.into_iter().map(|relay| ("through relay", relay)));
    if rows.is_empty() {
        let words = match is_in_vain {
            true => "others have tried, in vain; `relays` in homestar.toml names who can help",
            false => "nobody has tried yet",
        };
        rows.push(("reached", words.to_owned()));
    }
    rows
}

/// What it is at.
fn counts(facts: &Ipld) -> Vec<(&'static str, String)> {
    let Ok(Some(counts)) = facts.get("counts") else {
        return Vec::new();
    };
    let number = |name| text(counts, name);
    let mut rows = vec![(
        "table",
        format!(
            "{} peers, {} records of others, {} told of",
            number("table"),
            number("records"),
            number("provided")
        ),
    )];
    if number("topics") != "0" {
        rows.push((
            "gossip",
            format!(
                "{} topics with {} peers; {} passed on, {} rejected, {} ignored",
                number("topics"),
                number("gossips"),
                number("accepted"),
                number("rejected"),
                number("ignored")
            ),
        ));
    }
    rows.push((
        "receipts",
        format!(
            "{} taken of others, {} heard of, {} look-ups answered",
            number("receipts_taken"),
            number("receipts_heard"),
            number("lookups")
        ),
    ));
    if number("shunned") != "0" {
        rows.push(("shunned", format!("{} peers", number("shunned"))));
    }
    rows
}

fn list(options: &Plain) -> Result<(), CommandError> {
    let facts = ask(&node()?, "GET", "/v1/peers", "")?;
    if options.json {
        return print::ok(facts);
    }
    let Ipld::List(peers) = &facts else {
        return Ok(());
    };
    for peer in peers {
        let agent = text(peer, "agent");
        print::line(&format!(
            "{} {} {agent}",
            text(peer, "id"),
            text(peer, "address")
        ))?;
    }
    Ok(())
}

fn workers(options: &Plain) -> Result<(), CommandError> {
    let facts = ask(&node()?, "GET", "/v1/workers", "")?;
    if options.json {
        return print::ok(facts);
    }
    let Ipld::List(workers) = &facts else {
        return Ok(());
    };
    for worker in workers {
        let [jobs, running, waiting] =
            ["jobs", "running", "waiting"].map(|name| text(worker, name));
        let id = text(worker, "id");
        print::line(&format!(
            "{id} {running} of {jobs} tasks run, {waiting} wait"
        ))?;
    }
    Ok(())
}

fn connect(options: &Connect) -> Result<(), CommandError> {
    let facts = ask(&node()?, "POST", "/v1/connect", &options.peer.to_string())?;
    match options.plain.json {
        true => print::ok(facts),
        false => print::line(&format!("connected to {}", options.peer.id())),
    }
}

/// Returns what stands under a name, as a text.
fn text(facts: &Ipld, name: &str) -> String {
    match facts.get(name) {
        Ok(Some(Ipld::String(text))) => text.clone(),
        Ok(Some(Ipld::Integer(number))) => number.to_string(),
        _ => String::new(),
    }
}

/// Returns where those are that say to the node of this machine that they run tasks for others.
pub(super) fn announced() -> Vec<PeerAddress> {
    let facts = node().and_then(|node| ask(&node, "GET", "/v1/workers", ""));
    let Ok(Ipld::List(workers)) = facts else {
        return Vec::new();
    };
    let address = |worker: &Ipld| {
        let id = text(worker, "id");
        let addresses = list_of(worker, "addresses");
        let mut parsed = addresses
            .iter()
            .filter_map(|it| it.parse::<PeerAddress>().ok());
        parsed.find(|address| address.id().to_string() == id)
    };
    workers.iter().filter_map(address).collect()
}

/// Returns the peers with which the node of this machine has a connection that it made itself, so where they are is known.
pub(super) fn connected() -> Vec<PeerAddress> {
    let facts = node().and_then(|node| ask(&node, "GET", "/v1/peers", ""));
    let Ok(Ipld::List(peers)) = facts else {
        return Vec::new();
    };
    let address = |peer: &Ipld| {
        let is_theirs = matches!(peer.get("incoming"), Ok(Some(Ipld::Bool(true))));
        let at: Multiaddr = text(peer, "address").parse().ok()?;
        let id = text(peer, "id").parse().ok()?;
        (!is_theirs).then(|| PeerAddress::new(at, id))
    };
    peers.iter().filter_map(address).collect()
}

fn list_of(facts: &Ipld, name: &str) -> Vec<String> {
    match facts.get(name) {
        Ok(Some(Ipld::List(items))) => items
            .iter()
            .filter_map(|item| match item {
                Ipld::String(text) => Some(text.clone()),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Tells the node of this machine, if one runs, that something else is shared.
pub(super) fn tell_shared() {
    if let Ok(node) = node() {
        // It finds out by itself when somebody asks for it.
        let _ = ask(&node, "POST", "/v1/shared", "");
    }
}
