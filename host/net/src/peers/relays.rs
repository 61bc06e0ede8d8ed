//! Relays at which this node has room, so that others reach it through them.

use std::time::{Duration, Instant};

use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use super::PeerAddress;

const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug)]
pub(super) struct Relays(Vec<Relay>);

#[derive(Debug)]
struct Relay {
    id: PeerId,
    /// Where this node is reached through it.
    circuit: Multiaddr,
    state: State,
    pause: Duration,
}

#[derive(Debug, PartialEq)]
enum State {
    /// Room was asked for, and granted perhaps.
    Asked {
        listener: ListenerId,
        is_granted: bool,
    },
    /// Not before then. None is now.
    Due(Option<Instant>),
}

impl Relays {
    pub(super) fn new(relays: &[PeerAddress]) -> Self {
        let relay = |relay: &PeerAddress| Relay {
            id: relay.id(),
            circuit: relay.address().clone().with(Protocol::P2pCircuit),
            state: State::Due(None),
            pause: FIRST,
        };
        Self(relays.iter().map(relay).collect())
    }

    /// Asks for room, by `listen`, where it is time to.
    pub(super) fn go_on(
        &mut self,
        now: Instant,
        mut listen: impl FnMut(Multiaddr) -> Option<ListenerId>,
    ) {
        for relay in &mut self.0 {
            if let State::Due(at) = relay.state
                && at.is_none_or(|at| at <= now)
            {
                match listen(relay.circuit.clone()) {
                    Some(listener) => {
                        relay.state = State::Asked {
                            listener,
                            is_granted: false,
                        };
                    }
                    None => relay.rest(now),
                }
            }
        }
    }

    /// A relay has given room.
    pub(super) fn granted(&mut self, id: &PeerId) {
        for relay in self.0.iter_mut().filter(|relay| relay.id == *id) {
            if let State::Asked { is_granted, .. } = &mut relay.state {
                *is_granted = true;
                relay.pause = FIRST;
            }
        }
    }

    /// There is no room any more, or there was none.
    pub(super) fn closed(&mut self, closed: ListenerId, now: Instant) {
        let at = |relay: &&mut Relay| matches!(relay.state, State::Asked { listener, .. } if listener == closed);
        if let Some(relay) = self.0.iter_mut().find(at) {
            relay.rest(now);
        }
    }

    /// Where there is room.
    pub(super) fn held(&self) -> Vec<PeerId> {
        let held = |relay: &&Relay| {
            matches!(
                relay.state,
                State::Asked {
                    is_granted: true,
                    ..
                }
            )
        };
        self.0.iter().filter(held).map(|relay| relay.id).collect()
    }
}

impl Relay {
    fn rest(&mut self, now: Instant) {
        self.state = State::Due(Some(now + self.pause));
        self.pause = (self.pause * 2).min(LAST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_asked_for_again_when_it_is_gone() {
        let id = PeerId::random();
        let mut relays = Relays::new(&[PeerAddress::new("/memory/1".parse().unwrap(), id)]);
        let mut now = Instant::now();
        let listener = ListenerId::next();
        let mut asked = Vec::new();
        relays.go_on(now, |address| {
            asked.push(address.to_string());
            Some(listener)
        });
        assert_eq!(asked, [format!("/memory/1/p2p/{id}/p2p-circuit")]);
        assert_eq!(relays.held(), []);
        relays.granted(&id);
        assert_eq!(relays.held(), [id]);
        for seconds in [1, 2, 4] {
            relays.closed(listener, now);
            assert_eq!(relays.held(), []);
            now += Duration::from_secs(seconds) - Duration::from_millis(1);
            relays.go_on(now, |_| panic!("too early"));
            now += Duration::from_millis(1);
            relays.go_on(now, |_| Some(listener));
        }
        relays.closed(ListenerId::next(), now);
        relays.go_on(now, |_| panic!("it was asked for"));
    }
}
