//! The disk refuses something.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use homestar_store::{Config, Disk, Io, IoFile, Lock, Mode, Os, Store, StoreError};

use super::Folder;
use crate::make::raw;

/// The system's disk, which refuses to grow or to sync segments while it is told to.
#[derive(Debug, Default)]
struct Refusing {
    is_full: AtomicBool,
    is_broken: AtomicBool,
}

#[derive(Debug)]
struct RefusingFile {
    file: Box<dyn IoFile>,
    disk: Arc<Refusing>,
}

#[derive(Debug)]
struct Refuses(Arc<Refusing>);

impl Io for Refuses {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn IoFile>> {
        let (file, disk) = (Os.open(path, mode)?, Arc::clone(&self.0));
        if path.extension().is_none_or(|ending| ending != "seg") {
            return Ok(file);
        }
        Ok(Box::new(RefusingFile { file, disk }))
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        Os.len(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        Os.create_folder(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        Os.list(folder)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Os.remove(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        Os.remove_folder(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Os.rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        Os.sync_folder(path)
    }

    fn unique(&self) -> u64 {
        Os.unique()
    }
}

impl IoFile for RefusingFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.disk.is_full.load(Ordering::Relaxed) {
            // Some of it may have been written.
            self.file.write_at(&bytes[..bytes.len() / 2], offset)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_at(bytes, offset)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        if self.disk.is_broken.load(Ordering::Relaxed) {
            return Err(io::Error::other("the disk is broken"));
        }
        self.file.sync()
    }

    fn lock(&self, lock: Lock) -> io::Result<bool> {
        self.file.lock(lock)
    }

    fn is_linked(&self) -> io::Result<bool> {
        self.file.is_linked()
    }
}

fn open(folder: &Folder) -> (Arc<Refusing>, Disk) {
    let disk = Arc::new(Refusing::default());
    let refuses = Arc::new(Refuses(Arc::clone(&disk)));
    let store = Disk::open_on(refuses, &folder.path(), Config::default()).unwrap();
    (disk, store)
}

#[test]
fn a_full_disk_is_told_and_gets_room_again() {
    let folder = Folder::new();
    let (disk, store) = open(&folder);
    let (before, refused) = (raw(1, 50_000), raw(2, 50_000));
    store.put(std::slice::from_ref(&before)).unwrap();
    disk.is_full.store(true, Ordering::Relaxed);
    let error = store.put(std::slice::from_ref(&refused)).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
    assert!(error.to_string().contains("collect garbage"), "{error}");
    assert_eq!(store.get(refused.cid()).unwrap(), None);
    store.put(&[raw(3, 100)]).expect("the index has room");
    store.stage(std::slice::from_ref(&refused)).unwrap();
    assert!(store.flush().is_err());
    assert!(
        store.put(&[raw(4, 100)]).is_err(),
        "what is staged goes first"
    );
    disk.is_full.store(false, Ordering::Relaxed);
    // What was staged waits still.
    store.flush().unwrap();
    let again = folder.open();
    for block in [&before, &refused] {
        assert_eq!(again.get(block.cid()).unwrap().as_ref(), Some(block));
    }
    assert_eq!(again.verify().unwrap().damaged, []);
}

#[test]
fn after_a_failed_sync_another_segment_is_written() {
    let folder = Folder::new();
    let (disk, store) = open(&folder);
    let blocks: Vec<_> = (0..3).map(|seed| raw(seed, 50_000)).collect();
    store.put(&blocks[..1]).unwrap();
    disk.is_broken.store(true, Ordering::Relaxed);
    let error = store.put(&blocks[1..2]).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
    assert!(!store.has(blocks[1].cid()).unwrap());
    disk.is_broken.store(false, Ordering::Relaxed);
    store.put(&blocks).unwrap();
    assert_eq!(folder.segments().len(), 2);
    for block in &blocks {
        assert_eq!(
            folder.open().get(block.cid()).unwrap().as_ref(),
            Some(block)
        );
    }
}
