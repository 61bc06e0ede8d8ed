//! Builds the guests in `rust/`, each for its target, and the effects and guests of `examples/effects`, and tells the
//! crate where they are.

use std::fs;

use nested::Nested;

#[path = "../effects/nested.rs"]
mod nested;

/// Guests that import no WASI: the standard library for this target has none.
const UNKNOWN: (&str, &[&str]) = (
    "wasm32-unknown-unknown",
    &[
        "add",
        "almanac",
        "asynchronous",
        "blobs",
        "caller",
        "diary",
        "fetch",
        "funnel",
        "getter",
        "image",
        "ledger",
        "lines",
        "mender",
        "needs",
        "nosy3",
        "pessimist",
        "pipe",
        "plain",
        "pour",
        "scale",
        "sender",
        "shapes",
        "squeeze",
        "stream",
        "table",
        "tally",
        "teller",
        "text",
        "vault",
        "web3",
        "weigh",
        "zoo",
    ],
);

/// Guests whose standard library imports WASI 0.2.
const WASIP2: (&str, &[&str]) = (
    "wasm32-wasip2",
    &["cli", "hello", "hostile", "nosy", "relay"],
);

fn main() {
    let guests = Nested::new("rust");
    watch(&guests);
    check_lists(&guests);

    for ((target, names), (_, others)) in [(UNKNOWN, WASIP2), (WASIP2, UNKNOWN)] {
        let built = guests.build(target, others);
        for name in names {
            let file = built.join(format!("{name}.wasm"));
            assert!(file.exists(), "no {} after building it", file.display());
            let name = name.to_uppercase();
            println!("cargo::rustc-env=HOMESTAR_GUEST_{name}={}", file.display());
        }
    }
    println!(
        "cargo::rustc-env=HOMESTAR_GUESTS={}",
        guests.built.display()
    );

    let examples = Nested::new("../examples/effects");
    examples.watch();
    let built = examples.build(UNKNOWN.0, &[]);
    for name in examples.folders() {
        let file = built.join(format!("{name}.wasm"));
        let name = name.to_uppercase();
        println!(
            "cargo::rustc-env=HOMESTAR_EXAMPLE_{name}={}",
            file.display()
        );
    }
}

/// Has cargo run this script again if a source changes, or if what it built is gone.
fn watch(guests: &Nested) {
    guests.watch();
    println!("cargo::rerun-if-changed=../wit");

    let built = guests.built.join("built");
    fs::create_dir_all(&guests.built).expect("the target folder can be written");
    let stamp = fs::File::create(&built).expect("the target folder can be written");
    // Older than this run of the script, or cargo would run it again next time.
    stamp
        .set_modified(std::time::UNIX_EPOCH)
        .expect("the target folder can be written");
    println!("cargo::rerun-if-changed={}", built.display());
}

/// A guest in neither list would not be built, and nobody would notice.
fn check_lists(guests: &Nested) {
    for guest in guests.folders() {
        let listed = [UNKNOWN, WASIP2]
            .iter()
            .any(|(_, names)| names.contains(&&*guest));
        assert!(
            listed,
            "guests/rust/{guest} has no target: add it to a list in guests/build.rs"
        );
    }
}
