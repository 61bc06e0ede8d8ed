//! Receipts that others signed, for tasks that nobody ran here.
//!
//! ```text
//! a run ──→ Elsewhere ──→ peers: those that are connected, those that say they have one
//!               │   └───→ the node of this machine, which asks its peers
//!               └──→ checked ──→ Store, where the run finds it as it finds its own
//! ```
//!
//! Nothing is believed but what somebody signed whom the operator named. A peer that names what is no receipt of that
//! instruction, or isn't signed by its issuer, is to blame for it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use homestar_core::ipld::{Block, Cid, Ipld, Link};
use homestar_core::json;
use homestar_core::receipt::Receipt;
use homestar_core::task::Instruction;
use homestar_core::ucan::Did;
use homestar_net::{
    Candidate, LocalNode, PeerAddress, PeerId, Peers, peer_of, wait_for, wait_until,
};
use homestar_store::Record;

use crate::shared::linked;
use crate::{Heard, Source, now_ms};

/// How long others are asked for the receipts that a run wants at one time. Who is connected answers within a fraction of it,
/// and who runs the task instead loses no more.
const PATIENCE: Duration = Duration::from_secs(5);
/// Instructions for which the node of this machine is asked at one time. Their links have some 70 bytes as DAG-JSON, and a
/// request 64 KiB at most.
pub(crate) const ASKED_AT_ONCE: usize = 512;
/// Links of a value that have to be had before its receipt counts. The rest is fetched when somebody reads it.
const LINKS_MAX: usize = 16;
/// After a search that took all of this time and found nothing, nobody is asked for so long. After some in a row that found
/// nothing, only those are who are connected.
const REST: Duration = Duration::from_secs(60);
/// Searches in a row that may find nothing. A chain of a thousand tasks shouldn't wait for a thousand of them.
const MISSES_MAX: u32 = 3;

/// Whose receipts count as one's own.
#[derive(Clone, Debug, Default)]
pub struct Believed {
    signers: HashSet<Did>,
    peers: HashSet<PeerId>,
}

impl Believed {
    /// Those.
    pub fn new(signers: impl IntoIterator<Item = Did>) -> Self {
        let signers: HashSet<Did> = signers.into_iter().collect();
        let peers = signers.iter().filter_map(peer_of).collect();
        Self { signers, peers }
    }

    /// Whether there is nobody.
    pub fn is_nobody(&self) -> bool {
        self.signers.is_empty()
    }

    /// Whether the node of somebody who is believed is that peer.
    pub fn is_peer(&self, id: &PeerId) -> bool {
        self.peers.contains(id)
    }

    /// Reads what should be a receipt of an instruction, and may answer for whoever asks the same.
    pub fn check(&self, ran: &Link<Instruction>, block: &Block) -> Result<Receipt, Refusal> {
        let receipt = Receipt::decode(block.bytes()).map_err(|_| Refusal::Nonsense)?;
        let is_reusable = receipt.outcome().is_reusable() && receipt.meta().trace.is_none();
        if receipt.ran() != ran || !is_reusable {
            return Err(Refusal::Nonsense);
        }
        match self.signers.contains(receipt.issuer()) {
            // What it asks for would have to be had as well.
            true if receipt.run().is_empty() => Ok(receipt),
            true => Err(Refusal::Useless),
            false => Err(Refusal::Stranger),
        }
    }
}

/// Why something isn't taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no receipt, or not of that instruction, or none that answers for others: nobody who behaves names it.
    Nonsense,
    /// It is one, of somebody who isn't believed.
    Stranger,
    /// It is one, of a task that asks for others.
    Useless,
}

/// Who is asked.
#[derive(Debug)]
pub enum Way {
    /// Peers, of which these are connected to first.
    Peers(Peers, Vec<PeerAddress>),
    /// The node of this machine.
    Node(LocalNode),
}

/// See the module.
#[derive(Debug)]
pub struct Elsewhere {
    believed: Believed,
    source: Arc<Source>,
    ways: Vec<Way>,
    heard: Arc<Heard>,
    patience: Duration,
    state: Mutex<State>,
    taken: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    is_begun: bool,
    rests_until: Option<Instant>,
    misses: u32,
    /// Not before then is it looked among those who aren't connected.
    searches_from: Option<Instant>,
}

impl Elsewhere {
    /// Asks by these ways for receipts of those who are believed. What is found is put where `source` reads.
    pub fn new(believed: Believed, source: Arc<Source>, ways: Vec<Way>) -> Self {
        Self {
            believed,
            source,
            ways,
            heard: Arc::default(),
            patience: PATIENCE,
            state: Mutex::default(),
            taken: AtomicU64::new(0),
        }
    }

    /// With what was heard of receipts before.
    pub fn with_heard(mut self, heard: Arc<Heard>) -> Self {
        self.heard = heard;
        self
    }

    /// Whose receipts are taken.
    pub fn believed(&self) -> &Believed {
        &self.believed
    }

    /// How many receipts were taken from others.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Looks for receipts of instructions, and puts them into the store, with the instructions that are `known`. Waits, but not
    /// for long.
    pub fn look(&self, ran: &[Link<Instruction>], known: &[Arc<Instruction>]) {
        let until = Instant::now() + self.patience;
        if self.believed.is_nobody() || ran.is_empty() || self.rests() {
            return;
        }
        self.begin(until);
        let mut found = HashMap::new();
        for way in &self.ways {
            let missing = ran.iter().filter(|ran| !found.contains_key(ran.cid()));
            let missing: Vec<_> = missing.copied().collect();
            match way {
                Way::Peers(peers, _) => self.among(peers, &missing, until, &mut found),
                Way::Node(node) => self.at(node, &missing, &mut found),
            }
        }
        self.learn(!found.is_empty(), until);
        self.keep(found, known, until);
    }

    /// Puts receipts into the store. What can't be kept isn't found, and so it is run.
    fn keep(&self, found: HashMap<Cid, Receipt>, known: &[Arc<Instruction>], until: Instant) {
        let known = known.iter().map(|it| (*it.link().cid(), it.block()));
        let known: HashMap<Cid, &Block> = known.collect();
        let mut kept: Vec<(Receipt, Vec<Block>)> = Vec::new();
        for (ran, receipt) in found {
            if let Some(mut blocks) = self.value(&receipt, until) {
                blocks.extend(known.get(&ran).map(|block| (*block).clone()));
                kept.push((receipt, blocks));
            }
        }
        let at_ms = now_ms();
        let records = kept.iter().map(|(receipt, blocks)| Record {
            receipt,
            blocks,
            is_believed: true,
            at_ms,
        });
        let records: Vec<Record<'_>> = records.collect();
        if !records.is_empty() && self.source.store().record(&records).is_ok() {
            let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
            self.taken.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Notes whether it was worth the time.
    fn learn(&self, has_found: bool, until: Instant) {
        let now = Instant::now();
        let mut state = self.state();
        state.misses = if has_found { 0 } else { state.misses + 1 };
        if !has_found && now >= until {
            state.rests_until = Some(now + REST);
        }
        if state.misses >= MISSES_MAX {
            state.misses = 0;
            state.searches_from = Some(now + REST);
        }
    }

    fn rests(&self) -> bool {
        let until = self.state().rests_until;
        until.is_some_and(|until| until > Instant::now())
    }

    /// Connects to those that are to be asked first, the first time.
    fn begin(&self, until: Instant) {
        if std::mem::replace(&mut self.state().is_begun, true) {
            return;
        }
        for way in &self.ways {
            if let Way::Peers(peers, known) = way {
                for address in known {
                    // Who can't be reached isn't asked.
                    let _ = wait_until(peers.connect(address.clone()), until);
                }
            }
        }
    }

    fn among(
        &self,
        peers: &Peers,
        ran: &[Link<Instruction>],
        until: Instant,
        found: &mut HashMap<Cid, Receipt>,
    ) {
        let mut take = |candidate: Candidate| {
            match self.believed.check(&candidate.ran, &candidate.block) {
                Ok(receipt) => {
                    found.insert(*candidate.ran.cid(), receipt);
                    return true;
                }
                Err(Refusal::Nonsense) => {
                    let _ = wait_for(peers.blame(candidate.named_by));
                }
                Err(Refusal::Stranger | Refusal::Useless) => {}
            }
            false
        };
        let hints = self.heard.of(ran);
        let from = self.state().searches_from;
        let searches = from.is_none_or(|from| from <= Instant::now());
        let first = &self.believed.peers;
        let search = peers.find_receipts(ran, hints, first, searches, &mut take);
        // What came until then counts.
        let _ = wait_until(search, until);
    }

    /// Has the node of this machine look, and takes what it found.
    fn at(&self, node: &LocalNode, ran: &[Link<Instruction>], found: &mut HashMap<Cid, Receipt>) {
        let wanted: HashSet<_> = ran.iter().map(|link| *link.cid()).collect();
        for name in ran.chunks(ASKED_AT_ONCE).flat_map(|ran| named(node, ran)) {
            let Ok(block) = self.source.get(&name) else {
                continue;
            };
            let Ok(receipt) = Receipt::decode(block.bytes()) else {
                continue;
            };
            let ran = *receipt.ran();
            if wanted.contains(ran.cid())
                && let Ok(receipt) = self.believed.check(&ran, &block)
            {
                found.entry(*ran.cid()).or_insert(receipt);
            }
        }
    }

    /// Returns the blocks at which what a value links to begins. None if one isn't to be had: then the receipt is of no use
    /// here, and the task is run.
    fn value(&self, receipt: &Receipt, until: Instant) -> Option<Vec<Block>> {
        let links = linked(receipt.outcome());
        let get = |cid: &Cid| {
            if let Ok(Some(block)) = self.source.store().get(cid) {
                return Some(block);
            }
            let fetch = self.source.fetch()?;
            wait_until(fetch.block(cid), until)?.ok()
        };
        links.iter().take(LINKS_MAX).map(get).collect()
    }

    /// Nothing panics while it holds the lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns what the node of this machine names of these.
fn named(node: &LocalNode, ran: &[Link<Instruction>]) -> Vec<Cid> {
    let links = ran.iter().map(|link| Ipld::Link(*link.cid())).collect();
    let Ok(body) = json::to_string(&Ipld::List(links)) else {
        return Vec::new();
    };
    let Ok(answer) = node.ask("POST", "/v1/receipts", body.into_bytes()) else {
        return Vec::new();
    };
    read_links(&answer.body).unwrap_or_default()
}

/// Reads a list of links in DAG-JSON.
pub(crate) fn read_links(body: &[u8]) -> Option<Vec<Cid>> {
    let text = str::from_utf8(body).ok()?;
    let Ok(Ipld::List(items)) = json::parse(text) else {
        return None;
    };
    let links = items.into_iter().map(|item| match item {
        Ipld::Link(cid) => Some(cid),
        _ => None,
    });
    links.collect()
}

#[cfg(test)]
mod tests;
