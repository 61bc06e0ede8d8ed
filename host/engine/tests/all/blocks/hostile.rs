//! Guests that misbehave with content, and content that isn't what it says.

use std::sync::Arc;
use std::time::Duration;

use homestar_core::ipld::{Block, Cid, Ipld};
use homestar_core::outcome::{Failure, Kind, Outcome};
use homestar_core::task::Limits;
use homestar_core::unixfs::{blocks_of_file, cid_of_file};
use homestar_engine::{CallError, Component, MemoryBlocks};

use super::store::{Broken, directory, lying_file, put_file, quarter_mib};
use super::{call, call_within, failure, link, noise, ok};
use crate::{int, limits, load, text};

fn within(
    blocks: &Arc<MemoryBlocks>,
    component: &Component,
    func: &str,
    args: Vec<Ipld>,
    limits: &Limits,
) -> Failure {
    match call_within(blocks, component, func, args, limits)
        .unwrap()
        .outcome
    {
        Outcome::Error(failure) => failure,
        Outcome::Ok(value) => panic!("{func}: {value:?}"),
    }
}

fn storage(storage_bytes: u64) -> Limits {
    Limits {
        storage_bytes,
        ..limits()
    }
}

#[test]
fn what_is_stored_has_a_limit() {
    let (pipe, blobs) = (
        load(homestar_guests::pipe()),
        load(homestar_guests::blobs()),
    );
    let blocks = Arc::new(MemoryBlocks::default());
    let limits = storage(2 << 20);
    for (component, func, args) in [
        (&blobs, "write-forever", vec![]),
        (&pipe, "zeros", vec![int(1_u64 << 40)]),
    ] {
        let failure = within(&blocks, component, func, args, &limits);
        assert_eq!(failure.kind, Kind::Storage, "{func}");
        assert!(
            failure
                .message
                .starts_with("wrote more than 2 MiB to storage")
        );
    }
    // What is above the chunks counts too.
    let (file, kept) = blocks_of_file(&vec![0; 2 << 20]);
    let root = kept.iter().find(|block| *block.cid() == file.cid).unwrap();
    let all = (2 << 20) + root.bytes().len() as u64;
    let zeros = |limit| {
        let args = vec![int(2 << 20)];
        let done = call_within(&blocks, &pipe, "zeros", args, &storage(limit));
        done.unwrap().outcome
    };
    assert_eq!(zeros(all), Outcome::Ok(link(file.cid)));
    assert!(matches!(zeros(all - 1), Outcome::Error(failure) if failure.kind == Kind::Storage));
    // A stream isn't output.
    let little = Limits {
        output_bytes: 100,
        ..limits
    };
    let done = call_within(&blocks, &pipe, "zeros", vec![int(1 << 20)], &little).unwrap();
    assert!(matches!(done.outcome, Outcome::Ok(_)));
}

#[test]
fn handles_that_are_never_closed_have_a_limit() {
    let blobs = load(homestar_guests::blobs());
    let blocks = Arc::new(MemoryBlocks::default());
    let begun = ok(&blocks, &blobs, "begin-many", vec![int(1000)]);
    assert_eq!(begun, int(256));
    let cid = put_file(&*blocks, b"hello", quarter_mib());
    let args = vec![text(&cid.to_string()), int(20_000), link(cid)];
    // The one that was given is one of them.
    assert_eq!(ok(&blocks, &blobs, "open-many", args), int(9999));
}

#[test]
fn streams_that_are_not_read_or_never_end() {
    let pipe = load(homestar_guests::pipe());
    let blocks = Arc::new(MemoryBlocks::default());
    let cid = put_file(&*blocks, &noise(900_000), quarter_mib());
    assert_eq!(
        ok(&blocks, &pipe, "ignore", vec![link(cid)]),
        text("as you like")
    );
    let count = ok(&blocks, &pipe, "count", vec![link(cid), Ipld::Bool(true)]);
    assert_eq!(count, int(256 << 10));

    let soon = Limits {
        time: Duration::from_millis(300),
        ..limits()
    };
    let failure = within(&blocks, &pipe, "never", vec![Ipld::Bool(true)], &soon);
    assert_eq!(failure.kind, Kind::Time);
    let failure = super::failure(&blocks, &pipe, "never", vec![Ipld::Bool(false)]);
    assert_eq!(failure.kind, Kind::Trap);
    assert_eq!(
        failure.message,
        "the guest waits for something that will never happen"
    );
}

#[test]
fn cids_that_are_none_and_cids_out_of_reach() {
    let blobs = load(homestar_guests::blobs());
    let blocks = Arc::new(MemoryBlocks::default());
    let there = put_file(&*blocks, b"it is there", quarter_mib());
    let nowhere = cid_of_file(b"nowhere");
    let sha3 = "bafkrmibdnlhkgebqlmvj6r3lhngkqvtkchfmbdnddqpxqkhxqv6yzl5kbe";
    for (cid, error) in [
        (&*there.to_string(), "Error::Denied"),
        (&*nowhere.to_string(), "Error::Denied"),
        ("", "Error::InvalidCid"),
        ("bafk", "Error::InvalidCid"),
        ("/ipfs/bafk", "Error::InvalidCid"),
        (&"z".repeat(100_000), "Error::InvalidCid"),
        (sha3, "Error::InvalidCid"),
    ] {
        let args = vec![text(cid), int(0), int(10), Ipld::Null];
        let failure = failure(&blocks, &blobs, "read", args);
        let Some(Ipld::String(said)) = failure.value else {
            panic!("{failure:?}");
        };
        assert!(said.starts_with(error), "{cid}: {said}");
    }
}

#[test]
fn a_directory_is_no_file() {
    let (pipe, blobs) = (
        load(homestar_guests::pipe()),
        load(homestar_guests::blobs()),
    );
    let blocks = Arc::new(MemoryBlocks::default());
    let cid = directory(&*blocks, &[("a", cid_of_file(b"a"))]);
    for func in ["pipe", "echo"] {
        let done = call(&blocks, &pipe, func, vec![link(cid)]).unwrap();
        assert_eq!(done.fuel, 0, "nothing ran");
        let Outcome::Error(failure) = done.outcome else {
            panic!("{func}");
        };
        let expected = format!("can't be given {cid}: it is a directory, not a file");
        assert_eq!(
            (failure.kind, failure.message),
            (Kind::Input, expected),
            "{func}"
        );
    }
    let args = vec![text(&cid.to_string()), int(0), int(10), link(cid)];
    let failure = failure(&blocks, &blobs, "read", args);
    assert_eq!(
        failure.value,
        Some(text("Error::OtherKind(\"a directory\")"))
    );
}

#[test]
fn files_that_lie_about_their_sizes() {
    let (pipe, blobs) = (
        load(homestar_guests::pipe()),
        load(homestar_guests::blobs()),
    );
    let blocks = Arc::new(MemoryBlocks::default());
    for (says, has) in [(100, 10), (10, 100), (u64::MAX, 10), (u64::MAX / 2, 10)] {
        let cid = lying_file(&*blocks, says, has);
        for func in ["pipe", "echo"] {
            let failure = failure(&blocks, &pipe, func, vec![link(cid)]);
            assert!(
                matches!(failure.kind, Kind::Input | Kind::Memory),
                "{func}, {says} of {has}: {failure:?}"
            );
        }
        let args = vec![text(&cid.to_string()), int(0), int(1000), link(cid)];
        let read = failure(&blocks, &blobs, "read", args);
        let Some(Ipld::String(said)) = &read.value else {
            panic!("{read:?}");
        };
        assert!(said.starts_with("Error::Malformed"), "{said}");
        let args = vec![text(&cid.to_string()), int(0), link(cid)];
        let ending = failure(&blocks, &blobs, "ending", args);
        assert_eq!(ending.kind, Kind::Guest, "{ending:?}");
    }
}

#[test]
fn a_store_that_fails_is_the_hosts_fault() {
    let (pipe, blobs) = (
        load(homestar_guests::pipe()),
        load(homestar_guests::blobs()),
    );
    let broken = Arc::new(Broken);
    let cid = *Block::raw(vec![1]).cid();
    for (component, func, args) in [
        (&pipe, "zeros", vec![int(1_000_000_000)]),
        (&pipe, "pipe", vec![link(cid)]),
        (&blobs, "write-forever", vec![]),
    ] {
        let error = call(&broken, component, func, args).unwrap_err();
        assert!(
            matches!(&error, CallError::Host(reason) if reason == "the disk is gone"),
            "{func}: {error}"
        );
    }
}

#[test]
fn a_task_that_traps_while_it_writes_just_traps() {
    let blobs = load(homestar_guests::blobs());
    let blocks = Arc::new(MemoryBlocks::default());
    let failure = failure(&blocks, &blobs, "write-and-trap", vec![int(3_000_000)]);
    assert_eq!(failure.kind, Kind::Trap);
}

#[test]
fn links_by_other_hashes_are_told() {
    let pipe = load(homestar_guests::pipe());
    let blocks = Arc::new(MemoryBlocks::default());
    let other = Cid::new_v1(0x55, *Cid::default().hash());
    let failure = failure(&blocks, &pipe, "pipe", vec![link(other)]);
    assert_eq!(failure.kind, Kind::Unavailable);
}
