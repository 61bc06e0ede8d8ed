//! What this node tells others that it provides.
//!
//! Each takes a search for those who are to be told, so few are told at one time. What nobody heard is told again when
//! there is somebody new. All of it is told again twice a day, by kad itself.

use std::collections::{HashMap, VecDeque};

use libp2p::kad::store::MemoryStore;
use libp2p::kad::{self, QueryId, QueryStats, RecordKey};

/// Searches at one time.
const RUNNING_MAX: usize = 8;
/// Things that are told.
const WAITING_MAX: usize = 16 << 10;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Telling {
    waiting: VecDeque<RecordKey>,
    running: HashMap<QueryId, RecordKey>,
    /// What nobody heard.
    unheard: Vec<RecordKey>,
    told: usize,
}

impl Telling {
    /// Tells it, in its turn.
    pub(super) fn add(&mut self, kad: &mut kad::Behaviour<MemoryStore>, key: RecordKey) {
        if self.waiting.len() + self.unheard.len() < WAITING_MAX {
            self.told += 1;
            self.waiting.push_back(key);
            self.go_on(kad);
        }
    }

    /// How many things were told, or wait for that.
    pub(super) fn count(&self) -> usize {
        self.told
    }

    /// A search ended.
    pub(super) fn told(
        &mut self,
        kad: &mut kad::Behaviour<MemoryStore>,
        query: &QueryId,
        stats: &QueryStats,
    ) {
        if let Some(key) = self.running.remove(query) {
            if stats.num_successes() == 0 {
                self.unheard.push(key);
            }
            self.go_on(kad);
        }
    }

    /// There is somebody new who can be told.
    pub(super) fn somebody_new(&mut self, kad: &mut kad::Behaviour<MemoryStore>) {
        self.waiting.extend(self.unheard.drain(..));
        self.go_on(kad);
    }

    fn go_on(&mut self, kad: &mut kad::Behaviour<MemoryStore>) {
        while self.running.len() < RUNNING_MAX
            && let Some(key) = self.waiting.pop_front()
        {
            // It fails where there is no room for more.
            if let Ok(query) = kad.start_providing(key.clone()) {
                self.running.insert(query, key);
            }
        }
    }
}
