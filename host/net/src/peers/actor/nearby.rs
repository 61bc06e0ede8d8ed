//! Peers in the same networks.

use std::collections::HashSet;

use libp2p::PeerId;

use super::Actor;

/// Connections up to which those are connected to that are seen nearby. Whoever is in our network may say that there are thousands.
const NEARBY_MAX: usize = 32;

impl Actor {
    /// Connects to those who are seen nearby. Where they are is known as long as they are seen.
    pub(super) fn look_nearby(&mut self) {
        let nearby = self.swarm.behaviour().nearby.as_ref();
        let seen = nearby.map(|nearby| nearby.discovered_nodes().copied().collect());
        let mut seen: HashSet<PeerId> = seen.unwrap_or_default();
        seen.retain(|id| !self.swarm.is_connected(id) && self.settings.admits(id));
        seen.retain(|id| self.seeker.dropped(id).is_none() && !self.scores.is_shunned(id));
        let room = NEARBY_MAX.saturating_sub(self.known.len());
        for id in seen.into_iter().take(room) {
            self.dial(id, Vec::new());
        }
    }
}
