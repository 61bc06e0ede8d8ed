//! Whole DAGs: who may be asked for them, and who gets them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use libp2p::{PeerId, Stream};

use super::super::dags::{self, DagGiver, Gave};
use super::super::jobs::Done;
use super::Actor;
use crate::BlockSource;

/// Peers that are asked for one DAG, one after the other.
const GIVERS_MAX: usize = 8;
/// DAGs that are given at one time, and to one peer. Of each, two times half a MiB and a block are in memory.
const GIVING_MAX: usize = 16;
const GIVING_TO_ONE_MAX: usize = 4;
/// How many times longer than for a block is waited for somebody who says nothing: on a stream nobody else is asked meanwhile.
const PATIENCE: u32 = 3;

impl Actor {
    /// Returns whom to ask for a DAG: who gave the last block of it, unless it is known not to give any, and then others who do, the
    /// nearest first.
    pub(super) fn givers(&self, first: PeerId) -> Vec<DagGiver> {
        let is_fit = |id: &PeerId| self.seeker.dropped(id).is_none() && !self.scores.is_shunned(id);
        let mut others: Vec<_> = self
            .known
            .iter()
            .filter(|(id, known)| **id == first || known.gives_dags == Some(true))
            .filter(|(id, known)| known.gives_dags != Some(false) && is_fit(id))
            .collect();
        let unknown = Duration::from_secs(1);
        others.sort_by_key(|(id, known)| (**id != first, known.rtt.unwrap_or(unknown)));
        let giver = |(id, known): (&PeerId, &super::Known)| DagGiver {
            id: *id,
            patience: PATIENCE * self.settings.late_after + 2 * known.rtt.unwrap_or_default(),
            came: Arc::clone(&known.came_bytes),
        };
        others.into_iter().take(GIVERS_MAX).map(giver).collect()
    }

    /// Which blocks a peer gets.
    pub(super) fn blocks_for(&self, id: &PeerId) -> Arc<dyn BlockSource> {
        let source = self.source(id);
        let theirs = match self.settings.trusted.contains(id) {
            true => None,
            false => source.of_peer(id),
        };
        theirs.unwrap_or(source)
    }

    /// A peer can't be asked for DAGs.
    pub(super) fn gives_no_dags(&mut self, id: &PeerId) {
        if let Some(known) = self.known.get_mut(id) {
            known.gives_dags = Some(false);
        }
    }

    /// Gives a peer the DAG that it asks for on a stream. If it asks for too many, the stream ends, and it knows as much.
    pub(super) fn give_dag(&mut self, id: PeerId, stream: Stream, now: Instant) {
        let may = self.scores.may_ask_for_dag(&id, now);
        self.judge(id);
        let all: usize = self.giving.values().sum();
        let theirs = self.giving.get(&id).copied().unwrap_or(0);
        if !may || all >= GIVING_MAX || theirs >= GIVING_TO_ONE_MAX {
            return;
        }
        self.giving.insert(id, theirs + 1);
        self.counts.dags += 1;
        let source = self.blocks_for(&id);
        let went = Arc::clone(&self.known.entry(id).or_default().went_bytes);
        self.jobs
            .spawn(async move { Done::Gave(id, dags::give(stream, source, went).await) });
    }

    /// A DAG was given, or a part of it.
    pub(super) fn gave(&mut self, id: PeerId, gave: Gave) {
        if let Some(count) = self.giving.get_mut(&id) {
            *count -= 1;
            if *count == 0 {
                self.giving.remove(&id);
            }
        }
        if gave == Gave::Nonsense {
            self.scores.blame(&id, Instant::now());
            self.judge(id);
        }
    }
}
