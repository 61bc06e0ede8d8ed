//! Commits that are shared: whoever comes while the disk is busy goes together with the others who do.
//!
//! The first who comes leads: it takes what everybody has brought, makes one commit of it, and wakes the others. Who
//! comes meanwhile waits, and one of them leads next. So nobody waits for company, and the busier the disk, the larger
//! the commits.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use homestar_core::ipld::Block;

use super::segments::Written;
use crate::StoreError;
use crate::key::Key;

/// What one caller wants to be durable, all of it or nothing.
#[derive(Debug, Default)]
pub(super) struct Job {
    pub(super) entries: Vec<Entry>,
}

/// A block that is to be kept.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) codec: u64,
    pub(super) content: Content,
    /// Set if the block is there and damaged.
    pub(super) is_repair: bool,
    /// Set if the block is a receipt.
    pub(super) receipt: Option<ReceiptRow>,
}

/// The bytes of a block.
#[derive(Debug)]
pub(super) enum Content {
    /// They are small and go into the index.
    Inline(Vec<u8>),
    /// They were written to a segment.
    Segment(Written),
    /// They are there already.
    Known,
}

/// How a receipt is found.
#[derive(Debug)]
pub(super) struct ReceiptRow {
    pub(super) ran: Vec<u8>,
    pub(super) is_reusable: bool,
    pub(super) at_ms: u64,
}

/// What became of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// It is durable.
    Durable,
    /// A block that was there is gone; it has to be brought again.
    Gone,
}

type Slot = Arc<Mutex<Option<Result<Done, StoreError>>>>;

#[derive(Debug, Default)]
pub(super) struct Commits {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<(Job, Slot)>,
    is_led: bool,
    staged: Staged,
    /// What is being made durable of what was staged. Not durable yet, and to be read still.
    leaving: Arc<Staged>,
}

/// Blocks that are in no hurry.
#[derive(Debug, Default)]
pub(super) struct Staged {
    pub(super) blocks: HashMap<Key, Block>,
    bytes: u64,
}

impl Staged {
    fn add(&mut self, key: Key, block: Block) {
        let bytes = block.bytes().len() as u64;
        if self.blocks.insert(key, block).is_none() {
            self.bytes += bytes;
        }
    }
}

impl Commits {
    /// Nothing panics while it holds this lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings a block that may wait for a later commit. Returns how many bytes wait.
    pub(super) fn stage(&self, key: Key, block: Block) -> u64 {
        let mut state = self.state();
        state.staged.add(key, block);
        state.staged.bytes
    }

    /// Returns a block that waits.
    pub(super) fn staged(&self, key: &Key) -> Option<Block> {
        let state = self.state();
        let waiting = [&state.staged, &*state.leaving].into_iter();
        let mut found = waiting.filter_map(|staged| staged.blocks.get(key));
        found.next().cloned()
    }

    /// How many bytes wait.
    pub(super) fn staged_bytes(&self) -> u64 {
        let state = self.state();
        state.staged.bytes + state.leaving.bytes
    }

    /// True if nothing waits.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state();
        state.staged.blocks.is_empty() && state.leaving.blocks.is_empty()
    }

    /// Returns when the job and everything that was staged before is durable, or can't be. `commit` makes one commit of
    /// jobs and staged blocks: it says what became of each job, or why nothing became of all of them.
    pub(super) fn submit(
        &self,
        job: Job,
        commit: impl Fn(&mut [Job], &Staged) -> Result<Vec<Result<Done, StoreError>>, StoreError>,
    ) -> Result<Done, StoreError> {
        let slot = Slot::default();
        let mut state = self.state();
        state.waiting.push((job, Arc::clone(&slot)));
        loop {
            if let Some(result) = take(&slot) {
                return result;
            }
            if !state.is_led {
                break;
            }
            state = self
                .ended
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.is_led = true;
        let (mut jobs, slots): (Vec<_>, Vec<_>) = mem::take(&mut state.waiting).into_iter().unzip();
        let staged = Arc::new(mem::take(&mut state.staged));
        state.leaving = Arc::clone(&staged);
        drop(state);
        let mut lead = Lead {
            commits: self,
            is_durable: false,
        };
        let results = commit(&mut jobs, &staged);
        lead.is_durable = results.is_ok();
        hand_out(&slots, results);
        drop(lead);
        take(&slot).unwrap_or_else(|| Err(StoreError::abandoned()))
    }
}

/// The turn of whoever leads. It ends in any case, so that the others don't wait for ever.
struct Lead<'a> {
    commits: &'a Commits,
    is_durable: bool,
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let mut state = self.commits.state();
        let left = mem::take(&mut state.leaving);
        if !self.is_durable {
            for (key, block) in &left.blocks {
                state.staged.add(*key, block.clone());
            }
        }
        state.is_led = false;
        drop(state);
        self.commits.ended.notify_all();
    }
}

fn hand_out(slots: &[Slot], results: Result<Vec<Result<Done, StoreError>>, StoreError>) {
    let put = |slot: &Slot, result| {
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    };
    match results {
        Ok(results) => {
            for (slot, result) in slots.iter().zip(results) {
                put(slot, result);
            }
        }
        Err(error) => {
            for slot in slots {
                put(slot, Err(error.again()));
            }
        }
    }
}

fn take(slot: &Slot) -> Option<Result<Done, StoreError>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;

    fn durable(jobs: &mut [Job]) -> Vec<Result<Done, StoreError>> {
        jobs.iter().map(|_| Ok(Done::Durable)).collect()
    }

    #[test]
    fn who_comes_meanwhile_goes_together() {
        let commits = Commits::default();
        let (begun, begins) = mpsc::channel();
        let (go, goes) = mpsc::channel::<()>();
        let goes = Mutex::new(goes);
        let sizes = Mutex::new(vec![]);
        let commit = |jobs: &mut [Job], _: &Staged| {
            begun.send(()).unwrap();
            goes.lock().unwrap().recv().unwrap();
            sizes.lock().unwrap().push(jobs.len());
            Ok(durable(jobs))
        };
        thread::scope(|scope| {
            let (commits, commit) = (&commits, &commit);
            let submit = move || commits.submit(Job::default(), commit).unwrap();
            scope.spawn(submit);
            begins.recv().unwrap();
            for _ in 0..5 {
                scope.spawn(submit);
            }
            while commits.state().waiting.len() < 5 {
                thread::yield_now();
            }
            go.send(()).unwrap();
            go.send(()).unwrap();
        });
        assert_eq!(*sizes.lock().unwrap(), [1, 5]);
    }

    #[test]
    fn what_was_staged_waits_until_a_commit_succeeds() {
        let commits = Commits::default();
        let block = Block::raw(vec![7; 10]);
        let key = Key::of(block.cid()).unwrap();
        assert_eq!(commits.stage(key, block.clone()), 10);
        assert_eq!(commits.stage(key, block.clone()), 10);
        let fails = |_: &mut [Job], staged: &Staged| {
            assert_eq!(staged.blocks.len(), 1);
            assert_eq!(commits.staged(&key).as_ref(), Some(&block));
            Err(StoreError::abandoned())
        };
        assert!(commits.submit(Job::default(), fails).is_err());
        assert_eq!(commits.staged(&key), Some(block));
        let works = |jobs: &mut [Job], _: &Staged| Ok(durable(jobs));
        commits.submit(Job::default(), works).unwrap();
        assert!(commits.is_idle());
        assert_eq!(commits.staged_bytes(), 0);
    }

    #[test]
    fn a_panic_ends_the_turn() {
        let commits = Commits::default();
        let panics = |_: &mut [Job], _: &Staged| panic!("on purpose");
        thread::scope(|scope| {
            let panicked = scope.spawn(|| commits.submit(Job::default(), panics));
            assert!(panicked.join().is_err());
        });
        let works = |jobs: &mut [Job], _: &Staged| Ok(durable(jobs));
        assert_eq!(
            commits.submit(Job::default(), works).unwrap(),
            Done::Durable
        );
    }
}
