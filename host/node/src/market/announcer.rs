//! Tells all who want to know what a node can do for others.

use std::collections::BTreeMap;
use std::fmt;

use homestar_core::ipld::Cid;
use homestar_core::key::SigningKey;
use homestar_core::market::{Announcement, Room};
use homestar_core::schedule::Timestamp;
use homestar_net::{Peers, Topic, wait_for};

use super::announced::{LASTS, now};

/// How long it is from one time to the next, at most. At first it is less: nobody may be there yet who hears it.
const EVERY_MS: u64 = 25_000;
/// How long it is from the first time to the second.
const FIRST_MS: u64 = 1_000;
/// Addresses that are told.
const ADDRESSES_MAX: usize = 4;

/// See the module.
pub(super) struct Announcer {
    key: SigningKey,
    price: u64,
    peers: Peers,
    /// Later lives of a node begin later.
    epoch: u64,
    seq: u64,
    wait_ms: u64,
    due: Timestamp,
}

impl fmt::Debug for Announcer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Announcer({})", self.seq)
    }
}

impl Announcer {
    pub(super) fn new(key: SigningKey, price: u64, peers: Peers) -> Self {
        Self {
            key,
            price,
            peers,
            epoch: crate::now_ms(),
            seq: 0,
            wait_ms: FIRST_MS,
            due: Timestamp(0),
        }
    }

    /// When it is time.
    pub(super) fn due(&self) -> Timestamp {
        self.due
    }

    /// Says what there is room for. That nobody heard it is nothing to worry about.
    pub(super) fn announce(&mut self, room: Room, effects: BTreeMap<String, Cid>, at: Timestamp) {
        self.seq += 1;
        self.due = Timestamp(at.0.saturating_add(self.wait_ms));
        self.wait_ms = (self.wait_ms * 2).min(EVERY_MS);
        let status = wait_for(self.peers.status());
        let addresses = status.map(|status| status.addresses).unwrap_or_default();
        let mut addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        // Those that others may reach come first.
        addresses.sort_by_key(|address| {
            address.starts_with("/ip4/127.") || address.starts_with("/ip6/::1/")
        });
        addresses.truncate(ADDRESSES_MAX);
        let lasts = i64::try_from(LASTS.as_secs()).unwrap_or(i64::MAX);
        let mut announcement = Announcement {
            who: self.key.did(),
            epoch: self.epoch,
            seq: self.seq,
            until: now().saturating_add(lasts),
            room,
            effects,
            price: self.price,
            addresses,
        };
        let signed = announcement.sign(&self.key).or_else(|_| {
            // With too many effects to tell, it is told of none.
            announcement.effects.clear();
            announcement.sign(&self.key)
        });
        if let Ok(message) = signed {
            let _ = wait_for(self.peers.publish(Topic::Announcements, message));
        }
    }
}
