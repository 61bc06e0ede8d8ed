//! The `vrf` driver: verifiable random values under this node's key. What they are is in [`homestar_core::vrf`].

use homestar_core::key::SigningKey;
use homestar_core::vrf;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use wasmtime::component::{ComponentType, Lift, Lower};

/// The longest input. It has room for a lottery's name and round, or a hash of something larger.
pub const INPUT_BYTES_MAX: usize = 64 << 10;

/// A value: `homestar:random/types.value`.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct Value {
    /// The value: 64 bytes.
    #[serde(with = "serde_bytes")]
    pub output: Vec<u8>,
    /// Its proof: 80 bytes.
    #[serde(with = "serde_bytes")]
    pub proof: Vec<u8>,
    /// The node's public key of the VRF: 32 bytes.
    #[component(name = "public-key")]
    #[serde(with = "serde_bytes")]
    pub public_key: Vec<u8>,
    /// The node, as a `did:key`.
    pub node: String,
    /// The node's signature under its key of the VRF: 64 bytes.
    #[serde(with = "serde_bytes")]
    pub endorsement: Vec<u8>,
}

impl From<vrf::Value> for Value {
    fn from(value: vrf::Value) -> Self {
        let vrf::Value {
            output,
            proof,
            public_key,
            node,
            endorsement,
        } = value;
        Self {
            output,
            proof,
            public_key,
            node,
            endorsement,
        }
    }
}

impl From<Value> for vrf::Value {
    fn from(value: Value) -> Self {
        let Value {
            output,
            proof,
            public_key,
            node,
            endorsement,
        } = value;
        Self {
            output,
            proof,
            public_key,
            node,
            endorsement,
        }
    }
}

/// Why there is no value: `homestar:random/types.oracle-error`.
#[derive(
    Clone, Debug, PartialEq, Eq, Error, ComponentType, Lift, Lower, Serialize, Deserialize,
)]
#[component(variant)]
#[serde(rename_all = "kebab-case")]
pub enum Error {
    /// Not granted.
    #[component(name = "denied")]
    #[error("{0}")]
    Denied(String),
    /// The task's budget is used up.
    #[component(name = "budget")]
    #[error("the budget is used up: {0}")]
    Budget(String),
    /// The input is longer than 64 KiB: this long.
    #[component(name = "too-long")]
    #[error("the input has {0} bytes, and may have {INPUT_BYTES_MAX}")]
    TooLong(u64),
    /// This node has no key.
    #[component(name = "no-key")]
    #[error("{0}")]
    NoKey(String),
}

/// Returns the value that the node's key gives to an input.
pub fn prove(node: Option<&SigningKey>, input: &[u8]) -> Result<Value, Error> {
    if input.len() > INPUT_BYTES_MAX {
        return Err(Error::TooLong(input.len() as u64));
    }
    match node {
        Some(key) => Ok(vrf::draw(key, input).into()),
        None => Err(Error::NoKey(
            "this engine runs without the node's key".into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_holds_for_its_input() {
        let key = SigningKey::from_seed(&[7; 32]);
        let value = prove(Some(&key), b"lottery 1").unwrap();
        assert_eq!(value.node, key.did().to_string());
        let value = vrf::Value::from(value);
        assert_eq!(value, vrf::draw(&key, b"lottery 1"));
        assert_eq!(value.verify(b"lottery 1"), Ok(()));
        assert_eq!(value.verify(b"lottery 2"), Err(vrf::Flaw::Proof));
    }

    #[test]
    fn an_input_may_be_long_and_not_longer() {
        let key = SigningKey::from_seed(&[7; 32]);
        let mut input = vec![1; INPUT_BYTES_MAX];
        let value = prove(Some(&key), &input).unwrap();
        assert_eq!(vrf::Value::from(value).verify(&input), Ok(()));
        input.push(1);
        assert_eq!(prove(Some(&key), &input), Err(Error::TooLong(65_537)));
    }

    #[test]
    fn without_a_key_there_is_no_value() {
        assert!(matches!(prove(None, b"input"), Err(Error::NoKey(_))));
    }
}
