//! `homestar start`, `stop`, `status`, `ping` and `node`: nodes, this machine's above all

pub(crate) mod start;

pub(in crate::commands) mod ask;
mod detach;
mod notify;
mod token;

use std::time::Instant;

use clap::{Args, Subcommand};
use homestar_core::ipld::Ipld;
use homestar_node::{Multiaddr, PeerAddress};

use self::ask::{Asked, NodeOptions};
use crate::error::CommandError;
use crate::print;

/// What commands to a node take.
#[derive(Args, Debug)]
pub(crate) struct Plain {
    #[command(flatten)]
    whom: NodeOptions,

    /// Print one JSON object: {"ok": …}, or {"error": {"kind": …, "message": …}}
    #[arg(long)]
    pub(crate) json: bool,
}

/// End the node of this machine, in order
///
/// It takes nothing on any more. Runs stop when the tasks that run have ended, and the node goes on with them when it is started
/// again. Then answers end that are under way, for ten seconds at most, connections are closed, and what was fetched is safe.
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
    Cancel(Cancel),
    Token(token::Options),
}

#[derive(Args, Debug)]
struct Connect {
    /// The peer: a multiaddress with an id, such as /ip4/192.0.2.1/tcp/4808/p2p/12D3KooW…
    #[arg(value_name = "ADDRESS")]
    peer: PeerAddress,

    #[command(flatten)]
    plain: Plain,
}

/// End a run that a node has at work, and the tasks of it that run
///
/// It is over then, and the node doesn't go on with it. `homestar runs` lists runs.
#[derive(Args, Debug)]
struct Cancel {
    /// The run, by its id
    run: String,

    #[command(flatten)]
    plain: Plain,
}

impl Options {
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            Command::Info(plain) | Command::Peers(plain) | Command::Workers(plain) => plain.json,
            Command::Connect(connect) => connect.plain.json,
            Command::Cancel(cancel) => cancel.plain.json,
            Command::Token(token) => token.json,
        }
    }
}

pub(crate) fn stop(options: &Stop) -> Result<(), CommandError> {
    options.plain.whom.node()?.ask("POST", "/v1/stop", "")?;
    match options.plain.json {
        true => print::ok(print::map([])),
        false => print::line("the node ends"),
    }
}

pub(crate) fn status(options: &Status) -> Result<(), CommandError> {
    info(&options.plain)
}

pub(crate) fn ping(options: &Ping) -> Result<(), CommandError> {
    let node = options.plain.whom.node()?;
    let start = Instant::now();
    node.ask("GET", "/v1/health", "")?;
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
        Command::Cancel(options) => cancel(options),
        Command::Token(options) => token::main(options),
    }
}

fn cancel(options: &Cancel) -> Result<(), CommandError> {
    let run = &options.run;
    let is_id = !run.is_empty() && run.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_id {
        return Err(CommandError::input(format!("`{run}` is no id of a run"))
            .hint("`homestar runs` lists runs"));
    }
    let path = format!("/v1/runs/{run}/cancel");
    options.plain.whom.node()?.ask("POST", &path, "")?;
    match options.plain.json {
        true => print::ok(print::map([("run", Ipld::String(run.clone()))])),
        false => print::line(&format!("run {run} ends")),
    }
}

fn info(options: &Plain) -> Result<(), CommandError> {
    let facts = options.whom.node()?.ask("GET", "/v1/node", "")?;
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
    let api = text(&facts, "api");
    rows.extend((!api.is_empty()).then_some(("asked at", api)));
    rows.extend(reached(&facts));
    rows.push(("peers", text(&facts, "peers")));
    rows.push(("shared", text(&facts, "shared")));
    let (working, queued) = (text(&facts, "working"), text(&facts, "queued"));
    rows.push(("for others", format!("{working} tasks run, {queued} wait")));
    rows.push(("workflows", format!("{} at work", text(&facts, "runs"))));
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
    rows.push(("DAGs", format!("{} given to peers", number("dags"))));
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
    let facts = options.whom.node()?.ask("GET", "/v1/peers", "")?;
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
    let facts = options.whom.node()?.ask("GET", "/v1/workers", "")?;
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
    let peer = print::map([("peer", Ipld::String(options.peer.to_string()))]);
    let node = options.plain.whom.node()?;
    let facts = node.ask("POST", "/v1/connect", &print::json_line(&peer)?)?;
    match options.plain.json {
        true => print::ok(facts),
        false => print::line(&format!("connected to {}", options.peer.id())),
    }
}

/// Returns what stands under a name, as a text.
pub(super) fn text(facts: &Ipld, name: &str) -> String {
    match facts.get(name) {
        Ok(Some(Ipld::String(text))) => text.clone(),
        Ok(Some(Ipld::Integer(number))) => number.to_string(),
        _ => String::new(),
    }
}

/// Returns where those are that say to the node of this machine that they run tasks for others.
pub(super) fn announced() -> Vec<PeerAddress> {
    let facts = Asked::here().and_then(|node| node.ask("GET", "/v1/workers", ""));
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
    let facts = Asked::here().and_then(|node| node.ask("GET", "/v1/peers", ""));
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

pub(super) fn list_of(facts: &Ipld, name: &str) -> Vec<String> {
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
    if let Ok(node) = Asked::here() {
        // It finds out by itself when somebody asks for it.
        let _ = node.ask("POST", "/v1/shared", "");
    }
}
