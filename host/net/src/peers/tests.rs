//! A node of ours among peers that don't behave.

use std::collections::{HashSet, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::{ReadyUpgrade, Version};
use libp2p::futures::future::BoxFuture;
use libp2p::futures::stream::FuturesUnordered;
use libp2p::futures::{AsyncWriteExt, FutureExt, StreamExt};
use libp2p::swarm::handler::ConnectionEvent;
use libp2p::swarm::{
    self, ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
    NetworkBehaviour, SubstreamProtocol, SwarmEvent, THandlerInEvent, ToSwarm,
};
use libp2p::{Stream, StreamProtocol, Swarm};
use tokio::runtime::Runtime;

use super::network::{Event, Protocols};
use super::*;
use crate::bitswap::{self, Message, Payload, Prefix};
use crate::{SourceError, What, wait};

mod dags;

#[derive(Debug)]
struct Nothing;

impl BlockSource for Nothing {
    fn get(&self, _: &Cid) -> Result<Option<Block>, SourceError> {
        Ok(None)
    }
}

/// Tells what it is asked for.
#[derive(Debug)]
struct Asked(Mutex<Sender<Cid>>);

impl BlockSource for Asked {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, SourceError> {
        let _ = self.0.lock().unwrap().send(*cid);
        Ok(None)
    }
}

fn served(source: Arc<dyn BlockSource>) -> Served {
    Served {
        strangers: Arc::clone(&source),
        trusted: source,
        listener: None,
    }
}

fn key() -> SigningKey {
    static KEYS: AtomicU64 = AtomicU64::new(1);
    let mut seed = [0; 32];
    let number = KEYS.fetch_add(1, Ordering::Relaxed);
    seed[..8].copy_from_slice(&number.to_be_bytes());
    SigningKey::from_seed(&seed)
}

fn listening() -> PeersSettings {
    PeersSettings {
        listen: vec!["/memory/0".parse().unwrap()],
        ..PeersSettings::default()
    }
}

fn honest(block: &Block) -> Peers {
    #[derive(Debug)]
    struct Kept(Block);
    impl BlockSource for Kept {
        fn get(&self, cid: &Cid) -> Result<Option<Block>, SourceError> {
            Ok((self.0.cid() == cid).then(|| self.0.clone()))
        }
    }
    let kept = served(Arc::new(Kept(block.clone())));
    Peers::spawn(listening(), &key(), kept).unwrap()
}

fn address(peers: &Peers) -> PeerAddress {
    let status = crate::fetch::wait_for(peers.status()).unwrap();
    status.addresses[0].clone()
}

/// A node that wants something, and doesn't wait long for it.
fn seeker(known: &[&PeerAddress]) -> Peers {
    let settings = PeersSettings {
        peers: known.iter().copied().cloned().collect(),
        late_after: Duration::from_millis(50),
        stall_timeout: Duration::from_millis(500),
        ..PeersSettings::default()
    };
    let peers = Peers::spawn(settings, &key(), served(Arc::new(Nothing))).unwrap();
    for address in known {
        crate::fetch::wait_for(peers.connect((*address).clone())).unwrap();
    }
    peers
}

/// A peer that answers each message as it likes.
struct Evil {
    runtime: Runtime,
    address: PeerAddress,
}

impl Evil {
    fn new(answer: impl FnMut(Message) -> Vec<Message> + Send + 'static) -> Self {
        Self::with_dags(answer, drop)
    }

    /// One that does something with streams on which it is asked for a DAG.
    fn with_dags(
        mut answer: impl FnMut(Message) -> Vec<Message> + Send + 'static,
        on_dag: impl Fn(Stream) + Send + 'static,
    ) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let key = key();
        let mut swarm = runtime.block_on(async { swarm(&key) });
        let id = *swarm.local_peer_id();
        swarm.listen_on("/memory/0".parse().unwrap()).unwrap();
        let address = runtime.block_on(async {
            loop {
                if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                    return PeerAddress::new(address, id);
                }
            }
        });
        runtime.spawn(async move {
            loop {
                let SwarmEvent::Behaviour(event) = swarm.select_next_some().await else {
                    continue;
                };
                match event {
                    Event::Bitswap(bitswap::Event::Received(id, message)) => {
                        for message in answer(message) {
                            let bitswap = &mut swarm.behaviour_mut().bitswap;
                            bitswap.send(id, &message, bitswap::Sender::Giver);
                        }
                    }
                    Event::Dag(super::dags::Event(_, stream)) => on_dag(stream),
                    _ => {}
                }
            }
        });
        Self { runtime, address }
    }

    fn end(self) {
        self.runtime.shutdown_background();
    }
}

fn swarm(key: &SigningKey) -> Swarm<Protocols> {
    Network::new(key)
        .unwrap()
        .swarm(&listening(), true)
        .unwrap()
}

fn blocks(data: &[u8], count: usize) -> Message {
    let payload = Payload {
        prefix: Prefix::V1 {
            codec: homestar_core::ipld::RAW,
        },
        data: data.to_vec().into(),
    };
    Message {
        payloads: vec![payload; count],
        ..Message::default()
    }
}

fn fault(fetched: Result<Block, FetchError>) -> What {
    match fetched {
        Err(FetchError::Nowhere { mut faults, .. }) => faults.remove(0).what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_liar_is_found_out_and_another_used() {
    let wanted = Block::raw(b"the truth".to_vec());
    let liar = Evil::new(|message| match message.entries.is_empty() {
        true => vec![],
        false => vec![blocks(b"a lie", 1)],
    });
    let alone = seeker(&[&liar.address]);
    let cid = *wanted.cid();
    assert_eq!(fault(wait(alone.block(&cid))), What::Lied { cid });
    // It isn't spoken to any more.
    let again = crate::fetch::wait_for(alone.connect(liar.address.clone()));
    let error = again.unwrap_err().to_string();
    assert!(error.contains("it sent other bytes than"), "{error}");

    let honest = honest(&wanted);
    let peers = seeker(&[&liar.address, &address(&honest)]);
    assert_eq!(wait(peers.block(&cid)), Ok(wanted));
    liar.end();
}

#[test]
fn who_says_nothing_is_not_waited_for() {
    let wanted = Block::raw(b"wanted".to_vec());
    let silent = Evil::new(|_| vec![]);
    let alone = seeker(&[&silent.address]);
    let what = fault(wait(alone.block(wanted.cid())));
    assert_eq!(what, What::TimedOut(Duration::from_millis(500)));
    let honest = honest(&wanted);
    let peers = seeker(&[&silent.address, &address(&honest)]);
    assert_eq!(wait(peers.block(wanted.cid())), Ok(wanted));
    silent.end();
}

#[test]
fn who_floods_is_dropped_and_another_used() {
    let wanted = Block::raw(b"wanted".to_vec());
    let flood = Evil::new(|message| match message.entries.is_empty() {
        true => vec![],
        false => vec![blocks(b"never asked for", 5000)],
    });
    let honest = honest(&wanted);
    let peers = seeker(&[&flood.address, &address(&honest)]);
    assert_eq!(wait(peers.block(wanted.cid())), Ok(wanted));
    let what = fault(wait(
        seeker(&[&flood.address]).block(Block::raw(vec![]).cid()),
    ));
    assert!(
        matches!(what, What::Lied { .. } | What::Flooded { .. }),
        "{what:?}"
    );
    flood.end();
}

#[test]
fn a_block_that_is_too_large_is_said_to_be() {
    let large = Block::raw(vec![7; homestar_core::ipld::MAX_BLOCK_BYTES + 1]);
    let (cid, bytes) = large.into_parts();
    let peer = Evil::new(move |message| match message.entries.is_empty() {
        true => vec![],
        false => vec![blocks(&bytes, 1)],
    });
    let what = fault(wait(seeker(&[&peer.address]).block(&cid)));
    assert_eq!(what, What::TooMuch { bytes_max: 1 << 20 });
    peer.end();
}

/// Tells what it hears, and takes all of it for good.
#[derive(Debug)]
struct Hears(Mutex<Sender<Vec<u8>>>);

impl Listener for Hears {
    fn told(&self, _: PeerId, _: Vec<u8>) {}

    fn heard(&self, _: Topic, _: PeerId, message: &[u8]) -> Verdict {
        let _ = self.0.lock().unwrap().send(message.to_vec());
        Verdict::Accept
    }
}

/// A node that hears gossip, and what it hears.
fn hearing() -> (Peers, mpsc::Receiver<Vec<u8>>) {
    let (heard, is_heard) = mpsc::channel();
    let served = Served {
        listener: Some(Arc::new(Hears(Mutex::new(heard)))),
        ..served(Arc::new(Nothing))
    };
    let settings = PeersSettings {
        topics: Topic::ALL.to_vec(),
        ..listening()
    };
    (Peers::spawn(settings, &key(), served).unwrap(), is_heard)
}

/// A peer that says something to a node, in the way of a gossipsub that is set up otherwise than ours, once the node says that
/// it follows the topic.
fn gossip(node: &Peers, is_signed: bool, words: Vec<Vec<u8>>) -> (PeerId, Runtime) {
    use libp2p::gossipsub::{self, MessageAuthenticity, ValidationMode};
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let network = Network::new(&key()).unwrap();
    let id = network.id();
    let author = match is_signed {
        true => MessageAuthenticity::Signed(network.keypair.clone()),
        false => MessageAuthenticity::Author(id),
    };
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(ValidationMode::None)
        .max_transmit_size(1 << 20)
        .build()
        .unwrap();
    let behaviour: gossipsub::Behaviour = gossipsub::Behaviour::new(author, config).unwrap();
    let to = address(node);
    runtime.spawn(async move {
        let mut swarm = network
            .swarm_of(behaviour, &listening(), |config| config)
            .unwrap();
        swarm.dial(to.address().clone()).unwrap();
        loop {
            let event = swarm.select_next_some().await;
            if let SwarmEvent::Behaviour(gossipsub::Event::Subscribed { topic, .. }) = event
                && topic == Topic::Receipts.ident().hash()
            {
                for word in &words {
                    let gossip = swarm.behaviour_mut();
                    gossip
                        .publish(Topic::Receipts.ident(), word.clone())
                        .unwrap();
                }
            }
        }
    });
    (id, runtime)
}

fn is_connected(node: &Peers, id: &PeerId) -> bool {
    let status = crate::fetch::wait_for(node.status()).unwrap();
    status.peers.iter().any(|peer| peer.id == *id)
}

#[test]
fn gossip_that_is_unsigned_or_too_large_is_not_heard_and_its_sender_cut_off() {
    let large = |byte| vec![byte; GOSSIP_BYTES_MAX + 1];
    let huge = |byte| vec![byte; GOSSIP_BYTES_MAX + 2_000];
    for (is_signed, words) in [
        (false, (0..4).map(|byte| vec![byte]).collect()),
        (true, (0..4).map(large).collect()),
        (true, (0..4).map(huge).collect::<Vec<_>>()),
    ] {
        let (node, heard) = hearing();
        let (id, runtime) = gossip(&node, is_signed, words);
        while !is_connected(&node, &id) {
            std::thread::yield_now();
        }
        while is_connected(&node, &id) {
            std::thread::yield_now();
        }
        assert!(heard.try_recv().is_err());
        runtime.shutdown_background();
    }
}

#[test]
fn gossip_that_is_said_again_is_heard_once() {
    let (node, heard) = hearing();
    let (again, other) = (b"again".to_vec(), b"other".to_vec());
    let words = vec![again.clone(), again.clone(), again.clone(), other.clone()];
    let (id, runtime) = gossip(&node, true, words);
    let mut all = vec![heard.recv().unwrap(), heard.recv().unwrap()];
    all.sort();
    assert_eq!(all, [again, other]);
    assert!(heard.try_recv().is_err());
    // It is no fault.
    assert!(is_connected(&node, &id));
    runtime.shutdown_background();
}

/// Asks as fast as it can, and doesn't mind that it gets no answer.
#[test]
fn who_asks_for_too_many_receipts_is_not_answered_and_then_cut_off() {
    let (node, _heard) = hearing();
    let greedy = seeker(&[&address(&node)]);
    let ran = Link::new(*Block::raw(vec![]).cid());
    let ask = || crate::fetch::wait_for(greedy.receipts_of(node.id(), vec![ran]));
    let unanswered = std::iter::repeat_with(ask).filter(Result::is_err);
    assert_eq!(unanswered.take(100).count(), 100);
    while is_connected(&node, &greedy.id()) {
        std::thread::yield_now();
    }
}

/// kubo opens a stream for each message, and doesn't wait for one to be read before it opens the next. It closes each after
/// it, so over QUIC it refuses even the words by which the protocol is agreed on.
#[test]
fn a_thousand_streams_at_once_lose_nothing() {
    const COUNT: u32 = 1000;
    for listen in [
        "/memory/0",
        "/ip4/127.0.0.1/tcp/0",
        "/ip4/127.0.0.1/udp/0/quic-v1",
    ] {
        let (asked, is_asked) = mpsc::channel();
        let asked = Arc::new(Asked(Mutex::new(asked)));
        let settings = PeersSettings {
            listen: vec![listen.parse().unwrap()],
            ..PeersSettings::default()
        };
        let node = Peers::spawn(settings, &key(), served(asked)).unwrap();
        let block = |number: u32| Block::raw(number.to_be_bytes().to_vec());
        let wants: Vec<Cid> = (0..COUNT).map(|number| *block(number).cid()).collect();
        let frames = wants.iter().map(|cid| Message::wanting(*cid).to_frame());
        let burst = Burst {
            frames: frames.collect(),
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let to = address(&node);
        runtime.spawn(async move {
            let lazily = |config: swarm::Config| {
                config.with_substream_upgrade_protocol_override(Version::V1Lazy)
            };
            let network = Network::new(&key()).unwrap();
            let mut swarm = network.swarm_of(burst, &listening(), lazily).unwrap();
            swarm.dial(to.address().clone()).unwrap();
            loop {
                swarm.select_next_some().await;
            }
        });
        // Each is looked up when it arrives.
        let mut missing: HashSet<Cid> = wants.into_iter().collect();
        while !missing.is_empty() {
            missing.remove(&is_asked.recv().unwrap());
        }
        runtime.shutdown_background();
    }
}

/// Opens a stream for each of its messages, as soon as there is a connection.
struct Burst {
    frames: Vec<Vec<u8>>,
}

struct BurstHandler {
    unopened: usize,
    frames: VecDeque<Vec<u8>>,
    writing: FuturesUnordered<BoxFuture<'static, ()>>,
}

const PROTOCOL: StreamProtocol = StreamProtocol::new("/ipfs/bitswap/1.2.0");

impl ConnectionHandler for BurstHandler {
    type FromBehaviour = ();
    type ToBehaviour = ();
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<ReadyUpgrade<StreamProtocol>> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
    }

    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<ReadyUpgrade<StreamProtocol>, (), ()>> {
        if self.unopened > 0 {
            self.unopened -= 1;
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ());
            let protocol = protocol.with_timeout(Duration::from_secs(60));
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        while let Poll::Ready(Some(())) = self.writing.poll_next_unpin(context) {}
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, (): ()) {}

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, ReadyUpgrade<StreamProtocol>, ReadyUpgrade<StreamProtocol>>,
    ) {
        if let ConnectionEvent::FullyNegotiatedOutbound(opened) = event
            && let Some(frame) = self.frames.pop_front()
        {
            let mut stream = opened.protocol;
            let write = async move {
                stream.write_all(&frame).await.unwrap();
                stream.close().await.unwrap();
            };
            self.writing.push(write.boxed());
        }
    }
}

impl NetworkBehaviour for Burst {
    type ConnectionHandler = BurstHandler;
    type ToSwarm = ();

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<BurstHandler, ConnectionDenied> {
        Err(ConnectionDenied::new("nobody calls here"))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<BurstHandler, ConnectionDenied> {
        Ok(BurstHandler {
            unopened: self.frames.len(),
            frames: std::mem::take(&mut self.frames).into(),
            writing: FuturesUnordered::new(),
        })
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, (): ()) {}

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<(), THandlerInEvent<Self>>> {
        Poll::Pending
    }
}
