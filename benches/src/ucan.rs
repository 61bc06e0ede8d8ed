//! What it costs to find out whether somebody may do something.

use std::collections::BTreeMap;
use std::hint::black_box;

use homestar_core::ipld::{Block, Cid, Ipld};
use homestar_core::key::SigningKey;
use homestar_core::ucan::{
    Delegation, Did, Invocation, Known, Policy, Request, Revoked, delegation, invocation, verify,
};
use pq_ucan::time::Timestamp;
use pq_ucan::validate::{MemoryStore, Validator};

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
    Ok(vec![measured.goal("≤ 100 ns")])
}
