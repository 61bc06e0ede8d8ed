//! What others may have of what is in a store.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use homestar_core::ipld::{Block, Cid, SHA2_256};
use homestar_net::{BlockSource, SourceError};
use homestar_store::{Pin, Store, StoreError};

use crate::{Held, ReadError, Source, links_of};

/// Under which label content is pinned that is for everybody.
const LABEL: &str = "shared";
/// How long what was found out about the pins is believed when somebody asks for something that isn't shared by it.
const BELIEVED: Duration = Duration::from_secs(1);
/// How long it is believed that a part isn't here.
const PARTS_BELIEVED: Duration = Duration::from_secs(30);

/// Shares content, after fetching what of it isn't here: whoever asks a node for it gets it, and all that it links to. It is
/// kept until it is unshared. `more` is told of each block how many bytes it has.
pub fn share(
    source: &Source,
    cid: Cid,
    at_ms: u64,
    more: &mut (dyn FnMut(u64) + Send),
) -> Result<Held, ReadError> {
    crate::pin(source, &Pin::recursive(cid, LABEL, at_ms), more)
}

/// Shares content no longer. Returns whether it was shared.
pub fn unshare(store: &dyn Store, cid: &Cid) -> Result<bool, StoreError> {
    store.unpin(cid, LABEL)
}

/// Returns what is shared.
pub fn shared(store: &dyn Store) -> Result<Vec<Cid>, StoreError> {
    let pins = store.pins()?.into_iter();
    let shared = pins.filter(|pin| pin.label == LABEL);
    Ok(shared.map(|pin| pin.cid).collect())
}

/// All that is in a store, and nothing else.
#[derive(Debug)]
pub struct Kept(pub Arc<dyn Store>);

impl BlockSource for Kept {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, SourceError> {
        self.0.get(cid).map_err(failed)
    }

    fn size(&self, cid: &Cid) -> Result<Option<u64>, SourceError> {
        self.0.size(cid).map_err(failed)
    }
}

/// What is shared of a store: what was given to [`share`], and what that links to. Of everything else it is as if it
/// weren't there.
///
/// What is shared meanwhile, by whichever process, is found when somebody asks for it.
#[derive(Debug)]
pub struct Shared {
    store: Arc<dyn Store>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    roots: Vec<Cid>,
    /// By the hashes of blocks, since that is how they are kept: 32 bytes for each.
    digests: HashSet<[u8; 32]>,
    /// Links that lead to what isn't there, or can't be read.
    is_whole: bool,
    walked_at: Option<Instant>,
    looked_at: Option<Instant>,
}

impl Shared {
    /// What is shared of a store.
    pub fn of(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            known: Mutex::default(),
        }
    }

    /// Tells whether a block is for everybody.
    fn has(&self, cid: &Cid) -> Result<bool, SourceError> {
        let Some(digest) = digest(cid) else {
            return Ok(false);
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let roots = match known.looked_at {
            Some(at) if at.elapsed() < BELIEVED => return Ok(known.digests.contains(&digest)),
            _ => shared(&*self.store).map_err(failed)?,
        };
        let is_late = known
            .walked_at
            .is_none_or(|at| at.elapsed() > PARTS_BELIEVED);
        if known.roots != roots || !known.is_whole && is_late {
            let (digests, is_whole) = self.walk(&roots)?;
            known.digests = digests;
            known.is_whole = is_whole;
            known.roots = roots;
            known.walked_at = Some(Instant::now());
        }
        known.looked_at = Some(Instant::now());
        Ok(known.digests.contains(&digest))
    }

    /// Follows links from the roots as far as blocks are there, and returns what was found and whether all was there.
    fn walk(&self, roots: &[Cid]) -> Result<(HashSet<[u8; 32]>, bool), SourceError> {
        let (mut found, mut is_whole) = (HashSet::new(), true);
        let mut ahead = roots.to_vec();
        while let Some(cid) = ahead.pop() {
            let Some(digest) = digest(&cid) else { continue };
            if found.contains(&digest) {
                continue;
            }
            if cid.codec() == homestar_core::ipld::RAW {
                found.insert(digest);
                continue;
            }
            match self.store.get(&cid) {
                Ok(Some(block)) => {
                    found.insert(digest);
                    ahead.extend(links_of(&block));
                }
                Ok(None) | Err(StoreError::Corrupt { .. }) => is_whole = false,
                Err(error) => return Err(failed(error)),
            }
        }
        Ok((found, is_whole))
    }
}

impl BlockSource for Shared {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, SourceError> {
        match self.has(cid)? {
            true => self.store.get(cid).map_err(failed),
            false => Ok(None),
        }
    }

    fn size(&self, cid: &Cid) -> Result<Option<u64>, SourceError> {
        match self.has(cid)? {
            true => self.store.size(cid).map_err(failed),
            false => Ok(None),
        }
    }
}

fn digest(cid: &Cid) -> Option<[u8; 32]> {
    let digest = cid.hash().digest().try_into().ok()?;
    (cid.hash().code() == SHA2_256).then_some(digest)
}

fn failed(error: StoreError) -> SourceError {
    SourceError::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use homestar_core::ipld::Ipld;
    use homestar_store::Memory;

    use super::*;

    /// Believes nothing.
    fn forget(shared: &Shared) {
        let mut known = shared.known.lock().unwrap();
        (known.looked_at, known.walked_at) = (None, None);
    }

    #[test]
    fn what_is_shared_is_given_with_all_below_and_nothing_else() {
        let store: Arc<dyn Store> = Arc::new(Memory::new());
        let leaf = Block::raw(b"leaf".to_vec());
        let root = Block::of_dag_cbor(&Ipld::List(vec![Ipld::Link(*leaf.cid())])).unwrap();
        let private = Block::raw(b"private".to_vec());
        store
            .put(&[leaf.clone(), root.clone(), private.clone()])
            .unwrap();
        // A pin keeps; it doesn't share.
        store.pin(&Pin::recursive(*private.cid(), "", 0)).unwrap();
        let source = Shared::of(store.clone());
        for block in [&leaf, &root, &private] {
            assert_eq!(source.get(block.cid()), Ok(None));
            assert_eq!(source.size(block.cid()), Ok(None));
        }
        let here = Source::new(store.clone(), None);
        share(&here, *root.cid(), 0, &mut |_| {}).unwrap();
        forget(&source);
        assert_eq!(source.get(root.cid()), Ok(Some(root.clone())));
        assert_eq!(source.size(leaf.cid()), Ok(Some(4)));
        assert_eq!(source.get(private.cid()), Ok(None));
        assert_eq!(shared(&*store).unwrap(), [*root.cid()]);
        assert!(unshare(&*store, root.cid()).unwrap());
        forget(&source);
        assert_eq!(source.get(leaf.cid()), Ok(None));
        assert!(!unshare(&*store, root.cid()).unwrap());
    }

    #[test]
    fn what_comes_later_is_shared_too() {
        let store: Arc<dyn Store> = Arc::new(Memory::new());
        let leaf = Block::of_dag_cbor(&Ipld::Integer(1)).unwrap();
        let root = Block::of_dag_cbor(&Ipld::List(vec![Ipld::Link(*leaf.cid())])).unwrap();
        store.put(std::slice::from_ref(&root)).unwrap();
        store.pin(&Pin::recursive(*root.cid(), LABEL, 0)).unwrap();
        let source = Shared::of(store.clone());
        assert_eq!(source.get(leaf.cid()), Ok(None));
        store.put(std::slice::from_ref(&leaf)).unwrap();
        forget(&source);
        assert_eq!(source.get(leaf.cid()), Ok(Some(leaf)));
    }
}
