//! What iso-ucan, in JavaScript, says of tokens that we sign, and what we say of its.
//!
//! It runs on Node, from a folder in which somebody has installed `tests/iso-ucan/package.json`; the environment variable
//! `HOMESTAR_ISO_UCAN` names it. Without, the test is skipped, but in CI (`CI` or `HOMESTAR_CI` is set) it fails.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use homestar_core::ipld::{Block, DAG_CBOR, Ipld};
use homestar_core::json;
use homestar_core::key::SigningKey;
use homestar_core::task::RunRequest;
use homestar_core::ucan::varsig::Algorithm;
use homestar_core::ucan::{
    Container, Delegation, Invocation, Known, Policy, Request, Revoked, delegation, invocation,
    verify,
};

/// A chain through keys of these types, whose policies hold or not.
fn chain(algorithms: &[Algorithm], holds: bool) -> Ipld {
    let keys: Vec<SigningKey> = (1_u8..)
        .zip(algorithms)
        .map(|(number, of)| SigningKey::from_secret(*of, &[number; 32]).expect("a key"))
        .collect();
    let subject = keys[0].did();
    let mut proofs = Vec::new();
    let mut cids = Vec::new();
    for pair in keys.windows(2) {
        let payload = delegation::Payload {
            issuer: pair[0].did(),
            audience: pair[1].did(),
            subject: Some(subject),
            command: "/wasm".parse().expect("a command"),
            policy: Policy::parse(".func == \"add\" and .fuel <= 100").expect("a policy"),
            nonce: vec![7; 12],
            meta: None,
            not_before: Some(1_000_000_000),
            expiration: Some(4_102_444_800),
        };
        let signed = Delegation::sign(payload, &pair[0]).expect("signs");
        cids.push(*signed.cid());
        proofs.push(Ipld::Bytes(signed.block().bytes().to_vec()));
    }
    let last = &keys[keys.len() - 1];
    let arguments = BTreeMap::from([
        ("func".to_owned(), Ipld::String("add".into())),
        (
            "fuel".to_owned(),
            Ipld::Integer(if holds { 100 } else { 101 }),
        ),
    ]);
    let command = "/wasm/run".parse().expect("a command");
    let payload = invocation::Payload {
        subject,
        proofs: cids,
        expiration: Some(4_102_444_800),
        ..invocation::Payload::statement(last.did(), command, arguments)
    };
    let signed = Invocation::sign(payload, last).expect("signs");
    let bytes = signed.block().bytes().to_vec();
    Ipld::Map(BTreeMap::from([
        ("proofs".to_owned(), Ipld::List(proofs)),
        ("invocation".to_owned(), Ipld::Bytes(bytes)),
    ]))
}

/// Where iso-ucan is installed.
fn folder() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("HOMESTAR_ISO_UCAN") {
        return Some(folder.into());
    }
    let why =
        "HOMESTAR_ISO_UCAN should name a folder in which tests/iso-ucan/package.json is installed";
    let mut names = ["CI", "HOMESTAR_CI"].iter();
    assert!(!names.any(|name| std::env::var_os(name).is_some()), "{why}");
    eprintln!("skipped: {why}");
    None
}

/// Runs a script, which finds its modules beside it.
fn node(folder: &Path, name: &str, script: &str, stdin: Stdio) -> Output {
    fs::write(folder.join(name), script).expect("a file");
    let mut node = Command::new("node");
    node.arg(name).current_dir(folder).stdin(stdin);
    node.output().expect("node")
}

#[test]
fn we_judge_chains_of_iso_ucan_as_it_means_them() {
    let Some(folder) = folder() else {
        return;
    };
    let script = include_str!("../iso-ucan/mint.mjs");
    let output = node(&folder, "mint.mjs", script, Stdio::null());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).expect("text");
    let Ok(Ipld::List(chains)) = json::parse(&text) else {
        panic!("no list: {text}");
    };
    // Both versions, and two of three types of keys.
    assert_eq!(chains.len(), 2 * 9 * 2);
    for chain in chains {
        let Ipld::Map(chain) = chain else {
            panic!("no map: {chain:?}");
        };
        let (Ipld::List(proofs), Ipld::Bytes(invocation)) =
            (&chain["proofs"], &chain["invocation"])
        else {
            panic!("not a chain: {chain:?}");
        };
        let block = |token: &Ipld| match token {
            Ipld::Bytes(bytes) => Block::new(DAG_CBOR, bytes.clone()),
            other => panic!("no bytes: {other:?}"),
        };
        let container = Container::new(proofs.iter().map(block)).expect("a container");
        let read = Invocation::decode(invocation).expect("an invocation");
        let payload = read.payload();
        assert!(RunRequest::from_arguments(payload.arguments.clone()).is_ok());
        let request = Request {
            executor: Some(&payload.subject),
            // It mints what ends in an hour.
            now: payload.expiration.expect("an end") - 3600,
            leeway: verify::LEEWAY,
            proofs: &container,
            revocations: &Revoked::new(),
        };
        let verdict = verify(invocation, &request, &mut Known::default());
        match chain["holds"] {
            Ipld::Bool(true) => assert_eq!(verdict.expect("holds").chain().len(), 2),
            _ => assert_eq!(verdict.expect_err("too much").name(), "MatchError"),
        }
    }
}

#[test]
fn iso_ucan_judges_our_chains_as_we_do() {
    let Some(folder) = folder() else {
        return;
    };
    let mut chains = Vec::new();
    for one in Algorithm::ALL {
        for other in Algorithm::ALL {
            chains.extend([true, false].map(|holds| chain(&[one, other, one, other], holds)));
        }
    }
    let count = chains.len();
    let text = json::to_string(&Ipld::List(chains)).expect("DAG-JSON");
    fs::write(folder.join("chains.json"), text).expect("a file");
    let chains = File::open(folder.join("chains.json")).expect("a file");
    let output = node(
        &folder,
        "judge.mjs",
        include_str!("../iso-ucan/judge.mjs"),
        chains.into(),
    );
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    assert_eq!(said.lines().count(), count, "{said}");
    for pair in said.lines().collect::<Vec<_>>().chunks(2) {
        assert_eq!(pair[0], "ok");
        assert!(
            pair[1].starts_with("UCAN Invocation invalid arguments"),
            "{}",
            pair[1]
        );
    }
}
