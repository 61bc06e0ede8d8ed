//! Compiled code that is kept, and what happens when it is damaged.

use std::fs;

use crate::environment::{Environment, Said};

/// An environment with a cache of its own.
struct Alone(Environment);

impl Alone {
    fn run(&self, more: &[&str]) -> Said {
        let run = [&["run", "add.wasm", "add(1, 2)", "--stats"], more].concat();
        let mut command = self.0.command(&run);
        let said = self
            .0
            .said(command.env("XDG_CACHE_HOME", self.0.path("cache")));
        assert_eq!((said.code, said.stdout()), (Some(0), "3\n"), "{said}");
        said
    }

    fn files(&self) -> Vec<std::path::PathBuf> {
        let Ok(entries) = fs::read_dir(self.0.path("cache/homestar/code")) else {
            return Vec::new();
        };
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

fn is_cached(said: &Said) -> bool {
    let line = said.stderr.lines().find(|line| line.starts_with("code"));
    let code = line.expect("stats say where the code came from");
    assert!(
        code.contains("cached") != code.contains("compiled"),
        "{code}"
    );
    code.contains("cached")
}

#[test]
fn a_component_is_compiled_once() {
    let it = Alone(Environment::with(&["add"]).with_key());
    assert!(!is_cached(&it.run(&[])));
    assert!(is_cached(&it.run(&[])));
    assert_eq!(it.files().len(), 1);
    assert!(!is_cached(&it.run(&["--no-cache"])));
}

#[test]
fn without_the_cache_nothing_is_kept() {
    let it = Alone(Environment::with(&["add"]).with_key());
    assert!(!is_cached(&it.run(&["--no-cache"])));
    assert_eq!(it.files().len(), 0);
}

#[test]
fn damaged_code_is_made_anew() {
    let it = Alone(Environment::with(&["add"]).with_key());
    it.run(&["--receipt", "first"]);
    let path = it.files().remove(0);
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0x10;
    for damaged in [&flipped[..], &whole[..whole.len() / 2], &[]] {
        fs::write(&path, damaged).unwrap();
        assert!(!is_cached(&it.run(&["--receipt", "again"])));
        assert_eq!(it.0.read("first"), it.0.read("again"));
        assert!(is_cached(&it.run(&[])));
    }
}
