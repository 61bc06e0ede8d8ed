//! What a node says it can do, signed: a UCAN invocation that states it of itself, as receipts do.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::ipld::{Cid, FieldError, Fields, Ipld};
use crate::key::SigningKey;
use crate::ucan::invocation::Payload;
use crate::ucan::token::TokenError;
use crate::ucan::{Did, Invocation};

/// The command of every announcement.
const COMMAND: &str = "/homestar/announce";
/// Bytes of one, signature included: it is told to everybody.
pub const ANNOUNCEMENT_BYTES_MAX: usize = 4 << 10;
/// The longest time for which one may be good, in seconds.
const LASTS_MAX: i64 = 10 * 60;
/// Effects that are told of.
const EFFECTS_MAX: usize = 32;
/// Addresses that are told of.
const ADDRESSES_MAX: usize = 8;

/// What a node has, and what of it is free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Tasks that it runs at a time.
    pub jobs: u64,
    /// Tasks that run.
    pub running: u64,
    /// Tasks that wait.
    pub waiting: u64,
    /// Bytes of memory that one task may use.
    pub memory: u64,
    /// Fuel that a task burns in a second, roughly.
    pub fuel_rate: u64,
}

/// What a node says it can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Who says so, and would sign the receipts.
    pub who: Did,
    /// Which life of the node this is: a later one has a higher number.
    pub epoch: u64,
    /// The how many-th of this life.
    pub seq: u64,
    /// Until when it is good, in seconds since 1970.
    pub until: i64,
    /// What there is room for.
    pub room: Room,
    /// The effects that tasks may use there: interface and component.
    pub effects: BTreeMap<String, Cid>,
    /// What a second of a task costs, in whatever both sides count prices.
    pub price: u64,
    /// Where it listens, as it sees that itself: multiaddresses with its id.
    pub addresses: Vec<String>,
}

impl Announcement {
    /// Signs it, with the key of who says so.
    pub fn sign(&self, key: &SigningKey) -> Result<Vec<u8>, AnnouncementError> {
        let number = |number: u64| Ipld::Integer(number.into());
        let effects = self.effects.iter();
        let effects = effects.map(|(name, cid)| (name.clone(), Ipld::Link(*cid)));
        let addresses = self.addresses.iter().cloned();
        let room = self.room;
        let arguments = [
            ("epoch", number(self.epoch)),
            ("seq", number(self.seq)),
            ("jobs", number(room.jobs)),
            ("running", number(room.running)),
            ("waiting", number(room.waiting)),
            ("memory", number(room.memory)),
            ("fuel-rate", number(room.fuel_rate)),
            ("effects", Ipld::Map(effects.collect())),
            ("price", number(self.price)),
            (
                "addresses",
                Ipld::List(addresses.map(Ipld::String).collect()),
            ),
        ];
        let arguments = arguments.map(|(name, value)| (name.to_owned(), value));
        let command = COMMAND.parse().expect("a command");
        let mut payload = Payload::statement(self.who, command, arguments.into());
        payload.expiration = Some(self.until);
        let bytes = Invocation::sign_block(payload, key)?.bytes().to_vec();
        match bytes.len() <= ANNOUNCEMENT_BYTES_MAX {
            true => Ok(bytes),
            false => Err(AnnouncementError::TooLarge(bytes.len())),
        }
    }

    /// Reads one of anybody, with its signature. `now` is in seconds since 1970, and clocks may be `leeway` apart.
    pub fn decode(bytes: &[u8], now: i64, leeway: i64) -> Result<Self, AnnouncementError> {
        if bytes.len() > ANNOUNCEMENT_BYTES_MAX {
            return Err(AnnouncementError::TooLarge(bytes.len()));
        }
        let invocation = Invocation::decode(bytes)?;
        let payload = invocation.payload();
        let until = payload.expiration.unwrap_or(i64::MAX);
        let rules = [
            (payload.command.as_str() == COMMAND, "is an announcement"),
            (payload.issuer == payload.subject, "is about its issuer"),
            (payload.audience.is_none(), "is for everybody"),
            (payload.proofs.is_empty(), "needs no proofs"),
            (
                until <= now.saturating_add(LASTS_MAX + leeway),
                "is good for ten minutes at most",
            ),
        ];
        if let Some((_, rule)) = rules.into_iter().find(|(holds, _)| !holds) {
            return Err(AnnouncementError::Rule(rule));
        }
        if until.saturating_add(leeway) < now {
            return Err(AnnouncementError::Expired);
        }
        let mut fields = Fields::of("args", Ipld::Map(payload.arguments.clone()))?;
        let announcement = Self {
            who: payload.issuer,
            epoch: fields.unsigned("epoch")?,
            seq: fields.unsigned("seq")?,
            until,
            room: Room {
                jobs: fields.unsigned("jobs")?,
                running: fields.unsigned("running")?,
                waiting: fields.unsigned("waiting")?,
                memory: fields.unsigned("memory")?,
                fuel_rate: fields.unsigned("fuel-rate")?,
            },
            effects: effects(fields.map("effects")?)?,
            price: fields.unsigned("price")?,
            addresses: addresses(fields.list("addresses")?)?,
        };
        fields.end()?;
        Ok(announcement)
    }

    /// Tells whether this was said after another one of the same node.
    pub fn is_after(&self, other: &Self) -> bool {
        (self.epoch, self.seq) > (other.epoch, other.seq)
    }
}

fn effects(map: BTreeMap<String, Ipld>) -> Result<BTreeMap<String, Cid>, AnnouncementError> {
    if map.len() > EFFECTS_MAX {
        return Err(AnnouncementError::Rule("names 32 effects at most"));
    }
    let effects = map.into_iter().map(|(name, value)| match value {
        Ipld::Link(cid) => Ok((name, cid)),
        _ => Err(AnnouncementError::Rule("names effects by their CIDs")),
    });
    effects.collect()
}

fn addresses(list: Vec<Ipld>) -> Result<Vec<String>, AnnouncementError> {
    if list.len() > ADDRESSES_MAX {
        return Err(AnnouncementError::Rule("names 8 addresses at most"));
    }
    let addresses = list.into_iter().map(|value| match value {
        Ipld::String(text) => Ok(text),
        _ => Err(AnnouncementError::Rule("has addresses that are texts")),
    });
    addresses.collect()
}

/// Why something is no announcement, or can't become one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AnnouncementError {
    /// It isn't signed by who says so.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A field is missing, unknown or of another kind.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A rule is broken.
    #[error("an announcement {0}")]
    Rule(&'static str),
    /// It was good once.
    #[error("an announcement has expired")]
    Expired,
    /// It has too many bytes.
    #[error("an announcement of {0} bytes is larger than {ANNOUNCEMENT_BYTES_MAX}")]
    TooLarge(usize),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipld::cid_of_raw;
    use proptest::prelude::*;

    const NOW: i64 = 1_800_000_000;

    fn key() -> SigningKey {
        SigningKey::from_seed(&[1; 32])
    }

    fn announcement() -> Announcement {
        Announcement {
            who: key().did(),
            epoch: 1,
            seq: 2,
            until: NOW + 60,
            room: Room {
                jobs: 4,
                running: 1,
                waiting: 0,
                memory: 1 << 30,
                fuel_rate: 1_000_000_000,
            },
            effects: [("homestar:https/client".into(), cid_of_raw(b"https"))].into(),
            price: 0,
            addresses: vec!["/ip4/192.0.2.1/tcp/4808".into()],
        }
    }

    #[test]
    fn comes_back_and_is_small() {
        let bytes = announcement().sign(&key()).expect("signs");
        assert!(bytes.len() < 700, "{}", bytes.len());
        assert_eq!(Announcement::decode(&bytes, NOW, 60), Ok(announcement()));
    }

    #[test]
    fn it_is_good_for_a_while() {
        let bytes = announcement().sign(&key()).expect("signs");
        let rule = |now| Announcement::decode(&bytes, now, 60).map(drop);
        assert_eq!(rule(NOW + 120), Ok(()));
        assert_eq!(rule(NOW + 121), Err(AnnouncementError::Expired));
        assert!(rule(NOW - 10 * 60).is_ok());
        assert!(rule(NOW - 10 * 60 - 1).is_err());
        let endless = Announcement {
            until: NOW + 100_000,
            ..announcement()
        };
        let bytes = endless.sign(&key()).expect("signs");
        assert!(Announcement::decode(&bytes, NOW, 60).is_err());
    }

    #[test]
    fn nobody_speaks_for_somebody_else() {
        let other = SigningKey::from_seed(&[2; 32]);
        assert!(announcement().sign(&other).is_err());
        let receipt = Payload::statement(
            key().did(),
            "/ucan/assert/receipt".parse().expect("a command"),
            BTreeMap::new(),
        );
        let bytes = Invocation::sign(receipt, &key()).expect("signs");
        assert_eq!(
            Announcement::decode(bytes.block().bytes(), NOW, 60),
            Err(AnnouncementError::Rule("is an announcement"))
        );
    }

    #[test]
    fn later_lives_and_later_words_come_after() {
        let first = announcement();
        let later = Announcement {
            seq: 3,
            ..announcement()
        };
        let reborn = Announcement {
            epoch: 2,
            seq: 0,
            ..announcement()
        };
        assert!(later.is_after(&first) && reborn.is_after(&later) && !first.is_after(&first));
    }

    proptest! {
        #[test]
        fn no_flipped_byte_is_believed(at in any::<prop::sample::Index>(), with in 1u8..) {
            let mut bytes = announcement().sign(&key()).expect("signs");
            let at = at.index(bytes.len());
            bytes[at] ^= with;
            prop_assert!(Announcement::decode(&bytes, NOW, 60).is_err());
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            prop_assert!(Announcement::decode(&bytes, NOW, 60).is_err());
        }
    }
}
