//! Prints chains of tokens by keys of all types, for others to judge: see `tests/vectors/check-ucan.mjs`.

use std::collections::BTreeMap;

use homestar_core::ipld::Ipld;
use homestar_core::json;
use homestar_core::key::SigningKey;
use homestar_core::ucan::varsig::Algorithm;
use homestar_core::ucan::{Delegation, Invocation, Policy, delegation, invocation};

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    let mut chains = Vec::new();
    for one in Algorithm::ALL {
        for other in Algorithm::ALL {
            for holds in [true, false] {
                chains.push(chain(&[one, other, one, other], holds)?);
            }
        }
    }
    println!("{}", json::to_string(&Ipld::List(chains))?);
    Ok(())
}

/// A chain through keys of these types, whose policies hold or not.
fn chain(algorithms: &[Algorithm], holds: bool) -> Result<Ipld, Error> {
    let keys = (1_u8..).zip(algorithms).map(|(number, algorithm)| {
        SigningKey::from_secret(*algorithm, &[number; 32]).ok_or("not a key")
    });
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let subject = keys[0].did();
    let mut proofs = Vec::new();
    let mut cids = Vec::new();
    for pair in keys.windows(2) {
        let payload = delegation::Payload {
            issuer: pair[0].did(),
            audience: pair[1].did(),
            subject: Some(subject),
            command: "/wasm".parse()?,
            policy: Policy::parse(".func == \"add\" and .fuel <= 100")?,
            nonce: vec![7; 12],
            meta: None,
            not_before: Some(1_000_000_000),
            expiration: Some(4_102_444_800),
        };
        let block = Delegation::sign(payload, &pair[0])?.into_block();
        cids.push(*block.cid());
        proofs.push(Ipld::Bytes(block.bytes().to_vec()));
    }
    let last = &keys[keys.len() - 1];
    let arguments = BTreeMap::from([
        ("func".to_owned(), Ipld::String("add".into())),
        (
            "fuel".to_owned(),
            Ipld::Integer(if holds { 100 } else { 101 }),
        ),
    ]);
    let payload = invocation::Payload {
        subject,
        proofs: cids,
        expiration: Some(4_102_444_800),
        ..invocation::Payload::statement(last.did(), "/wasm/run".parse()?, arguments)
    };
    let block = Invocation::sign(payload, last)?.into_block();
    let types: Vec<_> = algorithms.iter().map(Algorithm::to_string).collect();
    Ok(Ipld::Map(BTreeMap::from([
        ("name".to_owned(), Ipld::String(types.join(", "))),
        ("holds".to_owned(), Ipld::Bool(holds)),
        ("proofs".to_owned(), Ipld::List(proofs)),
        ("invocation".to_owned(), Ipld::Bytes(block.bytes().to_vec())),
    ])))
}
