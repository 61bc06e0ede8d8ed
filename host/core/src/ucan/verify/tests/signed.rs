//! What is signed, what is remembered of it, and bytes that only look like it.

use super::*;
use crate::ucan::{Replay, Seen};

#[test]
fn each_signature_is_checked() {
    for hop in 0..4 {
        let world = World::new(3);
        let mut proofs: Vec<Block> = world
            .delegations()
            .into_iter()
            .map(Delegation::into_block)
            .collect();
        let damage = |block: &Block| {
            let mut bytes = block.bytes().to_vec();
            bytes[20] ^= 1;
            Block::new(crate::ipld::DAG_CBOR, bytes)
        };
        if hop < 3 {
            proofs[hop] = damage(&proofs[hop]);
        }
        let payload = Payload {
            proofs: proofs.iter().map(|block| *block.cid()).collect(),
            ..world.payload.clone()
        };
        let mut invocation = Invocation::sign(payload, &key(3))
            .expect("signs")
            .into_block();
        if hop == 3 {
            invocation = damage(&invocation);
        }
        let map: BTreeMap<_, _> = proofs.iter().map(|b| (*b.cid(), b.clone())).collect();
        let request = Request {
            executor: None,
            now: NOW,
            leeway: 0,
            proofs: &map,
            revocations: &Revoked::new(),
        };
        let mut known = Known::default();
        for _ in 0..2 {
            let error = verify(invocation.bytes(), &request, &mut known).expect_err("damaged");
            assert_eq!(error.name(), "InvalidSignature");
            let place = if hop < 3 {
                Place::Proof(hop)
            } else {
                Place::Invocation
            };
            assert_eq!(error.place(), place);
        }
        // What was good and came before it is remembered: the invocation comes first.
        assert_eq!(known.len(), if hop < 3 { hop + 1 } else { 0 });
    }
}

#[test]
fn what_is_known_is_asked_anew_about_time_and_revocations() {
    let mut world = World::new(3);
    let blocks: Vec<Block> = world
        .delegations()
        .into_iter()
        .map(Delegation::into_block)
        .collect();
    let mut known = Known::default();
    assert!(world.verify_with(&blocks, &mut known).is_ok());
    assert_eq!(known.len(), 4);
    assert!(world.verify_with(&blocks, &mut known).is_ok());
    world.now = NOW + 10_000;
    let error = world.verify_with(&blocks, &mut known).expect_err("late");
    assert_eq!(error.name(), "Expired");
    world.now = NOW;
    world.revoke(1, 0);
    let error = world.verify_with(&blocks, &mut known).expect_err("revoked");
    assert_eq!(error.name(), "Revoked");
}

#[test]
fn what_is_known_is_bounded_and_keeps_what_is_used() {
    let mut known = Known::new(4);
    let own = World::new(1);
    let blocks: Vec<Block> = own
        .delegations()
        .into_iter()
        .map(Delegation::into_block)
        .collect();
    for nonce in 0..20 {
        let mut world = World::new(1);
        world.payload.nonce = vec![nonce];
        assert!(world.verify_with(&blocks, &mut known).is_ok());
        assert!(known.len() <= 4);
        assert!(known.delegation(blocks[0].cid()).is_some());
    }
    assert!(!known.is_empty());
}

#[test]
fn what_is_large_is_not_remembered() {
    let mut world = World::new(0);
    let large = Ipld::String("x".repeat(5000));
    world.payload.arguments = [("large".to_owned(), large)].into();
    let mut known = Known::default();
    assert!(world.verify_with(&[], &mut known).is_ok());
    assert!(known.is_empty());
}

#[test]
fn an_invocation_is_carried_out_once() {
    let mut seen = Seen::new(10);
    let authority = World::new(2).verify().expect("holds");
    let invocation = authority.invocation().expect("one");
    assert_eq!(seen.accept(invocation, NOW, LEEWAY), Ok(()));
    assert_eq!(seen.accept(invocation, NOW, LEEWAY), Err(Replay::Again));
}

#[test]
fn weak_keys_and_second_encodings_are_no_tokens() {
    let request = Request {
        executor: None,
        now: NOW,
        leeway: 0,
        proofs: &BTreeMap::new(),
        revocations: &Revoked::new(),
    };
    let world = World::new(0);
    let invocation = Invocation::sign(world.payload, &key(0)).expect("signs");
    let bytes = invocation.block().bytes();
    assert!(verify(bytes, &request, &mut Known::default()).is_ok());

    // The outer list and the signature's head, each in a longer form; more behind the token.
    assert_eq!(bytes[..3], [0x82, 0x58, 64]);
    let longer = [
        [&[0x98, 2][..], &bytes[1..]].concat(),
        [&[0x82, 0x59, 0, 64][..], &bytes[3..]].concat(),
        [bytes, &[0xf6]].concat(),
        [&[0x9f][..], &bytes[1..], &[0xff]].concat(),
    ];
    for bytes in longer {
        let error = verify(&bytes, &request, &mut Known::default()).expect_err("another form");
        assert_eq!(error.name(), "Malformed");
    }

    // The identity of Ed25519 as issuer, for which one signature fits all.
    let identity = [&[0xed, 1, 1][..], &[0; 31]].concat();
    let weak = format!("did:key:z{}", bs58::encode(identity).into_string());
    let whole = String::from_utf8_lossy(bytes).into_owned();
    let ours = did(0).to_string();
    assert!(whole.contains(&ours));
    let forged: Vec<u8> = {
        let mut forged = bytes.to_vec();
        while let Some(at) = forged
            .windows(ours.len())
            .position(|part| part == ours.as_bytes())
        {
            // The weak key's text is shorter; its head says so.
            forged.splice(at..at + ours.len(), weak.bytes());
            forged[at - 1] = weak.len() as u8;
        }
        forged
    };
    let error = verify(&forged, &request, &mut Known::default()).expect_err("weak");
    assert_eq!(error.name(), "Malformed");
    let Rule::Malformed(cause) = error.rule() else {
        panic!("{error}");
    };
    assert_eq!(cause.to_string(), "invocation.iss is no principal");

    let error = verify(&vec![0; 2 << 20], &request, &mut Known::default());
    assert_eq!(error.expect_err("too large").name(), "Malformed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_invocation_is_never_allowed(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let world = World::new(0);
        let invocation = Invocation::sign(world.payload, &key(0)).expect("signs");
        let mut bytes = invocation.block().bytes().to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let request = Request {
            executor: None,
            now: NOW,
            leeway: 0,
            proofs: &BTreeMap::new(),
            revocations: &Revoked::new(),
        };
        let judged = verify(&bytes, &request, &mut Known::default());
        prop_assert_eq!(judged.is_ok(), bytes == invocation.block().bytes());
    }
}
