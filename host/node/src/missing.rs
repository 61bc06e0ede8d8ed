//! What of a DAG isn't here, fetched as a whole.
//!
//! Whoever gives a DAG gives all of it, so what is here has to be known before. Mostly nothing is, and all comes at once. Where a part
//! is, since a file broke off or a folder is like another, the nodes that aren't here are fetched by themselves, for as long as
//! they lead to something that is, and then what is left.

use std::collections::HashSet;
use std::ops::ControlFlow;

use homestar_core::ipld::{Block, Cid, RAW};
use homestar_net::{Fetch, FetchError, Scope, Walk, WalkError, wait};
use homestar_store::{Store, StoreError};

use crate::{ReadError, links_of};

/// Nodes that are fetched by themselves at one time. Where there are more, it isn't looked whether something below is here.
const NODES_MAX: usize = 256;
/// How often what comes may turn out to lead to what is here. Then no more is looked, and it comes once more than it has to.
const TURNS_MAX: usize = 16;
/// Blocks that are remembered to have come: they aren't what was here.
const CAME_MAX: usize = 1 << 16;

/// See the module.
pub(crate) struct Missing<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) roots: &'a [Cid],
    pub(crate) scope: Scope,
    /// Blocks that are read to see what is here.
    pub(crate) looked_at_max: usize,
}

type Take<'a> = &'a mut (dyn FnMut(Block) -> ControlFlow<()> + Send);

impl Missing<'_> {
    /// Returns a walk on which only what isn't here is ahead, and how much was found to be here, besides what came lately.
    fn look(&self, came: &HashSet<Cid>) -> Result<(Walk, usize), ReadError> {
        let mut walk = Walk::over(self.roots, self.scope);
        let (mut nodes, mut leaves) = (0, 0);
        let get = |cid: &Cid| {
            if let Some(block) = Block::inline(cid) {
                return Ok(Some(block));
            }
            match self.store.get(cid) {
                // What comes takes its place.
                Err(StoreError::Corrupt { .. }) => Ok(None),
                Ok(block) => {
                    nodes += usize::from(block.is_some() && !came.contains(cid));
                    Ok(block)
                }
                Err(error) => Err(ReadError::from(error)),
            }
        };
        let missing = |cids: &[Cid]| {
            let missing = self.store.missing(cids)?;
            leaves += self.count_here(cids, &missing, came);
            Ok(missing)
        };
        walk.leave_out(self.looked_at_max, get, missing)?;
        Ok((walk, nodes + leaves))
    }

    /// How many of some blocks are here, but for those that came lately.
    fn count_here(&self, cids: &[Cid], missing: &[Cid], came: &HashSet<Cid>) -> usize {
        let missing: HashSet<&Cid> = missing.iter().collect();
        let here = cids.iter().filter(|cid| !missing.contains(cid));
        here.filter(|cid| !came.contains(cid)).count()
    }

    /// Whether much of what a block links to was here before.
    fn leads_back(&self, block: &Block, came: &HashSet<Cid>) -> bool {
        if block.cid().codec() == RAW || came.len() >= CAME_MAX {
            return false;
        }
        let links = links_of(block);
        // A store that can't answer will say so to whoever reads.
        let missing = self.store.missing(&links).unwrap_or_default();
        let here = self.count_here(&links, &missing, came);
        here > 0 && 4 * here >= links.len()
    }

    /// Returns the first block that isn't here.
    pub(crate) fn first(&self) -> Result<Option<Cid>, ReadError> {
        let (mut walk, _) = self.look(&HashSet::new())?;
        Ok(walk.next_cid())
    }

    /// Fetches what isn't here and hands it to `take`, which has to put it into the store.
    pub(crate) fn fetch(&self, fetch: &dyn Fetch, take: Take<'_>) -> Result<(), MissingError> {
        let mut came = HashSet::new();
        for turn in 0..=TURNS_MAX {
            let (mut walk, found) = self.look(&came)?;
            if found > 0 {
                walk = self.look_below(walk, found, fetch, take, &mut came)?;
            }
            if walk.next_cid().is_none() {
                return Ok(());
            }
            let mut leads_back = false;
            let mut watch = |block: Block| {
                leads_back = turn < TURNS_MAX && self.leads_back(&block, &came);
                if came.len() < CAME_MAX {
                    came.insert(*block.cid());
                }
                match take(block) {
                    ControlFlow::Continue(()) if !leads_back => ControlFlow::Continue(()),
                    _ => ControlFlow::Break(()),
                }
            };
            match wait(fetch.walk(&mut walk, &mut watch)) {
                Err(FetchError::Stopped) if leads_back => {}
                Ok(()) => return Ok(()),
                Err(error) => {
                    let next = walk.next_cid();
                    return Err(MissingError::Fetch(next, error));
                }
            }
        }
        Ok(())
    }

    /// Fetches nodes by themselves, as long as they lead to something that is here.
    fn look_below(
        &self,
        mut walk: Walk,
        mut found: usize,
        fetch: &dyn Fetch,
        take: Take<'_>,
        came: &mut HashSet<Cid>,
    ) -> Result<Walk, MissingError> {
        loop {
            let ahead = walk.upcoming(usize::MAX);
            let nodes = ahead.into_iter().filter(|cid| cid.codec() != RAW);
            let nodes: Vec<Cid> = nodes.take(NODES_MAX + 1).collect();
            if nodes.is_empty() || nodes.len() > NODES_MAX || self.scope == Scope::Block {
                return Ok(walk);
            }
            let mut count = 0;
            let mut note = |block: Block| {
                count += 1;
                came.insert(*block.cid());
                take(block)
            };
            match wait(fetch.blocks(&nodes, &mut note)) {
                Err(FetchError::Stopped) => {
                    return Err(MissingError::Fetch(None, FetchError::Stopped));
                }
                // What doesn't come now doesn't come later either, and that is told then.
                _ if count == 0 => return Ok(walk),
                _ => {}
            }
            let (next, more) = self.look(came)?;
            walk = next;
            if more <= found {
                return Ok(walk);
            }
            found = more;
        }
    }
}

/// Why it isn't here.
#[derive(Debug)]
pub(crate) enum MissingError {
    /// It can't be seen what is here.
    Read(ReadError),
    /// It didn't come, and which block would have been next.
    Fetch(Option<Cid>, FetchError),
}

impl From<ReadError> for MissingError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<WalkError> for ReadError {
    fn from(error: WalkError) -> Self {
        match error {
            WalkError::Unreadable(error) => Self::Unixfs(*error),
            error => Self::Walk(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use homestar_core::ipld::Ipld;
    use homestar_net::{Fetching, wait_for};
    use homestar_store::Memory;

    use super::*;

    /// Somebody who has blocks, and remembers what was taken of them.
    #[derive(Debug, Default)]
    struct Other {
        has: Memory,
        gave: Mutex<Vec<Cid>>,
    }

    impl Fetch for Other {
        fn block<'a>(&'a self, cid: &'a Cid) -> Fetching<'a, Block> {
            let found = self.has.get(cid).unwrap();
            Box::pin(async move { found.ok_or(FetchError::NoProvider { cid: *cid }) })
        }

        fn walk<'a>(
            &'a self,
            walk: &'a mut Walk,
            take: &'a mut (dyn FnMut(Block) -> ControlFlow<()> + Send),
        ) -> Fetching<'a, ()> {
            Box::pin(async move {
                while let Some(cid) = walk.next_cid() {
                    let block = wait_for(self.block(&cid))?;
                    self.gave.lock().unwrap().push(cid);
                    walk.give(&block)?;
                    if take(block).is_break() {
                        return Err(FetchError::Stopped);
                    }
                }
                Ok(())
            })
        }
    }

    fn list(of: &[&Block]) -> Block {
        let links = of.iter().map(|block| Ipld::Link(*block.cid())).collect();
        Block::of_dag_cbor(&Ipld::List(links)).unwrap()
    }

    /// Lists of leaves under one root: the root, then each list with its leaves.
    fn tree(of: std::ops::Range<u8>, wide: u8) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut lists = Vec::new();
        for at in of {
            let leaves: Vec<Block> = (0..wide).map(|leaf| Block::raw(vec![at, leaf])).collect();
            let list = list(&leaves.iter().collect::<Vec<_>>());
            lists.push(list.clone());
            blocks.push(list);
            blocks.extend(leaves);
        }
        blocks.insert(0, list(&lists.iter().collect::<Vec<_>>()));
        blocks
    }

    /// Fetches what isn't here, and returns what came as a DAG and what by itself.
    fn fetch(here: &[Block], there: &[Block]) -> (Vec<Cid>, Vec<Cid>) {
        let (store, other) = (Memory::new(), Other::default());
        store.put(here).unwrap();
        other.has.put(there).unwrap();
        let mut came = Vec::new();
        let mut take = |block: Block| {
            came.push(*block.cid());
            store.stage(&[block]).unwrap();
            ControlFlow::Continue(())
        };
        let root = [*there[0].cid()];
        let missing = Missing {
            store: &store,
            roots: &root,
            scope: Scope::All,
            looked_at_max: usize::MAX,
        };
        missing.fetch(&other, &mut take).unwrap();
        assert_eq!(missing.first().unwrap(), None);
        let gave = Arc::new(other).gave.lock().unwrap().clone();
        (gave, came)
    }

    fn cids(blocks: &[Block]) -> Vec<Cid> {
        blocks.iter().map(|block| *block.cid()).collect()
    }

    #[test]
    fn where_nothing_is_here_all_comes_at_once() {
        let there = tree(0..8, 8);
        assert_eq!(fetch(&[], &there), (cids(&there), cids(&there)));
    }

    #[test]
    fn what_broke_off_goes_on_there() {
        let there = tree(0..8, 8);
        for have in 0..=there.len() {
            let (_, came) = fetch(&there[..have], &there);
            let (mut came, mut wanted) = (came, cids(&there[have..]));
            came.sort();
            wanted.sort();
            assert_eq!(came, wanted, "{have}");
        }
    }

    /// A folder that is like another but for one of its files.
    #[test]
    fn of_what_is_like_something_here_only_the_rest_comes() {
        let (before, now) = (tree(0..8, 8), tree(1..9, 8));
        let (_, came) = fetch(&before, &now);
        let new = [&now[..1], &now[now.len() - 9..]].concat();
        assert_eq!(came, cids(&new));
    }
}
