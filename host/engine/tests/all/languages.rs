//! The same functions in Python and JavaScript, in the same world.

use std::path::PathBuf;

use homestar_core::ipld::Ipld;
use homestar_core::outcome::Kind;
use homestar_engine::Component;
use homestar_guests::{Unavailable, or_skip};

use crate::{call, failure, int, limits, list, load, ok, text};

/// 2000-01-01 00:00:00 UTC in milliseconds.
const START_MS: f64 = 946_684_800_000.0;

fn people() -> Ipld {
    let person = |name: &str, age: i128| {
        Ipld::Map([("name".into(), text(name)), ("age".into(), int(age))].into())
    };
    list([person("Ada", 36), person("Alan", 41)])
}

fn same_world(guest: Result<PathBuf, Unavailable>) {
    let Some(path) = or_skip(guest) else { return };
    let guest = load(&path);
    computes(&guest);
    sees_nothing_of_this_machine(&guest);
}

fn computes(guest: &Component) {
    let Ipld::Map(summary) = ok(guest, "summarize", vec![people()]) else {
        panic!("no summary")
    };
    assert!(
        summary.values().any(|value| *value == int(2)),
        "{summary:?}"
    );
    assert_eq!(
        failure(guest, "summarize", vec![list([])], &limits()).kind,
        Kind::Guest
    );
    let counted = ok(guest, "word-counts", vec![text("b a b")]);
    assert_eq!(
        counted,
        list([list([text("b"), int(2)]), list([text("a"), int(1)])])
    );
    let bytes = |bytes: &[u8]| Ipld::Bytes(bytes.to_vec());
    assert_eq!(
        ok(guest, "reverse", vec![bytes(&[1, 2, 3])]),
        bytes(&[3, 2, 1])
    );
}

fn sees_nothing_of_this_machine(guest: &Component) {
    assert_eq!(ok(guest, "now", vec![]), Ipld::Float(START_MS));
    let first = call(guest, "random-number", vec![]).unwrap();
    let second = call(guest, "random-number", vec![]).unwrap();
    assert_eq!(first.outcome, second.outcome);
    assert_eq!(
        (first.fuel, first.memory_peak),
        (second.fuel, second.memory_peak)
    );
}

#[test]
fn python() {
    same_world(homestar_guests::python());
}

#[test]
fn javascript_on_quickjs() {
    same_world(homestar_guests::quickjs());
}

#[test]
fn javascript_on_spidermonkey() {
    same_world(homestar_guests::spidermonkey());
}
