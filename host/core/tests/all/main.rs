//! What the crate promises to others, checked against what others wrote. See `tests/vectors/README.md`.

mod cars;
mod market;
mod mutations;
mod page;
mod schema;
mod signatures;
mod strangers;
mod tokens;
mod ucan;
mod ucan_page;
mod unixfs;
mod values;
mod workflow_page;
mod workflows;

use serde_json::Value;

/// The vectors that JavaScript wrote.
fn javascript() -> Value {
    serde_json::from_str(include_str!("../vectors/javascript.json")).expect("JSON")
}

/// The vectors that Python wrote.
fn python() -> Value {
    serde_json::from_str(include_str!("../vectors/python.json")).expect("JSON")
}

/// The entries of a list.
fn list<'a>(document: &'a Value, key: &str) -> &'a [Value] {
    document[key].as_array().expect(key)
}

/// A field of text.
fn text<'a>(vector: &'a Value, key: &str) -> &'a str {
    vector[key].as_str().expect(key)
}

/// A field of bytes in hex.
fn bytes(vector: &Value, key: &str) -> Vec<u8> {
    let hex = text(vector, key);
    let digits = (0..hex.len()).step_by(2);
    digits
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
        .collect()
}
