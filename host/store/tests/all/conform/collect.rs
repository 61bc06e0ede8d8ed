//! What is collected, and what isn't.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use homestar_core::ipld::{Block, Cid, DAG_CBOR, RAW};
use homestar_core::outcome::Outcome;
use homestar_core::receipt::Receipt;
use homestar_store::{Pin, Store};

use crate::make::{Make, body, component, instruction, key, links, node, own, raw};

fn have(store: &dyn Store, blocks: &[&Block]) -> Vec<bool> {
    let have = blocks.iter().map(|block| store.has(block.cid()).unwrap());
    have.collect()
}

pub(crate) fn what_nothing_needs_is_collected(make: &Make<'_>) {
    let store = make(None);
    let blocks = [raw(1, 100), raw(2, 100_000), node("x", &[])];
    store.put(&blocks).unwrap();
    let bytes = store.stats().unwrap().bytes;
    let collected = store.gc(&links).unwrap();
    assert_eq!(
        (collected.blocks, collected.bytes, collected.kept),
        (3, bytes, 0)
    );
    let stats = store.stats().unwrap();
    assert_eq!((stats.blocks, stats.bytes), (0, 0));
    assert_eq!(store.get(blocks[1].cid()).unwrap(), None);
    // What was collected can come again.
    store.put(&blocks).unwrap();
    assert_eq!(
        store.get(blocks[1].cid()).unwrap().as_ref(),
        Some(&blocks[1])
    );
}

pub(crate) fn pins_keep_what_they_name(make: &Make<'_>) {
    let store = make(None);
    let leaf = raw(1, 100_000);
    let inner = node("inner", &[&leaf]);
    let root = node("root", &[&inner, &raw(9, 9)]);
    let other = raw(2, 10);
    store
        .put(&[leaf.clone(), inner.clone(), root.clone(), other.clone()])
        .unwrap();
    store.pin(&Pin::recursive(*root.cid(), "", 0)).unwrap();
    store.pin(&Pin::direct(*inner.cid(), "", 0)).unwrap();
    let all = [&leaf, &inner, &root, &other];
    store.gc(&links).unwrap();
    assert_eq!(have(&*store, &all), [true, true, true, false]);
    store.unpin(root.cid(), "").unwrap();
    store.gc(&links).unwrap();
    assert_eq!(have(&*store, &all), [false, true, false, false]);
}

pub(crate) fn names_keep_where_they_lead(make: &Make<'_>) {
    let store = make(None);
    let (leaf, other) = (raw(1, 10), raw(2, 10));
    let root = node("root", &[&leaf]);
    store
        .put(&[leaf.clone(), root.clone(), other.clone()])
        .unwrap();
    store.set_name("site", Some(root.cid())).unwrap();
    store.gc(&links).unwrap();
    assert_eq!(have(&*store, &[&leaf, &root, &other]), [true, true, false]);
    store.set_name("site", None).unwrap();
    store.gc(&links).unwrap();
    assert_eq!(store.stats().unwrap().blocks, 0);
}

pub(crate) fn receipts_keep_all_that_they_are_about(make: &Make<'_>) {
    let store = make(None);
    let argument = raw(1, 100_000);
    let leaf = raw(2, 30_000);
    let value = node("value", &[&leaf]);
    let (heard, effect) = (raw(3, 5_000), raw(4, 70_000));
    let trace = node("trace", &[&heard]);
    let instruction = instruction(homestar_core::ipld::Ipld::Link(*argument.cid()));
    let outcome = Outcome::Ok(homestar_core::ipld::Ipld::Link(*value.cid()));
    let mut body = body(&instruction, outcome);
    body.meta.trace = Some(*trace.cid());
    body.meta.effects = vec![*effect.cid()];
    let receipt = Receipt::sign(body, &key(1)).unwrap();
    let needed = [
        argument,
        leaf,
        value,
        heard,
        effect,
        trace,
        component(),
        instruction.block().clone(),
    ];
    store.put(&[raw(9, 9)]).unwrap();
    store.record(&[own(&receipt, &needed)]).unwrap();
    let collected = store.gc(&links).unwrap();
    assert_eq!((collected.blocks, collected.kept), (1, 9));
    store.forget(&[receipt.link()]).unwrap();
    assert_eq!(store.gc(&links).unwrap().blocks, 9);
}

pub(crate) fn the_codec_decides_what_a_block_links(make: &Make<'_>) {
    let store = make(None);
    let leaf = raw(1, 10);
    let as_node = node("x", &[&leaf]);
    let as_raw = Block::new(RAW, as_node.bytes().to_vec());
    store.put(&[leaf.clone(), as_raw.clone()]).unwrap();
    store.pin(&Pin::recursive(*as_raw.cid(), "", 0)).unwrap();
    assert_eq!(as_node.cid().codec(), DAG_CBOR);
    store.pin(&Pin::recursive(*as_node.cid(), "", 0)).unwrap();
    assert_eq!(store.gc(&links).unwrap().blocks, 0);
    store.unpin(as_node.cid(), "").unwrap();
    assert_eq!(store.gc(&links).unwrap().blocks, 1);
    assert!(!store.has(leaf.cid()).unwrap());
}

pub(crate) fn what_is_put_within_a_session_stays(make: &Make<'_>) {
    let store = make(None);
    let (before, within, again) = (raw(1, 10), raw(2, 50_000), raw(3, 50_000));
    store.put(&[before.clone(), again.clone()]).unwrap();
    store.gc(&|block| vec![*block.cid()]).unwrap();
    store.put(&[before.clone(), again.clone()]).unwrap();
    let kept = store.session().unwrap();
    store.pin(&Pin::direct(*again.cid(), "", 0)).unwrap();
    store.gc(&links).unwrap();
    // There since long, and put once more: it is as good as new.
    store.put(&[within.clone(), again.clone()]).unwrap();
    store.unpin(again.cid(), "").unwrap();
    store.gc(&links).unwrap();
    assert_eq!(have(&*store, &[&within, &again]), [true, true]);
    drop(kept);
    store.gc(&links).unwrap();
    assert_eq!(store.stats().unwrap().blocks, 0);
}

pub(crate) fn a_session_holds_what_was_there_before(make: &Make<'_>) {
    let store = make(None);
    let leaf = raw(1, 100_000);
    let root = node("root", &[&leaf]);
    let other = raw(2, 100_000);
    store
        .put(&[leaf.clone(), root.clone(), other.clone()])
        .unwrap();
    store.pin(&Pin::recursive(*root.cid(), "", 0)).unwrap();
    store.gc(&links).unwrap();
    let (first, second) = (store.session().unwrap(), store.session().unwrap());
    second.hold(&[*root.cid()]).unwrap();
    store.unpin(root.cid(), "").unwrap();
    store.gc(&links).unwrap();
    drop(first);
    store.gc(&links).unwrap();
    assert_eq!(have(&*store, &[&leaf, &root, &other]), [true, true, false]);
    drop(second);
    store.gc(&links).unwrap();
    assert_eq!(have(&*store, &[&leaf, &root, &other]), [false; 3]);
}

/// Several threads put trees and pin them, others read, and garbage is collected all the while.
pub(crate) fn collecting_takes_nothing_from_those_at_work(make: &Make<'_>) {
    let store = make(None);
    let working = AtomicBool::new(true);
    let roots: Vec<Cid> = thread::scope(|scope| {
        let store = &*store;
        let workers: Vec<_> = (0..4)
            .map(|worker| scope.spawn(move || work(store, worker)))
            .collect();
        let working = &working;
        let collector = scope.spawn(move || {
            while working.load(Ordering::Acquire) {
                store.gc(&links).unwrap();
            }
        });
        let roots = workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap());
        let roots = roots.collect();
        working.store(false, Ordering::Release);
        collector.join().unwrap();
        roots
    });
    store.gc(&links).unwrap();
    for root in &roots {
        let root = store.get(root).unwrap().expect("it is pinned");
        for leaf in links(&root) {
            assert!(store.get(&leaf).unwrap().is_some());
        }
    }
    // A root and two leaves each, one of them everybody's.
    assert_eq!(store.stats().unwrap().blocks, roots.len() as u64 * 2 + 1);
    assert_eq!(store.verify().unwrap().damaged, []);
}

fn work(store: &dyn Store, worker: u64) -> Vec<Cid> {
    let shared = raw(0, 40_000);
    let mut roots = vec![];
    for round in 0..12 {
        let session = store.session().unwrap();
        let own = raw(worker * 1000 + round + 1, 30_000);
        store.put(&[own.clone(), shared.clone()]).unwrap();
        store
            .put(&[raw(worker * 1000 + round + 500, 20_000)])
            .unwrap();
        let root = node(&format!("{worker}.{round}"), &[&own, &shared]);
        store.stage(std::slice::from_ref(&root)).unwrap();
        for block in [&own, &shared, &root] {
            assert_eq!(store.get(block.cid()).unwrap().as_ref(), Some(block));
        }
        store.flush().unwrap();
        store.pin(&Pin::recursive(*root.cid(), "", 0)).unwrap();
        drop(session);
        roots.push(*root.cid());
    }
    roots
}
