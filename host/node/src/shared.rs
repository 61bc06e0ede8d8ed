//! What others may have of what is in a store.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use homestar_core::ipld::{Block, Cid, Ipld, Link, SHA2_256};
use homestar_core::outcome::Outcome;
use homestar_core::receipt::Receipt;
use homestar_core::task::Instruction;
use homestar_net::{BlockSource, SourceError};
use homestar_store::{Pin, Store, StoreError};

use crate::{Held, ReadError, Source, links_of};

/// Under which label content is pinned that is for everybody.
const LABEL: &str = "shared";
/// Under which label receipts are pinned that are for everybody.
const RECEIPTS: &str = "shared receipt";
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

/// Shares receipts: whoever asks a node that shares receipts gets them, with the value that they link to, and nothing else of
/// what they link to. Those that don't answer for others are left out.
pub fn share_receipts(
    store: &dyn Store,
    receipts: &[&Receipt],
    at_ms: u64,
) -> Result<(), StoreError> {
    let shared = receipts.iter().filter(|receipt| may_answer(receipt));
    let pins = shared.map(|receipt| Pin::direct(*receipt.link().cid(), RECEIPTS, at_ms));
    let pins: Vec<Pin> = pins.collect();
    match pins.is_empty() {
        true => Ok(()),
        false => store.pin_all(&pins),
    }
}

/// Whether a receipt answers for whoever asks the same, whoever signed it.
fn may_answer(receipt: &Receipt) -> bool {
    receipt.outcome().is_reusable() && receipt.meta().trace.is_none()
}

/// Shares content, or a receipt, no longer. Returns whether it was shared.
pub fn unshare(store: &dyn Store, cid: &Cid) -> Result<bool, StoreError> {
    let was_receipt = store.unpin(cid, RECEIPTS)?;
    Ok(store.unpin(cid, LABEL)? || was_receipt)
}

/// Returns the receipts that are shared, the latest first.
pub fn shared_receipts(store: &dyn Store) -> Result<Vec<Cid>, StoreError> {
    let pins = store.pins()?.into_iter();
    let mut shared: Vec<Pin> = pins.filter(|pin| pin.label == RECEIPTS).collect();
    shared.sort_by_key(|pin| std::cmp::Reverse(pin.at_ms));
    Ok(shared.into_iter().map(|pin| pin.cid).collect())
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

    fn receipts_of(
        &self,
        ran: &[Link<Instruction>],
    ) -> Result<Vec<Vec<Link<Receipt>>>, SourceError> {
        receipts_of(&*self.0, ran, |_| Ok(true))
    }
}

/// Names those receipts that answer for others and that somebody may have. The latest come first.
fn receipts_of(
    store: &dyn Store,
    ran: &[Link<Instruction>],
    may: impl Fn(&Cid) -> Result<bool, SourceError>,
) -> Result<Vec<Vec<Link<Receipt>>>, SourceError> {
    let mut named = Vec::new();
    for receipts in store.receipts_of(ran).map_err(failed)? {
        let mut links = Vec::new();
        for recorded in receipts.iter().rev() {
            if recorded.is_reusable() && may(recorded.link().cid())? {
                links.push(recorded.link());
            }
        }
        named.push(links);
    }
    Ok(named)
}

/// What is shared of a store: what was given to [`share`], and what that links to. Of everything else it is as if it
/// weren't there.
///
/// What is shared meanwhile, by whichever process, is found when somebody asks for it.
#[derive(Debug)]
pub struct Shared {
    store: Arc<dyn Store>,
    shares_receipts: bool,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    content: Walked,
    receipts: Walked,
    looked_at: Option<Instant>,
}

/// What was found from some roots on.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    roots: Vec<Cid>,
    /// By the hashes of blocks, since that is how they are kept: 32 bytes for each.
    digests: HashSet<[u8; 32]>,
    /// No link leads to what isn't there, or can't be read.
    is_whole: bool,
    at: Option<Instant>,
}

impl Shared {
    /// What is shared of a store. Receipts are only if `shares_receipts`, whatever was given to [`share_receipts`].
    pub fn of(store: Arc<dyn Store>, shares_receipts: bool) -> Self {
        Self {
            store,
            shares_receipts,
            known: Mutex::default(),
        }
    }

    /// Tells whether a block is for everybody.
    fn has(&self, cid: &Cid) -> Result<bool, SourceError> {
        let Some(digest) = digest(cid) else {
            return Ok(false);
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.looked_at.is_none_or(|at| at.elapsed() >= BELIEVED) {
            let roots = shared(&*self.store).map_err(failed)?;
            known
                .content
                .look(roots, |roots| walk(&*self.store, roots))?;
            if self.shares_receipts {
                let receipts = shared_receipts(&*self.store).map_err(failed)?;
                known
                    .receipts
                    .look(receipts, |receipts| self.walk_receipts(receipts))?;
            }
            known.looked_at = Some(Instant::now());
        }
        Ok(known.content.digests.contains(&digest) || known.receipts.digests.contains(&digest))
    }

    /// Finds what belongs to receipts: themselves, and the values that they link to.
    fn walk_receipts(&self, receipts: &[Cid]) -> Result<(HashSet<[u8; 32]>, bool), SourceError> {
        let (mut found, mut values) = (HashSet::new(), Vec::new());
        for cid in receipts {
            let block = self.store.get(cid).ok().flatten();
            let receipt = block.and_then(|block| Receipt::reread(block, None).ok());
            let Some(receipt) = receipt else { continue };
            found.extend(digest(cid));
            values.extend(linked(receipt.outcome()));
        }
        let (below, is_whole) = walk(&*self.store, &values)?;
        found.extend(below);
        Ok((found, is_whole))
    }
}

impl Walked {
    /// Walks from roots on, if they are others than before or something was missing for a while. Where there are more, only from
    /// those on.
    pub(crate) fn look(
        &mut self,
        roots: Vec<Cid>,
        walk: impl Fn(&[Cid]) -> Result<(HashSet<[u8; 32]>, bool), SourceError>,
    ) -> Result<(), SourceError> {
        let is_late = self.at.is_none_or(|at| at.elapsed() > PARTS_BELIEVED);
        if self.roots == roots && (self.is_whole || !is_late) {
            return Ok(());
        }
        let now: HashSet<&Cid> = roots.iter().collect();
        let stays = self.is_whole && self.roots.iter().all(|root| now.contains(root));
        if stays {
            let before: HashSet<&Cid> = self.roots.iter().collect();
            let more = roots.iter().filter(|root| !before.contains(root));
            let more: Vec<Cid> = more.copied().collect();
            let (digests, is_whole) = walk(&more)?;
            self.digests.extend(digests);
            self.is_whole = is_whole;
        } else {
            (self.digests, self.is_whole) = walk(&roots)?;
        }
        self.roots = roots;
        self.at = Some(Instant::now());
        Ok(())
    }
}

/// Follows links from the roots as far as blocks are there, and returns what was found and whether all was there.
pub(crate) fn walk(
    store: &dyn Store,
    roots: &[Cid],
) -> Result<(HashSet<[u8; 32]>, bool), SourceError> {
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
        match store.get(&cid) {
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

    fn receipts_of(
        &self,
        ran: &[Link<Instruction>],
    ) -> Result<Vec<Vec<Link<Receipt>>>, SourceError> {
        match self.shares_receipts {
            true => receipts_of(&*self.store, ran, |cid| self.has(cid)),
            false => Ok(Vec::new()),
        }
    }
}

/// Returns what the value of a task links to: all of it, or parts that are large.
pub(crate) fn linked(outcome: &Outcome) -> Vec<Cid> {
    fn collect(value: &Ipld, links: &mut Vec<Cid>) {
        match value {
            Ipld::Link(cid) => links.push(*cid),
            Ipld::List(items) => items.iter().for_each(|item| collect(item, links)),
            Ipld::Map(entries) => entries.values().for_each(|entry| collect(entry, links)),
            _ => {}
        }
    }
    let mut links = Vec::new();
    if let Outcome::Ok(value) = outcome {
        collect(value, &mut links);
    }
    links
}

impl Walked {
    /// Whether a block was found.
    pub(crate) fn has(&self, cid: &Cid) -> bool {
        digest(cid).is_some_and(|digest| self.digests.contains(&digest))
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
        (known.looked_at, known.content.at) = (None, None);
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
        let source = Shared::of(store.clone(), false);
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
        let source = Shared::of(store.clone(), false);
        assert_eq!(source.get(leaf.cid()), Ok(None));
        store.put(std::slice::from_ref(&leaf)).unwrap();
        forget(&source);
        assert_eq!(source.get(leaf.cid()), Ok(Some(leaf)));
    }
}
