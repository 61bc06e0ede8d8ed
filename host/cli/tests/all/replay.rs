//! A receipt that holds everything, and the same task run again from it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};

use homestar_core::car;
use homestar_core::evidence::{Component, Evidence};
use homestar_core::ipld::{Block, Ipld};
use homestar_core::key::SigningKey;
use homestar_core::outcome::{Kind, Outcome};
use homestar_core::receipt::{Body, Receipt};
use homestar_core::trace::{Event, Events};
use insta::assert_snapshot;

use crate::environment::{Environment, Said};

const ROLL: [&str; 5] = ["run", "dice.wasm", "roll", "--allow", "random"];

/// With `roll.car`, of a task that asked for a random number.
fn rolled() -> Environment {
    let it = Environment::new().with_dice().with_key();
    let said = it.run(&[&ROLL[..], &["--receipt", "roll.car"]].concat());
    assert_eq!(said.code, Some(0), "{said}");
    it
}

/// Returns what was said without the number that came.
fn unrolled(said: &Said) -> String {
    let digits = |line: &str| line.ends_with(|c: char| c.is_ascii_digit());
    let line = |line: &str| match line.split_once("ok ") {
        Some((label, _)) if digits(line) => format!("{label}ok …"),
        _ => line.to_owned(),
    };
    let lines: Vec<_> = said.to_string().lines().map(line).collect();
    lines.join("\n")
}

/// Puts something else in the place of what `roll.car` holds, signed all the same.
fn changed(it: &Environment, change: impl FnOnce(&mut Evidence, &mut Body)) {
    let mut evidence = Evidence::from_car(&it.read("roll.car")).unwrap();
    let mut body = evidence.receipt.body().clone();
    change(&mut evidence, &mut body);
    if let Some(heard) = &evidence.heard {
        body.meta.trace = Some(*heard.trace.encode().unwrap().root.cid());
    }
    evidence.receipt = Receipt::sign(body, &SigningKey::from_seed(&[1; 32])).unwrap();
    it.put("changed.car", evidence.to_car().unwrap());
}

#[test]
fn a_task_runs_again_as_it_ran() {
    let it = rolled();
    // Nothing of this machine is needed: no grant, no guest, no effect, no key, no compiled code.
    let elsewhere = Environment::new();
    elsewhere.put("roll.car", it.read("roll.car"));
    assert_snapshot!(elsewhere.run(&["replay", "roll.car"]), @r#"
    the same: outcome, fuel and memory peak, with 1 call to entropy played back
    --- exit code 0
    "#);
    assert_snapshot!(unrolled(&elsewhere.run(&["receipt", "verify", "roll.car"])), @r#"
    signature    good
    by           did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd
    receipt      bafyr…
    instruction  bafyr…
    component    bafkr…
    function     roll
    outcome      ok …
    pure         no: 1 call to entropy
    fuel         …
    memory peak  …
    engine       …
    effect       bafkr…
    trace        bafyr…
    holds        the instruction, the trace, the component and its effect
    --- exit code 0
    "#);
    assert_eq!(
        elsewhere.run(&["replay", "roll.car", "--no-cache"]).code,
        Some(0)
    );
    let facts = elsewhere.run(&["replay", "roll.car", "--json"]).json();
    assert_eq!(facts["ok"]["events"], 1);
    assert_eq!(
        facts["ok"]["same"],
        serde_json::json!(["outcome", "fuel", "memory_peak"])
    );
    let shown = elsewhere
        .run(&["receipt", "show", "roll.car", "--json"])
        .json();
    assert_eq!(shown["out"], facts["ok"]["out"]);
    assert_eq!(shown["pure"], false);
    assert_eq!(shown["calls"][0]["name"], "homestar:driver/entropy.bytes");
    assert_eq!(shown["calls"][0]["by"], shown["meta"]["effects"][0]);
}

#[test]
fn pure_tasks_run_again_too() {
    let it = Environment::with(&["add", "hostile", "cli", "needs", "almanac"]).with_key();
    it.put("text", "a b c");
    it.run(&["effect", "add", "almanac.wasm"]);
    let tasks: [&[&str]; 6] = [
        &["run", "add.wasm", "add(1, 2)", "--receipt", "r.car"],
        &[
            "run",
            "needs.wasm",
            "advice(\"Cairo\")",
            "--receipt",
            "r.car",
        ],
        &["run", "hostile.wasm", "trap", "--receipt", "r.car"],
        &[
            "run",
            "hostile.wasm",
            "huge-output(1000000)",
            "--receipt",
            "r.car",
        ],
        &[
            "run",
            "hostile.wasm",
            "spin",
            "--fuel",
            "1k",
            "--receipt",
            "r.car",
        ],
        &[
            "run",
            "cli.wasm",
            "--stdin",
            "text",
            "--receipt",
            "r.car",
            "--",
            "-w",
        ],
    ];
    for task in tasks {
        it.run(task);
        assert_eq!(
            it.run(&["receipt", "verify", "r.car"]).code,
            Some(0),
            "{task:?}"
        );
        let said = it.run(&["replay", "r.car"]);
        assert_eq!(
            said.to_string(),
            "the same: outcome, fuel and memory peak\n--- exit code 0",
            "{task:?}"
        );
    }
}

#[test]
fn two_effects_are_wired_as_they_were() {
    let it = Environment::with(&["needs", "almanac", "pessimist"]).with_key();
    it.run(&["effect", "add", "almanac.wasm", "--user"]);
    it.run(&["effect", "add", "pessimist.wasm"]);
    it.run(&[
        "run",
        "needs.wasm",
        "advice(\"Cairo\")",
        "--receipt",
        "r.car",
    ]);
    assert_snapshot!(it.run(&["receipt", "verify", "r.car"]), @r#"
    signature    good
    by           did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd
    receipt      bafyr…
    instruction  bafyr…
    component    bafkr…
    function     advice
    outcome      ok "take an umbrella"
    pure         yes
    fuel         …
    memory peak  …
    engine       …
    effect       bafkr…
    effect       bafkr…
    holds        the instruction, the component and its 2 effects
    --- exit code 0
    "#);
    assert_eq!(it.run(&["replay", "r.car"]).code, Some(0));
}

/// Counts its calls.
const COUNTER: &str = r#"(component
    (core module $m
        (global $n (mut i32) (i32.const 0))
        (func (export "next") (result i32)
            (global.set $n (i32.add (global.get $n) (i32.const 1)))
            (global.get $n)))
    (core instance $i (instantiate $m))
    (func $next (result u32) (canon lift (core func $i "next")))
    (instance $counter (export "next" (func $next)))
    (export "acme:count/counter@0.1.0" (instance $counter)))"#;

/// Asks the counter for others.
const CLERK: &str = r#"(component
    (import "acme:count/counter@0.1.0" (instance $counter (export "next" (func (result u32)))))
    (core func $ask (canon lower (func $counter "next")))
    (core module $m
        (import "counter" "next" (func $next (result i32)))
        (export "next" (func $next)))
    (core instance $i (instantiate $m (with "counter" (instance (export "next" (func $ask))))))
    (func $next (result u32) (canon lift (core func $i "next")))
    (instance $clerk (export "next" (func $next)))
    (export "acme:count/clerk@0.1.0" (instance $clerk)))"#;

/// Asks the counter, and then the clerk.
const CUSTOMER: &str = r#"(component
    (import "acme:count/counter@0.1.0" (instance $counter (export "next" (func (result u32)))))
    (import "acme:count/clerk@0.1.0" (instance $clerk (export "next" (func (result u32)))))
    (core func $ask (canon lower (func $counter "next")))
    (core func $ask-clerk (canon lower (func $clerk "next")))
    (core module $m
        (import "" "counter" (func $counter (result i32)))
        (import "" "clerk" (func $clerk (result i32)))
        (func (export "both") (result i32) (drop (call $counter)) (call $clerk)))
    (core instance $i (instantiate $m (with "" (instance
        (export "counter" (func $ask))
        (export "clerk" (func $ask-clerk))))))
    (func (export "both") (result u32) (canon lift (core func $i "both"))))"#;

/// With grants of its own the clerk has a counter of its own. Nothing enters such a task, and yet its receipt's list of
/// effects doesn't tell how they were wired.
#[test]
fn copies_are_wired_as_they_were() {
    let it = Environment::new().with_key();
    it.put("customer.wasm", wat::parse_str(CUSTOMER).unwrap());
    it.put("effects/counter.wasm", wat::parse_str(COUNTER).unwrap());
    it.put("effects/clerk.wasm", wat::parse_str(CLERK).unwrap());
    let run = ["run", "customer.wasm", "both()", "--receipt", "r.car"];
    let is_pure = || it.run(&["receipt", "verify", "r.car", "--json"]).json()["pure"].clone();

    assert_eq!(it.run(&run).stdout(), "2\n");
    assert_eq!(is_pure(), true);
    assert_eq!(it.run(&["replay", "r.car"]).code, Some(0));

    let with_own = [&run[..], &["--allow", "clerk:random"]].concat();
    assert_eq!(it.run(&with_own).stdout(), "1\n");
    assert_eq!(is_pure(), false);
    assert_eq!(it.run(&["replay", "r.car"]).code, Some(0));
}

#[test]
fn what_comes_out_otherwise_is_named() {
    let it = rolled();
    changed(&it, |_, body| body.outcome = Outcome::Ok(Ipld::Integer(4)));
    let said = it.run(&["replay", "changed.car"]);
    assert_eq!(said.code, Some(4), "{said}");
    assert!(
        said.stderr.contains("the outcome is ok ") && said.stderr.contains(", not ok 4"),
        "{said}"
    );
    changed(&it, |_, body| body.meta.memory_peak = 1);
    let said = it.run(&["replay", "changed.car"]);
    assert!(said.stderr.contains("bytes, not 1"), "{said}");
    changed(&it, |_, body| body.meta.fuel = 1);
    let said = it.run(&["replay", "changed.car", "--json"]);
    assert_eq!(said.code, Some(4));
    let message = said.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("the fuel is") && message.ends_with("not 1"),
        "{message}"
    );
    changed(&it, |_, body| {
        body.meta.fuel = 1;
        body.meta.engine = "another/1".to_owned();
    });
    assert_snapshot!(it.run(&["replay", "changed.car"]), @r#"
    the same: outcome and memory peak, with 1 call to entropy played back; fuel was counted by another/1
    --- exit code 0
    "#);
}

#[test]
fn the_first_call_that_differs_is_named() {
    let it = rolled();
    changed(&it, |evidence, _| {
        let heard = evidence.heard.as_mut().unwrap();
        let mut events: Vec<_> = heard.trace.events.iter().collect();
        let Some(Event::Call(call)) = events.first_mut() else {
            panic!("a call");
        };
        call.args = Ipld::List(vec![Ipld::Integer(9)]);
        heard.trace.events = Events::of(events).unwrap();
    });
    assert_snapshot!(it.run(&["replay", "changed.car"]), @r#"
    --- stderr
    error: this run differs from the one that the receipt is about
      because: the trace has call 0, homestar:driver/entropy.bytes by part 1, with [9], and the run makes call 0, homestar:driver/entropy.bytes by part 1, with [8]
    --- exit code 4
    "#);
    changed(&it, |evidence, _| {
        evidence.heard.as_mut().unwrap().trace.events = Events::default();
    });
    assert_snapshot!(it.run(&["replay", "changed.car"]), @r#"
    --- stderr
    error: this run differs from the one that the receipt is about
      because: the trace has ended where the run makes call 0, homestar:driver/entropy.bytes by part 1, with [8]
    --- exit code 4
    "#);
    changed(&it, |evidence, body| {
        evidence.heard = None;
        body.meta.trace = None;
    });
    assert_snapshot!(it.run(&["replay", "changed.car"]), @r#"
    --- stderr
    error: the component asks homestar:driver/entropy, and the receipt says nothing of what it heard
    --- exit code 4
    "#);
}

#[test]
fn a_file_that_was_touched_is_refused() {
    let it = rolled();
    let good = it.read("roll.car");
    for at in (0..good.len())
        .step_by(good.len() / 40)
        .chain([good.len() - 1])
    {
        let mut touched = good.clone();
        touched[at] ^= 1;
        it.put("touched.car", touched);
        for command in [
            &["replay"][..],
            &["receipt", "verify"],
            &["receipt", "show"],
        ] {
            let said = it.run(&[command, &["touched.car"]].concat());
            assert_eq!(
                (said.code, said.stdout()),
                (Some(4), ""),
                "byte {at}: {said}"
            );
        }
    }
    it.put("cut.car", &good[..good.len() - 100]);
    let said = it.run(&["receipt", "verify", "cut.car"]);
    assert_eq!((said.code, said.stdout()), (Some(4), ""), "{said}");
    assert!(
        said.stderr
            .contains("the file ends inside of what begins at byte"),
        "{said}"
    );
}

#[test]
fn another_guest_in_its_place_is_refused() {
    let it = rolled();
    changed(&it, |evidence, _| {
        evidence.component = Component::new(b"\0asm".to_vec())
    });
    assert_snapshot!(it.run(&["receipt", "verify", "changed.car"]), @r#"
    --- stderr
    error: changed.car is not good evidence of a task
      because: the file lacks the component: block bafkr…
    --- exit code 4
    "#);
    changed(&it, |evidence, body| {
        evidence.component = Component::new(b"\0asm".to_vec());
        body.meta.component = *evidence.component.cid();
    });
    let said = it.run(&["replay", "changed.car"]);
    assert!(
        said.stderr
            .contains("the instruction asks for the component"),
        "{said}"
    );
}

#[test]
fn what_can_not_be_run_again_says_so() {
    let it = rolled();
    it.run(&[&ROLL[..], &["--receipt", "roll.receipt"]].concat());
    assert_snapshot!(unrolled(&it.run(&["receipt", "show", "roll.receipt"])), @r#"
    by           did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd
    receipt      bafyr…
    instruction  bafyr…
    component    bafkr…
    function     roll
    outcome      ok …
    pure         no: see the trace
    fuel         …
    memory peak  …
    engine       …
    effect       bafkr…
    trace        bafyr…
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["replay", "roll.receipt"]), @r#"
    --- stderr
    error: roll.receipt holds a receipt and not what it takes to run its task again
    hint: `homestar run … --receipt NAME.car` writes a file that does
    --- exit code 4
    "#);
    changed(&it, |_, body| {
        body.outcome = Outcome::error(Kind::Time, "ran too long")
    });
    assert_snapshot!(it.run(&["replay", "changed.car"]), @r#"
    --- stderr
    error: the task came to its limit of time, and no other run ends at the same moment
    hint: `homestar receipt verify` checks all but that
    --- exit code 4
    "#);
    let file = car::write(&[*Block::raw(vec![]).cid()], []);
    it.put("empty.car", file);
    assert_snapshot!(it.run(&["replay", "empty.car"]), @r#"
    --- stderr
    error: empty.car is not good evidence of a task
      because: the file lacks the receipt: block bafkr…
    --- exit code 4
    "#);
}

/// Answers one request, whatever it is.
fn serve_once(page: &'static str) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
            request.push(byte[0]);
        }
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", page.len());
        stream.write_all((head + page).as_bytes()).unwrap();
    });
    (address, server)
}

#[test]
fn a_page_is_read_again_when_its_server_is_gone() {
    let it = Environment::with(&["fetch"]).with_key();
    let (address, server) = serve_once("how do you do");
    let call = format!("fetch(\"http://{address}/page\")");
    let grant = format!("https=GET http://{address}/page");
    let run = ["run", "fetch.wasm", &call];
    let denied = it.run(&run);
    assert_eq!(denied.code, Some(1), "{denied}");
    assert!(
        denied.stderr.contains("is not granted; it takes `--allow"),
        "{denied}"
    );
    let said = it.run(&[&run[..], &["--allow", &grant, "--receipt", "page.car"]].concat());
    assert_eq!(said.stdout(), "\"200 how do you do\"\n", "{said}");
    server.join().unwrap();
    let said = it.run(&["replay", "page.car"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(
        said.stdout().ends_with("calls to http played back\n"),
        "{said}"
    );
    let facts = it.run(&["receipt", "show", "page.car", "--json"]).json();
    assert_eq!(facts["calls"][0]["name"], "homestar:driver/http.send");
}

#[test]
fn what_a_guest_asked_effects_is_written_for_tests() {
    let it = rolled();
    let elsewhere = Environment::new();
    elsewhere.put("roll.car", it.read("roll.car"));
    assert_snapshot!(elsewhere.run(&["replay", "roll.car", "--fixture", "roll.json"]), @r#"
    the same outcome; 1 call of an effect in roll.json
    --- exit code 0
    "#);
    let text = String::from_utf8(elsewhere.read("roll.json")).unwrap();
    let fixture: serde_json::Value = serde_json::from_str(&text).unwrap();
    let receipt = it.run(&["receipt", "show", "roll.car", "--json"]).json();
    assert_eq!(fixture["receipt"], receipt["receipt"]);
    assert_eq!(fixture["out"], receipt["out"]);
    let call = &fixture["calls"][0];
    assert_eq!(call["call"], "homestar:random/random.u64");
    assert_eq!(call["args"], serde_json::json!([]));
    assert_eq!(call["answer"], fixture["out"]);
    let said = elsewhere.run(&["replay", "roll.car", "--fixture", "roll.json", "--json"]);
    let facts = serde_json::json!({"asked_itself": [], "calls": 1, "file": "roll.json"});
    assert_eq!(said.json()["ok"], facts);
}

#[test]
fn what_has_no_place_in_tests_says_so() {
    let it = Environment::with(&["add", "hostile"]).with_key();
    it.run(&["run", "add.wasm", "add(1, 2)", "--receipt", "sum.car"]);
    assert_snapshot!(it.run(&["replay", "sum.car", "--fixture", "sum.json"]), @r#"
    --- stderr
    error: the task heard nothing from outside
    hint: its tests need nothing in the place of effects
    --- exit code 4
    "#);
    assert!(!it.path("sum.json").exists());

    // What a guest asks by itself is no module's.
    it.put("early.wasm", wat::parse_str(EARLY).unwrap());
    let grants = ["--allow", "random", "--allow", "clock"];
    let run = ["run", "early.wasm", "roll", "--receipt", "early.car"];
    let said = it.run(&[&run[..], &grants].concat());
    assert_eq!(said.code, Some(0), "{said}");
    assert_snapshot!(it.run(&["replay", "early.car", "--fixture", "early.json"]), @r#"
    the same outcome; 1 call of an effect in early.json
    --- stderr
    note: the guest itself asked clock, and no module of an SDK answers that: it isn't in early.json
    --- exit code 0
    "#);
    it.put("early.wasm", wat::parse_str(ALONE).unwrap());
    let said = it.run(&[&run[..], &grants].concat());
    assert_eq!(said.code, Some(0), "{said}");
    assert_snapshot!(it.run(&["replay", "early.car", "--fixture", "early.json"]), @r#"
    --- stderr
    error: the guest asks for no effect that SDKs have a module for
    hint: those are digest, keys, dns, https, random and state
    --- exit code 4
    "#);
}

/// A guest that reads the clock before it is called, and gives random numbers.
const EARLY: &str = r#"(component
    (import "homestar:random/types@0.1.0" (instance $types
        (type $declared (variant (case "denied" string) (case "budget" string) (case "too-many" u32)))
        (export "error" (type (eq $declared)))))
    (alias export $types "error" (type $error))
    (import "homestar:random/random@0.1.0" (instance $random
        (export "u64" (func (result (result u64 (error $error)))))))
    (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
        (export "now" (func (result u64)))))
    (core func $now (canon lower (func $clock "now")))
    (core module $m
        (import "clock" "now" (func $now (result i64)))
        (func $start (drop (call $now)))
        (start $start))
    (core instance (instantiate $m (with "clock" (instance (export "now" (func $now))))))
    (alias export $random "u64" (func $u64))
    (export "roll" (func $u64)))"#;

/// A guest that gives what the clock says.
const ALONE: &str = r#"(component
    (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
        (export "now" (func (result u64)))))
    (core func $now (canon lower (func $clock "now")))
    (core module $m
        (import "clock" "now" (func $now (result i64)))
        (func (export "roll") (result i64) (call $now)))
    (core instance $i (instantiate $m (with "clock" (instance (export "now" (func $now))))))
    (func (export "roll") (result u64) (canon lift (core func $i "roll"))))"#;
