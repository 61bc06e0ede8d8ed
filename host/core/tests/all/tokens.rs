//! What is named or signed: instructions, outcomes, keys, invocations and receipts.

use crate::{bytes, javascript, list, python, text};
use homestar_core::ipld::{self, Ipld, Link, parse_cid};
use homestar_core::json;
use homestar_core::key::SigningKey;
use homestar_core::outcome::{Failure, Kind, Outcome};
use homestar_core::receipt::{Body, Meta, Receipt, ReceiptError};
use homestar_core::task::{Input, Instruction, Nonce};
use homestar_core::ucan::envelope::Version;
use homestar_core::ucan::invocation::Payload;
use homestar_core::ucan::{Did, Invocation};
use serde_json::Value;
use std::collections::BTreeMap;

const HELLO: &[u8] = b"hello";

/// The key that signed the vectors.
fn key(vectors: &Value) -> SigningKey {
    let seed = bytes(&vectors["key"], "seed").try_into().expect("32 bytes");
    SigningKey::from_seed(&seed)
}

fn invocation<'a>(vectors: &'a Value, name: &str) -> &'a Value {
    let named = |vector: &&Value| text(vector, "name") == name;
    list(vectors, "invocations").iter().find(named).expect(name)
}

fn instruction() -> Instruction {
    let hello = ipld::cid_of_raw(HELLO);
    let args = vec![
        Ipld::Integer(1),
        Ipld::Float(-2.5),
        Ipld::Bytes(vec![1, 2]),
        Ipld::Map([("await/ok".to_owned(), Ipld::Link(hello))].into()),
    ];
    let input = Input::new("acme:math/ops.add", args);
    Instruction::new(hello, input, Nonce::EMPTY).expect("an instruction")
}

fn outcome() -> Outcome {
    let items = [
        Ipld::Integer(1),
        Ipld::String("two".into()),
        Ipld::Bytes(vec![3]),
    ];
    Outcome::Ok(Ipld::List(items.into()))
}

fn body() -> Body {
    let hello = ipld::cid_of_raw(HELLO);
    Body {
        ran: instruction().link(),
        outcome: outcome(),
        run: vec![Link::new(hello)],
        meta: Meta {
            component: hello,
            func: "acme:math/ops.add".into(),
            effects: vec![hello],
            trace: Some(*instruction().link().cid()),
            invocation: None,
            fuel: u64::MAX,
            memory_peak: 65_536,
            engine: "vectors 1.0.0".into(),
        },
    }
}

#[test]
fn a_key_has_the_same_name() {
    let vectors = javascript();
    assert_eq!(
        key(&vectors).did().to_string(),
        text(&vectors["key"], "did")
    );
    let other: Did = text(&vectors["key"], "other").parse().expect("a DID");
    assert_eq!(other, SigningKey::from_seed(&[9; 32]).did());
}

#[test]
fn an_instruction_has_the_same_name() {
    let vectors = javascript();
    let vector = &vectors["instruction"];
    let instruction = instruction();
    assert_eq!(instruction.block().bytes(), bytes(vector, "cbor"));
    assert_eq!(instruction.link().to_string(), text(vector, "cid"));
    assert_eq!(Instruction::decode(&bytes(vector, "cbor")), Ok(instruction));
}

#[test]
fn an_instruction_with_standard_input_and_nonce_is_read() {
    let vectors = python();
    let named = |vector: &&Value| text(vector, "name") == "an instruction";
    let vector = list(&vectors, "values")
        .iter()
        .find(named)
        .expect("there is one");
    let instruction = Instruction::decode(&bytes(vector, "cbor")).expect("an instruction");
    assert_eq!(instruction.input().stdin, Some(vec![]));
    assert_eq!(
        instruction.nonce(),
        &Nonce::bytes(&[7; 12]).expect("12 bytes")
    );
    assert_eq!(instruction.link().to_string(), text(vector, "cid"));
}

#[test]
fn outcomes_are_the_same() {
    let code = json::parse(r#"{"code": 404}"#).expect("DAG-JSON");
    let ours = [
        outcome(),
        Outcome::Error(Failure::new(Kind::Guest, "no such city").with_value(code)),
        Outcome::error(Kind::Trap, "unreachable"),
    ];
    for (vector, ours) in list(&javascript(), "outcomes").iter().zip(ours) {
        assert_eq!(ipld::encode(&ours).expect("encodes"), bytes(vector, "cbor"));
        assert_eq!(ipld::decode(&bytes(vector, "cbor")), Ok(ours));
    }
}

#[test]
fn a_receipt_is_the_same_to_the_last_byte() {
    let vectors = javascript();
    let vector = invocation(&vectors, "a receipt");
    let receipt = Receipt::sign(body(), &key(&vectors)).expect("signs");
    assert_eq!(receipt.block().bytes(), bytes(vector, "cbor"));
    assert_eq!(receipt.link().to_string(), text(vector, "cid"));
    assert_eq!(Receipt::decode(&bytes(vector, "cbor")), Ok(receipt));
}

#[test]
fn a_receipt_of_the_release_candidate_is_read() {
    let vectors = javascript();
    let vector = invocation(&vectors, "a receipt of the release candidate");
    let receipt = Receipt::decode(&bytes(vector, "cbor")).expect("a receipt");
    assert_eq!(receipt.body(), &body());
    assert_eq!(receipt.link().to_string(), text(vector, "cid"));
}

#[test]
fn a_request_is_the_same_to_the_last_byte() {
    let vectors = javascript();
    let vector = invocation(&vectors, "a request");
    let key = key(&vectors);
    let payload = Payload {
        issuer: key.did(),
        audience: Some(SigningKey::from_seed(&[9; 32]).did()),
        subject: key.did(),
        command: "/wasm/run".parse().expect("a command"),
        arguments: BTreeMap::from([("func".to_owned(), Ipld::String("add".into()))]),
        proofs: vec![],
        nonce: vec![5; 12],
        meta: Some(BTreeMap::new()),
        not_before: None,
        expiration: Some(4_102_444_800),
        issued_at: Some(1_700_000_000),
        cause: Some(*instruction().link().cid()),
    };
    let request = Invocation::sign(payload, &key).expect("signs");
    assert_eq!(request.block().bytes(), bytes(vector, "cbor"));
    assert_eq!(
        request.cid(),
        &parse_cid(text(vector, "cid")).expect("a CID")
    );
    assert_eq!(
        Invocation::decode(&bytes(vector, "cbor")).as_ref(),
        Ok(&request)
    );

    let vector = invocation(&vectors, "a request of the release candidate");
    let candidate = Invocation::decode(&bytes(vector, "cbor")).expect("an invocation");
    assert_eq!(candidate.version(), Version::Rc1);
    assert_eq!(candidate.payload(), request.payload());
}

#[test]
fn a_request_is_no_receipt() {
    let vectors = javascript();
    let vector = invocation(&vectors, "a request");
    let refused = Receipt::decode(&bytes(vector, "cbor"));
    assert!(matches!(refused, Err(ReceiptError::Command(_))));
}
