//! The effect `homestar:random/oracle`: values that the driver proves and anybody can check. The
//! check is computed here.

use bindings::exports::homestar::random::oracle::{Flaw, Guest};
use bindings::homestar::driver::vrf as driver;
use bindings::homestar::random::types::{OracleError, Value};

mod check;

/// The function itself is the one that nodes draw with.
#[path = "../../../../host/core/src/vrf/ecvrf.rs"]
#[cfg_attr(not(test), expect(dead_code, reason = "here nothing is drawn"))]
#[expect(unreachable_pub, reason = "there it is reachable")]
mod ecvrf;

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        world: "homestar:driver/oracle-provider",
        generate_all,
    });

    #[cfg(target_family = "wasm")]
    export!(Effect with_types_in self);

    #[cfg(target_family = "wasm")]
    use super::Effect;
}

/// Longest input: the driver takes no longer one, so no longer one has a value.
const INPUT_BYTES_MAX: usize = 64 * 1024;

struct Effect;

impl Guest for Effect {
    fn draw(input: Vec<u8>) -> Result<Value, OracleError> {
        if input.len() > INPUT_BYTES_MAX {
            return Err(OracleError::TooLong(input.len() as u64));
        }
        driver::prove(&input)
    }

    fn verify(input: Vec<u8>, value: Value) -> Result<(), Flaw> {
        check::verify(&input, &value)
    }
}

/// What the tests of `ecvrf` need.
#[cfg(test)]
mod testing {
    pub(crate) fn unhex(hex: &str) -> Vec<u8> {
        let digits = (0..hex.len()).step_by(2);
        digits
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }
}
