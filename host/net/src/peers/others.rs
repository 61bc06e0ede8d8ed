//! What other peers say they provide, and we remember for them.
//!
//! Anybody may say so. Each is remembered for a share of what there is room for, and forgotten unless they say it again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use libp2p::PeerId;
use libp2p::kad::store::{MemoryStore, RecordStore};
use libp2p::kad::{ProviderRecord, RecordKey};

/// Records that are kept for others.
const RECORDS_MAX: usize = 8 << 10;
/// Records that are kept for one of them.
const RECORDS_PER_PEER_MAX: usize = 512;
/// How long one is kept. Peers say it again every twelve hours.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Others {
    since: HashMap<(RecordKey, PeerId), Instant>,
    counts: HashMap<PeerId, usize>,
}

impl Others {
    /// Remembers it, if there is room.
    pub(super) fn take(&mut self, store: &mut MemoryStore, record: ProviderRecord, now: Instant) {
        let (key, id) = (record.key.clone(), record.provider);
        let place = (key, id);
        let is_known = self.since.contains_key(&place);
        let count = self.counts.get(&id).copied().unwrap_or(0);
        let has_room = self.since.len() < RECORDS_MAX && count < RECORDS_PER_PEER_MAX;
        if !(is_known || has_room) || store.add_provider(record).is_err() {
            return;
        }
        if self.since.insert(place, now).is_none() {
            *self.counts.entry(id).or_default() += 1;
        }
    }

    /// How many are remembered.
    pub(super) fn count(&self) -> usize {
        self.since.len()
    }

    /// Forgets what nobody said for a long time.
    pub(super) fn forget_old(&mut self, store: &mut MemoryStore, now: Instant) {
        self.since.retain(|(key, id), since| {
            let is_young = now.saturating_duration_since(*since) < KEPT;
            if !is_young {
                store.remove_provider(key, id);
                if let Some(count) = self.counts.get_mut(id) {
                    *count -= 1;
                }
            }
            is_young
        });
        self.counts.retain(|_, count| *count > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: usize, provider: PeerId) -> ProviderRecord {
        ProviderRecord::new(RecordKey::new(&number.to_be_bytes()), provider, Vec::new())
    }

    #[test]
    fn nobody_takes_all_the_room() {
        let mut store = MemoryStore::new(PeerId::random());
        let (greedy, modest) = (PeerId::random(), PeerId::random());
        let (mut others, now) = (Others::default(), Instant::now());
        for number in 0..=RECORDS_PER_PEER_MAX {
            others.take(&mut store, record(number, greedy), now);
        }
        others.take(&mut store, record(0, modest), now);
        assert_eq!(others.since.len(), RECORDS_PER_PEER_MAX + 1);
        let last = RecordKey::new(&RECORDS_PER_PEER_MAX.to_be_bytes());
        assert_eq!(store.providers(&last), []);
    }

    #[test]
    fn what_is_said_again_stays() {
        let mut store = MemoryStore::new(PeerId::random());
        let (mut others, now) = (Others::default(), Instant::now());
        let id = PeerId::random();
        others.take(&mut store, record(0, id), now);
        others.take(&mut store, record(1, id), now);
        others.take(&mut store, record(1, id), now + KEPT / 2);
        others.forget_old(&mut store, now + KEPT);
        assert_eq!(others.since.len(), 1);
        assert_eq!(store.providers(&record(0, id).key), []);
        assert_eq!(store.providers(&record(1, id).key).len(), 1);
        others.forget_old(&mut store, now + 2 * KEPT);
        assert!(others.since.is_empty() && others.counts.is_empty());
    }
}
