//! What the tests of several files share.

use crate::ipld::{Block, Ipld, cid_of_dag_cbor, cid_of_raw};
use crate::key::SigningKey;
use crate::ucan::verify::{Authority, Request, hold};
use crate::ucan::{Delegation, Known, Policy, Revoked, delegation};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// The time at which chains of [`proven`] hold, in seconds since 1970.
pub(crate) const NOW: i64 = 1_800_000_000;

/// A proven chain of one delegation of a command, under conditions and until a time.
pub(crate) fn proven(command: &str, policy: &str, expiration: Option<i64>) -> Authority {
    let (owner, holder) = (
        SigningKey::from_seed(&[1; 32]),
        SigningKey::from_seed(&[2; 32]),
    );
    let payload = delegation::Payload {
        issuer: owner.did(),
        audience: holder.did(),
        subject: Some(owner.did()),
        command: command.parse().expect("a command"),
        policy: Policy::parse(policy).expect("a policy"),
        nonce: vec![1],
        meta: None,
        not_before: None,
        expiration,
    };
    let delegation = Delegation::sign(payload, &owner).expect("signs");
    let cid = *delegation.cid();
    let proofs: BTreeMap<_, Block> = [(cid, delegation.into_block())].into();
    let request = Request {
        executor: None,
        now: NOW,
        leeway: 60,
        proofs: &proofs,
        revocations: &Revoked::new(),
    };
    let (owner, holder) = (owner.did(), holder.did());
    hold(&[cid], &owner, &holder, &request, &mut Known::default()).expect("holds")
}

/// Any value of the data model that DAG-CBOR holds, a few levels deep.
pub(crate) fn any_ipld() -> impl Strategy<Value = Ipld> {
    any_leaf().prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Ipld::List),
            prop::collection::btree_map(any_text(), inner, 0..6).prop_map(Ipld::Map),
        ]
    })
}

fn any_leaf() -> impl Strategy<Value = Ipld> {
    prop_oneof![
        Just(Ipld::Null),
        any::<bool>().prop_map(Ipld::Bool),
        (-(1i128 << 64)..(1i128 << 64)).prop_map(Ipld::Integer),
        any::<i16>().prop_map(|integer| Ipld::Integer(integer.into())),
        any_float().prop_map(Ipld::Float),
        any_text().prop_map(Ipld::String),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Ipld::Bytes),
        any::<u8>().prop_map(|seed| Ipld::Link(cid_of_raw(&[seed]))),
        any::<u8>().prop_map(|seed| Ipld::Link(cid_of_dag_cbor(&[seed]))),
    ]
}

/// A finite float; zero has no sign.
fn any_float() -> impl Strategy<Value = f64> {
    let any_bits = any::<u64>().prop_map(f64::from_bits);
    any_bits.prop_map(|float| {
        if float.is_finite() && float != 0.0 {
            float
        } else {
            0.0
        }
    })
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-z/\"\\\\]{0,8}"]
}

/// The bytes written in hex.
pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "{hex}");
    let digits = (0..hex.len()).step_by(2);
    digits
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
        .collect()
}
