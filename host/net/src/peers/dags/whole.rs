//! Whom to ask for what is ahead on a walk, until all of it is there.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use homestar_core::ipld::{Block, RAW};
use libp2p::PeerId;
use tokio::sync::mpsc;

use super::handler::NoStream;
use super::take::{End, take};
use crate::peers::Peers;
use crate::sift::Unfit;
use crate::{Fault, FetchError, Walk, What};

/// How often a peer may break off, or say nothing, before it isn't asked on this walk any more.
const FAILURES_MAX: u32 = 3;

/// Somebody who may be asked.
#[derive(Clone, Debug)]
pub(crate) struct DagGiver {
    pub(crate) id: PeerId,
    /// How long it is waited for while it says nothing.
    pub(crate) patience: Duration,
    /// Bytes of blocks that came from it.
    pub(crate) came: Arc<AtomicU64>,
}

/// How far it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    Through,
    /// Nobody is left who gives DAGs. What is ahead is to be had block by block, or not at all.
    Rest,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) walk: Walk,
    pub(crate) ended: Result<Whole, FetchError>,
    /// What those did who aren't spoken to any more.
    pub(crate) faults: Vec<Fault>,
}

impl Asked {
    /// Says of those who aren't spoken to any more what they did.
    pub(crate) fn blame(faults: Vec<Fault>, error: FetchError) -> FetchError {
        let mut all = faults;
        match error {
            FetchError::NoProvider { cid } if !all.is_empty() => {
                FetchError::Nowhere { cid, faults: all }
            }
            FetchError::Nowhere { cid, faults } => {
                all.extend(faults);
                FetchError::Nowhere { cid, faults: all }
            }
            error => error,
        }
    }
}

/// Fetches what is ahead on a walk, as far as there is somebody who gives DAGs. The block that comes next is found by Bitswap,
/// which knows whom to ask. Who gave it is asked for the rest first, and then others who speak this. What one leaves out, the next
/// is asked for.
pub(crate) async fn whole(peers: Peers, mut walk: Walk, out: mpsc::Sender<Block>) -> Asked {
    let mut asking = Asking {
        peers,
        failures: HashMap::new(),
        faults: Vec::new(),
    };
    let ended = asking.go(&mut walk, &out).await;
    Asked {
        walk,
        ended,
        faults: asking.faults,
    }
}

struct Asking {
    peers: Peers,
    failures: HashMap<PeerId, u32>,
    /// Of those who aren't spoken to any more.
    faults: Vec<Fault>,
}

impl Asking {
    async fn go(
        &mut self,
        walk: &mut Walk,
        out: &mpsc::Sender<Block>,
    ) -> Result<Whole, FetchError> {
        while let Some(next) = walk.next_cid() {
            let (from, block) = self.peers.find(next).await?;
            walk.give(&block)?;
            hand_over(out, block).await?;
            // One leaf isn't worth a stream.
            let ahead = walk.upcoming(2);
            if ahead.len() > 1 || ahead.iter().any(|cid| cid.codec() != RAW) {
                let has_given = self.ask_all(from, walk, out).await?;
                if !has_given {
                    return Ok(Whole::Rest);
                }
            }
        }
        Ok(Whole::Through)
    }

    /// Asks one after the other, and returns whether anything came of it.
    async fn ask_all(
        &mut self,
        first: PeerId,
        walk: &mut Walk,
        out: &mpsc::Sender<Block>,
    ) -> Result<bool, FetchError> {
        let givers = self.peers.givers(first).await?;
        for giver in givers {
            if self.failures.get(&giver.id).copied().unwrap_or(0) < FAILURES_MAX {
                let has_given = self.ask(&giver, walk, out).await?;
                if has_given || walk.next_cid().is_none() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Asks one, again and again as long as it has more. Returns whether anything came.
    async fn ask(
        &mut self,
        giver: &DagGiver,
        walk: &mut Walk,
        out: &mpsc::Sender<Block>,
    ) -> Result<bool, FetchError> {
        let mut has_given = false;
        loop {
            let mut stream = match self.peers.open(giver.id).await? {
                Ok(stream) => stream,
                Err(why) => {
                    if why == NoStream::Unsupported {
                        self.peers.gives_no_dags(giver.id).await?;
                        self.failures.insert(giver.id, FAILURES_MAX);
                    }
                    *self.failures.entry(giver.id).or_default() += 1;
                    return Ok(has_given);
                }
            };
            let (taken, count) = take(&mut stream, walk, out, giver).await;
            has_given |= count > 0;
            let failures = self.failures.entry(giver.id).or_default();
            match taken {
                Ok(End::Through) => return Ok(true),
                Ok(End::ForNow) if count > 0 => {}
                Ok(End::ForNow | End::Lacking) => {
                    *failures = FAILURES_MAX;
                    return Ok(has_given);
                }
                Ok(End::Silent | End::Broke) => {
                    *failures += 1;
                    return Ok(has_given);
                }
                Err(Unfit::Walk(error)) => return Err(error),
                // That may be right, but then asking for each block once is cheaper.
                Err(Unfit::Sender(What::Repeated)) => {
                    *failures = FAILURES_MAX;
                    return Ok(has_given);
                }
                Err(Unfit::Sender(what)) => {
                    *failures = FAILURES_MAX;
                    let provider = giver.id.to_string().into();
                    self.faults.push(Fault {
                        provider,
                        what: what.clone(),
                    });
                    self.peers.part_with(giver.id, what).await?;
                    return Ok(has_given);
                }
            }
        }
    }
}

async fn hand_over(out: &mpsc::Sender<Block>, block: Block) -> Result<(), FetchError> {
    out.send(block).await.map_err(|_| FetchError::Stopped)
}
