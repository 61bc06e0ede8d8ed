//! Where in the arguments: `.host`, `.headers["x-id"]`, `.list[-1]`, `.maybe?`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::ipld::Ipld;
use crate::json;

/// The longest selector, in bytes. It bounds the number of its steps too.
const MAX_BYTES: usize = 512;

/// A path into arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Selector(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Step {
    kind: Kind,
    /// With `?`: what would fail gives null.
    optional: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// The value of a key; null if the map doesn't have it.
    Key(String),
    /// The values of a map, in the order of its keys' bytes; a list or bytes as they are.
    Values,
    /// An item of a list or a byte, from the end if negative.
    Index(i64),
    /// Some of the items or bytes, as far as there are any.
    Slice(Option<i64>, Option<i64>),
}

/// What a selector finds. Nothing is copied.
#[derive(Clone, Debug)]
pub(super) enum Found<'a> {
    Null,
    Value(&'a Ipld),
    Map(&'a BTreeMap<String, Ipld>),
    List(&'a [Ipld]),
    /// The values of a map.
    Values(Vec<&'a Ipld>),
    Bytes(&'a [u8]),
    Byte(u8),
}

impl<'a> Found<'a> {
    /// The same, with lists, bytes and maps under one name each.
    fn sorted(self) -> Self {
        match self {
            Self::Value(Ipld::Null) => Self::Null,
            Self::Value(Ipld::Map(entries)) => Self::Map(entries),
            Self::Value(Ipld::List(items)) => Self::List(items),
            Self::Value(Ipld::Bytes(bytes)) => Self::Bytes(bytes),
            other => other,
        }
    }
}

impl Selector {
    /// Follows the path. None if it leads nowhere.
    pub(super) fn find<'a>(&self, from: Found<'a>) -> Option<Found<'a>> {
        let mut at = from;
        for step in &self.0 {
            match step.kind.find(at) {
                Some(next) => at = next,
                None if step.optional => return Some(Found::Null),
                None => return None,
            }
        }
        Some(at)
    }
}

impl Kind {
    fn find<'a>(&self, from: Found<'a>) -> Option<Found<'a>> {
        match (self, from.sorted()) {
            (Self::Key(key), Found::Map(entries)) => {
                Some(entries.get(key).map_or(Found::Null, Found::Value))
            }
            (Self::Values, Found::Map(entries)) => Some(Found::Values(entries.values().collect())),
            (Self::Values, found @ (Found::List(_) | Found::Values(_) | Found::Bytes(_))) => {
                Some(found)
            }
            (Self::Index(index), Found::List(items)) => {
                Some(Found::Value(&items[position(*index, items.len())?]))
            }
            (Self::Index(index), Found::Values(items)) => {
                Some(Found::Value(items[position(*index, items.len())?]))
            }
            (Self::Index(index), Found::Bytes(bytes)) => {
                Some(Found::Byte(bytes[position(*index, bytes.len())?]))
            }
            (Self::Slice(from, to), Found::List(items)) => {
                Some(Found::List(&items[range(*from, *to, items.len())]))
            }
            (Self::Slice(from, to), Found::Values(mut items)) => {
                let range = range(*from, *to, items.len());
                items.truncate(range.end);
                items.drain(..range.start);
                Some(Found::Values(items))
            }
            (Self::Slice(from, to), Found::Bytes(bytes)) => {
                Some(Found::Bytes(&bytes[range(*from, *to, bytes.len())]))
            }
            _ => None,
        }
    }
}

fn position(index: i64, len: usize) -> Option<usize> {
    let from_end = usize::try_from(index.unsigned_abs()).ok()?;
    let position = if index < 0 {
        len.checked_sub(from_end)?
    } else {
        from_end
    };
    (position < len).then_some(position)
}

fn range(from: Option<i64>, to: Option<i64>, len: usize) -> std::ops::Range<usize> {
    let edge = |index: i64| {
        let distance = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
        if index < 0 {
            len.saturating_sub(distance)
        } else {
            distance.min(len)
        }
    };
    let start = from.map_or(0, edge);
    start..to.map_or(len, edge).max(start)
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        match prefix(text)? {
            (selector, "") => Ok(selector),
            (_, rest) => Err(at(text, rest, "expected `.`, `[` or `?`")),
        }
    }
}

/// Reads a selector from the beginning of a text, and returns what is behind it.
pub(super) fn prefix(text: &str) -> Result<(Selector, &str), SelectorError> {
    let (selector, rest) = steps(text)?;
    if text.len() - rest.len() > MAX_BYTES {
        return Err(SelectorError::TooLong);
    }
    Ok((selector, rest))
}

fn steps(text: &str) -> Result<(Selector, &str), SelectorError> {
    let mut rest = text
        .strip_prefix('.')
        .ok_or(at(text, text, "a selector begins with a dot"))?;
    let mut steps = Vec::new();
    let mut after_dot = true;
    loop {
        if text.len() - rest.len() > MAX_BYTES {
            return Err(SelectorError::TooLong);
        }
        if let Some(inside) = rest.strip_prefix('[') {
            let (kind, behind) = bracket(text, inside)?;
            steps.push(Step {
                kind,
                optional: false,
            });
            rest = behind;
        } else if after_dot && rest.starts_with(begins_name) {
            let end = rest.find(|c| !in_name(c)).unwrap_or(rest.len());
            steps.push(Step {
                kind: Kind::Key(rest[..end].to_owned()),
                optional: false,
            });
            rest = &rest[end..];
        } else if after_dot && !steps.is_empty() {
            return Err(at(text, rest, "expected a name or `[` after the dot"));
        } else if after_dot && rest.starts_with('.') {
            return Err(at(text, rest, "two dots follow each other"));
        } else if after_dot && rest.starts_with('?') {
            return Err(at(text, rest, "`.` always leads somewhere"));
        } else if after_dot && rest.starts_with(|c: char| c.is_alphanumeric()) {
            return Err(at(
                text,
                rest,
                "a name of other than ASCII letters, digits and `_`, or that begins with a digit, stands in `[\"…\"]`",
            ));
        } else {
            return Ok((Selector(steps), rest));
        }
        while let Some(behind) = rest.strip_prefix('?') {
            steps.last_mut().expect("a step was pushed").optional = true;
            rest = behind;
        }
        after_dot = rest.starts_with('.');
        if after_dot {
            rest = &rest[1..];
        } else if !rest.starts_with('[') {
            return Ok((Selector(steps), rest));
        }
    }
}

fn begins_name(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Reads what stands behind `[`, with the `]`.
fn bracket<'a>(text: &str, inside: &'a str) -> Result<(Kind, &'a str), SelectorError> {
    if let Some(rest) = inside.strip_prefix(']') {
        return Ok((Kind::Values, rest));
    }
    if inside.starts_with('"') {
        let (key, rest) = quoted(inside).ok_or(at(text, inside, "not a text in quotes"))?;
        let rest = rest
            .strip_prefix(']')
            .ok_or(at(text, rest, "expected `]`"))?;
        return Ok((Kind::Key(key), rest));
    }
    let (content, rest) = inside
        .split_once(']')
        .ok_or(at(text, inside, "`[` has no `]`"))?;
    let number = |digits: &str| {
        integer(digits).ok_or(at(
            text,
            inside,
            "expected a number, a slice or a text in quotes",
        ))
    };
    let edge = |digits: &str| match digits {
        "" => Ok(None),
        digits => number(digits).map(Some),
    };
    let kind = match content.split_once(':') {
        Some((from, to)) => Kind::Slice(edge(from)?, edge(to)?),
        None => Kind::Index(number(content)?),
    };
    Ok((kind, rest))
}

/// A number in its one form.
fn integer(digits: &str) -> Option<i64> {
    let number: i64 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

/// Reads a JSON text from the beginning, and returns what is behind it.
pub(super) fn quoted(text: &str) -> Option<(String, &str)> {
    let mut escaped = false;
    let inner = text.strip_prefix('"')?;
    let len = inner.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    let (text, rest) = text.split_at(len + 2);
    match json::parse(text).ok()? {
        Ipld::String(text) => Some((text, rest)),
        _ => None,
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !matches!(
            self.0.first(),
            Some(Step { kind: Kind::Key(key), .. }) if is_name(key)
        ) {
            f.write_str(".")?;
        }
        for step in &self.0 {
            match &step.kind {
                Kind::Key(key) if is_name(key) => write!(f, ".{key}")?,
                Kind::Key(key) => write!(f, "[{}]", in_quotes(key))?,
                Kind::Values => f.write_str("[]")?,
                Kind::Index(index) => write!(f, "[{index}]")?,
                Kind::Slice(from, to) => {
                    let edge = |index: &Option<i64>| match index {
                        Some(index) => Cow::Owned(index.to_string()),
                        None => Cow::Borrowed(""),
                    };
                    write!(f, "[{}:{}]", edge(from), edge(to))?;
                }
            }
            if step.optional {
                f.write_str("?")?;
            }
        }
        Ok(())
    }
}

fn is_name(key: &str) -> bool {
    key.starts_with(begins_name) && key.chars().all(in_name)
}

/// A text as JSON writes it.
pub(super) fn in_quotes(text: &str) -> String {
    json::to_string(&Ipld::String(text.to_owned())).expect("a text has a JSON form")
}

fn at(text: &str, rest: &str, what: &'static str) -> SelectorError {
    SelectorError::Syntax {
        at: text.len() - rest.len(),
        what,
    }
}

/// Why a text is not a selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SelectorError {
    /// It is longer than any selector should be.
    #[error("a selector has at most {MAX_BYTES} bytes")]
    TooLong,
    /// It breaks off, or has something that selectors don't have.
    #[error("byte {at} of the selector: {what}")]
    Syntax {
        /// Where.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn find(selector: &str, json: &str) -> Option<String> {
        let value = json::parse(json).expect(json);
        let selector: Selector = selector.parse().expect(selector);
        let found = selector.find(Found::Value(&value))?;
        let found = match found {
            Found::Null => Ipld::Null,
            Found::Value(value) => value.clone(),
            Found::Map(entries) => Ipld::Map(entries.clone()),
            Found::List(items) => Ipld::List(items.to_vec()),
            Found::Values(items) => Ipld::List(items.into_iter().cloned().collect()),
            Found::Bytes(bytes) => Ipld::Bytes(bytes.to_vec()),
            Found::Byte(byte) => Ipld::Integer(byte.into()),
        };
        Some(json::to_string(&found).expect("prints"))
    }

    #[test]
    fn the_table_of_the_specification() {
        let mail = r#"{"from":"alice@example.com","to":["bob@example.com","carol@not.example.com","dan@example.com"],"cc":["fraud@example.com"],"title":"Meeting Confirmation"}"#;
        for (selector, found) in [
            (".", Some(mail)),
            (".title", Some(r#""Meeting Confirmation""#)),
            (".cc", Some(r#"["fraud@example.com"]"#)),
            (".to[1]", Some(r#""carol@not.example.com""#)),
            (".to[-1]", Some(r#""dan@example.com""#)),
            (".to[99]?", Some("null")),
            (".to[99]", None),
        ] {
            let found = found.map(|json| json::to_string(&json::parse(json).unwrap()).unwrap());
            assert_eq!(find(selector, mail), found, "{selector}");
        }
    }

    #[test]
    fn each_step() {
        let value =
            r#"{"a":{"b c":1,"d":[10,20,30,40]},"bytes":{"/":{"bytes":"1qnBjPjE"}},"t":"text"}"#;
        for (selector, found) in [
            (r#".a["b c"]"#, Some("1")),
            (r#".["a"].d[0]"#, Some("10")),
            (".a.[\"d\"].[3]", Some("40")),
            (".a.d[4]", None),
            (".a.d[-5]", None),
            (".a.d[1:3]", Some("[20,30]")),
            (".a.d[-3:-1]", Some("[20,30]")),
            (".a.d[2:]", Some("[30,40]")),
            (".a.d[:1]", Some("[10]")),
            (".a.d[:]", Some("[10,20,30,40]")),
            (".a.d[3:1]", Some("[]")),
            (".a.d[9:99]", Some("[]")),
            (".a.d[]", Some("[10,20,30,40]")),
            (".a[]", Some("[1,[10,20,30,40]]")),
            (".a[][0]", Some("1")),
            (".a[][:1]", Some("[1]")),
            (".a[][]", Some("[1,[10,20,30,40]]")),
            (".bytes[3]", Some("140")),
            (".bytes[-1]", Some("196")),
            (".bytes[1:3]", Some(r#"{"/":{"bytes":"qcE"}}"#)),
            (".nothing", Some("null")),
            (".nothing.x", None),
            (".nothing.x?", Some("null")),
            (".nothing.x.y?", None),
            (".nothing?.x", None),
            (".t.x?.y.z", Some("null")),
            (".t[0]", None),
            (".t[0:1]", None),
            (".t[]", None),
            (".a[0]", None),
            (".a.d.x", None),
        ] {
            assert_eq!(find(selector, value).as_deref(), found, "{selector}");
        }
    }

    #[test]
    fn what_is_no_selector() {
        for (text, words) in [
            ("", "byte 0 of the selector: a selector begins with a dot"),
            (
                "[0]",
                "byte 0 of the selector: a selector begins with a dot",
            ),
            ("a", "byte 0 of the selector: a selector begins with a dot"),
            ("..", "byte 1 of the selector: two dots follow each other"),
            (
                ".a..b",
                "byte 3 of the selector: expected a name or `[` after the dot",
            ),
            (
                ".a.",
                "byte 3 of the selector: expected a name or `[` after the dot",
            ),
            (".?", "byte 1 of the selector: `.` always leads somewhere"),
            (".a b", "byte 2 of the selector: expected `.`, `[` or `?`"),
            (".a-b", "byte 2 of the selector: expected `.`, `[` or `?`"),
            (".a[", "byte 3 of the selector: `[` has no `]`"),
            (
                ".a[01]",
                "byte 3 of the selector: expected a number, a slice or a text in quotes",
            ),
            (
                ".a[-0]",
                "byte 3 of the selector: expected a number, a slice or a text in quotes",
            ),
            (
                ".a[x]",
                "byte 3 of the selector: expected a number, a slice or a text in quotes",
            ),
            (
                ".a[1:2:3]",
                "byte 3 of the selector: expected a number, a slice or a text in quotes",
            ),
            (
                ".a[9223372036854775808]",
                "byte 3 of the selector: expected a number, a slice or a text in quotes",
            ),
            (r#".a["b"#, "byte 3 of the selector: not a text in quotes"),
            (r#".a["b"x]"#, "byte 6 of the selector: expected `]`"),
        ] {
            let error = text.parse::<Selector>().expect_err(text);
            assert_eq!(error.to_string(), words, "{text}");
        }
        let long = format!(".{}", "a".repeat(MAX_BYTES));
        assert_eq!(long.parse::<Selector>(), Err(SelectorError::TooLong));
        let quoted = format!(".[\"{}\"]", "a".repeat(MAX_BYTES));
        assert_eq!(quoted.parse::<Selector>(), Err(SelectorError::TooLong));
        let steps = format!(".{}", "[0]".repeat(1 << 18));
        assert_eq!(steps.parse::<Selector>(), Err(SelectorError::TooLong));
    }

    #[test]
    fn several_question_marks_are_one() {
        let one: Selector = ".a?".parse().expect("a selector");
        assert_eq!(".a???".parse(), Ok(one));
    }

    proptest! {
        #[test]
        fn what_is_read_is_written(text in r#"\.([a-z]{1,2}|\["[a-z\\"é ]{0,3}"\]|\[-?[0-9]{1,2}\]|\[-?[0-9]?:-?[0-9]?\]|\[\]|\?|\.){0,6}"#) {
            if let Ok(selector) = text.parse::<Selector>() {
                prop_assert_eq!(selector.to_string().parse(), Ok(selector));
            }
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = text.parse::<Selector>();
            let _ = format!(".{text}").parse::<Selector>();
            let _ = format!(".[{text}").parse::<Selector>();
        }
    }
}
