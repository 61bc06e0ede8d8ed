//! Builds a workspace of crates for WebAssembly from a build script: the effects here, and the
//! guests next door.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// A workspace whose crates are compiled to WebAssembly.
pub(crate) struct Nested {
    /// The folder with its `Cargo.toml`.
    pub(crate) sources: PathBuf,
    /// The folder that holds what is built and, in `rust`, what cargo needs for it.
    pub(crate) built: PathBuf,
}

impl Nested {
    /// The workspace in a folder of the crate that is being built.
    pub(crate) fn new(folder: &str) -> Self {
        let sources = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join(folder);
        Self {
            sources,
            built: built(),
        }
    }

    /// Has cargo run this script again if a source changes.
    pub(crate) fn watch(&self) {
        println!("cargo::rerun-if-changed=build.rs");
        println!("cargo::rerun-if-changed=../effects/nested.rs");
        let own = [".cargo", "Cargo.toml", "Cargo.lock"].map(String::from);
        for entry in own.into_iter().chain(self.folders()) {
            let path = self.sources.join(entry);
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }

    /// The names of all folders that hold a crate, in order.
    pub(crate) fn folders(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.sources).expect("the sources can be read");
        let mut folders: Vec<_> = entries
            .map(|entry| entry.expect("the sources can be read"))
            .filter(|entry| entry.path().join("Cargo.toml").exists())
            .map(|entry| entry.file_name().into_string())
            .collect::<Result<_, _>>()
            .expect("names of crates are ASCII");
        folders.sort();
        folders
    }

    /// Builds all crates but those for `target`, and returns the folder with the components.
    pub(crate) fn build(&self, target: &str, but: &[&str]) -> PathBuf {
        add_target(target);
        let mut cargo = self.cargo("build");
        cargo.args(["--release", "--target", target]);
        for name in but {
            cargo.args(["--exclude", name]);
        }
        cargo.env("CARGO_ENCODED_RUSTFLAGS", without_this_machine());
        let status = cargo.status().expect("cargo runs, as it started this");
        assert!(
            status.success(),
            "{} doesn't build for {target}, see above",
            self.sources.display()
        );
        self.built.join("rust").join(target).join("release")
    }

    /// Cargo, about to do something with all crates.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut cargo = Command::new(variable("CARGO"));
        cargo
            .args([subcommand, "--locked", "--workspace"])
            .current_dir(&self.sources)
            .stdout(Stdio::null());
        clean(&mut cargo);
        cargo.env("CARGO_TARGET_DIR", self.built.join("rust"));
        cargo
    }
}

/// A folder of our own, beside what cargo is building now: the one of the cargo that runs this
/// script is locked by it. Effects and guests share it, as they share most dependencies.
fn built() -> PathBuf {
    let out = PathBuf::from(variable("OUT_DIR"));
    let outer = out
        .ancestors()
        .find(|dir| dir.join("CACHEDIR.TAG").exists());
    outer.unwrap_or(&out).join("guests")
}

/// Installs the standard library for `target`, if it isn't there.
///
/// The scripts of several crates run at a time, and rustup doesn't stand that. A library that is being installed is
/// there in part, so whoever looks for it takes the lock too.
fn add_target(target: &str) {
    let path = env::temp_dir().join("homestar-rustup.lock");
    // Without a lock, the worst is that the build has to be started again.
    let lock = fs::File::create(path).and_then(|file| file.lock().map(|()| file));
    let _lock = lock.ok();
    let found = rustc(&["--print", "target-libdir", "--target", target]);
    if found.is_some_and(|library| Path::new(library.trim()).exists()) {
        return;
    }
    let hint = format!(
        "components need the Rust target {target}; to install it: rustup target add {target}"
    );
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

/// A component is named by the hash of its bytes, so they should not say on which machine and in
/// which folder they were built. The names that take the place of its folders are those that
/// compilers for release give them.
fn without_this_machine() -> String {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let crates = home.unwrap_or_default().join("registry/src");
    let mut flags = vec![format!("--remap-path-prefix={}=crates", crates.display())];
    // Where the standard library's sources are installed, rustc finds them.
    if let (Some(sysroot), Some(version)) = (rustc(&["--print", "sysroot"]), rustc(&["-vV"]))
        && let Some(commit) = version
            .lines()
            .find_map(|line| line.strip_prefix("commit-hash: "))
    {
        let library = Path::new(sysroot.trim()).join("lib/rustlib/src/rust");
        let library = library.display();
        flags.push(format!("--remap-path-prefix={library}=/rustc/{commit}"));
    }
    flags.join("\x1f")
}

/// What rustc prints, if it is content.
fn rustc(arguments: &[&str]) -> Option<String> {
    let rustc = env::var("RUSTC").unwrap_or("rustc".into());
    let output = Command::new(rustc)
        .args(arguments)
        .output()
        .expect("rustc runs, as it is compiling this");
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| text.into_owned())
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
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for what it runs"))
}
