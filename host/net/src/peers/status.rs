//! What people see of a node.

use std::time::Duration;

use libp2p::{Multiaddr, PeerId};

use super::PeerAddress;

/// Where a node listens, and who its peers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeersStatus {
    /// Who it is.
    pub id: PeerId,
    /// Where it listens.
    pub addresses: Vec<PeerAddress>,
    /// With whom it is connected, in the order of their ids.
    pub peers: Vec<PeerStatus>,
    /// Blocks that are wanted of peers now.
    pub wanted: usize,
    /// How others reach it.
    pub reached: Reached,
    /// What it does for others, and what it hears.
    pub counts: Counts,
}

/// How others reach a node, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Where it listens as others see it: they have tried.
    pub addresses: Vec<Multiaddr>,
    /// The relays through which it is reached.
    pub relays: Vec<PeerId>,
    /// Others have tried to reach it, and it went wrong.
    pub is_in_vain: bool,
}

/// Numbers for people who wonder what a node is at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Peers in the table in which it is looked up who provides something.
    pub table: usize,
    /// Records of who provides something that are kept for others.
    pub records: usize,
    /// What others were told that it is provided here.
    pub provided: usize,
    /// Topics that are followed.
    pub topics: usize,
    /// Peers with which gossip is exchanged.
    pub gossips: usize,
    /// Gossip that was passed on.
    pub accepted: u64,
    /// Gossip that nobody should have passed on.
    pub rejected: u64,
    /// Gossip that was old, or for which there was no time.
    pub ignored: u64,
    /// Messages that peers sent to this one.
    pub messages: u64,
    /// Look-ups of receipts for peers.
    pub lookups: u64,
    /// DAGs, or parts of some, that were given to peers.
    pub dags: u64,
    /// Peers that aren't spoken to for a while.
    pub shunned: usize,
}

/// A peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Who it is.
    pub id: PeerId,
    /// Where it is.
    pub address: Multiaddr,
    /// Whether it connected to us, and not we to it.
    pub is_incoming: bool,
    /// What it says it runs.
    pub agent: Option<String>,
    /// How long a message takes to it and back.
    pub rtt: Option<Duration>,
    /// Bytes of blocks that came from it.
    pub came_bytes: u64,
    /// Bytes of blocks that went to it.
    pub went_bytes: u64,
    /// How it behaves. Below zero it did what it shouldn't, and below -80 it isn't spoken to.
    pub score: i64,
}
