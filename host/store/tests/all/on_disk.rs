//! What only a store on disk promises.

mod damage;
mod format;
mod share;
mod trouble;

use std::fs;
use std::path::{Path, PathBuf};

use homestar_store::{Config, Disk};
use tempfile::TempDir;

/// A folder with a store in it.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("store")
    }

    pub(crate) fn index(&self) -> PathBuf {
        self.path().join("index/index.db")
    }

    pub(crate) fn open(&self) -> Disk {
        Disk::open(&self.path(), Config::default()).unwrap()
    }

    /// The segments, the longest first.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.path().join("segments")).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort_by_key(|file| std::cmp::Reverse(length(file)));
        files
    }
}

pub(crate) fn length(file: &Path) -> u64 {
    fs::metadata(file).unwrap().len()
}

/// Changes one bit of a file.
pub(crate) fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 4;
    fs::write(file, bytes).unwrap();
}

/// Where some bytes stand in a file.
pub(crate) fn find(file: &Path, bytes: &[u8]) -> usize {
    let content = fs::read(file).unwrap();
    let mut windows = content.windows(bytes.len());
    windows
        .position(|window| window == bytes)
        .expect("they are there")
}
