//! Whether a round holds under a chain's public key.

use drand_verify::{G1Pubkey, G2PubkeyFastnet, G2PubkeyRfc, InvalidPoint, Pubkey};
use sha2::{Digest, Sha256};

use crate::bindings::exports::homestar::random::beacon::{self, Error, Round};

/// Length of the hash that names a chain.
const HASH_BYTES: usize = 32;

/// The first byte of the point at infinity, as a public key. Every signature would hold under it.
const INFINITY: u8 = 0xc0;

/// A chain whose parameters are some: a key for its scheme.
pub(crate) struct Chain {
    key: Key,
    is_chained: bool,
}

/// A public key, by the group it is in and how messages are hashed to the other.
enum Key {
    G1(G1Pubkey),
    /// As an early network did, by mistake with the other group's label.
    G2Fastnet(G2PubkeyFastnet),
    G2Rfc(G2PubkeyRfc),
}

impl Chain {
    pub(crate) fn new(chain: &beacon::Chain) -> Result<Self, Error> {
        if unhex(&chain.hash).is_none_or(|hash| hash.len() != HASH_BYTES) {
            let text = format!("the hash `{}` is not 64 hexadecimal digits", chain.hash);
            return Err(Error::Chain(text));
        }
        let key = unhex(&chain.public_key);
        let key = key.ok_or_else(|| Error::Chain("the public key is not hexadecimal".into()))?;
        if key.first() == Some(&INFINITY) {
            return Err(Error::Chain(
                "the public key is the point at infinity".into(),
            ));
        }
        let parsed = match &*chain.scheme {
            "pedersen-bls-chained" | "pedersen-bls-unchained" => {
                G1Pubkey::from_variable(&key).map(Key::G1)
            }
            "bls-unchained-on-g1" => G2PubkeyFastnet::from_variable(&key).map(Key::G2Fastnet),
            "bls-unchained-g1-rfc9380" => G2PubkeyRfc::from_variable(&key).map(Key::G2Rfc),
            scheme => {
                let text = format!(
                    "the scheme `{scheme}` is none of pedersen-bls-chained, \
                     pedersen-bls-unchained, bls-unchained-on-g1 and bls-unchained-g1-rfc9380"
                );
                return Err(Error::Chain(text));
            }
        };
        let key = parsed.map_err(|error| {
            Error::Chain(match error {
                InvalidPoint::InvalidLength { expected, actual } => format!(
                    "the public key has {actual} bytes, and {expected} in the scheme {}",
                    chain.scheme
                ),
                InvalidPoint::DecodingError {} => "the public key is no point".into(),
            })
        })?;
        let is_chained = chain.scheme == "pedersen-bls-chained";
        Ok(Self { key, is_chained })
    }

    /// Whether a round is signed together with the signature before it.
    pub(crate) fn is_chained(&self) -> bool {
        self.is_chained
    }

    /// Checks a round: its signature, and that its value is the hash of that.
    pub(crate) fn verify(&self, round: &Round) -> Result<(), Error> {
        if !self.is_chained && !round.previous.is_empty() {
            let text = "the round has a signature before it, but the scheme is not chained";
            return Err(Error::Malformed(text.into()));
        }
        let (number, previous) = (round.number, &*round.previous);
        let signed = match &self.key {
            Key::G1(key) => key.verify(number, previous, &round.signature),
            Key::G2Fastnet(key) => key.verify(number, previous, &round.signature),
            Key::G2Rfc(key) => key.verify(number, previous, &round.signature),
        };
        // A signature that is no point is none.
        let signed = signed.unwrap_or(false);
        if !signed || *Sha256::digest(&round.signature) != *round.randomness {
            return Err(Error::Forged);
        }
        Ok(())
    }
}

/// The bytes of a text in hexadecimal.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        &[high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    });
    pairs.collect()
}
