//! How nodes are reached: through relays, as others see them, and who is let in.

use std::collections::HashSet;

use homestar_core::ipld::Block;
use homestar_core::key::SigningKey;
use homestar_net::{Fetch, PeerAddress, Peers, PeersSettings, PeersStatus, Served, wait};

use crate::kept::{Kept, now};

const MEMORY: &str = "/memory/0";
const TCP: &str = "/ip4/127.0.0.1/tcp/0";
const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

fn spawn(number: u8, settings: PeersSettings, blocks: &[Block]) -> Peers {
    let kept = Kept::new(blocks.to_vec());
    let served = Served {
        strangers: kept.clone(),
        trusted: kept,
        listener: None,
    };
    let key = SigningKey::from_seed(&[number; 32]);
    Peers::spawn(settings, &key, served).unwrap()
}

fn at(listen: &str) -> PeersSettings {
    PeersSettings {
        listen: vec![listen.parse().unwrap()],
        ..PeersSettings::default()
    }
}

fn address(peers: &Peers) -> PeerAddress {
    status(peers).addresses[0].clone()
}

fn status(peers: &Peers) -> PeersStatus {
    now(peers.status()).unwrap()
}

/// Waits until a node says so of itself.
fn until(peers: &Peers, is: impl Fn(&PeersStatus) -> bool) {
    while !is(&status(peers)) {
        std::thread::yield_now();
    }
}

#[test]
fn who_listens_nowhere_is_reached_through_a_relay() {
    for (at_number, listen) in [MEMORY, TCP, QUIC].into_iter().enumerate() {
        let number = 80 + 3 * at_number as u8;
        let relay = PeersSettings {
            is_relay: true,
            ..at(listen)
        };
        let relay = spawn(number, relay, &[]);
        let through = address(&relay);
        // More than a relay of libp2p's own making lets pass.
        let block = Block::raw(vec![7; 1 << 20]);
        let hidden = PeersSettings {
            relays: vec![through.clone()],
            ..PeersSettings::default()
        };
        let hidden = spawn(number + 1, hidden, std::slice::from_ref(&block));
        until(&hidden, |status| status.reached.relays == [relay.id()]);
        let circuit = format!("{through}/p2p-circuit/p2p/{}", hidden.id());
        let peers = spawn(number + 2, PeersSettings::default(), &[]);
        now(peers.connect(circuit.parse().unwrap())).unwrap();
        assert_eq!(wait(peers.block(block.cid())), Ok(block), "{listen}");
        let found = status(&peers).peers.into_iter();
        let mut found = found.filter(|peer| peer.id == hidden.id());
        let place = found.next().unwrap().address.to_string();
        assert!(place.contains("/p2p-circuit"), "{place}");
        // When the relay is gone, so is the way.
        now(relay.shutdown());
        until(&hidden, |status| status.reached.relays.is_empty());
    }
}

#[test]
fn who_is_no_relay_gives_no_room() {
    let other = spawn(90, at(MEMORY), &[]);
    let hidden = PeersSettings {
        relays: vec![address(&other)],
        ..PeersSettings::default()
    };
    let hidden = spawn(91, hidden, &[]);
    until(&hidden, |status| !status.peers.is_empty());
    assert_eq!(status(&hidden).reached.relays, []);
    let circuit = format!("{}/p2p-circuit/p2p/{}", address(&other), hidden.id());
    let peers = spawn(92, PeersSettings::default(), &[]);
    assert!(now(peers.connect(circuit.parse().unwrap())).is_err());
}

/// A node hears from its peers whether they reach it.
#[test]
fn a_node_finds_out_where_others_reach_it() {
    let other = spawn(93, at(TCP), &[]);
    let node = spawn(94, at(TCP), &[]);
    assert_eq!(status(&node).reached.addresses, []);
    now(node.connect(address(&other))).unwrap();
    until(&node, |status| !status.reached.addresses.is_empty());
    let reached = status(&node).reached;
    let listens = address(&node).address().to_string();
    let place = reached.addresses[0].to_string();
    assert!(listens.starts_with(&place), "{place}, not {listens}");
    assert!(!reached.is_in_vain);
}

#[test]
fn who_is_blocked_or_not_allowed_is_not_spoken_to() {
    let (one, two) = (spawn(95, at(TCP), &[]), spawn(96, at(TCP), &[]));
    let blocking = PeersSettings {
        blocked: HashSet::from([one.id()]),
        ..at(TCP)
    };
    let allowing = PeersSettings {
        allowed: Some(HashSet::from([two.id()])),
        ..at(TCP)
    };
    for (number, settings) in [(97, blocking), (98, allowing)] {
        let node = spawn(number, settings, &[]);
        let refused = now(node.connect(address(&one))).unwrap_err().to_string();
        assert!(refused.contains("the settings say"), "{refused}");
        now(node.connect(address(&two))).unwrap();
        // The connection of who isn't let in may come about for a moment, and is closed.
        let _ = now(one.connect(address(&node)));
        until(&one, |status| status.peers.is_empty());
        let ids: Vec<_> = status(&node).peers.iter().map(|peer| peer.id).collect();
        assert_eq!(ids, [two.id()]);
    }
}

/// Two nodes in one network find each other, if they look and datagrams to many arrive here at all.
#[test]
fn nodes_nearby_find_each_other() {
    if let Err(error) = multicast() {
        crate::helia::skip(&format!("mDNS: no datagram to many arrives here: {error}"));
        return;
    }
    let looking = || PeersSettings {
        looks_nearby: true,
        ..at("/ip4/0.0.0.0/tcp/0")
    };
    let (one, two) = (spawn(99, looking(), &[]), spawn(100, looking(), &[]));
    until(&one, |status| {
        status.peers.iter().any(|peer| peer.id == two.id())
    });
    let alone = spawn(101, at("/ip4/0.0.0.0/tcp/0"), &[]);
    assert!(status(&one).peers.iter().all(|peer| peer.id != alone.id()));
}

/// Sends a datagram to a group, and waits for it.
fn multicast() -> std::io::Result<()> {
    use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
    let group = Ipv4Addr::new(224, 0, 0, 251);
    let here = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    here.join_multicast_v4(&group, &Ipv4Addr::UNSPECIFIED)?;
    here.set_multicast_loop_v4(true)?;
    here.set_read_timeout(Some(std::time::Duration::from_secs(2)))?;
    let port = here.local_addr()?.port();
    here.send_to(b"hello", SocketAddrV4::new(group, port))?;
    here.recv(&mut [0; 16]).map(drop)
}
