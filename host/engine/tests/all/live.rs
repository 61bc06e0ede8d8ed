//! Folders of effects are watched: what is dropped, replaced or removed counts for the next task.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use homestar_core::ipld::Cid;
use homestar_core::outcome::Outcome;
use homestar_core::task::Input;
use homestar_core::unixfs::cid_of_file;
use homestar_engine::{Call, Component, Effects, Live, LoadError, Snapshot, What};

use crate::{engine, instruction, int, limits};

const BYTES_MAX: u64 = 1 << 20;

/// Only guards against waiting forever.
const AT_MOST: Duration = Duration::from_secs(60);

/// An effect that offers `acme:number/NAME@0.1.0` and answers `number`. It is some pages long, so that it can be
/// written in parts.
fn effect_of(name: &str, number: u32) -> Vec<u8> {
    let text = format!(
        r#"(component
            (core module $m
                (memory 1) (data (i32.const 0) "{pad}")
                (func (export "number") (result i32) i32.const {number}))
            (core instance $i (instantiate $m))
            (func $f (result u32) (canon lift (core func $i "number")))
            (instance $e (export "number" (func $f)))
            (export "acme:number/{name}@0.1.0" (instance $e)))"#,
        pad = "0123456789abcdef".repeat(1000)
    );
    wat::parse_str(text).unwrap()
}

fn effect(number: u32) -> Vec<u8> {
    effect_of("one", number)
}

/// A guest that asks `acme:number/one` for its number.
fn guest() -> Vec<u8> {
    let text = r#"(component
        (import "acme:number/one@0.1.0" (instance $n (export "number" (func (result u32)))))
        (core func $l (canon lower (func $n "number")))
        (core module $m
            (import "n" "number" (func $f (result i32)))
            (func (export "ask") (result i32) call $f))
        (core instance $i (instantiate $m (with "n" (instance (export "number" (func $l))))))
        (func (export "ask") (result u32) (canon lift (core func $i "ask"))))"#;
    wat::parse_str(text).unwrap()
}

/// A place for folders of effects, and its name as the system has it.
fn place() -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().canonicalize().unwrap();
    (place, path)
}

fn open(folder: &Path) -> Live {
    let live = Live::open(&[folder.to_owned()], BYTES_MAX);
    assert_eq!(live.fault(), None);
    live
}

/// Waits until a snapshot is as `is_it` wants it.
fn until(live: &Live, is_it: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let mut generation = 0;
    loop {
        let snapshot = live.snapshot();
        if is_it(&snapshot) {
            return snapshot;
        }
        assert!(snapshot.generation >= generation);
        generation = snapshot.generation;
        let changes = live.wait(generation, AT_MOST);
        assert!(!changes.is_empty(), "nothing happened: {snapshot:?}");
    }
}

fn cids(snapshot: &Snapshot) -> Vec<Cid> {
    snapshot.effects.iter().map(|it| *it.cid()).collect()
}

fn has(snapshot: &Snapshot, bytes: &[u8]) -> bool {
    cids(snapshot).contains(&cid_of_file(bytes))
}

fn load(live: &Live, guest: &[u8]) -> Result<Component, LoadError> {
    engine().load_with(guest, || live.effects())
}

fn ask(component: &Component) -> Outcome {
    let instruction = instruction(component, Input::new("ask", vec![]));
    let limits = limits();
    let done = engine().call(component, Call::new(&instruction, &limits));
    done.expect("a call").outcome
}

fn answers(number: u32) -> Outcome {
    Outcome::Ok(int(number))
}

/// A way to replace a file.
type Replace = fn(&Path, &[u8]);

fn by_rename(path: &Path, bytes: &[u8]) {
    let next = path.with_extension("next");
    fs::write(&next, bytes).unwrap();
    fs::rename(next, path).unwrap();
}

fn in_place(path: &Path, bytes: &[u8]) {
    let mut file = File::create(path).unwrap();
    let (begin, end) = bytes.split_at(bytes.len() / 2);
    file.write_all(begin).unwrap();
    thread::yield_now();
    file.write_all(end).unwrap();
}

fn removed_and_made(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    thread::yield_now();
    in_place(path, bytes);
}

#[test]
fn swaps_under_load_disturb_no_call() {
    let (_place, folder) = place();
    let path = folder.join("number.wasm");
    let versions = [effect(1), effect(2)];
    let guest = guest();
    fs::write(&path, &versions[0]).unwrap();
    let live = open(&folder);
    let is_over = AtomicBool::new(false);
    let begun = AtomicU32::new(0);
    // Of a file that is away, or half written, for longer than that, nobody can tell that it will be whole again.
    let was_away = AtomicBool::new(false);
    let was_missed = AtomicBool::new(false);
    let call_all_the_time = || {
        let mut calls = 0;
        begun.fetch_add(1, SeqCst);
        while !is_over.load(SeqCst) {
            match load(&live, &guest) {
                Ok(component) => {
                    let answer = ask(&component);
                    assert!(answer == answers(1) || answer == answers(2), "{answer:?}");
                    calls += 1;
                }
                Err(LoadError::Missing { .. }) => was_missed.store(true, SeqCst),
                Err(error) => panic!("{error}"),
            }
        }
        calls
    };
    thread::scope(|scope| {
        let callers = [0; 2].map(|_| scope.spawn(call_all_the_time));
        while begun.load(SeqCst) < 2 {
            thread::yield_now();
        }
        for swap in 1..=1000 {
            let version = &versions[swap % 2];
            let number = if swap % 2 == 0 { 1 } else { 2 };
            let begin = Instant::now();
            match swap % 3 {
                0 => by_rename(&path, version),
                1 => in_place(&path, version),
                _ => removed_and_made(&path, version),
            }
            was_away.fetch_or(begin.elapsed() >= Live::GRACE, SeqCst);
            until(&live, |snapshot| has(snapshot, version));
            assert_eq!(ask(&load(&live, &guest).unwrap()), answers(number));
        }
        is_over.store(true, SeqCst);
        for caller in callers {
            assert!(caller.join().unwrap() > 0);
        }
    });
    assert!(was_away.load(SeqCst) || !was_missed.load(SeqCst));
}

#[test]
fn what_was_wired_before_stays_as_it_is() {
    let (_place, folder) = place();
    let path = folder.join("number.wasm");
    fs::write(&path, effect(1)).unwrap();
    let live = open(&folder);
    let (before, effects) = (load(&live, &guest()).unwrap(), live.effects());
    by_rename(&path, &effect(2));
    until(&live, |snapshot| has(snapshot, &effect(2)));
    assert_eq!(ask(&before), answers(1));
    let again = engine().load_with(&guest(), || effects).unwrap();
    assert_eq!(ask(&again), answers(1));
    assert_eq!(ask(&load(&live, &guest()).unwrap()), answers(2));
}

#[test]
fn a_broken_file_is_named_and_the_others_work() {
    let (_place, folder) = place();
    fs::write(folder.join("number.wasm"), effect(1)).unwrap();
    let live = open(&folder);
    let whole = effect_of("two", 7);
    let broken = folder.join("two.wasm");
    fs::write(&broken, &whole[..whole.len() / 2]).unwrap();
    let snapshot = until(&live, |snapshot| !snapshot.errors.is_empty());
    assert_eq!(snapshot.errors.len(), 1);
    assert_eq!(snapshot.errors[0].path(), broken);
    assert_eq!(ask(&load(&live, &guest()).unwrap()), answers(1));
    fs::write(&broken, &whole).unwrap();
    let snapshot = until(&live, |snapshot| has(snapshot, &whole));
    assert!(snapshot.errors.is_empty());
    assert_eq!(snapshot.effects.iter().count(), 2);
}

#[test]
fn a_file_that_somebody_is_about_to_write_is_not_broken() {
    let (_place, place) = place();
    let folder = place.join("effects");
    let live = open(&folder);
    fs::create_dir(&folder).unwrap();
    let mut begun = File::create(folder.join("begun.wasm")).unwrap();
    by_rename(&folder.join("other.wasm"), &effect_of("two", 2));
    let snapshot = until(&live, |it| has(it, &effect_of("two", 2)));
    assert!(snapshot.errors.is_empty(), "{:?}", snapshot.errors);
    begun.write_all(&effect(1)).unwrap();
    drop(begun);
    let snapshot = until(&live, |it| has(it, &effect(1)));
    assert!(snapshot.errors.is_empty(), "{:?}", snapshot.errors);
}

#[test]
fn a_broken_version_leaves_the_last_good_one() {
    let (_place, folder) = place();
    let path = folder.join("number.wasm");
    fs::write(&path, effect(1)).unwrap();
    let live = open(&folder);
    in_place(&path, b"\0asm");
    let snapshot = until(&live, |snapshot| !snapshot.errors.is_empty());
    assert!(has(&snapshot, &effect(1)));
    // As it was before is well again.
    in_place(&path, &effect(1));
    until(&live, |snapshot| snapshot.errors.is_empty());
    in_place(&path, b"");
    until(&live, |snapshot| !snapshot.errors.is_empty());
    fs::remove_file(&path).unwrap();
    let snapshot = until(&live, |snapshot| snapshot.errors.is_empty());
    assert!(snapshot.effects.is_empty());
    assert!(matches!(
        load(&live, &guest()),
        Err(LoadError::Missing { .. })
    ));
}

#[test]
fn folders_may_come_later_and_go() {
    let (_place, place) = place();
    let folder = place.join("some/where/effects");
    let live = open(&folder);
    assert!(live.effects().is_empty());
    for number in 1..=20 {
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("number.wasm"), effect(number)).unwrap();
        until(&live, |snapshot| has(snapshot, &effect(number)));
        fs::remove_dir_all(place.join("some")).unwrap();
        until(&live, |snapshot| snapshot.effects.is_empty());
    }
    // One that was made elsewhere and is moved there whole.
    fs::create_dir_all(place.join("made/where/effects")).unwrap();
    fs::write(place.join("made/where/effects/number.wasm"), effect(1)).unwrap();
    fs::rename(place.join("made"), place.join("some")).unwrap();
    until(&live, |snapshot| has(snapshot, &effect(1)));
    fs::write(folder.join("number.wasm"), effect(2)).unwrap();
    until(&live, |snapshot| has(snapshot, &effect(2)));
}

#[test]
fn links_are_followed() {
    use std::os::unix::fs::symlink;
    let (_place, place) = place();
    let folder = place.join("effects");
    let built = place.join("built");
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir_all(&built).unwrap();
    fs::write(built.join("a.wasm"), effect(1)).unwrap();
    let live = open(&folder);
    symlink(built.join("a.wasm"), folder.join("number.wasm")).unwrap();
    until(&live, |snapshot| has(snapshot, &effect(1)));
    // The watch of where it leads begins after it was seen.
    for (replace, number) in [
        (in_place as Replace, 2),
        (by_rename, 3),
        (removed_and_made, 4),
    ] {
        replace(&built.join("a.wasm"), &effect(number));
        until(&live, |snapshot| has(snapshot, &effect(number)));
    }
    // A folder that is a link is replaced as one.
    let linked = place.join("linked");
    symlink(&folder, &linked).unwrap();
    let live = open(&linked);
    assert!(has(&live.snapshot(), &effect(4)));
    symlink(&built, place.join("next")).unwrap();
    fs::write(built.join("b.wasm"), effect_of("two", 5)).unwrap();
    fs::rename(place.join("next"), &linked).unwrap();
    until(&live, |snapshot| has(snapshot, &effect_of("two", 5)));
}

#[test]
fn other_files_may_be_followed_and_changes_are_told() {
    let (_place, place) = place();
    let folder = place.join("effects");
    fs::create_dir(&folder).unwrap();
    let live = open(&folder);
    let config = place.join("config.toml");
    live.follow(&config);
    let mut seen = live.snapshot().generation;
    let mut told = |live: &Live, path: &Path, what: What| {
        let changes = live.wait(seen, AT_MOST);
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert_eq!((&*changes[0].path, changes[0].what), (path, what));
        seen = live.snapshot().generation;
    };
    by_rename(&config, b"a");
    told(&live, &config, What::Added);
    by_rename(&config, b"b");
    told(&live, &config, What::Changed);
    let path = folder.join("number.wasm");
    by_rename(&path, &effect(1));
    told(&live, &path, What::Added);
    // The same again is no change, and nothing else that is in the folder is.
    by_rename(&path, &effect(1));
    by_rename(&folder.join("notes.txt"), b"c");
    by_rename(&path, &effect(2));
    told(&live, &path, What::Changed);
    fs::remove_file(&config).unwrap();
    told(&live, &config, What::Removed);
    fs::remove_file(&path).unwrap();
    told(&live, &path, What::Removed);
}

#[test]
fn what_cannot_be_watched_is_looked_at() {
    let (_place, folder) = place();
    let path = folder.join("number.wasm");
    let live = Live::open_unwatched(std::slice::from_ref(&folder), BYTES_MAX, |_| {});
    assert!(live.fault().is_some());
    assert!(live.effects().is_empty());
    for (number, replace) in [(1, by_rename as fn(&Path, &[u8])), (2, in_place)] {
        replace(&path, &effect(number));
        assert!(has(&live.snapshot(), &effect(number)));
        assert_eq!(ask(&load(&live, &guest()).unwrap()), answers(number));
    }
    let seen = live.snapshot();
    assert_eq!(live.snapshot().generation, seen.generation);
    fs::remove_file(&path).unwrap();
    assert_eq!(live.wait(seen.generation, AT_MOST)[0].what, What::Removed);
}

#[test]
fn each_snapshot_is_prepared() {
    let (_place, folder) = place();
    let mut built_in = Effects::new();
    let bytes = effect(9);
    built_in.add_built_in([("number", bytes)]).unwrap();
    let live = Live::open_with(std::slice::from_ref(&folder), BYTES_MAX, move |effects| {
        effects.add(&built_in);
    });
    assert_eq!(ask(&load(&live, &guest()).unwrap()), answers(9));
    by_rename(&folder.join("number.wasm"), &effect(1));
    until(&live, |snapshot| has(snapshot, &effect(1)));
    assert_eq!(ask(&load(&live, &guest()).unwrap()), answers(1));
}

#[test]
fn an_unchanged_wiring_is_ready() {
    let (_place, folder) = place();
    let path = folder.join("number.wasm");
    let guest = guest();
    // An engine of its own: that of all tests may have it already.
    let engine = homestar_engine::Engine::new(homestar_engine::Config::default()).unwrap();
    fs::write(&path, effect(31)).unwrap();
    let live = open(&folder);
    let cid = cid_of_file(&guest);
    let ready = || engine.ready(&cid, || live.effects()).unwrap();
    assert!(ready().is_none());
    engine.load_with(&guest, || live.effects()).unwrap();
    let effects = |component: Component| component.effects().to_vec();
    assert_eq!(effects(ready().unwrap()), [cid_of_file(&effect(31))]);
    // An effect that it isn't wired to changes nothing.
    by_rename(&folder.join("two.wasm"), &effect_of("two", 1));
    until(&live, |snapshot| snapshot.effects.iter().count() == 2);
    assert!(ready().is_some());
    by_rename(&path, &effect(32));
    until(&live, |snapshot| has(snapshot, &effect(32)));
    assert!(ready().is_none());
    let component = engine.load_with(&guest, || live.effects()).unwrap();
    assert_eq!(effects(component), [cid_of_file(&effect(32))]);
    by_rename(&path, &effect(31));
    until(&live, |snapshot| has(snapshot, &effect(31)));
    assert_eq!(effects(ready().unwrap()), [cid_of_file(&effect(31))]);
}
