//! Several have one store open. Here they are in one process; `tests/torture` has several.

use std::fs;

use homestar_core::ipld::{Block, Ipld};
use homestar_core::outcome::Outcome;
use homestar_core::receipt::Receipt;
use homestar_store::{Config, Disk, Pin, Store, StoreError};

use super::{Folder, length};
use crate::make::{body, found, instruction, key, links, node, own, raw, receipt};

#[test]
fn what_one_puts_the_other_gets() {
    let folder = Folder::new();
    let (one, two) = (folder.open(), folder.open());
    let blocks = [raw(1, 10), raw(2, 100_000)];
    one.put(&blocks).unwrap();
    assert_eq!(two.get(blocks[1].cid()).unwrap().as_ref(), Some(&blocks[1]));
    two.put(&[raw(3, 100_000)]).unwrap();
    two.put(&blocks).unwrap();
    // Each has a segment of its own.
    assert_eq!(folder.segments().len(), 2);
    assert_eq!(one.stats().unwrap().blocks, 3);
    let (instruction, receipt) = receipt(1, 1);
    two.record(&[own(&receipt, &[])]).unwrap();
    assert_eq!(found(&one, instruction.link()), [receipt.link()]);
    let cid = *blocks[0].cid();
    one.pin(&Pin::direct(cid, "x", 1)).unwrap();
    assert!(two.unpin(&cid, "x").unwrap());
    assert!(one.swap_name("n", None, Some(&cid)).unwrap());
    assert!(!two.swap_name("n", None, Some(&cid)).unwrap());
}

#[test]
fn a_segment_that_is_nobodys_is_taken_over() {
    let folder = Folder::new();
    for seed in 0..5 {
        folder.open().put(&[raw(seed, 50_000)]).unwrap();
    }
    assert_eq!(folder.segments().len(), 1);
    let store = folder.open();
    assert_eq!(store.verify().unwrap().damaged, []);
    assert_eq!(store.stats().unwrap().blocks, 5);
}

#[test]
fn what_is_staged_is_one_s_own_until_it_is_durable() {
    let folder = Folder::new();
    let (one, two) = (folder.open(), folder.open());
    let block = raw(1, 10);
    one.stage(std::slice::from_ref(&block)).unwrap();
    assert_eq!(two.get(block.cid()).unwrap(), None);
    // Whatever is made durable next takes it along.
    one.put(&[raw(2, 10)]).unwrap();
    assert_eq!(two.get(block.cid()).unwrap(), Some(block));
}

#[test]
fn sessions_of_all_count() {
    let folder = Folder::new();
    let (one, two) = (folder.open(), folder.open());
    let session = one.session().unwrap();
    let (own, held) = (raw(1, 100_000), raw(2, 100_000));
    two.put(std::slice::from_ref(&held)).unwrap();
    one.put(std::slice::from_ref(&own)).unwrap();
    two.gc(&links).unwrap();
    session.hold(&[*held.cid()]).unwrap();
    two.gc(&links).unwrap();
    assert!(two.has(own.cid()).unwrap() && two.has(held.cid()).unwrap());
    drop(session);
    two.gc(&links).unwrap();
    assert_eq!(one.stats().unwrap().blocks, 0);
}

#[test]
fn space_comes_back_and_readers_survive_it() {
    let folder = Folder::new();
    let mut config = Config::default();
    config.segment_bytes_max = 1 << 20;
    let writer = Disk::open(&folder.path(), config.clone()).unwrap();
    let reader = Disk::open(&folder.path(), config).unwrap();
    let blocks: Vec<_> = (0..60).map(|seed| raw(seed, 100_000)).collect();
    writer.put(&blocks).unwrap();
    let small: Vec<_> = (0..2000).map(|seed| raw(seed, 1000)).collect();
    writer.put(&small).unwrap();
    for block in &blocks {
        // From here on the reader has all segments open.
        assert!(reader.get(block.cid()).unwrap().is_some());
    }
    let kept: Vec<_> = blocks.iter().step_by(12).collect();
    for block in &kept {
        writer.pin(&Pin::direct(*block.cid(), "", 1)).unwrap();
    }
    let before = writer.stats().unwrap();
    let collected = writer.gc(&links).unwrap();
    assert_eq!(collected.blocks, 2055);
    assert!(collected.disk_bytes > 7_000_000, "{collected:?}");
    let after = writer.stats().unwrap();
    assert_eq!(after.disk_bytes, before.disk_bytes - collected.disk_bytes);
    let bytes = folder
        .segments()
        .iter()
        .map(|file| length(file))
        .sum::<u64>();
    assert!(bytes < 1_100_000, "{bytes} for 500,000");
    for block in kept {
        for store in [&writer, &reader] {
            assert_eq!(store.get(block.cid()).unwrap().as_ref(), Some(block));
        }
    }
    assert_eq!(reader.verify().unwrap().damaged, []);
}

#[test]
fn what_a_crash_left_behind_goes() {
    let folder = Folder::new();
    let store = folder.open();
    store.put(&[raw(1, 100_000)]).unwrap();
    let left = folder.path().join("segments/0123456789abcdef.seg");
    fs::copy(&folder.segments()[0], &left).unwrap();
    store.gc(&|block| vec![*block.cid()]).unwrap();
    assert!(!left.exists());
}

#[test]
fn who_opens_it_decides_what_is_small() {
    let folder = Folder::new();
    let blocks: Vec<_> = (0..4).map(|seed| raw(seed, 3000)).collect();
    let with = |inline_bytes_max| {
        let mut config = Config::default();
        config.inline_bytes_max = inline_bytes_max;
        Disk::open(&folder.path(), config).unwrap()
    };
    with(10_000).put(&blocks[..2]).unwrap();
    with(100).put(&blocks).unwrap();
    with(10_000).put(&blocks).unwrap();
    let store = with(100);
    assert_eq!(store.stats().unwrap().bytes, 12_000);
    for block in &blocks {
        assert_eq!(store.get(block.cid()).unwrap().as_ref(), Some(block));
    }
    assert_eq!(store.verify().unwrap().damaged, []);
}

#[test]
fn a_store_in_use_is_not_rebuilt() {
    let folder = Folder::new();
    let store = folder.open();
    let error = Disk::rebuild(&folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error:?}");
    drop(store);
    Disk::rebuild(&folder.path()).unwrap();
}

#[test]
fn a_session_keeps_the_store_open() {
    let folder = Folder::new();
    let session = folder.open().session().unwrap();
    assert!(Disk::rebuild(&folder.path()).is_err());
    drop(session);
    Disk::rebuild(&folder.path()).unwrap();
}

/// Somebody comes to need something old while garbage is looked for.
#[test]
fn what_comes_to_be_needed_meanwhile_stays() {
    let folder = Folder::new();
    let (collector, other) = (folder.open(), folder.open());
    let leaves: Vec<_> = (0..5).map(|seed| raw(seed, 30_000)).collect();
    let roots: Vec<_> = leaves.iter().map(|leaf| node("root", &[leaf])).collect();
    let instruction = instruction(Ipld::Link(*roots[2].cid()));
    let body = body(&instruction, Outcome::Ok(Ipld::Null));
    let receipt = Receipt::sign(body, &key(1)).unwrap();
    other.put(&[&leaves[..], &roots[..]].concat()).unwrap();
    let watched = node("watched", &[]);
    other.put(std::slice::from_ref(&watched)).unwrap();
    other.pin(&Pin::recursive(*watched.cid(), "", 1)).unwrap();
    let session = std::cell::OnceCell::new();
    let while_marking = |block: &Block| {
        if block.cid() == watched.cid() {
            other.pin(&Pin::recursive(*roots[0].cid(), "", 1)).unwrap();
            other.set_name("new", Some(roots[1].cid())).unwrap();
            let blocks = [instruction.block().clone()];
            other.record(&[own(&receipt, &blocks)]).unwrap();
            let held = session.get_or_init(|| other.session().unwrap());
            held.hold(&[*roots[3].cid()]).unwrap();
        }
        links(block)
    };
    collector.gc(&while_marking).unwrap();
    let have = |blocks: &[Block]| {
        let have = blocks.iter().map(|block| other.has(block.cid()).unwrap());
        have.collect::<Vec<_>>()
    };
    assert_eq!(have(&roots), [true, true, true, true, false]);
    assert_eq!(have(&leaves), [true, true, true, true, false]);
}
