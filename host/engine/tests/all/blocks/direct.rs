//! `homestar:blocks` as a guest uses it.

use std::sync::Arc;

use homestar_core::ipld::{Block, Cid, Ipld};
use homestar_core::outcome::Kind;
use homestar_core::unixfs::{DirectoryWriter, cid_of_file};
use homestar_engine::{Blocks as _, MemoryBlocks};

use super::store::{bytes_of, directory, layout, put_file, quarter_mib};
use super::{failure, link, noise, ok};
use crate::{int, list, load, text};

fn bytes(bytes: &[u8]) -> Ipld {
    Ipld::Bytes(bytes.to_vec())
}

#[test]
fn a_file_is_opened_by_an_argument_or_by_its_cid() {
    let blobs = load(homestar_guests::blobs());
    let blocks = Arc::new(MemoryBlocks::default());
    let cid = put_file(&*blocks, &noise(600_000), quarter_mib());
    let about = ok(&blocks, &blobs, "about", vec![link(cid)]);
    assert_eq!(about, list([int(600_000), text(&cid.to_string())]));
    let given = ok(&blocks, &blobs, "about", vec![bytes(b"hello")]);
    let hello = cid_of_file(b"hello").to_string();
    assert_eq!(given, list([int(5), text(&hello)]));
}

#[test]
fn what_is_written_is_read_again_and_returned() {
    let blobs = load(homestar_guests::blobs());
    let blocks = Arc::new(MemoryBlocks::default());
    for size in super::SIZES {
        let whole = noise(size);
        let pieces = list(whole.chunks(70_001).map(bytes));
        let written = ok(&blocks, &blobs, "write", vec![pieces]);
        assert_eq!(written, link(cid_of_file(&whole)), "{size}");
        assert_eq!(bytes_of(&*blocks, &cid_of_file(&whole)), whole, "{size}");
    }
}

#[test]
fn streams_are_read_from_an_offset_and_written() {
    let blobs = load(homestar_guests::blobs());
    let blocks = Arc::new(MemoryBlocks::default());
    let whole = noise(700_001);
    let cid = put_file(&*blocks, &whole, layout(10_000, 5));
    let half = ok(&blocks, &blobs, "half", vec![link(cid)]);
    assert_eq!(half, link(cid_of_file(&whole[350_000..])));
}

#[test]
fn directories_open_what_is_in_them() {
    let blobs = load(homestar_guests::blobs());
    let blocks = Arc::new(MemoryBlocks::default());
    let file = put_file(&*blocks, &noise(300_000), quarter_mib());
    let inner = directory(&*blocks, &[("b.bin", file)]);
    let outer = directory(&*blocks, &[("a.bin", file), ("inner", inner)]);
    let args = |path: &str, given| vec![text(&outer.to_string()), text(path), given];
    // A text brings nothing within reach.
    let denied = failure(&blocks, &blobs, "at", args("inner/b.bin", Ipld::Null));
    assert_eq!(denied.value, Some(text("Error::Denied")));
    for path in ["inner/b.bin", "a.bin", "/inner/b.bin/"] {
        let read = ok(&blocks, &blobs, "at", args(path, link(outer)));
        assert_eq!(read, bytes(&noise(300_000)), "{path}");
    }
    for (path, error) in [
        ("inner/c.bin", "Error::NoEntry(\"c.bin\")"),
        ("a.bin/b", "Error::OtherKind(\"not a directory\")"),
        ("inner", "Error::OtherKind(\"a directory\")"),
        ("..", "Error::NoEntry(\"..\")"),
    ] {
        let failure = failure(&blocks, &blobs, "at", args(path, link(outer)));
        assert_eq!(failure.value, Some(text(error)), "{path}");
    }
    let entry = |name: &str, cid: Cid| {
        let fields = [("name", text(name)), ("cid", text(&cid.to_string()))];
        Ipld::Map(fields.map(|(name, value)| (name.to_owned(), value)).into())
    };
    let walked = ok(&blocks, &blobs, "walk", vec![link(outer)]);
    let expected = list([
        list([entry("a.bin", file), bytes(&noise(16))]),
        list([entry("inner", inner), bytes(b"")]),
    ]);
    assert_eq!(walked, expected);
}

#[test]
fn a_large_directory_is_listed_and_looked_up() {
    let blobs = load(homestar_guests::blobs());
    let blocks = Arc::new(MemoryBlocks::default());
    let mut put = |block: Block| blocks.put(&[block]);
    let (leaf, block) = quarter_mib().leaf(b"hello".to_vec());
    put(block).unwrap();
    let mut writer = DirectoryWriter::new().shard_above(1000);
    for number in 0..500 {
        writer.add(&format!("file {number}"), leaf).unwrap();
    }
    let cid = writer.finish(&mut put).unwrap().cid;
    let Ipld::List(walked) = ok(&blocks, &blobs, "walk", vec![link(cid)]) else {
        panic!("a list");
    };
    assert_eq!(walked.len(), 500);
    let args = vec![text(&cid.to_string()), text("file 321"), link(cid)];
    assert_eq!(ok(&blocks, &blobs, "at", args), bytes(b"hello"));
}

#[test]
fn nodes_are_read_and_written() {
    let blobs = load(homestar_guests::blobs());
    let blocks = Arc::new(MemoryBlocks::default());
    let node = Block::of_dag_cbor(&Ipld::Map([("a".to_owned(), int(1))].into())).unwrap();
    let put = |codec: u8, node: &[u8]| vec![int(codec), bytes(node)];
    let written = ok(&blocks, &blobs, "put", put(1, node.bytes()));
    assert_eq!(written, text(&node.cid().to_string()));
    assert_eq!(blocks.get(node.cid()), Ok(node.clone()));

    let written = ok(&blocks, &blobs, "put", put(0, b"hello"));
    assert_eq!(written, text(&cid_of_file(b"hello").to_string()));

    let linking = Block::of_dag_cbor(&list([link(*node.cid()), link(cid_of_file(b"x"))])).unwrap();
    blocks.put(std::slice::from_ref(&linking)).unwrap();
    let args = vec![text(&linking.cid().to_string()), link(*linking.cid())];
    let links = [*node.cid(), cid_of_file(b"x")].map(|cid| text(&cid.to_string()));
    assert_eq!(
        ok(&blocks, &blobs, "node", args),
        list([bytes(linking.bytes()), list(links)])
    );

    let mut loose = node.bytes().to_vec();
    loose.push(0);
    for (codec, node, said) in [
        (1, loose, "Error::Malformed"),
        (2, vec![0xff; 3], "Error::Malformed"),
        (0, vec![0; (1 << 20) + 1], "Error::TooLarge(1048577)"),
    ] {
        let failure = failure(&blocks, &blobs, "put", put(codec, &node));
        assert_eq!(failure.kind, Kind::Guest);
        let Some(Ipld::String(error)) = failure.value else {
            panic!("{failure:?}");
        };
        assert!(error.starts_with(said), "{error}");
    }
}

/// Or a guest could write down what it knows as a link, read that, and so have it asked for in public.
#[test]
fn a_node_may_link_only_to_what_is_within_reach() {
    let blobs = load(homestar_guests::blobs());
    let blocks = Arc::new(MemoryBlocks::default());
    let secret = cid_of_file(b"what the guest knows");
    let node = Block::of_dag_cbor(&Ipld::Link(secret)).unwrap();
    let args = vec![int(1), bytes(node.bytes())];
    let failure = failure(&blocks, &blobs, "put", args);
    assert_eq!(failure.value, Some(text("Error::Denied")));
}
