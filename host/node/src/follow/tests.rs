use std::sync::atomic::{AtomicUsize, Ordering};

use homestar_core::unixfs::blocks_of_file;
use homestar_net::{Fault, Fetch, FetchError, Fetching, What};
use homestar_store::{Memory, Store};

use super::*;

/// Somebody who has blocks, and counts how many were asked for.
#[derive(Debug)]
struct Other {
    has: Memory,
    asked: AtomicUsize,
}

impl Other {
    fn new(blocks: &[Block]) -> Arc<Self> {
        let has = Memory::new();
        has.put(blocks).unwrap();
        Arc::new(Self {
            has,
            asked: AtomicUsize::new(0),
        })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Fetch for Other {
    fn block<'a>(&'a self, cid: &'a Cid) -> Fetching<'a, Block> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let fault = Fault {
            provider: "other".into(),
            what: What::Lacks,
        };
        let nowhere = FetchError::Nowhere {
            cid: *cid,
            faults: vec![fault],
        };
        let found = self.has.get(cid).unwrap().ok_or(nowhere);
        Box::pin(async move { found })
    }
}

/// A file of many pieces, the root last.
fn file() -> (Cid, Vec<Block>) {
    let chunks: Vec<Vec<u8>> = (0..200).map(|at| vec![at; 1 << 18]).collect();
    let bytes = chunks.concat();
    let (entry, blocks) = blocks_of_file(&bytes);
    (entry.cid, blocks)
}

fn read(source: &Source, root: &Cid) -> Result<u64, crate::CopyError> {
    source.open(root, 0..u64::MAX).copy_to(&mut std::io::sink())
}

#[test]
fn what_isnt_here_comes_whatever_is() {
    let (root, blocks) = file();
    for have in [0, 1, blocks.len() / 2, blocks.len() - 1] {
        let other = Other::new(&blocks);
        let store = Memory::new();
        // Leaves first, or the nodes above them.
        store.put(&blocks[..have]).unwrap();
        let source = Source::new(Arc::new(store.clone()), Some(other.clone()));
        assert_eq!(read(&source, &root).unwrap(), 200 << 18);
        // Besides what was on its way when it was seen that much is here.
        let asked = other.asked();
        let missing = blocks.len() - have;
        assert!(
            (missing..missing + 32).contains(&asked),
            "{asked} of {missing}"
        );
        assert_eq!(read(&source, &root).unwrap(), 200 << 18);
        assert_eq!(other.asked(), asked);
    }
}

/// Who reads no further isn't sent the rest.
#[test]
fn nothing_comes_far_ahead_of_whoever_reads() {
    let (root, blocks) = file();
    let other = Other::new(&blocks);
    let source = Source::new(Arc::new(Memory::new()), Some(other.clone()));
    let mut stream = source.open(&root, 0..u64::MAX);
    assert!(!stream.chunk().unwrap().is_empty());
    drop(stream);
    // What was on its way comes, and nothing else: those who wait for the thread to end see it.
    let again = source.open(&root, 0..u64::MAX);
    drop(again);
    // As many as are asked for at one time are on their way beside those that came.
    assert!(other.asked() <= LEAD_MAX + 64, "{}", other.asked());
}

#[test]
fn a_part_is_read_alone() {
    let (root, blocks) = file();
    let other = Other::new(&blocks);
    let source = Source::new(Arc::new(Memory::new()), Some(other.clone()));
    let mut stream = source.open(&root, (3 << 18) + 5..(4 << 18) + 5);
    assert_eq!(stream.copy_to(&mut std::io::sink()).unwrap(), 1 << 18);
    // Two pieces and the nodes above them.
    assert_eq!(other.asked(), 4);
}

#[test]
fn what_nobody_has_is_said_to_be_nowhere() {
    let (root, mut blocks) = file();
    let missing = *blocks.remove(100).cid();
    let other = Other::new(&blocks);
    let source = Source::new(Arc::new(Memory::new()), Some(other));
    let error = read(&source, &root).unwrap_err();
    let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |it| it.source());
    let said: Vec<String> = causes.map(ToString::to_string).collect();
    assert!(said.join(": ").contains(&missing.to_string()), "{said:?}");
}

/// What can't be kept is read all the same.
#[test]
fn who_reads_needs_no_room() {
    let (root, blocks) = file();
    let store = Arc::new(Memory::with_quota(1 << 20));
    let source = Source::new(store, Some(Other::new(&blocks)));
    assert_eq!(read(&source, &root).unwrap(), 200 << 18);
}
