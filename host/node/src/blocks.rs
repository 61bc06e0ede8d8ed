//! Blocks from the store, and from elsewhere if the store doesn't have them.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use homestar_core::ipld::{Block, Cid};
use homestar_net::{Fetch, FetchError, wait};
use homestar_store::{Store, StoreError};
use thiserror::Error;

/// Hints that wait for the thread that fetches ahead. More are forgotten: they will be asked for anyway.
const HINTS: usize = 4;

/// Blocks from the store, and from elsewhere if the store doesn't have them. What came from elsewhere is in the store
/// afterwards, and what was damaged there is well.
///
/// It may be used from many threads; a block that several need is fetched once.
#[derive(Debug)]
pub struct Source {
    shared: Arc<Shared>,
    /// The thread that fetches ahead. It starts with the first hint and ends when this is dropped, after what it is at.
    ahead: OnceLock<SyncSender<Vec<Cid>>>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) fetch: Option<Arc<dyn Fetch>>,
    /// What is being fetched.
    flights: Mutex<HashSet<Cid>>,
    landed: Condvar,
    ended: AtomicBool,
}

impl Source {
    /// Reads from `store` and, for what isn't there, from `fetch`.
    pub fn new(store: Arc<dyn Store>, fetch: Option<Arc<dyn Fetch>>) -> Self {
        let shared = Shared {
            store,
            fetch,
            flights: Mutex::default(),
            landed: Condvar::new(),
            ended: AtomicBool::new(false),
        };
        Self {
            shared: Arc::new(shared),
            ahead: OnceLock::new(),
        }
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    /// Who is asked for what isn't in the store.
    pub fn fetch(&self) -> Option<&Arc<dyn Fetch>> {
        self.shared.fetch.as_ref()
    }

    /// What this and its readers share.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Returns a block. It may take as long as others take to answer.
    pub fn get(&self, cid: &Cid) -> Result<Block, SourceError> {
        self.shared.get(cid)
    }

    /// Says that these will be asked for soon, in that order. Those that aren't here are fetched meanwhile, as far as
    /// there is time; nothing goes wrong by it.
    pub fn ahead(&self, cids: &[Cid]) {
        if self.shared.fetch.is_none() {
            return;
        }
        let wanted = self.shared.take_off(cids);
        if wanted.is_empty() {
            return;
        }
        let queue = self.ahead.get_or_init(|| {
            let (queue, hints) = mpsc::sync_channel(HINTS);
            let shared = Arc::clone(&self.shared);
            thread::spawn(move || shared.fetch_ahead(&hints));
            queue
        });
        if let Err(mpsc::TrySendError::Full(cids) | mpsc::TrySendError::Disconnected(cids)) =
            queue.try_send(wanted)
        {
            self.shared.land(&cids);
        }
    }
}

/// What was fetched is only staged, so it is made durable here. If that fails, it is fetched once more some time.
impl Drop for Source {
    fn drop(&mut self) {
        self.shared.ended.store(true, Relaxed);
        let _ = self.shared.store.flush();
    }
}

impl Shared {
    pub(crate) fn get(&self, cid: &Cid) -> Result<Block, SourceError> {
        if let Some(block) = Block::inline(cid) {
            return Ok(block);
        }
        match (self.store.get(cid), &self.fetch) {
            (Ok(Some(block)), _) => Ok(block),
            (Ok(None), None) => Err(SourceError::Missing { cid: *cid }),
            (Ok(None), Some(fetch)) => self.get_elsewhere(cid, fetch),
            // What is fetched repairs it. If it can't be fetched, the damage is what a person has to know.
            (Err(damaged @ StoreError::Corrupt { .. }), Some(fetch)) => self
                .fetch(cid, fetch)
                .map_err(|_| SourceError::Store(damaged)),
            (Err(error), _) => Err(SourceError::Store(error)),
        }
    }

    fn get_elsewhere(&self, cid: &Cid, fetch: &Arc<dyn Fetch>) -> Result<Block, SourceError> {
        let mut flights = self.flights();
        let mut waited = false;
        while flights.contains(cid) {
            waited = true;
            flights = self
                .landed
                .wait(flights)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if waited {
            drop(flights);
            if let Some(block) = self.store.get(cid)? {
                return Ok(block);
            }
            return self.fetch(cid, fetch);
        }
        flights.insert(*cid);
        drop(flights);
        // It may have landed between the look into the store and the one at the flights.
        let fetched = match self.store.get(cid) {
            Ok(Some(block)) => Ok(block),
            _ => self.fetch(cid, fetch),
        };
        self.land(&[*cid]);
        fetched
    }

    fn fetch(&self, cid: &Cid, fetch: &Arc<dyn Fetch>) -> Result<Block, SourceError> {
        let block = wait(fetch.block(cid)).map_err(|source| SourceError::Unavailable {
            cid: *cid,
            source: Box::new(source),
        })?;
        match self.store.stage(std::slice::from_ref(&block)) {
            // Who reads doesn't need it to be kept.
            Ok(()) | Err(StoreError::Quota { .. } | StoreError::DiskFull { .. }) => Ok(block),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns those that are neither here nor on their way, and notes that they are on their way now.
    fn take_off(&self, cids: &[Cid]) -> Vec<Cid> {
        // A store that can't answer will say so when it is asked for the block.
        let mut wanted = self.store.missing(cids).unwrap_or_default();
        let mut flights = self.flights();
        wanted.retain(|cid| Block::inline(cid).is_none() && flights.insert(*cid));
        drop(flights);
        // Some may have landed between the look into the store and the one at the flights.
        let missing = self.store.missing(&wanted).unwrap_or_default();
        wanted.retain(|cid| !missing.contains(cid));
        self.land(&wanted);
        missing
    }

    /// Notes that blocks aren't on their way any more, whether they came or not.
    fn land(&self, cids: &[Cid]) {
        let mut flights = self.flights();
        cids.iter().for_each(|cid| {
            flights.remove(cid);
        });
        self.landed.notify_all();
    }

    fn fetch_ahead(&self, hints: &Receiver<Vec<Cid>>) {
        let Some(fetch) = &self.fetch else { return };
        for cids in hints {
            let mut take = |block: Block| {
                let kept = self.store.stage(std::slice::from_ref(&block));
                self.land(&[*block.cid()]);
                match kept.is_err() || self.ended.load(Relaxed) {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            };
            if !self.ended.load(Relaxed) {
                // Whoever needs one that didn't come asks for it, and hears then why it doesn't come.
                let _ = wait(fetch.blocks(&cids, &mut take));
            }
            self.land(&cids);
        }
    }

    /// Nothing panics while it holds the lock.
    fn flights(&self) -> MutexGuard<'_, HashSet<Cid>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a block is not to be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SourceError {
    /// It isn't in the store, and there is nobody to ask.
    #[error("block {cid} is not in the store, and nobody else is asked")]
    Missing {
        /// The block.
        cid: Cid,
    },
    /// It isn't in the store, and nobody who was asked gave it.
    #[error("block {cid} is not in the store, and is not to be had elsewhere")]
    Unavailable {
        /// The block.
        cid: Cid,
        /// Who was asked, and what each did.
        source: Box<FetchError>,
    },
    /// The store can't read it, or can't keep it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SourceError {
    /// The block that isn't to be had, if that is what is wrong.
    pub fn unavailable(&self) -> Option<&Cid> {
        match self {
            Self::Missing { cid } | Self::Unavailable { cid, .. } => Some(cid),
            Self::Store(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use homestar_core::ipld::cid_of_raw;
    use homestar_net::{Fetching, What};
    use homestar_store::Memory;

    use super::*;

    /// Somebody who has some blocks, and counts how often each was asked for.
    #[derive(Debug, Default)]
    struct Other {
        blocks: HashMap<Cid, Block>,
        asked: Mutex<HashMap<Cid, usize>>,
    }

    impl Other {
        fn with(blocks: &[Block]) -> Arc<Self> {
            let blocks = blocks.iter().map(|block| (*block.cid(), block.clone()));
            Arc::new(Self {
                blocks: blocks.collect(),
                asked: Mutex::default(),
            })
        }

        fn asked(&self, cid: &Cid) -> usize {
            self.asked.lock().unwrap().get(cid).copied().unwrap_or(0)
        }
    }

    impl Fetch for Other {
        fn block<'a>(&'a self, cid: &'a Cid) -> Fetching<'a, Block> {
            *self.asked.lock().unwrap().entry(*cid).or_default() += 1;
            let found = self.blocks.get(cid).cloned();
            let fault = homestar_net::Fault {
                provider: "other".into(),
                what: What::Answered { status: 404 },
            };
            let error = FetchError::Nowhere {
                cid: *cid,
                faults: vec![fault],
            };
            Box::pin(async move { found.ok_or(error) })
        }
    }

    fn blocks(count: u8) -> Vec<Block> {
        (0..count).map(|at| Block::raw(vec![at])).collect()
    }

    #[test]
    fn what_came_from_elsewhere_is_here_then() {
        let blocks = blocks(1);
        let cid = *blocks[0].cid();
        let (store, other) = (Memory::new(), Other::with(&blocks));
        let source = Source::new(Arc::new(store.clone()), Some(other.clone()));
        assert_eq!(source.get(&cid).unwrap(), blocks[0]);
        assert_eq!(source.get(&cid).unwrap(), blocks[0]);
        assert_eq!(other.asked(&cid), 1);
        assert_eq!(store.get(&cid).unwrap().as_ref(), Some(&blocks[0]));
    }

    #[test]
    fn what_is_nowhere_is_named_with_who_was_asked() {
        let cid = cid_of_raw(b"nowhere");
        let alone = Source::new(Arc::new(Memory::new()), None);
        let error = alone.get(&cid).unwrap_err();
        assert!(matches!(error, SourceError::Missing { cid: missing } if missing == cid));
        let source = Source::new(Arc::new(Memory::new()), Some(Other::with(&[])));
        let error = source.get(&cid).unwrap_err();
        assert_eq!(error.unavailable(), Some(&cid));
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.ends_with("other answered with status 404"), "{cause}");
    }

    #[test]
    fn what_is_fetched_ahead_is_fetched_once() {
        let blocks = blocks(50);
        let cids: Vec<_> = blocks.iter().map(|block| *block.cid()).collect();
        let other = Other::with(&blocks);
        let source = Source::new(Arc::new(Memory::new()), Some(other.clone()));
        for (at, cid) in cids.iter().enumerate() {
            source.ahead(&cids[at..cids.len().min(at + 8)]);
            source.get(cid).unwrap();
        }
        assert!(cids.iter().all(|cid| other.asked(cid) == 1));
    }

    #[test]
    fn reading_goes_on_when_the_store_is_full() {
        let blocks = blocks(3);
        let cids: Vec<_> = blocks.iter().map(|block| *block.cid()).collect();
        let store = Arc::new(Memory::with_quota(0));
        let source = Source::new(store, Some(Other::with(&blocks)));
        source.ahead(&cids);
        for (cid, block) in cids.iter().zip(&blocks) {
            assert_eq!(&source.get(cid).unwrap(), block);
        }
    }
}
