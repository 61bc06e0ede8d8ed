//! How results are printed and written.

use std::fs::File;

use insta::assert_snapshot;

use crate::environment::Environment;

#[test]
fn strings_are_quoted_unless_raw() {
    let it = Environment::with(&["zoo"]);
    let call = r#"echo-string("a\n\"b\"")"#;
    assert_snapshot!(it.run(&["run", "zoo.wasm", call]), @r#"
    "a\n\"b\""
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["run", "zoo.wasm", call, "--raw"]), @r#"
    a
    "b"
    --- exit code 0
    "#);
    assert_eq!(
        it.run(&["run", "zoo.wasm", call, "-o", "text"]).code,
        Some(0)
    );
    assert_eq!(it.read("text"), b"a\n\"b\"");
}

#[test]
fn other_values_are_written_as_wave() {
    let it = Environment::with(&["zoo"]);
    let said = it.run(&["run", "zoo.wasm", "echo-color(dark-grey)", "-o", "color"]);
    assert_snapshot!(said, @r#"--- exit code 0"#);
    assert_eq!(it.read("color"), b"dark-grey\n");
}

#[test]
fn json_is_one_object() {
    let it = Environment::with(&["zoo", "image", "needs", "hostile"]);
    it.put("text", "no picture");
    assert_snapshot!(it.run(&["run", "zoo.wasm", "echo-bytes([1, 2])", "--json"]), @r#"
    {"ok":{"/":{"bytes":"AQI"}}}
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["run", "zoo.wasm", "nothing", "--json"]), @r#"
    {"ok":null}
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["run", "zoo.wasm", "echo-f64(nan)", "--json"]), @r#"
    {"ok":"nan"}
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["run", "image.wasm", "rotate90(@text)", "--json"]), @r#"
    {"error":{"kind":"guest","message":"decode(\"The image format could not be determined\")","value":{"decode":"The image format could not be determined"}}}
    --- exit code 1
    "#);
    assert_snapshot!(it.run(&["run", "zoo.wasm", "twice(1)", "--json"]), @r#"
    {"error":{"kind":"input","message":"`twice` may mean any of `homestar:zoo/numbers@0.1.0#twice`, `homestar:zoo/words@0.1.0#twice`"}}
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "needs.wasm", "--json"]), @r#"
    {"error":{"kind":"input","message":"nothing provides the import `acme:almanac/almanac@0.1.0` with its function `today`"}}
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "none.wasm", "--json"]), @r#"
    {"error":{"kind":"input","message":"can't read none.wasm: No such file or directory (os error 2)"}}
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["run", "hostile.wasm", "spin", "--fuel", "1M", "--json"]), @r#"
    {"error":{"kind":"fuel","message":"used up its 1000000 units of fuel"}}
    --- exit code 3
    "#);
    let logged = it.run(&["run", "hostile.wasm", "panic(\"told\")", "--json"]);
    assert_eq!(logged.json()["error"]["kind"], "trap");
    assert!(logged.stderr.contains("told"), "{logged}");
}

#[test]
fn a_photograph_becomes_a_picture() {
    let it = Environment::with(&["image"]);
    let cat = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/image/cat.png");
    it.put("cat.png", std::fs::read(cat).unwrap());
    let call = ["run", "image.wasm", "crop(@cat.png, 120, 40, 200, 180)"];
    let said = it.run(&[&call[..], &["-o", "face.png"]].concat());
    assert_snapshot!(said, @r#"--- exit code 0"#);
    let face = it.read("face.png");
    assert!(face.starts_with(b"\x89PNG\r\n\x1a\n"));
    // Width and height stand after the length and name of the first chunk.
    assert_eq!(face[16..24], [0, 0, 0, 200, 0, 0, 0, 180]);
    assert_eq!(it.run(&call).stdout, face);
}

#[test]
fn the_guests_own_error() {
    let it = Environment::with(&["image", "zoo"]);
    let cat = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/image/cat.png");
    it.put("cat.png", std::fs::read(cat).unwrap());
    assert_snapshot!(it.run(&["run", "image.wasm", "crop(@cat.png, 0, 0, 1000, 1)"]), @r#"
    --- stderr
    error: the guest returned the error bounds({x: 0, y: 0, width: 1000, height: 1, image-width: 451, image-height: 300})
    --- exit code 1
    "#);
    assert_snapshot!(it.run(&["run", "zoo.wasm", "fail(\"\u{1b}[31mred\")"]), @r#"
    --- stderr
    error: the guest returned the error "\u{1b}[31mred"
    --- exit code 1
    "#);
    assert_eq!(
        it.run(&["run", "image.wasm", "blur(@cat.png, -1)", "-o", "no.png"])
            .code,
        Some(1)
    );
    assert!(!it.path("no.png").exists());
}

#[test]
fn a_full_disk_is_said() {
    let it = Environment::with(&["add", "cli"]);
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let call = ["run", "add.wasm", "add(1, 2)"];
    assert_snapshot!(it.said(it.command(&call).stdout(full())), @r#"
    --- stderr
    error: can't write to standard output
      because: No space left on device (os error 28)
    --- exit code 5
    "#);
    assert_snapshot!(it.said(it.command(&["run", "cli.wasm"]).stdout(full())), @r#"
    --- stderr
    error: can't write to standard output
      because: No space left on device (os error 28)
    --- exit code 5
    "#);
}

#[test]
fn what_it_cost() {
    let it = Environment::with(&["add"]).with_key();
    assert_snapshot!(it.run(&["run", "add.wasm", "add(1, 2)", "--stats"]), @r#"
    3
    --- stderr
    component    bafkr…
    instruction  bafyr…
    receipt      bafyr…
    fuel         …
    memory peak  …
    code         …
    start        …
    run          …
    --- exit code 0
    "#);
}

/// A value of any shape is written and shown as DAG-JSON.
#[test]
fn a_value_may_be_anything() {
    let it = Environment::with(&["shapes"]);
    let twice = |args: &[&str]| it.run(&[&["run", "shapes.wasm"], args].concat());
    assert_eq!(twice(&["twice([1, 2.5, true])"]).stdout(), "[2,2.5,true]\n");
    let json = r#"[{"a": {"/": {"bytes": "AQI"}}, "b": [1, null]}]"#;
    let doubled = "{\"a\":{\"/\":{\"bytes\":\"AQI\"}},\"b\":[2,null]}\n";
    assert_eq!(twice(&["twice", "--args", json]).stdout(), doubled);
    let said = twice(&[r#"twice("{\"b\": 1}")"#]);
    assert_eq!(said.stdout(), "{\"b\":2}\n");
    assert_snapshot!(twice(&["twice({b: 1})"]), @r#"
    --- stderr
    error: can't read the argument `of`
      because: what isn't DAG-JSON is written as a string of it: line 1, column 2: expected a key at column 1
    --- exit code 4
    "#);
    let said = twice(&[r#"find("{}", ["", "a"])"#]);
    assert_eq!(
        said.stdout(),
        "(\"bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua\", [some(\"{}\"), none])\n"
    );
}
