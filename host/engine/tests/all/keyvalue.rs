//! `wasi:keyvalue` in both of its drafts: granted, traced and replayed, for each part of a composition by itself.

use homestar_core::ipld::Ipld;
use homestar_core::trace::Event;
use homestar_engine::{Component, Done, Effects};

use crate::outside::{error_of, keeping, ok_of};
use crate::replay::{grants, run_twice};
use crate::*;

#[test]
fn keyvalue_and_logging_of_wasi() {
    let folder = tempfile::tempdir().unwrap();
    let engine = keeping(&folder);
    let guest = engine
        .load_file(homestar_guests::ledger())
        .expect("a guest");
    let args = |key: &str| vec![text("visits"), text(key)];
    let granted = ["state=visits"];
    run_twice(&guest, "count", args("a"), &granted);
    run_twice(&guest, "count", args("b"), &granted);
    let done = run_twice(&guest, "count", args("a"), &granted);
    assert_eq!(done.log, b"info: ledger: a is 2\n");
    assert_eq!(ok_of(done), int(2));
    let all = run_twice(&guest, "all", vec![text("visits")], &granted);
    let pair = |key: &str, count: i128| list([text(key), int(count)]);
    assert_eq!(ok_of(all), list([pair("a", 2), pair("b", 1)]));
    let forgotten = ok_of(run_twice(&guest, "forget", args("a"), &granted));
    assert_eq!(forgotten, Ipld::Bool(true));
    let done = run_twice(&guest, "forget", args("a"), &granted);
    assert_eq!(ok_of(done), Ipld::Bool(false));
    let refused = error_of(run_twice(&guest, "count", args("a"), &["state=others"]));
    assert!(
        refused.message.contains("AccessDenied"),
        "{}",
        refused.message
    );
}

/// The teller with the vault, which has grants of its own if it is given any.
fn teller(engine: &Engine, vault: Option<&[&str]>) -> Component {
    let mut effects = Effects::new();
    let bytes = std::fs::read(homestar_guests::vault()).unwrap();
    effects.add_built_in([("vault", bytes)]).unwrap();
    if let Some(vault) = vault {
        assert!(effects.grant("vault", &grants(vault)));
    }
    let teller = homestar_guests::teller();
    engine.load_file_with(teller, || effects).expect("a guest")
}

fn add(teller: &Component, how: &str, bucket: &str, granted: &[&str]) -> Done {
    run_twice(teller, how, vec![text(bucket), text("n"), int(1)], granted)
}

/// Who asked, call by call.
fn asked(done: &Done) -> Vec<(u32, String)> {
    let recording = done.recording.as_ref().expect("a task with drivers");
    let events = recording.trace.events.iter();
    let calls = events.map(|event| match event {
        Event::Call(call) => (call.by, call.name),
        Event::Time(_) => panic!("nobody sleeps"),
    });
    calls.collect()
}

#[test]
fn each_part_has_grants_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let engine = keeping(&folder);
    let both = teller(&engine, Some(&["state=vaults"]));
    let granted = ["state=ours"];
    const INCREMENT: &str = "homestar:driver/state.increment";

    let done = add(&both, "add", "ours", &granted);
    assert_eq!(asked(&done), [(0, INCREMENT.to_owned())]);
    assert_eq!(ok_of(done), int(1));
    let done = add(&both, "vault-adds", "vaults", &granted);
    assert_eq!(asked(&done), [(1, INCREMENT.to_owned())]);
    assert_eq!(ok_of(done), int(1));

    for (how, bucket, who) in [
        ("add", "vaults", ""),
        ("vault-adds", "ours", "vault: "),
        // A bucket that is handed over takes no grant along.
        ("vault-adds-to-ours", "ours", "vault: "),
        ("add-to-vaults", "vaults", ""),
    ] {
        let done = add(&both, how, bucket, &granted);
        // What it takes is in the trace: the interface has no words for it.
        let trace = format!("{:?}", done.recording);
        assert!(
            trace.contains(&format!("`--allow state={bucket}`")),
            "{trace}"
        );
        let refused = error_of(done).message;
        assert!(
            refused.contains(&format!("{who}Error::AccessDenied")),
            "{how}: {refused}"
        );
    }
    let args = vec![text("ours"), text("n"), Ipld::Bytes(b"7".to_vec())];
    let refused = error_of(run_twice(&both, "vault-finishes", args, &granted)).message;
    assert!(refused.contains("vault: Error::AccessDenied"), "{refused}");
}

#[test]
fn an_effect_without_grants_acts_within_those_of_the_guest() {
    let folder = tempfile::tempdir().unwrap();
    let engine = keeping(&folder);
    let both = teller(&engine, None);
    let granted = ["state=ours"];
    let ways = ["add", "vault-adds", "vault-adds-to-ours", "add-to-vaults"];
    for (so_far, how) in (1..).zip(ways) {
        assert_eq!(ok_of(add(&both, how, "ours", &granted)), int(so_far));
    }
    let args = vec![text("ours"), text("n"), Ipld::Bytes(b"7".to_vec())];
    let finished = run_twice(&both, "vault-finishes", args, &granted);
    let (get, swap) = ("homestar:driver/state.get", "homestar:driver/state.swap");
    assert_eq!(
        asked(&finished),
        [(0, get.to_owned()), (1, swap.to_owned())]
    );
    assert_eq!(ok_of(finished), Ipld::Bool(true));
    assert_eq!(ok_of(add(&both, "add", "ours", &granted)), int(8));
}

#[test]
fn a_value_is_swapped_only_if_it_is_still_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let engine = keeping(&folder);
    let both = teller(&engine, None);
    let granted = ["state=*"];
    let swap = |meanwhile: Option<&[u8]>| {
        let meanwhile = meanwhile.map_or(Ipld::Null, |value| Ipld::Bytes(value.to_vec()));
        let done = run_twice(
            &both,
            "swap",
            vec![text("b"), text("k"), meanwhile],
            &granted,
        );
        ok_of(done)
    };
    let seen = |values: &[&[u8]]| list(values.iter().map(|value| Ipld::Bytes(value.to_vec())));
    assert_eq!(swap(None), seen(&[b""]));
    assert_eq!(swap(None), seen(&[b"+"]));
    // The same value again is no change.
    assert_eq!(swap(Some(b"++")), seen(&[b"++"]));
    assert_eq!(swap(Some(b"other")), seen(&[b"other", b"other"]));
    let all = ok_of(run_twice(&both, "all", vec![text("b")], &granted));
    let kept = list([text("k"), Ipld::Bytes(b"other+".to_vec())]);
    assert_eq!(all, list([kept, list([text("no such key"), Ipld::Null])]));
}

#[test]
fn what_is_no_number_or_no_bucket_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let engine = keeping(&folder);
    let both = teller(&engine, None);
    let args = vec![text("b"), text("n"), Ipld::Bytes(b"x".to_vec())];
    run_twice(&both, "vault-finishes", args, &["state=*"]);
    let refused = error_of(add(&both, "add", "b", &["state=*"])).message;
    assert!(refused.contains("is not a number"), "{refused}");
    let refused = error_of(add(&both, "add", "a/b", &["state=*"])).message;
    assert!(refused.contains("NoSuchStore"), "{refused}");
    let args = vec![text("b"), text("m"), int(i64::MAX)];
    run_twice(&both, "add", args, &["state=*"]);
    let args = vec![text("b"), text("m"), int(1)];
    let refused = error_of(run_twice(&both, "add", args, &["state=*"])).message;
    assert!(
        refused.contains("more than the number can hold"),
        "{refused}"
    );
}
