//! Several ways, one after the other.

use std::ops::ControlFlow;
use std::sync::Arc;

use homestar_core::ipld::{Block, Cid};

use crate::{Fetch, FetchError, Fetching, Walk, side};

/// Several ways by which blocks come: the next is tried for what the one before it doesn't have.
#[derive(Clone, Debug)]
pub struct InTurn(Vec<Arc<dyn Fetch>>);

impl InTurn {
    /// Makes one way of several, or of none.
    pub fn of(mut ways: Vec<Arc<dyn Fetch>>) -> Option<Arc<dyn Fetch>> {
        match ways.len() {
            0 => None,
            1 => ways.pop(),
            _ => Some(Arc::new(Self(ways))),
        }
    }

    /// Fetches a block, and says by which way it came.
    async fn find(&self, cid: Cid) -> Result<(usize, Block), FetchError> {
        let mut all = Vec::new();
        for (at, way) in self.0.iter().enumerate() {
            match way.block(&cid).await {
                Ok(block) => return Ok((at, block)),
                Err(FetchError::Nowhere { faults, .. }) => all.extend(faults),
                Err(FetchError::NoProvider { .. } | FetchError::Closed) => {}
                Err(error) => return Err(error),
            }
        }
        Err(match all.is_empty() {
            true => FetchError::NoProvider { cid },
            false => FetchError::Nowhere { cid, faults: all },
        })
    }

    async fn fetch(&self, cid: Cid) -> Result<Block, FetchError> {
        self.find(cid).await.map(|(_, block)| block)
    }
}

impl Fetch for InTurn {
    fn block<'a>(&'a self, cid: &'a Cid) -> Fetching<'a, Block> {
        Box::pin(self.fetch(*cid))
    }

    /// Whoever has the block that comes next gives what it can, by its own way, and then whoever has the one that it can't.
    fn walk<'a>(
        &'a self,
        walk: &'a mut Walk,
        take: &'a mut (dyn FnMut(Block) -> ControlFlow<()> + Send),
    ) -> Fetching<'a, ()> {
        Box::pin(async move {
            while let Some(next) = walk.next_cid() {
                let (at, block) = self.find(next).await?;
                match self.0[at].walk(walk, take).await {
                    Err(FetchError::Nowhere { .. } | FetchError::NoProvider { .. })
                    | Err(FetchError::Closed) => {}
                    ended => return ended,
                }
                // In any case, something came.
                if walk.next_cid() == Some(next) {
                    walk.give(&block)?;
                    side::hand_over(take, block)?;
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use homestar_core::ipld::Ipld;

    use super::*;
    use crate::{Fault, Scope, What, wait};

    #[derive(Debug)]
    struct Way(&'static str, HashMap<Cid, Block>);

    impl Fetch for Way {
        fn block<'a>(&'a self, cid: &'a Cid) -> Fetching<'a, Block> {
            let fault = Fault {
                provider: self.0.into(),
                what: What::Lacks,
            };
            let nowhere = FetchError::Nowhere {
                cid: *cid,
                faults: vec![fault],
            };
            let found = self.1.get(cid).cloned().ok_or(nowhere);
            Box::pin(async move { found })
        }
    }

    fn way(name: &'static str, blocks: &[&Block]) -> Arc<dyn Fetch> {
        let blocks = blocks.iter().map(|block| (*block.cid(), (*block).clone()));
        Arc::new(Way(name, blocks.collect()))
    }

    fn dag(fetch: &dyn Fetch, root: &Block) -> Result<Vec<Block>, FetchError> {
        let mut blocks = Vec::new();
        let mut take = |block| {
            blocks.push(block);
            ControlFlow::Continue(())
        };
        wait(fetch.dag(root.cid(), Scope::All, &mut take)).map(|()| blocks)
    }

    #[test]
    fn what_one_lacks_comes_from_the_next() {
        let leaf = Block::raw(b"leaf".to_vec());
        let root = Block::of_dag_cbor(&Ipld::Link(*leaf.cid())).unwrap();
        for (first, second) in [
            (way("a", &[&root]), way("b", &[&leaf])),
            (way("a", &[&leaf]), way("b", &[&root, &leaf])),
            (way("a", &[]), way("b", &[&root, &leaf])),
            (way("a", &[&root, &leaf]), way("b", &[])),
        ] {
            let both = InTurn::of(vec![first, second]).unwrap();
            assert_eq!(dag(&*both, &root).unwrap(), [root.clone(), leaf.clone()]);
        }
    }

    #[test]
    fn what_nobody_has_is_blamed_on_all() {
        let both = InTurn::of(vec![way("a", &[]), way("b", &[])]).unwrap();
        let cid = *Block::raw(vec![]).cid();
        let error = wait(both.block(&cid)).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("nobody gave {cid}: a doesn't have it; b doesn't have it")
        );
        assert!(InTurn::of(vec![]).is_none());
    }
}
