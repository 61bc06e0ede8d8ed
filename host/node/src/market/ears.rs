//! All that a node hears of its peers besides blocks, and who takes it.

use std::sync::Arc;

use homestar_net::{Listener, PeerId, Topic, Verdict};

use super::announced::Announced;
use super::letters::Mailbox;
use crate::Heard;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Ears {
    /// Takes gossip about receipts.
    pub(crate) receipts: Option<Arc<Heard>>,
    /// Takes what nodes say that they can do.
    pub(crate) announced: Arc<Announced>,
    /// Takes messages, if any are taken.
    pub(crate) mailbox: Option<Arc<Mailbox>>,
}

impl Listener for Ears {
    fn told(&self, from: PeerId, message: Vec<u8>) {
        if let Some(mailbox) = &self.mailbox {
            mailbox.put(from, message);
        }
    }

    fn takes_messages(&self) -> bool {
        self.mailbox.is_some()
    }

    fn heard(&self, topic: Topic, from: PeerId, message: &[u8]) -> Verdict {
        match (topic, &self.receipts) {
            (Topic::Receipts, Some(receipts)) => receipts.heard(topic, from, message),
            (Topic::Announcements, _) => self.announced.hear(&from, message),
            _ => Verdict::Ignore,
        }
    }
}
