//! What it costs to find out whether somebody may do something.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use homestar_core::grant::{Asking, Grant, Grants, Permit};
use homestar_core::ipld::{Block, Cid, Ipld};
use homestar_core::key::SigningKey;
use homestar_core::ucan::verify::hold;
use homestar_core::ucan::{
    Delegation, Did, Invocation, Known, Leave, Policy, Request, Revoked, delegation, invocation,
    verify,
};
use pq_ucan::time::Timestamp;
use pq_ucan::validate::{MemoryStore, Validator};
use url::Url;

use crate::Error;
use crate::measure::{Effort, Measurement, Repeated, repeated};

const NOW: i64 = 1_800_000_000;

/// Delegations from one key to the next, and an invocation by the last.
struct Tokens {
    keys: Vec<SigningKey>,
    proofs: BTreeMap<Cid, Block>,
    invocation: Invocation,
}

impl Tokens {
    fn new(hops: u8) -> Result<Self, Error> {
        let keys: Vec<_> = (0..=hops)
            .map(|n| SigningKey::from_seed(&[n + 1; 32]))
            .collect();
        let subject = keys[0].did();
        let policy = Policy::parse(".func == \"add\"")?;
        let mut proofs = BTreeMap::new();
        let mut cids = Vec::new();
        for pair in keys.windows(2) {
            let payload = delegation::Payload {
                issuer: pair[0].did(),
                audience: pair[1].did(),
                subject: Some(subject),
                command: "/wasm".parse()?,
                policy: policy.clone(),
                nonce: vec![1; 12],
                meta: None,
                not_before: None,
                expiration: Some(NOW + 1000),
            };
            let block = Delegation::sign(payload, &pair[0])?.into_block();
            cids.push(*block.cid());
            proofs.insert(*block.cid(), block);
        }
        let last = &keys[usize::from(hops)];
        let arguments = BTreeMap::from([
            ("component".to_owned(), Ipld::Link(cids[0])),
            ("func".to_owned(), Ipld::String("add".into())),
        ]);
        let payload = invocation::Payload {
            subject,
            proofs: cids,
            expiration: Some(NOW + 100),
            ..invocation::Payload::statement(last.did(), "/wasm/run".parse()?, arguments)
        };
        let invocation = Invocation::sign(payload, last)?;
        Ok(Self {
            keys,
            proofs,
            invocation,
        })
    }

    fn verify(&self, known: &mut Known) -> Result<(), Error> {
        let executor = self.keys[0].did();
        let request = Request {
            executor: Some(&executor),
            now: NOW,
            leeway: 60,
            proofs: &self.proofs,
            revocations: &Revoked::new(),
        };
        let bytes = self.invocation.block().bytes();
        black_box(verify(black_box(bytes), &request, known)?);
        Ok(())
    }
}

/// Signatures to be checked, each with its key as bytes.
fn signatures(tokens: &Tokens) -> Vec<([u8; 32], [u8; 64])> {
    let signed = tokens.keys.iter().map(|key| {
        let bytes = key
            .did()
            .as_bytes()
            .try_into()
            .expect("Ed25519 keys have 32 bytes");
        (bytes, key.sign(&[42; 300]))
    });
    signed.collect()
}

/// The same tokens, for pq-ucan, which is given them decoded; its own decoding is measured with the rest.
fn theirs(tokens: &Tokens) -> Result<(), Error> {
    let mut store = MemoryStore::new();
    for block in tokens.proofs.values() {
        store.insert(pq_ucan::delegation::Delegation::decode(black_box(
            block.bytes(),
        ))?);
    }
    let bytes = tokens.invocation.block().bytes();
    let invocation = pq_ucan::invocation::Invocation::decode(black_box(bytes))?;
    let now = Timestamp::from_unix(NOW)?;
    black_box(Validator::new(&store, now).validate(&invocation)?);
    Ok(())
}

pub(crate) fn chains(effort: Effort) -> Result<Vec<Measurement>, Error> {
    let mut measured = Vec::new();
    for hops in [1, 3, 8] {
        let tokens = Tokens::new(hops)?;
        let signatures = signatures(&tokens);
        let mut warm = Known::default();
        tokens.verify(&mut warm)?;
        let sides = vec![
            Repeated::new("verify, nothing known", || {
                tokens.verify(&mut Known::default())
            }),
            Repeated::new("its signature checks alone", || {
                for (key, signature) in &signatures {
                    let did = Did::from_ed25519(black_box(key))?;
                    assert!(did.has_signed(&[42; 300], signature));
                }
                Ok(())
            }),
            Repeated::new("verify, all tokens known", || tokens.verify(&mut warm)),
            Repeated::new("pq-ucan", || theirs(&tokens)),
        ];
        let name = format!("ucan: a chain of {hops}");
        measured
            .push(repeated(&name, effort, sides)?.goal("≤ 110% of the checks; ≤ 10 µs if known"));
    }
    Ok(measured)
}

pub(crate) fn policy(effort: Effort) -> Result<Vec<Measurement>, Error> {
    let arguments = &BTreeMap::from([
        ("host".to_owned(), Ipld::String("api.example.com".into())),
        ("method".to_owned(), Ipld::String("GET".into())),
        ("path".to_owned(), Ipld::String("/v1/users/7".into())),
        ("port".to_owned(), Ipld::Integer(443)),
    ]);
    let policies = [
        r#".host == "api.example.com""#,
        r#".path like "/v1/*""#,
        ".port <= 443",
        r#".host like "*.example.com" and (.method == "GET" or .method == "HEAD") and .port == 443"#,
    ];
    let parsed: Vec<Policy> = policies
        .iter()
        .map(|text| Policy::parse(text))
        .collect::<Result<_, _>>()?;
    let sides = policies.iter().zip(&parsed).map(|(text, policy)| {
        Repeated::new(text, move || {
            assert!(black_box(policy).holds(black_box(arguments)));
            Ok(())
        })
    });
    let measured = repeated("ucan: a policy", effort, sides.collect())?;
    Ok(vec![measured.goal("≤ 100 ns"), call(effort)?])
}

/// Whether one call of a driver is let through, by grants alone and by a delegation too.
fn call(effort: Effort) -> Result<Measurement, Error> {
    let (owner, holder) = (
        SigningKey::from_seed(&[1; 32]),
        SigningKey::from_seed(&[2; 32]),
    );
    let payload = delegation::Payload {
        issuer: owner.did(),
        audience: holder.did(),
        subject: Some(owner.did()),
        command: "/https/get".parse()?,
        policy: Policy::parse(r#".host == "api.example.com""#)?,
        nonce: vec![1],
        meta: None,
        not_before: None,
        expiration: None,
    };
    let delegation = Delegation::sign(payload, &owner)?;
    let cid = *delegation.cid();
    let proofs = BTreeMap::from([(cid, delegation.into_block())]);
    let request = Request {
        executor: None,
        now: NOW,
        leeway: 60,
        proofs: &proofs,
        revocations: &Revoked::new(),
    };
    let (owner, holder) = (owner.did(), holder.did());
    let chain = hold(&[cid], &owner, &holder, &request, &mut Known::default())?;
    let grants = Grants::new(vec![Grant::parse("https=api.example.com")?]);
    let asking = Asking {
        component: cid,
        calls: 1,
        bytes: 0,
        now: NOW,
    };
    let leave = Arc::new(Leave::new(vec![chain], 60));
    let url: &Url = &"https://api.example.com/v1/users/7".parse()?;
    let side = |name, permit: Permit| {
        Repeated::new(name, move || {
            Ok(black_box(&permit).https("GET", black_box(url))?)
        })
    };
    let sides = vec![
        side(
            "grants and a delegation",
            Permit::with_leave(grants.clone(), leave, asking),
        ),
        side("grants alone", grants.into()),
    ];
    repeated("ucan: a call of a driver", effort, sides)
}
