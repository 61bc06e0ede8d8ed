//! What a task writes: cut into chunks on the guest's thread, hashed on another, and put by a third.
//!
//! ```text
//! guest ── chunks ──→ hash: blocks, trees of files ── batches ──→ put: the store
//!   ↑                                                               │
//!   └────────────────────── files that are finished ────────────────┘
//! ```
//!
//! Both ways are short, so a guest that writes faster than the store takes it waits, and memory stays the same
//! whatever it writes.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use homestar_core::ipld::{Block, Buffer, Cid};
use homestar_core::unixfs::{Entry, Layout, Tree};

use crate::blocks::{Blocks, BlocksError};
use crate::stop::{Deadline, Waking};

/// Chunks that wait to be hashed.
const ORDERS_MAX: usize = 8;

/// Bytes of blocks that are put at once: a store makes them durable together, which costs the same for one and many.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Batches that wait to be put, beside the one that is being put.
const BATCHES_MAX: usize = 1;

/// The way from one task to the store.
pub(super) struct Writer {
    shared: Arc<Shared>,
    _waking: Option<Waking>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    orders: VecDeque<Order>,
    /// Files that are put, by number.
    finished: HashMap<u64, Entry>,
    failed: Option<BlocksError>,
    is_over: bool,
}

enum Order {
    /// The next chunk of a file.
    Chunk(u64, Buffer),
    /// A file has no more chunks.
    Finish(u64),
    /// A file will never be finished.
    Forget(u64),
    Node(Block),
    /// Put what there is, and say so as if a file of this number were finished.
    Settle(u64),
}

/// Why something could not be written.
pub(super) enum Unwritten {
    /// It took too long.
    Late,
    /// The store failed.
    Failed(BlocksError),
}

impl Writer {
    /// Starts the two threads.
    pub(super) fn start(
        blocks: Arc<dyn Blocks>,
        layout: Layout,
        deadline: &Deadline,
    ) -> Result<Self, Unwritten> {
        let shared = Arc::new(Shared::default());
        let woken = Arc::clone(&shared);
        let waking = deadline.on_stop(move || {
            // Who is about to wait has looked at the deadline, or does after this.
            drop(woken.lock());
            woken.changed.notify_all();
        });
        let (batches, to_put) = sync_channel(BATCHES_MAX);
        let hasher = Hasher {
            shared: shared.clone(),
            batches,
            batch: Batch::default(),
            files: HashMap::new(),
            layout,
        };
        let putter = shared.clone();
        start("homestar-hash", move || hasher.work())?;
        start("homestar-put", move || put(&*blocks, &putter, &to_put))?;
        Ok(Self {
            shared,
            _waking: waking,
        })
    }

    /// Adds a chunk to a file: all chunks but the last have the size of the layout.
    pub(super) fn chunk(
        &self,
        file: u64,
        bytes: Buffer,
        deadline: &Deadline,
    ) -> Result<(), Unwritten> {
        self.order(Order::Chunk(file, bytes), deadline)
    }

    /// Adds a node, which is put some time after.
    pub(super) fn node(&self, block: Block, deadline: &Deadline) -> Result<(), Unwritten> {
        self.order(Order::Node(block), deadline)
    }

    /// Forgets a file. What was put of it stays.
    pub(super) fn forget(&self, file: u64) {
        // It takes no room, and who drops something can't wait.
        self.shared.lock().orders.push_back(Order::Forget(file));
        self.shared.changed.notify_all();
    }

    /// Ends a file and waits until all of it is put.
    pub(super) fn finish(&self, file: u64, deadline: &Deadline) -> Result<Entry, Unwritten> {
        self.order(Order::Finish(file), deadline)?;
        self.wait(file, deadline)
    }

    /// Waits until everything is put.
    pub(super) fn settle(&self, number: u64, deadline: &Deadline) -> Result<(), Unwritten> {
        self.order(Order::Settle(number), deadline)?;
        self.wait(number, deadline).map(drop)
    }

    fn order(&self, order: Order, deadline: &Deadline) -> Result<(), Unwritten> {
        let mut state = self.shared.lock();
        while state.orders.len() >= ORDERS_MAX && state.failed.is_none() {
            state = self.shared.wait_until(state, deadline)?;
        }
        if let Some(error) = &state.failed {
            return Err(Unwritten::Failed(error.clone()));
        }
        state.orders.push_back(order);
        drop(state);
        self.shared.changed.notify_all();
        Ok(())
    }

    fn wait(&self, file: u64, deadline: &Deadline) -> Result<Entry, Unwritten> {
        let mut state = self.shared.lock();
        loop {
            if let Some(error) = &state.failed {
                return Err(Unwritten::Failed(error.clone()));
            }
            if let Some(entry) = state.finished.remove(&file) {
                return Ok(entry);
            }
            state = self.shared.wait_until(state, deadline)?;
        }
    }
}

/// The threads end as soon as they are done with what they are at.
impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_all();
    }
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Unwritten> {
    let thread = thread::Builder::new().name(name.into());
    let started = thread.spawn(work).map(drop);
    started.map_err(|error| {
        Unwritten::Failed(BlocksError::Host(format!("can't start a thread: {error}")))
    })
}

impl Shared {
    /// The state is consistent between any two statements, so a panic while it was locked does not matter.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_until<'a>(
        &self,
        state: MutexGuard<'a, State>,
        deadline: &Deadline,
    ) -> Result<MutexGuard<'a, State>, Unwritten> {
        let left = deadline.left();
        if left.is_zero() {
            return Err(Unwritten::Late);
        }
        let waited = self.changed.wait_timeout(state, left);
        Ok(waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    /// Returns the next order, or none when the task is over.
    fn next_order(&self) -> Option<Order> {
        let mut state = self.lock();
        loop {
            if state.is_over {
                return None;
            }
            if let Some(order) = state.orders.pop_front() {
                drop(state);
                self.changed.notify_all();
                return Some(order);
            }
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn fail(&self, error: BlocksError) {
        self.lock().failed.get_or_insert(error);
        self.changed.notify_all();
    }
}

/// What is put at once, and which files are whole by it.
#[derive(Default)]
struct Batch {
    blocks: Vec<Block>,
    bytes: usize,
    finished: Vec<(u64, Entry)>,
}

impl Batch {
    fn add(&mut self, block: Block) {
        self.bytes += block.bytes().len();
        self.blocks.push(block);
    }
}

/// Turns chunks into blocks and trees.
struct Hasher {
    shared: Arc<Shared>,
    batches: SyncSender<Batch>,
    batch: Batch,
    files: HashMap<u64, Tree>,
    layout: Layout,
}

impl Hasher {
    fn work(mut self) {
        while let Some(order) = self.shared.next_order() {
            let done = catch_unwind(AssertUnwindSafe(|| self.follow(order)));
            match done {
                Ok(true) => {}
                // Nobody puts any more.
                Ok(false) => return,
                Err(_) => {
                    let text = "hashing panicked".to_owned();
                    return self.shared.fail(BlocksError::Host(text));
                }
            }
        }
    }

    fn follow(&mut self, order: Order) -> bool {
        match order {
            Order::Chunk(file, bytes) => self.chunk(file, bytes),
            Order::Finish(file) => {
                let entry = self.end(file);
                self.batch.finished.push((file, entry));
                return self.flush();
            }
            Order::Forget(file) => drop(self.files.remove(&file)),
            Order::Node(block) => self.batch.add(block),
            Order::Settle(number) => {
                let nothing = Entry {
                    cid: Cid::default(),
                    file_bytes: 0,
                    total_bytes: 0,
                };
                self.batch.finished.push((number, nothing));
                return self.flush();
            }
        }
        self.batch.bytes < BATCH_BYTES_MAX || self.flush()
    }

    fn chunk(&mut self, file: u64, bytes: Buffer) {
        let (entry, leaf) = self.layout.leaf(bytes);
        self.batch.add(leaf);
        self.push(file, entry);
    }

    /// Adds a leaf to the tree of a file, and to the batch what nodes that makes.
    fn push(&mut self, file: u64, leaf: Entry) {
        let Self {
            files,
            batch,
            layout,
            ..
        } = self;
        let tree = files.entry(file).or_insert_with(|| Tree::new(layout));
        let Ok(()) = tree.push(leaf, &mut |block| {
            batch.add(block);
            Ok::<_, Infallible>(())
        });
    }

    /// Ends the tree of a file.
    fn end(&mut self, file: u64) -> Entry {
        let Self {
            files,
            batch,
            layout,
            ..
        } = self;
        let tree = files.remove(&file).unwrap_or_else(|| Tree::new(layout));
        let Ok(entry) = tree.finish(&mut |block| {
            batch.add(block);
            Ok::<_, Infallible>(())
        });
        entry
    }

    fn flush(&mut self) -> bool {
        let batch = std::mem::take(&mut self.batch);
        self.batches.send(batch).is_ok()
    }
}

/// Puts batches until there are no more.
fn put(blocks: &dyn Blocks, shared: &Shared, batches: &Receiver<Batch>) {
    for batch in batches {
        let put = catch_unwind(AssertUnwindSafe(|| match batch.blocks.is_empty() {
            true => Ok(()),
            false => blocks.put(&batch.blocks),
        }));
        match put {
            Ok(Ok(())) => {
                shared.lock().finished.extend(batch.finished);
                shared.changed.notify_all();
            }
            Ok(Err(error)) => return shared.fail(error),
            Err(_) => return shared.fail(BlocksError::Host("the store panicked".to_owned())),
        }
    }
}
