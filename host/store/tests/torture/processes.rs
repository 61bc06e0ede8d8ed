//! Several processes share a store, and are killed.
//!
//! This program starts itself as the others: writers, which say what was acknowledged, line by line, a collector of
//! garbage, and a reader, which ends badly if something that is pinned can't be read.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use homestar_core::ipld::{Block, Cid, Ipld, Link, parse_cid};
use homestar_store::{Config, Disk, Pin, Record, Store};

use crate::random::Random;
use crate::work::{links, receipt};

type Done<T> = Result<T, Box<dyn std::error::Error>>;

/// The first argument of a process that this one starts.
pub(crate) const CHILD: &str = "child";

fn config() -> Config {
    let mut config = Config::default();
    config.segment_bytes_max = 2 << 20;
    config
}

/// What a process that this one started does: writes so many things, or goes on until it is killed.
pub(crate) fn child(role: &str, path: &str, seed: u64, count: u64) -> Done<()> {
    let store = Disk::open(Path::new(path), config())?;
    let mut random = Random(seed);
    for _ in 0..count {
        match role {
            "write" => write(&store, &mut random)?,
            "collect" => collect(&store)?,
            "read" => read(&store)?,
            role => return Err(format!("no such role: {role}").into()),
        }
    }
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Puts a tree and pins it, or records a receipt, and says so.
fn write(store: &Disk, random: &mut Random) -> Done<()> {
    let session = store.session()?;
    let leaves: Vec<_> = (0..1 + random.below(4))
        .map(|_| {
            let sizes = [100, 10_000, 60_000, 300_000];
            let size = sizes[random.below(4) as usize];
            let size = 1 + random.below(size) as usize;
            Block::raw(random.bytes(size))
        })
        .collect();
    // Nobody needs this one.
    store.put(&[Block::raw(random.bytes(20_000))])?;
    let root = leaves.iter().map(|leaf| Ipld::Link(*leaf.cid()));
    let root = Block::of_dag_cbor(&Ipld::List(root.collect()))?;
    if random.below(2) == 0 {
        store.stage(&leaves)?;
        store.put(std::slice::from_ref(&root))?;
    } else {
        store.put(&[&leaves[..], std::slice::from_ref(&root)].concat())?;
    }
    if random.below(3) == 0 {
        let (instruction, receipt) = receipt(*root.cid());
        let record = Record {
            receipt: &receipt,
            blocks: &[instruction.block().clone()],
            is_believed: true,
            at_ms: 1,
        };
        store.record(&[record])?;
        drop(session);
        say(&format!("receipt {}", instruction.link()))?;
    } else {
        store.pin(&Pin::recursive(*root.cid(), "", 1))?;
        drop(session);
        say(&format!("root {}", root.cid()))?;
    }
    Ok(())
}

fn collect(store: &Disk) -> Done<()> {
    store.gc(&links)?;
    Ok(())
}

/// Reads everything that is pinned. It was put before it was pinned, so it is there.
fn read(store: &Disk) -> Done<()> {
    for pin in store.pins()? {
        let root = store.get(&pin.cid)?.ok_or("a root is gone")?;
        for leaf in links(&root) {
            store.get(&leaf)?.ok_or("a leaf is gone")?;
        }
    }
    Ok(())
}

/// A process that this one started. It is killed with the test, if the test fails.
struct Other {
    process: Child,
    role: &'static str,
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn start(role: &'static str, path: &Path, seed: u64, count: u64) -> (Other, Receiver<String>) {
    let program = std::env::current_exe().expect("this program is somewhere");
    let (seed, count) = (seed.to_string(), count.to_string());
    let mut process = Command::new(program)
        .args([CHILD, role])
        .arg(path)
        .args([seed, count])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let out = BufReader::new(process.stdout.take().expect("it has one"));
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    (Other { process, role }, lines)
}

/// What was acknowledged.
#[derive(Debug, Default)]
struct Acknowledged {
    roots: BTreeSet<Cid>,
    receipts: BTreeSet<Cid>,
}

impl Acknowledged {
    fn add(&mut self, line: &str) {
        let (what, cid) = line.split_once(' ').expect("two words");
        let cid = parse_cid(cid).expect("a CID");
        match what {
            "root" => drop(self.roots.insert(cid)),
            _ => drop(self.receipts.insert(cid)),
        }
    }

    /// Everything is there, and nothing else after garbage was collected.
    fn check(&self, store: &Disk) {
        let mut roots = self.roots.clone();
        for ran in &self.receipts {
            let found = store.receipts_of(&[Link::new(*ran)]).unwrap().remove(0);
            assert_eq!(found.len(), 1, "the receipt of {ran}");
            let ran = store.get(ran).unwrap().expect("the instruction is there");
            // The component isn't.
            let linked = links(&ran).into_iter();
            roots.extend(linked.filter(|cid| store.has(cid).unwrap()));
        }
        for cid in &roots {
            let root = store.get(cid).unwrap().expect("a root is there");
            for leaf in links(&root) {
                assert!(store.get(&leaf).unwrap().is_some(), "leaf {leaf}");
            }
        }
        let verified = store.verify().unwrap();
        assert_eq!((verified.damaged, verified.index), (vec![], vec![]));
    }
}

/// Two writers, a collector and a reader are killed while they work, again and again.
pub(crate) fn killed(seed: u64, rounds: u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut random = Random(seed);
    let mut acknowledged = Acknowledged::default();
    let mut others = 0;
    for round in 0..rounds {
        let roles = ["write", "write", "collect", "read"];
        let mut started: Vec<_> = roles
            .iter()
            .map(|role| start(role, &path, random.next(), u64::MAX))
            .collect();
        for _ in 0..5 + random.below(30) {
            // Whoever writes nothing more has ended, and shouldn't have.
            let writer = random.below(2) as usize;
            acknowledged.add(&started[writer].1.recv().expect("a writer goes on"));
        }
        while !started.is_empty() {
            let next = random.below(started.len() as u64) as usize;
            let (mut other, lines) = started.remove(next);
            let role = other.role;
            let ended = other.process.try_wait().unwrap();
            assert!(ended.is_none(), "round {round}: {role} ended: {ended:?}");
            drop(other);
            // What was said before the end was acknowledged too.
            lines.iter().for_each(|line| acknowledged.add(&line));
        }
        let store = Disk::open(&path, config()).unwrap();
        acknowledged.check(&store);
        store.gc(&links).unwrap();
        acknowledged.check(&store);
        others += roles.len();
        // Sessions of the dead keep nothing: a tree that was put and not pinned is gone.
        assert!(store.session().is_ok());
    }
    println!(
        "{others} processes killed, nothing of {} trees and {} receipts lost: ok",
        acknowledged.roots.len(),
        acknowledged.receipts.len()
    );
}

/// Three writers, a collector and a reader share a store and end in peace.
pub(crate) fn shared(seed: u64, count: u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let writers: Vec<_> = (0..3)
        .map(|at| start("write", &path, seed * 10 + at, count))
        .collect();
    let mut watching = [
        start("collect", &path, 0, u64::MAX),
        start("read", &path, 0, u64::MAX),
    ];
    let mut acknowledged = Acknowledged::default();
    for (mut writer, lines) in writers {
        lines.iter().for_each(|line| acknowledged.add(&line));
        let status = writer.process.wait().unwrap();
        assert!(status.success(), "{status}");
    }
    for (other, _) in &mut watching {
        let ended = other.process.try_wait().unwrap();
        assert!(ended.is_none(), "{} ended: {ended:?}", other.role);
    }
    drop(watching);
    let said = acknowledged.roots.len() + acknowledged.receipts.len();
    assert_eq!(said as u64, 3 * count);
    let store = Disk::open(&path, config()).unwrap();
    store.gc(&links).unwrap();
    acknowledged.check(&store);
    let before = store.stats().unwrap();
    for pin in store.pins().unwrap() {
        store.unpin(&pin.cid, &pin.label).unwrap();
    }
    let receipts = store.receipts(None, usize::MAX).unwrap();
    let receipts: Vec<_> = receipts
        .iter()
        .map(homestar_store::Recorded::link)
        .collect();
    assert_eq!(store.forget(&receipts).unwrap(), receipts.len());
    store.gc(&links).unwrap();
    let after = store.stats().unwrap();
    assert_eq!((after.blocks, after.bytes), (0, 0));
    assert!(
        after.disk_bytes < before.disk_bytes / 4,
        "{before:?}, {after:?}"
    );
    println!("5 processes shared a store, {said} trees and receipts: ok");
}
