//! What tests work with.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use homestar_core::ipld::{Block, Cid};
use homestar_core::unixfs::Entry;
use homestar_net::{Fault, Fetch, FetchError, Fetching, What};
use homestar_node::{ImportError, ImportOptions, Importer, Source, StoreConfig};
use homestar_store::{Disk, Memory, Store};
use tempfile::TempDir;

/// A store of each kind, with the folder of the one on disk.
pub(crate) fn stores() -> (TempDir, [Arc<dyn Store>; 2]) {
    let folder = TempDir::new().unwrap();
    let disk = Disk::open(&folder.path().join("store"), StoreConfig::default()).unwrap();
    (folder, [Arc::new(Memory::new()), Arc::new(disk)])
}

/// Bytes that don't repeat within a file.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Imports a path.
pub(crate) fn import(
    store: &dyn Store,
    path: &Path,
    options: ImportOptions,
) -> Result<Entry, ImportError> {
    let mut importer = Importer::new(store, options);
    let entry = importer.path(path, path, &mut ())?;
    importer.finish()?;
    Ok(entry)
}

/// Takes folders.
pub(crate) fn recursive() -> ImportOptions {
    ImportOptions {
        recursive: true,
        ..ImportOptions::default()
    }
}

/// Reads from a store alone.
pub(crate) fn alone(store: &Arc<dyn Store>) -> Source {
    Source::new(Arc::clone(store), None)
}

/// Somebody else, who has what is in a store.
#[derive(Debug)]
pub(crate) struct Other(pub(crate) Arc<dyn Store>);

impl Fetch for Other {
    fn block<'a>(&'a self, cid: &'a Cid) -> Fetching<'a, Block> {
        let found = self.0.get(cid).unwrap();
        let fault = Fault {
            provider: "other".into(),
            what: What::Answered { status: 404 },
        };
        let error = FetchError::Nowhere {
            cid: *cid,
            faults: vec![fault],
        };
        Box::pin(async move { found.ok_or(error) })
    }
}

/// Everything below a folder: files with their bytes, links with their targets, folders with nothing.
pub(crate) fn tree(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(path) = todo.pop() {
        for entry in fs::read_dir(&path).unwrap() {
            let path = entry.unwrap().path();
            let kind = fs::symlink_metadata(&path).unwrap().file_type();
            let what = if kind.is_dir() {
                todo.push(path.clone());
                "folder".to_owned()
            } else if kind.is_symlink() {
                format!("link {}", fs::read_link(&path).unwrap().display())
            } else {
                let bytes = fs::read(&path).unwrap();
                format!("file {}", homestar_core::ipld::cid_of_raw(&bytes))
            };
            found.insert(path.strip_prefix(folder).unwrap().to_owned(), what);
        }
    }
    found
}
