//! What is known of nodes that may run tasks: what they say of themselves, and how they did.

use std::collections::BTreeMap;
use std::time::Duration;

use super::announcement::Announcement;
use crate::schedule::Timestamp;
use crate::ucan::Did;

/// Nodes that are remembered.
const WORKERS_MAX: usize = 4096;
/// After this, a failure counts half.
const HALVED_AFTER_MS: u64 = 60_000;
/// Failures count up to this.
const FAILURES_MAX: u64 = 64;

/// A node that may run tasks.
#[derive(Clone, Debug, Default)]
pub struct Worker {
    /// What it said last, and until when that is believed.
    pub announcement: Option<(Announcement, Timestamp)>,
    failures: u64,
    failed_at: Timestamp,
    rests_until: Timestamp,
    has_lied: bool,
}

impl Worker {
    /// What it says of itself, if that is still good.
    pub fn says(&self, now: Timestamp) -> Option<&Announcement> {
        let (announcement, until) = self.announcement.as_ref()?;
        (*until > now).then_some(announcement)
    }

    /// How often it failed lately.
    pub fn failures(&self, now: Timestamp) -> u64 {
        let halvings = now.0.saturating_sub(self.failed_at.0) / HALVED_AFTER_MS;
        let halvings = u32::try_from(halvings).unwrap_or(u32::MAX);
        self.failures.checked_shr(halvings).unwrap_or(0)
    }

    /// Until when it isn't asked.
    pub fn rests_until(&self) -> Timestamp {
        self.rests_until
    }

    /// Whether it said something that can't be true. Such a one is never asked again.
    pub fn has_lied(&self) -> bool {
        self.has_lied
    }
}

/// All of them. There are at most 4,096: of more, those go that nothing was heard of for longest.
#[derive(Clone, Debug, Default)]
pub struct Workers {
    known: BTreeMap<Did, Worker>,
}

impl Workers {
    /// Knowing nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what was said by whoever signed it. False if that was known, or older than what was.
    pub fn heard(&mut self, announcement: Announcement, lasts: Duration, now: Timestamp) -> bool {
        let who = announcement.who;
        let before = self.known.get(&who).and_then(|it| it.announcement.as_ref());
        if before.is_some_and(|(before, _)| !announcement.is_after(before)) {
            return false;
        }
        let worker = self.know(who, now);
        worker.announcement = Some((announcement, now.after(lasts)));
        true
    }

    /// Remembers somebody, whatever it can do.
    pub fn know(&mut self, who: Did, now: Timestamp) -> &mut Worker {
        if !self.known.contains_key(&who) && self.known.len() >= WORKERS_MAX {
            self.forget_one(now);
        }
        self.known.entry(who).or_default()
    }

    fn forget_one(&mut self, now: Timestamp) {
        // Liars are kept, or lying would pay: they would be asked again as soon as they are forgotten.
        let heard = |worker: &Worker| {
            let until = worker.announcement.as_ref().map(|(_, until)| *until);
            (worker.has_lied, until, worker.rests_until.max(now))
        };
        let oldest = self.known.iter().min_by_key(|(_, worker)| heard(worker));
        if let Some(who) = oldest.map(|(who, _)| *who) {
            self.known.remove(&who);
        }
    }

    /// Returns what is known of somebody.
    pub fn get(&self, who: &Did) -> Option<&Worker> {
        self.known.get(who)
    }

    /// All who are known.
    pub fn iter(&self) -> impl Iterator<Item = (&Did, &Worker)> {
        self.known.iter()
    }

    /// It is not to be asked until then.
    pub fn rest(&mut self, who: Did, until: Timestamp, now: Timestamp) {
        let worker = self.know(who, now);
        worker.rests_until = worker.rests_until.max(until);
    }

    /// It didn't do what it said.
    pub fn failed(&mut self, who: Did, now: Timestamp) {
        let worker = self.know(who, now);
        worker.failures = (worker.failures(now) + 1).min(FAILURES_MAX);
        worker.failed_at = now;
    }

    /// It said what can't be true.
    pub fn lied(&mut self, who: Did, now: Timestamp) {
        self.know(who, now).has_lied = true;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::announcement::Room;
    use super::*;
    use crate::key::SigningKey;

    fn said(number: u64, seq: u64) -> Announcement {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&number.to_le_bytes());
        Announcement {
            who: SigningKey::from_seed(&seed).did(),
            epoch: 1,
            seq,
            until: 0,
            room: Room::default(),
            effects: BTreeMap::new(),
            price: 0,
            addresses: Vec::new(),
        }
    }

    const LASTS: Duration = Duration::from_secs(60);

    #[test]
    fn what_was_said_before_is_not_believed_again() {
        let mut workers = Workers::new();
        let who = said(1, 0).who;
        assert!(workers.heard(said(1, 5), LASTS, Timestamp(0)));
        assert!(!workers.heard(said(1, 5), LASTS, Timestamp(50_000)));
        assert!(!workers.heard(said(1, 4), LASTS, Timestamp(50_000)));
        let worker = workers.get(&who).expect("known");
        assert!(worker.says(Timestamp(59_999)).is_some());
        assert_eq!(worker.says(Timestamp(60_000)), None);
    }

    #[test]
    fn failures_fade_and_lies_do_not() {
        let mut workers = Workers::new();
        let who = said(1, 0).who;
        for _ in 0..4 {
            workers.failed(who, Timestamp(0));
        }
        workers.lied(who, Timestamp(0));
        let worker = workers.get(&who).expect("known");
        let failures = [0, 60_000, 120_000, u64::MAX].map(|at| worker.failures(Timestamp(at)));
        assert_eq!(failures, [4, 2, 1, 0]);
        assert!(worker.has_lied());
    }

    #[test]
    fn there_are_not_too_many() {
        let mut workers = Workers::new();
        let liar = said(0, 0).who;
        workers.lied(liar, Timestamp(0));
        for number in 1..=WORKERS_MAX as u64 + 8 {
            workers.heard(said(number, 1), LASTS, Timestamp(number));
        }
        assert_eq!(workers.iter().count(), WORKERS_MAX);
        assert!(workers.get(&liar).is_some());
        assert!(workers.get(&said(1, 0).who).is_none());
    }
}
