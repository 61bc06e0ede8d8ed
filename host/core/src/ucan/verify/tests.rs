mod revoked;
mod signed;

use proptest::prelude::*;

use super::*;
use crate::json;
use crate::key::SigningKey;
use crate::ucan::delegation::Payload as Grant;
use crate::ucan::invocation::Payload;
use crate::ucan::policy::Policy;
use crate::ucan::revocation::{Revocation, Revoked};
use crate::ucan::varsig::Algorithm;

const NOW: i64 = 1_800_000_000;

/// The key of a number, of each type in turn.
fn key(number: u8) -> SigningKey {
    let algorithm = Algorithm::ALL[usize::from(number) % 3];
    SigningKey::from_secret(algorithm, &[number + 1; 32]).expect("a key")
}

fn did(number: u8) -> Did {
    key(number).did()
}

/// A chain from 0 to 1 to 2 …, and the invocation by the last. Each part can be changed before it is signed.
struct World {
    grants: Vec<Grant>,
    signers: Vec<SigningKey>,
    payload: Payload,
    revoked: Revoked,
    now: i64,
}

impl World {
    fn new(hops: u8) -> Self {
        let grants = (0..hops).map(|from| Grant {
            issuer: did(from),
            audience: did(from + 1),
            subject: Some(did(0)),
            command: "/wasm".parse().expect("a command"),
            policy: Policy::default(),
            nonce: vec![from; 12],
            meta: None,
            not_before: None,
            expiration: Some(NOW + 1000),
        });
        let arguments = arguments(r#"{"func":"add","fuel":100}"#);
        let command = "/wasm/run".parse().expect("a command");
        Self {
            grants: grants.collect(),
            signers: (0..hops).map(key).collect(),
            payload: Payload {
                subject: did(0),
                nonce: vec![9; 12],
                expiration: Some(NOW + 100),
                ..Payload::statement(did(hops), command, arguments)
            },
            revoked: Revoked::new(),
            now: NOW,
        }
    }

    fn delegations(&self) -> Vec<Delegation> {
        let both = self.grants.iter().zip(&self.signers);
        both.map(|(grant, key)| Delegation::sign(grant.clone(), key).expect("signs"))
            .collect()
    }

    /// Signs all and verifies.
    fn verify(&self) -> Result<Authority, Error> {
        let blocks: Vec<Block> = self
            .delegations()
            .into_iter()
            .map(Delegation::into_block)
            .collect();
        self.verify_with(&blocks, &mut Known::default())
    }

    fn verify_with(&self, proofs: &[Block], known: &mut Known) -> Result<Authority, Error> {
        let payload = Payload {
            proofs: proofs.iter().map(|block| *block.cid()).collect(),
            ..self.payload.clone()
        };
        let signer = (0..40)
            .map(key)
            .find(|key| key.did() == payload.issuer)
            .expect("one of ours");
        let invocation = Invocation::sign(payload, &signer).expect("signs");
        let map = proofs.iter().map(|block| (*block.cid(), block.clone()));
        let map: BTreeMap<_, _> = map.collect();
        let subject = did(0);
        let request = Request {
            executor: Some(&subject),
            now: self.now,
            leeway: LEEWAY,
            proofs: &map,
            revocations: &self.revoked,
        };
        verify(invocation.block().bytes(), &request, known)
    }

    fn error(&self) -> (&'static str, String) {
        let error = self.verify().expect_err("not allowed");
        assert!(Rule::NAMES.contains(&error.name()));
        (error.name(), error.to_string())
    }

    fn revoke(&mut self, hop: usize, by: u8) {
        let target = *self.delegations()[hop].cid();
        self.revoked.insert(&Revocation {
            target,
            path: vec![],
            by: did(by),
        });
    }
}

fn arguments(text: &str) -> BTreeMap<String, Ipld> {
    match json::parse(text).expect(text) {
        Ipld::Map(entries) => entries,
        other => panic!("{other:?}"),
    }
}

fn policy(text: &str) -> Policy {
    Policy::parse(text).expect(text)
}

#[test]
fn chains_of_each_length_hold() {
    for hops in [0, 1, 2, 3, 8, MAX_PROOFS as u8] {
        let authority = World::new(hops).verify().expect("holds");
        assert_eq!(authority.holder(), &did(hops));
        assert_eq!(authority.subject(), &did(0));
        assert_eq!(authority.chain().len(), usize::from(hops));
        assert_eq!(authority.expiration(), Some(NOW + 100));
    }
    let (name, words) = World::new(MAX_PROOFS as u8 + 1).error();
    assert_eq!(name, "Malformed");
    assert_eq!(words, "the invocation: a chain has at most 32 proofs");
}

#[test]
fn who_it_is_for() {
    let mut world = World::new(1);
    world.payload.audience = Some(did(0));
    assert!(world.verify().is_ok());
    world.payload.audience = Some(did(7));
    let (name, words) = world.error();
    assert_eq!(name, "InvalidAudience");
    assert!(words.contains("to carry out, not for"), "{words}");
}

#[test]
fn proofs_that_are_not_there_or_another() {
    let world = World::new(2);
    let blocks: Vec<Block> = world
        .delegations()
        .into_iter()
        .map(Delegation::into_block)
        .collect();
    let cids = blocks.iter().map(|block| *block.cid()).collect();
    let payload = Payload {
        proofs: cids,
        ..world.payload.clone()
    };
    let invocation = Invocation::sign(payload, &key(2)).expect("signs");
    for wrong in [
        BTreeMap::from([(*blocks[0].cid(), blocks[0].clone())]),
        // One stands under the name of the other.
        BTreeMap::from([
            (*blocks[0].cid(), blocks[0].clone()),
            (*blocks[1].cid(), blocks[0].clone()),
        ]),
    ] {
        let request = Request {
            executor: None,
            now: NOW,
            leeway: 0,
            proofs: &wrong,
            revocations: &Revoked::new(),
        };
        let error = verify(invocation.block().bytes(), &request, &mut Known::default());
        let error = error.expect_err("not there");
        assert_eq!(error.name(), "UnavailableProof");
        assert_eq!(error.place(), Place::Proof(1));
    }
}

#[test]
fn a_chain_leads_from_the_subject_to_who_asks() {
    let mut world = World::new(0);
    world.payload.issuer = did(3);
    assert_eq!(world.error().0, "InvalidClaim");

    let mut world = World::new(2);
    world.grants[1].subject = Some(did(1));
    assert_eq!(world.error().0, "InvalidSubject");
    assert!(world.error().1.starts_with("proof 2 of 2: it is about"));

    // Somebody delegates what is not theirs.
    let mut world = World::new(2);
    (world.grants[0].issuer, world.signers[0]) = (did(5), key(5));
    assert_eq!(world.error().0, "InvalidClaim");

    let mut world = World::new(3);
    world.grants[1].audience = did(5);
    assert_eq!(world.error().0, "InvalidAudience");
    let mut world = World::new(3);
    world.payload.issuer = did(5);
    assert_eq!(world.error().0, "InvalidAudience");
    assert!(world.error().1.starts_with("proof 3 of 3: it was given to"));
}

#[test]
fn proofs_in_reverse_order_are_refused_and_told() {
    let mut world = World::new(3);
    world.grants.reverse();
    world.signers.reverse();
    let (name, words) = world.error();
    assert_eq!(name, "InvalidClaim");
    let hint = "; the proofs stand in reverse order, the subject's own comes first";
    assert!(words.ends_with(hint), "{words}");
    world.grants.swap(0, 1);
    world.signers.swap(0, 1);
    assert!(!world.error().1.ends_with(hint));
}

#[test]
fn a_powerline_passes_on_and_begins_nothing() {
    let mut world = World::new(3);
    world.grants[1].subject = None;
    world.grants[2].subject = None;
    assert!(world.verify().is_ok());
    world.grants[0].subject = None;
    let (name, words) = world.error();
    assert_eq!(name, "InvalidClaim");
    assert!(words.starts_with("proof 1 of 3: a chain doesn't begin"));

    // It passes on what its issuer has, in no other words than it says.
    let mut world = World::new(2);
    world.grants[1].subject = None;
    world.grants[1].command = "/wasm/run".parse().expect("a command");
    world.grants[1].policy = policy(".fuel <= 10");
    assert_eq!(world.error().0, "MatchError");
    world.payload.arguments = arguments(r#"{"fuel":10}"#);
    assert!(world.verify().is_ok());
    world.payload.command = "/wasm/inspect".parse().expect("a command");
    assert_eq!(world.error().0, "CommandNotCovered");
}

#[test]
fn commands_only_narrow() {
    for (commands, invoked, broken) in [
        (["/", "/wasm"], "/wasm/run", None),
        (["/wasm", "/wasm"], "/wasm", None),
        (["/wasm", "/wasm/run"], "/wasm", Some("the invocation: ")),
        (["/wasm/run", "/wasm"], "/wasm/run", Some("proof 2 of 2: ")),
        (["/wasm", "/"], "/wasm", Some("proof 2 of 2: ")),
        (["/wasm", "/wasm"], "/wasmtime", Some("the invocation: ")),
        (["/wasm", "/wasmtime"], "/wasmtime", Some("proof 2 of 2: ")),
    ] {
        let mut world = World::new(2);
        for (grant, command) in world.grants.iter_mut().zip(commands) {
            grant.command = command.parse().expect("a command");
        }
        world.payload.command = invoked.parse().expect("a command");
        match broken {
            None => assert!(world.verify().is_ok(), "{commands:?} {invoked}"),
            Some(place) => {
                let (name, words) = world.error();
                assert_eq!(name, "CommandNotCovered");
                assert!(words.starts_with(place), "{words}");
            }
        }
    }
}

#[test]
fn time_is_that_of_all_hops_and_inclusive() {
    for hop in 0..4 {
        let mut world = World::new(3);
        let (mut from, mut until) = (None, None);
        if hop < 3 {
            world.grants[hop].not_before = Some(NOW);
            world.grants[hop].expiration = Some(NOW);
        } else {
            world.payload.not_before = Some(NOW);
            world.payload.expiration = Some(NOW);
        }
        for (now, name) in [
            (NOW - LEEWAY - 1, Some("TooEarly")),
            (NOW - LEEWAY, None),
            (NOW, None),
            (NOW + LEEWAY, None),
            (NOW + LEEWAY + 1, Some("Expired")),
        ] {
            world.now = now;
            match world.verify() {
                Ok(authority) => {
                    assert_eq!(name, None);
                    (from, until) = (authority.not_before(), authority.expiration());
                }
                Err(error) => {
                    assert_eq!(Some(error.name()), name);
                    let place = if hop < 3 {
                        Place::Proof(hop)
                    } else {
                        Place::Invocation
                    };
                    assert_eq!(error.place(), place);
                }
            }
        }
        assert_eq!((from, until), (Some(NOW), Some(NOW)));
    }
}

#[test]
fn a_chain_that_never_holds_is_refused_within_the_leeway_too() {
    let mut world = World::new(2);
    world.grants[0].expiration = Some(NOW - 10);
    world.grants[1].not_before = Some(NOW + 10);
    let (name, words) = world.error();
    assert_eq!(name, "Expired");
    assert!(words.ends_with("so never"), "{words}");
}

#[test]
fn policies_of_all_hops_hold() {
    for hop in 0..3 {
        let mut world = World::new(3);
        world.grants[hop].policy = policy(".func == \"add\" and .fuel <= 100");
        assert!(world.verify().is_ok());
        world.payload.arguments = arguments(r#"{"func":"add","fuel":101}"#);
        let (name, words) = world.error();
        assert_eq!(name, "MatchError");
        assert_eq!(
            words,
            format!(
                "proof {} of 3: the arguments don't meet `.fuel <= 100`",
                hop + 1
            )
        );
    }
}

#[test]
fn promises_come_first() {
    let mut world = World::new(1);
    let cid = crate::ipld::cid_of_raw(b"task");
    let promise = Ipld::Map([("await/ok".to_owned(), Ipld::Link(cid))].into());
    world.payload.arguments = [("fuel".to_owned(), promise)].into();
    assert_eq!(world.error().0, "WaitingOnPromise");
}

#[test]
fn an_authority_is_asked_again_for_each_call() {
    let mut world = World::new(2);
    world.grants[1].policy = policy(".host like \"*.example.com\"");
    world.payload.arguments = arguments(r#"{"host":"a.example.com"}"#);
    let command = |text: &str| text.parse::<Command>().expect(text);
    let delegations = world.delegations();
    let proofs: BTreeMap<_, _> = delegations
        .iter()
        .map(|one| (*one.cid(), one.block().clone()))
        .collect();
    let request = Request {
        executor: None,
        now: NOW,
        leeway: 0,
        proofs: &proofs,
        revocations: &Revoked::new(),
    };
    let cids: Vec<Cid> = delegations.iter().map(|one| *one.cid()).collect();
    let held = hold(&cids, &did(0), &did(2), &request, &mut Known::default()).expect("held");
    assert_eq!(held.command(), &command("/wasm"));
    let args = arguments(r#"{"host":"b.example.com"}"#);
    assert_eq!(held.allows(&command("/wasm/x"), &args), Ok(()));
    let error = held
        .allows(&command("/https/get"), &args)
        .expect_err("another");
    assert_eq!(error.name(), "CommandNotCovered");
    let error = held.allows(&command("/wasm/x"), &arguments("{}"));
    assert_eq!(error.expect_err("no host").name(), "MatchError");

    // One that was invoked allows no more than that.
    let invoked = world.verify().expect("holds");
    let error = invoked
        .allows(&command("/wasm/x"), &args)
        .expect_err("another");
    assert_eq!(error.name(), "CommandNotCovered");
    assert_eq!(invoked.allows(&command("/wasm/run"), &args), Ok(()));

    // Who owns may do all.
    let own = hold(&[], &did(0), &did(0), &request, &mut Known::default()).expect("held");
    assert_eq!(own.allows(&command("/any/thing"), &arguments("{}")), Ok(()));
    let error = hold(&[], &did(0), &did(1), &request, &mut Known::default());
    assert_eq!(error.expect_err("somebody else").name(), "InvalidClaim");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Of random small changes to a chain, those that a plain reading of the rules refuses are refused, and
    /// no others.
    #[test]
    fn a_plain_reading_agrees(
        hops in 1..4_usize,
        changes in proptest::collection::vec((0..4_usize, 0..6_u8), 0..3),
    ) {
        let mut world = World::new(hops as u8);
        for (hop, change) in changes {
            let grant = &mut world.grants[hop % hops];
            match change {
                0 => grant.subject = None,
                1 => grant.audience = did(9),
                2 => grant.command = "/wasm/run/x".parse().expect("a command"),
                3 => grant.expiration = Some(NOW - 100),
                4 => grant.policy = policy(".func == \"sub\""),
                _ => grant.command = Command::top(),
            }
        }
        let grants = &world.grants;
        let within = |general: &Command, special: &Command| {
            let (general, special) = (general.as_str(), special.as_str());
            general == "/" || format!("{special}/").starts_with(&format!("{general}/"))
        };
        let holds = grants[0].subject.is_some()
            && (0..hops).all(|hop| {
                let next = grants.get(hop + 1);
                let issuer = next.map_or(world.payload.issuer, |next| next.issuer);
                let command = next.map_or(&world.payload.command, |next| &next.command);
                grants[hop].audience == issuer
                    && within(&grants[hop].command, command)
                    && grants[hop].expiration > Some(NOW)
                    && grants[hop].policy.is_empty()
            });
        prop_assert_eq!(world.verify().is_ok(), holds);
    }
}
