//! Blocks.

use std::thread;

use homestar_core::ipld::{Block, Cid, DAG_CBOR, IDENTITY, RAW};
use homestar_store::{Pin, StoreError};

use crate::make::{Make, links, node, own, raw, receipt};

pub(crate) fn a_block_is_there_once_it_was_put(make: &Make<'_>) {
    let store = make(None);
    let (one, two) = (raw(1, 100), raw(2, 100));
    assert_eq!(store.get(one.cid()).unwrap(), None);
    store.put(std::slice::from_ref(&one)).unwrap();
    assert_eq!(store.get(one.cid()).unwrap(), Some(one.clone()));
    assert_eq!(store.size(one.cid()).unwrap(), Some(100));
    assert!(store.has(one.cid()).unwrap());
    assert!(!store.has(two.cid()).unwrap());
    let both = [*two.cid(), *one.cid()];
    assert_eq!(store.missing(&both).unwrap(), [*two.cid()]);
    assert_eq!(store.get_many(&both).unwrap(), [None, Some(one)]);
}

pub(crate) fn blocks_of_all_sizes_come_back(make: &Make<'_>) {
    let store = make(None);
    let around = |middle: usize| [middle - 1, middle, middle + 1];
    let sizes = [0, 1, 2, 5_000, 1 << 20].into_iter();
    let sizes = sizes.chain(around(4 << 10)).chain(around(16 << 10));
    let sizes = sizes.chain(around(256 << 10));
    let blocks: Vec<_> = sizes.zip(0..).map(|(size, seed)| raw(seed, size)).collect();
    store.put(&blocks).unwrap();
    for block in &blocks {
        assert_eq!(store.get(block.cid()).unwrap().as_ref(), Some(block));
        let bytes = block.bytes().len() as u64;
        assert_eq!(store.size(block.cid()).unwrap(), Some(bytes));
    }
    let stats = store.stats().unwrap();
    assert_eq!(stats.blocks, blocks.len() as u64);
    let bytes = blocks.iter().map(|block| block.bytes().len() as u64);
    assert_eq!(stats.bytes, bytes.sum::<u64>());
    let verified = store.verify().unwrap();
    assert_eq!(
        (verified.blocks, verified.bytes),
        (stats.blocks, stats.bytes)
    );
    assert_eq!((verified.damaged, verified.index), (vec![], vec![]));
}

pub(crate) fn one_content_under_several_cids_is_one_block(make: &Make<'_>) {
    let store = make(None);
    for bytes in [vec![0xf6], raw(1, 100_000).bytes().to_vec()] {
        let before = store.stats().unwrap();
        let (as_cbor, as_raw) = (Block::new(DAG_CBOR, bytes.clone()), Block::new(RAW, bytes));
        store.put(std::slice::from_ref(&as_cbor)).unwrap();
        assert_eq!(store.get(as_raw.cid()).unwrap(), Some(as_raw.clone()));
        let as_v0 = Cid::new_v0(*as_raw.cid().hash()).unwrap();
        let found = store.get(&as_v0).unwrap().expect("the same bytes");
        assert_eq!((found.cid(), found.bytes()), (&as_v0, as_raw.bytes()));
        store.put(&[as_raw, as_cbor]).unwrap();
        assert_eq!(store.stats().unwrap().blocks, before.blocks + 1);
    }
}

pub(crate) fn the_same_block_twice_at_once_is_one(make: &Make<'_>) {
    let store = make(None);
    let (small, large) = (raw(1, 10), raw(2, 100_000));
    store
        .put(&[small.clone(), large.clone(), small.clone(), large.clone()])
        .unwrap();
    let stats = store.stats().unwrap();
    assert_eq!((stats.blocks, stats.bytes), (2, 100_010));
    assert_eq!(store.get(large.cid()).unwrap(), Some(large));
}

pub(crate) fn what_has_another_hash_is_not_there(make: &Make<'_>) {
    let store = make(None);
    let block = raw(1, 10);
    store.put(std::slice::from_ref(&block)).unwrap();
    let digest = block.cid().hash().digest();
    let sha3 = homestar_core::ipld::parse_cid(&other_hash(digest)).unwrap();
    assert_eq!(store.get(&sha3).unwrap(), None);
    assert_eq!(store.size(&sha3).unwrap(), None);
}

pub(crate) fn what_is_larger_than_a_block_is_refused(make: &Make<'_>) {
    let store = make(None);
    let block = raw(1, (1 << 20) + 1);
    let refused = [
        store.put(std::slice::from_ref(&block)),
        store.stage(std::slice::from_ref(&block)),
        store.record(&[own(&receipt(1, 1).1, std::slice::from_ref(&block))]),
    ];
    for result in refused {
        let error = result.unwrap_err();
        assert!(matches!(error, StoreError::TooLarge { cid, .. } if cid == *block.cid()));
    }
    store.flush().unwrap();
    let stats = store.stats().unwrap();
    assert_eq!((stats.blocks, stats.receipts), (0, 0));
}

pub(crate) fn a_cid_may_hold_its_block(make: &Make<'_>) {
    let store = make(None);
    let leaf = raw(1, 100);
    let root = node("", &[&leaf]);
    let hash = multihash::Multihash::wrap(IDENTITY, root.bytes()).unwrap();
    let cid = Cid::new_v1(DAG_CBOR, hash);
    let inline = Block::inline(&cid).unwrap();
    store.put(&[inline.clone(), leaf.clone()]).unwrap();
    store.stage(std::slice::from_ref(&inline)).unwrap();
    assert_eq!(store.get(&cid).unwrap(), Some(inline.clone()));
    let bytes = root.bytes().len() as u64;
    assert_eq!(store.size(&cid).unwrap(), Some(bytes));
    assert_eq!(store.stats().unwrap().blocks, 1);
    // What it links to is needed as long as it is.
    store.pin(&Pin::recursive(cid, "", 1)).unwrap();
    assert_eq!(store.gc(&links).unwrap().blocks, 0);
    store.unpin(&cid, "").unwrap();
    assert_eq!(store.gc(&links).unwrap().blocks, 1);
    assert_eq!(store.get(&cid).unwrap(), Some(inline));
}

/// A CID that says that a digest is one of SHA3-256.
fn other_hash(digest: &[u8]) -> String {
    let bytes = [&[1, 0x55, 0x16, 0x20], digest].concat();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("f{hex}")
}

pub(crate) fn staged_blocks_are_there_at_once(make: &Make<'_>) {
    let store = make(None);
    let (small, large) = (raw(1, 10), raw(2, 100_000));
    let both = [small.clone(), large.clone()];
    store.stage(&both).unwrap();
    store.stage(&both).unwrap();
    for _ in 0..2 {
        assert_eq!(store.get(small.cid()).unwrap().as_ref(), Some(&small));
        assert_eq!(store.get(large.cid()).unwrap().as_ref(), Some(&large));
        assert_eq!(store.size(large.cid()).unwrap(), Some(100_000));
        store.flush().unwrap();
    }
    assert_eq!(store.stats().unwrap().blocks, 2);
}

pub(crate) fn blocks_are_listed_in_pages(make: &Make<'_>) {
    let store = make(None);
    let blocks: Vec<_> = (0..10).map(|seed| raw(seed, 50)).collect();
    store.put(&blocks).unwrap();
    let mut cids: Vec<_> = blocks.iter().map(|block| *block.cid()).collect();
    cids.sort();
    assert_eq!(store.list(None, 4).unwrap(), cids[..4]);
    assert_eq!(store.list(Some(&cids[3]), 4).unwrap(), cids[4..8]);
    assert_eq!(store.list(Some(&cids[7]), 4).unwrap(), cids[8..]);
    assert_eq!(store.list(Some(&cids[9]), 4).unwrap(), []);
}

pub(crate) fn no_more_is_taken_than_the_quota_allows(make: &Make<'_>) {
    let store = make(Some(150_000));
    let (one, two) = (raw(1, 100_000), raw(2, 60_000));
    store.put(std::slice::from_ref(&one)).unwrap();
    let error = store.put(std::slice::from_ref(&two)).unwrap_err();
    let StoreError::Quota { quota, used, asked } = error else {
        panic!("{error}");
    };
    assert_eq!((quota, used, asked), (150_000, 100_000, 60_000));
    assert!(error.to_string().contains("raise the quota"), "{error}");
    assert!(!store.has(two.cid()).unwrap());
    // What is there takes no room, and there is some still.
    store.put(&[one, raw(3, 50_000)]).unwrap();
    assert!(store.put(&[raw(4, 1)]).is_err());
    store.gc(&|_| vec![]).unwrap();
    store.put(&[two]).unwrap();
}

pub(crate) fn many_threads_put_and_get(make: &Make<'_>) {
    let store = make(None);
    thread::scope(|scope| {
        for thread in 0..8 {
            let store = &*store;
            scope.spawn(move || {
                for round in 0..10 {
                    // Two threads each put the same.
                    let seed = thread / 2 * 1000 + round;
                    let blocks = [raw(seed, 600), raw(seed + 500, 20_000)];
                    store.put(&blocks).unwrap();
                    for block in &blocks {
                        assert_eq!(store.get(block.cid()).unwrap().as_ref(), Some(block));
                    }
                }
            });
        }
    });
    assert_eq!(store.stats().unwrap().blocks, 4 * 10 * 2);
    assert_eq!(store.verify().unwrap().damaged, []);
}
