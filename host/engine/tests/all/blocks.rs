//! Content: links that become bytes, streams and blobs on the way in, and streams and blobs that become links on the
//! way out.

mod direct;
mod hostile;
mod same;
mod store;

use std::sync::Arc;

use homestar_core::ipld::{Cid, Ipld};
use homestar_core::outcome::{Failure, Kind, Outcome};
use homestar_core::task::{Input, Limits};
use homestar_core::unixfs::cid_of_file;
use homestar_engine::{Blocks, Call, CallError, Component, Done, Effects, MemoryBlocks};

use self::store::{bytes_of, one_mib, put_file, quarter_mib};
use crate::{engine, instruction, int, limits, list, load, text};

/// Calls `func` with content.
fn call(
    blocks: &Arc<impl Blocks + 'static>,
    component: &Component,
    func: &str,
    args: Vec<Ipld>,
) -> Result<Done, CallError> {
    call_within(blocks, component, func, args, &limits())
}

fn call_within(
    blocks: &Arc<impl Blocks + 'static>,
    component: &Component,
    func: &str,
    args: Vec<Ipld>,
    limits: &Limits,
) -> Result<Done, CallError> {
    let instruction = instruction(component, Input::new(func, args));
    let mut call = Call::new(&instruction, limits);
    call.blocks = Some(blocks.clone());
    engine().call(component, call)
}

/// Calls `func` and returns its value.
fn ok(
    blocks: &Arc<impl Blocks + 'static>,
    component: &Component,
    func: &str,
    args: Vec<Ipld>,
) -> Ipld {
    match call(blocks, component, func, args).expect(func).outcome {
        Outcome::Ok(value) => value,
        Outcome::Error(failure) => panic!("{func}: {failure:?}"),
    }
}

/// Calls `func` and returns how it failed.
fn failure(
    blocks: &Arc<impl Blocks + 'static>,
    component: &Component,
    func: &str,
    args: Vec<Ipld>,
) -> Failure {
    match call(blocks, component, func, args).expect(func).outcome {
        Outcome::Error(failure) => failure,
        Outcome::Ok(value) => panic!("{func}: {value:?}"),
    }
}

fn link(cid: Cid) -> Ipld {
    Ipld::Link(cid)
}

fn named(name: &str, content: Ipld) -> Ipld {
    let fields = [("name", text(name)), ("content", content)];
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    Ipld::Map(fields.into())
}

/// Bytes that repeat nowhere.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = (0..length.div_ceil(8)).flat_map(next).collect();
    bytes.truncate(length);
    bytes
}

/// Sizes around the borders of chunks.
const SIZES: [usize; 7] = [0, 1, 1000, 262_144, 262_145, 600_000, 3_000_000];

#[test]
fn a_link_streams_in_and_a_stream_becomes_a_link() {
    let pipe = load(homestar_guests::pipe());
    for size in SIZES {
        let blocks = Arc::new(MemoryBlocks::default());
        let bytes = noise(size);
        let cid = put_file(&*blocks, &bytes, quarter_mib());
        assert_eq!(cid, cid_of_file(&bytes));
        for func in ["pipe", "hand-back"] {
            assert_eq!(
                ok(&blocks, &pipe, func, vec![link(cid)]),
                link(cid),
                "{func} {size}"
            );
        }
        let other = put_file(&*blocks, &bytes, one_mib());
        let joined = ok(&blocks, &pipe, "join", vec![list([link(cid), link(other)])]);
        let twice = [&bytes[..], &bytes[..]].concat();
        assert_eq!(joined, link(cid_of_file(&twice)), "{size}");
        assert_eq!(bytes_of(&*blocks, &cid_of_file(&twice)), twice);
    }
}

#[test]
fn a_link_stands_for_a_list_of_bytes() {
    let pipe = load(homestar_guests::pipe());
    let blocks = Arc::new(MemoryBlocks::default());
    let bytes = noise(700_000);
    let cid = put_file(&*blocks, &bytes, quarter_mib());
    let echoed = ok(&blocks, &pipe, "echo", vec![link(cid)]);
    assert_eq!(echoed, Ipld::Bytes(bytes));
}

#[test]
fn bytes_are_taken_where_a_stream_is() {
    let pipe = load(homestar_guests::pipe());
    let blocks = Arc::new(MemoryBlocks::default());
    let bytes = noise(500_000);
    let piped = ok(&blocks, &pipe, "pipe", vec![Ipld::Bytes(bytes.clone())]);
    assert_eq!(piped, link(cid_of_file(&bytes)));
}

#[test]
fn streams_pass_in_whatever_holds_them() {
    let pipe = load(homestar_guests::pipe());
    let blocks = Arc::new(MemoryBlocks::default());
    let (one, two) = (noise(300_000), noise(5));
    let put = |bytes: &[u8]| link(put_file(&*blocks, bytes, quarter_mib()));
    let parcels = list([named("one", put(&one)), named("two", put(&two))]);
    let doubled = ok(&blocks, &pipe, "double", vec![parcels]);
    let twice = |bytes: &[u8]| link(cid_of_file(&[bytes, bytes].concat()));
    let expected = list([
        named("one, twice", twice(&one)),
        named("two, twice", twice(&two)),
    ]);
    assert_eq!(doubled, expected);

    let failure = failure(&blocks, &pipe, "double", vec![list([])]);
    assert_eq!(
        (failure.kind, failure.value),
        (Kind::Guest, Some(text("no parcel")))
    );
}

#[test]
fn what_is_no_link_and_no_bytes_is_refused_before_anything_runs() {
    let pipe = load(homestar_guests::pipe());
    let blocks = Arc::new(MemoryBlocks::default());
    let error = call(&blocks, &pipe, "pipe", vec![int(3)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected `stream<u8>` at `input`, found integer 3; it takes a link or bytes"
    );
    let error = call(&blocks, &pipe, "echo", vec![text("bafk")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected `list<u8>` at `bytes`, found string \"bafk\"; it takes a link or bytes"
    );
}

#[test]
fn a_task_without_content_needs_no_blocks() {
    let add = load(homestar_guests::add());
    assert_eq!(crate::ok(&add, "add", vec![int(1), int(2)]), int(3));
    let pipe = load(homestar_guests::pipe());
    assert_eq!(
        crate::ok(&pipe, "echo", vec![Ipld::Bytes(vec![1])]),
        Ipld::Bytes(vec![1])
    );
    let args = vec![link(cid_of_file(b"hello"))];
    let failure = crate::failure(&pipe, "echo", args, &limits());
    assert_eq!(failure.kind, Kind::Unavailable);
    assert!(matches!(
        crate::call(&pipe, "zeros", vec![int(1)]),
        Err(CallError::Host(reason)) if reason == "this task was given nowhere to write to"
    ));
}

#[test]
fn a_picture_is_read_by_its_link() {
    let image = load(homestar_guests::image());
    let blocks = Arc::new(MemoryBlocks::default());
    let png = include_bytes!("../../../../examples/image/cat.png").to_vec();
    let cid = put_file(&*blocks, &png, quarter_mib());
    let by_link = ok(&blocks, &image, "grayscale", vec![link(cid)]);
    let by_bytes = ok(&blocks, &image, "grayscale", vec![Ipld::Bytes(png)]);
    assert_eq!(by_link, by_bytes);
}

#[test]
fn lines_are_filtered_while_they_stream() {
    let lines = load(homestar_guests::lines());
    let blocks = Arc::new(MemoryBlocks::default());
    let lines_of = |keep: fn(u32) -> bool| {
        let lines = (0..100_000).filter(|number| keep(*number));
        lines
            .map(|number| format!("line {number}, end\n"))
            .collect::<String>()
    };
    let all = lines_of(|_| true);
    let cid = put_file(&*blocks, all.as_bytes(), quarter_mib());
    let found = ok(&blocks, &lines, "filter", vec![link(cid), text("7, end")]);
    let expected = lines_of(|number| number % 10 == 7);
    assert_eq!(found, link(cid_of_file(expected.as_bytes())));
    let counted = ok(&blocks, &lines, "count", vec![link(cid), text("7, end")]);
    assert_eq!(counted, int(10_000));
}

#[test]
fn files_are_squeezed_and_come_back() {
    let squeeze = load(homestar_guests::squeeze());
    let blocks = Arc::new(MemoryBlocks::default());
    let bytes = "a line that is there often\n".repeat(50_000).into_bytes();
    let cid = put_file(&*blocks, &bytes, quarter_mib());
    let small = ok(&blocks, &squeeze, "gzip", vec![link(cid), int(6)]);
    let Ipld::Link(small_cid) = small else {
        panic!("{small:?}");
    };
    assert!(bytes_of(&*blocks, &small_cid).len() < bytes.len() / 50);
    assert_eq!(ok(&blocks, &squeeze, "gunzip", vec![small]), link(cid));

    let small = ok(&blocks, &squeeze, "zstd", vec![link(cid)]);
    let Ipld::Link(small_cid) = small else {
        panic!("{small:?}");
    };
    assert!(bytes_of(&*blocks, &small_cid).len() < bytes.len() / 50);
    assert_eq!(ok(&blocks, &squeeze, "unzstd", vec![small]), link(cid));
}

/// What `yes 'a line that is there often' | head -c 700000 | zstd -19 --check` writes: several blocks, and a checksum.
const OFTEN: &str = "28b52ffda460ae0a00140100b201060bd03dd2b5367f01707c2c0660be5c8d9e37a98f796d548d01008bff7b3ec754\
    0000000100fdfff5ffb90602440000000100fdff390002440000000100fdff390002440000000100fdff3900024500000001005d2e1d000197c2\
    f5a5";

#[test]
fn what_another_program_has_squeezed_is_read() {
    let squeeze = load(homestar_guests::squeeze());
    let blocks = Arc::new(MemoryBlocks::default());
    let unsqueezed = |squeezed: &[u8]| {
        let cid = put_file(&*blocks, squeezed, quarter_mib());
        ok(&blocks, &squeeze, "unzstd", vec![link(cid)])
    };
    let line = "a line that is there often\n".as_bytes();
    let expected: Vec<u8> = line.iter().copied().cycle().take(700_000).collect();
    let digits: Vec<char> = OFTEN.chars().collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
    let often: Vec<u8> = digits.chunks(2).map(byte).collect();
    assert_eq!(unsqueezed(&often), link(cid_of_file(&expected)));
    // Frames may follow each other, and some are to be skipped.
    let skipped = [&[0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    let twice = [&often[..], &skipped, &often].concat();
    let expected_twice = [&expected[..], &expected].concat();
    assert_eq!(unsqueezed(&twice), link(cid_of_file(&expected_twice)));
    // What is wrong ends early: here with nothing, or without the last part, whose checksum is another.
    assert_eq!(unsqueezed(b"no zstd at all"), link(cid_of_file(b"")));
    let mut wrong = often.clone();
    *wrong.last_mut().unwrap() ^= 1;
    assert_ne!(unsqueezed(&wrong), unsqueezed(&often));
}

#[test]
fn a_table_is_summed_up_and_reported() {
    let table = load(homestar_guests::table());
    let blocks = Arc::new(MemoryBlocks::default());
    let mut csv = "town,amount\n".to_owned();
    for number in 0..60_000 {
        csv += ["Aachen,0001\n", "Bergen,0010\n", "Calais,0100\n"][number % 3];
    }
    let csv = link(put_file(&*blocks, csv.as_bytes(), quarter_mib()));
    let args = vec![csv.clone(), text("town"), text("amount")];
    let report = ok(&blocks, &table, "report", args);
    let expected = "key,count,sum,mean\n\
        Aachen,20000,20000,1\nBergen,20000,200000,10\nCalais,20000,2000000,100\n";
    assert_eq!(report, link(cid_of_file(expected.as_bytes())));
    let row = ok(&blocks, &table, "row", vec![csv.clone(), int(50_000)]);
    assert_eq!(row, text("Calais,0100"));

    let failure = failure(
        &blocks,
        &table,
        "sum",
        vec![csv, text("city"), text("amount")],
    );
    assert_eq!(failure.value, Some(text("there is no column \"city\"")));
}

/// A blob means the same to all parts of a composition.
#[test]
fn a_file_is_handed_to_an_effect() {
    let scale = std::fs::read(homestar_guests::scale()).unwrap();
    let mut effects = Effects::new();
    effects.add_built_in([("scale", scale)]).unwrap();
    let weigh = engine()
        .load_file_with(homestar_guests::weigh(), || &effects)
        .unwrap();
    let blocks = Arc::new(MemoryBlocks::default());
    let bytes = noise(700_000);
    let cid = put_file(&*blocks, &bytes, quarter_mib());
    let sum: u64 = bytes.iter().copied().map(u64::from).sum();
    let note = link(cid_of_file(sum.to_string().as_bytes()));
    let weighed = ok(&blocks, &weigh, "weigh", vec![link(cid)]);
    assert_eq!(weighed, list([int(sum), note]));
}

fn scribe(guest: Result<std::path::PathBuf, homestar_guests::Unavailable>) {
    let Some(path) = homestar_guests::or_skip(guest) else {
        return;
    };
    let scribe = load(&path);
    let blocks = Arc::new(MemoryBlocks::default());
    let text_of = |line: &str| line.repeat(30_000).into_bytes();
    let cid = put_file(&*blocks, &text_of("all is quiet\n"), quarter_mib());
    assert_eq!(ok(&blocks, &scribe, "lines", vec![link(cid)]), int(30_000));
    let shouted = ok(&blocks, &scribe, "shout", vec![link(cid)]);
    assert_eq!(shouted, link(cid_of_file(&text_of("ALL IS QUIET\n"))));
    let denied = failure(&blocks, &scribe, "peek", vec![text(&cid.to_string())]);
    let Some(Ipld::String(error)) = denied.value else {
        panic!("{denied:?}");
    };
    assert!(error.to_lowercase().contains("denied"), "{error}");
}

#[test]
fn in_python() {
    scribe(homestar_guests::python_scribe());
}

#[test]
fn in_javascript_on_quickjs() {
    scribe(homestar_guests::quickjs_scribe());
}

#[test]
fn in_javascript_on_spidermonkey() {
    scribe(homestar_guests::spidermonkey_scribe());
}
