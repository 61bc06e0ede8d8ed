//! Everything a person can get wrong, and what they are told.

use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;

use crate::environment::Environment;

#[test]
fn a_component_that_is_none() {
    let it = Environment::new();
    it.put("empty", "");
    it.put("page", "<!doctype html>");
    it.put("text.wat", "(component)");
    it.put("program", b"\x7fELF\x02");
    it.put("cut.wasm", b"\0asm\x0d\0\x01\0\x07");
    it.put(
        "core.wasm",
        wat::parse_str("(module (func (export \"f\")))").unwrap(),
    );
    it.put("bad.wasm", bad());
    std::fs::create_dir(it.path("folder")).unwrap();
    for name in [
        "none",
        "folder",
        "empty",
        "page",
        "text.wat",
        "program",
        "cut.wasm",
        "core.wasm",
    ] {
        let run = it.run(&["run", name, "f()"]);
        assert_eq!(run.code, Some(4), "{run}");
        assert_eq!(run.to_string(), it.run(&["inspect", name]).to_string());
    }
    assert_snapshot!(it.run(&["run", "none"]), @r#"
    --- stderr
    error: can't read none
      because: No such file or directory (os error 2)
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "folder"]), @r#"
    --- stderr
    error: can't read folder
      because: Is a directory (os error 21)
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "empty"]), @r#"
    --- stderr
    error: not a WebAssembly component: it looks like nothing at all
    hint: `cargo build --target wasm32-wasip2` builds a component
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "text.wat"]), @r#"
    --- stderr
    error: not a WebAssembly component: it looks like WebAssembly text
    hint: `wasm-tools parse FILE -o OUT` turns it into binary
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "program"]), @r#"
    --- stderr
    error: not a WebAssembly component: it looks like a native program (ELF)
    hint: `cargo build --target wasm32-wasip2` builds a component
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "cut.wasm"]), @r#"
    --- stderr
    error: not a valid component
      because: unexpected end-of-file (at offset 0x9)
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "core.wasm"]), @r#"
    --- stderr
    error: a core WebAssembly module, not a component
    hint: `cargo build --target wasm32-wasip2` builds a component
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "bad.wasm"]), @r#"
    --- stderr
    error: not a valid component
      because: failed to compile: wasm[0]::function[0]: WebAssembly translation error: Invalid input WebAssembly code at offset 43: type mismatch: expected i32, found i64
    --- exit code 4
    "#);
}

/// A component whose function doesn't return what its type says.
fn bad() -> Vec<u8> {
    let core = wat::parse_str(r#"(module (func (export "f") (result i32) i32.const 1))"#).unwrap();
    let mut broken = core;
    // The constant becomes a 64-bit one.
    let at = broken.iter().rposition(|byte| *byte == 0x41).unwrap();
    broken[at] = 0x42;
    let mut component = wat::parse_str("(component)").unwrap();
    component.push(1);
    component.push(u8::try_from(broken.len()).unwrap());
    component.extend(broken);
    component
}

#[test]
fn what_is_too_large_is_refused_by_its_size() {
    let it = Environment::new();
    let file = std::fs::File::create(it.path("junk")).unwrap();
    file.set_len(100 << 20).unwrap();
    assert_snapshot!(it.run(&["run", "junk"]), @r#"
    --- stderr
    error: component has 104857600 bytes, more than the 67108864 that are allowed
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["inspect", "junk"]), @r#"
    --- stderr
    error: junk has more than 64 MiB
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["receipt", "show", "junk"]), @r#"
    --- stderr
    error: junk has more than 1 MiB, and no receipt has
    --- exit code 4
    "#);
    assert_eq!(it.run(&["run", "/dev/zero"]).code, Some(4));
}

#[test]
fn an_import_that_nothing_provides() {
    let it = Environment::with(&["needs"]);
    assert_snapshot!(it.run(&["run", "needs.wasm", r#"advice("here")"#]), @r#"
    --- stderr
    error: nothing provides the import `acme:almanac/almanac@0.1.0` with its function `today`
    hint: no effect offers `acme:almanac/almanac@0.1.0`; `homestar effect add FILE` adds one that does
    --- exit code 4
    "#);
}

#[test]
fn a_function_that_is_not_there() {
    let it = Environment::with(&["add", "zoo"]);
    assert_snapshot!(it.run(&["run", "add.wasm", "ad(1, 2)"]), @r#"
    --- stderr
    error: no function `ad`; there is `add`; did you mean `add`?
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "add.wasm", "--func", "multiply", "--args", "[1, 2]"]), @r#"
    --- stderr
    error: no function `multiply`; there is `add`
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "zoo.wasm", "twice(1)"]), @r#"
    --- stderr
    error: `twice` may mean any of `homestar:zoo/numbers@0.1.0#twice`, `homestar:zoo/words@0.1.0#twice`
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "zoo.wasm", "(1)"]), @r#"
    --- stderr
    error: zoo.wasm exports 54 functions, and none was named
    hint: for example `homestar run zoo.wasm 'answer()'`
    --- exit code 2
    "#);
    assert_snapshot!(it.run(&["run", "zoo.wasm", "open(1)"]), @r#"
    --- stderr
    error: `open: func(start: u32) -> own<resource>` uses own<resource>, and a handle lives only as long as the component that made it
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "zoo.wasm", "counter.increment(1)"]), @r#"
    --- stderr
    error: `homestar:zoo/counters@0.1.0#[method]counter.increment` takes or gives a `borrow<resource>`, a handle that can't be passed as data
    --- exit code 4
    "#);
}

#[test]
fn arguments_that_do_not_fit() {
    let it = Environment::with(&["add", "zoo", "text"]);
    it.put("bytes", [b'a', 0xff]);
    for call in [
        "add(1)",
        "add",
        "add(1, -2)",
        "add(1, @none)",
        "add(1, 2",
        "(1, 2",
        "add(1, @bytes)",
        "",
    ] {
        assert_eq!(it.run(&["run", "add.wasm", call]).code, Some(4), "{call}");
    }
    assert_snapshot!(it.run(&["run", "add.wasm", "add(1)"]), @r#"
    --- stderr
    error: `add: func(a: u32, b: u32) -> u32` takes 2 arguments, found 1
    hint: for example `homestar run add.wasm 'add(1, 1)'`
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "add.wasm", "add(1, -2)"]), @r#"
    --- stderr
    error: can't read the argument `b`
      because: expected `u32`, found `-2` at column 1
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "add.wasm", "(1, 2"]), @r#"
    --- stderr
    error: can't read the call
      because: expected `,` or `)` at column 6
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "add.wasm", "add(1, @none)"]), @r#"
    --- stderr
    error: can't read none
      because: No such file or directory (os error 2)
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "text.wasm", "word-count(@bytes)"]), @r#"
    --- stderr
    error: bytes is not UTF-8 text: see byte 1
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "zoo.wasm", "echo-point({x: 1, z: 2})"]), @r#"
    --- stderr
    error: can't read the argument `value`
      because: unknown field `z` at column 11
    --- exit code 4
    "#);
}

#[test]
fn arguments_in_json_that_do_not_fit() {
    let it = Environment::with(&["add", "zoo"]);
    assert_snapshot!(it.run(&["run", "add.wasm", "--args", "[1, 2"]), @r#"
    --- stderr
    error: can't read --args
      because: line 1, column 6: the text ends early
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "add.wasm", "--args", "1"]), @r#"
    --- stderr
    error: --args is not a list
    hint: one argument is a list of one, such as '[1]'
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "add.wasm", "--args", "[1]"]), @r#"
    --- stderr
    error: `add: func(a: u32, b: u32) -> u32` takes 2 arguments, found 1
    hint: for example `homestar run add.wasm 'add(1, 1)'`
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "add.wasm", "--args", "[1, \"2\"]"]), @r#"
    --- stderr
    error: expected `u32` at `b`, found string "2"
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "add.wasm", "--args", "@none"]), @r#"
    --- stderr
    error: can't read none
      because: No such file or directory (os error 2)
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "zoo.wasm", "echo-point", "--args", r#"[{"X": 1, "y": 2}]"#]), @r#"
    --- stderr
    error: expected `record { x: f64, y: f64 }` at `value`, found unknown key "X"; did you mean `x`?
    --- exit code 4
    "#);
}

#[test]
fn options_that_make_no_sense() {
    let it = Environment::with(&["add"]);
    let run = |more: &[&str]| it.run(&[&["run", "add.wasm"], more].concat());
    assert_snapshot!(it.run(&["rum"]), @r#"
    --- stderr
    error: unrecognized subcommand 'rum'

      tip: some similar subcommands exist: 'runs', 'run'

    Usage: homestar <COMMAND>

    For more information, try '--help'.
    --- exit code 2
    "#);
    assert_snapshot!(it.run(&["run"]), @r#"
    --- stderr
    error: the following required arguments were not provided:
      <COMPONENT>

    Usage: homestar run <COMPONENT> [CALL] [-- <ARGS>...]

    For more information, try '--help'.
    --- exit code 2
    "#);
    assert_snapshot!(run(&["add(1, 2)", "--args", "[1, 2]"]), @r#"
    --- stderr
    error: the arguments stand in the call and in --args
    --- exit code 2
    "#);
    assert_snapshot!(run(&["add(1, 2)", "--func", "add"]), @r#"
    --- stderr
    error: the argument '[CALL]' cannot be used with '--func <NAME>'

    Usage: homestar run <COMPONENT> <CALL> [-- <ARGS>...]

    For more information, try '--help'.
    --- exit code 2
    "#);
    assert_snapshot!(run(&["add(1, 2)", "--fuel", "lots"]), @r#"
    --- stderr
    error: invalid value 'lots' for '--fuel <UNITS>': not fuel such as 2_000_000, 500k, 10M, 3G or 1T

    For more information, try '--help'.
    --- exit code 2
    "#);
    assert_snapshot!(run(&["add(1, 2)", "--memory", "64M"]), @r#"
    --- stderr
    error: invalid value '64M' for '--memory <SIZE>': not a size such as 4096, 512KiB, 64MiB or 1GB

    For more information, try '--help'.
    --- exit code 2
    "#);
    assert_snapshot!(run(&["add(1, 2)", "--time", "5"]), @r#"
    --- stderr
    error: invalid value '5' for '--time <TIME>': not a time such as 200ms, 1.5s, 2m or 1h

    For more information, try '--help'.
    --- exit code 2
    "#);
    assert_eq!(run(&["add(1, 2)", "--json", "-o", "x"]).code, Some(2));
}

#[test]
fn files_that_can_not_be_written() {
    let it = Environment::with(&["add"]).with_key();
    let call = ["run", "add.wasm", "add(1, 2)"];
    assert_snapshot!(it.run(&[&call[..], &["-o", "no/such"]].concat()), @r#"
    --- stderr
    error: can't write no/such
      because: No such file or directory (os error 2)
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&[&call[..], &["--receipt", "no/such"]].concat()), @r#"
    --- stderr
    error: can't write no/such
      because: No such file or directory (os error 2)
    --- exit code 4
    "#);
}

#[test]
fn without_a_home_it_runs_without_the_cache_and_says_so() {
    let it = Environment::with(&["add"]);
    let call = ["run", "add.wasm", "add(1, 2)"];
    let mut homeless = it.command(&call);
    homeless.env("HOME", ".").env_remove("XDG_CACHE_HOME");
    assert_snapshot!(it.said(&mut homeless), @r#"
    3
    --- stderr
    warning: compiled code is not kept: no home directory: neither HOMESTAR_HOME nor HOME is set to an absolute path
    --- exit code 0
    "#);
    let mut homeless = it.command(&["key", "show"]);
    homeless.env("HOME", ".");
    assert_snapshot!(it.said(&mut homeless), @r#"
    --- stderr
    error: no home directory: neither HOMESTAR_HOME nor HOME is set to an absolute path
    --- exit code 4
    "#);

    let open = it.path("open");
    std::fs::create_dir_all(open.join("homestar/code")).unwrap();
    let everyone = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(open.join("homestar/code"), everyone).unwrap();
    assert_snapshot!(it.said(it.command(&call).env("XDG_CACHE_HOME", open)), @r#"
    3
    --- stderr
    warning: compiled code is not kept: cache folder $HOME/open/homestar/code can't be used: others may write to it (`chmod go-w` would close it)
    --- exit code 0
    "#);
    assert_snapshot!(it.said(it.command(&call).env("XDG_CACHE_HOME", "/dev/null")), @r#"
    3
    --- stderr
    warning: compiled code is not kept: cache folder /dev/null/homestar/code can't be used: Not a directory (os error 20)
    --- exit code 0
    "#);
}
