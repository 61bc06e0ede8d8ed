//! Whether a value holds: the node signed for the key, and the key proves the value.

use ed25519_dalek::{Signature, VerifyingKey};

use crate::bindings::exports::homestar::random::oracle::Flaw;
use crate::bindings::homestar::random::types::Value;
use crate::ecvrf;

/// What a node signs: this text, and its public key of the VRF.
const ENDORSEMENT_LABEL: &[u8] = b"homestar vrf key 1";

/// What every `did:key` in base58 begins with.
const DID_PREFIX: &str = "did:key:z";

/// The multicodec of an Ed25519 public key, as a varint.
const ED25519: [u8; 2] = [0xed, 0x01];

/// Longest `did:key` that is read. Those of Ed25519 have 56 characters.
const DID_BYTES_MAX: usize = 512;

/// Checks that the node gives this value to `input`, and no other.
pub(crate) fn verify(input: &[u8], value: &Value) -> Result<(), Flaw> {
    let output = fixed::<{ ecvrf::OUTPUT_BYTES }>(&value.output)?;
    let proof = fixed(&value.proof)?;
    let public_key = fixed(&value.public_key)?;
    let endorsement = Signature::from_bytes(fixed(&value.endorsement)?);

    let node = node_key(&value.node).ok_or(Flaw::Node)?;
    let endorsed = [ENDORSEMENT_LABEL, public_key].concat();
    if node.verify_strict(&endorsed, &endorsement).is_err() {
        return Err(Flaw::Endorsement);
    }
    if ecvrf::verify(public_key, input, proof).as_ref() != Some(output) {
        return Err(Flaw::Proof);
    }
    Ok(())
}

/// The key that a `did:key` names: on the curve, not of low order, and in its one encoding.
fn node_key(did: &str) -> Option<VerifyingKey> {
    if did.len() > DID_BYTES_MAX {
        return None;
    }
    let bytes = bs58::decode(did.strip_prefix(DID_PREFIX)?)
        .into_vec()
        .ok()?;
    let bytes = bytes.strip_prefix(&ED25519)?.try_into().ok()?;
    let key = VerifyingKey::from_bytes(bytes).ok()?;
    let canonical = key.to_edwards().compress().as_bytes() == bytes;
    (canonical && !key.is_weak()).then_some(key)
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<&[u8; N], Flaw> {
    bytes.try_into().map_err(|_| Flaw::Size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer, SigningKey};

    const INPUT: &[u8] = b"lottery 1";

    fn did(key: &VerifyingKey) -> String {
        let bytes = [&ED25519[..], key.as_bytes()].concat();
        format!("{DID_PREFIX}{}", bs58::encode(bytes).into_string())
    }

    fn value(seed: u8) -> Value {
        let node = SigningKey::from_bytes(&[seed; 32]);
        let vrf_seed = [seed + 100; 32];
        let (proof, output) = ecvrf::prove(&vrf_seed, INPUT);
        let public_key = ecvrf::public_key(&vrf_seed);
        let endorsed = [ENDORSEMENT_LABEL, &public_key].concat();
        Value {
            output: output.into(),
            proof: proof.into(),
            public_key: public_key.into(),
            node: did(&node.verifying_key()),
            endorsement: node.sign(&endorsed).to_bytes().into(),
        }
    }

    #[test]
    fn a_value_holds_for_its_input_alone() {
        assert!(verify(INPUT, &value(1)).is_ok());
        assert!(matches!(verify(b"lottery 2", &value(1)), Err(Flaw::Proof)));
    }

    #[test]
    fn each_flaw_has_its_name() {
        type Change = fn(&mut Value, Value);
        let changes: [(Flaw, Change); 13] = [
            (Flaw::Size, |value, _| value.output.truncate(63)),
            (Flaw::Size, |value, _| value.proof.push(0)),
            (Flaw::Size, |value, _| value.public_key.clear()),
            (Flaw::Size, |value, _| value.endorsement.truncate(32)),
            (Flaw::Node, |value, _| value.node.clear()),
            (Flaw::Node, |value, _| {
                value.node = "did:web:example.com".into()
            }),
            (Flaw::Node, |value, _| value.node += "1"),
            // A key of low order, under which one signature fits every text.
            (Flaw::Node, |value, _| {
                let identity: Vec<u8> = [&ED25519[..], &[1], &[0; 31]].concat();
                value.node = format!("{DID_PREFIX}{}", bs58::encode(identity).into_string());
            }),
            (Flaw::Endorsement, |value, other| value.node = other.node),
            (Flaw::Endorsement, |value, other| {
                value.public_key = other.public_key
            }),
            (Flaw::Endorsement, |value, _| value.endorsement[0] ^= 1),
            (Flaw::Proof, |value, other| value.output = other.output),
            (Flaw::Proof, |value, other| value.proof = other.proof),
        ];
        for (at, (flaw, change)) in changes.into_iter().enumerate() {
            let mut changed = value(1);
            change(&mut changed, value(2));
            let found = verify(INPUT, &changed).unwrap_err();
            assert_eq!(format!("{found:?}"), format!("{flaw:?}"), "change {at}");
        }
    }
}
