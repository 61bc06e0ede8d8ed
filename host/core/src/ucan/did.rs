//! Who: `did:key:z6Mk…`, a name that is its public key.

use ed25519_dalek::{PUBLIC_KEY_LENGTH, Signature, VerifyingKey};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use thiserror::Error;

use super::varsig::Algorithm;

/// What every `did:key` in base58 begins with.
const PREFIX: &str = "did:key:z";
/// The multicodec of an Ed25519 public key, as a varint.
const ED25519: [u8; 2] = [0xed, 0x01];
/// The longest text read as a DID: those of Ed25519 have 56 characters, of the largest keys in use a few
/// hundred, and base58 takes quadratic time to read.
const MAX_TEXT_BYTES: usize = 512;

/// A principal: who issues, is addressed or owns.
///
/// Holding one is proof that the key can be signed with: keys of low order, for which one signature
/// fits every message, and keys written in a second way are refused when read.
#[derive(Clone, Copy)]
pub struct Did(VerifyingKey);

impl Did {
    /// The DID of a key that we made.
    pub(crate) fn of(key: VerifyingKey) -> Self {
        Self(key)
    }

    /// The DID of an Ed25519 public key.
    pub fn from_ed25519(bytes: &[u8; PUBLIC_KEY_LENGTH]) -> Result<Self, DidError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| DidError::NotAKey)?;
        if key.is_weak() {
            return Err(DidError::WeakKey);
        }
        if key.to_edwards().compress().to_bytes() != *bytes {
            return Err(DidError::NotCanonical);
        }
        Ok(Self(key))
    }

    /// The public key's bytes.
    pub fn as_bytes(&self) -> &[u8; PUBLIC_KEY_LENGTH] {
        self.0.as_bytes()
    }

    /// The algorithm this principal signs with.
    pub fn algorithm(&self) -> Algorithm {
        Algorithm::Ed25519
    }

    /// True if the principal signed exactly this message.
    ///
    /// Signatures with a second form, or from a key of low order, don't count.
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(signature) = Signature::from_slice(signature) else {
            return false;
        };
        self.0.verify_strict(message, &signature).is_ok()
    }
}

impl FromStr for Did {
    type Err = DidError;

    fn from_str(text: &str) -> Result<Self, DidError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(DidError::TooLong);
        }
        let base58 = text.strip_prefix(PREFIX).ok_or(DidError::Method)?;
        let bytes = bs58::decode(base58)
            .into_vec()
            .map_err(|_| DidError::NotBase58)?;
        let key = bytes.strip_prefix(&ED25519).ok_or(DidError::KeyType)?;
        // Base58 is one to one, so a key has one text.
        Self::from_ed25519(key.try_into().map_err(|_| DidError::NotAKey)?)
    }
}

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&ED25519[..], self.as_bytes()].concat();
        write!(f, "{PREFIX}{}", bs58::encode(key).into_string())
    }
}

impl fmt::Debug for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Did({self})")
    }
}

impl PartialEq for Did {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Did {}

impl PartialOrd for Did {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Did {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Did {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

/// Why a text is not a DID we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DidError {
    /// The text is longer than any DID.
    #[error("a DID has at most {MAX_TEXT_BYTES} characters")]
    TooLong,
    /// Another method than `did:key`, or another base than base58.
    #[error("a DID begins with `{PREFIX}`")]
    Method,
    /// A character that base58 doesn't have. A fragment or a path behind the key is refused by this too.
    #[error("a DID's key is not in base58")]
    NotBase58,
    /// A key of another type than Ed25519.
    #[error("a DID's key is not an Ed25519 key")]
    KeyType,
    /// The bytes are not a point of the curve, or not 32.
    #[error("a DID's bytes are not an Ed25519 key")]
    NotAKey,
    /// A key of low order: one signature fits every message.
    #[error("a DID's key is weak")]
    WeakKey,
    /// A key written in another than its one form.
    #[error("a DID's key is not in its canonical form")]
    NotCanonical,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;
    use proptest::prelude::*;

    fn spell(key: &[u8]) -> String {
        format!(
            "{PREFIX}{}",
            bs58::encode([&ED25519[..], key].concat()).into_string()
        )
    }

    #[test]
    fn prints_and_reads_the_published_example() {
        // From the did:key specification.
        let text = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";
        let did: Did = text.parse().expect("a DID");
        assert_eq!(did.to_string(), text);
    }

    #[test]
    fn weak_keys_are_refused() {
        // The points of low order, in every form that decompresses.
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(spell(&identity).parse::<Did>(), Err(DidError::WeakKey));
        assert_eq!(spell(&[0; 32]).parse::<Did>(), Err(DidError::WeakKey));
        let order_8 = crate::testing::unhex(
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        );
        assert_eq!(spell(&order_8).parse::<Did>(), Err(DidError::WeakKey));
    }

    #[test]
    fn a_second_form_of_a_key_is_refused() {
        // y = p + 3: the same point as y = 3, which is on the curve and not of low order.
        let mut three = [0; 32];
        three[0] = 3;
        assert!(Did::from_ed25519(&three).is_ok());
        let mut again = [0xff; 32];
        again[0] = 0xf0;
        again[31] = 0x7f;
        assert_eq!(Did::from_ed25519(&again), Err(DidError::NotCanonical));
    }

    #[test]
    fn other_texts_are_refused() {
        let did = SigningKey::from_seed(&[1; 32]).did().to_string();
        for (text, error) in [
            (String::new(), DidError::Method),
            ("did:web:example.com".into(), DidError::Method),
            (did.to_uppercase(), DidError::Method),
            (format!("{did}#{did}"), DidError::NotBase58),
            (format!("{did} "), DidError::NotBase58),
            (spell(&[3; 31]), DidError::NotAKey),
            (
                "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169".into(),
                DidError::KeyType,
            ),
            ("z".repeat(1_000_000), DidError::TooLong),
        ] {
            assert_eq!(text.parse::<Did>(), Err(error), "{text:.80}");
        }
    }

    proptest! {
        #[test]
        fn each_key_reads_back(seed: [u8; 32]) {
            let did = SigningKey::from_seed(&seed).did();
            prop_assert_eq!(did.to_string().parse(), Ok(did));
        }

        #[test]
        fn no_text_panics(text: String, tail in "[1-9A-Za-z]{0,60}") {
            let _ = text.parse::<Did>();
            let _ = format!("{PREFIX}{tail}").parse::<Did>();
        }
    }
}
