//! Peers to which a connection should always be: again and again, after longer and longer.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use libp2p::{Multiaddr, PeerId};

use super::PeerAddress;

const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Redial(HashMap<PeerId, Kept>);

#[derive(Debug)]
struct Kept {
    addresses: Vec<Multiaddr>,
    state: State,
    /// After how long it is tried the next time.
    pause: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is connected, or a connection is being made.
    Busy,
    /// Not before then. None is now.
    Due(Option<Instant>),
}

impl Redial {
    pub(super) fn new(peers: &[PeerAddress]) -> Self {
        let mut all = Self::default();
        for peer in peers {
            let kept = all.0.entry(peer.id()).or_insert_with(|| Kept {
                addresses: Vec::new(),
                state: State::Due(None),
                pause: FIRST,
            });
            kept.addresses.push(peer.address().clone());
        }
        all
    }

    /// To whom a connection should be made now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let mut due = Vec::new();
        for (id, kept) in &mut self.0 {
            if let State::Due(at) = kept.state
                && at.is_none_or(|at| at <= now)
            {
                kept.state = State::Busy;
                due.push((*id, kept.addresses.clone()));
            }
        }
        due
    }

    /// There is a connection.
    pub(super) fn connected(&mut self, id: &PeerId) {
        if let Some(kept) = self.0.get_mut(id) {
            kept.state = State::Busy;
            kept.pause = FIRST;
        }
    }

    /// No connection came about, or it ended.
    pub(super) fn failed(&mut self, id: &PeerId, now: Instant) {
        if let Some(kept) = self.0.get_mut(id)
            && kept.state == State::Busy
        {
            kept.state = State::Due(Some(now + kept.pause));
            kept.pause = (kept.pause * 2).min(LAST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_become_longer_until_it_works() {
        let id = PeerId::random();
        let place: Multiaddr = "/memory/1".parse().unwrap();
        let mut redial = Redial::new(&[PeerAddress::new(place, id)]);
        let mut now = Instant::now();
        assert_eq!(redial.due(now).len(), 1);
        assert_eq!(redial.due(now).len(), 0);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            redial.failed(&id, now);
            now += Duration::from_secs(seconds) - Duration::from_millis(1);
            assert_eq!(redial.due(now).len(), 0, "{seconds}");
            now += Duration::from_millis(1);
            assert_eq!(redial.due(now).len(), 1, "{seconds}");
        }
        redial.connected(&id);
        redial.failed(&id, now);
        assert_eq!(redial.due(now + FIRST).len(), 1);
        redial.failed(&PeerId::random(), now);
    }
}
