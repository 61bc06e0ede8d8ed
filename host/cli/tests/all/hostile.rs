//! Guests and components that misbehave, and how they are stopped.

use insta::assert_snapshot;

use crate::environment::{Environment, Said};

fn ends(arguments: &[&str]) -> Said {
    let it = Environment::with(&["hostile"]);
    let run = [&["run", "hostile.wasm"], arguments].concat();
    let json = it.run(&[&run[..], &["--json"]].concat());
    let said = it.run(&run);
    assert_eq!((said.code, json.code), (Some(3), Some(3)), "{said}");
    let kind = json.json()["error"]["kind"].as_str().unwrap().to_owned();
    let mut said = said;
    said.stdout.extend(format!("kind {kind}\n").bytes());
    said
}

#[test]
fn each_limit_has_its_end() {
    assert_snapshot!(ends(&["spin()", "--time", "200ms"]), @r#"
    kind time
    --- stderr
    error: the guest did not end within 200ms
    hint: `--time` allows more
    --- exit code 3
    "#);
    assert_snapshot!(ends(&["spin()", "--fuel", "1_000_000"]), @r#"
    kind fuel
    --- stderr
    error: the guest used up its 1000000 units of fuel
    hint: `--fuel` allows more
    --- exit code 3
    "#);
    assert_snapshot!(ends(&["bomb()", "--memory", "64MiB"]), @r#"
    kind memory
    --- stderr
    error: the guest asked for more than its 64 MiB of memory
    hint: `--memory` allows more
    --- exit code 3
    "#);
    assert_snapshot!(ends(&["huge-output(101)", "--output-limit", "100"]), @r#"
    kind output
    --- stderr
    error: the guest returned more than 100 bytes
    hint: `--output-limit` allows more
    --- exit code 3
    "#);
    let flood = ends(&["flood()", "--log-limit", "60B"]);
    assert_snapshot!(flood, @r#"
    kind log
    --- stderr
    all work and no play makes a dull guest
    all play and no work
    error: the guest logged more than 60 bytes
    hint: `--log-limit` allows more
    --- exit code 3
    "#);
}

#[test]
fn traps() {
    assert_snapshot!(ends(&["trap()"]), @r#"
    kind trap
    --- stderr
    error: the guest trapped: wasm `unreachable` instruction executed
      in trap
    --- exit code 3
    "#);
    assert_eq!(ends(&["oob()"]).stdout(), "kind trap\n");
    assert_eq!(ends(&["divide-by-zero(1)"]).stdout(), "kind trap\n");
    assert_eq!(ends(&["bad-call()"]).stdout(), "kind trap\n");
    // Rust keeps part of its stack in memory, and which part ends first is the compiler's choice.
    let deep = ends(&["deep()"]);
    assert!(
        ["kind trap\n", "kind stack\n"].contains(&deep.stdout()),
        "{deep}"
    );
}

#[test]
fn calls_too_deep_in_each_other() {
    let it = Environment::new();
    let text = r#"(component
        (core module $m (func $f (export "f") call $f))
        (core instance $i (instantiate $m))
        (func (export "f") (canon lift (core func $i "f"))))"#;
    it.put("deep.wasm", wat::parse_str(text).unwrap());
    let said = it.run(&["run", "deep.wasm", "--json"]);
    assert_eq!(said.json()["error"]["kind"], "stack");
    assert_eq!(said.code, Some(3));
}

/// A function of which the compiler has the more to do the longer it looks at it: each of many loops may change
/// each of many variables.
fn endless_to_compile() -> Vec<u8> {
    const VARIABLES: usize = 1_000;
    const LOOPS: usize = 1_500;
    let mut text = String::from("(component (core module $m (func (export \"f\") (param i32)");
    text += &" (local i64)".repeat(VARIABLES);
    for at in 0..LOOPS {
        let (to, from) = (1 + at % VARIABLES, 1 + (at * 7) % VARIABLES);
        text += &format!(" (loop (local.set {to} (i64.add (local.get {from}) (local.get {to})))");
    }
    for at in 0..LOOPS {
        let variable = 1 + (at * 13) % VARIABLES;
        text += &format!(
            " (br_if 0 (i64.eqz (local.get {variable}))) (local.set {variable} (i64.const {at})))"
        );
    }
    text += "))
        (core instance $i (instantiate $m))
        (func (export \"f\") (param \"x\" u32) (canon lift (core func $i \"f\"))))";
    wat::parse_str(text).unwrap()
}

#[test]
fn a_component_that_compiles_for_too_long() {
    let it = Environment::new();
    it.put("endless.wasm", endless_to_compile());
    let inspected = it.run(&["inspect", "endless.wasm"]);
    assert_eq!(inspected.code, Some(0), "{inspected}");
    let run = ["run", "endless.wasm", "f(1)", "--compile-time", "500ms"];
    assert_snapshot!(it.run(&run), @r#"
    --- stderr
    error: compiling took longer than 0.5 seconds
    hint: `--compile-time` gives it longer
    --- exit code 4
    "#);
}

#[test]
fn a_component_that_takes_too_much_to_compile() {
    let it = Environment::new();
    it.put("endless.wasm", endless_to_compile());
    let limit = ["--compile-memory", "256MiB", "--no-cache"];
    let said = it.run(&[&["run", "endless.wasm", "f(1)"], &limit[..]].concat());
    let expected = "error: compiling needed more than 268435456 bytes of memory, or failed: ";
    assert!(
        said.code == Some(4) && said.stderr.starts_with(expected),
        "{said}"
    );
}
