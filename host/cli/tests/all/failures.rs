//! Workflows in which something goes wrong: what stops, what is tried again, and what others make of it.

use std::collections::BTreeSet;

use crate::web::serve_once;
use crate::workflows::{events, of, with};

#[test]
fn a_failure_stops_only_what_needs_it() {
    let it = with(
        &["hostile", "plain"],
        "
defaults: {component: plain.wasm}
tasks:
  bad: {component: hostile.wasm, call: divide-by-zero, args: [7]}
  needs-bad: {call: multiply, args: [{await/ok: bad}, 2]}
  needs-that: {call: multiply, args: [{await/ok: needs-bad}, 2]}
  good: {call: multiply, args: [6, 7]}
",
    );
    let said = it.run(&["run", "flow.yaml"]);
    assert_eq!(
        (said.code, said.stdout()),
        (Some(3), "good  42\n"),
        "{said}"
    );
    assert!(said.stderr.contains("bad: failed (trap): "), "{said}");
    assert!(
        said.stderr.contains("4 tasks: 1 ran, 1 failed, 2 not run"),
        "{said}"
    );
    let told = events(&it.run(&["run", "flow.yaml", "--json"]));
    let last = told.last().unwrap();
    assert_eq!(last["failed"][0]["task"], "bad");
    assert_eq!(
        last["skipped"][1]["because"],
        serde_json::json!(["needs-bad", "bad"])
    );
    // A failed task has a receipt too, and a trap answers for all who ask the same.
    let said = it.run(&["explain", "bad"]);
    assert!(said.stdout().contains("outcome      error trap "), "{said}");
    let said = it.run(&["runs"]);
    assert_eq!(
        said.stdout().matches("failed       flow.yaml").count(),
        0,
        "{said}"
    );
    assert_eq!(said.stdout().lines().count(), 2, "{said}");
    assert!(said.stdout().contains("  failed  "), "{said}");
}

#[test]
fn failures_are_caught() {
    let it = with(
        &["hostile", "plain"],
        "
defaults: {component: plain.wasm}
tasks:
  bad: {component: hostile.wasm, call: trap}
  caught: {component: hostile.wasm, call: divide-by-zero, args: [1], catch: {ok: 21}}
  twice: {call: multiply, args: [{await/ok: caught}, 2]}
  first: {component: hostile.wasm, call: divide-by-zero, args: [2], catch: {rewire: twice}}
  last: {call: multiply, args: [{await/ok: first}, 10]}
",
    );
    let said = it.run(&["run", "flow.yaml"]);
    assert_eq!(said.code, Some(3), "{said}");
    assert!(said.stdout().contains("last  420\n"), "{said}");
}

#[test]
fn failures_flow_into_guests() {
    let it = with(
        &["hostile", "mender", "plain"],
        "
defaults: {component: mender.wasm}
tasks:
  bad: {call: fail, args: [broken]}
  trap: {component: hostile.wasm, call: divide-by-zero, args: [7]}
  well: {component: plain.wasm, call: multiply, args: [2, 4]}
  told: {call: explain, args: [{await/error: bad}]}
  told-too: {call: explain, args: [{await/error: trap}]}
  untold: {call: explain, args: [{await/error: well}]}
  zero: {call: or-zero, args: [{await/*: bad}]}
  eight: {call: or-zero, args: [{await/*: well}]}
",
    );
    let said = it.run(&["run", "flow.yaml"]);
    // All that failed was awaited by who knows what to do about it, and so was what didn't.
    assert_eq!(said.code, Some(0), "{said}");
    let lines: BTreeSet<_> = said.stdout().lines().collect();
    let expected = [
        r#"eight     8"#,
        r#"told      "guest: \"broken\", with \"broken\"""#,
        r#"told-too  "trap: integer divide by zero\n  in divide-by-zero""#,
        r#"zero      0"#,
    ];
    assert_eq!(lines, BTreeSet::from(expected), "{said}");
    assert!(said.stderr.contains("1 not needed"), "{said}");
    let said = it.run(&["run", "flow.yaml", "--json"]);
    assert_eq!(of(&events(&said), "started", "task"), [""; 0], "{said}");
}

#[test]
fn a_guest_catches_failures() {
    let it = with(
        &["mender", "plain"],
        "
defaults: {component: mender.wasm, catch: {call: on-error, component: mender.wasm, rewire: [spare]}}
tasks:
  seven: {call: fail, args: [seven]}
  spared: {call: fail, args: [spare]}
  other: {call: fail, args: [other]}
  spare: {component: plain.wasm, call: multiply, args: [2, 4], catch: {ok: 0}}
  product: {component: plain.wasm, call: multiply, args: [{await/ok: seven}, {await/ok: spared}]}
  told: {call: explain, args: [{await/error: other}]}
",
    );
    let said = it.run(&["run", "flow.yaml"]);
    assert_eq!(said.code, Some(0), "{said}");
    let lines: BTreeSet<_> = said.stdout().lines().collect();
    let expected = [
        "product  56",
        r#"told     "guest: other ended as guest, with \"other\"""#,
    ];
    assert_eq!(lines, BTreeSet::from(expected), "{said}");
}

#[test]
fn half_a_page_is_none() {
    let url = serve_once(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
    let it = with(
        &["stream"],
        &format!(
            "tasks: {{page: {{component: stream.wasm, call: get, args: ['{url}/'], grant: ['https={url}']}}}}"
        ),
    );
    let said = it.run(&["run", "flow.yaml"]);
    assert_eq!((said.code, said.stdout()), (Some(3), ""), "{said}");
    assert!(said.stderr.contains("page: failed (trap): "), "{said}");
}

#[test]
fn what_may_pass_is_tried_again() {
    let it = with(
        &["fetch"],
        "
tasks:
  get:
    component: fetch.wasm
    call: get
    args: ['http://127.0.0.1:1/']
    grant: ['https=http://127.0.0.1:1', 'net=127.0.0.0/8']
    retry: {times: 2, backoff: 1ms}
",
    );
    let exports = it.run(&["inspect", "fetch.wasm"]);
    let call = ["get", "fetch"]
        .into_iter()
        .find(|name| exports.stdout().contains(&format!("{name}: ")));
    let call = call.expect("a function that asks for a page");
    let flow = String::from_utf8(it.read("flow.yaml")).unwrap();
    it.put(
        "flow.yaml",
        flow.replace("call: get", &format!("call: {call}")),
    );
    let said = it.run(&["run", "flow.yaml", "--json"]);
    assert_eq!(said.code, Some(1), "{said}");
    let told = events(&said);
    let started = told.iter().filter(|it| it["event"] == "started");
    let attempts: Vec<_> = started.map(|it| it["attempt"].as_u64().unwrap()).collect();
    assert_eq!(attempts, [1, 2, 3], "{said}");
}
