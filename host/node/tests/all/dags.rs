//! Whole DAGs: fetched, pinned, collected, in CAR files.

use std::fs;
use std::sync::Arc;

use homestar_core::ipld::{Block, Cid, Ipld};
use homestar_node::{ReadCarError, Source, gc, pin, read_car, write_car};
use homestar_store::{Memory, Pin, Store};
use tempfile::TempDir;

use crate::make::{Other, alone, bytes, import, recursive};

/// A store with a folder in it: a large file, two equal ones, and a folder below.
fn filled() -> (Arc<dyn Store>, Cid) {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("large"), bytes(700 << 10)).unwrap();
    fs::create_dir(path("below")).unwrap();
    for name in ["one", "below/two"] {
        fs::write(path(name), "equal").unwrap();
    }
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let entry = import(&*store, folder.path(), recursive()).unwrap();
    (store, entry.cid)
}

fn recursively(cid: Cid) -> Pin {
    Pin::recursive(cid, "", 1)
}

#[test]
fn pinning_fetches_what_is_missing_and_keeps_it() {
    let (there, root) = filled();
    let blocks = there.stats().unwrap().blocks;
    let others = there.list(None, 100).unwrap();
    // Whatever is here already, the rest comes.
    for have in 0..=others.len() {
        let here = Memory::new();
        for cid in &others[..have] {
            here.put(&[there.get(cid).unwrap().unwrap()]).unwrap();
        }
        let fetch = Arc::new(Other(Arc::clone(&there)));
        let source = Source::new(Arc::new(here.clone()), Some(fetch));
        let mut came = 0;
        let held = pin(&source, &recursively(root), &mut |bytes| came += bytes).unwrap();
        assert_eq!((held.blocks, held.missing), (blocks, 0));
        // From nothing, all of it comes, and each block is told once.
        assert!(have > 0 || came == held.bytes, "{came}, {}", held.bytes);
        assert!(have < others.len() || came == 0, "{came}");
        assert_eq!(gc(&here).unwrap().blocks, 0);
        assert_eq!(here.stats().unwrap().blocks, blocks);
    }
}

#[test]
fn what_cant_be_had_whole_isnt_pinned() {
    let (there, root) = filled();
    let missing = there.list(None, 1).unwrap()[0];
    let here = Memory::new();
    for cid in there.list(Some(&missing), 100).unwrap() {
        here.put(&[there.get(&cid).unwrap().unwrap()]).unwrap();
    }
    let nobody = Source::new(Arc::new(here.clone()), None);
    let stranger: Arc<dyn Store> = Arc::new(Memory::new());
    let useless = Source::new(Arc::new(here.clone()), Some(Arc::new(Other(stranger))));
    for source in [nobody, useless] {
        let error = pin(&source, &recursively(root), &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains(&missing.hash_text()), "{error}");
        assert_eq!(here.pins().unwrap(), []);
    }
}

/// The part of a CID's text that says what hash it has: the store lists blocks under CIDs of its own.
trait HashText {
    fn hash_text(&self) -> String;
}

impl HashText for Cid {
    fn hash_text(&self) -> String {
        let text = self.to_string();
        text[text.len() - 40..].to_owned()
    }
}

#[test]
fn what_nothing_needs_is_collected() {
    let (store, root) = filled();
    let source = alone(&store);
    pin(&source, &recursively(root), &mut |_| {}).unwrap();
    let loose = Block::raw(b"loose".to_vec());
    store.put(std::slice::from_ref(&loose)).unwrap();
    let collected = gc(&*store).unwrap();
    assert_eq!((collected.blocks, collected.bytes), (1, 5));
    assert!(store.unpin(&root, "").unwrap());
    gc(&*store).unwrap();
    assert_eq!(store.stats().unwrap().blocks, 0);
}

#[test]
fn a_car_file_carries_a_dag() {
    let (store, root) = filled();
    let blocks = store.stats().unwrap().blocks;
    let mut file = Vec::new();
    let mut told = 0;
    let held = write_car(&alone(&store), &[root], &mut file, &mut |bytes| {
        told += bytes
    })
    .unwrap();
    assert_eq!((held.blocks, told), (blocks, file.len() as u64));
    let other = Memory::new();
    let from = read_car(&other, &mut &file[..], &mut |_| {}).unwrap();
    assert_eq!((from.roots, from.blocks), (vec![root], blocks));
    assert_eq!(other.stats().unwrap().bytes, store.stats().unwrap().bytes);
    let source = Source::new(Arc::new(other), None);
    assert_eq!(source.held(&root).unwrap().missing, 0);
}

#[test]
fn a_car_file_that_is_cut_or_damaged_is_refused() {
    let leaf = Block::raw(b"leaf".to_vec());
    let root = Block::of_dag_cbor(&Ipld::List(vec![Ipld::Link(*leaf.cid())])).unwrap();
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    store.put(&[leaf, root.clone()]).unwrap();
    let mut file = Vec::new();
    write_car(&alone(&store), &[*root.cid()], &mut file, &mut |_| {}).unwrap();
    let read = |bytes: &[u8]| read_car(&Memory::new(), &mut &bytes[..], &mut |_| {});
    assert_eq!(read(&file).unwrap().blocks, 2);
    // Between two blocks nobody can tell, so two cuts are good: behind the header, and behind the first block.
    let good = (0..file.len()).filter(|end| read(&file[..*end]).is_ok());
    assert_eq!(good.count(), 2);
    let damaged = (0..file.len()).filter(|at| {
        let mut file = file.clone();
        file[*at] ^= 1;
        match read(&file) {
            // Roots are only names; another one is a name too.
            Ok(from) => from.blocks == 2 && from.roots == [*root.cid()],
            Err(error) => !matches!(error, ReadCarError::Car(_)),
        }
    });
    // How a block is read is no part of its hash, so another codec in one of the two CIDs is taken.
    assert_eq!(damaged.count(), 2);
}
