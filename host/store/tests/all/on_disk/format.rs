//! Stores that another version wrote.

use std::fs;

use homestar_store::{Disk, StoreError};

use super::Folder;
use crate::make::raw;

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
    let store = folder.open();
    store_in_index(&store);
    drop(store);
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

/// Writes the log into the index.
fn store_in_index(store: &Disk) {
    homestar_store::Store::gc(store, &|_| vec![]).unwrap();
}

#[test]
fn a_newer_segment_is_not_rebuilt_from() {
    let folder = Folder::new();
    homestar_store::Store::put(&folder.open(), &[raw(1, 50_000)]).unwrap();
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
