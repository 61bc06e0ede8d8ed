//! What a server of drand's HTTP API says.

use serde::Deserialize;

use crate::bindings::exports::homestar::random::beacon::{Error, Round};
use crate::check::unhex;

/// A round in JSON. All but its number is in hexadecimal.
#[derive(Deserialize)]
struct Answer {
    round: u64,
    randomness: String,
    signature: String,
    #[serde(default)]
    previous_signature: String,
}

/// Reads a round. What came before belongs to it in a chain only.
pub(crate) fn parse(json: &[u8], is_chained: bool) -> Result<Round, Error> {
    let malformed = |text: String| Error::Malformed(text);
    let answer: Answer = serde_json::from_slice(json)
        .map_err(|error| malformed(format!("the answer is no round in JSON: {error}")))?;
    let bytes = |field: &str, hex: &str| {
        unhex(hex).ok_or_else(|| malformed(format!("`{field}` of the answer is not hexadecimal")))
    };
    Ok(Round {
        number: answer.round,
        randomness: bytes("randomness", &answer.randomness)?,
        signature: bytes("signature", &answer.signature)?,
        previous: if is_chained {
            bytes("previous_signature", &answer.previous_signature)?
        } else {
            Vec::new()
        },
    })
}
