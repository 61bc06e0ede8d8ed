//! Calling functions: how a call and its arguments can be written.

use insta::assert_snapshot;

use crate::environment::Environment;

#[test]
fn a_call_in_wave() {
    let it = Environment::with(&["add", "hello", "zoo"]);
    assert_snapshot!(it.run(&["run", "add.wasm", "add(1, 2)"]), @r#"
    3
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["run", "hello.wasm", r#"greet("you")"#]), @r#"
    "Hello, you!"
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["run", "zoo.wasm", "echo-point({x: 1, y: -0.5})"]), @r#"
    {x: 1, y: -0.5}
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["run", "zoo.wasm", "nothing"]), @r#"--- exit code 0"#);
    assert_snapshot!(it.run(&["run", "zoo.wasm", "homestar:zoo/numbers.twice(21)"]), @r#"
    42
    --- exit code 0
    "#);
}

#[test]
fn the_only_function_needs_no_name() {
    let it = Environment::with(&["add"]);
    let three = it.run(&["run", "add.wasm", "add(1, 2)"]);
    for arguments in [
        &["run", "add.wasm", "(1, 2)"][..],
        &["run", "add.wasm", "--args", "[1, 2]"],
        &["run", "add.wasm", "--func", "add", "--args", "[1, 2]"],
        &["run", "add.wasm", "add", "--args", "[1, 2]"],
    ] {
        assert_eq!(it.run(arguments).to_string(), three.to_string());
    }
}

#[test]
fn a_component_with_one_function_without_parameters_just_runs() {
    let it = Environment::new();
    it.put("five.wasm", five());
    assert_snapshot!(it.run(&["run", "five.wasm"]), @r#"
    5
    --- exit code 0
    "#);
}

fn five() -> Vec<u8> {
    let text = r#"(component
        (core module $m (func (export "five") (result i32) i32.const 5))
        (core instance $i (instantiate $m))
        (func (export "five") (result u32) (canon lift (core func $i "five"))))"#;
    wat::parse_str(text).unwrap()
}

#[test]
fn arguments_from_files() {
    let it = Environment::with(&["text", "zoo", "add"]);
    it.put("a, b.txt", "one two two");
    it.put("bytes", [0, 255, 10]);
    it.put("point", " {x: 1, y: 2}\n");
    it.put("args.json", "[3,\n 4]");
    assert_snapshot!(it.run(&["run", "text.wasm", r#"word-counts(@"a, b.txt")"#]), @r#"
    [("two", 2), ("one", 1)]
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["run", "zoo.wasm", "echo-point(@point)"]), @r#"
    {x: 1, y: 2}
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["run", "add.wasm", "--args", "@args.json"]), @r#"
    7
    --- exit code 0
    "#);
    assert_eq!(
        it.run(&["run", "zoo.wasm", "echo-bytes(@bytes)"]).stdout,
        [0, 255, 10]
    );
}

#[test]
fn arguments_from_standard_input() {
    let it = Environment::with(&["text", "add"]);
    assert_snapshot!(it.run_with(&["run", "text.wasm", "word-count(@-)"], b"a b c"), @r#"
    3
    --- exit code 0
    "#);
    assert_snapshot!(it.run_with(&["run", "add.wasm", "--args", "@-"], b"[20, 22]"), @r#"
    42
    --- exit code 0
    "#);
    assert_snapshot!(it.run_with(&["run", "add.wasm", "add(@-, @-)"], b"1"), @r#"
    --- stderr
    error: standard input can't be the argument `b`: it is the argument `a` already
    --- exit code 2
    "#);
}

#[test]
fn a_component_from_standard_input() {
    let it = Environment::with(&["add"]);
    let component = it.read("add.wasm");
    assert_snapshot!(it.run_with(&["run", "-", "add(1, 2)"], &component), @r#"
    3
    --- exit code 0
    "#);
    assert_snapshot!(it.run_with(&["run", "-", "add(1, @-)"], &component), @r#"
    --- stderr
    error: standard input can't be the argument `b`: it is the component already
    --- exit code 2
    "#);
}

#[test]
fn without_a_call_the_functions_are_listed() {
    let it = Environment::with(&["add", "text"]);
    assert_snapshot!(it.run(&["run", "add.wasm"]), @r#"
    add.wasm exports
      add: func(a: u32, b: u32) -> u32

    For example: homestar run add.wasm 'add(1, 1)'
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["run", "text.wasm"]), @r#"
    text.wasm exports
      word-counts: func(text: string) -> list<tuple<string, u64>>
      word-count: func(text: string) -> u64
      line-count: func(text: string) -> u64
      longest-word: func(text: string) -> option<string>
      sum: func(counts: list<u64>) -> u64

    For example: homestar run text.wasm 'word-counts("text")'
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["run", "add.wasm", "--json"]), @r#"
    {"ok":[{"name":"add","type":"add: func(a: u32, b: u32) -> u32"}]}
    --- exit code 0
    "#);
}

#[test]
fn a_core_module_with_a_component_type_runs() {
    let it = Environment::with(&["plain"]);
    assert_snapshot!(it.run(&["run", "plain.wasm", "multiply(6, 7)"]), @r#"
    42
    --- exit code 0
    "#);
}

#[test]
fn async_functions_run() {
    let it = Environment::with(&["asynchronous"]);
    let listed = it.run(&["inspect", "asynchronous.wasm"]);
    assert!(listed.stdout().contains("async func"), "{listed}");
}

#[test]
fn arguments_larger_than_a_block() {
    let it = Environment::with(&["text"]).with_key();
    it.put("large.txt", "word ".repeat(1 << 20));
    let call = [
        "run",
        "text.wasm",
        "word-count(@large.txt)",
        "--receipt",
        "r",
    ];
    assert_snapshot!(it.run(&call), @r#"
    1048576
    --- exit code 0
    "#);
    assert_eq!(it.run(&["receipt", "verify", "r"]).code, Some(0));
}
