//! Crashes: a store is opened from what may be on the disk after one, and has to hold all that was acknowledged.

use std::panic::{AssertUnwindSafe, catch_unwind};

use std::sync::Arc;

use homestar_core::ipld::Block;
use homestar_store::{Disk as StoreOnDisk, Io, Pin, Store, StoreError};

use crate::disk::Disk;
use crate::random::Random;
use crate::vfs;
use crate::work::{Expected, NAME, Work, config, links};

/// Does the work of a seed, and lets it crash at some points. Returns how many.
pub(crate) fn explore(seed: u64, points: u64) -> u64 {
    let mut work = Work::new(seed);
    // Every third disk makes trouble before it crashes.
    work.run(seed.is_multiple_of(3));
    for point in 0..points {
        let crash = || crash(&work, seed, point);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(crash)) {
            eprintln!("crash point {point} of seed {seed} failed; to see it again:");
            eprintln!(
                "  cargo test -p homestar-store --test torture -- --seed {seed} --seeds 1 --points {}",
                point + 1
            );
            std::panic::resume_unwind(panic);
        }
    }
    vfs::unmount(work.root());
    points
}

fn crash(work: &Work, seed: u64, point: u64) {
    let mut random = Random(seed ^ point.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let position = random.below(work.disk.position() as u64 + 1) as usize;
    let disk = work.disk.crashed_at(position, &mut random);
    let expected = work.expected(position);
    match random.below(8) {
        0 => rebuilds(work, &disk, &expected, &mut random),
        1 => loses_its_index(work, &disk, &expected),
        _ => opens(work, &disk, &expected, &mut random),
    }
}

fn open(work: &Work, disk: &Disk) -> Result<StoreOnDisk, StoreError> {
    vfs::mount(work.root(), disk);
    StoreOnDisk::open_on(Arc::new(disk.clone()), &work.path(), config())
}

/// The store opens, holds everything, goes on working, and crashes once more.
fn opens(work: &Work, disk: &Disk, expected: &Expected, random: &mut Random) {
    let store = open(work, disk).expect("it opens");
    check(work, &store, expected);
    let new = [200, 5000].map(|bytes| Block::raw(random.bytes(bytes)));
    store.put(&new).expect("it takes blocks");
    for block in &new {
        store
            .pin(&Pin::direct(*block.cid(), "new", 1))
            .expect("it takes pins");
    }
    let acknowledged = disk.position();
    store.gc(&links).expect("it collects garbage");
    let mut collected = Expected {
        kept: expected.kept.clone(),
        pinned: expected.pinned.clone(),
        recorded: expected.recorded.clone(),
        names: expected.names.clone(),
    };
    collected.collect();
    check(work, &store, &collected);
    drop(store);
    let end = disk.position();
    let position = acknowledged + random.below((end - acknowledged) as u64 + 1) as usize;
    let again = disk.crashed_at(position, random);
    let store = open(work, &again).expect("it opens a second time");
    check(work, &store, &collected);
    for block in &new {
        assert_eq!(
            store.get(block.cid()).unwrap().as_ref(),
            Some(block),
            "put after the crash"
        );
    }
}

/// The index is made anew, which may crash too.
fn rebuilds(work: &Work, disk: &Disk, expected: &Expected, random: &mut Random) {
    vfs::mount(work.root(), disk);
    let begun = disk.position();
    let rebuilt = StoreOnDisk::rebuild_on(Arc::new(disk.clone()), &work.path());
    let rebuilt = rebuilt.expect("it is rebuilt");
    let is_whole = expected.kept.is_empty() || rebuilt.lost.is_empty();
    assert!(is_whole, "{:?}", rebuilt.lost);
    let store = open(work, disk).expect("what was rebuilt opens");
    check(work, &store, expected);
    drop(store);
    let end = disk.position();
    let position = begun + random.below((end - begun) as u64 + 1) as usize;
    let again = disk.crashed_at(position, random);
    let store = match open(work, &again) {
        Err(StoreError::NoIndex { .. }) => {
            StoreOnDisk::rebuild_on(Arc::new(again.clone()), &work.path()).expect("again");
            open(work, &again)
        }
        opened => opened,
    };
    check(work, &store.expect("it opens"), expected);
}

/// Without any index, all blocks come back that lie in segments.
fn loses_its_index(work: &Work, disk: &Disk, expected: &Expected) {
    let folder = work.path().join("index");
    let files = disk.list(&folder).unwrap_or_default();
    if files.is_empty() {
        return;
    }
    for file in files {
        disk.remove(&file).expect("it is there");
    }
    match open(work, disk) {
        Err(StoreError::NoIndex { .. }) => {}
        // There is no segment yet, and so nothing that could be lost.
        opened => return drop(opened.expect("it opens empty")),
    }
    StoreOnDisk::rebuild_on(Arc::new(disk.clone()), &work.path()).expect("it is rebuilt");
    let store = open(work, disk).expect("it opens");
    for number in &expected.kept {
        let block = &work.blocks[*number];
        let is_large = block.bytes().len() > config().inline_bytes_max;
        if is_large {
            assert_eq!(
                store.get(block.cid()).unwrap().as_ref(),
                Some(block),
                "block {number}"
            );
        }
    }
}

/// Everything that was acknowledged is there, and nothing is handed out that isn't what it should be.
#[track_caller]
fn check(work: &Work, store: &StoreOnDisk, expected: &Expected) {
    for (number, block) in work.blocks.iter().enumerate() {
        let found = store
            .get(block.cid())
            .unwrap_or_else(|error| panic!("block {number}: {error}"));
        assert!(found.is_none() || found.as_ref() == Some(block));
        let is_needed = expected.kept.contains(&number);
        assert!(
            found.is_some() || !is_needed,
            "block {number} is gone, {} bytes, {}, {expected:?}",
            block.bytes().len(),
            std::panic::Location::caller()
        );
    }
    let pins = store.pins().unwrap();
    for number in &expected.pinned {
        let cid = work.blocks[*number].cid();
        let by_receipt = expected.recorded.iter().any(|receipt| {
            let ran = store.get(work.receipts[*receipt].ran().cid()).unwrap();
            ran.is_some_and(|ran| links(&ran).contains(cid))
        });
        let is_pinned = by_receipt || pins.iter().any(|pin| pin.cid == *cid);
        assert!(is_pinned, "block {number} isn't pinned");
    }
    let named = store.name(NAME).unwrap();
    let may_be = |number: &Option<usize>| number.map(|number| *work.blocks[number].cid()) == named;
    assert!(expected.names.iter().any(may_be), "{named:?}");
    for number in &expected.recorded {
        let receipt = &work.receipts[*number];
        let of = store.receipts_of(&[*receipt.ran()]).unwrap().remove(0);
        let is_there = of.iter().any(|found| found.link() == receipt.link());
        assert!(is_there, "receipt {number} is gone");
    }
    let verified = store.verify().unwrap();
    assert_eq!((verified.damaged, verified.index), (vec![], vec![]));
}
