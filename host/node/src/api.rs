//! What can be asked of a node, by its owner's programs on the socket and by others over TCP.
//!
//! ```text
//! request ─→ routes ─→ Gate: may they? ─→ About: what there is, what is to be done ─→ Answer
//!                                           └─→ Runs
//! ```
//!
//! Whoever comes by the socket may do everything. Everybody else needs leave by the node's key for all but one route
//! ([`gate`]). `docs/openapi.json` tells all routes to programs, and `docs/node.md` to people.

mod fault;
pub(crate) mod gate;
mod metrics;
mod query;
mod routes;

use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use homestar_core::ipld::{Cid, Ipld, Link, cid_of_raw};
use homestar_core::json;
use homestar_core::market::Announcement;
use homestar_core::receipt::Receipt;
use homestar_core::task::Instruction;
use homestar_core::ucan::Did;
use homestar_net::{
    Answer, Api, ApiAnswer, ApiHead, ApiRequest, Caller, Counts, PeerAddress, PeerStatus, Peers,
    PeersStatus, Reached, Ticket, Topic, peer_of, wait_for,
};
use homestar_store::{Recorded, StoreError};

pub use self::fault::{Fault, FaultKind};
pub use self::routes::command_of;

use self::gate::{Gate, Wanted};
use self::metrics::Metrics;
use self::query::Query;
use self::routes::find;
use crate::elsewhere::{ASKED_AT_ONCE, read_links};
use crate::facts::{map, number, or_null, text, texts};
use crate::heard::{self, NAMED_MAX};
use crate::market::{Announced, Worker};
use crate::runs::{Runs, Wishes, words};
use crate::{Elsewhere, Heard, ReadCarError, Source, read_car, shared, shared_receipts};

/// The description of all routes.
const OPENAPI: &str = include_str!("../../../docs/openapi.json");

/// Shared receipts that others are told of by the names of their instructions. What others remember of one node is bounded, and files are to
/// have room there too; whoever is connected is asked directly.
const TOLD_MAX: usize = 256;
/// Messages by which new receipts are told of at one time. Others hear a few of one author each second.
const MESSAGES_MAX: usize = 4;
/// Receipts in one answer.
const RECEIPTS_MAX: u64 = 1_000;

/// What can be asked about a node, and said to it.
pub(crate) struct About {
    pub(crate) worker: Arc<OnceLock<Worker>>,
    pub(crate) announced: Arc<Announced>,
    pub(crate) peers: Peers,
    pub(crate) source: Arc<Source>,
    pub(crate) elsewhere: Arc<Elsewhere>,
    pub(crate) heard: Arc<Heard>,
    pub(crate) shares_receipts: bool,
    /// What others were told of.
    pub(crate) told: Mutex<HashSet<Cid>>,
    pub(crate) runs: Arc<Runs>,
    pub(crate) gate: Gate,
    pub(crate) metrics: Metrics,
    /// Where it is asked over TCP, if it is.
    pub(crate) address: OnceLock<SocketAddr>,
    /// Whether nothing more is taken on.
    pub(crate) is_closing: AtomicBool,
    pub(crate) on_stop: Box<dyn Fn() + Send + Sync>,
    pub(crate) version: &'static str,
}

impl fmt::Debug for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "About({:?})", self.peers)
    }
}

/// A request, as far as a route needs it.
struct Asked<'a> {
    /// What stands where the route's path has `{…}`.
    name: &'a str,
    query: Query<'a>,
    body: &'a [u8],
    media_type: Option<&'a str>,
    /// Who asks; nobody for the owner.
    by: Option<Did>,
}

impl Api for About {
    fn admit(&self, head: &ApiHead) -> Result<Ticket, Answer> {
        let admitted = self.try_admit(head);
        admitted.map_err(|fault| self.counted(head, fault.answer()))
    }

    fn answer(&self, request: &ApiRequest) -> ApiAnswer {
        match self.try_answer(request) {
            Ok(ApiAnswer::Whole(answer)) => ApiAnswer::Whole(self.counted(&request.head, answer)),
            Ok(follow) => follow,
            Err(fault) => ApiAnswer::Whole(self.counted(&request.head, fault.answer())),
        }
    }
}

impl About {
    fn try_admit(&self, head: &ApiHead) -> Result<Ticket, Fault> {
        let found = find(&head.method, &head.path);
        let open = |by, bytes_max, body| Ticket {
            by,
            bytes_max,
            body,
        };
        let bearer = match (&head.caller, &found) {
            (_, Ok((route, _))) if route.command.is_none() => {
                return Ok(open(None, route.body_bytes_max, None));
            }
            (Caller::Owner, _) => {
                let (route, _) = found?;
                return Ok(open(None, route.body_bytes_max, None));
            }
            // Who has no token needn't be told what there is.
            (Caller::Somebody { bearer: None }, _) => return Err(Fault::without_leave()),
            (
                Caller::Somebody {
                    bearer: Some(bearer),
                },
                _,
            ) => bearer,
        };
        let (route, _) = found?;
        let target = head.target();
        let wanted = Wanted {
            command: route.command.unwrap_or_default(),
            method: &head.method,
            target: &target,
            changes: head.method == "POST",
        };
        let leave = self.gate.open(bearer, &wanted, now(), Instant::now())?;
        // Whoever has the node's key is its owner, wherever they are.
        let by = (leave.by != *self.gate.own()).then_some(leave.by);
        Ok(open(by, route.body_bytes_max, Some(leave.body)))
    }

    fn try_answer(&self, request: &ApiRequest) -> Result<ApiAnswer, Fault> {
        let (head, ticket) = (&request.head, &request.ticket);
        let (route, name) = find(&head.method, &head.path)?;
        if ticket
            .body
            .is_some_and(|cid| cid != cid_of_raw(&request.body))
        {
            return Err(Fault::denied(
                "the body is another than that of the token, which names it by the CID of its bytes",
            ));
        }
        if self.is_closing.load(Ordering::Relaxed) {
            return Err(Fault::busy("the node ends"));
        }
        let asked = Asked {
            name,
            query: Query::parse(head.query.as_deref(), route.query)?,
            body: &request.body,
            media_type: head.media_type.as_deref(),
            by: ticket.by,
        };
        (route.answer)(self, &asked)
    }

    /// Counts an answer by what was asked, not by how it was named.
    fn counted(&self, head: &ApiHead, answer: Answer) -> Answer {
        let found = find(&head.method, &head.path);
        let (method, path) = found.map_or(("", "unknown"), |(route, _)| (route.method, route.path));
        self.metrics.answered(method, path, answer.status);
        answer
    }

    /// Takes nothing on from now on.
    pub(crate) fn close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
    }

    fn status(&self) -> Result<PeersStatus, Fault> {
        wait_for(self.peers.status()).map_err(Fault::host)
    }

    fn health(&self, _: &Asked<'_>) -> Result<ApiAnswer, Fault> {
        said(map([("status", text("ok"))]))
    }

    fn openapi(&self, _: &Asked<'_>) -> Result<ApiAnswer, Fault> {
        Ok(ApiAnswer::Whole(Answer::json(200, OPENAPI.to_owned())))
    }

    fn node(&self, _: &Asked<'_>) -> Result<ApiAnswer, Fault> {
        let status = self.status()?;
        let addresses = status.addresses.iter().map(ToString::to_string);
        let shared = shared(&**self.source.store()).map_err(Fault::host)?;
        let room = self.worker.get().and_then(Worker::room).unwrap_or_default();
        let api = self.address.get().map(|at| format!("http://{at}"));
        said(map([
            ("addresses", texts(addresses)),
            ("api", or_null(api, Ipld::String)),
            ("counts", self.counts(&status.counts)),
            ("reached", reached(&status.reached)),
            ("id", text(status.id.to_string())),
            ("peers", number(status.peers.len() as u64)),
            ("pid", number(std::process::id().into())),
            ("queued", number(room.waiting)),
            ("runs", number(self.runs.at_work() as u64)),
            ("shared", number(shared.len() as u64)),
            ("version", text(self.version)),
            ("wanted", number(status.wanted as u64)),
            ("working", number(room.running)),
        ]))
    }

    fn counts(&self, counts: &Counts) -> Ipld {
        map([
            ("accepted", number(counts.accepted)),
            ("dags", number(counts.dags)),
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

    fn peers(&self, _: &Asked<'_>) -> Result<ApiAnswer, Fault> {
        let peers = self.status()?.peers;
        said(Ipld::List(peers.iter().map(peer).collect()))
    }

    /// What nodes said that they can do.
    fn workers(&self, _: &Asked<'_>) -> Result<ApiAnswer, Fault> {
        let worker = |said: Announcement| {
            let id = peer_of(&said.who)?;
            let effects = said.effects.into_iter();
            let effects = effects.map(|(name, cid)| (name, Ipld::Link(cid)));
            Some(map([
                ("addresses", texts(said.addresses)),
                ("effects", Ipld::Map(effects.collect())),
                ("id", text(id.to_string())),
                ("jobs", number(said.room.jobs)),
                ("memory", number(said.room.memory)),
                ("running", number(said.room.running)),
                ("signer", text(said.who.to_string())),
                ("waiting", number(said.room.waiting)),
            ]))
        };
        let announced = self.announced.all().into_iter();
        said(Ipld::List(announced.filter_map(worker).collect()))
    }

    fn effects(&self, _: &Asked<'_>) -> Result<ApiAnswer, Fault> {
        said(self.runs.effects()?)
    }

    fn connect(&self, asked: &Asked<'_>) -> Result<ApiAnswer, Fault> {
        let bad = || {
            let form = r#"{"peer": "/ip4/192.0.2.1/tcp/4808/p2p/12D3KooW…"}"#;
            Fault::usage(format!("the body has to be {form}"))
        };
        let Ipld::Map(fields) = read(asked.body)? else {
            return Err(bad());
        };
        let peer = match fields.get("peer") {
            Some(Ipld::String(peer)) if fields.len() == 1 => peer,
            _ => return Err(bad()),
        };
        let address: PeerAddress = peer
            .parse()
            .map_err(|error| Fault::usage(format!("{error}")))?;
        let connected = wait_for(self.peers.connect(address.clone()));
        connected.map_err(|error| {
            Fault::new(FaultKind::Input, format!("{address} {error}")).status(502)
        })?;
        said(map([("id", text(address.id().to_string()))]))
    }

    fn share(&self, _: &Asked<'_>) -> Result<ApiAnswer, Fault> {
        self.provide();
        said(map([]))
    }

    fn stop(&self, _: &Asked<'_>) -> Result<ApiAnswer, Fault> {
        (self.on_stop)();
        said(map([]))
    }

    fn metrics(&self, _: &Asked<'_>) -> Result<ApiAnswer, Fault> {
        let status = self.status()?;
        let stats = self.source.store().stats().map_err(Fault::host)?;
        let body = self.metrics.text(&metrics::Now {
            version: self.version,
            status: &status,
            stats: &stats,
            runs: self.runs.at_work(),
            ran: self.runs.ran(),
        });
        Ok(ApiAnswer::Whole(Answer {
            status: 200,
            media_type: "text/plain; version=0.0.4; charset=utf-8",
            headers: Vec::new(),
            body: body.into_bytes(),
        }))
    }

    /// One receipt.
    fn receipt(&self, asked: &Asked<'_>) -> Result<ApiAnswer, Fault> {
        let cid = cid(asked.name)?;
        let none = || Fault::nothing(format!("there is no receipt {cid} here"));
        let block = self.source.store().get(&cid).map_err(Fault::host)?;
        let block = block.ok_or_else(none)?;
        Receipt::decode(block.bytes()).map_err(|_| none())?;
        said(block.decode().map_err(Fault::host)?)
    }

    /// Receipts that are here: of an instruction, or the latest.
    fn receipts(&self, asked: &Asked<'_>) -> Result<ApiAnswer, Fault> {
        let limit = asked.query.number("limit", 1, RECEIPTS_MAX)?.unwrap_or(100);
        let before = asked.query.number("before", 0, u64::MAX >> 1)?;
        let store = self.source.store();
        let found = match (asked.query.text("ran").map(cid).transpose()?, before) {
            (Some(_), Some(_)) => {
                return Err(Fault::usage("`before` is for receipts of everything"));
            }
            (Some(ran), None) => {
                let found = store.receipts_of(&[Link::new(ran)]).map_err(Fault::host)?;
                found.into_iter().flatten().collect()
            }
            (None, before) => store
                .receipts(before, usize::try_from(limit).unwrap_or(usize::MAX))
                .map_err(Fault::host)?,
        };
        let found = found
            .iter()
            .take(usize::try_from(limit).unwrap_or(usize::MAX));
        said(Ipld::List(found.map(recorded).collect()))
    }

    /// Looks for receipts of instructions among peers, and names all that there are then.
    fn find_receipts(&self, asked: &Asked<'_>) -> Result<ApiAnswer, Fault> {
        let ran = links(asked.body)?.into_iter().map(Link::new);
        let ran: Vec<Link<Instruction>> = ran.collect();
        self.elsewhere.look(&ran, &[]);
        let found = self.source.store().receipts_of(&ran).map_err(Fault::host)?;
        let found = found.iter().flatten().filter(|it| it.is_reusable());
        let links = found.map(|it| Ipld::Link(*it.link().cid()));
        said(Ipld::List(links.collect()))
    }

    /// Puts the blocks of a CAR file into the store.
    fn bring(&self, asked: &Asked<'_>) -> Result<ApiAnswer, Fault> {
        if asked.media_type != Some("application/vnd.ipld.car") {
            return Err(Fault::usage("content is application/vnd.ipld.car").status(415));
        }
        let store = self.source.store();
        let _session = store.session().map_err(Fault::host)?;
        let from = read_car(&**store, &mut &*asked.body, &mut |_| {});
        let from = from.map_err(|error| match error {
            ReadCarError::Store(error @ StoreError::Quota { .. }) => Fault::host(error).status(507),
            ReadCarError::Store(error) => Fault::host(error),
            error => Fault::new(FaultKind::Input, words(&error)),
        })?;
        let roots = from.roots.into_iter().map(Ipld::Link);
        said(map([
            ("blocks", number(from.blocks)),
            ("bytes", number(from.bytes)),
            ("roots", Ipld::List(roots.collect())),
        ]))
    }

    /// Says which of some blocks are not in the store, so that they have to be brought.
    fn missing(&self, asked: &Asked<'_>) -> Result<ApiAnswer, Fault> {
        let missing = self.source.store().missing(&links(asked.body)?);
        let missing = missing.map_err(Fault::host)?.into_iter().map(Ipld::Link);
        said(Ipld::List(missing.collect()))
    }

    fn begin_run(&self, asked: &Asked<'_>) -> Result<ApiAnswer, Fault> {
        let wishes = wishes(&asked.query)?;
        let begun = (self.runs).begin(asked.media_type, asked.body, asked.by, &wishes)?;
        let events = format!("/v1/runs/{}/events", begun.id);
        let facts = map([
            ("events", text(events)),
            ("resumed", Ipld::Bool(begun.is_resumed)),
            ("run", text(begun.id.as_str())),
            ("workflow", Ipld::Link(begun.workflow)),
        ]);
        let body = json::to_string(&facts).map_err(Fault::host)?;
        let answer = Answer::json(202, body);
        Ok(ApiAnswer::Whole(
            answer.with("location", format!("/v1/runs/{}", begun.id)),
        ))
    }

    fn runs(&self, asked: &Asked<'_>) -> Result<ApiAnswer, Fault> {
        let limit = asked.query.number("limit", 1, 1_000)?.unwrap_or(20);
        said(self.runs.list(asked.by.as_ref(), limit)?)
    }

    fn run(&self, asked: &Asked<'_>) -> Result<ApiAnswer, Fault> {
        let limit = asked.query.number("limit", 1, 10_000)?.unwrap_or(1_000);
        let offset = asked.query.number("offset", 0, u64::MAX >> 1)?;
        let run = self
            .runs
            .show(asked.name, asked.by.as_ref(), offset.unwrap_or(0), limit)?;
        said(run)
    }

    fn follow(&self, asked: &Asked<'_>) -> Result<ApiAnswer, Fault> {
        let after = asked.query.number("after", 0, u64::MAX >> 1)?.unwrap_or(0);
        let feed = self.runs.follow(asked.name, asked.by.as_ref())?;
        Ok(ApiAnswer::Follow(feed, after))
    }

    fn cancel(&self, asked: &Asked<'_>) -> Result<ApiAnswer, Fault> {
        self.runs.cancel(asked.name, asked.by.as_ref())?;
        let body = json::to_string(&map([("run", text(asked.name))])).map_err(Fault::host)?;
        Ok(ApiAnswer::Whole(Answer::json(202, body)))
    }

    /// Blocks are given by the server itself.
    fn content(&self, _: &Asked<'_>) -> Result<ApiAnswer, Fault> {
        Err(Fault::nothing("blocks are under /ipfs/{cid}"))
    }

    /// Tells others what is shared. That of a store that can't be read is told when somebody shares something.
    pub(crate) fn provide(&self) {
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

/// Returns the time, in seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

/// Says something, in DAG-JSON.
fn said(facts: Ipld) -> Result<ApiAnswer, Fault> {
    let body = json::to_string(&facts).map_err(Fault::host)?;
    Ok(ApiAnswer::Whole(Answer::json(200, body)))
}

fn read(body: &[u8]) -> Result<Ipld, Fault> {
    let text = str::from_utf8(body).map_err(|_| Fault::usage("the body is not UTF-8"))?;
    json::parse(text).map_err(|error| Fault::usage(format!("the body is no DAG-JSON: {error}")))
}

/// Reads a list of links.
fn links(body: &[u8]) -> Result<Vec<Cid>, Fault> {
    let links = read_links(body).filter(|links| links.len() <= ASKED_AT_ONCE);
    links.ok_or_else(|| {
        let words = format!("a list of at most {ASKED_AT_ONCE} links belongs there");
        Fault::usage(words)
    })
}

/// Reads how a run is to be run.
fn wishes(query: &Query<'_>) -> Result<Wishes, Fault> {
    let results = query.text("result").into_iter();
    let results = results.flat_map(|labels| labels.split(','));
    Ok(Wishes {
        jobs: query.number("jobs", 1, u64::from(u16::MAX))?,
        fails_fast: match query.text("fail-fast") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(Fault::usage("`fail-fast` has to be true or false")),
        },
        results: results.map(str::to_owned).collect(),
    })
}

fn cid(text: &str) -> Result<Cid, Fault> {
    homestar_core::ipld::parse_cid(text)
        .map_err(|error| Fault::usage(format!("`{text}` is no CID: {error}")))
}

fn recorded(recorded: &Recorded) -> Ipld {
    let receipt = recorded.receipt().ok();
    let by = receipt.as_ref().map(|it| it.issuer().to_string());
    let ran = receipt.as_ref().map(|it| *it.ran().cid());
    map([
        ("at_ms", number(recorded.at_ms())),
        ("by", or_null(by, Ipld::String)),
        ("number", number(recorded.number())),
        ("ran", or_null(ran, Ipld::Link)),
        ("receipt", Ipld::Link(*recorded.link().cid())),
        ("reusable", Ipld::Bool(recorded.is_reusable())),
    ])
}

fn reached(reached: &Reached) -> Ipld {
    let addresses = reached.addresses.iter().map(ToString::to_string);
    let relays = reached.relays.iter().map(ToString::to_string);
    map([
        ("addresses", texts(addresses)),
        ("in_vain", Ipld::Bool(reached.is_in_vain)),
        ("relays", texts(relays)),
    ])
}

fn peer(peer: &PeerStatus) -> Ipld {
    let rtt = peer
        .rtt
        .map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX));
    map([
        ("address", text(peer.address.to_string())),
        ("agent", or_null(peer.agent.clone(), Ipld::String)),
        ("came_bytes", number(peer.came_bytes)),
        ("id", text(peer.id.to_string())),
        ("incoming", Ipld::Bool(peer.is_incoming)),
        ("rtt_us", or_null(rtt, number)),
        ("score", Ipld::Integer(peer.score.into())),
        ("went_bytes", number(peer.went_bytes)),
    ])
}
