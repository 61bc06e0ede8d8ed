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
    for name in ["none", "folder", "empty", "page", "text.wat", "program", "cut.wasm", "core.wasm"] {
        let run = it.run(&["run", name, "f()"]);
        assert_eq!(run.code, Some(4), "{run}");
        assert_eq!(run.to_string(), it.run(&["inspect", name]).to_string());
    }
    assert_snapshot!(it.run(&["run", "none"]), @"");
    assert_snapshot!(it.run(&["run", "folder"]), @"");
    assert_snapshot!(it.run(&["run", "empty"]), @"");
    assert_snapshot!(it.run(&["run", "text.wat"]), @"");
    assert_snapshot!(it.run(&["run", "program"]), @"");
    assert_snapshot!(it.run(&["run", "cut.wasm"]), @"");
    assert_snapshot!(it.run(&["run", "core.wasm"]), @"");
    assert_snapshot!(it.run(&["run", "bad.wasm"]), @"");
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
    assert_snapshot!(it.run(&["run", "junk"]), @"");
    assert_snapshot!(it.run(&["inspect", "junk"]), @"");
    assert_snapshot!(it.run(&["receipt", "show", "junk"]), @"");
    assert_eq!(it.run(&["run", "/dev/zero"]).code, Some(4));
}

#[test]
fn an_import_that_nothing_provides() {
    let it = Environment::with(&["needs"]);
    assert_snapshot!(it.run(&["run", "needs.wasm", r#"advice("here")"#]), @"");
}

#[test]
fn a_function_that_is_not_there() {
    let it = Environment::with(&["add", "zoo"]);
    assert_snapshot!(it.run(&["run", "add.wasm", "ad(1, 2)"]), @"");
    assert_snapshot!(it.run(&["run", "add.wasm", "--func", "multiply", "--args", "[1, 2]"]), @"");
    assert_snapshot!(it.run(&["run", "zoo.wasm", "twice(1)"]), @"");
    assert_snapshot!(it.run(&["run", "zoo.wasm", "(1)"]), @"");
    assert_snapshot!(it.run(&["run", "zoo.wasm", "open(1)"]), @"");
    assert_snapshot!(it.run(&["run", "zoo.wasm", "counter.increment(1)"]), @"");
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
    assert_snapshot!(it.run(&["run", "add.wasm", "add(1)"]), @"");
    assert_snapshot!(it.run(&["run", "add.wasm", "add(1, -2)"]), @"");
    assert_snapshot!(it.run(&["run", "add.wasm", "(1, 2"]), @"");
    assert_snapshot!(it.run(&["run", "add.wasm", "add(1, @none)"]), @"");
    assert_snapshot!(it.run(&["run", "text.wasm", "word-count(@bytes)"]), @"");
    assert_snapshot!(it.run(&["run", "zoo.wasm", "echo-point({x: 1, z: 2})"]), @"");
}

#[test]
fn arguments_in_json_that_do_not_fit() {
    let it = Environment::with(&["add", "zoo"]);
    assert_snapshot!(it.run(&["run", "add.wasm", "--args", "[1, 2"]), @"");
    assert_snapshot!(it.run(&["run", "add.wasm", "--args", "1"]), @"");
    assert_snapshot!(it.run(&["run", "add.wasm", "--args", "[1]"]), @"");
    assert_snapshot!(it.run(&["run", "add.wasm", "--args", "[1, \"2\"]"]), @"");
    assert_snapshot!(it.run(&["run", "add.wasm", "--args", "@none"]), @"");
    assert_snapshot!(it.run(&["run", "zoo.wasm", "echo-point", "--args", r#"[{"X": 1, "y": 2}]"#]), @"");
}

#[test]
fn options_that_make_no_sense() {
    let it = Environment::with(&["add"]);
    let run = |more: &[&str]| it.run(&[&["run", "add.wasm"], more].concat());
    assert_snapshot!(it.run(&["rum"]), @"");
    assert_snapshot!(it.run(&["run"]), @"");
    assert_snapshot!(run(&["add(1, 2)", "--args", "[1, 2]"]), @"");
    assert_snapshot!(run(&["add(1, 2)", "--func", "add"]), @"");
    assert_snapshot!(run(&["add(1, 2)", "--fuel", "lots"]), @"");
    assert_snapshot!(run(&["add(1, 2)", "--memory", "64M"]), @"");
    assert_snapshot!(run(&["add(1, 2)", "--time", "5"]), @"");
    assert_eq!(run(&["add(1, 2)", "--json", "-o", "x"]).code, Some(2));
}

#[test]
fn files_that_can_not_be_written() {
    let it = Environment::with(&["add"]).with_key();
    let call = ["run", "add.wasm", "add(1, 2)"];
    assert_snapshot!(it.run(&[&call[..], &["-o", "no/such"]].concat()), @"");
    assert_snapshot!(it.run(&[&call[..], &["--receipt", "no/such"]].concat()), @"");
}

#[test]
fn without_a_home_it_runs_without_the_cache_and_says_so() {
    let it = Environment::with(&["add"]);
    let call = ["run", "add.wasm", "add(1, 2)"];
    let mut homeless = it.command(&call);
    homeless.env("HOME", "").env_remove("XDG_CACHE_HOME");
    assert_snapshot!(it.said(&mut homeless), @"");
    let mut homeless = it.command(&["key", "show"]);
    homeless.env("HOME", "");
    assert_snapshot!(it.said(&mut homeless), @"");

    let open = it.path("open");
    std::fs::create_dir_all(open.join("homestar/code")).unwrap();
    let everyone = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(open.join("homestar/code"), everyone).unwrap();
    assert_snapshot!(it.said(it.command(&call).env("XDG_CACHE_HOME", open)), @"");
    assert_snapshot!(it.said(it.command(&call).env("XDG_CACHE_HOME", "/dev/null")), @"");
}
