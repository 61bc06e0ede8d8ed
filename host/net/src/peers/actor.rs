//! The one that owns the swarm.
//!
//! It waits for one thing, does what follows from it, and waits again: a command of a handle, the end of a job, an event
//! of the swarm, or time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use homestar_core::ipld::{Block, Cid};
use libp2p::core::ConnectedPoint;
use libp2p::core::transport::ListenerId;
use libp2p::futures::StreamExt;
use libp2p::kad::{GetProvidersOk, InboundRequest, QueryId, QueryResult, RecordKey};
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, identify, kad};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout, timeout_at};

use super::jobs::{self, Done};
use super::network::{Event, Network, Protocols};
use super::others::Others;
use super::redial::Redial;
use super::telling::Telling;
use super::{PeerAddress, PeerStatus, PeersError, PeersSettings, PeersStatus, Served, address};
use crate::bitswap::{self, Giver, GiverStep, Message, Seeker, SeekerStep, Sender, Ticket};
use crate::{FetchError, What};

/// How often is looked whether something is late.
const TICK: Duration = Duration::from_millis(250);
/// Ticks after which is looked again for what others wait for.
const LOOK_AGAIN: u32 = 20;
/// Time in which listening has to begin.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);
/// Time that connections have to close when all ends.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// Providers of a block to which connections are made.
const PROVIDERS_MAX: usize = 8;
/// Searches at one time. Each asks some dozen peers.
const SEARCHES_MAX: usize = 16;

/// Characters of what a peer says it runs.
const AGENT_CHARS_MAX: usize = 64;
/// Addresses of one peer that are remembered.
const ADDRESSES_MAX: usize = 16;

/// What a handle asks for.
#[derive(Debug)]
pub(super) enum Command {
    Want {
        cid: Cid,
        answer: oneshot::Sender<Result<Block, FetchError>>,
    },
    Connect {
        address: PeerAddress,
        answer: oneshot::Sender<Result<(), String>>,
    },
    Provide {
        cid: Cid,
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
    waiting: HashMap<Ticket, oneshot::Sender<Result<Block, FetchError>>>,
    connecting: HashMap<PeerId, Vec<oneshot::Sender<Result<(), String>>>>,
    searches: HashMap<QueryId, Cid>,
    connections: HashMap<PeerId, Vec<(ConnectionId, ConnectedPoint)>>,
    /// What is known of the peers that are connected.
    known: BTreeMap<PeerId, Known>,
    redial: Redial,
    others: Others,
    telling: Telling,
}

#[derive(Debug, Default)]
struct Known {
    agent: Option<String>,
    rtt: Option<Duration>,
    came_bytes: u64,
    went_bytes: u64,
}

impl Actor {
    /// Listens, and connects to the peers that the settings name.
    pub(super) async fn start(
        network: Network,
        settings: PeersSettings,
        served: Served,
        commands: mpsc::Receiver<Command>,
    ) -> Result<Self, PeersError> {
        let swarm = network.swarm(&settings)?;
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
            connections: HashMap::new(),
            known: BTreeMap::new(),
            redial: Redial::new(&settings.peers),
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
            Command::Connect { address, answer } => self.connect(address, answer),
            Command::Provide { cid, answer } => {
                self.telling
                    .add(&mut self.swarm.behaviour_mut().kad, key(&cid));
                let _ = answer.send(());
            }
            Command::Status { answer } => {
                let _ = answer.send(self.status());
            }
            Command::Shutdown { .. } => {}
        }
    }

    fn want(&mut self, cid: Cid, answer: oneshot::Sender<Result<Block, FetchError>>) {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.waiting.insert(ticket, answer);
        self.seeker.want(ticket, cid, Instant::now());
    }

    fn connect(&mut self, address: PeerAddress, answer: oneshot::Sender<Result<(), String>>) {
        let id = address.id();
        if let Some(what) = self.seeker.dropped(&id) {
            let _ = answer.send(Err(format!("it isn't spoken to any more: it {what}")));
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
        for answer in self.connecting.remove(&id).unwrap_or_default() {
            let _ = answer.send(Err(cause.clone()));
        }
        if !self.swarm.is_connected(&id) {
            let what = What::Unreachable(cause);
            self.seeker.disconnected(id, &what, Instant::now());
        }
    }

    fn redial(&mut self) {
        for (id, addresses) in self.redial.due(Instant::now()) {
            self.dial(id, addresses);
        }
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
            let store = self.swarm.behaviour_mut().kad.store_mut();
            self.others.forget_old(store, now);
        }
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Verified(id, all) => self.seeker.verified(id, all, Instant::now()),
            Done::Looked(id, all, answers) => self.giver.looked(id, all, answers),
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
                known.came_bytes += payloads
                    .iter()
                    .map(|one| one.data.len() as u64)
                    .sum::<u64>();
                self.jobs.spawn_blocking(move || jobs::verify(id, payloads));
            }
            SeekerStep::Search(cid) => self.search(cid),
            SeekerStep::Found(ticket, block) => self.answer(ticket, Ok(block)),
            SeekerStep::NotFound(ticket, error) => self.answer(ticket, Err(error)),
            SeekerStep::Drop(id, _) => {
                self.giver.gone(&id);
                self.swarm.behaviour_mut().blocked.block_peer(id);
            }
        }
    }

    fn answer(&mut self, ticket: Ticket, fetched: Result<Block, FetchError>) {
        if let Some(answer) = self.waiting.remove(&ticket) {
            let _ = answer.send(fetched);
        }
    }

    fn give(&mut self, step: GiverStep) {
        match step {
            GiverStep::Look(id, all) => {
                let source = match self.settings.trusted.contains(&id) {
                    true => Arc::clone(&self.served.trusted),
                    false => Arc::clone(&self.served.strangers),
                };
                self.jobs
                    .spawn_blocking(move || jobs::look(id, all, &source));
            }
            GiverStep::Send(id, message) => {
                let known = self.known.entry(id).or_default();
                known.went_bytes += message
                    .payloads
                    .iter()
                    .map(|one| one.data.len() as u64)
                    .sum::<u64>();
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

    fn looked_around(&mut self, event: kad::Event, now: Instant) {
        match event {
            kad::Event::OutboundQueryProgressed {
                id,
                result: QueryResult::GetProviders(result),
                step,
                ..
            } => {
                let Some(cid) = self.searches.get(&id).copied() else {
                    return;
                };
                if let Ok(GetProvidersOk::FoundProviders { providers, .. }) = result {
                    self.found(providers);
                }
                if step.last {
                    self.searches.remove(&id);
                    self.seeker.searched(cid, now);
                }
            }
            kad::Event::OutboundQueryProgressed {
                id,
                result: QueryResult::StartProviding(_),
                stats,
                ..
            } => self
                .telling
                .told(&mut self.swarm.behaviour_mut().kad, &id, &stats),
            kad::Event::RoutingUpdated {
                is_new_peer: true, ..
            } => self
                .telling
                .somebody_new(&mut self.swarm.behaviour_mut().kad),
            kad::Event::InboundRequest {
                request:
                    InboundRequest::AddProvider {
                        record: Some(record),
                    },
            } => {
                let store = self.swarm.behaviour_mut().kad.store_mut();
                self.others.take(store, record, now);
            }
            _ => {}
        }
    }

    fn found(&mut self, providers: HashSet<PeerId>) {
        let me = *self.swarm.local_peer_id();
        let new = providers.into_iter().filter(|id| *id != me);
        for id in new.take(PROVIDERS_MAX) {
            if self.seeker.dropped(&id).is_none() && !self.swarm.is_connected(&id) {
                self.dial(id, Vec::new());
            }
        }
    }

    fn status(&self) -> PeersStatus {
        let id = *self.swarm.local_peer_id();
        let listeners = self.swarm.listeners();
        let mut addresses: Vec<_> = listeners
            .map(|address| PeerAddress::new(address.clone(), id))
            .collect();
        addresses.sort_by_key(ToString::to_string);
        let peer = |(id, known): (&PeerId, &Known)| {
            let (_, endpoint) = self.connections.get(id)?.first()?;
            Some(PeerStatus {
                id: *id,
                address: endpoint.get_remote_address().clone(),
                is_incoming: endpoint.is_listener(),
                agent: known.agent.clone(),
                rtt: known.rtt,
                came_bytes: known.came_bytes,
                went_bytes: known.went_bytes,
            })
        };
        PeersStatus {
            id,
            addresses,
            peers: self.known.iter().filter_map(peer).collect(),
            wanted: self.waiting.len(),
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
