//! Hostile guests end, each by the limit it reaches, and the host goes on.

use std::thread;
use std::time::Duration;

use homestar_core::outcome::{Kind, Outcome};
use homestar_core::task::Limits;
use homestar_engine::Component;

use crate::{call_within, end, engine, failure, int, limits, load, ok, text};

fn hostile() -> Component {
    load(homestar_guests::hostile())
}

fn wat(text: &str) -> Component {
    engine()
        .load(&wat::parse_str(text).expect("WebAssembly text"))
        .expect("a component")
}

#[test]
fn an_endless_loop_ends_by_time() {
    let limits = Limits {
        time: Duration::from_millis(50),
        ..limits()
    };
    let failure = failure(&hostile(), "spin", vec![], &limits);
    assert_eq!(
        (failure.kind, failure.message.lines().next()),
        (Kind::Time, Some("did not end within 50ms"))
    );
}

/// Nothing that runs guests is needed to end them: more loops than there are processors, on threads that do
/// nothing else.
#[test]
fn endless_loops_on_every_thread_end_by_time() {
    let limits = Limits {
        time: Duration::from_millis(50),
        ..limits()
    };
    let loops = 2 + thread::available_parallelism().map_or(2, usize::from) * 2;
    let ends = thread::scope(|scope| {
        let spin = || end(&hostile(), "spin", vec![], &limits);
        let threads: Vec<_> = (0..loops).map(|_| scope.spawn(spin)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect::<Vec<_>>()
    });
    assert_eq!(ends, vec![Kind::Time; loops]);
}

#[test]
fn an_endless_loop_ends_by_fuel_at_the_same_place() {
    let limits = Limits {
        fuel: 1_000_000,
        ..limits()
    };
    let first = call_within(&hostile(), "spin", vec![], &limits).unwrap();
    let second = call_within(&hostile(), "spin", vec![], &limits).unwrap();
    assert_eq!(first.fuel, second.fuel);
    let Outcome::Error(failure) = first.outcome else {
        panic!("{:?}", first.outcome)
    };
    assert_eq!(
        failure.message.lines().next(),
        Some("used up its 1000000 units of fuel")
    );
    assert_eq!(failure.kind, Kind::Fuel);
}

#[test]
fn a_memory_bomb_ends_by_memory() {
    let limits = Limits {
        memory_bytes: 64 << 20,
        ..limits()
    };
    let done = call_within(&hostile(), "bomb", vec![], &limits).unwrap();
    let Outcome::Error(failure) = done.outcome else {
        panic!("{:?}", done.outcome)
    };
    assert_eq!(
        failure.message.lines().next(),
        Some("asked for more than its 64 MiB of memory")
    );
    assert!(done.memory_peak <= 64 << 20, "{}", done.memory_peak);
}

#[test]
fn memory_it_starts_with_counts() {
    let limits = Limits {
        memory_bytes: 64 << 10,
        ..limits()
    };
    assert_eq!(end(&hostile(), "trap", vec![], &limits), Kind::Memory);
}

/// The sum of all memories is limited, not each.
#[test]
fn memories_count_together() {
    let component = wat(r#"(component
        (core module $m (memory 160) (func (export "f")))
        (core instance $a (instantiate $m)) (core instance $b (instantiate $m))
        (func (export "f") (canon lift (core func $a "f"))))"#);
    let limits = Limits {
        memory_bytes: 15 << 20,
        ..limits()
    };
    assert_eq!(end(&component, "f", vec![], &limits), Kind::Memory);
}

/// Growing beyond what its own type allows is answered to the guest, as the specification says.
#[test]
fn a_memory_may_refuse_to_grow() {
    let component = wat(r#"(component
        (core module $m (memory 1 2) (func (export "f") (result i32) (memory.grow (i32.const 5))))
        (core instance $a (instantiate $m))
        (func (export "f") (result s32) (canon lift (core func $a "f"))))"#);
    assert_eq!(ok(&component, "f", vec![]), int(-1));
}

#[test]
fn a_table_bomb_ends_by_memory() {
    let component = wat(r#"(component
        (core module $m (table 1 funcref)
            (func (export "f") (loop (drop (table.grow (ref.null func) (i32.const 1000))) (br 0))))
        (core instance $a (instantiate $m))
        (func (export "f") (canon lift (core func $a "f"))))"#);
    let failure = failure(&component, "f", vec![], &limits());
    assert_eq!(
        failure.message.lines().next(),
        Some("asked for more than its 1000000 elements of tables")
    );
    assert_eq!(failure.kind, Kind::Memory);
}

#[test]
fn a_huge_output_ends_by_output() {
    let limits = Limits {
        output_bytes: 1 << 20,
        ..limits()
    };
    assert_eq!(
        end(&hostile(), "huge-output", vec![int(2 << 20)], &limits),
        Kind::Output
    );
    assert_eq!(
        end(&hostile(), "huge-output", vec![int((1 << 20) + 1)], &limits),
        Kind::Output
    );
    assert!(matches!(
        call_within(&hostile(), "huge-output", vec![int(1 << 20)], &limits)
            .unwrap()
            .outcome,
        Outcome::Ok(_)
    ));
    let small = Limits {
        output_bytes: 10,
        ..limits
    };
    assert_eq!(
        end(&hostile(), "huge-output", vec![int(11)], &small),
        Kind::Output
    );
}

/// A guest may claim a list as long as its memory that lies in it many times over.
#[test]
fn lists_that_overlap_count_each_time() {
    let component = wat(r#"(component
        (core module $m (memory (export "m") 20)
            (func (export "f") (result i32)
                (local $i i32)
                (loop
                    (i32.store (i32.add (i32.const 16) (local.get $i)) (i32.const 16))
                    (i32.store (i32.add (i32.const 20) (local.get $i)) (i32.const 100000))
                    (local.set $i (i32.add (local.get $i) (i32.const 8)))
                    (br_if 0 (i32.lt_u (local.get $i) (i32.const 800000))))
                (i32.store (i32.const 0) (i32.const 16))
                (i32.store (i32.const 4) (i32.const 100000))
                (i32.const 0)))
        (core instance $a (instantiate $m))
        (func (export "f") (result (list (list (list u8))))
            (canon lift (core func $a "f") (memory $a "m"))))"#);
    assert_eq!(end(&component, "f", vec![], &limits()), Kind::Output);
}

#[test]
fn deep_recursion_ends_by_stack() {
    let component = wat(r#"(component
        (core module $m (func $f (export "f") (call $f) (call $f)))
        (core instance $a (instantiate $m))
        (func (export "f") (canon lift (core func $a "f"))))"#);
    let failure = failure(&component, "f", vec![], &limits());
    assert_eq!(failure.message.lines().next(), Some("used up its stack"));
    assert_eq!(failure.kind, Kind::Stack);
}

/// Rust keeps large locals on a stack of its own in memory, and may reach the end of that first.
#[test]
fn deep_recursion_in_rust_ends() {
    let kind = end(&hostile(), "deep", vec![], &limits());
    assert!(matches!(kind, Kind::Stack | Kind::Trap), "{kind}");
}

#[test]
fn a_flood_ends_by_log() {
    let limits = Limits {
        log_bytes: 1000,
        ..limits()
    };
    let done = call_within(&hostile(), "flood", vec![], &limits).unwrap();
    let Outcome::Error(failure) = done.outcome else {
        panic!("{:?}", done.outcome)
    };
    assert_eq!(failure.kind, Kind::Log);
    assert_eq!(done.log.len(), 1000);
}

#[test]
fn traps_say_what_and_where() {
    let failure = failure(&hostile(), "trap", vec![], &limits());
    assert_eq!(failure.kind, Kind::Trap);
    assert!(
        failure
            .message
            .starts_with("wasm `unreachable` instruction executed\n  in "),
        "{}",
        failure.message
    );
    for (func, args) in [
        ("oob", vec![]),
        ("divide-by-zero", vec![int(1)]),
        ("bad-call", vec![]),
    ] {
        assert_eq!(end(&hostile(), func, args, &limits()), Kind::Trap, "{func}");
    }
}

#[test]
fn a_panic_leaves_its_message_in_the_log() {
    let done = call_within(&hostile(), "panic", vec![text("out of cheese")], &limits()).unwrap();
    assert!(String::from_utf8_lossy(&done.log).contains("out of cheese"));
    let Outcome::Error(failure) = done.outcome else {
        panic!("{:?}", done.outcome)
    };
    assert_eq!(failure.kind, Kind::Trap);
}

#[test]
fn broken_results_are_the_guests_fault() {
    let returning = |ty: &str, address: &str| {
        wat(&format!(
            r#"(component
            (core module $m (memory (export "m") 1)
                (data (i32.const 0) "\f0\ff\ff\ff\08\00\00\00") (data (i32.const 16) "\18\00\00\00\02\00\00\00\ff\fe")
                (data (i32.const 32) "\63\00\00\00\00\00\00\00")
                (func (export "f") (result i32) (i32.const {address})))
            (core instance $a (instantiate $m))
            (func (export "f") (result {ty}) (canon lift (core func $a "f") (memory $a "m"))))"#
        ))
    };
    let message = |ty, address| failure(&returning(ty, address), "f", vec![], &limits()).message;
    assert_eq!(
        message("(list u8)", "0"),
        "a pointer that the guest returned lies outside of its memory"
    );
    assert_eq!(
        message("(list u8)", "65535"),
        "a pointer that the guest returned is not aligned"
    );
    assert_eq!(
        message("(list u8)", "65532"),
        "a pointer that the guest returned lies outside of its memory"
    );
    assert!(message("string", "16").starts_with("a string that the guest returned is not UTF-8"));
    assert_eq!(
        message("(option u32)", "32"),
        "the guest returned case 99, which its type doesn't have"
    );
    let char = wat(r#"(component
        (core module $m (func (export "f") (result i32) (i32.const 0xd800)))
        (core instance $a (instantiate $m))
        (func (export "f") (result char) (canon lift (core func $a "f"))))"#);
    assert_eq!(
        failure(&char, "f", vec![], &limits()).message,
        "the guest returned 0xd800 as a character"
    );
}
