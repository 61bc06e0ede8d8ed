//! Builds the guests in `rust/`, each for its target, and tells the crate where they are.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// Guests that import no WASI: the standard library for this target has none.
const UNKNOWN: (&str, &[&str]) = (
    "wasm32-unknown-unknown",
    &[
        "add",
        "almanac",
        "asynchronous",
        "image",
        "needs",
        "nosy3",
        "pessimist",
        "plain",
        "text",
        "zoo",
    ],
);

/// Guests whose standard library imports WASI 0.2.
const WASIP2: (&str, &[&str]) = ("wasm32-wasip2", &["cli", "hello", "hostile", "nosy"]);

fn main() {
    let sources = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join("rust");
    let target_dir = target_dir();
    watch(&sources, &target_dir);
    check_lists(&sources);

    for ((target, guests), (_, others)) in [(UNKNOWN, WASIP2), (WASIP2, UNKNOWN)] {
        add_target(target);
        build(&sources, &target_dir, target, others);
        for guest in guests {
            let file = target_dir.join(format!("rust/{target}/release/{guest}.wasm"));
            assert!(file.exists(), "no {} after building it", file.display());
            let name = guest.to_uppercase();
            println!("cargo::rustc-env=HOMESTAR_GUEST_{name}={}", file.display());
        }
    }
    println!("cargo::rustc-env=HOMESTAR_GUESTS={}", target_dir.display());
}

/// A folder of our own, beside what cargo is building now: the one of the cargo that runs this
/// script is locked by it.
fn target_dir() -> PathBuf {
    let out = PathBuf::from(variable("OUT_DIR"));
    let outer = out
        .ancestors()
        .find(|dir| dir.join("CACHEDIR.TAG").exists());
    outer.unwrap_or(&out).join("guests")
}

/// Has cargo run this script again if a source changes, or if what it built is gone.
fn watch(sources: &Path, target_dir: &Path) {
    let built = target_dir.join("built");
    fs::create_dir_all(target_dir).expect("the target folder can be written");
    let stamp = fs::File::create(&built).expect("the target folder can be written");
    // Older than this run of the script, or cargo would run it again next time.
    stamp
        .set_modified(std::time::UNIX_EPOCH)
        .expect("the target folder can be written");

    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", built.display());
    for entry in [".cargo", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", sources.join(entry).display());
    }
    for folder in folders(sources) {
        println!("cargo::rerun-if-changed={}", sources.join(folder).display());
    }
}

/// A guest in neither list would not be built, and nobody would notice.
fn check_lists(sources: &Path) {
    for guest in folders(sources) {
        let listed = [UNKNOWN, WASIP2]
            .iter()
            .any(|(_, guests)| guests.contains(&&*guest));
        assert!(
            listed,
            "guests/rust/{guest} has no target: add it to a list in guests/build.rs"
        );
    }
}

/// The names of all folders in `sources` that hold a crate.
fn folders(sources: &Path) -> Vec<String> {
    let entries = fs::read_dir(sources).expect("guests/rust can be read");
    entries
        .map(|entry| entry.expect("guests/rust can be read"))
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| {
            entry
                .file_name()
                .into_string()
                .expect("crate names are ASCII")
        })
        .collect()
}

/// Installs the standard library for `target`, if it isn't there.
fn add_target(target: &str) {
    let rustc = env::var("RUSTC").unwrap_or("rustc".into());
    let found = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .expect("rustc runs, as it is compiling this");
    let library = String::from_utf8_lossy(&found.stdout);
    if found.status.success() && Path::new(library.trim()).exists() {
        return;
    }
    let hint =
        format!("guests need the Rust target {target}; to install it: rustup target add {target}");
    match Command::new("rustup")
        .args(["target", "add", target])
        .output()
    {
        Ok(added) if added.status.success() => {}
        Ok(added) => panic!(
            "{hint}\nrustup said: {}",
            String::from_utf8_lossy(&added.stderr)
        ),
        Err(error) => panic!("{hint}\nrustup doesn't run here: {error}"),
    }
}

/// Builds all guests but the `others` for `target`.
fn build(sources: &Path, target_dir: &Path, target: &str, others: &[&str]) {
    let mut cargo = Command::new(variable("CARGO"));
    cargo
        .args([
            "build",
            "--release",
            "--locked",
            "--workspace",
            "--target",
            target,
        ])
        .current_dir(sources)
        .stdout(Stdio::null());
    for other in others {
        cargo.args(["--exclude", other]);
    }
    clean(&mut cargo);
    cargo.env("CARGO_TARGET_DIR", target_dir.join("rust"));
    cargo.env("CARGO_ENCODED_RUSTFLAGS", without_this_machine());
    let status = cargo.status().expect("cargo runs, as it started this");
    assert!(
        status.success(),
        "the guests for {target} don't build, see above"
    );
}

/// A guest is named by the hash of its bytes, so they should not say in which home they were built.
fn without_this_machine() -> String {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let crates = home.unwrap_or_default().join("registry/src");
    format!("--remap-path-prefix={}=crates", crates.display())
}

/// Takes away what the outer build decided for itself. What says where crates come from, where the
/// compiler is and how many jobs may run stays.
fn clean(cargo: &mut Command) {
    const STAYS: &[&str] = &[
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_MAKEFLAGS",
        "CARGO_NET_",
        "CARGO_REGISTRIES_",
        "CARGO_REGISTRY_",
        "CARGO_SOURCE_",
    ];
    const GOES: &[&str] = &[
        "CARGO",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "RUSTDOCFLAGS",
        "RUSTFLAGS",
    ];
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
        if starts(GOES) && !starts(STAYS) {
            cargo.env_remove(name);
        }
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for build scripts"))
}
