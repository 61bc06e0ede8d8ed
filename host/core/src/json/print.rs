//! Values to text.

use super::{BYTES_KEY, RESERVED_KEY};
use crate::ipld::{Ipld, MAX_DEPTH};
use base64ct::{Base64Unpadded, Encoding};
use std::collections::BTreeMap;
use std::fmt::Write;
use thiserror::Error;

/// Why a value has no DAG-JSON form.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PrintError {
    /// NaN or an infinity.
    #[error("a float that is not finite has no DAG-JSON form")]
    NotFinite,
    /// A map that would read back as a link or as bytes: its key `/` holds a text, or a map with `bytes`.
    #[error("a map whose key \"/\" looks like a link or bytes has no DAG-JSON form")]
    Reserved,
    /// Lists and maps lie in each other deeper than [`MAX_DEPTH`].
    #[error("a value is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// Writes a value as DAG-JSON: no white space, keys sorted by their bytes.
pub fn to_string(value: &Ipld) -> Result<String, PrintError> {
    Printer::new(false).print(value)
}

/// Writes a value as DAG-JSON for people: indented, one entry to a line. Links and bytes stay on one.
pub fn to_string_pretty(value: &Ipld) -> Result<String, PrintError> {
    Printer::new(true).print(value)
}

struct Printer {
    out: String,
    pretty: bool,
    depth: usize,
}

impl Printer {
    fn new(pretty: bool) -> Self {
        Self {
            out: String::new(),
            pretty,
            depth: 0,
        }
    }

    fn print(mut self, value: &Ipld) -> Result<String, PrintError> {
        self.value(value)?;
        Ok(self.out)
    }

    fn value(&mut self, value: &Ipld) -> Result<(), PrintError> {
        match value {
            Ipld::Null => self.out.push_str("null"),
            Ipld::Bool(true) => self.out.push_str("true"),
            Ipld::Bool(false) => self.out.push_str("false"),
            Ipld::Integer(integer) => self.out.push_str(&integer.to_string()),
            Ipld::Float(float) => self.float(*float)?,
            Ipld::String(text) => self.text(text),
            Ipld::Bytes(bytes) => self.bytes(bytes),
            Ipld::List(items) => self.list(items)?,
            Ipld::Map(entries) => self.map(entries)?,
            Ipld::Link(cid) => self.reserved(&format!("\"{cid}\"")),
        }
        Ok(())
    }

    /// The shortest digits that read back as the same float, laid out as JavaScript does, and always with
    /// a point or an exponent so that it stays a float. Zero has no sign, as in DAG-CBOR.
    fn float(&mut self, float: f64) -> Result<(), PrintError> {
        if !float.is_finite() {
            return Err(PrintError::NotFinite);
        }
        let text = match float.abs() {
            0.0 => "0.0".to_owned(),
            1e21.. => format!("{float:e}").replace('e', "e+"),
            1e-6.. if float.fract() == 0.0 => format!("{float}.0"),
            1e-6.. => float.to_string(),
            _ => format!("{float:e}"),
        };
        self.out.push_str(&text);
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let base64 = Base64Unpadded::encode_string(bytes);
        self.reserved(&format!("{{\"{BYTES_KEY}\":\"{base64}\"}}"));
    }

    fn reserved(&mut self, inner: &str) {
        self.out.push_str("{\"/\":");
        self.out.push_str(inner);
        self.out.push('}');
    }

    fn list(&mut self, items: &[Ipld]) -> Result<(), PrintError> {
        self.open('[')?;
        for (at, item) in items.iter().enumerate() {
            self.separate(at);
            self.value(item)?;
        }
        self.close(']', items.is_empty());
        Ok(())
    }

    fn map(&mut self, entries: &BTreeMap<String, Ipld>) -> Result<(), PrintError> {
        if looks_reserved(entries) {
            return Err(PrintError::Reserved);
        }
        self.open('{')?;
        for (at, (key, value)) in entries.iter().enumerate() {
            self.separate(at);
            self.text(key);
            self.out.push_str(if self.pretty { ": " } else { ":" });
            self.value(value)?;
        }
        self.close('}', entries.is_empty());
        Ok(())
    }

    fn open(&mut self, bracket: char) -> Result<(), PrintError> {
        if self.depth == MAX_DEPTH {
            return Err(PrintError::TooDeep);
        }
        self.depth += 1;
        self.out.push(bracket);
        Ok(())
    }

    fn close(&mut self, bracket: char, empty: bool) {
        self.depth -= 1;
        if !empty {
            self.line();
        }
        self.out.push(bracket);
    }

    fn separate(&mut self, at: usize) {
        if at > 0 {
            self.out.push(',');
        }
        self.line();
    }

    fn line(&mut self) {
        if self.pretty {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.depth));
        }
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for char in text.chars() {
            self.char(char);
        }
        self.out.push('"');
    }

    fn char(&mut self, char: char) {
        match char {
            '"' => self.out.push_str("\\\""),
            '\\' => self.out.push_str("\\\\"),
            '\u{8}' => self.out.push_str("\\b"),
            '\u{c}' => self.out.push_str("\\f"),
            '\n' => self.out.push_str("\\n"),
            '\r' => self.out.push_str("\\r"),
            '\t' => self.out.push_str("\\t"),
            control @ '\0'..='\u{1f}' => {
                write!(self.out, "\\u{:04x}", u32::from(control)).expect("a String takes all");
            }
            other => self.out.push(other),
        }
    }
}

/// True for a map that would read back as a link or as bytes, or that readers refuse for looking so.
pub(super) fn looks_reserved(entries: &BTreeMap<String, Ipld>) -> bool {
    match entries.get(RESERVED_KEY) {
        Some(Ipld::String(_)) => true,
        Some(Ipld::Map(inner)) => inner.contains_key(BYTES_KEY),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map<const N: usize>(entries: [(&str, Ipld); N]) -> Ipld {
        Ipld::Map(entries.map(|(key, value)| (key.into(), value)).into())
    }

    #[test]
    fn floats_stay_floats() {
        for (float, text) in [
            (1.0, "1.0"),
            (-0.0, "0.0"),
            (0.1, "0.1"),
            (-1.5e300, "-1.5e+300"),
            (1e16, "10000000000000000.0"),
            (1e21, "1e+21"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (5e-324, "5e-324"),
        ] {
            assert_eq!(to_string(&Ipld::Float(float)).as_deref(), Ok(text));
        }
        assert_eq!(
            to_string(&Ipld::Float(f64::NAN)),
            Err(PrintError::NotFinite)
        );
    }

    #[test]
    fn texts_are_escaped_as_little_as_json_asks() {
        let text = "\"\\\u{8}\u{c}\n\r\t\u{1}\u{7f}\u{2028}é/";
        let printed = to_string(&Ipld::String(text.into())).expect("prints");
        assert_eq!(
            printed,
            "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\u{7f}\u{2028}é/\""
        );
    }

    #[test]
    fn the_reserved_key_is_not_written_for_data() {
        let text = Ipld::String("x".into());
        let inner = map([("bytes", Ipld::Null)]);
        for value in [
            map([("/", text.clone())]),
            map([("/", inner)]),
            map([("!", Ipld::Null), ("/", text)]),
        ] {
            assert_eq!(to_string(&value), Err(PrintError::Reserved));
        }
        assert_eq!(
            to_string(&map([("/", Ipld::Integer(1))])).as_deref(),
            Ok("{\"/\":1}")
        );
    }

    #[test]
    fn pretty_is_indented() {
        let value = map([
            (
                "a",
                Ipld::List(vec![Ipld::Integer(1), Ipld::Bytes(vec![1])]),
            ),
            ("b", map([])),
        ]);
        let expected =
            "{\n  \"a\": [\n    1,\n    {\"/\":{\"bytes\":\"AQ\"}}\n  ],\n  \"b\": {}\n}";
        assert_eq!(to_string_pretty(&value).as_deref(), Ok(expected));
    }
}
