//! What a task sees of content depends on the content alone: not on when its blocks come, nor on how it is cut.

use std::sync::Arc;
use std::time::Duration;

use homestar_core::ipld::{Cid, Ipld};
use homestar_core::outcome::{Kind, Outcome};
use homestar_core::task::Limits;
use homestar_core::unixfs::cid_of_file;
use homestar_engine::{Answers, Blocks, Component, Done, MemoryBlocks, Recording};
use proptest::prelude::*;

use super::store::{Gate, Slow, layout, put_file};
use super::{call, call_within, link, noise, ok};
use crate::{int, limits, list, load, text};

/// What may not differ.
fn seen(done: Done) -> (Outcome, u64, u64) {
    (done.outcome, done.fuel, done.memory_peak)
}

/// Calls that read and write content in all ways.
fn calls(cid: Cid) -> Vec<(Component, &'static str, Vec<Ipld>)> {
    let (pipe, lines) = (homestar_guests::pipe(), homestar_guests::lines());
    let (squeeze, blobs) = (homestar_guests::squeeze(), homestar_guests::blobs());
    let ranges = [(0, 10), (899_990, 100), (300_000, 400_000), (700_000, 1)];
    let ranges = ranges.map(|(offset, length)| list([int(offset), int(length)]));
    vec![
        (load(pipe), "pipe", vec![link(cid)]),
        (load(pipe), "pipe-by", vec![link(cid), int(1000)]),
        (load(pipe), "count", vec![link(cid), Ipld::Bool(false)]),
        (load(pipe), "count", vec![link(cid), Ipld::Bool(true)]),
        (load(pipe), "ignore", vec![link(cid)]),
        (load(pipe), "hand-back", vec![link(cid)]),
        (load(pipe), "join", vec![list([link(cid), link(cid)])]),
        (load(pipe), "echo", vec![link(cid)]),
        (load(lines), "filter", vec![link(cid), text("a")]),
        (load(squeeze), "gzip", vec![link(cid), int(1)]),
        (load(blobs), "ranges", vec![link(cid), list(ranges)]),
        (load(blobs), "half", vec![link(cid)]),
    ]
}

#[test]
fn fuel_and_outcome_are_the_same_whenever_blocks_come() {
    let bytes = noise(900_000);
    let fast = Arc::new(MemoryBlocks::default());
    let cid = put_file(&*fast, &bytes, layout(50_000, 4));
    let slow = Arc::new(Slow(MemoryBlocks::default()));
    put_file(&*slow, &bytes, layout(50_000, 4));
    for (component, func, args) in calls(cid) {
        // One by one: each block is let through when the one before was asked for.
        let gate = Arc::new(Gate::default());
        put_file(&*gate, &bytes, layout(50_000, 4));
        let of_fast = seen(call(&fast, &component, func, args.clone()).unwrap());
        let of_slow = seen(call(&slow, &component, func, args.clone()).unwrap());
        let of_gate = seen(call(&gate, &component, func, args).unwrap());
        assert_eq!(of_fast, of_slow, "{func}");
        assert_eq!(of_fast, of_gate, "{func}");
        assert!(
            matches!(of_fast.0, Outcome::Ok(_)),
            "{func}: {:?}",
            of_fast.0
        );
    }
}

#[test]
fn fuel_and_outcome_are_the_same_however_a_file_is_cut() {
    let bytes = noise(900_000);
    let layouts = [
        layout(1 << 10, 16),
        layout(256 << 10, 174),
        layout(1 << 20, 1024),
    ];
    let blocks = Arc::new(MemoryBlocks::default());
    let cids = layouts.map(|layout| put_file(&*blocks, &bytes, layout));
    assert!(cids[0] != cids[1] && cids[1] != cids[2]);
    let of_first = calls(cids[0]).into_iter();
    for (number, (component, func, args)) in of_first.enumerate() {
        let expected = seen(call(&blocks, &component, func, args).unwrap());
        for cid in &cids[1..] {
            let (component, func, args) = calls(*cid).swap_remove(number);
            let found = seen(call(&blocks, &component, func, args).unwrap());
            assert_eq!(found, expected, "{func}");
        }
    }
}

#[test]
fn a_provider_that_stalls_ends_the_task_by_its_time() {
    let pipe = load(homestar_guests::pipe());
    let blobs = load(homestar_guests::blobs());
    let bytes = noise(900_000);
    let closed = Arc::new(Gate::closed());
    let cid = put_file(&*closed, &bytes, layout(50_000, 4));
    let within = Limits {
        time: Duration::from_millis(300),
        ..limits()
    };
    for (component, func) in [(&pipe, "pipe"), (&pipe, "echo"), (&blobs, "about")] {
        let done = call_within(&closed, component, func, vec![link(cid)], &within).unwrap();
        let Outcome::Error(failure) = done.outcome else {
            panic!("{func}: {:?}", done.outcome);
        };
        assert_eq!(failure.kind, Kind::Time, "{func}");
    }
}

#[test]
fn a_block_that_nobody_has_ends_the_task_and_is_named() {
    let pipe = load(homestar_guests::pipe());
    let blobs = load(homestar_guests::blobs());
    let blocks = Arc::new(MemoryBlocks::default());
    let bytes = noise(600_000);
    let cid = put_file(&*blocks, &bytes, layout(100_000, 174));
    let lost = *homestar_core::ipld::Block::raw(bytes[300_000..400_000].to_vec()).cid();
    blocks.remove(&lost).expect("a chunk of the file");
    for (component, func, args) in [
        (&pipe, "pipe", vec![link(cid)]),
        (&pipe, "echo", vec![link(cid)]),
        (&blobs, "half", vec![link(cid)]),
        (
            &blobs,
            "ranges",
            vec![
                link(cid),
                list([list([int(0), int(1)]), list([int(399_999), int(1)])]),
            ],
        ),
    ] {
        let failure = super::failure(&blocks, component, func, args);
        assert_eq!(failure.kind, Kind::Unavailable, "{func}");
        let expected = format!("needs block {lost}, which can't be had: it is not in memory");
        assert_eq!(failure.message.lines().next(), Some(&*expected), "{func}");
    }
    // What isn't read isn't needed.
    let args = vec![link(cid), list([list([int(500_000), int(3)])])];
    let read = ok(&blocks, &blobs, "ranges", args);
    assert_eq!(read, list([Ipld::Bytes(bytes[500_000..500_003].to_vec())]));
}

#[test]
fn what_was_read_is_read_again_in_a_replay() {
    let blobs = load(homestar_guests::blobs());
    let blocks = Arc::new(MemoryBlocks::default());
    let cid = put_file(&*blocks, &noise(600_000), layout(100_000, 174));
    let done = call(&blocks, &blobs, "half", vec![link(cid)]).unwrap();
    assert!(done.recording.is_none(), "content is in no trace");
    assert!(blobs.is_pure(&homestar_core::grant::Grants::none()));

    let input = homestar_core::task::Input::new("half", vec![link(cid)]);
    let instruction = crate::instruction(&blobs, input);
    let limits = limits();
    let mut replay = homestar_engine::Call::new(&instruction, &limits);
    replay.blocks = Some(blocks);
    let mut recording = Recording::default();
    recording.trace.parts = vec![homestar_core::trace::Part {
        component: *blobs.cid(),
        grants: Vec::new(),
        imports: Default::default(),
    }];
    replay.answers = Answers::Recording(recording);
    let again = crate::engine().call(&blobs, replay).unwrap();
    assert_eq!(seen(again), seen(done));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_guest_reads_what_a_slice_gives(
        length in 0_usize..40_000,
        chunk in 1_usize..5000,
        links in 2_usize..6,
        ranges in prop::collection::vec((0_u64..45_000, 0_u32..50_000), 0..8),
    ) {
        let blobs = load(homestar_guests::blobs());
        let blocks = Arc::new(MemoryBlocks::default());
        let bytes = noise(length);
        let cid = put_file(&*blocks, &bytes, layout(chunk, links));
        let pair = |(offset, length): &(u64, u32)| list([int(*offset), int(*length)]);
        let args = vec![link(cid), list(ranges.iter().map(pair))];
        let slice = |(offset, length): &(u64, u32)| {
            let start = bytes.len().min(*offset as usize);
            let end = bytes.len().min(start + *length as usize);
            Ipld::Bytes(bytes[start..end].to_vec())
        };
        prop_assert_eq!(
            ok(&blocks, &blobs, "ranges", args),
            list(ranges.iter().map(slice))
        );
        let pipe = load(homestar_guests::pipe());
        let piped = ok(&blocks, &pipe, "pipe-by", vec![link(cid), int(1 + length as u32 / 3)]);
        prop_assert_eq!(piped, link(cid_of_file(&bytes)));
    }
}

#[test]
fn blocks_are_kept_before_the_task_is_done() {
    let pipe = load(homestar_guests::pipe());
    let slow = Arc::new(Slow(MemoryBlocks::default()));
    let zeros = ok(&slow, &pipe, "zeros", vec![int(3_000_000)]);
    assert_eq!(zeros, link(cid_of_file(&vec![0; 3_000_000])));
    slow.get(&cid_of_file(&vec![0; 3_000_000]))
        .expect("it is there");
}
