//! What is said about data that doesn't fit a type.

use std::fmt::{self, Display, Formatter};

use ipld_core::ipld::Ipld;

use super::brief::brief;
use super::{Function, Type, Value};

/// How much of a type is printed. A record of many fields would bury the rest of the message.
const TYPE_CHARS_MAX: usize = 200;

/// How much of a string that was found is printed.
const FOUND_CHARS_MAX: usize = 40;

/// Data that doesn't fit a type: where, what the type asks for, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Where in the data, such as `image.size[2].name`; empty for the whole.
    pub path: String,
    /// The type that was expected there, as WIT.
    pub expected: String,
    /// What was found instead, in a few words.
    pub found: String,
    /// What to do about it, where that can be told.
    pub hint: Option<String>,
}

impl std::error::Error for Mismatch {}

impl Display for Mismatch {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "expected `{}`", self.expected)?;
        if !self.path.is_empty() {
            write!(f, " at `{}`", self.path)?;
        }
        write!(f, ", found {}", self.found)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl Mismatch {
    pub(crate) fn new(expected: impl Display, found: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            expected: brief(expected, TYPE_CHARS_MAX),
            found: found.into(),
            hint: None,
        }
    }

    /// IPLD of a kind that can't be read as `expected`.
    pub(crate) fn of_ipld(expected: impl Display, found: &Ipld) -> Self {
        let mismatch = Self::new(expected, describe(found));
        match found {
            Ipld::Link(_) => {
                mismatch.hint("a link stands for bytes: a `list<u8>`, a `stream<u8>` or a blob")
            }
            _ => mismatch,
        }
    }

    /// A value that was made for another type.
    pub(crate) fn of_value(expected: &Type, found: &Value) -> Self {
        Self::new(expected, format!("a value of another `{}`", found.kind()))
    }

    /// A type that has no values outside the components that pass it.
    pub(crate) fn of_handle(expected: &Type, found: impl Into<String>) -> Self {
        Self::new(expected, found)
            .hint("a handle means something only between components and can't be passed as data")
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn did_you_mean(self, name: Option<&str>) -> Self {
        match name {
            Some(name) => self.hint(format!("did you mean `{name}`?")),
            None => self,
        }
    }

    /// Says that this happened inside the element with this index.
    pub(crate) fn in_element(mut self, index: usize) -> Self {
        let separator = separator_before(&self.path);
        self.path = format!("[{index}]{separator}{}", self.path);
        self
    }

    /// Says that this happened inside the field, case, key or parameter with this name.
    pub(crate) fn in_field(mut self, name: &str) -> Self {
        let separator = separator_before(&self.path);
        self.path = format!("{}{separator}{}", segment(name), self.path);
        self
    }
}

/// A dot goes between two parts of a path, except before an index.
fn separator_before(path: &str) -> &'static str {
    if path.is_empty() || path.starts_with('[') {
        ""
    } else {
        "."
    }
}

/// Names are printed plain, and keys that are no names quoted and cut.
fn segment(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.len() <= FOUND_CHARS_MAX && name.chars().all(plain) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// Returns `text` in quotes, with control characters escaped, cut where it grows long.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", brief(text.escape_debug(), FOUND_CHARS_MAX))
}

/// Returns a few words on what `ipld` is, whatever its size.
pub(crate) fn describe(ipld: &Ipld) -> String {
    match ipld {
        Ipld::Null => "null".into(),
        Ipld::Bool(value) => format!("boolean {value}"),
        Ipld::Integer(value) => format!("integer {value}"),
        Ipld::Float(value) => format!("float {value:?}"),
        Ipld::String(text) => format!("string {}", quoted(text)),
        Ipld::Bytes(bytes) => counted(bytes.len(), "byte"),
        Ipld::List(items) => format!("list of {}", counted(items.len(), "item")),
        Ipld::Map(entries) => format!("map of {}", counted(entries.len(), "key")),
        Ipld::Link(cid) => format!("link {cid}"),
    }
}

/// Returns `1 byte`, `2 bytes`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Arguments that can't be passed to a function.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// There are more or fewer than the function has parameters.
    #[error("`{function}` takes {}, found {found}", counted(*.expected, "argument"))]
    Count {
        /// The function, as WIT.
        function: String,
        /// How many it takes.
        expected: usize,
        /// How many there were.
        found: usize,
    },
    /// One doesn't fit its parameter, whose name begins the path.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
}

impl ArgumentError {
    pub(crate) fn count(function: &Function, found: usize) -> Self {
        Self::Count {
            function: brief(function, TYPE_CHARS_MAX),
            expected: function.params.len(),
            found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_from_the_outside_in() {
        let mismatch = Mismatch::new(Type::U8, "null")
            .in_field("name")
            .in_element(2)
            .in_field("size")
            .in_field("image");
        assert_eq!(mismatch.path, "image.size[2].name");
        assert_eq!(
            mismatch.to_string(),
            "expected `u8` at `image.size[2].name`, found null"
        );
    }

    #[test]
    fn keys_that_are_no_names_are_quoted_in_paths() {
        let mismatch = Mismatch::new(Type::U8, "null").in_field("a.b\n");
        assert_eq!(mismatch.path, r#""a.b\n""#);
    }

    #[test]
    fn descriptions_stay_short() {
        let found = describe(&Ipld::String("ab".repeat(1 << 20)));
        assert_eq!(found, format!("string \"{}…\"", "ab".repeat(20)));
        assert_eq!(describe(&Ipld::Bytes(vec![7])), "1 byte");
        assert_eq!(describe(&Ipld::List(vec![])), "list of 0 items");
        assert_eq!(describe(&Ipld::Float(1.0)), "float 1.0");
        assert_eq!(describe(&Ipld::Integer(i128::MIN)).len(), 48);
    }
}
