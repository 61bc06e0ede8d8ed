//! Does with content all that can be done, and some that can't.

use std::fmt::Debug;

use homestar::blocks::dag::{self, Codec, Node};
use homestar::blocks::files::{self, Sink};
use homestar::blocks::streams;
use homestar::blocks::types::Kind;

wit_bindgen::generate!({
    path: ["../../../wit", "wit"],
    world: "homestar:blobs/blobs",
    generate_all,
});

struct Blobs;

impl Guest for Blobs {
    fn read(cid: String, offset: u64, length: u32, _: Option<Blob>) -> Result<Vec<u8>, String> {
        let file = Blob::open(&cid).map_err(said)?;
        file.read(offset, length).map_err(said)
    }

    fn ranges(file: &Blob, ranges: Vec<(u64, u32)>) -> Result<Vec<Vec<u8>>, String> {
        let read = |(offset, length)| file.read(offset, length).map_err(said);
        ranges.into_iter().map(read).collect()
    }

    fn about(file: &Blob) -> (u64, String) {
        (file.size(), file.cid())
    }

    fn write(pieces: Vec<Vec<u8>>) -> Result<Blob, String> {
        let sink = Sink::create().map_err(said)?;
        for piece in &pieces {
            sink.write(piece);
        }
        let file = Sink::finish(sink).map_err(said)?;
        let again = Blob::open(&file.cid()).map_err(said)?;
        let written = pieces.concat();
        let mut read = Vec::new();
        while read.len() < written.len() {
            let piece = again.read(read.len() as u64, 100_000).map_err(said)?;
            assert!(!piece.is_empty());
            read.extend(piece);
        }
        assert_eq!(read, written);
        assert_eq!(again.size(), written.len() as u64);
        Ok(file)
    }

    fn walk(directory: Blob) -> Result<Vec<(Entry, Vec<u8>)>, String> {
        let entries = files::list(&directory.cid(), 0).map_err(said)?;
        let entry = |entry: Entry| {
            let start = match files::kind_of(&entry.cid).map_err(said)? {
                Kind::File => Self::read(entry.cid.clone(), 0, 16, None)?,
                _ => Vec::new(),
            };
            Ok((entry, start))
        };
        entries.into_iter().map(entry).collect()
    }

    fn at(directory: String, path: String, _: Option<Blob>) -> Result<Vec<u8>, String> {
        let cid = files::resolve(&directory, &path).map_err(said)?;
        Self::read(cid, 0, 1 << 20, None)
    }

    fn node(cid: String, _: Option<Blob>) -> Result<(Vec<u8>, Vec<String>), String> {
        let node = dag::get(&cid).map_err(said)?;
        let links = dag::links(&cid).map_err(said)?;
        Ok((node.bytes, links))
    }

    fn put(codec: u8, bytes: Vec<u8>) -> Result<String, String> {
        let codec = match codec {
            0 => Codec::Raw,
            1 => Codec::DagCbor,
            _ => Codec::DagPb,
        };
        let node = Node { codec, bytes };
        let cid = dag::put(&node).map_err(said)?;
        let again = dag::get(&cid).map_err(said)?;
        assert_eq!(again.bytes, node.bytes);
        Ok(cid)
    }

    async fn half(file: Blob) -> Result<Blob, String> {
        let (bytes, end) = streams::read(&file, file.size() / 2);
        let half = streams::write(bytes).await.map_err(said)?;
        end.await.map_err(said)?;
        Ok(half)
    }

    async fn ending(cid: String, offset: u64, _: Option<Blob>) -> Result<u64, String> {
        let file = Blob::open(&cid).map_err(said)?;
        let (mut bytes, end) = streams::read(&file, offset);
        let mut count = 0;
        loop {
            let (_, piece) = bytes.read(Vec::with_capacity(1000)).await;
            count += piece.len() as u64;
            if piece.is_empty() {
                break;
            }
        }
        end.await.map_err(said)?;
        Ok(count)
    }

    fn open_many(cid: String, count: u32, _: Option<Blob>) -> u32 {
        let open = |_: &u32| match Blob::open(&cid) {
            Ok(file) => {
                std::mem::forget(file);
                true
            }
            Err(_) => false,
        };
        (0..count).filter(open).count() as u32
    }

    fn begin_many(count: u32) -> u32 {
        let begin = |_: &u32| match Sink::create() {
            Ok(sink) => {
                sink.write(&[0; 1000]);
                std::mem::forget(sink);
                true
            }
            Err(_) => false,
        };
        (0..count).filter(begin).count() as u32
    }

    fn write_forever() {
        let sink = Sink::create().expect("a file");
        loop {
            sink.write(&[0; 100_000]);
        }
    }

    fn write_and_trap(count: u32) {
        let sink = Sink::create().expect("a file");
        sink.write(&vec![0; count as usize]);
        panic!("no more of this");
    }
}

fn said(error: impl Debug) -> String {
    format!("{error:?}")
}

export!(Blobs);
