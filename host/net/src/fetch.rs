//! Blocks from elsewhere, whatever the way.

use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

use homestar_core::ipld::{Block, Cid, SHA2_256};

use crate::{FetchError, Scope, Walk, side};

/// What is on its way. Dropped before its end, it is given up.
pub type Fetching<'a, T> = Pin<Box<dyn Future<Output = Result<T, FetchError>> + Send + 'a>>;

/// Where blocks come from that aren't here.
///
/// What comes has been verified: a [`Block`] can't be had otherwise. The futures can be polled anywhere, on any runtime or
/// none; [`wait`] waits for them on a thread. Who implements this has a runtime of its own where it needs one.
pub trait Fetch: Send + Sync + fmt::Debug {
    /// Fetches one block.
    fn block<'a>(&'a self, cid: &'a Cid) -> Fetching<'a, Block>;

    /// Fetches blocks, several at a time, and hands them over as they come, in any order. All are tried; the error is of
    /// the first that wasn't to be had. `take` ends it by `Break`, which is [`FetchError::Stopped`].
    fn blocks<'a>(
        &'a self,
        cids: &'a [Cid],
        take: &'a mut (dyn FnMut(Block) -> ControlFlow<()> + Send),
    ) -> Fetching<'a, ()> {
        let fetch = move |cid: Cid| async move { self.block(&cid).await };
        Box::pin(side::blocks(fetch, cids, take))
    }

    /// Fetches a DAG, or a part of it, and hands its blocks over, each once: who takes a block was given all that lead to it.
    /// What one has comes depth first. `take` ends it by `Break`, which is [`FetchError::Stopped`].
    fn dag<'a>(
        &'a self,
        root: &'a Cid,
        scope: Scope,
        take: &'a mut (dyn FnMut(Block) -> ControlFlow<()> + Send),
    ) -> Fetching<'a, ()> {
        Box::pin(async move {
            let mut walk = Walk::new(*root, scope);
            self.walk(&mut walk, take).await
        })
    }

    /// Fetches what is ahead on a walk, and hands it over as [`dag`](Self::dag) does. If something isn't to be had, the walk is
    /// where it got to, and what came needn't come again. Where `take` ended it, the walk is of no more use.
    fn walk<'a>(
        &'a self,
        walk: &'a mut Walk,
        take: &'a mut (dyn FnMut(Block) -> ControlFlow<()> + Send),
    ) -> Fetching<'a, ()> {
        let fetch = move |cid: Cid| async move { self.block(&cid).await };
        Box::pin(side::walk(fetch, walk, take))
    }
}

/// Refuses what can't be verified.
pub(crate) fn check(cid: &Cid) -> Result<(), FetchError> {
    match cid.hash().code() {
        SHA2_256 => Ok(()),
        code => Err(FetchError::Hash { cid: *cid, code }),
    }
}

/// Waits on this thread. Not for threads of an async runtime, which have other things to do.
pub fn wait<T>(fetching: Fetching<'_, T>) -> Result<T, FetchError> {
    wait_for(fetching)
}

/// Waits for anything on this thread, which is none of an async runtime. What is waited for has to need none.
pub fn wait_for<T>(future: impl Future<Output = T>) -> T {
    let mut waiting = Waiting::new(future);
    loop {
        // A thread that was woken before it parks doesn't park.
        match waiting.poll() {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// Waits as [`wait_for`] does, and gives it up at that time.
pub fn wait_until<T>(future: impl Future<Output = T>, until: Instant) -> Option<T> {
    let mut waiting = Waiting::new(future);
    loop {
        if let Poll::Ready(value) = waiting.poll() {
            return Some(value);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}

/// A future that this thread waits for.
struct Waiting<F> {
    future: Pin<Box<F>>,
    waker: Waker,
}

impl<F: Future> Waiting<F> {
    fn new(future: F) -> Self {
        Self {
            future: Box::pin(future),
            waker: Waker::from(Arc::new(Parked(thread::current()))),
        }
    }

    fn poll(&mut self) -> Poll<F::Output> {
        self.future
            .as_mut()
            .poll(&mut Context::from_waker(&self.waker))
    }
}

struct Parked(Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use homestar_core::ipld::Ipld;

    use super::*;

    #[derive(Debug)]
    struct Kept(HashMap<Cid, Block>);

    impl Fetch for Kept {
        fn block<'a>(&'a self, cid: &'a Cid) -> Fetching<'a, Block> {
            let found = self.0.get(cid).cloned();
            Box::pin(async move { found.ok_or(FetchError::NoProvider { cid: *cid }) })
        }
    }

    fn kept() -> (Kept, Block, Block) {
        let leaf = Block::raw(b"leaf".to_vec());
        let links = Ipld::List(vec![Ipld::Link(*leaf.cid()); 2]);
        let root = Block::of_dag_cbor(&links).unwrap();
        let blocks = [leaf.clone(), root.clone()].map(|block| (*block.cid(), block));
        (Kept(blocks.into()), root, leaf)
    }

    #[test]
    fn who_can_fetch_a_block_can_fetch_a_dag() {
        let (kept, root, leaf) = kept();
        let fetch: &dyn Fetch = &kept;
        let mut taken = Vec::new();
        let mut take = |block| {
            taken.push(block);
            ControlFlow::Continue(())
        };
        wait(fetch.dag(root.cid(), Scope::All, &mut take)).unwrap();
        assert_eq!(taken, [root, leaf]);
    }

    #[test]
    fn who_takes_can_stop() {
        let (kept, root, _) = kept();
        let mut stop = |_| ControlFlow::Break(());
        let stopped = wait(kept.dag(root.cid(), Scope::All, &mut stop));
        assert_eq!(stopped, Err(FetchError::Stopped));
        let stopped = wait(kept.blocks(&[*root.cid()], &mut stop));
        assert_eq!(stopped, Err(FetchError::Stopped));
    }

    #[test]
    fn what_takes_too_long_is_given_up() {
        let soon = Instant::now() + std::time::Duration::from_secs(60);
        assert_eq!(wait_until(async { 7 }, soon), Some(7));
        assert_eq!(
            wait_until(std::future::pending::<()>(), Instant::now()),
            None
        );
    }

    #[test]
    fn what_is_missing_doesnt_keep_the_rest_back() {
        let (kept, root, leaf) = kept();
        let missing = *Block::raw(b"missing".to_vec()).cid();
        let mut taken = Vec::new();
        let mut take = |block: Block| {
            taken.push(*block.cid());
            ControlFlow::Continue(())
        };
        let all = [*root.cid(), missing, *leaf.cid()];
        let error = wait(kept.blocks(&all, &mut take)).unwrap_err();
        assert_eq!(error, FetchError::NoProvider { cid: missing });
        assert_eq!(taken, [*root.cid(), *leaf.cid()]);
    }
}
