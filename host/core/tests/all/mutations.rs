//! Tokens and containers with a few bytes changed: nothing panics, and nothing that was changed counts.

use std::collections::BTreeMap;

use homestar_core::ipld::{Block, DAG_CBOR, Ipld};
use homestar_core::key::{KeyFile, SigningKey};
use homestar_core::ucan::container::Encoding;
use homestar_core::ucan::varsig::Algorithm;
use homestar_core::ucan::{
    Container, Delegation, Invocation, Known, Policy, Request, Revoked, delegation, invocation,
    verify,
};
use proptest::prelude::*;
use proptest::sample::Index;

const NOW: i64 = 1_800_000_000;

fn key(algorithm: Algorithm, number: u8) -> SigningKey {
    SigningKey::from_secret(algorithm, &[number; 32]).expect("a key")
}

/// Leave, and what uses it.
fn tokens(algorithm: Algorithm) -> (Delegation, Invocation) {
    let (owner, other) = (key(algorithm, 1), key(algorithm, 2));
    let payload = delegation::Payload {
        issuer: owner.did(),
        audience: other.did(),
        subject: Some(owner.did()),
        command: "/https".parse().expect("a command"),
        policy: Policy::parse(r#".host like "*.example.com" and not .n > 2"#).expect("a policy"),
        nonce: vec![7; 12],
        meta: None,
        not_before: Some(NOW - 10),
        expiration: Some(NOW + 1_000),
    };
    let given = Delegation::sign(payload, &owner).expect("signs");
    let arguments = BTreeMap::from([
        (
            "host".to_owned(),
            Ipld::String("api.example.com".to_owned()),
        ),
        ("n".to_owned(), Ipld::Integer(1)),
    ]);
    let payload = invocation::Payload {
        subject: owner.did(),
        proofs: vec![*given.cid()],
        ..invocation::Payload::statement(
            other.did(),
            "/https/get".parse().expect("a command"),
            arguments,
        )
    };
    let used = Invocation::sign(payload, &other).expect("signs");
    (given, used)
}

/// One change of some bytes.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Flip(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Cut(Index),
    Double(Index, Index),
}

impl Change {
    fn on(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let len = bytes.len();
        match self {
            Self::Set(at, byte) => bytes[at.index(len)] = *byte,
            Self::Flip(at, bit) => bytes[at.index(len)] ^= 1 << (bit % 8),
            Self::Insert(at, byte) => bytes.insert(at.index(len), *byte),
            Self::Remove(at) => drop(bytes.remove(at.index(len))),
            Self::Cut(at) => bytes.truncate(at.index(len)),
            Self::Double(from, to) => {
                let (one, other) = (from.index(len), to.index(len));
                let part = bytes[one.min(other)..one.max(other)].to_vec();
                bytes.extend(part);
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (at(), any::<u8>()).prop_map(|(at, bit)| Change::Flip(at, bit)),
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        at().prop_map(Change::Remove),
        at().prop_map(Change::Cut),
        (at(), at()).prop_map(|(from, to)| Change::Double(from, to)),
    ]
}

fn changed(bytes: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for change in changes {
        change.on(&mut bytes);
    }
    bytes
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    proptest::collection::vec(change(), 1..4)
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    proptest::sample::select(&Algorithm::ALL[..])
}

proptest! {
    #[test]
    fn a_changed_token_is_none(algorithm in algorithm(), changes in changes()) {
        let (given, used) = tokens(algorithm);
        let bytes = changed(given.block().bytes(), &changes);
        if let Ok(read) = Delegation::decode(&bytes) {
            prop_assert_eq!(read, given.clone());
        }
        let bytes = changed(used.block().bytes(), &changes);
        let read = Invocation::decode(&bytes);
        if let Ok(read) = &read {
            prop_assert_eq!(read, &used);
        }
        let proofs = BTreeMap::from([(*given.cid(), given.block().clone())]);
        let request = Request {
            executor: None,
            now: NOW,
            leeway: 0,
            proofs: &proofs,
            revocations: &Revoked::new(),
        };
        let verified = verify(&bytes, &request, &mut Known::default());
        prop_assert_eq!(verified.is_ok(), read.is_ok());
    }

    #[test]
    fn a_changed_proof_proves_nothing(algorithm in algorithm(), changes in changes()) {
        let (given, used) = tokens(algorithm);
        let bytes = changed(given.block().bytes(), &changes);
        let is_same = bytes == given.block().bytes();
        // Whoever hands it out says that it is what was asked for.
        let proofs = BTreeMap::from([(*given.cid(), Block::new(DAG_CBOR, bytes))]);
        let request = Request {
            executor: None,
            now: NOW,
            leeway: 0,
            proofs: &proofs,
            revocations: &Revoked::new(),
        };
        let bytes = used.block().bytes();
        let verified = verify(bytes, &request, &mut Known::default());
        prop_assert_eq!(verified.is_ok(), is_same);
    }

    #[test]
    fn a_changed_container_holds_what_it_holds(at in 0..6_usize, changes in changes()) {
        let (given, used) = tokens(Algorithm::Ed25519);
        let container = Container::new([given.into_block(), used.into_block()]);
        let container = container.expect("a container");
        let bytes = changed(&container.encode(Encoding::ALL[at]), &changes);
        if let Ok(read) = Container::decode(&bytes) {
            for encoding in Encoding::ALL {
                let again = Container::decode(&read.encode(encoding));
                prop_assert_eq!(again.as_ref(), Ok(&read));
            }
            let contents = read.contents();
            let all = contents.delegations.len() + contents.invocations.len();
            prop_assert_eq!(all + contents.broken.len(), read.tokens().len());
        }
    }

    #[test]
    fn a_changed_key_file_is_another_key_or_none(algorithm in algorithm(), changes in changes()) {
        let own = key(algorithm, 1);
        let bytes = changed(own.to_pem().as_bytes(), &changes);
        let Ok(text) = String::from_utf8(bytes) else { return Ok(()) };
        if let Ok(KeyFile::Plain(read)) = KeyFile::parse(&text) {
            let signature = read.sign(b"message");
            prop_assert!(read.did().has_signed(b"message", &signature));
        }
    }
}
