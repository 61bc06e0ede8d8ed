//! How peers behave besides blocks: how much each may say, and who isn't spoken to for a while.
//!
//! gossipsub counts who passes nonsense on. What it can't see is added here: nonsense in what a peer provides, and too many
//! messages. Both together are a peer's score, as [`PeerStatus`](super::PeerStatus) shows it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use libp2p::PeerId;

/// Whose score is lower is cut off. So much is three messages of nonsense.
pub(super) const SHUNNED_BELOW: f64 = -80.0;
/// For so long. Then it may begin anew, with the score that it had.
pub(super) const SHUNNED_FOR: Duration = Duration::from_secs(10 * 60);

/// What nonsense costs: with three of them a peer is cut off.
const NONSENSE: f64 = -30.0;
/// What each message costs that is one too many.
const TOO_MANY: f64 = -1.0;
/// In so much time half of it is forgotten.
const HALF_LIFE: Duration = Duration::from_secs(5 * 60);
/// Messages that a peer may send at once, and each second. Two nodes that work for each other send some for each
/// task, and tasks may take milliseconds.
const MESSAGES: Rate = Rate {
    burst: 1_000.0,
    each_second: 500.0,
};
/// Look-ups of receipts, each of up to 256 instructions.
const ASKED: Rate = Rate {
    burst: 100.0,
    each_second: 20.0,
};
/// DAGs that a peer may ask for. Of a large one it asks again for each 256 MiB.
const DAGS: Rate = Rate {
    burst: 200.0,
    each_second: 50.0,
};
/// Messages that a peer may pass on: what ten thousand nodes say, each twice a minute.
const PASSED_ON: Rate = Rate {
    burst: 1_000.0,
    each_second: 500.0,
};
/// Messages that somebody may write. Who has more to say says it in larger ones.
const WRITTEN: Rate = Rate {
    burst: 64.0,
    each_second: 4.0,
};
/// Peers, and authors, that are remembered.
const REMEMBERED_MAX: usize = 4_096;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Scores {
    peers: HashMap<PeerId, Peer>,
    authors: HashMap<PeerId, Bucket>,
    /// Who isn't spoken to, and until when.
    shunned: HashMap<PeerId, Instant>,
}

#[derive(Debug)]
struct Peer {
    messages: Bucket,
    asked: Bucket,
    dags: Bucket,
    passed_on: Bucket,
    /// Zero or less, at that time.
    points: f64,
    at: Instant,
}

impl Scores {
    /// Tells whether a peer may send a message now.
    pub(super) fn may_tell(&mut self, id: &PeerId, now: Instant) -> bool {
        let peer = self.peer(id, now);
        let may = peer.messages.take(MESSAGES, now);
        if !may {
            peer.add(TOO_MANY, now);
        }
        may
    }

    /// Tells whether a peer may ask for receipts now.
    pub(super) fn may_ask(&mut self, id: &PeerId, now: Instant) -> bool {
        let peer = self.peer(id, now);
        let may = peer.asked.take(ASKED, now);
        if !may {
            peer.add(TOO_MANY, now);
        }
        may
    }

    /// Tells whether a peer may ask for a DAG now.
    pub(super) fn may_ask_for_dag(&mut self, id: &PeerId, now: Instant) -> bool {
        let peer = self.peer(id, now);
        let may = peer.dags.take(DAGS, now);
        if !may {
            peer.add(TOO_MANY, now);
        }
        may
    }

    /// Tells whether a peer may pass on what somebody wrote. Too much of the author's isn't the fault of who passes it on.
    pub(super) fn may_pass_on(&mut self, id: &PeerId, author: &PeerId, now: Instant) -> bool {
        let peer = self.peer(id, now);
        if !peer.passed_on.take(PASSED_ON, now) {
            peer.add(TOO_MANY, now);
            return false;
        }
        if !self.authors.contains_key(author) && self.authors.len() >= REMEMBERED_MAX {
            self.authors
                .retain(|_, bucket| bucket.now(WRITTEN, now) < WRITTEN.burst);
            if self.authors.len() >= REMEMBERED_MAX {
                return false;
            }
        }
        let bucket = self.authors.entry(*author);
        bucket
            .or_insert_with(|| WRITTEN.full(now))
            .take(WRITTEN, now)
    }

    /// A peer has sent nonsense.
    pub(super) fn blame(&mut self, id: &PeerId, now: Instant) {
        self.peer(id, now).add(NONSENSE, now);
    }

    /// What is added to a peer's score.
    pub(super) fn points(&self, id: &PeerId, now: Instant) -> f64 {
        self.peers.get(id).map_or(0.0, |peer| peer.now(now))
    }

    /// A peer isn't spoken to from now on. False if it wasn't before.
    pub(super) fn shun(&mut self, id: PeerId, now: Instant) -> bool {
        // Who floods us with peers would have us remember all of them.
        if self.shunned.len() >= REMEMBERED_MAX {
            return false;
        }
        self.shunned.insert(id, now + SHUNNED_FOR).is_none()
    }

    pub(super) fn is_shunned(&self, id: &PeerId) -> bool {
        self.shunned.contains_key(id)
    }

    /// How many aren't spoken to.
    pub(super) fn shunned(&self) -> usize {
        self.shunned.len()
    }

    /// Returns who may begin anew.
    pub(super) fn pardoned(&mut self, now: Instant) -> Vec<PeerId> {
        let over = self.shunned.extract_if(|_, until| *until <= now);
        over.map(|(id, _)| id).collect()
    }

    fn peer(&mut self, id: &PeerId, now: Instant) -> &mut Peer {
        if !self.peers.contains_key(id) && self.peers.len() >= REMEMBERED_MAX {
            self.forget(now);
        }
        self.peers.entry(*id).or_insert_with(|| Peer {
            messages: MESSAGES.full(now),
            asked: ASKED.full(now),
            dags: DAGS.full(now),
            passed_on: PASSED_ON.full(now),
            points: 0.0,
            at: now,
        })
    }

    /// Forgets half of the peers, and those of whom there is most to remember last.
    fn forget(&mut self, now: Instant) {
        let mut points: Vec<f64> = self.peers.values().map(|peer| peer.now(now)).collect();
        points.sort_by(f64::total_cmp);
        let median = points.get(points.len() / 2).copied().unwrap_or(0.0);
        let below = points.iter().filter(|points| **points < median).count();
        let mut rest = (self.peers.len() / 2).saturating_sub(below);
        self.peers.retain(|_, peer| {
            let points = peer.now(now);
            let stays = points < median || points <= median && rest > 0;
            rest -= usize::from(stays && points >= median);
            stays
        });
    }
}

impl Peer {
    fn now(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at);
        self.points * 0.5_f64.powf(passed.as_secs_f64() / HALF_LIFE.as_secs_f64())
    }

    fn add(&mut self, points: f64, now: Instant) {
        self.points = self.now(now) + points;
        self.at = now;
    }
}

/// How often something may happen.
#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: f64,
    each_second: f64,
}

impl Rate {
    fn full(self, now: Instant) -> Bucket {
        Bucket {
            left: self.burst,
            at: now,
        }
    }
}

/// How often something may happen yet.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn now(&self, rate: Rate, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        (self.left + passed * rate.each_second).min(rate.burst)
    }

    fn take(&mut self, rate: Rate, now: Instant) -> bool {
        let left = self.now(rate, now);
        let may = left >= 1.0;
        *self = Self {
            left: if may { left - 1.0 } else { left },
            at: now,
        };
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_too_much_is_not_heard_and_loses_by_it() {
        let (mut scores, now) = (Scores::default(), Instant::now());
        let (loud, quiet) = (PeerId::random(), PeerId::random());
        let heard = (0..2_000).filter(|_| scores.may_tell(&loud, now)).count();
        assert_eq!(heard, 1_000);
        assert!(scores.points(&loud, now) < SHUNNED_BELOW);
        assert!(scores.may_tell(&quiet, now));
        assert_eq!(scores.points(&quiet, now), 0.0);
        let later = now + Duration::from_secs(1);
        let heard = (0..2_000).filter(|_| scores.may_tell(&loud, later)).count();
        assert_eq!(heard, 500);
    }

    #[test]
    fn who_passes_on_too_much_of_somebody_else_is_not_to_blame() {
        let (mut scores, now) = (Scores::default(), Instant::now());
        let (peer, author) = (PeerId::random(), PeerId::random());
        let heard = (0..100).filter(|_| scores.may_pass_on(&peer, &author, now));
        assert_eq!(heard.count(), 64);
        assert_eq!(scores.points(&peer, now), 0.0);
        assert!(scores.may_pass_on(&peer, &PeerId::random(), now));
    }

    #[test]
    fn what_was_bad_is_forgotten_in_time() {
        let (mut scores, now) = (Scores::default(), Instant::now());
        let id = PeerId::random();
        (0..3).for_each(|_| scores.blame(&id, now));
        assert_eq!(scores.points(&id, now), -90.0);
        assert_eq!(scores.points(&id, now + HALF_LIFE), -45.0);
        assert!(scores.shun(id, now) && !scores.shun(id, now));
        assert_eq!(scores.pardoned(now), []);
        assert_eq!(scores.pardoned(now + SHUNNED_FOR), [id]);
        assert!(!scores.is_shunned(&id));
    }

    #[test]
    fn many_peers_take_no_more_room_and_the_worst_are_remembered() {
        let (mut scores, now) = (Scores::default(), Instant::now());
        let (worst, author) = (PeerId::random(), PeerId::random());
        scores.blame(&worst, now);
        for _ in 0..2 * REMEMBERED_MAX {
            let id = PeerId::random();
            scores.may_tell(&id, now);
            scores.may_pass_on(&worst, &id, now);
            scores.shun(id, now);
        }
        for count in [
            scores.peers.len(),
            scores.authors.len(),
            scores.shunned.len(),
        ] {
            assert!(count <= REMEMBERED_MAX, "{count}");
        }
        assert!(scores.points(&worst, now) <= NONSENSE);
        // When there is room again, others are heard.
        let later = now + Duration::from_secs(60);
        assert!(scores.may_pass_on(&worst, &author, later));
    }
}
