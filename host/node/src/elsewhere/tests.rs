//! Nodes of ours among peers that have receipts, some of which aren't what they should be.

use std::sync::atomic::AtomicU8;

use homestar_core::ipld::{cid_of, cid_of_raw};
use homestar_core::key::SigningKey;
use homestar_core::outcome::{Kind, Outcome};
use homestar_core::receipt::{Body, Meta};
use homestar_core::task::{Input, Nonce, Resource};
use homestar_net::{BlockSource, PeersSettings, Served, SourceError as ServeError, Topic};
use homestar_store::{Memory, Store};

use super::*;
use crate::heard;

fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(&[number; 32])
}

/// Whose receipts count.
fn friend() -> SigningKey {
    key(1)
}

fn instruction(number: i128) -> Arc<Instruction> {
    let input = Input::new("add", vec![Ipld::Integer(number), Ipld::Integer(1)]);
    let component = Resource::from(cid_of_raw(b"math"));
    Arc::new(Instruction::new(component, input, Nonce::default()).unwrap())
}

fn body(instruction: &Instruction, outcome: Outcome) -> Body {
    Body {
        ran: instruction.link(),
        outcome,
        run: vec![],
        meta: Meta {
            component: cid_of_raw(b"math"),
            func: "add".into(),
            effects: vec![],
            trace: None,
            invocation: None,
            fuel: 1,
            memory_peak: 0,
            engine: "test".into(),
        },
    }
}

fn receipt(key: &SigningKey, instruction: &Instruction) -> Receipt {
    let body = body(instruction, Outcome::Ok(Ipld::Integer(2)));
    Receipt::sign(body, key).unwrap()
}

/// Names blocks as receipts of whatever it is asked for, and gives them.
#[derive(Debug, Default)]
struct Claims {
    names: Vec<Cid>,
    blocks: Vec<Block>,
}

impl BlockSource for Claims {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ServeError> {
        Ok(self.blocks.iter().find(|it| it.cid() == cid).cloned())
    }

    fn receipts_of(
        &self,
        ran: &[Link<Instruction>],
    ) -> Result<Vec<Vec<Link<Receipt>>>, ServeError> {
        let names: Vec<_> = self.names.iter().copied().map(Link::new).collect();
        Ok(vec![names; ran.len()])
    }
}

impl Claims {
    fn of(blocks: &[Block]) -> Self {
        Self {
            names: blocks.iter().map(|block| *block.cid()).collect(),
            blocks: blocks.to_vec(),
        }
    }
}

fn next() -> SigningKey {
    static NEXT: AtomicU8 = AtomicU8::new(100);
    key(NEXT.fetch_add(1, Ordering::Relaxed))
}

struct Peer {
    peers: Peers,
    address: PeerAddress,
}

fn peer_of_key(key: &SigningKey, claims: Claims, topics: Vec<Topic>, heard: Arc<Heard>) -> Peer {
    let claims = Arc::new(claims);
    let served = Served {
        strangers: claims.clone(),
        trusted: claims,
        listener: Some(heard),
    };
    let settings = PeersSettings {
        listen: vec!["/memory/0".parse().unwrap()],
        topics,
        ..PeersSettings::default()
    };
    let peers = Peers::spawn(settings, key, served).unwrap();
    let address = wait_for(peers.status()).unwrap().addresses[0].clone();
    Peer { peers, address }
}

fn peer(claims: Claims) -> Peer {
    peer_of_key(&next(), claims, vec![], Arc::default())
}

/// Somebody who looks for receipts, and believes a friend.
struct Seeker {
    peers: Peers,
    store: Arc<Memory>,
    elsewhere: Elsewhere,
}

fn seeker(known: &[&Peer]) -> Seeker {
    let it = peer(Claims::default());
    let known = known.iter().map(|peer| peer.address.clone()).collect();
    seeker_of(it.peers, known, Arc::default())
}

fn seeker_of(peers: Peers, known: Vec<PeerAddress>, heard: Arc<Heard>) -> Seeker {
    let store = Arc::new(Memory::new());
    let source = Source::new(store.clone(), Some(Arc::new(peers.clone())));
    let ways = vec![Way::Peers(peers.clone(), known)];
    let believed = Believed::new([friend().did()]);
    let mut elsewhere = Elsewhere::new(believed, Arc::new(source), ways).with_heard(heard);
    // Whether something is found isn't up to how busy this machine is.
    elsewhere.patience = Duration::from_secs(120);
    Seeker {
        peers,
        store,
        elsewhere,
    }
}

impl Seeker {
    /// Looks for a receipt, and returns what there is in the store then.
    fn look(&self, instruction: &Arc<Instruction>) -> Option<Receipt> {
        let known = [Arc::clone(instruction)];
        self.elsewhere.look(&[instruction.link()], &known);
        let found = self.store.receipt(&instruction.link()).unwrap();
        found.map(|recorded| recorded.receipt().unwrap())
    }

    fn score(&self, of: &Peer) -> Option<i64> {
        let status = wait_for(self.peers.status()).unwrap();
        let mut peers = status.peers.iter();
        let peer = peers.find(|peer| peer.id == of.peers.id());
        peer.map(|peer| peer.score)
    }
}

#[test]
fn what_a_friend_signed_is_there_then_with_its_instruction() {
    let instruction = instruction(1);
    let signed = receipt(&friend(), &instruction);
    let honest = peer(Claims::of(&[signed.block().clone()]));
    let seeker = seeker(&[&honest]);
    assert_eq!(seeker.look(&instruction), Some(signed));
    assert_eq!(seeker.elsewhere.taken(), 1);
    let block = seeker.store.get(instruction.link().cid()).unwrap();
    assert_eq!(block.as_ref(), Some(instruction.block()));
    assert_eq!(seeker.score(&honest), Some(0));
}

#[test]
fn what_strangers_sign_is_not_taken_and_not_held_against_who_has_it() {
    let instruction = instruction(2);
    let signed = receipt(&key(2), &instruction);
    let honest = peer(Claims::of(&[signed.block().clone()]));
    let seeker = seeker(&[&honest]);
    assert_eq!(seeker.look(&instruction), None);
    assert!(!seeker.store.has(signed.block().cid()).unwrap());
    assert_eq!(seeker.score(&honest), Some(0));
}

/// What is named and isn't what it should be: nothing of it enters, and whoever named it is to blame.
#[test]
fn poison_does_nothing_but_cost_the_score() {
    let wanted = instruction(3);
    let good = receipt(&friend(), &wanted);
    let mut bent = good.block().bytes().to_vec();
    // A bit of the signature, which stands first.
    bent[8] ^= 1;
    let codec = good.block().cid().codec();
    let bent = Block::verify(cid_of(codec, &bent), bent).unwrap();
    let heard = Body {
        meta: Meta {
            trace: Some(cid_of_raw(b"trace")),
            ..body(&wanted, Outcome::Ok(Ipld::Null)).meta
        },
        ..body(&wanted, Outcome::Ok(Ipld::Null))
    };
    let limit = body(&wanted, Outcome::error(Kind::Fuel, "no more"));
    let unsigned = Ipld::List(vec![Ipld::Bytes(vec![0; 64]), Ipld::Map([].into())]);
    for (what, block) in [
        ("bytes", Block::raw(b"no receipt".to_vec())),
        ("unsigned", Block::of_dag_cbor(&unsigned).unwrap()),
        ("a wrong signature", bent),
        (
            "another instruction's",
            receipt(&friend(), &instruction(4)).block().clone(),
        ),
        (
            "an end by limit",
            Receipt::sign(limit, &friend()).unwrap().block().clone(),
        ),
        (
            "not pure",
            Receipt::sign(heard, &friend()).unwrap().block().clone(),
        ),
    ] {
        let evil = peer(Claims::of(std::slice::from_ref(&block)));
        let seeker = seeker(&[&evil]);
        assert_eq!(seeker.look(&wanted), None, "{what}");
        assert!(!seeker.store.has(block.cid()).unwrap(), "{what}");
        assert_eq!(seeker.score(&evil), Some(-30), "{what}");
    }
}

#[test]
fn who_poisons_again_and_again_is_cut_off_and_another_used() {
    let wanted = instruction(5);
    let signed = receipt(&friend(), &wanted);
    let poison = |number| Block::raw(vec![number]);
    let evil = peer(Claims::of(&[poison(1), poison(2), poison(3)]));
    let seeker = seeker(&[&evil]);
    assert_eq!(seeker.look(&wanted), None);
    let refused = std::iter::repeat_with(|| wait_for(seeker.peers.connect(evil.address.clone())));
    let error = refused.filter_map(Result::err).next().unwrap().to_string();
    assert!(error.contains("it sent what makes no sense"), "{error}");
    let honest = peer(Claims::of(&[signed.block().clone()]));
    wait_for(seeker.peers.connect(honest.address.clone())).unwrap();
    assert_eq!(seeker.look(&wanted), Some(signed));
}

/// It is no use that somebody has done the work if what came of it isn't to be had.
#[test]
fn a_value_that_nobody_has_is_worth_nothing() {
    let wanted = instruction(6);
    let value = Block::of_dag_cbor(&Ipld::String("large".into())).unwrap();
    let linked = body(&wanted, Outcome::Ok(Ipld::Link(*value.cid())));
    let signed = Receipt::sign(linked, &friend()).unwrap();
    let without = peer(Claims::of(&[signed.block().clone()]));
    assert_eq!(seeker(&[&without]).look(&wanted), None);
    let with = peer(Claims {
        names: vec![*signed.block().cid()],
        blocks: vec![signed.block().clone(), value.clone()],
    });
    let seeker = seeker(&[&with]);
    assert_eq!(seeker.look(&wanted), Some(signed));
    assert!(seeker.store.has(value.cid()).unwrap());
}

/// A peer that isn't known is found, since it says that it has a receipt of that instruction.
#[test]
fn who_has_a_receipt_is_found_by_the_instruction() {
    let wanted = instruction(7);
    let signed = receipt(&friend(), &wanted);
    let middle = peer(Claims::default());
    let far = peer(Claims::of(&[signed.block().clone()]));
    wait_for(far.peers.connect(middle.address.clone())).unwrap();
    wait_for(far.peers.provide(*wanted.link().cid())).unwrap();
    // The one in the middle has to have heard of it.
    while wait_for(middle.peers.status()).unwrap().counts.records == 0 {
        std::thread::yield_now();
    }
    let seeker = seeker(&[&middle]);
    assert_eq!(seeker.look(&wanted), Some(signed));
}

/// Searches take time, so there are no more of them for a while if they find nothing.
#[test]
fn who_finds_nothing_searches_less() {
    let wanted = instruction(10);
    let signed = receipt(&friend(), &wanted);
    let (nothing, honest) = (
        peer(Claims::default()),
        peer(Claims::of(&[signed.block().clone()])),
    );
    let seeker = seeker(&[&nothing]);
    for _ in 1..MISSES_MAX {
        assert_eq!(seeker.look(&wanted), None);
    }
    assert_eq!(seeker.elsewhere.state().searches_from, None);
    assert_eq!(seeker.look(&wanted), None);
    assert!(seeker.elsewhere.state().searches_from.is_some());
    // Who is connected is asked all the same.
    wait_for(seeker.peers.connect(honest.address.clone())).unwrap();
    assert_eq!(seeker.look(&wanted), Some(signed));
}

/// The friend tells all who follow, and the seeker hears it by way of another. It isn't told of when it is asked for, so only
/// who has heard of it finds it.
#[test]
fn what_was_heard_of_is_fetched() {
    let wanted = instruction(8);
    let signed = receipt(&friend(), &wanted);
    let follows = vec![Topic::Receipts];
    let middle = peer_of_key(&next(), Claims::default(), follows.clone(), Arc::default());
    let claims = Claims {
        names: vec![],
        blocks: vec![signed.block().clone()],
    };
    let author = peer_of_key(&friend(), claims, follows.clone(), Arc::default());
    wait_for(author.peers.connect(middle.address.clone())).unwrap();
    let heard = Arc::new(Heard::of_believed(Believed::new([friend().did()])));
    let it = peer_of_key(&next(), Claims::default(), follows, Arc::clone(&heard));
    wait_for(it.peers.connect(middle.address.clone())).unwrap();
    // Who comes later doesn't hear what was said before.
    while wait_for(middle.peers.status()).unwrap().counts.gossips < 2 {
        std::thread::yield_now();
    }
    let message = heard::write(&[(wanted.link(), signed.link())]).unwrap();
    let say = || wait_for(author.peers.publish(Topic::Receipts, message.clone()));
    assert!(std::iter::repeat_with(say).any(|said| said.is_ok()));
    while heard.count() == 0 {
        std::thread::yield_now();
    }
    let known = vec![author.address.clone()];
    assert_eq!(
        seeker_of(it.peers, known, heard).look(&wanted),
        Some(signed)
    );
}

#[test]
fn nobody_is_asked_if_nobody_is_believed() {
    let wanted = instruction(9);
    let signed = receipt(&friend(), &wanted);
    let honest = peer(Claims::of(&[signed.block().clone()]));
    let mut seeker = seeker(&[&honest]);
    seeker.elsewhere.believed = Believed::default();
    assert_eq!(seeker.look(&wanted), None);
    assert_eq!(wait_for(seeker.peers.status()).unwrap().peers, []);
}
