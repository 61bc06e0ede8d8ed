//! WAVE, the text of WIT values that people type and read: `{x: 1, tags: ["a", "b"]}`.
//!
//! The grammar is that of the `wasm-wave` crate, which wasmtime's `--invoke` uses too. What a piece
//! of text means depends on a type: `[1, 2]` is bytes where a `list<u8>` is expected.
//!
//! A [`Call`] is a function's name with its arguments as they were typed, which may be files:
//! `resize(@photo.png, 640, 480)`.

mod call;
mod read;
mod write;

use std::fmt::{self, Display, Formatter};

use super::brief::Brief;
use super::{Type, Value};

pub use call::{Arg, Call};

/// Reads a value of type `ty`. All of `text` must belong to it.
///
/// As WAVE has it, an option's or a result's value may stand alone (`1` for `some(1)` or `ok(1)`)
/// and a record's fields of option type may be left out.
///
/// ```
/// use homestar_core::wit::{Type, Value, wave};
///
/// let point = Type::record([("x", Type::S32), ("y", Type::S32)]);
/// let value = wave::parse("{y: -2, x: 1}", &point)?;
/// assert_eq!(value, Value::Record(vec![Value::S32(1), Value::S32(-2)]));
///
/// let error = wave::parse("{x: 1, y: 1.5}", &point).unwrap_err();
/// assert_eq!(error.to_string(), "expected `s32`, found `1.5` at column 11");
/// # Ok::<(), wave::WaveError>(())
/// ```
pub fn parse(text: &str, ty: &Type) -> Result<Value, WaveError> {
    read::value(text, ty)
}

/// Returns the text of a value of type `ty`, on one line. [`parse`] reads it back.
///
/// If the value is not of that type, the text says so and is not WAVE.
pub fn print(value: &Value, ty: &Type) -> String {
    let mut text = String::new();
    // Writing to a string doesn't fail.
    let _ = write::value(&mut text, value, ty);
    text
}

/// Like [`print`](fn@print), but cut after `chars_max` characters and then ended with `…`.
///
/// What would be cut is never produced, so a brief look at a large value is cheap.
pub fn print_brief(value: &Value, ty: &Type, chars_max: usize) -> String {
    let mut text = Brief::new(chars_max);
    // The only error is our own, raised to stop early.
    let _ = write::value(&mut text, value, ty);
    text.finish()
}

/// Text that is not a call, or not a value of the type it should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaveError {
    /// What is wrong.
    pub message: String,
    /// The line where, counted from 1.
    pub line: usize,
    /// The character in that line where, counted from 1.
    pub column: usize,
}

impl WaveError {
    /// What is wrong at this byte of `text`.
    fn new(text: &str, offset: usize, message: impl Into<String>) -> Self {
        let before = text.char_indices().take_while(|(at, _)| *at < offset);
        let (line, column) = before.fold((1, 1), |(line, column), (_, character)| {
            if character == '\n' {
                (line + 1, 1)
            } else {
                (line, column + 1)
            }
        });
        Self {
            message: message.into(),
            line,
            column,
        }
    }
}

impl std::error::Error for WaveError {}

impl Display for WaveError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} at ", self.message)?;
        if self.line > 1 {
            write!(f, "line {}, ", self.line)?;
        }
        write!(f, "column {}", self.column)
    }
}

#[cfg(test)]
mod tests;
