//! Holds `docs/ucan.md` to what the code does: blocks are read, examples are tried, names are those of the code.

use std::collections::BTreeMap;

use homestar_core::ipld::{self, Ipld};
use homestar_core::json;
use homestar_core::task;
use homestar_core::ucan::container::{self, Encoding};
use homestar_core::ucan::policy::Selector;
use homestar_core::ucan::{Delegation, Policy, delegation, policy, verify};

const PAGE: &str = include_str!("../../../../docs/ucan.md");

fn blocks(word: &str) -> Vec<&'static str> {
    let begin = format!("```{word}\n");
    let rests = PAGE.split(begin.as_str()).skip(1);
    rests
        .map(|rest| rest.split_once("```").expect("an end").0)
        .collect()
}

/// The rows of the table below a line, each as its cells without quotes.
fn rows(header: &str) -> Vec<Vec<&'static str>> {
    let (_, below) = PAGE.split_once(&format!("\n{header}\n")).expect(header);
    let rows = below
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells = row.trim_matches('|').split(" | ");
        cells.map(|cell| cell.trim().trim_matches('`')).collect()
    })
    .collect()
}

fn arguments(text: &str) -> BTreeMap<String, Ipld> {
    match json::parse(text).expect(text) {
        Ipld::Map(entries) => entries,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_delegation_is_one() {
    let token = json::parse(blocks("json")[0]).expect("DAG-JSON");
    let bytes = ipld::encode(&token).expect("encodes");
    let delegation = Delegation::decode(&bytes).expect("a delegation, well signed");
    assert!(!delegation.payload().policy.is_empty());
}

#[test]
fn both_forms_of_the_policy_are_the_same() {
    let short = Policy::parse(blocks("policy")[0]).expect("a policy");
    assert_eq!(Policy::parse(blocks("json")[1]), Ok(short));
    assert_eq!((blocks("json").len(), blocks("policy").len()), (2, 1));
}

#[test]
fn each_operator_is_written_both_ways() {
    let rows = rows("| in tokens | short | holds if |");
    assert_eq!(rows.len(), 9);
    for row in rows {
        let wire = Policy::parse(&format!("[{}]", row[0])).expect(row[0]);
        assert_eq!(Policy::parse(row[1]), Ok(wire), "{}", row[1]);
    }
}

#[test]
fn each_selector_is_one() {
    for row in rows("| selector | gives |") {
        for text in row[0].split("`, `") {
            assert!(text.parse::<Selector>().is_ok(), "{text}");
        }
    }
}

#[test]
fn each_example_holds_or_not() {
    let rows = rows("| policy | arguments | holds |");
    assert!(rows.len() >= 12);
    for row in rows {
        let policy = Policy::parse(row[0]).expect(row[0]);
        let holds = policy.holds(&arguments(row[1]));
        assert_eq!(if holds { "yes" } else { "no" }, row[2], "{row:?}");
    }
}

#[test]
fn each_encoding_is_in_the_table() {
    let rows = rows("| first byte | what follows |");
    let bytes: Vec<_> = rows.iter().map(|row| row[0].as_bytes()).collect();
    assert_eq!(bytes, Encoding::ALL.map(|encoding| [encoding.header()]));
}

#[test]
fn limits_are_those_of_the_code() {
    let rows = rows("| | at most |");
    let limit = |what: &str| {
        let row = rows.iter().find(|row| row[0] == what);
        row.unwrap_or_else(|| panic!("{what}")).last().copied()
    };
    let plain = |number: usize| Some(number.to_string());
    let is = |what, number| assert_eq!(limit(what).map(str::to_owned), plain(number), "{what}");
    is("delegations in a chain", verify::MAX_PROOFS);
    is(
        "chains of delegations among the arguments of a task",
        task::MAX_CHAINS,
    );
    is("how deep statements lie in each other", policy::MAX_DEPTH);
    is(
        "statements of a policy, with those inside others",
        policy::MAX_STATEMENTS,
    );
    assert_eq!(delegation::MAX_BYTES, 64 << 10);
    assert_eq!(limit("a delegation"), Some("64 KiB"));
    assert_eq!(ipld::MAX_BLOCK_BYTES, 1 << 20);
    assert_eq!(limit("an invocation"), Some("1 MiB"));
    assert_eq!(container::MAX_BYTES, 4 << 20);
    assert_eq!(limit("a container, compressed or not"), Some("4 MiB"));
    assert_eq!(container::MAX_TOKENS, 1024);
    assert_eq!(limit("tokens in a container"), Some("1,024"));
}

#[test]
fn each_name_of_an_error_is_in_the_table() {
    let rows = rows("| name | broken if |");
    let listed: std::collections::BTreeSet<_> =
        rows.iter().flat_map(|row| row[0].split("`, `")).collect();
    let names = verify::Rule::NAMES;
    assert_eq!(listed, names.into_iter().collect());
}
