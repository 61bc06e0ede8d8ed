//! What the swarm is made of: transports, protocols, limits.

use std::collections::HashSet;
use std::convert::Infallible;
use std::time::Duration;

use homestar_core::key::SigningKey;
use homestar_core::ucan::varsig::Algorithm;
use libp2p::connection_limits::ConnectionLimits;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::timeout::TransportTimeout;
use libp2p::core::transport::{Boxed, MemoryTransport, Transport};
use libp2p::core::upgrade::Version;
use libp2p::futures::io::BufReader;
use libp2p::identity::{Keypair, ecdsa, secp256k1};
use libp2p::kad::store::{MemoryStore, MemoryStoreConfig};
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{
    PeerId, StreamProtocol, Swarm, allow_block_list, autonat, connection_limits, dcutr, dns,
    gossipsub, identify, kad, mdns, memory_connection_limits, noise, ping, quic, relay, swarm, tcp,
    yamux,
};

use super::deaf::Deaf;
use super::judged::Judged;
use super::{PeerAddress, PeersError, PeersSettings, dags, direct, gossip, lookup};
use crate::bitswap;

/// Among Homestars, and nobody else: what it holds is theirs.
const KAD: StreamProtocol = StreamProtocol::new("/homestar/kad/1.0.0");
const IDENTIFY: &str = "homestar/0.1.0";
const AGENT: &str = concat!("homestar/", env!("CARGO_PKG_VERSION"));

/// Connections to one peer: each side may have begun one by each transport.
const CONNECTIONS_PER_PEER_MAX: u32 = 4;
/// Connections that are being made.
const PENDING_MAX: u32 = 64;
/// yamux grants a stream up to 1 MiB more than was taken of it, of 1 GiB that all streams share, of which each has 256 KiB
/// from the start. js-libp2p sends frames as large as it was granted, and ours refuses frames of more than 1 MiB: with so
/// many streams, no stream is granted more.
const STREAMS_MAX: usize = 4093;
/// Bytes that are read of TCP at one time. Noise by itself asks for 8 KiB, whatever there is.
const READ_BYTES: usize = 128 << 10;
/// Circuits that go through this node if it is a relay, and of one peer. Each is a connection to either side.
const CIRCUITS_MAX: usize = 64;
const CIRCUITS_PER_PEER_MAX: usize = 4;
/// Bytes that one takes in each direction: enough for messages, receipts and some blocks. For more, peers find a way of their own.
const CIRCUIT_BYTES_MAX: u64 = 16 << 20;
/// How long one lasts.
const CIRCUIT_TIME: Duration = Duration::from_secs(10 * 60);
/// Blocks that this node tells others it has.
const RECORDS_MAX: usize = 16 << 10;
/// Providers of one block that are remembered for others.
const RECORDS_PER_KEY_MAX: usize = 20;

/// A swarm that listens nowhere yet.
pub(super) struct Network {
    pub(super) keypair: Keypair,
}

/// Everything that is spoken on a connection.
#[derive(NetworkBehaviour)]
#[behaviour(to_swarm = "Event", prelude = "libp2p::swarm::derive_prelude")]
pub(super) struct Protocols {
    /// First, since who isn't wanted should cost nothing.
    pub(super) blocked: allow_block_list::Behaviour<allow_block_list::BlockedPeers>,
    allowed: Toggle<allow_block_list::Behaviour<allow_block_list::AllowedPeers>>,
    connections: connection_limits::Behaviour,
    memory: memory_connection_limits::Behaviour,
    pub(super) identify: identify::Behaviour,
    ping: ping::Behaviour,
    pub(super) kad: Judged,
    pub(super) bitswap: bitswap::Behaviour,
    pub(super) dags: dags::Behaviour,
    pub(super) direct: direct::Behaviour,
    pub(super) lookup: lookup::Behaviour,
    pub(super) gossip: gossip::Behaviour,
    relay_client: relay::client::Behaviour,
    relay: Toggle<relay::Behaviour>,
    /// Whoever met through a relay tries to do without.
    punching: dcutr::Behaviour,
    reach: autonat::v2::client::Behaviour,
    /// Tries to reach others, for them.
    tries: Toggle<autonat::v2::server::Behaviour>,
    pub(super) nearby: Toggle<mdns::tokio::Behaviour>,
}

/// What the protocols tell.
#[derive(Debug)]
pub(super) enum Event {
    Identify(Box<identify::Event>),
    Ping(ping::Event),
    Kad(Box<kad::Event>),
    Bitswap(bitswap::Event),
    Dag(dags::Event),
    Direct(direct::Event),
    Lookup(lookup::Event),
    Gossip(Box<gossipsub::Event>),
    /// A relay has given room.
    Relay(relay::client::Event),
    /// Somebody tried to reach this node.
    Tried(autonat::v2::client::Event),
    /// Somebody is seen nearby, or isn't any more.
    Nearby,
    /// What needs no answer.
    Other,
}

impl Network {
    pub(super) fn new(key: &SigningKey) -> Result<Self, PeersError> {
        Ok(Self {
            keypair: keypair(key).map_err(PeersError::Key)?,
        })
    }

    pub(super) fn id(&self) -> PeerId {
        self.keypair.public().to_peer_id()
    }

    /// Makes the swarm, which takes messages or doesn't. It needs a runtime around it.
    pub(super) fn swarm(
        self,
        settings: &PeersSettings,
        takes_messages: bool,
    ) -> Result<Swarm<Protocols>, PeersError> {
        let (circuits, relay_client) = relay::client::new(self.id());
        let protocols = protocols(&self.keypair, settings, takes_messages, relay_client)?;
        let transport = with_circuits(&self.keypair, circuits)?;
        Ok(self.swarm_over(transport, protocols, settings, |config| config))
    }

    /// Makes a swarm that speaks something else.
    #[cfg(test)]
    pub(super) fn swarm_of<B: NetworkBehaviour>(
        self,
        behaviour: B,
        settings: &PeersSettings,
        with: impl FnOnce(swarm::Config) -> swarm::Config,
    ) -> Result<Swarm<B>, PeersError> {
        let transport = transport(&self.keypair)?;
        Ok(self.swarm_over(transport, behaviour, settings, with))
    }

    fn swarm_over<B: NetworkBehaviour>(
        self,
        transport: Boxed<(PeerId, StreamMuxerBox)>,
        behaviour: B,
        settings: &PeersSettings,
        with: impl FnOnce(swarm::Config) -> swarm::Config,
    ) -> Swarm<B> {
        let transport = TransportTimeout::new(transport, settings.connect_timeout).boxed();
        let config = swarm::Config::with_tokio_executor()
            .with_idle_connection_timeout(settings.idle_timeout)
            .with_smart_dial();
        Swarm::new(transport, behaviour, self.id(), with(config))
    }
}

/// Returns the key as libp2p has it: the peer is who signs.
fn keypair(key: &SigningKey) -> Result<Keypair, Box<dyn std::error::Error + Send + Sync>> {
    let mut secret = key.secret();
    match key.algorithm() {
        Algorithm::Ed25519 => Ok(Keypair::ed25519_from_bytes(&mut secret[..])?),
        Algorithm::P256 => {
            let secret = ecdsa::SecretKey::try_from_bytes(&secret[..])?;
            Ok(ecdsa::Keypair::from(secret).into())
        }
        Algorithm::Secp256k1 => {
            let secret = secp256k1::SecretKey::try_from_bytes(&mut secret[..])?;
            Ok(secp256k1::Keypair::from(secret).into())
        }
        other => Err(format!("peers know no keys of {other:?}").into()),
    }
}

/// Returns the transports. Where this machine can't look names up, addresses with names can't be reached.
fn transport(keypair: &Keypair) -> Result<Boxed<(PeerId, StreamMuxerBox)>, PeersError> {
    Ok(match dns::tokio::Transport::system(direct(keypair)?) {
        Ok(transport) => transport.boxed(),
        Err(_) => direct(keypair)?,
    })
}

/// Returns the transports, with ways through relays.
fn with_circuits(
    keypair: &Keypair,
    circuits: relay::client::Transport,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, PeersError> {
    let circuits = circuits
        .upgrade(Version::V1Lazy)
        .authenticate(noise(keypair)?)
        .multiplex(yamux())
        .map(|(id, muxer), _| (id, StreamMuxerBox::new(muxer)));
    let either = circuits.or_transport(transport(keypair)?);
    Ok(either.map(|either, _| either.into_inner()).boxed())
}

fn noise(keypair: &Keypair) -> Result<noise::Config, PeersError> {
    noise::Config::new(keypair).map_err(|error| PeersError::Key(error.into()))
}

fn yamux() -> yamux::Config {
    let mut yamux = yamux::Config::default();
    yamux.set_max_num_streams(STREAMS_MAX);
    yamux
}

fn direct(keypair: &Keypair) -> Result<Boxed<(PeerId, StreamMuxerBox)>, PeersError> {
    let (noise, yamux) = (noise(keypair)?, yamux());
    let quic = quic::tokio::Transport::new(quic::Config::new(keypair))
        .map(|(id, muxer), _| (id, StreamMuxerBox::new(Deaf(muxer))));
    let tcp = tcp::tokio::Transport::new(tcp::Config::new().nodelay(true))
        .map(|stream, _| BufReader::with_capacity(READ_BYTES, stream))
        .upgrade(Version::V1Lazy)
        .authenticate(noise.clone())
        .multiplex(yamux.clone())
        .map(|(id, muxer), _| (id, StreamMuxerBox::new(muxer)));
    // Between nodes of one process: tests and simulations.
    let memory = MemoryTransport::default()
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(yamux)
        .map(|(id, muxer), _| (id, StreamMuxerBox::new(muxer)));
    let either = quic.or_transport(tcp).map(|either, _| either.into_inner());
    let either = either.or_transport(memory);
    Ok(either.map(|either, _| either.into_inner()).boxed())
}

fn protocols(
    keypair: &Keypair,
    settings: &PeersSettings,
    takes_messages: bool,
    relay_client: relay::client::Behaviour,
) -> Result<Protocols, PeersError> {
    let id = keypair.public().to_peer_id();
    let limits = ConnectionLimits::default()
        .with_max_pending_incoming(Some(PENDING_MAX))
        .with_max_pending_outgoing(Some(PENDING_MAX))
        .with_max_established_incoming(Some(settings.incoming_max))
        .with_max_established(Some(settings.connections_max))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER_MAX));
    let mut connections = connection_limits::Behaviour::new(limits);
    let kept = settings.peers.iter().chain(&settings.relays);
    let kept: HashSet<PeerId> = kept.map(PeerAddress::id).collect();
    for id in &kept {
        connections.bypass_peer_id(id);
    }
    let identify = identify::Config::new(IDENTIFY.to_owned(), keypair.public());
    let mut blocked = allow_block_list::Behaviour::default();
    for id in &settings.blocked {
        blocked.block_peer(*id);
    }
    let allowed = settings.allowed.as_ref().map(|allowed| {
        let mut behaviour = allow_block_list::Behaviour::default();
        for id in allowed.iter().chain(&settings.trusted).chain(&kept) {
            behaviour.allow_peer(*id);
        }
        behaviour
    });
    let is_reached = !settings.listen.is_empty();
    let nearby = settings.looks_nearby.then(|| {
        let config = mdns::Config::default();
        mdns::tokio::Behaviour::new(config, id).map_err(PeersError::Nearby)
    });
    Ok(Protocols {
        blocked,
        allowed: allowed.into(),
        connections,
        memory: memory_connection_limits::Behaviour::with_max_percentage(settings.memory_share_max),
        identify: identify::Behaviour::new(identify.with_agent_version(AGENT.to_owned())),
        ping: ping::Behaviour::default(),
        kad: kad(id, settings),
        bitswap: bitswap::Behaviour::new(kept),
        dags: dags::Behaviour::default(),
        direct: direct::behaviour(takes_messages),
        lookup: lookup::behaviour(),
        gossip: gossip::behaviour(keypair)?,
        relay_client,
        relay: settings.is_relay.then(|| relay_server(id)).into(),
        punching: dcutr::Behaviour::new(id),
        reach: autonat::v2::client::Behaviour::default(),
        tries: is_reached
            .then(autonat::v2::server::Behaviour::default)
            .into(),
        nearby: nearby.transpose()?.into(),
    })
}

fn relay_server(id: PeerId) -> relay::Behaviour {
    let config = relay::Config {
        max_circuits: CIRCUITS_MAX,
        max_circuits_per_peer: CIRCUITS_PER_PEER_MAX,
        max_circuit_bytes: CIRCUIT_BYTES_MAX,
        max_circuit_duration: CIRCUIT_TIME,
        ..relay::Config::default()
    };
    relay::Behaviour::new(id, config)
}

fn kad(id: PeerId, settings: &PeersSettings) -> Judged {
    let store = MemoryStoreConfig {
        // Nobody keeps values here, only who provides what.
        max_records: 0,
        max_value_bytes: 0,
        max_providers_per_key: RECORDS_PER_KEY_MAX,
        max_provided_keys: RECORDS_MAX,
    };
    let mut config = kad::Config::new(KAD);
    config
        .set_query_timeout(settings.search_timeout)
        .disjoint_query_paths(true)
        .set_record_filtering(kad::StoreInserts::FilterBoth);
    let mut kad = kad::Behaviour::with_config(id, MemoryStore::with_config(id, store), config);
    // Who isn't reached should not be asked.
    let mode = match settings.listen.is_empty() && settings.relays.is_empty() {
        true => kad::Mode::Client,
        false => kad::Mode::Server,
    };
    kad.set_mode(Some(mode));
    Judged::new(kad)
}

impl From<bitswap::Event> for Event {
    fn from(event: bitswap::Event) -> Self {
        Self::Bitswap(event)
    }
}

impl From<dags::Event> for Event {
    fn from(event: dags::Event) -> Self {
        Self::Dag(event)
    }
}

impl From<direct::Event> for Event {
    fn from(event: direct::Event) -> Self {
        Self::Direct(event)
    }
}

impl From<relay::client::Event> for Event {
    fn from(event: relay::client::Event) -> Self {
        Self::Relay(event)
    }
}

impl From<autonat::v2::client::Event> for Event {
    fn from(event: autonat::v2::client::Event) -> Self {
        Self::Tried(event)
    }
}

impl From<mdns::Event> for Event {
    fn from(_: mdns::Event) -> Self {
        Self::Nearby
    }
}

impl From<relay::Event> for Event {
    fn from(_: relay::Event) -> Self {
        Self::Other
    }
}

impl From<dcutr::Event> for Event {
    fn from(_: dcutr::Event) -> Self {
        Self::Other
    }
}

impl From<autonat::v2::server::Event> for Event {
    fn from(_: autonat::v2::server::Event) -> Self {
        Self::Other
    }
}

impl From<lookup::Event> for Event {
    fn from(event: lookup::Event) -> Self {
        Self::Lookup(event)
    }
}

impl From<gossipsub::Event> for Event {
    fn from(event: gossipsub::Event) -> Self {
        Self::Gossip(Box::new(event))
    }
}

impl From<identify::Event> for Event {
    fn from(event: identify::Event) -> Self {
        Self::Identify(Box::new(event))
    }
}

impl From<kad::Event> for Event {
    fn from(event: kad::Event) -> Self {
        Self::Kad(Box::new(event))
    }
}

impl From<ping::Event> for Event {
    fn from(event: ping::Event) -> Self {
        Self::Ping(event)
    }
}

/// For protocols that tell nothing.
impl From<Infallible> for Event {
    fn from(event: Infallible) -> Self {
        match event {}
    }
}
