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
}
