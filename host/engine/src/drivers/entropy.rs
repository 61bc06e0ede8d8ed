//! The `entropy` driver: random bytes from the operating system.

use ring::rand::SecureRandom;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use wasmtime::component::{ComponentType, Lift, Lower};

/// The most bytes that one call gives. They all lie in the trace, and who needs more needs a generator of his own.
pub const BYTES_MAX: u32 = 64 << 10;

/// Why there are none: `homestar:random/types.error`.
#[derive(
    Clone, Debug, PartialEq, Eq, Error, ComponentType, Lift, Lower, Serialize, Deserialize,
)]
#[component(variant)]
#[serde(rename_all = "kebab-case")]
pub enum Error {
    /// Not granted, or the operating system has none to give.
    #[component(name = "denied")]
    #[error("{0}")]
    Denied(String),
    /// The task's budget is used up.
    #[component(name = "budget")]
    #[error("the budget is used up: {0}")]
    Budget(String),
    /// More were asked for than one call gives, which is this.
    #[component(name = "too-many")]
    #[error("one call gives {0} random bytes at most")]
    TooMany(u32),
}

impl Error {
    /// The operating system fails.
    pub(crate) fn none() -> Self {
        Self::Denied("the operating system gives no random bytes".to_owned())
    }
}

/// Returns that many random bytes.
pub fn bytes(length: u32, random: &dyn SecureRandom) -> Result<Vec<u8>, Error> {
    if length > BYTES_MAX {
        return Err(Error::TooMany(BYTES_MAX));
    }
    let mut bytes = vec![0; length as usize];
    random
        .fill(&mut bytes)
        .map_err(|_| Error::Denied("the operating system gives no random bytes".into()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;
    use std::collections::HashSet;

    #[test]
    fn there_are_as_many_as_asked_for() {
        let random = SystemRandom::new();
        for length in [0, 1, 33, BYTES_MAX] {
            let bytes = bytes(length, &random).unwrap();
            assert_eq!(bytes.len(), length as usize);
        }
        for length in [BYTES_MAX + 1, u32::MAX] {
            assert_eq!(bytes(length, &random), Err(Error::TooMany(BYTES_MAX)));
        }
    }

    #[test]
    fn they_differ_and_are_of_every_kind() {
        let random = SystemRandom::new();
        assert_ne!(bytes(32, &random), bytes(32, &random));
        let kinds: HashSet<u8> = bytes(BYTES_MAX, &random).unwrap().into_iter().collect();
        assert_eq!(kinds.len(), 256);
    }
}
