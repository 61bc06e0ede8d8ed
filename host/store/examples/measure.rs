//! Measures a store on disk against what the machine can do: `cargo run --release --example measure -- FOLDER`,
//! or only a part of it: `import`, `receipts` or `many` behind the folder.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use homestar_core::ipld::{Block, Ipld, Link, cid_of_raw};
use homestar_core::key::SigningKey;
use homestar_core::outcome::Outcome;
use homestar_core::receipt::{Body, Meta, Receipt};
use homestar_core::task::{Input, Instruction, Nonce};
use homestar_store::{Config, Disk, Record, Store};

type Done<T> = Result<T, Box<dyn std::error::Error>>;

/// Bytes of a block of a file.
const BLOCK_BYTES: usize = 256 << 10;

fn main() -> Done<()> {
    let folder = std::env::args().nth(1).map(PathBuf::from);
    let folder = folder.ok_or("usage: measure FOLDER [import | receipts | many]")?;
    fs::create_dir_all(&folder)?;
    let only = std::env::args().nth(2);
    let is_asked = |what: &str| only.as_deref().is_none_or(|only| only == what);
    if is_asked("import") {
        import(&folder, 1 << 30)?;
    }
    if is_asked("receipts") {
        receipts(&folder)?;
    }
    if is_asked("many") {
        many(&folder, 1_000_000)?;
    }
    Ok(())
}

/// Says how long something took, how long this thread had a processor for it, and how many of something that is a second.
fn timed<T>(what: &str, count: f64, unit: &str, work: impl FnOnce() -> Done<T>) -> Done<T> {
    let (begun, busy) = (Instant::now(), busy_ms());
    let done = work()?;
    let (seconds, busy) = (begun.elapsed().as_secs_f64(), busy_ms() - busy);
    let (milliseconds, rate) = (seconds * 1e3, count / seconds);
    println!("{what:<44} {milliseconds:>10.2} ms {busy:>10.2} ms busy {rate:>12.0} {unit}/s");
    Ok(done)
}

/// For how long this thread had a processor, as Linux tells it.
fn busy_ms() -> f64 {
    let said = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = said
        .split(' ')
        .next()
        .and_then(|text| text.parse::<f64>().ok());
    nanoseconds.unwrap_or_default() / 1e6
}

fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = (0..bytes.div_ceil(8)).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(bytes).collect()
}

fn fresh(folder: &Path, name: &str) -> Done<PathBuf> {
    let path = folder.join(name);
    if path.exists() {
        fs::remove_dir_all(&path)?;
    }
    Ok(path)
}

fn import(folder: &Path, bytes: usize) -> Done<()> {
    println!(
        "-- import of {} MiB in blocks of {} KiB",
        bytes >> 20,
        BLOCK_BYTES >> 10
    );
    let content = noise(1, bytes);
    let mebibytes = (bytes >> 20) as f64;
    timed("sha2-256 alone", mebibytes, "MiB", || {
        for chunk in content.chunks(BLOCK_BYTES) {
            std::hint::black_box(cid_of_raw(chunk));
        }
        Ok(())
    })?;
    timed("write and sync of one file", mebibytes, "MiB", || {
        let mut file = File::create(folder.join("plain"))?;
        for chunk in content.chunks(BLOCK_BYTES) {
            file.write_all(chunk)?;
        }
        Ok(file.sync_all()?)
    })?;
    fs::remove_file(folder.join("plain"))?;
    let blocks: Vec<_> = content
        .chunks(BLOCK_BYTES)
        .map(|chunk| Block::raw(chunk.to_vec()))
        .collect();
    drop(content);
    for (name, batch) in [
        ("put, 4 MiB at a time", 16),
        ("put, 32 MiB at a time", 128),
        ("put, all at once", blocks.len()),
    ] {
        let path = fresh(folder, "import")?;
        let store = Disk::open(&path, Config::default())?;
        timed(name, mebibytes, "MiB", || {
            for batch in blocks.chunks(batch) {
                store.put(batch)?;
            }
            Ok(())
        })?;
    }
    let path = fresh(folder, "import")?;
    let store = Disk::open(&path, Config::default())?;
    timed("stage one by one, flush", mebibytes, "MiB", || {
        for block in &blocks {
            store.stage(std::slice::from_ref(block))?;
        }
        Ok(store.flush()?)
    })?;
    timed("put again", mebibytes, "MiB", || Ok(store.put(&blocks)?))?;
    timed("get", mebibytes, "MiB", || {
        for block in &blocks {
            store.get(block.cid())?.ok_or("gone")?;
        }
        Ok(())
    })?;
    timed("gc of all of it", mebibytes, "MiB", || {
        Ok(store.gc(&|_| vec![])?)
    })?;
    drop(store);
    fs::remove_dir_all(path)?;
    Ok(())
}

fn receipt(number: i128, key: &SigningKey) -> Done<(Instruction, Receipt)> {
    let component = cid_of_raw(b"component");
    let input = Input::new("add", vec![Ipld::Integer(number), Ipld::Integer(1)]);
    let instruction = Instruction::new(component, input, Nonce::EMPTY)?;
    let meta = Meta {
        component,
        func: "add".into(),
        effects: vec![],
        trace: None,
        invocation: None,
        fuel: 12,
        memory_peak: 65_536,
        engine: "measure".into(),
    };
    let body = Body {
        ran: instruction.link(),
        outcome: Outcome::Ok(Ipld::Integer(number + 1)),
        run: vec![],
        meta,
    };
    Ok((instruction, Receipt::sign(body, key)?))
}

fn receipts(folder: &Path) -> Done<()> {
    println!("-- receipts");
    let path = fresh(folder, "receipts")?;
    let key = SigningKey::from_seed(&[7; 32]);
    const COUNT: usize = 10_000;
    let made = timed("make and sign 10,000", COUNT as f64, "receipts", || {
        (0..COUNT)
            .map(|number| receipt(number as i128, &key))
            .collect::<Done<Vec<_>>>()
    })?;
    let instructions: Vec<_> = made
        .iter()
        .map(|(made, _)| [made.block().clone()])
        .collect();
    let records: Vec<_> = made
        .iter()
        .zip(&instructions)
        .map(|((_, receipt), blocks)| Record {
            receipt,
            blocks,
            is_believed: true,
            at_ms: 0,
        })
        .collect();
    for batch in [1000, 100] {
        let store = Disk::open(&fresh(folder, "receipts")?, Config::default())?;
        let name = format!("record with instruction, {batch} at a time");
        timed(&name, COUNT as f64, "receipts", || {
            for batch in records.chunks(batch) {
                store.record(batch)?;
            }
            Ok(())
        })?;
    }
    let store = Disk::open(&fresh(folder, "receipts")?, Config::default())?;
    timed("record one by one, of 1,000", 1000.0, "receipts", || {
        for record in &records[..1000] {
            store.record(std::slice::from_ref(record))?;
        }
        Ok(())
    })?;
    timed(
        "record one by one, of 9,000 by 64 threads",
        9000.0,
        "receipts",
        || {
            std::thread::scope(|scope| {
                for part in records[1000..].chunks(9000 / 64 + 1) {
                    let store = &store;
                    scope.spawn(move || {
                        for record in part {
                            store
                                .record(std::slice::from_ref(record))
                                .expect("recorded");
                        }
                    });
                }
            });
            Ok(())
        },
    )?;
    timed("close", 1.0, "stores", || {
        drop(store);
        Ok(())
    })?;
    let ran: Vec<Link<Instruction>> = made.iter().map(|(made, _)| made.link()).collect();
    for _ in 0..2 {
        timed(
            "open, receipts_of all 10,000",
            COUNT as f64,
            "receipts",
            || {
                let store = Disk::open(&path, Config::default())?;
                let found = store.receipts_of(&ran)?;
                assert!(found.iter().all(|of| of.len() == 1));
                Ok(())
            },
        )?;
    }
    let store = Disk::open(&path, Config::default())?;
    let found = store.receipts_of(&ran)?;
    timed("hash all of them", COUNT as f64, "receipts", || {
        for recorded in found.iter().flatten() {
            std::hint::black_box(cid_of_raw(recorded.block().bytes()));
        }
        Ok(())
    })?;
    timed("check all of them", COUNT as f64, "receipts", || {
        for recorded in found.iter().flatten() {
            Receipt::decode(recorded.block().bytes())?;
        }
        Ok(())
    })?;
    timed("read all of them", COUNT as f64, "receipts", || {
        for recorded in found.iter().flatten() {
            recorded.receipt()?;
        }
        Ok(())
    })?;
    timed(
        "read all of them, of one issuer",
        COUNT as f64,
        "receipts",
        || {
            let mut before = None;
            for recorded in found.iter().flatten() {
                before = Some(recorded.receipt_like(before.as_ref())?);
            }
            Ok(())
        },
    )?;
    drop(store);
    fs::remove_dir_all(path)?;
    Ok(())
}

fn many(folder: &Path, count: usize) -> Done<()> {
    println!("-- {count} small blocks");
    let path = fresh(folder, "many")?;
    let store = Disk::open(&path, Config::default())?;
    let block = |seed: usize| Block::raw(noise(seed as u64, 200));
    timed("put, 10,000 at a time", count as f64, "blocks", || {
        for first in (0..count).step_by(10_000) {
            let blocks: Vec<_> = (first..first + 10_000).map(block).collect();
            store.put(&blocks)?;
        }
        Ok(())
    })?;
    let some: Vec<_> = (0..20_000)
        .map(|at| *block(at * 7919 % count).cid())
        .collect();
    for _ in 0..2 {
        timed("get 20,000", 20_000.0, "blocks", || {
            for cid in &some {
                store.get(cid)?.ok_or("gone")?;
            }
            Ok(())
        })?;
    }
    timed("close", 1.0, "stores", || {
        drop(store);
        Ok(())
    })?;
    for _ in 0..3 {
        timed("open and get one", 1.0, "stores", || {
            let store = Disk::open(&path, Config::default())?;
            store.get(&some[0])?.ok_or("gone")?;
            Ok(())
        })?;
    }
    let store = Disk::open(&path, Config::default())?;
    timed(
        "gc that finds nothing to keep",
        count as f64,
        "blocks",
        || Ok(store.gc(&|_| vec![])?),
    )?;
    drop(store);
    fs::remove_dir_all(path)?;
    Ok(())
}
