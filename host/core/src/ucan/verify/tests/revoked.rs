//! Delegations that were taken back.

use std::borrow::Cow;

use super::*;
use crate::ucan::revocation::{LookupFailed, Revocation, RevocationError};

#[test]
fn who_may_revoke() {
    // Of three hops, 0 → 1 → 2 → 3.
    for (hop, by, counts) in [
        (0, 0, true),
        (0, 1, true), // given to them
        (0, 2, false),
        (0, 3, false),
        (1, 0, true),
        (1, 1, true),
        (1, 2, true),
        (1, 3, false),
        (2, 0, true),
        (2, 3, true),
        (2, 9, false), // nobody in the chain
    ] {
        let mut world = World::new(3);
        world.revoke(hop, by);
        match world.verify() {
            Ok(_) => assert!(!counts, "{hop} {by}"),
            Err(error) => {
                assert!(counts, "{hop} {by}");
                assert_eq!(error.name(), "Revoked");
                assert_eq!(error.place(), Place::Proof(hop));
            }
        }
    }
}

#[test]
fn a_revocation_counts_for_the_flipped_signature_too() {
    // 1 signs with P-256.
    let mut world = World::new(3);
    assert_eq!(world.signers[1].algorithm(), Algorithm::P256);
    let mut blocks: Vec<Block> = world
        .delegations()
        .into_iter()
        .map(Delegation::into_block)
        .collect();
    let mut bytes = blocks[1].bytes().to_vec();
    let flipped = crate::ucan::did::flipped(&bytes[3..67]).expect("a signature");
    bytes[3..67].copy_from_slice(&flipped);
    blocks[1] = Block::new(crate::ipld::DAG_CBOR, bytes);
    assert!(world.verify_with(&blocks, &mut Known::default()).is_ok());
    world.revoke(1, 1);
    assert_ne!(blocks[1].cid(), world.delegations()[1].cid());
    let error = world.verify_with(&blocks, &mut Known::default());
    assert_eq!(error.expect_err("revoked").name(), "Revoked");
}

struct Broken;

impl Revocations for Broken {
    fn revokers(&self, _: &Cid) -> Result<Cow<'_, [Did]>, LookupFailed> {
        Err(LookupFailed("the disk is gone".to_owned()))
    }
}

#[test]
fn not_to_know_is_not_to_allow() {
    let world = World::new(1);
    let delegation = world.delegations().remove(0);
    let proofs = BTreeMap::from([(*delegation.cid(), delegation.block().clone())]);
    let request = Request {
        executor: None,
        now: NOW,
        leeway: 0,
        proofs: &proofs,
        revocations: &Broken,
    };
    let cids = [*delegation.cid()];
    let error = hold(&cids, &did(0), &did(1), &request, &mut Known::default());
    let error = error.expect_err("not known");
    assert_eq!(error.name(), "RevocationsUnknown");
    assert_eq!(
        error.to_string(),
        "proof 1 of 1: can't find out whether it is revoked: the disk is gone"
    );
}

#[test]
fn a_revocation_is_an_invocation_and_others_may_be_let_to_make_it() {
    let mut world = World::new(2);
    let delegations = world.delegations();
    let revocation = Revocation {
        target: *delegations[1].cid(),
        path: delegations.iter().map(|one| *one.cid()).collect(),
        by: did(0),
    };
    let mut proofs: BTreeMap<_, _> = delegations
        .iter()
        .map(|one| (*one.cid(), one.block().clone()))
        .collect();

    // 0 lets 7 revoke, and 7 does.
    let grant = Grant {
        issuer: did(0),
        audience: did(7),
        subject: Some(did(0)),
        command: "/ucan/revoke".parse().expect("a command"),
        policy: policy(&format!(r#".rev == {{"/":"{}"}}"#, revocation.target)),
        ..world.grants[0].clone()
    };
    let grant = Delegation::sign(grant, &key(0)).expect("signs");
    proofs.insert(*grant.cid(), grant.block().clone());
    let payload = Payload {
        issuer: did(7),
        proofs: vec![*grant.cid()],
        ..revocation.to_payload()
    };
    let invocation = Invocation::sign(payload, &key(7)).expect("signs");
    let request = Request {
        executor: None,
        now: NOW,
        leeway: 0,
        proofs: &proofs,
        revocations: &Revoked::new(),
    };
    let mut known = Known::default();
    let authority = verify(invocation.block().bytes(), &request, &mut known).expect("holds");
    let read = Revocation::of(&authority).expect("a revocation");
    assert_eq!(read, revocation);
    assert_eq!(read.check_path(&proofs, &mut known), Ok(()));
    assert!(world.revoked.insert(&read));
    assert!(!world.revoked.insert(&read));
    assert_eq!(world.error().0, "Revoked");
    world.revoked.forget(&read.target);
    assert!(world.verify().is_ok());

    // Its path shows that who revokes has a say.
    for (by, target, path) in [
        (7, 1, vec![0, 1]),
        (0, 1, vec![1, 0]),
        (0, 1, vec![0]),
        (2, 0, vec![0, 1]),
        (0, 1, vec![]),
    ] {
        let other = Revocation {
            by: did(by),
            target: *delegations[target].cid(),
            path: path
                .iter()
                .map(|index| *delegations[*index].cid())
                .collect(),
        };
        assert_eq!(
            other.check_path(&proofs, &mut known),
            Err(RevocationError::Path),
            "{by} {target} {path:?}"
        );
    }
    let other = world.verify().expect("holds");
    assert_eq!(Revocation::of(&other), Err(RevocationError::Command));
}

#[test]
fn both_names_of_a_revocations_arguments_are_read() {
    let target = crate::ipld::cid_of_dag_cbor(b"x");
    let link = format!(r#"{{"/":"{target}"}}"#);
    for (text, reads) in [
        (r#"{"rev":L,"pth":[L]}"#, true),
        (r#"{"revoke":L,"path":[L]}"#, true),
        (r#"{"revoke":L}"#, true),
        (r#"{"rev":L,"path":[L]}"#, false),
        (r#"{"rev":L,"revoke":L}"#, false),
        (r#"{"rev":"x"}"#, false),
        ("{}", false),
    ] {
        let mut world = World::new(0);
        world.payload.command = "/ucan/revoke".parse().expect("a command");
        world.payload.arguments = arguments(&text.replace('L', &link));
        let authority = world.verify().expect("holds");
        let read = Revocation::of(&authority);
        assert_eq!(read.is_ok(), reads, "{text}");
        if let Ok(read) = read {
            assert_eq!((read.target, read.by), (target, did(0)));
        }
    }
}

#[test]
fn a_path_is_found_for_whoever_has_a_say() {
    let world = World::new(3);
    let mut delegations = world.delegations();
    // What doesn't matter stands before what does.
    delegations.reverse();
    let proofs: BTreeMap<_, _> = delegations
        .iter()
        .map(|one| (*one.cid(), one.block().clone()))
        .collect();
    delegations.reverse();
    let cids: Vec<_> = delegations.iter().map(|one| *one.cid()).collect();
    for (hop, by, path) in [
        (0, 0, Some(&cids[..1])),
        (0, 1, Some(&cids[..1])),
        (0, 2, None),
        (1, 0, Some(&cids[..2])),
        (1, 1, Some(&cids[1..2])),
        (2, 0, Some(&cids[..3])),
        (2, 1, Some(&cids[1..])),
        (2, 3, Some(&cids[2..])),
        (2, 9, None),
    ] {
        let revocation = Revocation::new(&cids[hop], did(by), &delegations);
        let found = revocation.as_ref().map(|it| &it.path[..]);
        assert_eq!(found, path, "{hop} {by}");
        if let Some(revocation) = revocation {
            let checked = revocation.check_path(&proofs, &mut Known::default());
            assert_eq!(checked, Ok(()), "{hop} {by}");
        }
    }
    let unknown = crate::ipld::cid_of_dag_cbor(b"x");
    assert_eq!(Revocation::new(&unknown, did(0), &delegations), None);
}

#[test]
fn delegations_in_a_circle_have_an_end() {
    let mut world = World::new(3);
    world.grants[0].issuer = did(3);
    world.grants[0].subject = Some(did(3));
    world.signers[0] = key(3);
    let delegations = world.delegations();
    let target = delegations[1].cid();
    assert_eq!(Revocation::new(target, did(9), &delegations), None);
    let revocation = Revocation::new(target, did(3), &delegations).expect("has a say");
    assert_eq!(revocation.path.len(), 2);
}
