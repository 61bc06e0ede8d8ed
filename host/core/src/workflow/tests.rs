use proptest::prelude::*;

use super::*;
use crate::json;
use crate::testing::any_ipld;

fn parse(text: &str) -> Result<Workflow, Vec<Problem>> {
    Workflow::parse(text, Format::Json)
}

/// An argument with plain values and awaits in it, as text.
fn any_arg() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any_ipld().prop_filter_map("prints", |value| json::to_string(&value).ok()),
        "[a-c]".prop_map(|label| format!(r#"{{"await/ok": "{label}"}}"#)),
        "[a-c]".prop_map(|label| format!(r#"{{"await/*": "{label}"}}"#)),
        "[a-z.]{1,8}".prop_map(|name| format!(r#"{{"@": "{name}"}}"#)),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            inner.prop_map(|value| format!(r#"{{"key": {value}, "other": 1}}"#)),
        ]
    })
}

fn any_field() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        r#""retry": 3"#,
        r#""retry": {"times": 5, "backoff": "1.5s"}"#,
        r#""secret": false"#,
        r#""reuse": "2h""#,
        r#""place": "any""#,
        r#""place": "/ip4/192.0.2.1/tcp/4808/p2p/12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5""#,
        r#""nonce": "x""#,
        r#""stdin": "text""#,
        r#""limits": {"time": "0.0004s", "memory": "1GiB"}"#,
        r#""catch": {"ok": {"a": [1]}}"#,
        r#""catch": {"call": "f", "rewire": ["a", "b"]}"#,
        r#""grant": ["random"]"#,
        r#""for-each": [1, 2]"#,
        r#""component": "a.wasm""#,
    ])
    .prop_map(str::to_owned)
}

proptest! {
    #[test]
    fn the_block_reads_as_it_was_written(
        args in prop::collection::vec(any_arg(), 0..4),
        field in any_field(),
    ) {
        let text = format!(r#"{{"name": "n", "tasks": {{"t": {{"call": "f", "args": [{}], {field}}}}}}}"#, args.join(", "));
        // Some data has no encoding, or means something where it happens to stand.
        if let Ok(workflow) = parse(&text) {
            let again = Workflow::decode(workflow.block().bytes()).expect("its own block");
            prop_assert_eq!(again.block(), workflow.block());
            prop_assert_eq!(again.tasks()[0].args.len(), args.len());
        }
    }

    #[test]
    fn no_block_panics(value in any_ipld()) {
        if let Ok(bytes) = ipld::encode(&value) {
            let _ = Workflow::decode(&bytes);
        }
        if let Ok(text) = json::to_string(&value) {
            let _ = parse(&format!(r#"{{"tasks": {{"a": {text}}}}}"#));
            let _ = parse(&format!(r#"{{"tasks": [{text}]}}"#));
            let _ = parse(&format!(r#"{{"tasks": {{"a": {{"call": "f", "args": {text}, "catch": {text}}}}}}}"#));
        }
    }
}

#[test]
fn times_are_whole_milliseconds() {
    let workflow = parse(r#"{"tasks": {"t": {"call": "f", "reuse": "0.0004s"}}}"#).expect("fine");
    let written = json::to_string(&ipld::decode(workflow.block().bytes()).expect("DAG-CBOR"));
    assert_eq!(
        written.as_deref(),
        Ok(r#"{"tasks":{"t":{"call":"f","reuse":"1ms"}}}"#)
    );
}

#[test]
fn names_are_told_with_where_they_stand() {
    let workflow = Workflow::parse(
        "defaults: {component: a.wasm}\n\
         tasks:\n  t: {call: f, for-each: {\"@\": photos}, args: [{\"@\": x.png}, {\"@\": x.png}]}\n  \
         u: {component: bafkreibddp4j24tie2eryflyvd76a2wytdtq5swuvwyhm2gc3g7mu42lbq, call: g, args: [{\"@\": https://a.example/b}]}\n",
        Format::Yaml,
    )
    .expect("fine");
    let names = workflow.names();
    let names: Vec<_> = names
        .iter()
        .map(|(name, of)| (*name, of.of, of.place.line))
        .collect();
    assert_eq!(
        names,
        [
            ("a.wasm", Named::Component, 1),
            ("https://a.example/b", Named::Data, 4),
            ("photos", Named::Folder, 3),
            ("x.png", Named::Data, 3),
        ]
    );
}

#[test]
fn too_many_problems_are_cut() {
    let tasks: Vec<String> = (0..5_000).map(|n| format!(r#""t{n}": {{}}"#)).collect();
    let problems =
        parse(&format!(r#"{{"tasks": {{{}}}}}"#, tasks.join(", "))).expect_err("no calls");
    assert_eq!(problems.len(), problem::MAX_PROBLEMS + 1);
    assert_eq!(
        problems.last().map(ToString::to_string).as_deref(),
        Some("and more; the first 1000 are told")
    );
}

#[test]
fn names_become_cids() {
    let workflow = parse(
        r#"{
            "defaults": {"component": "a.wasm"},
            "tasks": {
                "one": {"call": "f", "args": [{"@": "x.txt"}, [{"a": {"@": "y.txt"}}, "x.txt"]]},
                "two": {"call": "f", "args": [{"each": "value"}], "for-each": {"@": "folder"},
                    "catch": {"component": "b.wasm", "call": "g"}}
            }
        }"#,
    );
    let workflow = match workflow {
        Ok(workflow) => workflow,
        Err(problems) => panic!("{problems:?}"),
    };
    let cid = |name: &str| (name != "y.txt").then(|| crate::ipld::cid_of_raw(name.as_bytes()));
    let by_content = workflow.by_content(&cid);
    let names: Vec<_> = by_content.names().into_keys().collect();
    assert_eq!(names, ["y.txt"]);
    assert_ne!(by_content.cid(), workflow.cid());
    let read = Workflow::decode(by_content.block().bytes()).unwrap();
    assert_eq!(read.cid(), by_content.cid());
    let text = json::to_string(&read.block().decode().unwrap()).unwrap();
    assert!(text.contains(r#""x.txt""#), "a text stays one: {text}");
    let same = workflow.by_content(&|_| None);
    assert_eq!(same.cid(), workflow.cid());
}
