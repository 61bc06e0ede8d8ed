//! Values: DAG-CBOR, DAG-JSON and CIDs, both ways.

use crate::{bytes, javascript, list, python, text};
use homestar_core::ipld::{self, Block, DecodeError, Ipld, cid_of_dag_cbor};
use homestar_core::json;
use serde_json::Value;

/// Checks one vector: text to value to bytes to name, and back.
fn check(vector: &Value) {
    let name = text(vector, "name");
    let theirs = bytes(vector, "cbor");
    let value = json::parse(text(vector, "json")).expect(name);

    assert_eq!(ipld::encode(&value).expect(name), theirs, "{name}");
    assert_eq!(ipld::decode::<Ipld>(&theirs).expect(name), value, "{name}");
    assert_eq!(
        json::to_string(&value).expect(name),
        text(vector, "json"),
        "{name}"
    );

    let cid = ipld::parse_cid(text(vector, "cid")).expect(name);
    assert_eq!(cid_of_dag_cbor(&theirs), cid, "{name}");
    assert_eq!(cid.to_string(), text(vector, "cid"), "{name}");
    assert!(Block::verify(cid, theirs).is_ok(), "{name}");
}

#[test]
fn javascript_writes_the_same() {
    let vectors = javascript();
    for vector in list(&vectors, "values")
        .iter()
        .chain(list(&vectors, "outcomes"))
    {
        check(vector);
    }
    check(&vectors["instruction"]);
}

#[test]
fn python_writes_the_same() {
    for vector in list(&python(), "values") {
        check(vector);
    }
}

#[test]
fn what_is_not_strict_is_refused() {
    for vector in list(&javascript(), "refused") {
        let name = text(vector, "name");
        let error = ipld::decode::<Ipld>(&bytes(vector, "cbor")).expect_err(name);
        assert!(
            matches!(error, DecodeError::NotStrict { .. }),
            "{name}: {error}"
        );
    }
}
