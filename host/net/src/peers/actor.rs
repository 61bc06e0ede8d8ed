//! The one that owns the swarm.
//!
//! It waits for one thing, does what follows from it, and waits again: a command of a handle, the end of a job, an event
//! of the swarm, or time.

mod around;
mod dags;
mod nearby;
mod report;
mod words;

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use homestar_core::ipld::{Block, Cid};
use libp2p::core::ConnectedPoint;
use libp2p::core::transport::ListenerId;
use libp2p::futures::StreamExt;
use libp2p::kad::{QueryId, RecordKey};
use libp2p::request_response::OutboundRequestId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, identify, relay};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout, timeout_at};

use super::dags::{DagGiver, Opened};
use super::jobs::{self, Done};
use super::lookup::{Names, Ran};
use super::network::{Event, Network, Protocols};
use super::others::Others;
use super::outbox::{Letter, Outbox};
use super::providers::Providers;
use super::redial::Redial;
use super::relays::Relays;
use super::score::Scores;
use super::telling::Telling;
use super::{Counts, PeerAddress, PeersError, PeersSettings, PeersStatus, Served, Topic, address};
use crate::bitswap::{self, Giver, GiverStep, Message, Seeker, SeekerStep, Sender, Ticket};
use crate::{BlockSource, FetchError, What};

/// How often is looked whether something is late.
const TICK: Duration = Duration::from_millis(250);
/// Ticks after which is looked again for what others wait for.
const LOOK_AGAIN: u32 = 20;
/// Time in which listening has to begin.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);
/// Time that connections have to close when all ends.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// Searches at one time. Each asks some dozen peers.
const SEARCHES_MAX: usize = 16;

/// Messages of gossip that are looked at by the listener at one time. What comes when there are so many is forgotten.
const HEARING_MAX: usize = 64;
/// Look-ups of receipts for peers at one time. Who asks when there are so many isn't answered.
const NAMING_MAX: usize = 16;
/// What is said of a peer that the settings don't let in.
const NOT_ADMITTED: &str = "the settings say that it isn't spoken to";
/// What is said of a peer that is shunned.
const SHUNNED: &str = "it isn't spoken to for a while: it sent what makes no sense, or too much";
/// Characters of what a peer says it runs.
const AGENT_CHARS_MAX: usize = 64;
/// Addresses of one peer that are remembered.
const ADDRESSES_MAX: usize = 16;

/// Who waits for a block, and is told who gave it.
type Waiting = oneshot::Sender<Result<(PeerId, Block), FetchError>>;

/// What a handle asks for.
#[derive(Debug)]
pub(super) enum Command {
    Want {
        cid: Cid,
        answer: Waiting,
    },
    Givers {
        first: PeerId,
        answer: oneshot::Sender<Vec<DagGiver>>,
    },
    Open {
        peer: PeerId,
        answer: oneshot::Sender<Opened>,
    },
    GivesNoDags {
        peer: PeerId,
        answer: oneshot::Sender<()>,
    },
    PartWith {
        peer: PeerId,
        what: What,
        answer: oneshot::Sender<()>,
    },
    Connect {
        address: PeerAddress,
        answer: oneshot::Sender<Result<(), String>>,
    },
    Provide {
        cid: Cid,
        answer: oneshot::Sender<()>,
    },
    Providers {
        cid: Cid,
        max: usize,
        answer: oneshot::Sender<Vec<PeerId>>,
    },
    Tell {
        peer: PeerId,
        letter: Letter,
    },
    Publish {
        topic: Topic,
        message: Vec<u8>,
        answer: oneshot::Sender<Result<(), PeersError>>,
    },
    Receipts {
        peer: PeerId,
        ran: Ran,
        answer: oneshot::Sender<Result<Names, PeersError>>,
    },
    Blame {
        peer: PeerId,
        answer: oneshot::Sender<()>,
    },
    Status {
        answer: oneshot::Sender<PeersStatus>,
    },
    Shutdown {
        answer: oneshot::Sender<()>,
    },
}

/// What the actor waits for.
enum Woken {
    Command(Command),
    /// The last handle is gone.
    Forsaken,
    Done(Done),
    Swarm(SwarmEvent<Event>),
    Tick,
}

/// See the module.
pub(super) struct Actor {
    settings: PeersSettings,
    served: Served,
    swarm: Swarm<Protocols>,
    listeners: Vec<ListenerId>,
    seeker: Seeker,
    giver: Giver,
    commands: mpsc::Receiver<Command>,
    /// Hashing and reading. What is hashed was asked for, and what is read at one time is up to the giver, so there are few.
    jobs: JoinSet<Done>,
    ticks: tokio::time::Interval,
    tick: u32,
    next_ticket: u64,
    waiting: HashMap<Ticket, Waiting>,
    connecting: HashMap<PeerId, Vec<oneshot::Sender<Result<(), String>>>>,
    searches: HashMap<QueryId, Cid>,
    providers: Providers,
    lookups: HashMap<OutboundRequestId, oneshot::Sender<Result<Names, PeersError>>>,
    /// A permit for each look-up of receipts for a peer.
    naming: Arc<Semaphore>,
    /// How many DAGs are given to each.
    giving: HashMap<PeerId, usize>,
    outbox: Outbox,
    scores: Scores,
    /// A permit for each message that the listener looks at.
    hearing: Arc<Semaphore>,
    connections: HashMap<PeerId, Vec<(ConnectionId, ConnectedPoint)>>,
    /// What is known of the peers that are connected.
    known: BTreeMap<PeerId, Known>,
    redial: Redial,
    relays: Relays,
    /// Somebody tried to reach this node, and couldn't.
    is_in_vain: bool,
    counts: Counts,
    others: Others,
    telling: Telling,
}

#[derive(Debug, Default)]
struct Known {
    agent: Option<String>,
    rtt: Option<Duration>,
    /// Whether it gives DAGs, if that is known.
    gives_dags: Option<bool>,
    /// Bytes of blocks. What comes and goes as DAGs is counted where it does.
    came_bytes: Arc<AtomicU64>,
    went_bytes: Arc<AtomicU64>,
}

impl Actor {
    /// Listens, and connects to the peers that the settings name.
    pub(super) async fn start(
        network: Network,
        settings: PeersSettings,
        served: Served,
        commands: mpsc::Receiver<Command>,
    ) -> Result<Self, PeersError> {
        let listener = served.listener.as_ref();
        let takes_messages = listener.is_some_and(|listener| listener.takes_messages());
        let mut swarm = network.swarm(&settings, takes_messages)?;
        for topic in settings.topics.iter().filter(|_| listener.is_some()) {
            let gossip = &mut swarm.behaviour_mut().gossip;
            let followed = gossip.subscribe(&topic.ident());
            followed.map_err(|error| PeersError::Gossip(error.to_string()))?;
        }
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut actor = Self {
            seeker: Seeker::new(settings.seeker()),
            giver: Giver::default(),
            swarm,
            listeners: Vec::new(),
            commands,
            jobs: JoinSet::new(),
            ticks,
            tick: 0,
            next_ticket: 0,
            waiting: HashMap::new(),
            connecting: HashMap::new(),
            searches: HashMap::new(),
            providers: Providers::default(),
            lookups: HashMap::new(),
            naming: Arc::new(Semaphore::new(NAMING_MAX)),
            giving: HashMap::new(),
            outbox: Outbox::default(),
            scores: Scores::default(),
            hearing: Arc::new(Semaphore::new(HEARING_MAX)),
            connections: HashMap::new(),
            known: BTreeMap::new(),
            redial: Redial::new(&settings.peers),
            relays: Relays::new(&settings.relays),
            is_in_vain: false,
            counts: Counts::default(),
            others: Others::default(),
            telling: Telling::default(),
            settings,
            served,
        };
        actor.listen().await?;
        actor.redial();
        Ok(actor)
    }

    /// Listens, and returns when it can be said where.
    async fn listen(&mut self) -> Result<(), PeersError> {
        let failed = |address: &Multiaddr, source| PeersError::Listen {
            address: address.clone(),
            source,
        };
        let mut begun: HashMap<ListenerId, Multiaddr> = HashMap::new();
        for address in self.settings.listen.clone() {
            address::is_free(&address).map_err(|error| failed(&address, error.into()))?;
            let listener = self.swarm.listen_on(address.clone());
            let listener = listener.map_err(|error| failed(&address, error.into()))?;
            self.listeners.push(listener);
            begun.insert(listener, address);
        }
        let until = tokio::time::Instant::now() + LISTEN_TIMEOUT;
        while !begun.is_empty() {
            // Where a machine has no address of that kind now, there may be one later.
            let Ok(event) = timeout_at(until, self.swarm.select_next_some()).await else {
                break;
            };
            match &event {
                SwarmEvent::NewListenAddr { listener_id, .. } => {
                    begun.remove(listener_id);
                }
                SwarmEvent::ListenerClosed {
                    listener_id,
                    reason: Err(error),
                    ..
                } if begun.contains_key(listener_id) => {
                    let error = std::io::Error::new(error.kind(), error.to_string());
                    return Err(failed(&begun[listener_id], error.into()));
                }
                _ => {}
            }
            self.happened(event);
        }
        Ok(())
    }

    /// Works until it is told to end, or nobody is left to tell.
    pub(super) async fn run(mut self) {
        loop {
            match self.next().await {
                Woken::Command(Command::Shutdown { answer }) => {
                    self.end().await;
                    // Nobody listens any more when it is said that it is over.
                    drop(self);
                    let _ = answer.send(());
                    return;
                }
                Woken::Forsaken => return,
                Woken::Command(command) => self.obey(command),
                Woken::Done(done) => self.done(done),
                Woken::Swarm(event) => self.happened(event),
                Woken::Tick => self.tick(),
            }
            self.do_steps();
        }
    }

    async fn next(&mut self) -> Woken {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Woken> {
        if let Poll::Ready(command) = self.commands.poll_recv(context) {
            return Poll::Ready(command.map_or(Woken::Forsaken, Woken::Command));
        }
        while let Poll::Ready(Some(done)) = self.jobs.poll_join_next(context) {
            if let Ok(done) = done {
                return Poll::Ready(Woken::Done(done));
            }
        }
        if self.ticks.poll_tick(context).is_ready() {
            return Poll::Ready(Woken::Tick);
        }
        match Pin::new(&mut self.swarm).poll_next_unpin(context) {
            Poll::Ready(Some(event)) => Poll::Ready(Woken::Swarm(event)),
            _ => Poll::Pending,
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Want { cid, answer } => self.want(cid, answer),
            Command::Givers { first, answer } => {
                let _ = answer.send(self.givers(first));
            }
            Command::Open { peer, answer } => self.swarm.behaviour_mut().dags.open(peer, answer),
            Command::GivesNoDags { peer, answer } => {
                self.gives_no_dags(&peer);
                let _ = answer.send(());
            }
            Command::PartWith { peer, what, answer } => {
                self.seeker.drop_peer(peer, what, Instant::now());
                let _ = answer.send(());
            }
            Command::Connect { address, answer } => self.connect(address, answer),
            Command::Provide { cid, answer } => {
                self.telling
                    .add(&mut self.swarm.behaviour_mut().kad, key(&cid));
                let _ = answer.send(());
            }
            Command::Providers { cid, max, answer } => self.look_for(&cid, max, answer),
            Command::Tell { peer, letter } => self.tell(peer, letter),
            Command::Publish {
                topic,
                message,
                answer,
            } => {
                let _ = answer.send(self.publish(topic, message));
            }
            Command::Receipts { peer, ran, answer } => {
                let lookup = &mut self.swarm.behaviour_mut().lookup;
                let request = lookup.send_request(&peer, ran);
                self.lookups.insert(request, answer);
            }
            Command::Blame { peer, answer } => {
                self.scores.blame(&peer, Instant::now());
                self.judge(peer);
                let _ = answer.send(());
            }
            Command::Status { answer } => {
                let _ = answer.send(self.status());
            }
            Command::Shutdown { .. } => {}
        }
    }

    fn want(&mut self, cid: Cid, answer: Waiting) {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.waiting.insert(ticket, answer);
        self.seeker.want(ticket, cid, Instant::now());
    }

    fn connect(&mut self, address: PeerAddress, answer: oneshot::Sender<Result<(), String>>) {
        let id = address.id();
        if let Some(what) = self.seeker.dropped(&id) {
            let _ = answer.send(Err(format!("it isn't spoken to any more: it {what}")));
        } else if !self.settings.admits(&id) {
            let _ = answer.send(Err(NOT_ADMITTED.to_owned()));
        } else if self.scores.is_shunned(&id) {
            let _ = answer.send(Err(SHUNNED.to_owned()));
        } else if self.swarm.is_connected(&id) {
            let _ = answer.send(Ok(()));
        } else {
            self.connecting.entry(id).or_default().push(answer);
            self.dial(id, vec![address.address().clone()]);
        }
    }

    /// Dials a peer, unless it is dialed already. Wants wait for it.
    fn dial(&mut self, id: PeerId, addresses: Vec<Multiaddr>) {
        let dial = DialOpts::peer_id(id)
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .addresses(addresses)
            .extend_addresses_through_behaviour();
        match self.swarm.dial(dial.build()) {
            Ok(()) => self.seeker.dialing(id),
            // The one that was begun before decides.
            Err(DialError::DialPeerConditionFalse(_)) => {}
            Err(error) => self.unreachable(id, &error),
        }
    }

    fn unreachable(&mut self, id: PeerId, error: &DialError) {
        let cause = cause(error);
        self.outbox.unreachable(&id, &cause);
        for answer in self.connecting.remove(&id).unwrap_or_default() {
            let _ = answer.send(Err(cause.clone()));
        }
        if !self.swarm.is_connected(&id) {
            let what = What::Unreachable(cause);
            self.seeker.disconnected(id, &what, Instant::now());
        }
    }

    fn redial(&mut self) {
        let now = Instant::now();
        for (id, addresses) in self.redial.due(now) {
            self.dial(id, addresses);
        }
        let swarm = &mut self.swarm;
        self.relays.go_on(now, |at| swarm.listen_on(at).ok());
    }

    fn tick(&mut self) {
        let now = Instant::now();
        self.tick = self.tick.wrapping_add(1);
        let gone: Vec<Ticket> = self
            .waiting
            .iter()
            .filter(|(_, answer)| answer.is_closed())
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in gone {
            self.waiting.remove(&ticket);
            self.seeker.unwant(ticket);
        }
        if !self.seeker.is_idle() {
            self.seeker.tick(now);
        }
        self.redial();
        if self.tick.is_multiple_of(LOOK_AGAIN) {
            self.giver.look_again();
            self.look_nearby();
            let store = self.swarm.behaviour_mut().kad.store_mut();
            self.others.forget_old(store, now);
            self.pardon(now);
            let peers: Vec<PeerId> = self.known.keys().copied().collect();
            peers.into_iter().for_each(|id| self.judge(id));
        }
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Verified(id, all) => self.seeker.verified(id, all, Instant::now()),
            Done::Looked(id, all, answers) => self.giver.looked(id, all, answers),
            Done::Heard(id, message, verdict) => self.heard(&id, &message, verdict),
            Done::Gave(id, gave) => self.gave(id, gave),
            Done::Named(channel, names) => {
                let lookup = &mut self.swarm.behaviour_mut().lookup;
                let _ = lookup.send_response(channel, names);
            }
        }
    }

    /// Does what the seeker and the giver say, until they say nothing more.
    fn do_steps(&mut self) {
        loop {
            if let Some(step) = self.seeker.poll() {
                self.seek(step);
            } else if let Some(step) = self.giver.poll() {
                self.give(step);
            } else {
                return;
            }
        }
    }

    fn seek(&mut self, step: SeekerStep) {
        match step {
            SeekerStep::Send(id, entries) => {
                let message = Message {
                    entries,
                    ..Message::default()
                };
                self.swarm
                    .behaviour_mut()
                    .bitswap
                    .send(id, &message, Sender::Seeker);
            }
            SeekerStep::Verify(id, payloads) => {
                let known = self.known.entry(id).or_default();
                let bytes = payloads.iter().map(|one| one.data.len() as u64).sum();
                known.came_bytes.fetch_add(bytes, Ordering::Relaxed);
                self.jobs.spawn_blocking(move || jobs::verify(id, payloads));
            }
            SeekerStep::Search(cid) => self.search(cid),
            SeekerStep::Found(ticket, id, block) => self.answer(ticket, Ok((id, block))),
            SeekerStep::NotFound(ticket, error) => self.answer(ticket, Err(error)),
            SeekerStep::Drop(id, _) => {
                self.giver.gone(&id);
                self.swarm.behaviour_mut().blocked.block_peer(id);
            }
        }
    }

    fn answer(&mut self, ticket: Ticket, fetched: Result<(PeerId, Block), FetchError>) {
        if let Some(answer) = self.waiting.remove(&ticket) {
            let _ = answer.send(fetched);
        }
    }

    fn give(&mut self, step: GiverStep) {
        match step {
            GiverStep::Look(id, all) => {
                let source = self.blocks_for(&id);
                self.jobs
                    .spawn_blocking(move || jobs::look(id, all, &source));
            }
            GiverStep::Send(id, message) => {
                let known = self.known.entry(id).or_default();
                let payloads = message.payloads.iter();
                let bytes = payloads.map(|one| one.data.len() as u64).sum();
                known.went_bytes.fetch_add(bytes, Ordering::Relaxed);
                self.swarm
                    .behaviour_mut()
                    .bitswap
                    .send(id, &message, Sender::Giver);
            }
        }
    }

    /// Asks who provides a block, if there is anybody to be asked.
    fn search(&mut self, cid: Cid) {
        let kad = &mut self.swarm.behaviour_mut().kad;
        let is_alone = kad.kbuckets().next().is_none();
        if is_alone || self.searches.len() >= SEARCHES_MAX {
            self.seeker.searched(cid, Instant::now());
            return;
        }
        let query = kad.get_providers(key(&cid));
        self.searches.insert(query, cid);
    }

    fn happened(&mut self, event: SwarmEvent<Event>) {
        let now = Instant::now();
        match event {
            SwarmEvent::Behaviour(Event::Bitswap(event)) => self.exchanged(event, now),
            SwarmEvent::Behaviour(Event::Identify(event)) => self.identified(*event),
            SwarmEvent::Behaviour(Event::Kad(event)) => self.looked_around(*event, now),
            SwarmEvent::Behaviour(Event::Dag(super::dags::Event(id, stream))) => {
                self.give_dag(id, stream, now);
            }
            SwarmEvent::Behaviour(Event::Direct(event)) => self.written(event, now),
            SwarmEvent::Behaviour(Event::Lookup(event)) => self.asked(event, now),
            SwarmEvent::Behaviour(Event::Relay(relay::client::Event::ReservationReqAccepted {
                relay_peer_id,
                ..
            })) => self.relays.granted(&relay_peer_id),
            SwarmEvent::Behaviour(Event::Tried(event)) => self.is_in_vain |= event.result.is_err(),
            SwarmEvent::Behaviour(Event::Nearby) => self.look_nearby(),
            SwarmEvent::NewListenAddr { address, .. } if self.settings.is_relay => {
                // Who wants to be a relay says by that that it is reached.
                self.swarm.add_external_address(address);
            }
            SwarmEvent::ListenerClosed { listener_id, .. } => self.relays.closed(listener_id, now),
            SwarmEvent::Behaviour(Event::Gossip(event)) => self.gossiped(*event, now),
            SwarmEvent::Behaviour(Event::Ping(event)) => {
                if let Ok(rtt) = event.result {
                    self.seeker.took(&event.peer, rtt);
                    if let Some(known) = self.known.get_mut(&event.peer) {
                        known.rtt = Some(rtt);
                    }
                }
            }
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => {
                self.connections
                    .entry(peer_id)
                    .or_default()
                    .push((connection_id, endpoint));
                self.known.entry(peer_id).or_default();
                for answer in self.connecting.remove(&peer_id).unwrap_or_default() {
                    let _ = answer.send(Ok(()));
                }
                self.redial.connected(&peer_id);
                self.seeker.connected(peer_id, now);
                let direct = &mut self.swarm.behaviour_mut().direct;
                self.outbox.go_on(direct, peer_id);
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                num_established,
                cause,
                ..
            } => {
                if let Some(connections) = self.connections.get_mut(&peer_id) {
                    connections.retain(|(id, _)| *id != connection_id);
                }
                if num_established == 0 {
                    let cause =
                        cause.map_or_else(|| "it is closed".to_owned(), |cause| cause.to_string());
                    self.left(peer_id, cause, now);
                }
            }
            SwarmEvent::OutgoingConnectionError {
                peer_id: Some(id),
                error,
                ..
            } => {
                self.redial.failed(&id, now);
                self.unreachable(id, &error);
            }
            _ => {}
        }
    }

    /// A peer is gone.
    fn left(&mut self, id: PeerId, cause: String, now: Instant) {
        self.connections.remove(&id);
        self.known.remove(&id);
        self.giver.gone(&id);
        self.redial.failed(&id, now);
        let what = What::BrokeOff { bytes: 0, cause };
        self.seeker.disconnected(id, &what, now);
    }

    fn exchanged(&mut self, event: bitswap::Event, now: Instant) {
        match event {
            bitswap::Event::Received(id, message) => {
                self.seeker
                    .received(id, message.presences, message.payloads, now);
                if self.seeker.dropped(&id).is_none() {
                    self.giver.received(id, &message.entries, message.is_full);
                }
            }
            bitswap::Event::Sent(id, Sender::Giver) => self.giver.sent(id),
            bitswap::Event::Sent(_, Sender::Seeker) => {}
            bitswap::Event::Lost(id, lost) => {
                self.giver.lost(id);
                self.seeker.lost(id, &lost, now);
            }
            bitswap::Event::Malformed(id, words) => {
                self.seeker.drop_peer(id, What::Garbled(words), now);
            }
        }
    }

    /// A peer says what it is and where it listens.
    fn identified(&mut self, event: identify::Event) {
        let identify::Event::Received { peer_id, info, .. } = event else {
            return;
        };
        if let Some(known) = self.known.get_mut(&peer_id) {
            let agent = info.agent_version.chars().filter(|c| !c.is_control());
            known.agent = Some(agent.take(AGENT_CHARS_MAX).collect());
            known.gives_dags = Some(info.protocols.contains(&super::dags::PROTOCOL));
        }
        let Some(address) = self.address(&peer_id).cloned() else {
            return;
        };
        let kad = &mut self.swarm.behaviour_mut().kad;
        if info
            .protocols
            .iter()
            .any(|one| kad.protocol_names().contains(one))
        {
            let told = info.listen_addrs.into_iter();
            let told = told.filter(|told| address::may_tell(&address, told));
            for told in told.take(ADDRESSES_MAX) {
                kad.add_address(&peer_id, told);
            }
        }
    }

    /// Returns where a peer is that is connected.
    fn address(&self, id: &PeerId) -> Option<&Multiaddr> {
        let (_, endpoint) = self.connections.get(id)?.first()?;
        Some(endpoint.get_remote_address())
    }

    /// What a peer gets.
    fn source(&self, id: &PeerId) -> Arc<dyn BlockSource> {
        match self.settings.trusted.contains(id) {
            true => Arc::clone(&self.served.trusted),
            false => Arc::clone(&self.served.strangers),
        }
    }

    /// Takes no more, and closes all connections.
    async fn end(&mut self) {
        self.commands.close();
        self.waiting.clear();
        for listener in self.listeners.drain(..) {
            self.swarm.remove_listener(listener);
        }
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for id in peers {
            let _ = self.swarm.disconnect_peer_id(id);
        }
        let swarm = &mut self.swarm;
        let closed = async {
            while swarm.network_info().num_peers() > 0 {
                swarm.select_next_some().await;
            }
        };
        let _ = timeout(SHUTDOWN_TIMEOUT, closed).await;
    }
}

/// The key under which the providers of a block are found: its hash, since all of its CIDs have that.
fn key(cid: &Cid) -> RecordKey {
    RecordKey::new(&cid.hash().to_bytes())
}

/// Returns why a peer can't be reached, in a line.
fn cause(error: &DialError) -> String {
    let causes = match error {
        DialError::Transport(errors) => errors,
        DialError::NoAddresses => return "nobody knows where it is".to_owned(),
        DialError::WrongPeerId { obtained, .. } => return format!("{obtained} is there instead"),
        error => return error.to_string(),
    };
    let causes = causes.iter().map(|(address, error)| {
        let mut innermost: &dyn std::error::Error = error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        format!("{address}: {innermost}")
    });
    causes.collect::<Vec<_>>().join("; ")
}
