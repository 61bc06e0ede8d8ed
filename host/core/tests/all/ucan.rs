//! Tokens, chains, policies and containers that others made, and what they say of them.

use std::collections::BTreeMap;

use homestar_core::ipld::{Block, Cid, DAG_CBOR, Ipld, parse_cid};
use homestar_core::json;
use homestar_core::ucan::container::Encoding;
use homestar_core::ucan::verify::Error;
use homestar_core::ucan::{
    Authority, Container, Delegation, Known, Policy, Request, Revoked, verify,
};
use serde_json::Value;

use crate::{bytes, list, text};

fn javascript() -> Value {
    serde_json::from_str(include_str!("../vectors/ucan.json")).expect("JSON")
}

fn spec() -> Value {
    serde_json::from_str(include_str!("../vectors/ucan-spec.json")).expect("JSON")
}

fn ipld(value: &Value) -> Ipld {
    json::parse(&value.to_string()).expect("DAG-JSON")
}

fn arguments(value: &Value) -> BTreeMap<String, Ipld> {
    match ipld(value) {
        Ipld::Map(entries) => entries,
        other => panic!("{other:?}"),
    }
}

fn hex(digits: &str) -> Vec<u8> {
    bytes(&serde_json::json!({ "hex": digits }), "hex")
}

/// What we make of a chain of tokens.
fn judged(vector: &Value, now: i64) -> Result<Authority, Error> {
    let proofs = list(vector, "proofs").iter().map(|proof| {
        let block = Block::new(DAG_CBOR, hex(proof.as_str().expect("text")));
        (*block.cid(), block)
    });
    let proofs: BTreeMap<Cid, Block> = proofs.collect();
    let request = Request {
        executor: None,
        now,
        leeway: 60,
        proofs: &proofs,
        revocations: &Revoked::new(),
    };
    let invocation = bytes(vector, "invocation");
    let mut known = Known::default();
    let first = verify(&invocation, &request, &mut known);
    // The second time, what is known isn't checked again, and nothing else differs.
    let second = verify(&invocation, &request, &mut known);
    assert_eq!(first.as_ref().err(), second.as_ref().err());
    first
}

#[test]
fn the_specifications_chains_have_the_errors_it_says() {
    let vectors = spec();
    let chains = list(&vectors, "chains");
    assert_eq!(chains.len(), 20);
    for vector in chains {
        let now = vector["time"].as_i64().expect("seconds");
        let error = judged(vector, now).err();
        let name = error.as_ref().map(Error::name);
        assert_eq!(
            name,
            vector["error"].as_str(),
            "{} {error:?}",
            vector["name"]
        );
    }
}

#[test]
fn the_specifications_delegations_are_read() {
    let vectors = spec();
    for vector in list(&vectors, "delegations") {
        let delegation = Delegation::decode(&bytes(vector, "token")).expect("a delegation");
        assert_eq!(
            delegation.cid(),
            &parse_cid(text(vector, "cid")).expect("a CID")
        );
        let payload = delegation.payload();
        let theirs = &vector["payload"];
        assert_eq!(payload.issuer.to_string(), text(theirs, "iss"));
        assert_eq!(payload.audience.to_string(), text(theirs, "aud"));
        assert_eq!(payload.command.to_string(), text(theirs, "cmd"));
        assert_eq!(payload.expiration, theirs["exp"].as_i64());
    }
}

#[test]
fn the_specifications_policies_hold_or_not() {
    let vectors = spec();
    let policies = list(&vectors, "policies");
    assert!(policies.len() >= 25);
    for vector in policies {
        let policy = Policy::from_ipld(&ipld(&vector["policy"])).expect("a policy");
        let holds = vector["holds"].as_bool().expect("a boolean");
        assert_eq!(policy.holds(&arguments(&vector["args"])), holds, "{vector}");
    }
}

#[test]
fn the_specifications_containers_are_read_in_all_encodings() {
    let vectors = spec();
    let containers = list(&vectors, "containers");
    assert_eq!(containers.len(), Encoding::ALL.len());
    for vector in containers {
        let theirs = bytes(vector, "bytes");
        let container = Container::decode(&theirs).expect("a container");
        // They are of a release candidate with other signature headers, so they are only counted.
        assert_eq!(container.tokens().len(), 10);
        for encoding in Encoding::ALL {
            let ours = container.encode(encoding);
            assert_eq!(Container::decode(&ours), Ok(container.clone()));
        }
    }
}

#[test]
fn chains_of_iso_ucan_are_judged_as_it_does() {
    let vectors = javascript();
    // It takes `/wasm` for a beginning of `/wasmtime`.
    let differs = ["a command that only begins alike"];
    let mut names = Vec::new();
    for vector in list(&vectors, "chains") {
        let ours = judged(vector, 1_800_000_000);
        let theirs = text(vector, "iso_ucan") == "ok";
        let name = text(vector, "name");
        assert_eq!(
            ours.is_ok() == theirs,
            !differs.contains(&name),
            "{name} {ours:?}"
        );
        match ours {
            Ok(authority) => {
                let keys = list(vector, "keys");
                assert_eq!(authority.holder().to_string(), keys[keys.len() - 1]);
                assert_eq!(authority.subject().to_string(), keys[0]);
            }
            Err(error) => names.push((name.to_owned(), error.name())),
        }
    }
    let expected = [
        ("a policy that does not hold", "MatchError"),
        ("a command beside the one given", "CommandNotCovered"),
        ("a command that only begins alike", "CommandNotCovered"),
        ("another subject in between", "InvalidSubject"),
        ("a delegation to somebody else", "InvalidAudience"),
        ("an expired invocation", "Expired"),
    ];
    assert_eq!(
        names,
        expected.map(|(name, error)| (name.to_owned(), error))
    );
}

#[test]
fn policies_hold_as_in_iso_ucan_but_for_the_table_of_divergences() {
    let vectors = javascript();
    let differs = [
        r#".x == null"#,
        r#".x != 1"#,
        r#".x[9]? == null"#,
        r#"any .x (. == 1)"#,
        r#".a["b-c"] == 1"#,
        r#"all .n (any .r (. == 2))"#,
    ];
    let mut found = Vec::new();
    for vector in list(&vectors, "policies") {
        let wire = Ipld::List(vec![ipld(&vector["policy"])]);
        let theirs = vector["iso_ucan"].as_bool().expect("a boolean");
        let Ok(policy) = Policy::from_ipld(&wire) else {
            assert!(!theirs);
            assert_eq!(vector["policy"][1], "[\"a\"]");
            continue;
        };
        if policy.holds(&arguments(&vector["args"])) != theirs {
            found.push(policy.to_string());
        }
    }
    assert_eq!(found, differs);
}

/// What another implementation, in Rust, says of tokens that we made.
mod oracle {
    use super::*;
    use homestar_core::key::SigningKey;
    use homestar_core::ucan::Did;
    use homestar_core::ucan::varsig::Algorithm;
    use homestar_core::ucan::{delegation, invocation};
    use pq_ucan::time::Timestamp;
    use pq_ucan::validate::{MemoryStore, Validator};
    use proptest::prelude::*;

    const NOW: i64 = 1_800_000_000;

    fn key(number: usize) -> SigningKey {
        let algorithm = Algorithm::ALL[number % 3];
        SigningKey::from_secret(algorithm, &[number as u8 + 1; 32]).expect("a key")
    }

    fn did(number: usize) -> Did {
        key(number).did()
    }

    fn theirs(invocation: &[u8], proofs: &BTreeMap<Cid, Block>) -> Result<(), String> {
        let mut store = MemoryStore::new();
        for block in proofs.values() {
            let read = pq_ucan::delegation::Delegation::decode(block.bytes());
            store.insert(read.map_err(|error| error.to_string())?);
        }
        let invocation = pq_ucan::invocation::Invocation::decode(invocation);
        let invocation = invocation.map_err(|error| error.to_string())?;
        let now = Timestamp::from_unix(NOW).expect("a time");
        let judged = Validator::new(&store, now).validate(&invocation);
        judged.map(drop).map_err(|error| error.to_string())
    }

    /// Values in which the table of divergences doesn't come up.
    const POLICIES: [&str; 6] = [
        ".func == \"add\"",
        ".fuel <= 100",
        "all .hosts (. like \"*.example.com\")",
        "any .hosts (. == \"a.example.com\")",
        "not .func like \"sub*\"",
        ".hosts[0] == \"a.example.com\" or .fuel > 5",
    ];

    proptest! {
        #[test]
        fn pq_ucan_says_the_same_of_our_chains(
            hops in 1..4_usize,
            change in 0..8_u8,
            at in 0..3_usize,
            policy in 0..POLICIES.len(),
            func in prop_oneof![Just("add"), Just("subtract")],
            fuel in prop_oneof![Just(5_i128), Just(100), Just(101)],
            hosts in proptest::collection::vec(
                prop_oneof![Just("a.example.com"), Just("b.example.com"), Just("example.org")], 1..3),
        ) {
            let at = at % hops;
            let mut proofs = BTreeMap::new();
            let mut cids = Vec::new();
            for hop in 0..hops {
                let changed = |number| change == number && hop == at;
                let payload = delegation::Payload {
                    issuer: did(hop),
                    audience: if changed(1) { did(7) } else { did(hop + 1) },
                    subject: (!changed(2)).then(|| did(if changed(3) { 8 } else { 0 })),
                    command: if changed(4) { "/https" } else { "/wasm" }.parse().expect("a command"),
                    policy: Policy::parse(POLICIES[(policy + hop) % POLICIES.len()]).expect("a policy"),
                    nonce: vec![hop as u8; 12],
                    meta: None,
                    not_before: changed(5).then_some(NOW + 1000),
                    expiration: Some(if changed(6) { NOW - 1000 } else { NOW + 1000 }),
                };
                let block = Delegation::sign(payload, &key(hop)).expect("signs").into_block();
                cids.push(*block.cid());
                proofs.insert(*block.cid(), block);
            }
            if change == 7 {
                cids.reverse();
            }
            let hosts = hosts.into_iter().map(|host| Ipld::String(host.into())).collect();
            let arguments = BTreeMap::from([
                ("func".to_owned(), Ipld::String(func.into())),
                ("fuel".to_owned(), Ipld::Integer(fuel)),
                ("hosts".to_owned(), Ipld::List(hosts)),
            ]);
            let command = "/wasm/run".parse().expect("a command");
            let payload = invocation::Payload {
                subject: did(0),
                proofs: cids,
                expiration: Some(NOW + 100),
                ..invocation::Payload::statement(did(hops), command, arguments)
            };
            let signed = homestar_core::ucan::Invocation::sign(payload, &key(hops)).expect("signs");
            let bytes = signed.block().bytes();
            let request = Request {
                executor: None,
                now: NOW,
                leeway: 60,
                proofs: &proofs,
                revocations: &Revoked::new(),
            };
            let ours = verify(bytes, &request, &mut Known::default());
            let theirs = theirs(bytes, &proofs);
            prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?} {:?}", ours.err(), theirs);
        }
    }
}
