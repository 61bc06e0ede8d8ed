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
use libp2p::{StreamProtocol, Swarm};
use tokio::runtime::Runtime;

use super::network::{Event, Protocols};
use super::*;
use crate::bitswap::{self, Message, Payload, Prefix};
use crate::{SourceError, What, wait};

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
    fn new(mut answer: impl FnMut(Message) -> Vec<Message> + Send + 'static) -> Self {
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
                let event = swarm.select_next_some().await;
                if let SwarmEvent::Behaviour(Event::Bitswap(bitswap::Event::Received(
                    id,
                    message,
                ))) = event
                {
                    for message in answer(message) {
                        swarm
                            .behaviour_mut()
                            .bitswap
                            .send(id, &message, bitswap::Sender::Giver);
                    }
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
    Network::new(key).unwrap().swarm(&listening()).unwrap()
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
