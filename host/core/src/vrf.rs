//! Verifiable random values: a node's key decides them, nobody can choose them, and everybody can check them.
//!
//! The function is that of RFC 9381 ([`ecvrf`]). It has a key of its own, since a key that both signs and proves
//! would draw the nonces of both from one secret. A node's key of the VRF follows from its signing key, and the
//! signing key endorses it, so that a value is bound to a `did:key` that people already know.
//!
//! ```
//! use homestar_core::key::SigningKey;
//! use homestar_core::vrf::{Flaw, draw};
//!
//! let key = SigningKey::from_seed(&[7; 32]);
//! let value = draw(&key, b"lottery 1");
//! assert_eq!(value.node, key.did().to_string());
//! assert_eq!(value.verify(b"lottery 1"), Ok(()));
//! assert_eq!(value.verify(b"lottery 2"), Err(Flaw::Proof));
//! ```

pub mod ecvrf;

use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::key::SigningKey;
use crate::ucan::did::Did;

/// Hashed before a signing key's seed, the result is the seed of its VRF key.
const SEED_LABEL: &[u8] = b"homestar vrf seed 1";
/// Signed before the public key of the VRF. A token's bytes never begin so: they are a CBOR map or list.
const ENDORSEMENT_LABEL: &[u8] = b"homestar vrf key 1";
/// Length of an endorsement, a signature.
const ENDORSEMENT_BYTES: usize = 64;

/// A random value, as told: whether it holds says [`Value::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The value: 64 bytes.
    pub output: Vec<u8>,
    /// Its proof: 80 bytes.
    pub proof: Vec<u8>,
    /// The node's public key of the VRF: 32 bytes.
    pub public_key: Vec<u8>,
    /// The node, as a `did:key`.
    pub node: String,
    /// The node's signature: 64 bytes, over the text `homestar vrf key 1` and the public key of the VRF.
    pub endorsement: Vec<u8>,
}

/// Returns the value that a node gives to an input. The same input gives the same value for ever.
pub fn draw(node: &SigningKey, input: &[u8]) -> Value {
    let seed = seed(node);
    let (proof, output) = ecvrf::prove(&seed, input);
    let public_key = ecvrf::public_key(&seed);
    Value {
        output: output.into(),
        proof: proof.into(),
        endorsement: node.sign(&endorsed(&public_key)).into(),
        public_key: public_key.into(),
        node: node.did().to_string(),
    }
}

impl Value {
    /// Checks that the node gives this value to `input`, and no other.
    pub fn verify(&self, input: &[u8]) -> Result<(), Flaw> {
        let output = fixed::<{ ecvrf::OUTPUT_BYTES }>(&self.output)?;
        let proof = fixed(&self.proof)?;
        let public_key = fixed(&self.public_key)?;
        let endorsement = fixed::<ENDORSEMENT_BYTES>(&self.endorsement)?;
        let node: Did = self.node.parse().map_err(|_| Flaw::Node)?;
        if !node.has_signed(&endorsed(public_key), endorsement) {
            return Err(Flaw::Endorsement);
        }
        if ecvrf::verify(public_key, input, proof).as_ref() != Some(output) {
            return Err(Flaw::Proof);
        }
        Ok(())
    }
}

/// Why a value doesn't hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Flaw {
    /// A part has another size than it must.
    #[error("a part of the value has another size than it must")]
    Size,
    /// The node is not a `did:key`.
    #[error("the value's node is not a did:key")]
    Node,
    /// The node didn't sign for this key of the VRF.
    #[error("the value's node did not sign for its key of the VRF")]
    Endorsement,
    /// The proof doesn't prove the output for this input.
    #[error("the value's proof does not prove it for this input")]
    Proof,
}

/// The seed of a node's VRF key.
///
/// A hash with a label is enough to derive a key: the seed has a fixed length and is as random as a key must be.
fn seed(node: &SigningKey) -> Zeroizing<[u8; 32]> {
    let mut hash = Sha256::new()
        .chain_update(SEED_LABEL)
        .chain_update(*node.secret())
        .finalize();
    let seed = Zeroizing::new(std::array::from_fn(|at| hash[at]));
    hash.as_mut_slice().zeroize();
    seed
}

/// What a node signs for its key of the VRF.
fn endorsed(public_key: &[u8; ecvrf::PUBLIC_KEY_BYTES]) -> Vec<u8> {
    [ENDORSEMENT_LABEL, public_key].concat()
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<&[u8; N], Flaw> {
    bytes.try_into().map_err(|_| Flaw::Size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::unhex;
    use proptest::prelude::*;

    fn key() -> SigningKey {
        SigningKey::from_seed(&[7; 32])
    }

    #[test]
    fn keys_of_all_types_draw() {
        for algorithm in crate::ucan::varsig::Algorithm::ALL {
            let key = SigningKey::from_secret(algorithm, &[7; 32]).expect("a key");
            assert_eq!(draw(&key, b"input").verify(b"input"), Ok(()));
        }
    }

    #[test]
    fn an_input_has_one_value_for_ever() {
        // A change to labels or derivation would change every lottery ever drawn.
        let value = draw(&key(), b"lottery 1");
        assert_eq!(value.public_key, unhex(PUBLIC_KEY));
        assert_eq!(value.output, unhex(OUTPUT));
        assert_eq!(value, draw(&key(), b"lottery 1"));
        assert_ne!(value.output, draw(&key(), b"lottery 2").output);
    }

    /// Computed apart from this code, from the text of the RFC and the labels above.
    const PUBLIC_KEY: &str = "10405fe0e41b03ac9b1df5e42529a51c21746921ec58a72de0de18f6e58037f2";
    const OUTPUT: &str = "0c8d8e2aa2278fed3a1ef6bad6632cbd055bd26cee10f51d3b1ac56402bb66ba\
        373c2e0726594e572fdb090081d0badcb09baf4d4f19dfb3586b00a6d1932f58";

    #[test]
    fn the_key_is_not_the_one_that_signs() {
        let value = draw(&key(), b"");
        assert_ne!(value.public_key, key().did().as_bytes());
        assert_eq!(
            key().sign(&[b"homestar vrf key 1", &*value.public_key].concat()),
            *value.endorsement
        );
    }

    #[test]
    fn each_flaw_has_its_name() {
        type Change = fn(&mut Value, &Value);
        let value = draw(&key(), b"input");
        let other = draw(&SigningKey::from_seed(&[8; 32]), b"input");
        let changes: [(Flaw, Change); 10] = [
            (Flaw::Size, |value, _| value.output.truncate(63)),
            (Flaw::Size, |value, _| value.proof.push(0)),
            (Flaw::Size, |value, _| value.public_key.clear()),
            (Flaw::Size, |value, _| value.endorsement.truncate(32)),
            (Flaw::Node, |value, _| value.node.clear()),
            (Flaw::Node, |value, _| value.node = "did:web:a.b".into()),
            // Another node can't claim the value, nor can a node use a key that it didn't sign for.
            (Flaw::Endorsement, |value, other| {
                value.node.clone_from(&other.node)
            }),
            (Flaw::Endorsement, |value, other| {
                value.public_key.clone_from(&other.public_key);
            }),
            (Flaw::Proof, |value, other| {
                value.output.clone_from(&other.output)
            }),
            (Flaw::Proof, |value, other| {
                value.proof.clone_from(&other.proof)
            }),
        ];
        for (flaw, change) in changes {
            let mut changed = value.clone();
            change(&mut changed, &other);
            assert_eq!(changed.verify(b"input"), Err(flaw));
        }
        assert_eq!(value.verify(b"input"), Ok(()));
    }

    #[test]
    fn a_node_may_endorse_no_key_of_low_order() {
        // It would have outputs to choose from.
        let mut value = draw(&key(), b"input");
        value.public_key = std::iter::once(1).chain([0; 31]).collect();
        value.endorsement = key()
            .sign(&[ENDORSEMENT_LABEL, &value.public_key].concat())
            .into();
        assert_eq!(value.verify(b"input"), Err(Flaw::Proof));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_is_drawn_holds(seed: [u8; 32], input: Vec<u8>) {
            let value = draw(&SigningKey::from_seed(&seed), &input);
            prop_assert_eq!(value.verify(&input), Ok(()));
        }

        #[test]
        fn a_changed_byte_breaks_it(part in 0..4, at in 0usize..80, change in 1u8..) {
            let mut value = draw(&key(), b"input");
            let bytes = match part {
                0 => &mut value.output,
                1 => &mut value.proof,
                2 => &mut value.public_key,
                _ => &mut value.endorsement,
            };
            let at = at % bytes.len();
            bytes[at] ^= change;
            prop_assert!(value.verify(b"input").is_err());
        }
    }
}
