//! What is damaged is never handed out, is told, and can be repaired.

use std::fs;

use homestar_core::ipld::Block;
use homestar_store::{Disk, Flaw, Pin, Store, StoreError};

use super::{Folder, find, flip, length};
use crate::make::{found, links, node, own, raw, receipt};

/// Damages a block that lies in a segment, and expects it to be told and repaired.
fn told_and_repaired(damage: impl FnOnce(&Folder, &Block), flaw: &Flaw) {
    let folder = Folder::new();
    let (block, other) = (raw(1, 100_000), raw(2, 100_000));
    folder.open().put(&[other.clone(), block.clone()]).unwrap();
    damage(&folder, &block);
    let store = folder.open();
    let error = store.get(block.cid()).unwrap_err();
    let StoreError::Corrupt { cid, flaw: said } = &error else {
        panic!("{error:?}");
    };
    assert_eq!((cid, said), (block.cid(), flaw));
    assert!(
        error.to_string().contains(&block.cid().to_string()),
        "{error}"
    );
    let damaged = store.verify().unwrap().damaged;
    assert!(
        damaged
            .iter()
            .any(|damage| damage.cid == *block.cid() && damage.flaw == *flaw)
    );
    // Who needs it: nobody can say, if it could have links. A raw block has none.
    store.pin(&Pin::recursive(*block.cid(), "", 1)).unwrap();
    store.put(&[block.clone(), other.clone()]).unwrap();
    for block in [&block, &other] {
        assert_eq!(store.get(block.cid()).unwrap().as_ref(), Some(block));
    }
    assert_eq!(store.verify().unwrap().damaged, []);
    let stats = store.stats().unwrap();
    assert_eq!((stats.blocks, stats.bytes), (2, 200_000));
    store.gc(&links).unwrap();
    assert_eq!(folder.open().get(block.cid()).unwrap(), Some(block));
}

#[test]
fn a_bit_in_the_bytes() {
    let damage = |folder: &Folder, block: &Block| {
        let segment = &folder.segments()[0];
        flip(segment, find(segment, block.bytes()) + 5000);
    };
    told_and_repaired(damage, &Flaw::Bytes);
}

#[test]
fn a_bit_before_the_bytes() {
    let damage = |folder: &Folder, block: &Block| {
        let segment = &folder.segments()[0];
        flip(segment, find(segment, block.bytes()) - 30);
    };
    told_and_repaired(damage, &Flaw::Header);
}

#[test]
fn a_cut_segment() {
    let damage = |folder: &Folder, block: &Block| {
        let segment = &folder.segments()[0];
        let end = find(segment, block.bytes()) + 99_000;
        let file = fs::OpenOptions::new().write(true).open(segment).unwrap();
        file.set_len(end as u64).unwrap();
    };
    told_and_repaired(damage, &Flaw::Missing);
}

#[test]
fn a_segment_that_is_gone() {
    let damage = |folder: &Folder, _: &Block| fs::remove_file(&folder.segments()[0]).unwrap();
    told_and_repaired(damage, &Flaw::Missing);
}

#[test]
fn a_bit_of_a_small_block() {
    let folder = Folder::new();
    let block = raw(1, 1000);
    let store = folder.open();
    store.put(std::slice::from_ref(&block)).unwrap();
    // Writes the log into the index.
    store.gc(&|_| vec![]).unwrap();
    store.put(std::slice::from_ref(&block)).unwrap();
    store.pin(&Pin::direct(*block.cid(), "", 1)).unwrap();
    store.gc(&|_| vec![]).unwrap();
    drop(store);
    flip(&folder.index(), find(&folder.index(), block.bytes()) + 500);
    let store = folder.open();
    let error = store.get(block.cid()).unwrap_err();
    let flaw = Flaw::Bytes;
    assert!(matches!(&error, StoreError::Corrupt { flaw: said, .. } if *said == flaw));
    let cid = *block.cid();
    let damaged = store.verify().unwrap().damaged;
    assert_eq!(damaged, [homestar_store::Damage { cid, flaw }]);
    store.put(std::slice::from_ref(&block)).unwrap();
    assert_eq!(store.get(&cid).unwrap(), Some(block));
}

#[test]
fn a_damaged_receipt_is_as_if_it_had_never_been() {
    let folder = Folder::new();
    let (instruction, receipt) = receipt(1, 1);
    let store = folder.open();
    store.record(&[own(&receipt, &[])]).unwrap();
    store.gc(&|_| vec![]).unwrap();
    drop(store);
    flip(
        &folder.index(),
        find(&folder.index(), receipt.block().bytes()) + 90,
    );
    let store = folder.open();
    assert_eq!(store.receipt(&instruction.link()).unwrap(), None);
    assert_eq!(store.receipts(None, 9).unwrap(), []);
    store.record(&[own(&receipt, &[])]).unwrap();
    assert_eq!(found(&store, instruction.link()), [receipt.link()]);
    assert_eq!(store.receipts(None, 9).unwrap().len(), 1);
}

#[test]
fn nothing_is_collected_past_a_damaged_node() {
    let folder = Folder::new();
    let leaf = raw(1, 10);
    let root = node(&"x".repeat(50_000), &[&leaf]);
    let store = folder.open();
    store.put(&[leaf.clone(), root.clone()]).unwrap();
    store.pin(&Pin::recursive(*root.cid(), "", 1)).unwrap();
    flip(&folder.segments()[0], 20_000);
    let error = store.gc(&links).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { cid, .. } if cid == *root.cid()));
    assert!(store.has(leaf.cid()).unwrap());
    store.put(&[root]).unwrap();
    assert_eq!(store.gc(&links).unwrap().blocks, 0);
    assert!(store.has(leaf.cid()).unwrap());
}

#[test]
fn an_index_of_garbage_says_what_to_do() {
    let folder = Folder::new();
    let block = raw(1, 100_000);
    folder.open().put(std::slice::from_ref(&block)).unwrap();
    // The log holds what was written last, here everything, and would make the index good again.
    fs::remove_file(folder.index().with_extension("db-wal")).unwrap();
    fs::write(folder.index(), b"garbage ".repeat(1000)).unwrap();
    let error = Disk::open(&folder.path(), Default::default()).unwrap_err();
    assert!(matches!(error, StoreError::Index { .. }), "{error:?}");
    let said = error.to_string();
    assert!(
        said.contains("index.db") && said.contains("rebuild"),
        "{said}"
    );
    let rebuilt = Disk::rebuild(&folder.path()).unwrap();
    assert_eq!((rebuilt.blocks, rebuilt.bytes), (1, 100_000));
    assert!(!rebuilt.lost.is_empty());
    assert_eq!(folder.open().get(block.cid()).unwrap(), Some(block));
}

#[test]
fn a_missing_index_says_what_to_do() {
    for size in [10, 100_000] {
        let folder = Folder::new();
        folder.open().put(&[raw(1, size)]).unwrap();
        fs::remove_dir_all(folder.path().join("index")).unwrap();
        let error = Disk::open(&folder.path(), Default::default()).unwrap_err();
        assert!(matches!(error, StoreError::NoIndex { .. }), "{error:?}");
        assert!(error.to_string().contains("rebuild the store"), "{error}");
        Disk::rebuild(&folder.path()).unwrap();
        assert_eq!(
            folder.open().has(raw(1, size).cid()).unwrap(),
            size > 16 << 10
        );
    }
}

#[test]
fn what_can_be_read_of_an_index_is_taken_over() {
    let folder = Folder::new();
    let store = folder.open();
    let small: Vec<_> = (0..500).map(|seed| raw(seed, 700)).collect();
    let large = raw(9, 100_000);
    store.put(&small).unwrap();
    store.put(std::slice::from_ref(&large)).unwrap();
    let (instruction, receipt) = receipt(1, 1);
    store.record(&[own(&receipt, &[])]).unwrap();
    let pin = Pin::recursive(*large.cid(), "mine", 5);
    store.pin(&pin).unwrap();
    store.set_name("site", Some(large.cid())).unwrap();
    store.gc(&|block| vec![*block.cid()]).unwrap();
    store.put(&small).unwrap();
    drop(store);
    for damaged in [false, true] {
        if damaged {
            // A page in the middle of the blocks.
            let at = length(&folder.index()) as usize / 2 / 4096 * 4096;
            let mut bytes = fs::read(folder.index()).unwrap();
            bytes[at..at + 4096].fill(0xaa);
            fs::write(folder.index(), bytes).unwrap();
        }
        let rebuilt = Disk::rebuild(&folder.path()).unwrap();
        assert_eq!(rebuilt.lost.is_empty(), !damaged, "{:?}", rebuilt.lost);
        let store = folder.open();
        let lost = store.missing(&small.iter().map(|block| *block.cid()).collect::<Vec<_>>());
        let lost = lost.unwrap().len();
        assert!(if damaged { lost < 100 } else { lost == 0 }, "{lost} lost");
        assert_eq!(store.get(large.cid()).unwrap(), Some(large.clone()));
        assert_eq!(store.pins().unwrap(), std::slice::from_ref(&pin));
        assert_eq!(store.name("site").unwrap(), Some(*large.cid()));
        assert_eq!(found(&store, instruction.link()), [receipt.link()]);
        let verified = store.verify().unwrap();
        assert_eq!((verified.damaged, verified.index), (vec![], vec![]));
        assert_eq!(store.stats().unwrap().blocks, rebuilt.blocks);
        store.put(&small).unwrap();
    }
}
