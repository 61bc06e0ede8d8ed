//! What nodes say that they can do for others.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use homestar_core::market::{Announcement, AnnouncementError, Workers};
use homestar_net::{PeerId, Verdict, peer_of};

use super::clock::Clock;

/// How long what was said is believed.
pub(super) const LASTS: Duration = Duration::from_secs(90);
/// How far clocks may be apart, in seconds.
const LEEWAY: i64 = 60;

/// See the module.
#[derive(Debug)]
pub(crate) struct Announced {
    workers: Mutex<Workers>,
    clock: Clock,
}

impl Default for Announced {
    fn default() -> Self {
        Self {
            workers: Mutex::default(),
            clock: Clock::start(),
        }
    }
}

impl Announced {
    /// Takes in what somebody said to all. Only what its author said of itself is passed on.
    pub(crate) fn hear(&self, from: &PeerId, message: &[u8]) -> Verdict {
        let announcement = match Announcement::decode(message, now(), LEEWAY) {
            Ok(announcement) => announcement,
            // Whoever passed it on may have a clock of its own.
            Err(AnnouncementError::Expired) => return Verdict::Ignore,
            Err(_) => return Verdict::Reject,
        };
        if peer_of(&announcement.who) != Some(*from) {
            return Verdict::Reject;
        }
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        match workers.heard(announcement, LASTS, self.clock.now()) {
            true => Verdict::Accept,
            false => Verdict::Ignore,
        }
    }

    /// Returns what is still good of what was said.
    pub(crate) fn all(&self) -> Vec<Announcement> {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let said = workers.iter().filter_map(|(_, worker)| worker.says(now));
        said.cloned().collect()
    }
}

/// The time in seconds since 1970.
pub(super) fn now() -> i64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH);
    passed.map_or(0, |passed| {
        i64::try_from(passed.as_secs()).unwrap_or(i64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use homestar_core::key::SigningKey;
    use homestar_core::market::Room;

    use super::*;

    #[test]
    fn only_what_a_node_says_of_itself_now_is_believed_and_passed_on() {
        let (key, other) = (
            SigningKey::from_seed(&[1; 32]),
            SigningKey::from_seed(&[2; 32]),
        );
        let [me, they] = [&key, &other].map(|key| peer_of(&key.did()).unwrap());
        let said = |seq, until| {
            let announcement = Announcement {
                who: key.did(),
                epoch: 1,
                seq,
                until,
                room: Room::default(),
                effects: Default::default(),
                price: 0,
                addresses: Vec::new(),
            };
            announcement.sign(&key).unwrap()
        };
        let announced = Announced::default();
        let first = said(1, now() + 60);
        assert_eq!(announced.hear(&they, &first), Verdict::Reject);
        assert_eq!(announced.hear(&me, &first), Verdict::Accept);
        assert_eq!(announced.hear(&me, &first), Verdict::Ignore);
        assert_eq!(announced.hear(&me, &said(2, now() - 600)), Verdict::Ignore);
        assert_eq!(announced.hear(&me, b"garbage"), Verdict::Reject);
        assert_eq!(announced.all().len(), 1);
    }
}
