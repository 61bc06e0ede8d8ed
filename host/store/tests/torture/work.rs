//! What is done to a store before it crashes, and what is known of it at each moment.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use homestar_core::ipld::{Block, Cid, DAG_CBOR, Ipld, cid_of_raw};
use homestar_core::key::SigningKey;
use homestar_core::outcome::Outcome;
use homestar_core::receipt::{Body, Meta, Receipt};
use homestar_core::task::{Input, Instruction, Nonce};
use homestar_store::{Config, Disk as StoreOnDisk, Pin, Record, Store, StoreError};

use crate::disk::{Disk, Trouble};
use crate::random::Random;
use crate::vfs;

/// The name that is set.
pub(crate) const NAME: &str = "site";

/// How many things are done.
const STEPS: u64 = 40;

/// Small, so that few blocks make several segments.
pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.segment_bytes_max = 64 << 10;
    config.inline_bytes_max = 1 << 10;
    config
}

/// Something that holds from a moment on.
#[derive(Clone, Copy, Debug)]
enum Fact {
    /// A block was acknowledged.
    Kept(usize),
    Pinned(usize),
    /// It may be pinned or not.
    UnpinBegins(usize),
    /// What isn't pinned may go.
    GcBegins,
    /// The name leads where it did, or here.
    NameBegins(usize),
    NameIs(usize),
    Recorded(usize),
}

/// A store at work, and all that is known of it.
pub(crate) struct Work {
    pub(crate) disk: Disk,
    root: PathBuf,
    store: Option<StoreOnDisk>,
    random: Random,
    pub(crate) blocks: Vec<Block>,
    pub(crate) receipts: Vec<Receipt>,
    /// Blocks that were staged, and not flushed yet.
    staged: Vec<usize>,
    facts: Vec<(usize, Fact)>,
}

/// What has to be there.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub(crate) kept: BTreeSet<usize>,
    pub(crate) pinned: BTreeSet<usize>,
    pub(crate) recorded: BTreeSet<usize>,
    /// Where the name may lead.
    pub(crate) names: BTreeSet<Option<usize>>,
}

impl Work {
    pub(crate) fn new(seed: u64) -> Self {
        let root = PathBuf::from(format!("/{seed}"));
        let disk = Disk::new(vfs::NAME);
        vfs::mount(&root, &disk);
        Self {
            disk,
            root,
            store: None,
            random: Random(seed),
            blocks: vec![],
            receipts: vec![],
            staged: vec![],
            facts: vec![],
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.root.join("store")
    }

    pub(crate) fn root(&self) -> &PathBuf {
        &self.root
    }

    /// Does many things, in good order or on a disk that refuses some.
    pub(crate) fn run(&mut self, has_trouble: bool) {
        for step in 0..STEPS {
            if has_trouble && step % 8 == 4 {
                let kinds = [std::io::ErrorKind::WriteZero, std::io::ErrorKind::Other];
                self.disk.set_trouble(Some(Trouble {
                    after: self.random.below(40),
                    count: 1 + self.random.below(6),
                    kind: kinds[self.random.below(2) as usize],
                }));
            }
            let done = self.step();
            match done {
                Ok(()) => {}
                Err(StoreError::DiskFull { .. } | StoreError::Io { .. }) if has_trouble => {}
                Err(error) => panic!("step {step}: {error:?}"),
            }
        }
        self.disk.set_trouble(None);
        // Whatever was refused before: it goes on.
        self.put(3).expect("there is no trouble any more");
        self.flush().expect("there is no trouble any more");
        self.store = None;
    }

    fn store(&mut self) -> Result<&StoreOnDisk, StoreError> {
        if self.store.is_none() {
            let disk = Arc::new(self.disk.clone());
            self.store = Some(StoreOnDisk::open_on(disk, &self.path(), config())?);
        }
        Ok(self.store.as_ref().expect("it is open"))
    }

    fn now(&mut self, fact: Fact) {
        self.facts.push((self.disk.position(), fact));
    }

    fn step(&mut self) -> Result<(), StoreError> {
        match self.random.below(20) {
            0..6 => {
                let count = 1 + self.random.below(4);
                self.put(count)
            }
            6..8 => self.put_again(),
            8..10 => self.stage(),
            10 => self.flush(),
            11..13 => self.pin(),
            13 => self.unpin(),
            14..16 => self.record(),
            16 => self.set_name(),
            17..19 => self.gc(),
            _ => self.reopen(),
        }
    }

    fn any_block(&mut self) -> usize {
        let sizes = [10, 100, 1000, 3000, 20_000];
        let size = sizes[self.random.below(5) as usize];
        let size = 1 + self.random.below(size) as usize;
        let block = Block::raw(self.random.bytes(size));
        self.blocks.push(block);
        self.blocks.len() - 1
    }

    fn known(&mut self) -> Option<usize> {
        let count = self.blocks.len() as u64;
        (count > 0).then(|| self.random.below(count) as usize)
    }

    fn put(&mut self, count: u64) -> Result<(), StoreError> {
        let numbers: Vec<_> = (0..count).map(|_| self.any_block()).collect();
        self.put_these(&numbers)
    }

    fn put_these(&mut self, numbers: &[usize]) -> Result<(), StoreError> {
        let blocks: Vec<_> = numbers
            .iter()
            .map(|number| self.blocks[*number].clone())
            .collect();
        self.store()?.put(&blocks)?;
        for number in numbers {
            self.now(Fact::Kept(*number));
        }
        self.staged_is_durable();
        Ok(())
    }

    /// A commit makes everything durable that was staged before it.
    fn staged_is_durable(&mut self) {
        for number in std::mem::take(&mut self.staged) {
            self.now(Fact::Kept(number));
        }
    }

    fn put_again(&mut self) -> Result<(), StoreError> {
        let known = self.known();
        self.put_these(known.as_slice())
    }

    fn stage(&mut self) -> Result<(), StoreError> {
        let numbers = [self.any_block(), self.any_block()];
        let blocks = numbers.map(|number| self.blocks[number].clone());
        self.store()?.stage(&blocks)?;
        self.staged.extend(numbers);
        for block in &blocks {
            let found = self.store()?.get(block.cid())?;
            assert_eq!(found.as_ref(), Some(block), "staged");
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.store()?.flush()?;
        self.staged_is_durable();
        Ok(())
    }

    fn pin(&mut self) -> Result<(), StoreError> {
        let Some(number) = self.known() else {
            return Ok(());
        };
        let pin = Pin::recursive(*self.blocks[number].cid(), "", 7);
        self.store()?.pin(&pin)?;
        self.now(Fact::Pinned(number));
        Ok(())
    }

    fn unpin(&mut self) -> Result<(), StoreError> {
        let Some(number) = self.known() else {
            return Ok(());
        };
        let cid = *self.blocks[number].cid();
        self.now(Fact::UnpinBegins(number));
        self.store()?.unpin(&cid, "")?;
        Ok(())
    }

    fn set_name(&mut self) -> Result<(), StoreError> {
        let Some(number) = self.known() else {
            return Ok(());
        };
        let cid = *self.blocks[number].cid();
        self.now(Fact::NameBegins(number));
        self.store()?.set_name(NAME, Some(&cid))?;
        self.now(Fact::NameIs(number));
        Ok(())
    }

    /// Records a receipt whose instruction links a block.
    fn record(&mut self) -> Result<(), StoreError> {
        let linked = self.any_block();
        let (instruction, receipt) = receipt(*self.blocks[linked].cid());
        let blocks = [self.blocks[linked].clone(), instruction.block().clone()];
        let record = Record {
            receipt: &receipt,
            blocks: &blocks,
            is_believed: true,
            at_ms: 1,
        };
        self.store()?.record(&[record])?;
        self.receipts.push(receipt);
        self.now(Fact::Recorded(self.receipts.len() - 1));
        // Nothing ever lets go of it.
        self.now(Fact::Pinned(linked));
        self.now(Fact::Kept(linked));
        self.staged_is_durable();
        Ok(())
    }

    fn gc(&mut self) -> Result<(), StoreError> {
        self.now(Fact::GcBegins);
        self.store()?.gc(&links)?;
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        self.store = None;
        self.staged.clear();
        self.store().map(drop)
    }

    /// What has to be there after a crash at a point.
    pub(crate) fn expected(&self, position: usize) -> Expected {
        let mut expected = Expected::default();
        expected.names.insert(None);
        let facts = self.facts.iter();
        for (_, fact) in facts.take_while(|(at, _)| *at <= position) {
            match *fact {
                Fact::Kept(block) => drop(expected.kept.insert(block)),
                Fact::Pinned(block) => drop(expected.pinned.insert(block)),
                Fact::UnpinBegins(block) => drop(expected.pinned.remove(&block)),
                Fact::NameBegins(block) => drop(expected.names.insert(Some(block))),
                Fact::NameIs(block) => expected.names = [Some(block)].into(),
                Fact::Recorded(receipt) => drop(expected.recorded.insert(receipt)),
                Fact::GcBegins => expected.collect(),
            }
        }
        expected
    }
}

impl Expected {
    /// What has to be there still after garbage was collected.
    pub(crate) fn collect(&mut self) {
        let (pinned, names) = (&self.pinned, &self.names);
        // Where the name leads isn't known while it is being set.
        let named = |block| names.len() == 1 && names.contains(&Some(block));
        self.kept
            .retain(|block| pinned.contains(block) || named(*block));
    }
}

/// A receipt that says that something was done with a block.
pub(crate) fn receipt(linked: Cid) -> (Instruction, Receipt) {
    let component = cid_of_raw(b"component");
    let input = Input::new("f", vec![Ipld::Link(linked)]);
    let instruction = Instruction::new(component, input, Nonce::EMPTY).unwrap();
    let meta = Meta {
        component,
        func: "f".into(),
        effects: vec![],
        trace: None,
        invocation: None,
        fuel: 1,
        memory_peak: 1,
        engine: "test".into(),
    };
    let body = Body {
        ran: instruction.link(),
        outcome: Outcome::Ok(Ipld::Null),
        run: vec![],
        meta,
    };
    let receipt = Receipt::sign(body, &SigningKey::from_seed(&[1; 32])).unwrap();
    (instruction, receipt)
}

/// The links of a block, found in the plainest way: every CID of what is read in the value.
pub(crate) fn links(block: &Block) -> Vec<Cid> {
    fn of(value: Ipld, found: &mut Vec<Cid>) {
        match value {
            Ipld::Link(cid) => found.push(cid),
            Ipld::List(items) => items.into_iter().for_each(|item| of(item, found)),
            Ipld::Map(fields) => fields.into_values().for_each(|item| of(item, found)),
            _ => {}
        }
    }
    let mut found = vec![];
    if block.cid().codec() == DAG_CBOR
        && let Ok(value) = block.decode()
    {
        of(value, &mut found);
    }
    found
}
