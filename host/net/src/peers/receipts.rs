//! Receipts that peers have: who is asked for them, in which order.
//!
//! Whoever is connected is asked for many instructions at once. For those of which nobody there has a receipt, it is
//! looked up who says that they do. What is named is fetched as blocks, from whoever has them; who named it is known,
//! so that whoever looks at it can say whose fault it is if it is none.

use std::collections::{HashMap, HashSet};

use homestar_core::ipld::{Block, Cid, Link};
use homestar_core::receipt::Receipt;
use homestar_core::task::Instruction;
use libp2p::PeerId;
use libp2p::futures::future::join_all;
use libp2p::futures::stream::{self, StreamExt};

use super::{LOOKUP_MAX, Peers};

/// Connected peers that are asked. Whoever is believed comes first.
const ASKED_MAX: usize = 8;
/// Instructions for which it is looked up who has a receipt. Each is a search that asks dozens of peers; of a workflow with
/// more, most will have the same providers, who are asked for all.
const SEARCHED_MAX: usize = 16;
/// Peers that are asked of those that say they have one.
const PROVIDERS_MAX: usize = 4;
/// Blocks that are fetched at one time.
const FETCHED_AT_ONCE: usize = 32;

/// What may be a receipt, as it came: nothing of it is known but that it has the name that a peer gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The instruction of which it should be.
    pub ran: Link<Instruction>,
    /// What came.
    pub block: Block,
    /// Who named it.
    pub named_by: PeerId,
}

/// A receipt that a peer named.
pub type Hint = (Link<Instruction>, Link<Receipt>, PeerId);

impl Peers {
    /// Looks for receipts of instructions among peers, and hands over what comes. `hints` were heard before, those of `first` are
    /// asked before others, and `searches` says whether to look also among those who aren't connected, which takes longer. `take` says whether it was what it should be: then no more is looked for of that
    /// instruction.
    pub async fn find_receipts(
        &self,
        ran: &[Link<Instruction>],
        hints: Vec<Hint>,
        first: &HashSet<PeerId>,
        searches: bool,
        take: &mut (dyn FnMut(Candidate) -> bool + Send),
    ) {
        let mut search = Search {
            peers: self,
            missing: ran.iter().map(|link| *link.cid()).collect(),
            asked: HashSet::new(),
            seen: HashSet::new(),
            take,
        };
        let mut asked = search.connected(&hints, first).await;
        asked.truncate(ASKED_MAX);
        let mut named = search.ask(&asked).await;
        named.extend(hints);
        search.fetch(named).await;
        if !searches {
            return;
        }
        let providers = search.providers(ran).await;
        let named = search.ask(&providers).await;
        search.fetch(named).await;
    }
}

struct Search<'a> {
    peers: &'a Peers,
    /// The instructions of which there is none yet.
    missing: HashSet<Cid>,
    asked: HashSet<PeerId>,
    seen: HashSet<(Cid, Cid)>,
    take: &'a mut (dyn FnMut(Candidate) -> bool + Send),
}

impl Search<'_> {
    /// Who is asked: first those who said that they have some, to whom there may be no connection yet, and of the others those
    /// first who are believed.
    async fn connected(&self, hints: &[Hint], first: &HashSet<PeerId>) -> Vec<PeerId> {
        let mut ids: Vec<PeerId> = Vec::new();
        for (_, _, author) in hints {
            if !ids.contains(author) && ids.len() < ASKED_MAX {
                ids.push(*author);
            }
        }
        let Ok(status) = self.peers.status().await else {
            return ids;
        };
        let mut others: Vec<PeerId> = status.peers.iter().map(|peer| peer.id).collect();
        others.retain(|id| !ids.contains(id));
        others.sort_by_key(|id| !first.contains(id));
        ids.extend(others);
        ids
    }

    /// Asks peers for all that is missing, and returns what they name.
    async fn ask(&mut self, ids: &[PeerId]) -> Vec<Hint> {
        let missing: Vec<Link<Instruction>> = self.missing.iter().copied().map(Link::new).collect();
        let new: Vec<PeerId> = ids
            .iter()
            .copied()
            .filter(|id| self.asked.insert(*id))
            .collect();
        let peers = self.peers;
        let of_one = |id: PeerId| {
            let missing = &missing;
            async move {
                let mut named = Vec::new();
                for some in missing.chunks(LOOKUP_MAX) {
                    let Ok(names) = peers.receipts_of(id, some.to_vec()).await else {
                        break;
                    };
                    for (ran, receipts) in some.iter().zip(names) {
                        named.extend(receipts.into_iter().map(|receipt| (*ran, receipt, id)));
                    }
                }
                named
            }
        };
        let named = join_all(new.into_iter().map(of_one)).await;
        named.into_iter().flatten().collect()
    }

    /// Fetches what was named, and hands it over.
    async fn fetch(&mut self, hints: Vec<Hint>) {
        let hints = hints.into_iter().filter(|(ran, receipt, _)| {
            self.missing.contains(ran.cid()) && self.seen.insert((*ran.cid(), *receipt.cid()))
        });
        // Several may name the same, and one may name the same for several.
        let mut of: HashMap<Cid, Vec<(Link<Instruction>, PeerId)>> = HashMap::new();
        for (ran, receipt, named_by) in hints {
            of.entry(*receipt.cid()).or_default().push((ran, named_by));
        }
        let peers = self.peers;
        let fetch = |(cid, of)| async move { (peers.fetch(cid).await, of) };
        let mut fetched = stream::iter(of)
            .map(fetch)
            .buffer_unordered(FETCHED_AT_ONCE);
        while let Some((block, of)) = fetched.next().await {
            let Ok(block) = block else { continue };
            for (ran, named_by) in of {
                let block = block.clone();
                let candidate = Candidate {
                    ran,
                    block,
                    named_by,
                };
                if self.missing.contains(ran.cid()) && (self.take)(candidate) {
                    self.missing.remove(ran.cid());
                }
            }
        }
    }

    /// Looks up who says that they have some of what is missing.
    async fn providers(&self, ran: &[Link<Instruction>]) -> Vec<PeerId> {
        let missing = ran
            .iter()
            .map(|link| *link.cid())
            .filter(|cid| self.missing.contains(cid));
        let searched = missing.take(SEARCHED_MAX);
        let found = join_all(searched.map(|cid| self.peers.providers(cid, PROVIDERS_MAX))).await;
        let mut ids = Vec::new();
        for id in found.into_iter().flatten().flatten() {
            if !ids.contains(&id) && ids.len() < ASKED_MAX {
                ids.push(id);
            }
        }
        ids
    }
}
