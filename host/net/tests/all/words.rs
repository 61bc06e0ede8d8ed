//! What nodes say to each other: messages to one, gossip to all.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};

use homestar_core::ipld::Block;
use homestar_core::key::SigningKey;
use homestar_net::{
    GOSSIP_BYTES_MAX, Listener, MESSAGE_BYTES_MAX, PeerAddress, PeerId, Peers, PeersError,
    PeersSettings, Served, Topic, Verdict,
};

use crate::kept::{Kept, now};

const MEMORY: &str = "/memory/0";
const TCP: &str = "/ip4/127.0.0.1/tcp/0";
const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

/// Tells all it hears, and takes gossip for nonsense that says so.
#[derive(Debug)]
struct Ear(Mutex<Sender<Word>>);

#[derive(Debug, PartialEq)]
enum Word {
    Told(PeerId, Vec<u8>),
    Heard(Topic, PeerId, Vec<u8>),
}

impl Listener for Ear {
    fn told(&self, from: PeerId, message: Vec<u8>) {
        let _ = self.0.lock().unwrap().send(Word::Told(from, message));
    }

    fn heard(&self, topic: Topic, from: PeerId, message: &[u8]) -> Verdict {
        let word = Word::Heard(topic, from, message.to_vec());
        let _ = self.0.lock().unwrap().send(word);
        match message.starts_with(b"nonsense") {
            true => Verdict::Reject,
            false => Verdict::Accept,
        }
    }
}

struct Node {
    peers: Peers,
    address: PeerAddress,
    words: Receiver<Word>,
}

fn node(number: u8, listen: &str, known: &[&Node]) -> Node {
    let (ear, words) = mpsc::channel();
    let nothing = Kept::new([]);
    let served = Served {
        strangers: nothing.clone(),
        trusted: nothing,
        listener: Some(Arc::new(Ear(Mutex::new(ear)))),
    };
    let settings = PeersSettings {
        listen: vec![listen.parse().unwrap()],
        topics: Topic::ALL.to_vec(),
        ..PeersSettings::default()
    };
    let key = SigningKey::from_seed(&[number; 32]);
    let peers = Peers::spawn(settings, &key, served).unwrap();
    let address = now(peers.status()).unwrap().addresses[0].clone();
    for node in known {
        now(peers.connect(node.address.clone())).unwrap();
    }
    Node {
        peers,
        address,
        words,
    }
}

/// Says something to all until somebody can hear it: who follows a topic says so a moment after it is connected.
fn say(node: &Node, topic: Topic, message: &[u8]) {
    let said = std::iter::repeat_with(|| now(node.peers.publish(topic, message.to_vec())));
    for told in said {
        match told {
            Ok(()) => return,
            Err(PeersError::NobodyFollows { .. }) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_message_is_delivered_to_whom_it_is_for() {
    for (at, listen) in [MEMORY, TCP, QUIC].into_iter().enumerate() {
        let first = node(40 + 2 * at as u8, listen, &[]);
        let second = node(41 + 2 * at as u8, listen, &[&first]);
        for message in [vec![], b"hello".to_vec(), vec![7; MESSAGE_BYTES_MAX]] {
            now(second.peers.tell(first.peers.id(), message.clone())).unwrap();
            let told = Word::Told(second.peers.id(), message);
            assert_eq!(first.words.recv().unwrap(), told, "{listen}");
        }
        // The other way too, on the same connection.
        now(first.peers.tell(second.peers.id(), b"and back".to_vec())).unwrap();
        let told = Word::Told(first.peers.id(), b"and back".to_vec());
        assert_eq!(second.words.recv().unwrap(), told);
    }
}

#[test]
fn many_messages_at_once_all_arrive() {
    let first = node(50, MEMORY, &[]);
    let second = node(51, MEMORY, &[&first]);
    let to = first.peers.id();
    std::thread::scope(|scope| {
        for thread in 0..8_u8 {
            let peers = second.peers.clone();
            scope.spawn(move || {
                (0..50_u8).for_each(|at| now(peers.tell(to, vec![thread, at])).unwrap());
            });
        }
    });
    let mut told: Vec<Vec<u8>> = first
        .words
        .try_iter()
        .map(|word| match word {
            Word::Told(_, message) => message,
            other => panic!("{other:?}"),
        })
        .collect();
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 400);
}

#[test]
fn why_a_message_did_not_arrive_is_said() {
    let first = node(52, MEMORY, &[]);
    let second = node(53, MEMORY, &[&first]);
    let too_large = now(second
        .peers
        .tell(first.peers.id(), vec![0; MESSAGE_BYTES_MAX + 1]));
    assert_eq!(
        too_large.unwrap_err().to_string(),
        "a message of 65537 bytes is too large: it may have 65536"
    );
    let nobody = SigningKey::from_seed(&[54; 32]);
    let nothing = Kept::new([]);
    let served = Served {
        strangers: nothing.clone(),
        trusted: nothing,
        listener: None,
    };
    let deaf = Peers::spawn(PeersSettings::default(), &nobody, served).unwrap();
    let unreachable = now(second.peers.tell(deaf.id(), vec![])).unwrap_err();
    assert_eq!(
        unreachable.to_string(),
        "can't be reached: nobody knows where it is"
    );
    now(deaf.connect(first.address.clone())).unwrap();
    // The connection is known there a moment later.
    while now(first.peers.status()).unwrap().peers.len() < 2 {
        std::thread::yield_now();
    }
    let silent = now(first.peers.tell(deaf.id(), vec![])).unwrap_err();
    assert_eq!(silent.to_string(), "it takes no messages");
    let gossip = now(deaf.publish(Topic::Receipts, vec![0; GOSSIP_BYTES_MAX + 1]));
    assert!(matches!(gossip, Err(PeersError::TooLarge { .. })));
    let alone = node(55, MEMORY, &[]);
    let alone = now(alone.peers.publish(Topic::Receipts, vec![])).unwrap_err();
    assert_eq!(
        alone.to_string(),
        "nobody who is connected follows /homestar/receipts/1"
    );
}

/// From one over the second to the third, which isn't connected to the first.
#[test]
fn gossip_goes_from_peer_to_peer() {
    let second = node(61, MEMORY, &[]);
    let first = node(60, MEMORY, &[&second]);
    let third = node(62, MEMORY, &[&second]);
    // Who comes later doesn't hear what was said before.
    while now(second.peers.status()).unwrap().counts.gossips < 2 {
        std::thread::yield_now();
    }
    for topic in Topic::ALL {
        let message = vec![3; GOSSIP_BYTES_MAX];
        say(&first, topic, &message);
        let heard = Word::Heard(topic, first.peers.id(), message);
        assert_eq!(second.words.recv().unwrap(), heard);
        assert_eq!(third.words.recv().unwrap(), heard);
    }
    assert!(first.words.try_recv().is_err(), "its own");
}

#[test]
fn nonsense_is_not_passed_on_and_costs_the_score() {
    let second = node(64, MEMORY, &[]);
    let first = node(63, MEMORY, &[&second]);
    let third = node(65, MEMORY, &[&second]);
    say(&third, Topic::Receipts, b"third is there");
    assert!(matches!(second.words.recv().unwrap(), Word::Heard(..)));
    for count in 1..=3 {
        say(
            &first,
            Topic::Receipts,
            format!("nonsense {count}").as_bytes(),
        );
        assert!(matches!(second.words.recv().unwrap(), Word::Heard(..)));
    }
    // It is cut off, so it can't connect any more. That takes a moment.
    let refused = std::iter::repeat_with(|| now(second.peers.connect(first.address.clone())));
    let error = refused.filter_map(Result::err).next().unwrap().to_string();
    assert!(error.contains("it sent what makes no sense"), "{error}");
    let told = now(second.peers.tell(first.peers.id(), vec![])).unwrap_err();
    assert!(told.to_string().contains("makes no sense"), "{told}");
    // The third heard nothing of it, and is still heard.
    let nonsense = third
        .words
        .try_iter()
        .any(|word| matches!(word, Word::Heard(_, _, message) if message.starts_with(b"nonsense")));
    assert!(!nonsense);
    say(&third, Topic::Receipts, b"goodbye");
    let heard = Word::Heard(Topic::Receipts, third.peers.id(), b"goodbye".to_vec());
    assert_eq!(second.words.recv().unwrap(), heard);
}

#[test]
fn who_is_to_blame_is_cut_off() {
    let first = node(66, MEMORY, &[]);
    let second = node(67, MEMORY, &[&first]);
    let score = |of: &Node| {
        let status = now(first.peers.status()).unwrap();
        let peer = status.peers.iter().find(|peer| peer.id == of.peers.id());
        peer.map(|peer| peer.score)
    };
    // The connection is known there a moment later.
    while score(&second).is_none() {
        std::thread::yield_now();
    }
    now(first.peers.blame(second.peers.id())).unwrap();
    assert_eq!(score(&second), Some(-30));
    now(first.peers.blame(second.peers.id())).unwrap();
    now(first.peers.blame(second.peers.id())).unwrap();
    // Its messages don't arrive any more.
    let refused =
        std::iter::repeat_with(|| now(second.peers.tell(first.peers.id(), b"listen".to_vec())));
    assert!(refused.filter_map(Result::err).next().is_some());
}

#[test]
fn providers_are_found_by_name() {
    let block = Block::raw(b"provided".to_vec());
    let middle = node(70, TCP, &[]);
    let far = node(71, TCP, &[&middle]);
    now(far.peers.provide(*block.cid())).unwrap();
    let peers = node(72, TCP, &[&middle]);
    let search = || now(peers.peers.providers(*block.cid(), 4)).unwrap();
    // Until the one in the middle has heard of it, there is none.
    let found = std::iter::repeat_with(search).find(|found| !found.is_empty());
    assert_eq!(found, Some(vec![far.peers.id()]));
    now(peers.peers.tell(far.peers.id(), b"found".to_vec())).unwrap();
    let told = Word::Told(peers.peers.id(), b"found".to_vec());
    assert_eq!(far.words.recv().unwrap(), told);
}
