//! Compiled code is kept, and damaged code is not used.

use std::fs;
use std::path::{Path, PathBuf};

use homestar_core::task::Input;
use homestar_engine::{Allocation, Call, Config, Done, Effects, Engine, Origin};

use crate::{instruction, int, limits};

fn engine(folder: &Path) -> Engine {
    Engine::new(Config {
        cache: Some(folder.join("code")),
        ..Config::default()
    })
    .unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("code")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn add(engine: &Engine) -> (Origin, Done) {
    let component = engine.load_file(homestar_guests::add()).unwrap();
    let instruction = instruction(&component, Input::new("add", vec![int(1), int(2)]));
    let done = engine
        .call(&component, Call::new(&instruction, &limits()))
        .unwrap();
    (component.origin().clone(), done)
}

fn is_compiled(origin: &Origin) -> bool {
    matches!(origin, Origin::Compiler { not_kept: None, .. })
}

#[test]
fn code_is_compiled_once_and_runs_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (first, fresh) = add(&engine(folder.path()));
    let (second, cached) = add(&engine(folder.path()));
    let (third, uncached) = add(&Engine::new(Config::default()).unwrap());
    assert!(is_compiled(&first) && is_compiled(&third));
    assert_eq!(second, Origin::Cache);
    for other in [&cached, &uncached] {
        assert_eq!(fresh.outcome, other.outcome);
        assert_eq!(
            (fresh.fuel, fresh.memory_peak),
            (other.fuel, other.memory_peak)
        );
    }
}

#[test]
fn damaged_code_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    add(&engine(folder.path()));
    let [file] = &files(folder.path())[..] else {
        panic!("{:?}", files(folder.path()))
    };
    let whole = fs::read(file).unwrap();
    for damage in [0, 1, whole.len() / 2, whole.len() - 1] {
        fs::write(file, &whole[..damage]).unwrap();
        assert!(
            is_compiled(&add(&engine(folder.path())).0),
            "cut at {damage}"
        );
        let mut flipped = whole.clone();
        flipped[damage] ^= 1;
        fs::write(file, &flipped).unwrap();
        assert!(
            is_compiled(&add(&engine(folder.path())).0),
            "flipped at {damage}"
        );
    }
    assert_eq!(add(&engine(folder.path())).0, Origin::Cache);
}

#[test]
fn both_ways_of_finding_memory_share_code_and_results() {
    let folder = tempfile::tempdir().unwrap();
    let (_, expected) = add(&engine(folder.path()));
    let pooling = Engine::new(Config {
        cache: Some(folder.path().join("code")),
        allocation: Allocation::Pooling { instances_max: 4 },
        ..Config::default()
    });
    let (origin, done) = add(&pooling.unwrap());
    assert_eq!(origin, Origin::Cache);
    assert_eq!((done.outcome, done.fuel), (expected.outcome, expected.fuel));
}

#[test]
fn a_full_folder_is_no_reason_to_fail() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    fs::remove_dir(folder.path().join("code")).unwrap();
    let (origin, done) = add(&engine);
    assert!(
        matches!(
            origin,
            Origin::Compiler {
                not_kept: Some(_),
                ..
            }
        ),
        "{origin:?}"
    );
    assert_eq!(done.outcome.to_ipld(), add(&engine).1.outcome.to_ipld());
}

/// The functions of guests in the cache, and how large they are.
fn functions(folder: &Path) -> Vec<u64> {
    let files = files(folder).into_iter();
    let files = files.filter(|path| path.extension().is_some_and(|it| it == "functions"));
    files
        .map(|path| fs::metadata(path).unwrap().len())
        .collect()
}

#[test]
fn functions_are_kept_of_what_has_effects_and_code_made_of_them_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let guest = fs::read(homestar_guests::needs()).unwrap();
    let almanac = fs::read(homestar_guests::almanac()).unwrap();
    let pessimist = fs::read(homestar_guests::pessimist()).unwrap();
    let wired = |both: bool| {
        let mut effects = Effects::new();
        let pessimist = both.then(|| ("a", pessimist.clone()));
        let all = pessimist.into_iter().chain([("b", almanac.clone())]);
        effects.add_built_in(all).unwrap();
        effects
    };
    let run = |engine: &Engine, both: bool| {
        let component = engine.load_with(&guest, || wired(both)).unwrap();
        assert!(matches!(component.origin(), Origin::Compiler { .. }));
        let args = vec![crate::text("Cairo")];
        let instruction = instruction(&component, Input::new("advice", args));
        let done = engine
            .call(&component, Call::new(&instruction, &limits()))
            .unwrap();
        (done.outcome, done.fuel, done.memory_peak)
    };
    add(&engine(folder.path()));
    assert_eq!(functions(folder.path()), [0; 0]);
    // What is compiled second takes the guest's functions from the first.
    for both in [false, true, false] {
        let fresh = run(&Engine::new(Config::default()).unwrap(), both);
        assert_eq!(run(&engine(folder.path()), both), fresh);
        let [bytes] = functions(folder.path())[..] else {
            panic!("one guest has one file")
        };
        assert!(bytes > 0);
        // All but the functions is forgotten, so that the next is compiled again.
        for file in files(folder.path()) {
            if file.extension().is_some_and(|ending| ending == "cwasm") {
                fs::remove_file(file).unwrap();
            }
        }
    }
}
