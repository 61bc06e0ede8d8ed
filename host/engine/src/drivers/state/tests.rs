use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn state() -> (TempDir, State) {
    let folder = tempfile::tempdir().unwrap();
    let state = State::new(folder.path().join("state"));
    (folder, state)
}

/// Files in a bucket's folder that hold values.
fn files(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    files
        .filter(|file| !file.file_name().to_string_lossy().starts_with('.'))
        .map(|file| file.path())
        .collect()
}

fn failed(result: Result<impl Sized, Error>) -> String {
    match result.map(drop) {
        Err(Error::Failed(words)) => words,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_set_is_there_until_deleted() {
    let (_folder, state) = state();
    assert_eq!(state.get("b", "key"), Ok(None));
    assert_eq!(state.list("b"), Ok(vec![]));
    assert_eq!(state.delete("b", "key"), Ok(()));
    assert_eq!(state.set("b", "key", b"one"), Ok(()));
    assert_eq!(state.set("b", "key", b"two"), Ok(()));
    assert_eq!(state.set("b", "empty", b""), Ok(()));
    assert_eq!(state.get("b", "key"), Ok(Some(b"two".to_vec())));
    assert_eq!(state.get("b", "empty"), Ok(Some(vec![])));
    assert_eq!(state.get("c", "key"), Ok(None));
    assert_eq!(state.delete("b", "key"), Ok(()));
    assert_eq!(state.get("b", "key"), Ok(None));
    assert_eq!(state.list("b"), Ok(vec!["empty".into()]));
}

#[test]
fn numbers_grow_within_their_range() {
    let (_folder, state) = state();
    let add = |delta| state.increment("b", "n", delta, 0..=u64::MAX.into());
    assert_eq!(add(2), Ok(2));
    assert_eq!(add(u64::MAX.into()).map_err(drop), Err(()));
    assert_eq!(add(-3).map_err(drop), Err(()));
    assert_eq!(add(i128::MAX).map_err(drop), Err(()));
    assert_eq!(state.get("b", "n"), Ok(Some(b"2".to_vec())));
    assert_eq!(
        state.increment("b", "n", -5, i64::MIN.into()..=i64::MAX.into()),
        Ok(-3)
    );
    assert_eq!(state.get("b", "n"), Ok(Some(b"-3".to_vec())));
    for other in [&b""[..], b"two", b"\xff", b"1 "] {
        state.set("b", "n", other).unwrap();
        let words = failed(add(1));
        assert!(words.contains("\"n\" is not a number"), "{words}");
        assert_eq!(state.get("b", "n"), Ok(Some(other.to_vec())));
    }
}

#[test]
fn a_value_is_swapped_only_for_the_expected_one() {
    let (_folder, state) = state();
    let swap =
        |expected: Option<&[u8]>, value: &[u8]| state.swap("b", "k", expected.map(digest), value);
    assert_eq!(swap(Some(b""), b"a"), Ok(Swap::Found(None)));
    assert_eq!(swap(None, b"a"), Ok(Swap::Done));
    assert_eq!(swap(None, b"b"), Ok(Swap::Found(Some(digest(b"a")))));
    assert_eq!(swap(Some(b"a"), b""), Ok(Swap::Done));
    assert_eq!(swap(None, b"b"), Ok(Swap::Found(Some(digest(b"")))));
    let large = vec![0; VALUE_BYTES_MAX + 1];
    assert!(matches!(swap(Some(b""), &large), Err(Error::TooLarge(_))));
    assert_eq!(state.get("b", "k"), Ok(Some(vec![])));
}

#[test]
fn no_increment_is_lost() {
    let (_folder, state) = state();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    state.increment("b", "n", 1, 0..=i128::MAX).unwrap();
                }
            });
        }
    });
    assert_eq!(state.get("b", "n"), Ok(Some(b"100".to_vec())));
}

#[test]
fn any_text_is_a_key_and_keys_are_sorted_by_bytes() {
    let (_folder, state) = state();
    let keys = ["", "../../x", "/", ".", "\0", "Z", "a", "ä", "😀", "a\nb"];
    for key in &keys[1..] {
        assert_eq!(state.set("b", key, key.as_bytes()), Ok(()));
    }
    let mut sorted = keys[1..].to_vec();
    sorted.sort_by_key(|key| key.as_bytes());
    assert_eq!(state.list("b").unwrap(), sorted);
    for key in sorted {
        assert_eq!(state.get("b", key), Ok(Some(key.into())));
    }
}

#[test]
fn names_that_can_not_be_are_refused() {
    let (_folder, state) = state();
    let long = "k".repeat(257);
    for bucket in ["", "a/b", "ä", "a b", "\0", "~a", &long] {
        for refused in [
            state.get(bucket, "k").map(drop),
            state.set(bucket, "k", b""),
            state.delete(bucket, "k"),
            state.list(bucket).map(drop),
            state.increment(bucket, "k", 1, 0..=1).map(drop),
            state.swap(bucket, "k", None, b"").map(drop),
        ] {
            assert!(matches!(refused, Err(Error::Invalid(_))), "{bucket:?}");
        }
    }
    for key in ["", &long] {
        assert!(matches!(state.set("b", key, b""), Err(Error::Invalid(_))));
        assert!(matches!(state.get("b", key), Err(Error::Invalid(_))));
        assert!(matches!(state.delete("b", key), Err(Error::Invalid(_))));
        let added = state.increment("b", key, 1, 0..=1);
        assert!(matches!(added, Err(Error::Invalid(_))));
        let swapped = state.swap("b", key, None, b"");
        assert!(matches!(swapped, Err(Error::Invalid(_))));
    }
}

#[test]
fn odd_buckets_are_buckets_of_their_own() {
    let (folder, state) = state();
    let long = "b".repeat(256);
    let buckets = [
        ".", "..", "...", ".totals", "A", "a", "a.", "a-b_c.1", &long,
    ];
    for bucket in buckets {
        assert_eq!(state.set(bucket, "key", bucket.as_bytes()), Ok(()));
    }
    for bucket in buckets {
        assert_eq!(state.get(bucket, "key"), Ok(Some(bucket.into())));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let folders = fs::read_dir(folder.path().join("state")).unwrap();
    assert_eq!(folders.count(), buckets.len());
}

#[test]
fn a_value_may_be_large_and_not_larger() {
    let (_folder, state) = state();
    let mut value = vec![7; VALUE_BYTES_MAX];
    let key = "k".repeat(256);
    assert_eq!(state.set("b", &key, &value), Ok(()));
    assert_eq!(state.get("b", &key), Ok(Some(value.clone())));
    value.push(7);
    assert_eq!(state.set("b", "key", &value), Err(Error::TooLarge(262_144)));
}

/// Makes a bucket that believes to hold this much.
fn filled(state: &State, keys: u64, bytes: u64) {
    state.set("b", "key", b"value").unwrap();
    let folder = state.folder.join("b");
    let mut totals = totals::Totals::lock(&folder).unwrap();
    assert_eq!((totals.keys, totals.bytes), (1, 8));
    (totals.keys, totals.bytes) = (keys, bytes);
    totals.save().unwrap();
}

#[test]
fn a_bucket_that_is_full_takes_no_more() {
    let (_folder, state) = state();
    filled(&state, KEYS_MAX, 8);
    assert_eq!(state.set("b", "more", b""), Err(Error::TooLarge(KEYS_MAX)));
    assert_eq!(state.set("b", "key", b"other"), Ok(()));
    assert_eq!(state.delete("b", "key"), Ok(()));
    assert_eq!(state.set("b", "more", b""), Ok(()));

    filled_again(&state);
    let full = Err(Error::TooLarge(BUCKET_BYTES_MAX));
    assert_eq!(state.set("b", "key", b"value2"), full);
    assert_eq!(state.set("b", "k", b""), full);
    assert_eq!(state.set("b", "key", b"valu"), Ok(()));
    assert_eq!(state.set("b", "k", b""), Ok(()));
}

fn filled_again(state: &State) {
    fs::remove_dir_all(state.folder.join("b")).unwrap();
    filled(state, 1, BUCKET_BYTES_MAX);
}

#[test]
fn totals_are_counted_again_if_the_folder_changed() {
    let (_folder, state) = state();
    filled(&state, KEYS_MAX, BUCKET_BYTES_MAX);
    let folder = state.folder.join("b");
    // Someone else was here, and something was never finished.
    fs::write(folder.join(".new-abc"), "half a val").unwrap();
    let later = SystemTime::now() + Duration::from_secs(1);
    fs::File::open(&folder)
        .unwrap()
        .set_modified(later)
        .unwrap();
    assert_eq!(state.set("b", "more", b"1"), Ok(()));
    assert!(!folder.join(".new-abc").exists());
    let totals = totals::Totals::lock(&folder).unwrap();
    assert_eq!((totals.keys, totals.bytes), (2, 13));
    drop(totals);

    fs::write(folder.join(".totals"), "short").unwrap();
    let totals = totals::Totals::lock(&folder).unwrap();
    assert_eq!((totals.keys, totals.bytes), (2, 13));
}

#[test]
fn a_torn_or_foreign_file_is_named() {
    let (_folder, state) = state();
    state.set("b", "key", b"value").unwrap();
    let path = files(&state.folder.join("b")).remove(0);
    let whole = fs::read(&path).unwrap();
    for content in [
        &whole[..whole.len() - 1],
        &whole[..20],
        b"",
        &[0xff; 400_000],
    ] {
        fs::write(&path, content).unwrap();
        assert!(failed(state.get("b", "key")).starts_with("b/2c70e12b"));
    }
    assert!(failed(state.list("b")).starts_with("b/2c70e12b"));

    // Setting it heals it.
    assert_eq!(state.set("b", "key", b"value"), Ok(()));
    assert_eq!(state.get("b", "key"), Ok(Some(b"value".to_vec())));

    let foreign = path.with_file_name("notes.txt");
    fs::write(&foreign, "x").unwrap();
    assert!(failed(state.list("b")).starts_with("b/notes.txt is damaged"));
    fs::remove_file(foreign).unwrap();
    // Another key's file under this key's name.
    state.set("b", "other", b"").unwrap();
    fs::rename(
        state.folder.join("b").join(entry::file_name("other")),
        &path,
    )
    .unwrap();
    assert!(failed(state.get("b", "key")).contains("damaged"));
    assert!(failed(state.list("b")).contains("damaged"));
    // A folder in its place.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    failed(state.get("b", "key"));
    failed(state.set("b", "key", b""));
    failed(state.delete("b", "key"));
    failed(state.list("b"));
}

#[test]
fn a_folder_that_can_not_be_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "").unwrap();
    let words = failed(State::new(&path).set("b", "key", b""));
    assert!(words.contains("file/b"), "{words}");
    assert!(!words.contains(folder.path().to_str().unwrap()), "{words}");
}

#[test]
fn tasks_that_write_at_once_lose_nothing() {
    const EACH: usize = 20;
    let (_folder, state) = state();
    thread::scope(|scope| {
        for task in 0..4 {
            // As several processes do: each on its own, and all on one key.
            let state = State::new(state.folder.clone());
            scope.spawn(move || {
                for round in 0..EACH {
                    let key = format!("{task} {round}");
                    state.set("b", &key, key.as_bytes()).unwrap();
                    state.set("b", "shared", &[task; 4096]).unwrap();
                    let shared = state.get("b", "shared").unwrap().unwrap();
                    assert!(shared.iter().all(|byte| *byte == shared[0]));
                    state.list("b").unwrap();
                    if round % 2 == 0 {
                        state.delete("b", &key).unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(state.list("b").unwrap().len(), 4 * EACH / 2 + 1);
    let folder = state.folder.join("b");
    let saved = totals::Totals::lock(&folder).unwrap();
    let saved = (saved.keys, saved.bytes);
    fs::remove_file(folder.join(".totals")).unwrap();
    let counted = totals::Totals::lock(&folder).unwrap();
    assert_eq!(saved, (counted.keys, counted.bytes));
}

#[derive(Clone, Debug)]
enum Step {
    Set(u8, Vec<u8>),
    Delete(u8),
    Reopen,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4u8, any::<Vec<u8>>()).prop_map(|(key, value)| Step::Set(key, value)),
        (0..4u8).prop_map(Step::Delete),
        Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn it_is_a_map(steps in prop::collection::vec(any_step(), 0..12)) {
        let (_folder, mut state) = state();
        let mut map = BTreeMap::new();
        for step in steps {
            match step {
                Step::Set(key, value) => {
                    prop_assert_eq!(state.set("b", &key.to_string(), &value), Ok(()));
                    map.insert(key.to_string(), value);
                }
                Step::Delete(key) => {
                    prop_assert_eq!(state.delete("b", &key.to_string()), Ok(()));
                    map.remove(&key.to_string());
                }
                Step::Reopen => state = State::new(state.folder.clone()),
            }
        }
        prop_assert_eq!(state.list("b").unwrap(), map.keys().cloned().collect::<Vec<_>>());
        for key in (0..4).map(|key| key.to_string()) {
            prop_assert_eq!(state.get("b", &key).unwrap(), map.get(&key).cloned());
        }
    }
}
