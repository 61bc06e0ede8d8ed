//! What a node says of itself.

use std::sync::atomic::Ordering;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use super::super::{Counts, PeerAddress, PeerStatus, PeersStatus, Reached};
use super::Actor;

impl Actor {
    pub(super) fn status(&mut self) -> PeersStatus {
        let kad = &mut self.swarm.behaviour_mut().kad;
        self.counts.table = kad.kbuckets().map(|bucket| bucket.num_entries()).sum();
        let id = *self.swarm.local_peer_id();
        let listeners = self.swarm.listeners();
        let mut addresses: Vec<_> = listeners
            .map(|address| PeerAddress::new(address.clone(), id))
            .collect();
        addresses.sort_by_key(ToString::to_string);
        let ids: Vec<PeerId> = self.known.keys().copied().collect();
        let peers = ids.iter().filter_map(|id| self.peer(id)).collect();
        PeersStatus {
            id,
            addresses,
            peers,
            wanted: self.waiting.len(),
            reached: self.reached(),
            counts: self.counts(),
        }
    }

    fn peer(&mut self, id: &PeerId) -> Option<PeerStatus> {
        let score = self.score(id).round() as i64;
        let known = self.known.get(id)?;
        let (_, endpoint) = self.connections.get(id)?.first()?;
        Some(PeerStatus {
            id: *id,
            address: endpoint.get_remote_address().clone(),
            is_incoming: endpoint.is_listener(),
            agent: known.agent.clone(),
            rtt: known.rtt,
            came_bytes: known.came_bytes.load(Ordering::Relaxed),
            went_bytes: known.went_bytes.load(Ordering::Relaxed),
            score,
        })
    }

    fn reached(&self) -> Reached {
        let addresses = self.swarm.external_addresses();
        let mut addresses: Vec<Multiaddr> = addresses
            .filter(|address| !address.iter().any(|part| part == Protocol::P2pCircuit))
            .cloned()
            .collect();
        addresses.sort_by_key(ToString::to_string);
        Reached {
            is_in_vain: self.is_in_vain && addresses.is_empty(),
            addresses,
            relays: self.relays.held(),
        }
    }

    fn counts(&self) -> Counts {
        let protocols = self.swarm.behaviour();
        Counts {
            records: self.others.count(),
            provided: self.telling.count(),
            topics: protocols.gossip.topics().count(),
            gossips: protocols.gossip.all_mesh_peers().count(),
            shunned: self.scores.shunned(),
            ..self.counts.clone()
        }
    }
}
