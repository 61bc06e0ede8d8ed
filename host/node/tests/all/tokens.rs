//! Tokens that are kept, and what they take back.

use std::collections::BTreeMap;

use homestar_core::ipld::{Block, Cid};
use homestar_core::key::SigningKey;
use homestar_core::ucan::varsig::Algorithm;
use homestar_core::ucan::{
    Container, Delegation, Did, Invocation, Known, Policy, Request, Revocation, delegation,
    invocation, verify,
};
use homestar_node::{KeptTokens, Token, Tokens, TokensError, gc};
use homestar_store::Store;

use crate::make::stores;

const NOW: i64 = 1_800_000_000;

/// The key of a number, of each type in turn.
fn key(number: u8) -> SigningKey {
    let algorithm = Algorithm::ALL[usize::from(number) % 3];
    SigningKey::from_secret(algorithm, &[number + 1; 32]).unwrap()
}

fn did(number: u8) -> Did {
    key(number).did()
}

/// What 0 owns, passed on from one to another.
fn given(from: u8, to: u8) -> Delegation {
    let payload = delegation::Payload {
        issuer: did(from),
        audience: did(to),
        subject: Some(did(0)),
        command: "/wasm".parse().unwrap(),
        policy: Policy::default(),
        nonce: vec![from, to],
        meta: None,
        not_before: None,
        expiration: Some(NOW + 1000),
    };
    Delegation::sign(payload, &key(from)).unwrap()
}

fn chain() -> [Delegation; 3] {
    [given(0, 1), given(1, 2), given(2, 3)]
}

fn revocation(target: &Delegation, by: u8, path: &[Delegation]) -> Invocation {
    let revocation = Revocation {
        target: *target.cid(),
        path: path.iter().map(|it| *it.cid()).collect(),
        by: did(by),
    };
    Invocation::sign(revocation.to_payload(), &key(by)).unwrap()
}

fn packed(delegations: &[Delegation], invocations: &[&Invocation]) -> Container {
    let delegations = delegations.iter().map(Delegation::block);
    let invocations = invocations.iter().map(|it| it.block());
    Container::new(delegations.chain(invocations).cloned()).unwrap()
}

fn keep(store: &dyn Store, container: &Container) -> KeptTokens {
    Tokens::new(store).keep(container, NOW).unwrap()
}

/// Asks 0 for something, by the whole chain, with what a store knows.
fn ask(store: &dyn Store) -> Result<(), String> {
    let chain = chain();
    let payload = invocation::Payload {
        subject: did(0),
        proofs: chain.iter().map(|it| *it.cid()).collect(),
        ..invocation::Payload::statement(did(3), "/wasm/run".parse().unwrap(), BTreeMap::new())
    };
    let invocation = Invocation::sign(payload, &key(3)).unwrap();
    let tokens = Tokens::new(store);
    let proofs = tokens.proofs(&invocation.payload().proofs).unwrap();
    let request = Request {
        executor: Some(&did(0)),
        now: NOW,
        leeway: 0,
        proofs: &proofs,
        revocations: &tokens,
    };
    let verified = verify(invocation.block().bytes(), &request, &mut Known::default());
    verified.map(drop).map_err(|error| error.name().to_owned())
}

#[test]
fn what_is_kept_proves_until_it_is_revoked() {
    let (_folder, stores) = stores();
    for store in stores {
        let store = &*store;
        let tokens = Tokens::new(store);
        assert_eq!(ask(store), Err("UnavailableProof".to_owned()));
        let chain = chain();
        assert_eq!(keep(store, &packed(&chain, &[])).kept.len(), 3);
        assert_eq!(ask(store), Ok(()));

        // What 1 gave, 0 takes back; its path is here already.
        let taken = revocation(&chain[1], 0, &chain[..2]);
        let result = keep(store, &packed(&[], &[&taken]));
        assert_eq!(result.kept, [*taken.cid()]);
        assert_eq!(ask(store), Err("Revoked".to_owned()));
        assert_eq!(tokens.revokers(chain[1].cid()).unwrap(), [did(0)]);
        assert_eq!(tokens.revoked_by(&chain[1]).unwrap(), [did(0)]);
        assert_eq!(tokens.revoked_by(&chain[0]).unwrap(), []);
        // It is what the invocation says of itself, and it stays one.
        let Some(Token::Revocation { revocation, .. }) = tokens.get(taken.cid()).unwrap() else {
            panic!("no revocation");
        };
        assert_eq!(
            (revocation.target, revocation.by),
            (*chain[1].cid(), did(0))
        );
        assert_eq!(keep(store, &packed(&[], &[&taken])).kept.len(), 1);
        assert_eq!(tokens.revokers(chain[1].cid()).unwrap().len(), 1);

        let (all, broken) = tokens.all().unwrap();
        assert_eq!((all.len(), broken.len()), (4, 0));
        assert!(matches!(
            tokens.forget(taken.cid()),
            Err(TokensError::Revocation { .. })
        ));
        assert!(tokens.forget(chain[1].cid()).unwrap());
        assert!(!tokens.forget(chain[1].cid()).unwrap());
        assert_eq!(tokens.revokers(chain[1].cid()).unwrap(), [did(0)]);
    }
}

#[test]
fn a_revocation_may_come_first_and_outlives_a_collection() {
    let (_folder, stores) = stores();
    for store in stores {
        let store = &*store;
        let chain = chain();
        let taken = revocation(&chain[2], 2, &chain[2..]);
        assert_eq!(keep(store, &packed(&chain[2..], &[&taken])).kept.len(), 2);
        keep(store, &packed(&chain[..2], &[]));
        gc(store).unwrap();
        assert_eq!(ask(store), Err("Revoked".to_owned()));
        assert_eq!(Tokens::new(store).all().unwrap().0.len(), 4);
    }
}

#[test]
fn a_revocation_of_either_signature_counts_for_both() {
    let (_folder, stores) = stores();
    for store in stores {
        let store = &*store;
        let chain = chain();
        // 1 signs with P-256.
        let taken = revocation(&chain[1], 1, &chain[1..2]);
        keep(store, &packed(&chain, &[&taken]));
        let twin = chain[1].cids().nth(1).expect("the other signature");
        assert_eq!(Tokens::new(store).revokers(twin).unwrap(), []);
        assert_eq!(Tokens::new(store).revoked_by(&chain[1]).unwrap(), [did(1)]);
        assert_eq!(ask(store), Err("Revoked".to_owned()));
    }
}

#[test]
fn who_has_no_say_revokes_nothing() {
    let (_folder, stores) = stores();
    for store in stores {
        let store = &*store;
        let chain = chain();
        for (by, path) in [
            (3, &chain[..2]),
            (9, &chain[..2]),
            (0, &chain[1..2]),
            (0, &[][..]),
        ] {
            let taken = revocation(&chain[1], by, path);
            let result = keep(store, &packed(&chain, &[&taken]));
            assert_eq!(result.refused.len(), 1, "{by}");
        }
        assert_eq!(ask(store), Ok(()));

        // Who shows a chain of their own making is noted, and has no say in the one that counts.
        let made_up = given(9, 1);
        let path = [made_up.clone(), chain[1].clone()];
        let taken = revocation(&chain[1], 9, &path);
        keep(store, &packed(&path, &[&taken]));
        assert_eq!(
            Tokens::new(store).revokers(chain[1].cid()).unwrap(),
            [did(9)]
        );
        assert_eq!(Tokens::new(store).revoked_by(&chain[1]).unwrap(), []);
        assert_eq!(ask(store), Ok(()));
    }
}

#[test]
fn what_is_signed_by_another_or_asks_for_something_is_not_kept() {
    let (_folder, stores) = stores();
    for store in stores {
        let store = &*store;
        let chain = chain();
        let mut bytes = chain[0].block().bytes().to_vec();
        bytes[10] ^= 1;
        let forged = Block::new(homestar_core::ipld::DAG_CBOR, bytes);
        let command = "/wasm/run".parse().unwrap();
        let payload = invocation::Payload::statement(did(0), command, BTreeMap::new());
        let asks = Invocation::sign(payload, &key(0)).unwrap();
        let container = Container::new([forged, asks.block().clone()]).unwrap();
        let result = keep(store, &container);
        assert_eq!(result.kept, [] as [Cid; 0]);
        assert_eq!(result.invocations, [*asks.cid()]);
        assert_eq!(result.refused.len(), 1);
        assert!(Tokens::new(store).all().unwrap().0.is_empty());
    }
}

#[test]
fn revocations_of_many_at_once_are_all_noted() {
    let (_folder, stores) = stores();
    for store in stores {
        let chain = chain();
        keep(&*store, &packed(&chain, &[]));
        std::thread::scope(|scope| {
            for by in 0..4 {
                let (store, chain) = (&store, &chain);
                scope.spawn(move || {
                    let target = &chain[2];
                    let path = match by {
                        3 => &chain[2..],
                        by => &chain[usize::from(by)..],
                    };
                    keep(&**store, &packed(&[], &[&revocation(target, by, path)]));
                });
            }
        });
        let mut by = Tokens::new(&*store).revokers(chain[2].cid()).unwrap();
        by.sort();
        let mut all: Vec<_> = (0..4).map(did).collect();
        all.sort();
        assert_eq!(by, all);
    }
}

#[test]
fn what_is_damaged_is_told_and_allows_nothing() {
    let (_folder, stores) = stores();
    let store = &*stores[0];
    let chain = chain();
    keep(store, &packed(&chain, &[]));
    let foreign = Block::of_dag_cbor(&"no list").unwrap();
    store.put(std::slice::from_ref(&foreign)).unwrap();
    let name = format!("revoked/{}", chain[0].cid());
    store.set_name(&name, Some(foreign.cid())).unwrap();
    assert!(Tokens::new(store).revokers(chain[0].cid()).is_err());
    assert_eq!(ask(store), Err("RevocationsUnknown".to_owned()));

    store.set_name("token/x", Some(foreign.cid())).unwrap();
    let (all, broken) = Tokens::new(store).all().unwrap();
    assert_eq!((all.len(), broken.len()), (3, 1));
}
