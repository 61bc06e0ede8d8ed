//! Blocks for one task, fetched on threads of their own.
//!
//! The guest's thread orders blocks, some of them before they are needed, and waits for the one it needs next: until
//! the task's deadline and no longer, whatever a provider does. What came stays on a shelf of bounded size, so a file
//! that is read to and fro isn't fetched again and again.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use homestar_core::ipld::{Block, Cid};

use crate::blocks::{Blocks, BlocksError};
use crate::stop::{Deadline, Waking};

/// Threads that fetch for one task: a few hide the time that disk and network take, more would only wait for each
/// other.
const THREADS_MAX: usize = 4;

/// Blocks that are ordered ahead of need and have not come, over all that a task reads.
pub(super) const AHEAD_MAX: usize = 8;

/// Bytes of blocks that stay on the shelf: some levels of a few files, and what was ordered ahead.
const SHELF_BYTES_MAX: usize = 16 << 20;

/// Blocks on the shelf, however small they are.
const SHELF_BLOCKS_MAX: usize = 4096;

/// Orders blocks for one task.
pub(super) struct Fetch {
    shared: Arc<Shared>,
    _waking: Option<Waking>,
}

struct Shared {
    blocks: Arc<dyn Blocks>,
    state: Mutex<State>,
    ordered: Condvar,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Cid>,
    /// What `Blocks` is to be told of.
    hints: Vec<Cid>,
    slots: HashMap<Cid, Slot>,
    shelf: Shelf,
    threads: usize,
    idle: usize,
    is_over: bool,
}

enum Slot {
    Ordered,
    Here(Arc<Block>),
    Failed(BlocksError),
}

/// What is on the shelf, the longest unused first.
#[derive(Default)]
struct Shelf {
    /// Each use has a number; only the last one of a block counts.
    uses: VecDeque<(u64, Cid)>,
    last_use: HashMap<Cid, u64>,
    next: u64,
    bytes: usize,
}

impl Fetch {
    pub(super) fn new(blocks: Arc<dyn Blocks>, deadline: &Deadline) -> Self {
        let shared = Arc::new(Shared {
            blocks,
            state: Mutex::default(),
            ordered: Condvar::new(),
            arrived: Condvar::new(),
        });
        let woken = Arc::clone(&shared);
        let waking = deadline.on_stop(move || {
            // Who is about to wait has looked at the deadline, or does after this.
            drop(woken.lock());
            woken.arrived.notify_all();
        });
        Self {
            shared,
            _waking: waking,
        }
    }

    /// Orders blocks that will be needed soon, as far as there is room. The first is needed first.
    pub(super) fn ahead(&self, cids: &[Cid]) {
        let mut state = self.shared.lock();
        let new: Vec<_> = cids
            .iter()
            .filter(|cid| !state.slots.contains_key(*cid))
            .copied()
            .collect();
        let room = AHEAD_MAX.saturating_sub(state.queue.len());
        for cid in new.iter().take(room) {
            state.slots.insert(*cid, Slot::Ordered);
            state.queue.push_back(*cid);
            self.call_thread(&mut state);
        }
        state.hints.extend(new.into_iter().take(AHEAD_MAX));
        drop(state);
        self.shared.ordered.notify_all();
    }

    /// Returns a block, or none at the deadline.
    pub(super) fn get(
        &self,
        cid: &Cid,
        deadline: &Deadline,
    ) -> Option<Result<Arc<Block>, BlocksError>> {
        let mut state = self.shared.lock();
        loop {
            match state.slots.get(cid) {
                None => {
                    state.slots.insert(*cid, Slot::Ordered);
                    state.queue.push_front(*cid);
                    self.call_thread(&mut state);
                    self.shared.ordered.notify_all();
                }
                Some(Slot::Ordered) => {}
                Some(Slot::Here(block)) => {
                    let block = block.clone();
                    state.shelf.touch(cid);
                    return Some(Ok(block));
                }
                // A later need asks again.
                Some(Slot::Failed(_)) => {
                    let Some(Slot::Failed(error)) = state.slots.remove(cid) else {
                        continue;
                    };
                    return Some(Err(error));
                }
            }
            let left = deadline.left();
            if left.is_zero() {
                return None;
            }
            let waited = self.shared.arrived.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes a block off the shelf that nobody will read soon: its memory is for the next.
    pub(super) fn spent(&self, cid: &Cid) {
        let mut state = self.shared.lock();
        if state.shelf.last_use.remove(cid).is_some() {
            state.take(cid);
        }
    }

    /// Starts a thread if all that there are have something to do.
    fn call_thread(&self, state: &mut State) {
        if state.idle >= state.queue.len() || state.threads >= THREADS_MAX {
            return;
        }
        let shared = self.shared.clone();
        let thread = thread::Builder::new().name("homestar-fetch".into());
        match thread.spawn(move || shared.work()) {
            Ok(_) => state.threads += 1,
            Err(error) if state.threads == 0 => {
                let error = BlocksError::Host(format!("can't start a thread: {error}"));
                for cid in std::mem::take(&mut state.queue) {
                    state.slots.insert(cid, Slot::Failed(error.clone()));
                }
            }
            // Those that there are will do.
            Err(_) => {}
        }
    }
}

/// A thread that waits for a provider ends when that has answered; nobody waits for it.
impl Drop for Fetch {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.ordered.notify_all();
    }
}

impl Shared {
    /// The state is consistent between any two statements, so a panic while it was locked does not matter.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches blocks until the task is over.
    fn work(&self) {
        while let Some((cid, hints)) = self.next_order() {
            let fetched = catch_unwind(AssertUnwindSafe(|| {
                if !hints.is_empty() {
                    self.blocks.ahead(&hints);
                }
                self.blocks.get(&cid)
            }));
            let slot = match fetched {
                Ok(Ok(block)) if *block.cid() == cid => Slot::Here(Arc::new(block)),
                Ok(Ok(block)) => Slot::Failed(BlocksError::Host(format!(
                    "asked for block {cid}, the store gave {}",
                    block.cid()
                ))),
                Ok(Err(error)) => Slot::Failed(error),
                Err(_) => Slot::Failed(BlocksError::Host("the store panicked".to_owned())),
            };
            self.lock().answer(cid, slot);
            self.arrived.notify_all();
        }
    }

    /// Waits for an order.
    fn next_order(&self) -> Option<(Cid, Vec<Cid>)> {
        let mut state = self.lock();
        loop {
            if state.is_over {
                return None;
            }
            if let Some(cid) = state.queue.pop_front() {
                return Some((cid, std::mem::take(&mut state.hints)));
            }
            state.idle += 1;
            let waited = self.ordered.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }
}

impl State {
    fn answer(&mut self, cid: Cid, slot: Slot) {
        if let Slot::Here(block) = &slot {
            self.shelf.bytes += block.bytes().len();
            self.shelf.touch(&cid);
        }
        self.slots.insert(cid, slot);
        while self.shelf.is_full()
            && let Some(oldest) = self.shelf.oldest()
        {
            self.take(&oldest);
        }
    }

    fn take(&mut self, cid: &Cid) {
        if let Some(Slot::Here(block)) = self.slots.remove(cid) {
            self.shelf.bytes -= block.bytes().len();
        }
    }
}

impl Shelf {
    fn touch(&mut self, cid: &Cid) {
        self.last_use.insert(*cid, self.next);
        self.uses.push_back((self.next, *cid));
        self.next += 1;
        // A block that is used over and over leaves its former uses behind.
        if self.uses.len() > 4 * SHELF_BLOCKS_MAX {
            let last_use = &self.last_use;
            self.uses
                .retain(|(number, cid)| last_use.get(cid) == Some(number));
        }
    }

    fn is_full(&self) -> bool {
        // The last one stays whatever it weighs: somebody waits for it.
        self.last_use.len() > 1
            && (self.bytes > SHELF_BYTES_MAX || self.last_use.len() > SHELF_BLOCKS_MAX)
    }

    /// Takes the one that was not used for the longest time.
    fn oldest(&mut self) -> Option<Cid> {
        while let Some((number, cid)) = self.uses.pop_front() {
            if self.last_use.get(&cid) == Some(&number) {
                self.last_use.remove(&cid);
                return Some(cid);
            }
        }
        None
    }
}
