//! What the SDK for Rust costs over bare bindings, in fuel, which is the same on every machine. `docs/performance.md` has the
//! other languages.

use std::fs;

use crate::projects::{Projects, has, root};

/// Most that a call may cost, in hundredths of what it costs with bare bindings.
const PERCENT_MAX: u64 = 105;

fn source(name: &str) -> String {
    let path = root().join("host/cli/tests/projects/overhead").join(name);
    fs::read_to_string(path).unwrap()
}

/// A project called `words` whose program is that of a file.
fn project(file: &str) -> Projects {
    let it = Projects::with("rust");
    it.0.put("words/src/lib.rs", source(file));
    it
}

fn fuel(it: &Projects, call: &str) -> u64 {
    let said = it.run(&["run", "words/words.wasm", call, "--receipt", "receipt"]);
    assert_eq!(said.code, Some(0), "{said}");
    let facts = it.run(&["receipt", "show", "receipt", "--json"]).json();
    facts["meta"]["fuel"].as_u64().unwrap()
}

#[test]
fn calls_through_the_sdk_cost_what_bare_bindings_do() {
    if !has(&["cargo"]) {
        return;
    }
    let (with_sdk, bare) = (project("sdk.rs"), project("bare.rs"));
    bare.0.put("words/wit/bare.wit", source("bare.wit"));
    let manifest = String::from_utf8(bare.0.read("words/Cargo.toml")).unwrap();
    let sdk = "homestar-sdk = { path = \"vendor/homestar-sdk\" }";
    assert!(manifest.contains(sdk), "{manifest}");
    let manifest = manifest.replace(sdk, "wit-bindgen = \"0.61\"");
    bare.0.put("words/Cargo.toml", manifest);
    for it in [&with_sdk, &bare] {
        let built = it.run(&["build", "words"]);
        assert_eq!(built.code, Some(0), "{built}");
    }
    for call in [
        "add(1, 2)",
        "moved({x: 1, y: 2, name: \"abc\"}, 3)",
        "greet(\"you\")",
    ] {
        let (sdk, bare) = (fuel(&with_sdk, call), fuel(&bare, call));
        assert!(sdk * 100 <= bare * PERCENT_MAX, "{call}: {sdk}, not {bare}");
    }
}
