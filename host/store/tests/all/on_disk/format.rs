//! Stores that another version wrote.

use std::fs;
use std::path::Path;

use homestar_core::ipld::Block;
use homestar_core::receipt::Receipt;
use homestar_store::{Disk, Pin, Store, StoreError};

use super::Folder;
use crate::make::{links, raw};

fn refused(folder: &Folder) -> String {
    let error = Disk::open(&folder.path(), Default::default()).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Version {
                found: 7,
                known: 1,
                ..
            }
        ),
        "{error:?}"
    );
    error.to_string()
}

#[test]
fn a_newer_store_is_refused() {
    let folder = Folder::new();
    drop(folder.open());
    fs::write(folder.path().join("format"), "homestar store, format 7\n").unwrap();
    let said = refused(&folder);
    let path = folder.path().join("format");
    let expected = format!(
        "{} has format version 7; this version of homestar knows versions up to 1",
        path.display()
    );
    assert_eq!(said, expected);
}

#[test]
fn a_newer_index_is_refused() {
    let folder = Folder::new();
    // This writes the log into the index.
    folder.open().gc(&links).unwrap();
    // The version stands in the header of an SQLite database: `user_version`.
    let mut bytes = fs::read(folder.index()).unwrap();
    bytes[60..64].copy_from_slice(&7u32.to_be_bytes());
    fs::write(folder.index(), bytes).unwrap();
    assert!(refused(&folder).contains("index.db has format version 7"));
    let error = Disk::rebuild(&folder.path()).unwrap_err();
    assert!(
        matches!(error, StoreError::Version { found: 7, .. }),
        "{error:?}"
    );
}

#[test]
fn a_newer_segment_is_not_rebuilt_from() {
    let folder = Folder::new();
    folder.open().put(&[raw(1, 50_000)]).unwrap();
    let segment = &folder.segments()[0];
    let mut bytes = fs::read(segment).unwrap();
    bytes[16..20].copy_from_slice(&7u32.to_le_bytes());
    fs::write(segment, bytes).unwrap();
    let error = Disk::rebuild(&folder.path()).unwrap_err();
    assert!(
        matches!(error, StoreError::Version { found: 7, .. }),
        "{error:?}"
    );
}

/// Copies the store of a version into a folder of its own.
fn of_version(version: u32) -> Folder {
    let folder = Folder::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    copy(&fixtures.join(version.to_string()), &folder.path());
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// What `examples/fixture.rs` has put into each of them.
#[test]
fn stores_of_older_versions_are_opened() {
    for (version, is_rebuilt) in [(1, false), (1, true)] {
        let folder = of_version(version);
        if is_rebuilt {
            let rebuilt = Disk::rebuild(&folder.path()).unwrap();
            assert_eq!((rebuilt.blocks, rebuilt.lost), (4, vec![]));
        }
        let store = folder.open();
        let (small, large) = (
            Block::raw(b"small".to_vec()),
            Block::raw(b"large ".repeat(100)),
        );
        for block in [&small, &large] {
            assert_eq!(store.get(block.cid()).unwrap().as_ref(), Some(block));
        }
        let at_ms = 1_700_000_000_000;
        let pin = Pin::recursive(*large.cid(), "fixture", at_ms);
        assert_eq!(store.pins().unwrap(), [pin]);
        assert_eq!(store.name("site").unwrap(), Some(*small.cid()));
        let [recorded] = &store.receipts(None, 9).unwrap()[..] else {
            panic!("one receipt");
        };
        assert_eq!((recorded.at_ms(), recorded.is_reusable()), (at_ms, true));
        let receipt = Receipt::decode(recorded.block().bytes()).unwrap();
        assert_eq!(recorded.receipt().unwrap(), receipt);
        assert!(store.receipt(receipt.ran()).unwrap().is_some());
        let verified = store.verify().unwrap();
        assert_eq!((verified.damaged, verified.index), (vec![], vec![]));
        store.put(&[raw(1, 10), raw(2, 100_000)]).unwrap();
        assert_eq!(store.gc(&links).unwrap().blocks, 2);
    }
}
