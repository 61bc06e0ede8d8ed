//! Receipts: the same for the same, and none for a changed byte.

use insta::assert_snapshot;

use crate::environment::Environment;

#[test]
fn a_receipt_says_who_what_and_how_it_ended() {
    let it = Environment::with(&["add"]).with_key();
    let run = ["run", "add.wasm", "add(1, 2)", "--receipt", "sum.receipt"];
    assert_snapshot!(it.run(&run), @r#"
    3
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["receipt", "show", "sum.receipt"]), @r#"
    by           did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd
    receipt      bafyr…
    instruction  bafyr…
    component    bafkr…
    function     add
    outcome      ok 3
    pure         yes
    fuel         …
    memory peak  …
    engine       …
    --- exit code 0
    "#);
    assert_snapshot!(it.run(&["receipt", "verify", "sum.receipt"]), @r#"
    signature    good
    by           did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd
    receipt      bafyr…
    instruction  bafyr…
    component    bafkr…
    function     add
    outcome      ok 3
    pure         yes
    fuel         …
    memory peak  …
    engine       …
    --- exit code 0
    "#);
    let facts = it
        .run(&["receipt", "verify", "sum.receipt", "--json"])
        .json();
    assert_eq!(facts["out"], serde_json::json!({"ok": 3}));
    assert_eq!(facts["meta"]["func"], "add");
    let component = it.run(&["inspect", "add.wasm", "--json"]).json();
    assert_eq!(facts["meta"]["component"]["/"], component["component"]);
}

#[test]
fn the_same_task_has_the_same_receipt() {
    let it = Environment::with(&["hello", "cli"]).with_key();
    it.put("text", "a b c");
    let tasks: [&[&str]; 3] = [
        &["run", "hello.wasm", "greet(\"you\")"],
        &["run", "cli.wasm", "--stdin", "text", "--", "-w"],
        &["run", "cli.wasm", "--", "-x"],
    ];
    for task in tasks {
        it.run(&[task, &["--receipt", "warm"]].concat());
        let (options, arguments) = match task.iter().position(|word| *word == "--") {
            Some(at) => task.split_at(at),
            None => (task, &[][..]),
        };
        for (name, option) in [("again", None), ("cold", Some("--no-cache"))] {
            let mut run = options.to_vec();
            run.extend(["--receipt", name]);
            run.extend(option);
            run.extend(arguments);
            it.run(&run);
        }
        assert_eq!(it.read("again"), it.read("cold"), "{task:?}");
        std::fs::remove_file(it.path("again")).unwrap();
        std::fs::remove_file(it.path("cold")).unwrap();
    }
}

#[test]
fn however_a_call_is_written_it_is_the_same_task() {
    let it = Environment::with(&["zoo"]).with_key();
    let receipt = |arguments: &[&str]| {
        let run = [&["run", "zoo.wasm"], arguments, &["--receipt", "r"]].concat();
        let said = it.run(&run);
        assert_eq!(said.code, Some(0), "{said}");
        it.read("r")
    };
    let one = receipt(&["echo-bytes([1, 2])"]);
    assert_eq!(one, receipt(&["homestar:zoo/echo.echoBytes([1,2])"]));
    assert_eq!(one, receipt(&["echo-bytes", "--args", "[[1, 2]]"]));
    assert_eq!(
        one,
        receipt(&["echo-bytes", "--args", r#"[{"/":{"bytes":"AQI"}}]"#])
    );
    it.put("bytes", [1, 2]);
    assert_eq!(one, receipt(&["echo-bytes(@bytes)"]));
}

#[test]
fn failures_have_receipts_too() {
    let it = Environment::with(&["hostile", "zoo"]).with_key();
    let outcome = |arguments: &[&str]| {
        it.run(&[arguments, &["--receipt", "r"]].concat());
        let facts = it.run(&["receipt", "show", "r", "--json"]).json();
        std::fs::remove_file(it.path("r")).unwrap();
        facts["out"]["error"]["kind"].as_str().unwrap().to_owned()
    };
    assert_eq!(outcome(&["run", "hostile.wasm", "trap"]), "trap");
    assert_eq!(
        outcome(&["run", "hostile.wasm", "spin", "--fuel", "1k"]),
        "fuel"
    );
    assert_eq!(outcome(&["run", "zoo.wasm", "fail(\"no\")"]), "guest");
    let run = ["run", "zoo.wasm", "fail(\"no\")", "--receipt", "r"];
    assert_eq!(it.run(&run).code, Some(1));
    assert_snapshot!(it.run(&["receipt", "verify", "r"]), @r#"
    signature    good
    by           did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd
    receipt      bafyr…
    instruction  bafyr…
    component    bafkr…
    function     homestar:zoo/echo@0.1.0#fail
    outcome      error guest "\"no\""
    pure         yes
    fuel         …
    memory peak  …
    engine       …
    --- exit code 0
    "#);
}

#[test]
fn a_large_result_is_linked() {
    let it = Environment::with(&["hostile"]).with_key();
    let run = [
        "run",
        "hostile.wasm",
        "huge-output(1000000)",
        "--receipt",
        "r",
    ];
    assert_eq!(it.run(&run).stdout.len(), 1_000_000);
    let facts = it.run(&["receipt", "verify", "r", "--json"]).json();
    assert!(facts["out"]["ok"]["/"].is_string(), "{facts}");
}

#[test]
fn a_changed_byte_is_refused() {
    let it = Environment::with(&["add"]).with_key();
    it.run(&["run", "add.wasm", "add(1, 2)", "--receipt", "good"]);
    let good = it.read("good");
    for at in (0..good.len()).step_by(37).chain([good.len() - 1]) {
        let mut changed = good.clone();
        changed[at] ^= 1;
        it.put("changed", changed);
        for verb in ["verify", "show"] {
            let said = it.run(&["receipt", verb, "changed"]);
            assert_eq!(
                (said.code, said.stdout()),
                (Some(4), ""),
                "byte {at}: {said}"
            );
        }
    }
    let mut changed = good;
    *changed.last_mut().unwrap() ^= 1;
    it.put("changed", changed);
    let said = it.run(&["receipt", "verify", "changed", "--json"]);
    assert_eq!(said.json()["error"]["kind"], "input");
    it.put("text", "no receipt");
    assert_snapshot!(it.run(&["receipt", "verify", "text"]), @r#"
    --- stderr
    error: text is not a good receipt
      because: a token is not strict DAG-CBOR
      because: byte 10: the input ends early
    --- exit code 4
    "#);
    assert_snapshot!(it.run(&["receipt", "show", "none"]), @r#"
    --- stderr
    error: can't read none
      because: No such file or directory (os error 2)
    --- exit code 4
    "#);
}
