//! The guests that tests, benches and examples run, built when they are needed.
//!
//! Those in Rust are built along with this crate, by its build script, so that a function per guest
//! has nothing to do but say where the component is:
//!
//! ```
//! let bytes = std::fs::read(homestar_guests::add())?;
//! assert!(bytes.starts_with(b"\0asm"));
//! # Ok::<_, std::io::Error>(())
//! ```
//!
//! Those in [`python`] and JavaScript ([`quickjs`], [`spidermonkey`]) are built when they are first
//! asked for, because the tools take a while to install and not everyone has them. What is built
//! lies in the target folder, under `guests`.
//!
//! This crate knows nothing of the host. What a guest exports stands in its `wit` folder.

use std::path::Path;

mod scripted;

pub use scripted::{
    Unavailable, example_forecast, example_greetings, js_fetch, or_skip, python, python_fetch,
    python_scribe, python_shapes, python_wasi_http, quickjs, quickjs_almanac, quickjs_fetch,
    quickjs_scribe, quickjs_shapes, spidermonkey, spidermonkey_fetch, spidermonkey_scribe,
    spidermonkey_shapes,
};

macro_rules! rust_guests {
    ($($(#[doc = $doc:literal])* $name:ident = $variable:literal,)*) => {
        $(
            $(#[doc = $doc])*
            #[must_use]
            pub fn $name() -> &'static Path {
                Path::new(env!($variable))
            }
        )*

        /// All guests in Rust, by name.
        pub const RUST: &[(&str, &str)] = &[$((stringify!($name), env!($variable)),)*];
    };
}

rust_guests! {
    /// Adds two numbers: the smallest guest. Imports nothing.
    add = "HOMESTAR_GUEST_ADD",
    /// An effect that offers `acme:almanac/almanac@0.1.0`. Imports nothing.
    almanac = "HOMESTAR_GUEST_ALMANAC",
    /// Async functions and streams. Imports nothing.
    asynchronous = "HOMESTAR_GUEST_ASYNCHRONOUS",
    /// Reads and writes files, directories and nodes, in plain calls and as streams. Imports `homestar:blocks`.
    blobs = "HOMESTAR_GUEST_BLOBS",
    /// Calls another component over and over, to see what that costs. Imports `acme:tally/tally@0.1.0`.
    caller = "HOMESTAR_GUEST_CALLER",
    /// A command that counts lines, words and bytes of its input, as `wc` does.
    cli = "HOMESTAR_GUEST_CLI",
    /// Logs, keeps state and says its own names, by `homestar:std`.
    diary = "HOMESTAR_GUEST_DIARY",
    /// Asks the outside through effects. Imports `homestar:https`, `dns`, `random` and `crypto`.
    fetch = "HOMESTAR_GUEST_FETCH",
    /// An effect that offers `acme:pipe/pipe@0.1.0`, and asks for it.
    funnel = "HOMESTAR_GUEST_FUNNEL",
    /// Gets a page again and again over `wasi:http` 0.2.
    getter = "HOMESTAR_GUEST_GETTER",
    /// Greets by name, with the WASI that Rust's standard library imports.
    hello = "HOMESTAR_GUEST_HELLO",
    /// Misbehaves in every way a guest can: traps, recursion, endless loops, memory and output.
    hostile = "HOMESTAR_GUEST_HOSTILE",
    /// Crops, turns, greys and blurs PNG and JPEG pictures. Imports nothing.
    image = "HOMESTAR_GUEST_IMAGE",
    /// Keeps numbers by `wasi:keyvalue`, and logs by `wasi:logging`.
    ledger = "HOMESTAR_GUEST_LEDGER",
    /// Filters the lines of a text that streams. Imports nothing.
    lines = "HOMESTAR_GUEST_LINES",
    /// Makes something of failures. Imports nothing.
    mender = "HOMESTAR_GUEST_MENDER",
    /// Imports `acme:almanac/almanac@0.1.0`, which `almanac` offers.
    needs = "HOMESTAR_GUEST_NEEDS",
    /// Looks at everything outside that WASI 0.2 offers: clocks, files, network, environment.
    nosy = "HOMESTAR_GUEST_NOSY",
    /// Looks at the clocks and random numbers of WASI 0.3.
    nosy3 = "HOMESTAR_GUEST_NOSY3",
    /// An effect that offers what it asks for, and so stands in front of another.
    pessimist = "HOMESTAR_GUEST_PESSIMIST",
    /// Passes streams on, in every way. Imports nothing.
    pipe = "HOMESTAR_GUEST_PIPE",
    /// A core module, not yet a component, that carries its component type in a custom section.
    plain = "HOMESTAR_GUEST_PLAIN",
    /// Pours bytes into streams. Imports `acme:pipe/pipe@0.1.0`.
    pour = "HOMESTAR_GUEST_POUR",
    /// A command that passes its standard input on, as `cat` does.
    relay = "HOMESTAR_GUEST_RELAY",
    /// An effect that offers `acme:scale/scale@0.1.0`, on files that others have open.
    scale = "HOMESTAR_GUEST_SCALE",
    /// Sends bodies over `wasi:http` 0.2.
    sender = "HOMESTAR_GUEST_SENDER",
    /// Takes and gives values of any shape. Imports `homestar:std/ipld`.
    shapes = "HOMESTAR_GUEST_SHAPES",
    /// Compresses and decompresses what streams. Imports nothing.
    squeeze = "HOMESTAR_GUEST_SQUEEZE",
    /// Bodies that stream. Imports `homestar:https/streams` and `homestar:crypto/digest`.
    stream = "HOMESTAR_GUEST_STREAM",
    /// Sums up a table in a file. Imports `homestar:blocks/files`.
    table = "HOMESTAR_GUEST_TABLE",
    /// An effect that offers `acme:tally/tally@0.1.0`. Imports the drivers of time and randomness.
    tally = "HOMESTAR_GUEST_TALLY",
    /// Counts by `wasi:keyvalue`, itself and through `acme:vault/vault@0.1.0`.
    teller = "HOMESTAR_GUEST_TELLER",
    /// Counts words and lines. Imports nothing.
    text = "HOMESTAR_GUEST_TEXT",
    /// An effect that offers `acme:vault/vault@0.1.0`. Imports `wasi:keyvalue`.
    vault = "HOMESTAR_GUEST_VAULT",
    /// Asks for pages and sends bodies by the HTTP of WASI 0.3.
    web3 = "HOMESTAR_GUEST_WEB3",
    /// Asks `acme:scale/scale@0.1.0` about a file that it has open.
    weigh = "HOMESTAR_GUEST_WEIGH",
    /// Gives back what it gets, for every WIT type. Imports nothing.
    zoo = "HOMESTAR_GUEST_ZOO",
}

/// The effects and guests in Rust of `examples/effects`, by name.
pub const EXAMPLES: &[(&str, &str)] = &[
    ("forecast", env!("HOMESTAR_EXAMPLE_FORECAST")),
    ("retry", env!("HOMESTAR_EXAMPLE_RETRY")),
    ("weather", env!("HOMESTAR_EXAMPLE_WEATHER")),
    ("welcome", env!("HOMESTAR_EXAMPLE_WELCOME")),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, io};

    /// A component's first bytes, and a core module's.
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
    const MODULE: &[u8] = b"\0asm\x01\0\0\0";

    #[test]
    fn every_guest_in_rust_is_offered() -> io::Result<()> {
        for (offered, folder) in [(RUST, "rust"), (EXAMPLES, "../examples/effects")] {
            let mut folders = Vec::new();
            for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))? {
                let entry = entry?;
                if entry.path().join("Cargo.toml").exists() {
                    folders.push(entry.file_name().into_string().unwrap());
                }
            }
            folders.sort();
            let offered: Vec<_> = offered.iter().map(|(name, _)| *name).collect();
            assert_eq!(offered, folders);
        }
        Ok(())
    }

    #[test]
    fn guests_in_rust_are_components_but_for_the_plain_one() -> io::Result<()> {
        for (name, path) in RUST.iter().chain(EXAMPLES) {
            let start = if *name == "plain" { MODULE } else { COMPONENT };
            assert!(fs::read(path)?.starts_with(start), "{name}");
        }
        Ok(())
    }

    #[test]
    fn guests_in_other_languages_are_components() {
        for guest in [
            example_forecast,
            example_greetings,
            python,
            python_fetch,
            python_shapes,
            python_wasi_http,
            quickjs,
            quickjs_almanac,
            quickjs_fetch,
            quickjs_shapes,
            spidermonkey,
            spidermonkey_fetch,
            spidermonkey_shapes,
            js_fetch,
        ] {
            let Some(path) = or_skip(guest()) else {
                continue;
            };
            let start = fs::read(&path).unwrap();
            assert!(start.starts_with(COMPONENT), "{}", path.display());
        }
    }
}
