//! The bids that an executor has made: numbers that are good once, and for a while.

use std::collections::BTreeMap;

use super::message::Ask;
use crate::schedule::Timestamp;
use crate::ucan::Did;

/// Bids that are open, by their numbers.
#[derive(Debug)]
pub(super) struct Bids {
    open: BTreeMap<u64, Open>,
    most: usize,
    each: usize,
}

/// A bid that may be taken.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) peer: Did,
    pub(super) ask: Ask,
    until: Timestamp,
}

impl Bids {
    /// Of at most `most` bids, `each` to one peer.
    pub(super) fn new(most: usize, each: usize) -> Self {
        Self {
            open: BTreeMap::new(),
            most,
            each,
        }
    }

    /// Returns the bid that answered a question which came before.
    pub(super) fn of(&self, peer: &Did, ask: u64) -> Option<u64> {
        let same = |open: &Open| open.peer == *peer && open.ask.ask == ask;
        let found = self.open.iter().find(|(_, open)| same(open));
        found.map(|(bid, _)| *bid)
    }

    /// Opens a bid under a number that nobody guesses. False if there are too many.
    pub(super) fn open(&mut self, bid: u64, peer: Did, ask: Ask, until: Timestamp) -> bool {
        let own = self.open.values().filter(|open| open.peer == peer).count();
        if self.open.len() >= self.most || own >= self.each || self.open.contains_key(&bid) {
            return false;
        }
        self.open.insert(bid, Open { peer, ask, until });
        true
    }

    /// Takes a bid that was made to a peer, if it is still good.
    pub(super) fn take(&mut self, bid: u64, peer: &Did, now: Timestamp) -> Option<Open> {
        let is_theirs = self.open.get(&bid).is_some_and(|open| open.peer == *peer);
        let open = is_theirs.then(|| self.open.remove(&bid)).flatten()?;
        (open.until > now).then_some(open)
    }

    /// Closes those that nobody took.
    pub(super) fn forget(&mut self, now: Timestamp) {
        self.open.retain(|_, open| open.until > now);
    }

    /// When the next one ends.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.open.values().map(|open| open.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipld::cid_of_raw;
    use crate::key::SigningKey;

    fn did(number: u8) -> Did {
        SigningKey::from_seed(&[number; 32]).did()
    }

    fn ask(ask: u64) -> Ask {
        Ask {
            ask,
            instruction: cid_of_raw(b"instruction"),
            requester: did(9),
            pure: true,
            memory: 0,
            time: 0,
            content: Vec::new(),
        }
    }

    #[test]
    fn a_bid_is_good_once_for_a_while_and_for_one_peer() {
        let mut bids = Bids::new(8, 8);
        let now = Timestamp(0);
        assert!(bids.open(7, did(1), ask(1), Timestamp(10)));
        assert_eq!((bids.of(&did(1), 1), bids.of(&did(2), 1)), (Some(7), None));
        assert!(bids.take(7, &did(2), now).is_none());
        assert!(bids.take(7, &did(1), now).is_some());
        assert!(bids.take(7, &did(1), now).is_none());
        assert!(bids.open(8, did(1), ask(1), Timestamp(10)));
        assert!(bids.take(8, &did(1), Timestamp(10)).is_none());
    }

    #[test]
    fn there_are_not_too_many() {
        let mut bids = Bids::new(3, 2);
        let opened = [(1, 1), (1, 2), (1, 3), (2, 4), (3, 5)]
            .map(|(peer, bid)| bids.open(bid, did(peer), ask(bid), Timestamp(bid)));
        assert_eq!(opened, [true, true, false, true, false]);
        assert_eq!(bids.deadline(), Some(Timestamp(1)));
        bids.forget(Timestamp(1));
        assert!(bids.open(5, did(3), ask(5), Timestamp(9)));
    }
}
