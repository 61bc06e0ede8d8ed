use super::super::{Error, Keys};
use super::*;
use ring::rand::SystemRandom;
use std::os::unix::fs::{PermissionsExt, symlink};
use tempfile::TempDir;

fn kept() -> (TempDir, Kept) {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::new(folder.path().join("deep/keys"));
    (folder, kept)
}

fn key(byte: u8) -> Key {
    Key::new(Algorithm::Ed25519, Zeroizing::new(vec![byte; 32])).unwrap()
}

#[test]
fn a_file_looks_as_described() {
    let (_folder, kept) = kept();
    kept.keep("mine", &key(0x9d)).unwrap();
    let path = kept.folder.join("mine.key");
    let text = format!("homestar key 1\ned25519\n{}\n", "9d".repeat(32));
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(&path), mode(&kept.folder)), (0o600, 0o700));
    assert_eq!(fs::read_dir(&kept.folder).unwrap().count(), 1);
}

#[test]
fn every_key_is_found_again() {
    let (_folder, kept) = kept();
    let random = SystemRandom::new();
    let mut keys = Keys::new(Some(kept.clone()));
    for algorithm in Algorithm::ALL {
        let key = keys.generate(algorithm, &random).unwrap();
        assert_eq!(keys.keep(key, algorithm.name()), Ok(()));
    }
    let long = keys.import(Algorithm::Secret, vec![1; 1024]).unwrap();
    assert_eq!(keys.keep(long, "long"), Ok(()));
    // Another task, of which the first knows nothing.
    let mut others = Keys::new(Some(kept));
    for (number, algorithm) in Algorithm::ALL.into_iter().enumerate() {
        let key = others.open(algorithm.name()).unwrap();
        assert_eq!(others.get(key), keys.get(number as u32));
    }
    assert!(others.open("long").is_ok());
}

#[test]
fn a_name_is_taken_once() {
    let (_folder, kept) = kept();
    kept.keep("mine", &key(1)).unwrap();
    kept.keep("mine", &key(1)).unwrap();
    assert!(matches!(
        kept.keep("mine", &key(2)),
        Err(KeptError::Taken(_))
    ));
    // The same bytes for something else are another key.
    let other = Key::new(Algorithm::X25519, Zeroizing::new(vec![1; 32])).unwrap();
    let mut keys = Keys::new(Some(kept.clone()));
    let number = keys.import(Algorithm::X25519, vec![1; 32]).unwrap();
    assert_eq!(keys.keep(number, "mine"), Err(Error::Taken));
    assert!(kept.load("mine").unwrap() == Some(key(1)));
    assert!(kept.load("mine").unwrap() != Some(other));
}

#[test]
fn a_name_is_no_path() {
    let (folder, kept) = kept();
    kept.keep("mine", &key(1)).unwrap();
    fs::copy(kept.folder.join("mine.key"), folder.path().join("out.key")).unwrap();
    let long = "n".repeat(65);
    for name in [
        "",
        ".",
        "..",
        ".mine",
        "../../out",
        "a/b",
        "a b",
        "ä",
        "a\0",
        &long,
    ] {
        assert!(matches!(kept.keep(name, &key(1)), Err(KeptError::Name(_))));
        assert!(matches!(kept.load(name), Ok(None)), "{name:?}");
        assert!(matches!(kept.remove(name), Ok(false)), "{name:?}");
    }
    for name in ["a", "A-b_c.1", "-", "mine.key", &long[1..]] {
        kept.keep(name, &key(1)).unwrap();
        assert!(kept.load(name).unwrap().is_some());
    }
}

#[test]
fn keys_are_listed_and_removed() {
    let (_folder, kept) = kept();
    assert_eq!(kept.list().unwrap(), Vec::<String>::new());
    assert!(!kept.remove("a").unwrap());
    for name in ["b", "a", "a.key"] {
        kept.keep(name, &key(1)).unwrap();
    }
    for other in ["notes.txt", ".tmpabc", ".key", "a b.key"] {
        fs::write(kept.folder.join(other), "x").unwrap();
    }
    assert_eq!(kept.list().unwrap(), ["a", "a.key", "b"]);
    assert!(kept.remove("a").unwrap());
    assert!(!kept.remove("a").unwrap());
    assert_eq!(kept.list().unwrap(), ["a.key", "b"]);
    assert!(kept.load("a").unwrap().is_none());
}

#[test]
fn a_file_that_is_no_key_is_named() {
    let (_folder, kept) = kept();
    kept.keep("mine", &key(0x9d)).unwrap();
    let path = kept.folder.join("mine.key");
    let text = fs::read_to_string(&path).unwrap();
    for bad in [
        String::new(),
        text[..text.len() - 1].into(),
        text[..40].into(),
        text.replace("key 1", "key 2"),
        text.replace("ed25519", "ed448"),
        text.replace("ed25519", "aes128-gcm"),
        text.replace("9d", "xx"),
        text.replace("9d9d9d", "9d+99d"),
        format!("{text}\n"),
        text.replace('\n', "\r\n"),
        "x".repeat(10_000),
        format!("homestar key 1\np256\n{}\n", "00".repeat(32)),
    ] {
        fs::write(&path, bad.as_bytes()).unwrap();
        let error = kept.load("mine").map(drop).unwrap_err();
        assert!(
            matches!(&error, KeptError::Foreign(at) if *at == path),
            "{bad}"
        );
        assert!(!error.to_string().contains("9d9d"));
        assert!(matches!(
            kept.keep("mine", &key(1)),
            Err(KeptError::Foreign(_))
        ));
    }
    fs::write(&path, [0xff; 100]).unwrap();
    assert!(matches!(kept.load("mine"), Err(KeptError::Io { .. })));
    fs::write(
        &path,
        text.to_uppercase()
            .replace("HOMESTAR KEY 1\nED", "homestar key 1\ned"),
    )
    .unwrap();
    assert!(kept.load("mine").unwrap() == Some(key(0x9d)));
}

#[test]
fn a_file_that_others_may_read_is_refused() {
    let (_folder, kept) = kept();
    kept.keep("mine", &key(1)).unwrap();
    let path = kept.folder.join("mine.key");
    for mode in [0o640, 0o604, 0o620] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = kept.load("mine").map(drop).unwrap_err();
        assert!(matches!(&error, KeptError::Open(at) if *at == path));
        assert!(error.to_string().contains("chmod 600"));
    }
}

#[test]
fn a_link_is_not_followed() {
    let (folder, kept) = kept();
    kept.keep("mine", &key(1)).unwrap();
    let elsewhere = folder.path().join("elsewhere");
    fs::rename(kept.folder.join("mine.key"), &elsewhere).unwrap();
    symlink(&elsewhere, kept.folder.join("mine.key")).unwrap();
    assert!(matches!(kept.load("mine"), Err(KeptError::Io { .. })));
}

#[test]
fn guests_learn_no_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "").unwrap();
    let mut keys = Keys::new(Some(Kept::new(&path)));
    let number = keys.import(Algorithm::Secret, vec![1]).unwrap();
    let Err(Error::Failed(words)) = keys.keep(number, "mine") else {
        panic!("a file is no folder");
    };
    assert!(words.contains("disk") && !words.contains("file"), "{words}");
    assert!(matches!(keys.open("mine"), Err(Error::Failed(_))));

    let mut keys = Keys::new(None);
    let number = keys.import(Algorithm::Secret, vec![1]).unwrap();
    assert!(matches!(keys.keep(number, "mine"), Err(Error::Failed(_))));
    assert_eq!(keys.open("mine"), Err(Error::NoKey));
}

#[test]
fn of_two_that_keep_at_once_one_does() {
    let (_folder, kept) = kept();
    let won: Vec<u8> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=4)
            .map(|byte| {
                let kept = &kept;
                scope.spawn(move || kept.keep("mine", &key(byte)).is_ok().then_some(byte))
            })
            .collect();
        let results = threads.into_iter().map(|thread| thread.join().unwrap());
        results.flatten().collect()
    });
    assert_eq!(won.len(), 1);
    assert!(kept.load("mine").unwrap() == Some(key(won[0])));
}
