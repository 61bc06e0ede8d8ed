//! What peers say to a node, besides of blocks.
//!
//! A message goes to one peer, which says that it has it. Gossip goes to all who follow its topic, from peer to peer, and
//! each looks at it before it passes it on.

use std::fmt;

use libp2p::PeerId;
use libp2p::gossipsub::{IdentTopic, TopicHash};

/// Bytes of a message to one peer. An offer or an answer has some hundred, with its proofs some thousand.
pub const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// Bytes of a message to all who follow a topic. It names what others may fetch if they want it.
pub const GOSSIP_BYTES_MAX: usize = 4 << 10;

/// What nodes tell all who want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// What a node can do for others.
    Announcements,
    /// That there are receipts.
    Receipts,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Announcements, Self::Receipts];

    /// What it is called among peers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Announcements => "/homestar/caps/1",
            Self::Receipts => "/homestar/receipts/1",
        }
    }

    pub(super) fn of(hash: &TopicHash) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|topic| topic.name() == hash.as_str())
    }

    pub(super) fn ident(self) -> IdentTopic {
        IdentTopic::new(self.name())
    }
}

/// What becomes of gossip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is well formed and new: others get it too.
    Accept,
    /// Nobody who behaves would have sent it or passed it on. Whoever we have it from is trusted less.
    Reject,
    /// It isn't passed on, and nobody is to blame: it is old, or there is no time to look at it.
    Ignore,
}

/// Hears what peers say. It doesn't wait: what takes time is put in a queue, and what finds no room there is forgotten.
pub trait Listener: Send + Sync + fmt::Debug {
    /// A peer has sent a message, of at most [`MESSAGE_BYTES_MAX`]. It is the one that sends it: its key has been checked.
    /// This is called where all of the network waits for it to return.
    fn told(&self, from: PeerId, message: Vec<u8>);

    /// Whether there are messages for which there is somebody here. If not, none are taken.
    fn takes_messages(&self) -> bool {
        true
    }

    /// Looks at gossip, of at most [`GOSSIP_BYTES_MAX`], before it is passed on. `from` is who wrote and signed it, not who
    /// passed it on. The same message of the same author is asked about once a minute at most. It is called from several
    /// threads and may take as long as a signature takes to check.
    fn heard(&self, topic: Topic, from: PeerId, message: &[u8]) -> Verdict;
}
