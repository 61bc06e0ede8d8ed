//! What the tests of several files share.

use crate::ipld::{Ipld, cid_of_dag_cbor, cid_of_raw};
use proptest::prelude::*;

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
