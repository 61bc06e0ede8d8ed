//! Content that single peers get, for as long as they need it: who runs a task gets what it links to, and who asked for it gets
//! what its receipt links to. Everybody else gets what strangers get.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use homestar_core::ipld::{Block, Cid, Link};
use homestar_core::receipt::Receipt;
use homestar_core::task::Instruction;
use homestar_net::{BlockSource, PeerId, SourceError};
use homestar_store::Store;

use crate::shared::{Walked, walk};

/// Loans to one peer at one time. More are not given: who has so many gets none of the rest until some ended.
const LOANS_MAX: usize = 1024;
/// How long it is believed what loans lead to.
const BELIEVED: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub struct Lent {
    /// What strangers get.
    strangers: Arc<dyn BlockSource>,
    /// What is lent is in here.
    store: OnceLock<Arc<dyn Store>>,
    to: Mutex<HashMap<PeerId, Arc<Loans>>>,
}

impl Lent {
    /// Lends nothing, and gives `strangers` to all.
    pub fn nothing(strangers: Arc<dyn BlockSource>) -> Self {
        Self {
            strangers,
            store: OnceLock::new(),
            to: Mutex::default(),
        }
    }

    /// Says where that is which is lent. Only the first time counts.
    pub fn from_store(&self, store: Arc<dyn Store>) {
        let _ = self.store.set(store);
    }

    /// Lends to a peer what these roots lead to. The number is the loan's, and the loan ends by itself after a while.
    pub fn lend(&self, peer: PeerId, loan: u64, roots: Vec<Cid>, lasts: Duration) {
        let Some(store) = self.store.get() else {
            return;
        };
        let mut to = self.to();
        let loans = to.entry(peer).or_insert_with(|| {
            Arc::new(Loans {
                strangers: Arc::clone(&self.strangers),
                store: Arc::clone(store),
                state: Mutex::default(),
            })
        });
        let mut state = loans.state();
        if state.loans.len() < LOANS_MAX {
            state.loans.insert(loan, (roots, Instant::now() + lasts));
            state.looked_at = None;
        }
    }

    /// Ends a loan.
    pub fn take_back(&self, peer: &PeerId, loan: u64) {
        let mut to = self.to();
        if let Some(loans) = to.get(peer) {
            let mut state = loans.state();
            state.loans.remove(&loan);
            state.looked_at = None;
            if state.loans.is_empty() {
                drop(state);
                to.remove(peer);
            }
        }
    }

    fn to(&self) -> MutexGuard<'_, HashMap<PeerId, Arc<Loans>>> {
        self.to.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlockSource for Lent {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, SourceError> {
        self.strangers.get(cid)
    }

    fn size(&self, cid: &Cid) -> Result<Option<u64>, SourceError> {
        self.strangers.size(cid)
    }

    fn of_peer(&self, peer: &PeerId) -> Option<Arc<dyn BlockSource>> {
        let mut to = self.to();
        let loans = to.get(peer)?;
        if loans.end_some() {
            to.remove(peer);
            return None;
        }
        let loans: Arc<dyn BlockSource> = loans.clone();
        Some(loans)
    }

    fn receipts_of(
        &self,
        ran: &[Link<Instruction>],
    ) -> Result<Vec<Vec<Link<Receipt>>>, SourceError> {
        self.strangers.receipts_of(ran)
    }
}

/// What is lent to one peer, and what strangers get.
#[derive(Debug)]
struct Loans {
    strangers: Arc<dyn BlockSource>,
    store: Arc<dyn Store>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    loans: BTreeMap<u64, (Vec<Cid>, Instant)>,
    walked: Walked,
    looked_at: Option<Instant>,
}

impl Loans {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends what lasted long enough. True if nothing is lent any more.
    fn end_some(&self) -> bool {
        let (mut state, now) = (self.state(), Instant::now());
        let before = state.loans.len();
        state.loans.retain(|_, (_, until)| *until > now);
        if state.loans.len() != before {
            state.looked_at = None;
        }
        state.loans.is_empty()
    }

    fn has(&self, cid: &Cid) -> Result<bool, SourceError> {
        let mut state = self.state();
        if state.looked_at.is_none_or(|at| at.elapsed() >= BELIEVED) {
            let roots = state.loans.values().flat_map(|(roots, _)| roots);
            let roots: Vec<Cid> = roots.copied().collect();
            state
                .walked
                .look(roots, |roots| walk(&*self.store, roots))?;
            state.looked_at = Some(Instant::now());
        }
        Ok(state.walked.has(cid))
    }
}

impl BlockSource for Loans {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, SourceError> {
        match self.has(cid)? {
            true => {
                let found = self.store.get(cid);
                found.map_err(|error| SourceError::Failed(error.to_string()))
            }
            false => self.strangers.get(cid),
        }
    }

    fn size(&self, cid: &Cid) -> Result<Option<u64>, SourceError> {
        match self.has(cid)? {
            true => {
                let found = self.store.size(cid);
                found.map_err(|error| SourceError::Failed(error.to_string()))
            }
            false => self.strangers.size(cid),
        }
    }
}

#[cfg(test)]
mod tests {
    use homestar_core::ipld::Ipld;
    use homestar_store::Memory;

    use super::*;
    use crate::Shared;

    fn get(lent: &Lent, peer: &PeerId, block: &Block) -> bool {
        let source = lent.of_peer(peer);
        let found = match &source {
            Some(source) => source.get(block.cid()),
            None => lent.get(block.cid()),
        };
        found.unwrap().is_some()
    }

    #[test]
    fn one_peer_gets_what_is_lent_to_it_with_all_below_and_nothing_else() {
        let store: Arc<dyn Store> = Arc::new(Memory::new());
        let leaf = Block::raw(b"leaf".to_vec());
        let root = Block::of_dag_cbor(&Ipld::List(vec![Ipld::Link(*leaf.cid())])).unwrap();
        let other = Block::raw(b"other".to_vec());
        let blocks = [leaf.clone(), root.clone(), other.clone()];
        store.put(&blocks).unwrap();
        let lent = Lent::nothing(Arc::new(Shared::of(Arc::clone(&store), false)));
        lent.from_store(store);
        let (one, two) = (PeerId::random(), PeerId::random());
        let lasts = Duration::from_secs(600);
        lent.lend(one, 1, vec![*root.cid()], lasts);
        lent.lend(one, 2, vec![*other.cid()], lasts);
        for (block, is_lent) in [(&leaf, true), (&root, true), (&other, true)] {
            assert_eq!(get(&lent, &one, block), is_lent);
            assert!(!get(&lent, &two, block));
        }
        lent.take_back(&one, 1);
        assert!(!get(&lent, &one, &leaf) && get(&lent, &one, &other));
        lent.take_back(&one, 2);
        assert!(!get(&lent, &one, &other) && lent.of_peer(&one).is_none());
        // What has lasted is over.
        lent.lend(one, 3, vec![*root.cid()], Duration::ZERO);
        assert!(!get(&lent, &one, &leaf));
    }
}
