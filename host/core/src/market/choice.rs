//! Whom to ask, and whose bid to take.
//!
//! The same task tends to the same nodes, since they are ranked by a hash of both (rendezvous hashing): there its content may
//! be already, and its receipt.

use sha2::{Digest, Sha256};

use super::announcement::Announcement;
use super::message::Bid;
use super::requester::Offer;
use super::workers::{Worker, Workers};
use crate::ipld::Cid;
use crate::schedule::Timestamp;
use crate::ucan::Did;

/// Bytes that are fetched in a millisecond, roughly: what is missing at one node is weighed by it against waiting at another.
const BYTES_PER_MS: u64 = 20_000;
/// What each failure of late counts, as milliseconds of waiting.
const FAILURE_MS: u64 = 2_000;
/// What a unit of the price counts, as milliseconds of waiting.
const PRICE_MS: u64 = 1;

/// Returns how near a node is to an instruction.
pub(super) fn rank(instruction: &Cid, who: &Did) -> u64 {
    let mut hash = Sha256::new();
    hash.update(instruction.to_bytes());
    hash.update(who.as_bytes());
    let digest = hash.finalize();
    digest[..8]
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// Tells whether a task may be offered to somebody at all, now or later.
pub(super) fn is_fit(offer: &Offer, who: &Did, worker: &Worker, now: Timestamp) -> bool {
    let is_meant = offer.on.is_empty() || offer.on.contains(who);
    let has_what_it_takes = |said: &Announcement| {
        let has = |effect: &String| said.effects.contains_key(effect);
        said.room.memory >= offer.memory && offer.effects.iter().all(has)
    };
    is_meant && !worker.has_lied() && worker.says(now).is_none_or(has_what_it_takes)
}

/// Returns whom to ask now: at most `count`, the most likely first. `not` are those that are out of question for this task.
pub(super) fn likely(
    offer: &Offer,
    workers: &Workers,
    not: impl Fn(&Did) -> bool,
    count: usize,
    now: Timestamp,
) -> Vec<Did> {
    let fit = workers.iter().filter(|(who, worker)| {
        is_fit(offer, who, worker, now) && worker.rests_until() <= now && !not(who)
    });
    let order = |who: &Did, worker: &Worker| {
        let is_full = worker.says(now).is_some_and(|said| {
            let room = said.room;
            room.running.saturating_add(room.waiting) >= room.jobs.saturating_mul(2).max(1)
        });
        // Of those that fail all the time another one is asked first, however near they are.
        let fails = worker.failures(now) > 2;
        (fails, is_full, u64::MAX - rank(&offer.instruction, who))
    };
    let mut ranked: Vec<_> = fit
        .map(|(who, worker)| (order(who, worker), *who))
        .collect();
    ranked.sort_unstable();
    ranked.into_iter().map(|(_, who)| who).take(count).collect()
}

/// Returns what a bid counts: the lower, the better.
pub(super) fn cost(bid: &Bid, worker: Option<&Worker>, now: Timestamp) -> u64 {
    let failures = worker.map_or(0, |worker| worker.failures(now));
    let parts = [
        bid.start_ms,
        bid.missing / BYTES_PER_MS,
        bid.price.saturating_mul(PRICE_MS),
        failures.saturating_mul(FAILURE_MS),
    ];
    parts.into_iter().fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipld::cid_of_raw;
    use crate::key::SigningKey;
    use std::time::Duration;

    fn did(number: u8) -> Did {
        SigningKey::from_seed(&[number; 32]).did()
    }

    fn offer(of: &[u8]) -> Offer {
        Offer::new(cid_of_raw(of), did(100))
    }

    fn workers(count: u8) -> Workers {
        let mut workers = Workers::new();
        for number in 0..count {
            workers.know(did(number), Timestamp(0));
        }
        workers
    }

    fn asked(offer: &Offer, workers: &Workers) -> Vec<Did> {
        likely(offer, workers, |_| false, 3, Timestamp(0))
    }

    #[test]
    fn the_same_task_tends_to_the_same_nodes_and_others_to_others() {
        let workers = workers(40);
        let first = asked(&offer(b"one"), &workers);
        assert_eq!(first, asked(&offer(b"one"), &workers));
        let mut all: Vec<Did> = Vec::new();
        for number in 0..60u8 {
            all.extend(asked(&offer(&[number]), &workers));
        }
        all.sort();
        all.dedup();
        assert!(all.len() > 35, "{}", all.len());
        // When somebody goes, only what it had moves.
        let mut fewer = Workers::new();
        for (who, _) in workers.iter().filter(|(who, _)| **who != first[0]) {
            fewer.know(*who, Timestamp(0));
        }
        assert_eq!(asked(&offer(b"one"), &fewer)[..2], first[1..]);
    }

    #[test]
    fn who_rests_lied_lacks_something_or_is_not_meant_is_not_asked() {
        let mut workers = workers(5);
        workers.rest(did(0), Timestamp(1), Timestamp(0));
        workers.lied(did(1), Timestamp(0));
        let said = Announcement {
            who: did(2),
            epoch: 1,
            seq: 1,
            until: 0,
            room: super::super::Room {
                jobs: 1,
                ..Default::default()
            },
            effects: Default::default(),
            price: 0,
            addresses: Vec::new(),
        };
        workers.heard(said, Duration::from_secs(1), Timestamp(0));
        let mut offer = offer(b"one");
        offer.effects = vec!["acme:weather/forecast".into()];
        let mut found = asked(&offer, &workers);
        found.sort();
        let mut expected = vec![did(3), did(4)];
        expected.sort();
        assert_eq!(found, expected);
        offer.on = vec![did(4), did(1)];
        assert_eq!(asked(&offer, &workers), [did(4)]);
    }

    #[test]
    fn a_bid_is_weighed_by_all_that_it_says_and_by_who_makes_it() {
        let bid = |start_ms, missing, price| Bid {
            ask: 0,
            bid: 0,
            start_ms,
            missing,
            price,
        };
        let cost = |bid: &Bid| super::cost(bid, None, Timestamp(0));
        assert!(cost(&bid(10, 0, 0)) < cost(&bid(20, 0, 0)));
        assert!(cost(&bid(500, 0, 0)) < cost(&bid(0, 100 << 20, 0)));
        assert!(cost(&bid(0, 0, 1)) > cost(&bid(0, 0, 0)));
        assert_eq!(cost(&bid(u64::MAX, u64::MAX, u64::MAX)), u64::MAX);
        let mut workers = workers(1);
        workers.failed(did(0), Timestamp(0));
        let unreliable = super::cost(&bid(0, 0, 0), workers.get(&did(0)), Timestamp(0));
        assert!(unreliable > cost(&bid(1_000, 0, 0)));
    }
}
