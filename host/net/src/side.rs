//! Many blocks, side by side, by whatever way one block comes.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use homestar_core::ipld::{Block, Cid};
use libp2p::futures::StreamExt;
use libp2p::futures::stream::FuturesUnordered;

use crate::{FetchError, Walk};

/// Blocks that are under way at one time.
const WINDOW: usize = 32;

pub(crate) type Take<'a> = &'a mut (dyn FnMut(Block) -> ControlFlow<()> + Send);

pub(crate) fn hand_over(
    take: &mut (dyn FnMut(Block) -> ControlFlow<()> + Send),
    block: Block,
) -> Result<(), FetchError> {
    match take(block) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(FetchError::Stopped),
    }
}

/// Fetches blocks, [`WINDOW`] at a time, in any order. All are tried; the error is of the first that wasn't to be had.
pub(crate) async fn blocks<F: Future<Output = Result<Block, FetchError>>>(
    fetch: impl Fn(Cid) -> F,
    cids: &[Cid],
    take: Take<'_>,
) -> Result<(), FetchError> {
    let mut first = None;
    let mut cids = cids.iter();
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < WINDOW
            && let Some(cid) = cids.next()
        {
            running.push(fetch(*cid));
        }
        match running.next().await {
            None => return first.map_or(Ok(()), Err),
            Some(Ok(block)) => hand_over(take, block)?,
            Some(Err(error)) => first = first.or(Some(error)),
        }
    }
}

/// Fetches what is ahead on a walk, in its order, [`WINDOW`] at a time: so many are under way or wait for their turn.
pub(crate) async fn walk<F: Future<Output = Result<Block, FetchError>>>(
    fetch: impl Fn(Cid) -> F,
    walk: &mut Walk,
    take: Take<'_>,
) -> Result<(), FetchError> {
    let mut asked = HashSet::new();
    let mut waiting = HashMap::new();
    let mut running = FuturesUnordered::new();
    let fetch = &fetch;
    while let Some(next) = walk.next_cid() {
        if let Some(block) = waiting.remove(&next) {
            asked.remove(&next);
            walk.give(&block)?;
            hand_over(take, block)?;
            continue;
        }
        for cid in walk.upcoming(WINDOW) {
            // What comes next is asked for in any case, so that something is under way.
            if (asked.len() < WINDOW || cid == next) && asked.insert(cid) {
                running.push(async move { (cid, fetch(cid).await) });
            }
        }
        match running.next().await {
            Some((cid, Ok(block))) => {
                waiting.insert(cid, block);
            }
            Some((_, Err(error))) => return Err(error),
            None => return Err(FetchError::Closed),
        }
    }
    Ok(())
}
