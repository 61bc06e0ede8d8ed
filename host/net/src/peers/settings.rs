//! Where a node listens, whom it knows, and how much it lets others have.

use std::collections::HashSet;
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};

use super::{PeerAddress, Topic};
use crate::bitswap::SeekerSettings;

/// Settings of [`Peers`](super::Peers).
#[derive(Clone, Debug)]
pub struct PeersSettings {
    /// Where to listen. Default nowhere: such a node reaches others, and isn't reached.
    pub listen: Vec<Multiaddr>,
    /// Peers that it connects to, again and again. Default none.
    pub peers: Vec<PeerAddress>,
    /// Peers that get what [`Served::trusted`](super::Served::trusted) has. Default none.
    pub trusted: HashSet<PeerId>,
    /// Peers to which nothing is said, and which aren't heard. Default none.
    pub blocked: HashSet<PeerId>,
    /// The only peers that are spoken to, besides `peers`, `trusted` and `relays`. Default all.
    pub allowed: Option<HashSet<PeerId>>,
    /// Relays through which others reach this node if they can't otherwise. Default none.
    pub relays: Vec<PeerAddress>,
    /// Whether others are reached through this node. Default no.
    pub is_relay: bool,
    /// Whether it tells the networks that it is in that it is there, and looks for others in them (mDNS). Default no.
    pub looks_nearby: bool,
    /// Which gossip it hears and passes on, if there is [a listener](super::Served::listener). Default none.
    pub topics: Vec<Topic>,
    /// Connections at one time. Default 256.
    pub connections_max: u32,
    /// Connections of others at one time. Default 192.
    pub incoming_max: u32,
    /// Share of the machine's memory beyond which no connection is taken. Default 0.6.
    pub memory_share_max: f64,
    /// Time in which a connection has to come about. Default 10 seconds.
    pub connect_timeout: Duration,
    /// Time after which a connection that nobody needs is closed. Default 2 minutes.
    pub idle_timeout: Duration,
    /// Time, besides that of two messages, after which another peer is asked too. Default 1 second.
    pub late_after: Duration,
    /// Time in which something has to come of what a peer was asked for. Default 20 seconds.
    pub stall_timeout: Duration,
    /// Time in which others have to tell who provides a block. Default 20 seconds.
    pub search_timeout: Duration,
}

impl Default for PeersSettings {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            peers: Vec::new(),
            trusted: HashSet::new(),
            blocked: HashSet::new(),
            allowed: None,
            relays: Vec::new(),
            is_relay: false,
            looks_nearby: false,
            topics: Vec::new(),
            connections_max: 256,
            incoming_max: 192,
            memory_share_max: 0.6,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(120),
            late_after: Duration::from_secs(1),
            stall_timeout: Duration::from_secs(20),
            search_timeout: Duration::from_secs(20),
        }
    }
}

impl PeersSettings {
    /// Whether a peer may be spoken to at all.
    pub(super) fn admits(&self, id: &PeerId) -> bool {
        let is_known = || {
            let mut known = self.peers.iter().chain(&self.relays);
            self.trusted.contains(id) || known.any(|peer| peer.id() == *id)
        };
        let is_allowed = |allowed: &HashSet<PeerId>| allowed.contains(id) || is_known();
        !self.blocked.contains(id) && self.allowed.as_ref().is_none_or(is_allowed)
    }

    pub(super) fn seeker(&self) -> SeekerSettings {
        SeekerSettings {
            late: self.late_after,
            stall: self.stall_timeout,
            rest: self.stall_timeout,
        }
    }
}
