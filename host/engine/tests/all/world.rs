//! Nothing in the world can differ between two runs.

use homestar_core::ipld::Ipld;
use homestar_core::outcome::Kind;
use homestar_core::task::{Input, Instruction, Nonce};
use homestar_engine::{Call, Component, Done};

use crate::{call, engine, failure, int, limits, list, load, ok, text};

/// 2000-01-01 00:00:00 UTC.
const START: u64 = 946_684_800;

fn nosy() -> Component {
    load(homestar_guests::nosy())
}

fn nosy3() -> Component {
    load(homestar_guests::nosy3())
}

#[test]
fn the_clock_stands_still() {
    assert_eq!(ok(&nosy(), "now", vec![]), list([int(START), int(0)]));
    assert_eq!(ok(&nosy3(), "now", vec![]), list([int(START), int(0)]));
}

#[test]
fn sleeping_moves_the_clock_and_takes_no_time() {
    let a_century_ms: u64 = 100 * 365 * 24 * 3600 * 1000;
    for guest in [nosy(), nosy3()] {
        assert_eq!(
            ok(&guest, "elapsed-of-sleep", vec![int(30)]),
            int(30_000_000)
        );
        let slept = ok(&guest, "elapsed-of-sleep", vec![int(a_century_ms)]);
        assert_eq!(slept, int(u128::from(a_century_ms) as i128 * 1_000_000));
    }
}

#[test]
fn sleepers_wake_in_order() {
    let ms = list([int(30), int(10), int(20)]);
    assert_eq!(
        ok(&nosy3(), "order-of-sleeps", vec![ms]),
        list([int(10), int(20), int(30)])
    );
}

fn random(component: &Component, nonce: Nonce) -> Ipld {
    let input = Input::new("random", vec![int(32)]);
    let instruction = Instruction::new(*component.cid(), input, nonce).unwrap();
    let done = engine()
        .call(component, Call::new(&instruction, &limits()))
        .unwrap();
    done.outcome.to_ipld()
}

#[test]
fn random_numbers_follow_from_the_instruction() {
    for guest in [nosy(), nosy3()] {
        let first = random(&guest, Nonce::EMPTY);
        assert_eq!(first, random(&guest, Nonce::EMPTY));
        let other = Nonce::bytes(&[1; 12]).unwrap();
        assert_ne!(first, random(&guest, other));
        assert_eq!(
            ok(&guest, "hash-seed", vec![]),
            ok(&guest, "hash-seed", vec![])
        );
    }
}

#[test]
fn there_are_no_files() {
    let read = failure(&nosy(), "read-file", vec![text("/etc/passwd")], &limits());
    assert_eq!(read.kind, Kind::Guest);
    let write = failure(
        &nosy(),
        "write-file",
        vec![text("/tmp/x"), text("y")],
        &limits(),
    );
    assert_eq!(write.kind, Kind::Guest);
}

#[test]
fn the_environment_is_empty() {
    assert_eq!(ok(&nosy(), "all-env", vec![]), list([]));
    assert_eq!(ok(&nosy(), "env", vec![text("HOME")]), Ipld::Null);
    assert_eq!(ok(&nosy(), "arguments", vec![]), list([text("main")]));
    assert_eq!(ok(&nosy(), "read-input", vec![]), Ipld::Bytes(vec![]));
}

#[test]
fn sockets_refuse() {
    for address in ["127.0.0.1:80", "[::1]:80", "1.1.1.1:443"] {
        let refused = failure(&nosy(), "connect-to", vec![text(address)], &limits());
        assert_eq!(refused.kind, Kind::Guest, "{address}");
    }
    assert_eq!(
        failure(&nosy(), "resolve", vec![text("localhost")], &limits()).kind,
        Kind::Guest
    );
}

#[test]
fn there_is_one_nan_and_one_relaxed_simd() {
    let hostile = load(homestar_guests::hostile());
    for func in ["nan-bits", "zero-by-zero-bits"] {
        assert_eq!(
            ok(&hostile, func, vec![]),
            int(0x7ff8_0000_0000_0000_u64),
            "{func}"
        );
    }
    assert_eq!(
        ok(&hostile, "relaxed", vec![]),
        Ipld::Float(f64::from(-2f32.powi(-46)))
    );
}

/// What a receipt says of a run.
fn fixed(done: &Done) -> (Ipld, u64, u64, &[u8]) {
    (
        done.outcome.to_ipld(),
        done.fuel,
        done.memory_peak,
        &done.log,
    )
}

#[test]
fn the_same_task_costs_the_same() {
    let guests = [
        (load(homestar_guests::add()), "add", vec![int(1), int(2)]),
        (load(homestar_guests::hello()), "greet", vec![text("world")]),
        (
            load(homestar_guests::asynchronous()),
            "yields",
            vec![int(5)],
        ),
        (nosy(), "elapsed-of-sleep", vec![int(5)]),
        (nosy3(), "order-of-sleeps", vec![list([int(2), int(1)])]),
        (load(homestar_guests::hostile()), "trap", vec![]),
    ];
    for (component, func, args) in guests {
        let first = call(&component, func, args.clone()).unwrap();
        let second = call(&component, func, args).unwrap();
        assert_eq!(fixed(&first), fixed(&second), "{func}");
        assert!(first.fuel > 0, "{func}");
    }
}

/// A component that imports nothing at all is met by an engine that offers nothing.
#[test]
fn a_guest_without_imports_gets_none() {
    assert_eq!(load(homestar_guests::add()).imports(), &[] as &[String]);
    assert!(
        nosy()
            .imports()
            .iter()
            .all(|name| name.starts_with("wasi:"))
    );
}
