//! Single files.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use homestar_core::unixfs::{Layout, Leaves, cid_of_file};
use homestar_node::{ImportError, ImportOptions, Importer, Source, Watch, export};
use homestar_store::{Memory, StoreError};
use tempfile::TempDir;

use crate::make::{alone, bytes, import, stores};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

#[test]
fn a_file_has_its_name_however_it_is_hashed() {
    let (folder, stores) = stores();
    let path = folder.path().join("file");
    // The larger ones are hashed on all cores.
    for length in [
        0,
        1,
        256 * KIB,
        256 * KIB + 1,
        3 * MIB,
        4 * MIB,
        5 * MIB + 17,
    ] {
        let bytes = bytes(length);
        std::fs::write(&path, &bytes).unwrap();
        for store in &stores {
            let entry = import(&**store, &path, ImportOptions::default()).unwrap();
            assert_eq!(entry.cid, cid_of_file(&bytes), "{length}");
            assert_eq!(entry.file_bytes, length as u64);
            let mut read = Vec::new();
            let copied = alone(store)
                .open(&entry.cid, 0..u64::MAX)
                .copy_to(&mut read);
            assert_eq!(copied.unwrap(), length as u64);
            assert!(read == bytes, "{length}");
        }
    }
}

#[test]
fn other_programs_give_the_same_name() {
    let (folder, stores) = stores();
    let path = folder.path().join("hello");
    std::fs::write(&path, "hello").unwrap();
    let entry = import(&*stores[0], &path, ImportOptions::default()).unwrap();
    let name = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq";
    assert_eq!(entry.cid.to_string(), name);
}

#[test]
fn any_range_of_a_file_is_read() {
    let (folder, stores) = stores();
    let path = folder.path().join("file");
    let all = bytes(700 * KIB);
    std::fs::write(&path, &all).unwrap();
    let layout = Layout::new(10 * KIB, 3, Leaves::Raw).unwrap();
    let options = ImportOptions {
        layout,
        ..ImportOptions::default()
    };
    let entry = import(&*stores[0], &path, options).unwrap();
    let source = alone(&stores[0]);
    let length = all.len();
    for (from, to) in [
        (0, 0),
        (0, 1),
        (10 * KIB - 1, 10 * KIB + 1),
        (123_456, 654_321),
        (length - 1, length),
        (length, length + 1),
        (0, usize::MAX),
    ] {
        let mut read = Vec::new();
        let range = from as u64..to as u64;
        source.open(&entry.cid, range).copy_to(&mut read).unwrap();
        assert!(read == all[from..to.min(length)], "{from}..{to}");
    }
}

/// Gives bytes in pieces of odd sizes, and is interrupted in between.
struct Slow<'a>(&'a [u8], bool);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let length = buffer.len().min(self.0.len()).min(1_237);
        buffer[..length].copy_from_slice(&self.0[..length]);
        self.0 = &self.0[length..];
        Ok(length)
    }
}

#[derive(Default)]
struct Counted(u64, Vec<String>);

impl Watch for Counted {
    fn read(&mut self, bytes: u64) {
        self.0 += bytes;
    }

    fn added(&mut self, path: &Path, _: &homestar_core::unixfs::Entry) {
        self.1.push(path.display().to_string());
    }
}

#[test]
fn a_stream_is_a_file_and_is_watched() {
    let store = Memory::new();
    let all = bytes(600 * KIB);
    let mut importer = Importer::new(&store, ImportOptions::default());
    let mut watch = Counted::default();
    let entry = importer.stream(&mut Slow(&all, false), Path::new("-"), &mut watch);
    assert_eq!(entry.unwrap().cid, cid_of_file(&all));
    assert_eq!((watch.0, watch.1), (all.len() as u64, vec!["-".to_owned()]));
}

#[test]
fn a_full_store_ends_an_import() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file");
    for length in [MIB, 8 * MIB] {
        std::fs::write(&path, bytes(length)).unwrap();
        let store = Memory::with_quota(512 << 10);
        let error = import(&store, &path, ImportOptions::default()).unwrap_err();
        let is_quota = matches!(error, ImportError::Store(StoreError::Quota { .. }));
        assert!(is_quota, "{error:?}");
    }
}

#[test]
fn what_isnt_there_is_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("nothing");
    let error = import(&Memory::new(), &path, ImportOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), format!("can't read {}", path.display()));
}

#[test]
fn a_file_appears_whole_or_not_at_all() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, bytes(2 * MIB)).unwrap();
    // The store has room for some of it.
    let store = Memory::with_quota(3 << 19);
    import(&store, &path, ImportOptions::default()).unwrap_err();
    let (entry, blocks) = homestar_core::unixfs::blocks_of_file(&bytes(2 * MIB));
    let some = Memory::new();
    let (root, first) = (blocks.last().unwrap(), &blocks[0]);
    homestar_store::Store::put(&some, &[root.clone(), first.clone()]).unwrap();
    let source = Source::new(Arc::new(some), None);
    let target = folder.path().join("target");
    export(&source, &entry.cid, &target, false, &mut |_| {}).unwrap_err();
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "the file that was imported, and nothing else");
}
