//! Gossip about receipts: who says that there are some, and what is remembered of it.
//!
//! A message names receipts with their instructions, of its author's own. What is in a receipt, and whether there is one, is found out
//! when somebody needs it, so a message costs whoever passes it on nothing but to read it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use homestar_core::ipld::{self, Cid, DAG_CBOR, Link, SHA2_256};
use homestar_core::receipt::Receipt;
use homestar_core::task::Instruction;
use homestar_net::{GOSSIP_BYTES_MAX, Hint, Listener, PeerId, Topic, Verdict};

use crate::Believed;

/// Receipts that one message names. Two CIDs have some 84 bytes as DAG-CBOR, and a message has 4 KiB.
pub(crate) const NAMED_MAX: usize = 48;
/// Receipts that are remembered. The oldest are forgotten first; some 4 MiB.
const REMEMBERED_MAX: usize = 16 << 10;

/// An instruction and its receipt.
pub(crate) type Named = (Link<Instruction>, Link<Receipt>);

/// See the module.
#[derive(Debug, Default)]
pub struct Heard {
    believed: Believed,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    receipts: HashMap<Cid, (Link<Receipt>, PeerId)>,
    /// The instructions, in the order in which they were heard of.
    order: VecDeque<Cid>,
}

impl Heard {
    /// Remembers what those say who are believed. What others say is passed on.
    pub fn of_believed(believed: Believed) -> Self {
        Self {
            believed,
            known: Mutex::default(),
        }
    }

    /// Returns what was heard of these instructions.
    pub fn of(&self, ran: &[Link<Instruction>]) -> Vec<Hint> {
        let known = self.known();
        ran.iter()
            .filter_map(|ran| {
                let (receipt, author) = known.receipts.get(ran.cid())?;
                Some((*ran, *receipt, *author))
            })
            .collect()
    }

    /// How many receipts are remembered.
    pub fn count(&self) -> usize {
        self.known().order.len()
    }

    fn remember(&self, author: PeerId, named: Vec<Named>) {
        let mut known = self.known();
        for (ran, receipt) in named {
            let ran = *ran.cid();
            if known.receipts.insert(ran, (receipt, author)).is_none() {
                known.order.push_back(ran);
            }
            if known.order.len() > REMEMBERED_MAX
                && let Some(oldest) = known.order.pop_front()
            {
                known.receipts.remove(&oldest);
            }
        }
    }

    /// Nothing panics while it holds the lock.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Heard {
    fn told(&self, _: PeerId, _: Vec<u8>) {}

    fn takes_messages(&self) -> bool {
        false
    }

    fn heard(&self, topic: Topic, from: PeerId, message: &[u8]) -> Verdict {
        if topic != Topic::Receipts {
            return Verdict::Ignore;
        }
        let Some(named) = read(message) else {
            return Verdict::Reject;
        };
        if self.believed.is_peer(&from) {
            self.remember(from, named);
        }
        Verdict::Accept
    }
}

/// Writes a message that names receipts, of which there may be [`NAMED_MAX`].
pub(crate) fn write(named: &[Named]) -> Option<Vec<u8>> {
    let bytes = ipld::encode(named).ok()?;
    (bytes.len() <= GOSSIP_BYTES_MAX).then_some(bytes)
}

/// Reads one. What isn't written as [`write`] does is none.
fn read(message: &[u8]) -> Option<Vec<Named>> {
    let named: Vec<Named> = ipld::decode(message).ok()?;
    let is_ours = |cid: &Cid| {
        u64::from(cid.version()) == 1 && cid.codec() == DAG_CBOR && cid.hash().code() == SHA2_256
    };
    let all_ours = named
        .iter()
        .all(|(ran, receipt)| is_ours(ran.cid()) && is_ours(receipt.cid()));
    (all_ours && (1..=NAMED_MAX).contains(&named.len())).then_some(named)
}

#[cfg(test)]
mod tests {
    use homestar_core::ipld::{Ipld, cid_of, cid_of_raw};
    use homestar_core::key::SigningKey;
    use homestar_net::peer_of;
    use proptest::prelude::*;

    use super::*;

    fn named(count: usize, salt: u8) -> Vec<Named> {
        let cid = |at: usize, kind: u8| {
            let mut bytes = at.to_be_bytes().to_vec();
            bytes.extend([kind, salt]);
            cid_of(DAG_CBOR, &bytes)
        };
        let one = |at| (Link::new(cid(at, 0)), Link::new(cid(at, 1)));
        (0..count).map(one).collect()
    }

    fn believed() -> (Believed, PeerId) {
        let did = SigningKey::from_seed(&[1; 32]).did();
        (Believed::new([did]), peer_of(&did).unwrap())
    }

    #[test]
    fn the_largest_message_fits_and_is_read() {
        let all = named(NAMED_MAX, 0);
        let message = write(&all).unwrap();
        assert_eq!(read(&message), Some(all));
        assert_eq!(read(&ipld::encode(&named(NAMED_MAX + 1, 0)).unwrap()), None);
        assert_eq!(read(&ipld::encode(&named(0, 0)).unwrap()), None);
    }

    #[test]
    fn only_those_who_are_believed_are_remembered_and_all_are_passed_on() {
        let (believed, friend) = believed();
        let heard = Heard::of_believed(believed);
        let all = named(3, 0);
        let message = write(&all).unwrap();
        let stranger = PeerId::random();
        let pass = |from| heard.heard(Topic::Receipts, from, &message);
        assert_eq!(pass(stranger), Verdict::Accept);
        assert_eq!(heard.count(), 0);
        assert_eq!(pass(friend), Verdict::Accept);
        let hints = heard.of(&[all[1].0]);
        assert_eq!(hints, [(all[1].0, all[1].1, friend)]);
        let nonsense = heard.heard(Topic::Receipts, friend, b"nonsense");
        assert_eq!(nonsense, Verdict::Reject);
        let other = heard.heard(Topic::Announcements, friend, b"anything");
        assert_eq!(other, Verdict::Ignore);
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let (believed, friend) = believed();
        let heard = Heard::of_believed(believed);
        let old = named(1, 0);
        heard.remember(friend, old.clone());
        heard.remember(friend, named(REMEMBERED_MAX, 1));
        assert_eq!(heard.count(), REMEMBERED_MAX);
        assert_eq!(heard.of(&[old[0].0]), []);
        assert_eq!(heard.known().receipts.len(), REMEMBERED_MAX);
    }

    #[test]
    fn names_of_another_kind_are_none() {
        let raw: Named = (
            Link::new(cid_of_raw(b"a")),
            Link::new(cid_of(DAG_CBOR, b"b")),
        );
        assert_eq!(read(&ipld::encode(&[raw]).unwrap()), None);
        let text = ipld::encode(&Ipld::String("receipt".into())).unwrap();
        assert_eq!(read(&text), None);
    }

    proptest! {
        #[test]
        fn no_message_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
        }
    }
}
