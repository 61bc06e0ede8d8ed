//! Content that is read from its root on: what of it isn't here comes as a whole, a little ahead of whoever reads.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread;

use homestar_core::ipld::{Block, Cid};
use homestar_core::unixfs::{DirEntry, ListStep, Listing};
use homestar_net::{BlockSource, Scope, SourceError as ServeError};
use homestar_store::StoreError;

use crate::blocks::Shared;
use crate::missing::Missing;
use crate::read::Look;
use crate::{ReadError, Source, SourceError};

/// Blocks that came and weren't read yet, before the rest has to wait. Of a file they are 16 MiB.
const LEAD_MAX: usize = 64;
/// Blocks that are read to see what of a DAG is here, when something of it isn't. They lead to millions of others.
const LOOKED_AT_MAX: usize = 1 << 14;

/// DAGs that are read from their roots on, in the order of a walk, or nearly. Whoever reads waits for what is on its way, and
/// what doesn't come by this is fetched by itself.
#[derive(Debug)]
pub(crate) struct Follow {
    source: Arc<Shared>,
    roots: Vec<Cid>,
    scope: Scope,
    begin: Once,
    progress: Arc<Progress>,
}

/// How far it is.
#[derive(Debug, Default)]
struct Progress {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// What came and wasn't read yet.
    unread: HashSet<Cid>,
    /// How many wait for something that didn't come yet.
    waiting: usize,
    /// Nothing more comes.
    is_over: bool,
    /// Nobody reads any more.
    is_left: bool,
}

impl Source {
    /// Reads DAGs, as far as `scope` says.
    pub(crate) fn follow(&self, roots: Vec<Cid>, scope: Scope) -> Follow {
        Follow {
            source: Arc::clone(self.shared()),
            roots,
            scope,
            begin: Once::new(),
            progress: Arc::default(),
        }
    }
}

impl Follow {
    /// Returns a block. It may take as long as others take to answer.
    pub(crate) fn get(&self, cid: &Cid) -> Result<Block, SourceError> {
        if let Some(block) = Block::inline(cid) {
            return Ok(block);
        }
        match self.source.store.get(cid) {
            Ok(Some(block)) => {
                self.progress.read(cid);
                Ok(block)
            }
            Ok(None) | Err(StoreError::Corrupt { .. }) if self.source.fetch.is_some() => {
                self.begin();
                self.progress.wait_for(cid);
                self.source.get(cid)
            }
            Ok(None) => Err(SourceError::Missing { cid: *cid }),
            Err(error) => Err(error.into()),
        }
    }

    /// Says what a block is, without reading what it leads to.
    pub(crate) fn look(&self, cid: &Cid) -> Result<Look, ReadError> {
        Ok(Look::of(&self.get(cid)?)?)
    }

    /// Lists a directory: sorted by name if it lies in one block, in the order of the names' hashes otherwise.
    pub(crate) fn list(&self, cid: &Cid) -> Result<Vec<DirEntry>, ReadError> {
        let mut listing = Listing::new(*cid);
        let mut entries = Vec::new();
        loop {
            match listing.step()? {
                ListStep::Need(cid) => listing.give(&self.get(&cid)?)?,
                ListStep::Entry(entry) => entries.push(entry),
                ListStep::Done => return Ok(entries),
            }
        }
    }

    /// Begins to fetch, with the first block that isn't here.
    fn begin(&self) {
        self.begin.call_once(|| {
            let source = Arc::clone(&self.source);
            let progress = Arc::clone(&self.progress);
            let (roots, scope) = (self.roots.clone(), self.scope);
            let run = move || {
                fetch(&source, &roots, scope, &progress);
                progress.end();
            };
            let begun = thread::Builder::new().name("homestar-follow".to_owned());
            if begun.spawn(run).is_err() {
                self.progress.end();
            }
        });
    }
}

/// What is on its way ends when nobody reads it.
impl Drop for Follow {
    fn drop(&mut self) {
        self.progress.state().is_left = true;
        self.progress.changed.notify_all();
    }
}

fn fetch(source: &Shared, roots: &[Cid], scope: Scope, progress: &Progress) {
    let Some(fetch) = &source.fetch else {
        return;
    };
    let mut take = |block: Block| {
        let kept = source.store.stage(std::slice::from_ref(&block));
        match kept.is_ok() && progress.came(*block.cid()) {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    };
    let missing = Missing {
        store: &*source.store,
        roots,
        scope,
        looked_at_max: LOOKED_AT_MAX,
    };
    // Whoever needs what didn't come asks for it, and hears then why it doesn't.
    let _ = missing.fetch(&**fetch, &mut take);
}
impl Progress {
    /// Nothing panics while it holds the lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.changed.wait(state);
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody has read a block.
    fn read(&self, cid: &Cid) {
        if self.state().unread.remove(cid) {
            self.changed.notify_all();
        }
    }

    /// Waits until a block is here, or doesn't come.
    fn wait_for(&self, cid: &Cid) {
        let mut state = self.state();
        state.waiting += 1;
        self.changed.notify_all();
        while !state.unread.remove(cid) && !state.is_over {
            state = self.wait(state);
        }
        state.waiting -= 1;
    }

    /// A block is here. Waits while nobody reads, and returns whether more is of use.
    fn came(&self, cid: Cid) -> bool {
        let mut state = self.state();
        state.unread.insert(cid);
        self.changed.notify_all();
        while state.unread.len() >= LEAD_MAX && state.waiting == 0 && !state.is_left {
            state = self.wait(state);
        }
        !state.is_left
    }

    fn end(&self) {
        self.state().is_over = true;
        self.changed.notify_all();
    }
}

/// For others who read by that order.
impl BlockSource for Follow {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ServeError> {
        served(self.get(cid))
    }
}

/// What one who may know whom was asked hears of a block.
pub(crate) fn served(got: Result<Block, SourceError>) -> Result<Option<Block>, ServeError> {
    match got {
        Ok(block) => Ok(Some(block)),
        Err(SourceError::Missing { .. }) => Ok(None),
        Err(SourceError::Unavailable { source, .. }) => {
            Err(ServeError::Nowhere(source.to_string()))
        }
        Err(error) => Err(ServeError::Failed(error.to_string())),
    }
}

#[cfg(test)]
mod tests;
