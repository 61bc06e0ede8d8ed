//! Receipts.

use homestar_core::ipld::{Link, cid_of_raw};
use homestar_core::outcome::{Kind, Outcome};
use homestar_core::receipt::Receipt;
use homestar_store::{Record, Recorded, StoreError};

use crate::make::{Make, body, found, instruction, key, own, raw, receipt, traced};

pub(crate) fn receipts_are_found_by_what_was_run(make: &Make<'_>) {
    let store = make(None);
    let (instruction, receipt) = receipt(1, 1);
    let ran = instruction.link();
    assert_eq!(store.receipt(&ran).unwrap(), None);
    let blocks = [instruction.block().clone()];
    store.record(&[own(&receipt, &blocks)]).unwrap();
    let recorded = store.receipt(&ran).unwrap().expect("it was recorded");
    assert_eq!(recorded.link(), receipt.link());
    assert_eq!(recorded.block(), receipt.block());
    assert_eq!(recorded.receipt().unwrap(), receipt);
    assert!(recorded.is_reusable());
    assert!(store.has(ran.cid()).unwrap());
    assert_eq!(store.stats().unwrap().receipts, 1);
}

pub(crate) fn several_say_what_came_of_one_instruction(make: &Make<'_>) {
    let store = make(None);
    let (instruction, one) = receipt(1, 1);
    let (_, two) = receipt(1, 2);
    let (_, other) = receipt(2, 1);
    let records = [own(&one, &[]), own(&two, &[]), own(&other, &[])];
    store.record(&records).unwrap();
    store.record(&records).unwrap();
    let links = [one.link(), two.link()];
    assert_eq!(found(&*store, instruction.link()), links);
    let asked = [*other.ran(), *traced(9).1.ran(), *one.ran(), *one.ran()];
    let all = store.receipts_of(&asked).unwrap();
    let counts: Vec<_> = all.iter().map(Vec::len).collect();
    assert_eq!(counts, [1, 0, 2, 2]);
    assert_eq!(store.stats().unwrap().receipts, 3);
}

pub(crate) fn only_what_the_instruction_decides_is_reused(make: &Make<'_>) {
    let store = make(None);
    let of = |kind| {
        let instruction = instruction(homestar_core::ipld::Ipld::String(format!("{kind}")));
        let body = body(&instruction, Outcome::error(kind, "why"));
        Receipt::sign(body, &key(1)).unwrap()
    };
    for (receipt, reused) in [
        (of(Kind::Guest), true),
        (of(Kind::Trap), true),
        (of(Kind::Fuel), false),
        (of(Kind::Unavailable), false),
        (traced(1).1, false),
    ] {
        store.record(&[own(&receipt, &[])]).unwrap();
        assert_eq!(found(&*store, *receipt.ran()), [receipt.link()]);
        let answer = store.receipt(receipt.ran()).unwrap();
        assert_eq!(answer.is_some(), reused, "{receipt:?}");
    }
}

pub(crate) fn only_who_is_believed_answers(make: &Make<'_>) {
    let store = make(None);
    let (instruction, strange) = receipt(1, 1);
    let (_, own_receipt) = receipt(1, 2);
    let doubted = Record {
        is_believed: false,
        ..own(&strange, &[])
    };
    store.record(&[doubted, own(&own_receipt, &[])]).unwrap();
    let answer = |ran| store.receipt(&ran).unwrap().map(|found| found.link());
    assert_eq!(answer(instruction.link()), Some(own_receipt.link()));
    // Believed now, and not doubted later.
    store.record(&[own(&strange, &[])]).unwrap();
    store.record(&[doubted]).unwrap();
    assert_eq!(answer(instruction.link()), Some(strange.link()));
}

pub(crate) fn receipts_are_listed_newest_first(make: &Make<'_>) {
    let store = make(None);
    let receipts: Vec<_> = (0..5).map(|argument| receipt(argument, 1).1).collect();
    for (receipt, at_ms) in receipts.iter().zip(100..) {
        let record = Record {
            at_ms,
            ..own(receipt, &[])
        };
        store.record(&[record]).unwrap();
    }
    let page = store.receipts(None, 3).unwrap();
    let times: Vec<_> = page.iter().map(Recorded::at_ms).collect();
    assert_eq!(times, [104, 103, 102]);
    let page = store.receipts(Some(page[2].number()), 3).unwrap();
    let links: Vec<_> = page.iter().map(Recorded::link).collect();
    assert_eq!(links, [receipts[1].link(), receipts[0].link()]);
}

pub(crate) fn a_forgotten_receipt_is_a_block_like_others(make: &Make<'_>) {
    let store = make(None);
    let (_, one) = receipt(1, 1);
    let (_, two) = receipt(1, 2);
    store.record(&[own(&one, &[]), own(&two, &[])]).unwrap();
    assert_eq!(store.forget(&[one.link()]).unwrap(), 1);
    assert_eq!(store.forget(&[one.link()]).unwrap(), 0);
    assert_eq!(found(&*store, *one.ran()), [two.link()]);
    assert!(store.has(one.link().cid()).unwrap());
    assert_eq!(store.receipts(None, 9).unwrap().len(), 1);
    store.record(&[own(&one, &[])]).unwrap();
    assert_eq!(found(&*store, *one.ran()), [two.link(), one.link()]);
}

pub(crate) fn receipts_count_against_the_quota(make: &Make<'_>) {
    let store = make(Some(10_000));
    let (instruction, receipt) = receipt(1, 1);
    let blocks = [raw(1, 10_000)];
    let error = store.record(&[own(&receipt, &blocks)]).unwrap_err();
    assert!(matches!(error, StoreError::Quota { .. }), "{error}");
    assert_eq!(store.receipt(&instruction.link()).unwrap(), None);
    assert!(!store.has(receipt.link().cid()).unwrap());
    store.record(&[own(&receipt, &[])]).unwrap();
}

pub(crate) fn thousands_are_found_at_once(make: &Make<'_>) {
    let store = make(None);
    let (_, receipt) = receipt(1, 1);
    store.record(&[own(&receipt, &[])]).unwrap();
    let mut asked: Vec<_> = (0..5_000u32)
        .map(|other| Link::new(cid_of_raw(&other.to_le_bytes())))
        .collect();
    for at in [0, 1_234, 2_500, 4_999] {
        asked[at] = *receipt.ran();
    }
    let found = store.receipts_of(&asked).unwrap();
    assert_eq!(found.len(), asked.len());
    for (ran, found) in asked.iter().zip(&found) {
        assert_eq!(found.len(), usize::from(ran == receipt.ran()));
    }
}
