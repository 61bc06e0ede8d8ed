//! What SDKs cost over bare bindings, in fuel, which is the same on every machine: a whole task, start of the instance and
//! first call. `docs/performance.md` has what is reached.

use std::fs;

use crate::projects::{Projects, has, root};

/// Tasks as small as they get, and the most that each may cost, in hundredths of what it costs with bare bindings.
type Calls = [(&'static str, u64); 3];

fn source(name: &str) -> String {
    let path = root().join("host/cli/tests/projects/overhead").join(name);
    fs::read_to_string(path).unwrap()
}

/// A project called `words` whose program is that of a file.
fn project(language: &str, program: &str, file: &str) -> Projects {
    let it = Projects::with(language);
    it.0.put(&format!("words/{program}"), source(file));
    it
}

fn fuel(it: &Projects, call: &str) -> u64 {
    let said = it.run(&["run", "words/words.wasm", call, "--receipt", "receipt"]);
    assert_eq!(said.code, Some(0), "{said}");
    let facts = it.run(&["receipt", "show", "receipt", "--json"]).json();
    facts["meta"]["fuel"].as_u64().unwrap()
}

/// Calls cost no more than they may. `bare` has its WIT by hand.
fn compare(with_sdk: &Projects, bare: &Projects, calls: Calls) {
    bare.0.put("words/wit/bare.wit", source("bare.wit"));
    for it in [with_sdk, bare] {
        let built = it.run(&["build", "words"]);
        assert_eq!(built.code, Some(0), "{built}");
    }
    let costs = calls.map(|(call, most)| (call, fuel(with_sdk, call), fuel(bare, call), most));
    for (call, sdk, bare, most) in costs {
        assert!(
            sdk * 100 <= bare * most,
            "{call}: {sdk}, not {bare}; {costs:?}"
        );
    }
}

const ADD: &str = "add(1, 2)";
const MOVED: &str = "moved({x: 1, y: 2, name: \"abc\"}, 3)";
const GREET: &str = "greet(\"you\")";

#[test]
fn calls_through_the_sdk_for_rust_cost_what_bare_bindings_do() {
    if !has(&["cargo"]) {
        return;
    }
    let with_sdk = project("rust", "src/lib.rs", "sdk.rs");
    let bare = project("rust", "src/lib.rs", "bare.rs");
    let manifest = String::from_utf8(bare.0.read("words/Cargo.toml")).unwrap();
    let sdk = "homestar-sdk = { path = \"vendor/homestar-sdk\" }";
    assert!(manifest.contains(sdk), "{manifest}");
    let manifest = manifest.replace(sdk, "wit-bindgen = \"0.61\"");
    bare.0.put("words/Cargo.toml", manifest);
    compare(&with_sdk, &bare, [(ADD, 105), (MOVED, 105), (GREET, 105)]);
}

#[test]
fn calls_through_the_sdk_for_typescript_are_bounded() {
    if !has(&["node", "npm"]) {
        return;
    }
    let with_sdk = project("ts", "src/index.ts", "sdk.ts");
    fs::remove_file(with_sdk.0.path("words/test/index.test.ts")).unwrap();
    let bare = project("js", "src/index.js", "bare.js");
    compare(&with_sdk, &bare, [(ADD, 113), (MOVED, 110), (GREET, 115)]);
}

#[test]
fn calls_through_the_sdk_for_python_are_bounded() {
    if !has(&["python3"]) {
        return;
    }
    let with_sdk = project("python", "app.py", "sdk.py");
    let bare = project("python", "app.py", "bare.py");
    compare(&with_sdk, &bare, [(ADD, 106), (MOVED, 108), (GREET, 106)]);
}
