//! Invocations that were carried out before.

use std::collections::{BTreeSet, HashMap};

use thiserror::Error;

use super::Invocation;

/// Invocations that were carried out and could be sent again.
///
/// An invocation with an empty nonce asks for what may be done twice, and is not kept: who gets it again gives
/// the receipt that there is. All others are done once. They are kept by what is signed, not by CID, until they
/// expire; one that never does can't be forgotten, so it is refused.
#[derive(Debug)]
pub struct Seen {
    until: HashMap<[u8; 32], i64>,
    by_end: BTreeSet<(i64, [u8; 32])>,
    max: usize,
}

impl Seen {
    /// Keeps at most so many invocations.
    pub fn new(invocations_max: usize) -> Self {
        Self {
            until: HashMap::new(),
            by_end: BTreeSet::new(),
            max: invocations_max,
        }
    }

    /// Notes that an invocation is carried out, or refuses it because it was. To be asked last, when it was
    /// verified at the time `now` with this `leeway`, both in seconds.
    pub fn accept(&mut self, invocation: &Invocation, now: i64, leeway: i64) -> Result<(), Replay> {
        let payload = invocation.payload();
        if payload.nonce.is_empty() {
            return Ok(());
        }
        let end = payload.expiration.ok_or(Replay::NeverExpires)?;
        while let Some(first) = self.by_end.first().copied()
            && first.0.saturating_add(leeway) < now
        {
            self.by_end.remove(&first);
            self.until.remove(&first.1);
        }
        let identity = invocation.identity();
        if self.until.contains_key(&identity) {
            return Err(Replay::Again);
        }
        if self.until.len() >= self.max {
            return Err(Replay::Full { max: self.max });
        }
        self.until.insert(identity, end);
        self.by_end.insert((end, identity));
        Ok(())
    }
}

/// Why an invocation is not carried out, though it is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Replay {
    /// It was carried out before.
    #[error("the invocation was carried out before; sign it anew with another nonce")]
    Again,
    /// It has a nonce and no end, so it would have to be kept for ever.
    #[error("the invocation has a nonce and never expires; give it an end, or no nonce")]
    NeverExpires,
    /// So many are kept that no other can be. Some expire soon.
    #[error("{max} invocations wait to expire, and no more are taken until one does")]
    Full {
        /// How many are kept.
        max: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;
    use crate::ucan::invocation::Payload;
    use crate::ucan::varsig::Algorithm;

    fn invocation(nonce: &[u8], expiration: Option<i64>) -> Invocation {
        let key = SigningKey::from_secret(Algorithm::P256, &[1; 32]).expect("a key");
        let command = "/test".parse().expect("a command");
        let payload = Payload {
            nonce: nonce.to_vec(),
            expiration,
            ..Payload::statement(key.did(), command, Default::default())
        };
        Invocation::sign(payload, &key).expect("signs")
    }

    #[test]
    fn once_until_it_expires() {
        let mut seen = Seen::new(2);
        let one = invocation(b"one", Some(100));
        assert_eq!(seen.accept(&one, 50, 60), Ok(()));
        assert_eq!(seen.accept(&one, 50, 60), Err(Replay::Again));
        assert_eq!(seen.accept(&one, 160, 60), Err(Replay::Again));
        assert_eq!(seen.accept(&invocation(b"two", Some(200)), 50, 60), Ok(()));
        let three = invocation(b"three", Some(200));
        assert_eq!(seen.accept(&three, 50, 60), Err(Replay::Full { max: 2 }));
        assert_eq!(seen.accept(&three, 161, 60), Ok(()));
        let endless = invocation(b"four", None);
        assert_eq!(seen.accept(&endless, 50, 60), Err(Replay::NeverExpires));
        for _ in 0..9 {
            assert_eq!(seen.accept(&invocation(b"", None), 50, 60), Ok(()));
        }
    }

    #[test]
    fn a_flipped_signature_makes_no_new_invocation() {
        let mut seen = Seen::new(2);
        let one = invocation(b"one", Some(100));
        let mut bytes = one.block().bytes().to_vec();
        let flipped = crate::ucan::did::flipped(&bytes[3..67]).expect("a signature");
        bytes[3..67].copy_from_slice(&flipped);
        let twin = Invocation::decode(&bytes).expect("as good");
        assert_ne!(one.cid(), twin.cid());
        assert_eq!(seen.accept(&one, 50, 60), Ok(()));
        assert_eq!(seen.accept(&twin, 50, 60), Err(Replay::Again));
    }
}
