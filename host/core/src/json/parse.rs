//! Text to values.

use super::print::looks_reserved;
use super::{BYTES_KEY, RESERVED_KEY};
use crate::ipld::{CidError, Ipld, MAX_DEPTH, parse_cid};
use base64ct::{Base64Unpadded, Encoding};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use thiserror::Error;

/// The longest text that is read: 16 MiB.
///
/// A workflow of ten thousand tasks is some 4 MiB. Larger data belongs in blocks, named by CID.
pub const MAX_TEXT_BYTES: usize = 16 << 20;

/// Where a text stops being DAG-JSON, and why.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct JsonError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong in a DAG-JSON text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// The text is longer than [`MAX_TEXT_BYTES`].
    #[error("the text is longer than {MAX_TEXT_BYTES} bytes")]
    TooLong,
    /// The text ends inside a value.
    #[error("the text ends early")]
    EndsEarly,
    /// There is more after the value.
    #[error("more follows the value")]
    Trailing,
    /// Something else should stand here.
    #[error("expected {0}")]
    Expected(&'static str),
    /// Lists and maps lie in each other deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A key stands twice in a map.
    #[error("the key {0:?} stands twice")]
    KeyTwice(String),
    /// An integer needs more than 128 bits.
    #[error("an integer is too large")]
    IntegerTooLarge,
    /// A float is larger than any 64-bit float.
    #[error("a float is too large")]
    FloatTooLarge,
    /// A backslash with something after it that JSON doesn't know.
    #[error("an unknown escape")]
    Escape,
    /// Half of a pair of `\u` escapes.
    #[error("half of a surrogate pair")]
    Surrogate,
    /// A control character that should be escaped.
    #[error("a control character in a text")]
    Control,
    /// The key `/` in a map that is neither a link nor bytes.
    #[error(
        "the key \"/\" is kept for links {{\"/\": \"<cid>\"}} and bytes {{\"/\": {{\"bytes\": \"<base64>\"}}}}"
    )]
    Reserved,
    /// The text under `/` is not a CID.
    #[error("a link is {0}")]
    Link(CidError),
    /// The text under `bytes` is not base64 without padding.
    #[error("bytes are not in base64 without padding")]
    Base64,
}

/// Reads a value from DAG-JSON text.
///
/// The text may come from anyone: it is limited in size and depth and never causes a panic. Integers of up
/// to 128 bits are taken; whether DAG-CBOR has a form for one is for [`encode`](crate::ipld::encode) to say.
pub fn parse(text: &str) -> Result<Ipld, JsonError> {
    build(text, Values)
}

/// Reads a text, and builds from it what `builder` makes of its parts.
pub(crate) fn build<B: Builder>(text: &str, builder: B) -> Result<B::Tree, JsonError> {
    let mut parser = Parser {
        text,
        at: 0,
        depth: 0,
        builder,
    };
    parser
        .document()
        .map_err(|(at, problem)| locate(text, at, problem))
}

/// What becomes of the parts of a text, each told where it begins: at which byte.
pub(crate) trait Builder {
    /// What a part becomes.
    type Tree;

    fn leaf(&self, at: usize, leaf: Ipld) -> Self::Tree;
    fn list(&self, at: usize, items: Vec<Self::Tree>) -> Self::Tree;
    /// A map, or the leaf that it stands for: a link or bytes. Tells whether it is a leaf.
    fn map(&self, at: usize, entries: Entries<Self::Tree>) -> Result<(Self::Tree, bool), Problem>;
    /// True for the map in `{"/": {"bytes": …}}`.
    fn is_bytes_body(&self, tree: &Self::Tree) -> bool;
}

/// The entries of a map, with where their keys begin.
pub(crate) type Entries<T> = BTreeMap<String, (usize, T)>;

/// Builds values and forgets where they stood.
struct Values;

impl Builder for Values {
    type Tree = Ipld;

    fn leaf(&self, _at: usize, leaf: Ipld) -> Ipld {
        leaf
    }

    fn list(&self, _at: usize, items: Vec<Ipld>) -> Ipld {
        Ipld::List(items)
    }

    fn map(&self, _at: usize, entries: Entries<Ipld>) -> Result<(Ipld, bool), Problem> {
        let entry = |(key, (_, value))| (key, value);
        let value = resolve(entries.into_iter().map(entry).collect())?;
        let is_leaf = !matches!(value, Ipld::Map(_));
        Ok((value, is_leaf))
    }

    fn is_bytes_body(&self, tree: &Ipld) -> bool {
        matches!(tree, Ipld::Map(inner) if inner.len() == 1 && inner.contains_key(BYTES_KEY))
    }
}

fn locate(text: &str, at: usize, problem: Problem) -> JsonError {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    JsonError {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        problem,
    }
}

type Fault = (usize, Problem);

/// What was built, and whether it is a leaf.
type Built<B> = Result<(<B as Builder>::Tree, bool), Fault>;

struct Parser<'a, B> {
    text: &'a str,
    at: usize,
    depth: usize,
    builder: B,
}

impl<B: Builder> Parser<'_, B> {
    fn document(&mut self) -> Result<B::Tree, Fault> {
        if self.text.len() > MAX_TEXT_BYTES {
            return Err((0, Problem::TooLong));
        }
        let value = self.value()?;
        self.skip_space();
        if self.at == self.text.len() {
            Ok(value)
        } else {
            Err((self.at, Problem::Trailing))
        }
    }

    fn value(&mut self) -> Result<B::Tree, Fault> {
        self.skip_space();
        let start = self.at;
        let leaf = match self.peek()? {
            b'{' => return self.nested(Self::map),
            b'[' => return self.nested(Self::list),
            b'"' => self.string().map(Ipld::String),
            b'-' | b'0'..=b'9' => self.number(),
            b'n' => self.word("null", Ipld::Null),
            b't' => self.word("true", Ipld::Bool(true)),
            b'f' => self.word("false", Ipld::Bool(false)),
            _ => Err((self.at, Problem::Expected("a value"))),
        };
        Ok(self.builder.leaf(start, leaf?))
    }

    fn nested(&mut self, read: fn(&mut Self) -> Built<B>) -> Result<B::Tree, Fault> {
        // A link or bytes lie in one or two maps of text but are leaves of the value.
        if self.depth == MAX_DEPTH + 2 {
            return Err((self.at, Problem::TooDeep));
        }
        let start = self.at;
        self.at += 1;
        self.depth += 1;
        let (tree, is_leaf) = read(self)?;
        self.depth -= 1;
        let is_deep = self.depth >= MAX_DEPTH && !is_leaf;
        if is_deep && !(self.depth == MAX_DEPTH + 1 && self.builder.is_bytes_body(&tree)) {
            return Err((start, Problem::TooDeep));
        }
        Ok(tree)
    }

    /// A list, which is no leaf.
    fn list(&mut self) -> Built<B> {
        let start = self.at - 1;
        let mut items = Vec::new();
        if !self.closes(b']')? {
            loop {
                items.push(self.value()?);
                if self.ends(b']', "`,` or `]`")? {
                    break;
                }
            }
        }
        Ok((self.builder.list(start, items), false))
    }

    /// A map, or a leaf that is written as one.
    fn map(&mut self) -> Built<B> {
        let start = self.at - 1;
        let mut entries = BTreeMap::new();
        if !self.closes(b'}')? {
            loop {
                self.entry(&mut entries)?;
                if self.ends(b'}', "`,` or `}`")? {
                    break;
                }
            }
        }
        let built = self.builder.map(start, entries);
        built.map_err(|problem| (start, problem))
    }

    fn entry(&mut self, entries: &mut Entries<B::Tree>) -> Result<(), Fault> {
        self.skip_space();
        let start = self.at;
        if self.peek()? != b'"' {
            return Err((start, Problem::Expected("a key")));
        }
        let key = self.string()?;
        self.skip_space();
        if self.peek()? != b':' {
            return Err((self.at, Problem::Expected("`:`")));
        }
        self.at += 1;
        let value = self.value()?;
        match entries.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert((start, value));
                Ok(())
            }
            Entry::Occupied(entry) => Err((start, Problem::KeyTwice(entry.key().clone()))),
        }
    }

    /// Skips the closing bracket if nothing stands before it.
    fn closes(&mut self, bracket: u8) -> Result<bool, Fault> {
        self.skip_space();
        let closes = self.peek()? == bracket;
        self.at += usize::from(closes);
        Ok(closes)
    }

    /// After an entry: true at the bracket, false at a comma.
    fn ends(&mut self, bracket: u8, expected: &'static str) -> Result<bool, Fault> {
        self.skip_space();
        let byte = self.peek()?;
        if byte != bracket && byte != b',' {
            return Err((self.at, Problem::Expected(expected)));
        }
        self.at += 1;
        Ok(byte == bracket)
    }

    fn word(&mut self, word: &'static str, value: Ipld) -> Result<Ipld, Fault> {
        if !self.rest().starts_with(word) {
            return Err((self.at, Problem::Expected(word)));
        }
        self.at += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Result<Ipld, Fault> {
        let start = self.at;
        self.skip_one_of(b"-");
        self.whole_digits()?;
        let mut is_float = false;
        if self.skip_one_of(b".") {
            is_float = true;
            self.digits()?;
        }
        if self.skip_one_of(b"eE") {
            is_float = true;
            self.skip_one_of(b"+-");
            self.digits()?;
        }
        let number = &self.text[start..self.at];
        let value = if is_float {
            float(number)
        } else {
            integer(number)
        };
        value.map_err(|problem| (start, problem))
    }

    /// Digits without a leading zero, or one zero.
    fn whole_digits(&mut self) -> Result<(), Fault> {
        if self.skip_one_of(b"0") {
            return Ok(());
        }
        self.digits()
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        self.at += digits;
        match digits {
            0 if self.rest().is_empty() => Err((self.at, Problem::EndsEarly)),
            0 => Err((self.at, Problem::Expected("a digit"))),
            _ => Ok(()),
        }
    }

    fn string(&mut self) -> Result<String, Fault> {
        self.at += 1;
        let mut string = String::new();
        loop {
            let plain = self
                .rest()
                .bytes()
                .take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f))
                .count();
            string.push_str(&self.text[self.at..self.at + plain]);
            self.at += plain;
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Ok(string);
                }
                b'\\' => string.push(self.escape()?),
                _ => return Err((self.at, Problem::Control)),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        let start = self.at;
        self.at += 1;
        let letter = self.peek()?;
        self.at += 1;
        Ok(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(start),
            _ => return Err((start, Problem::Escape)),
        })
    }

    /// The character of one `\u` escape, or of two that are a pair.
    fn unicode(&mut self, start: usize) -> Result<char, Fault> {
        let first = self.four_hex(start)?;
        if let Some(char) = char::from_u32(first) {
            return Ok(char);
        }
        if first >= 0xdc00 || !self.rest().starts_with("\\u") {
            return Err((start, Problem::Surrogate));
        }
        self.at += 2;
        let second = self.four_hex(start)?;
        if !(0xdc00..0xe000).contains(&second) {
            return Err((start, Problem::Surrogate));
        }
        let pair = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        char::from_u32(pair).ok_or((start, Problem::Surrogate))
    }

    fn four_hex(&mut self, start: usize) -> Result<u32, Fault> {
        let hex = self
            .rest()
            .get(..4)
            .filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let hex = hex.ok_or((start, Problem::Escape))?;
        let unit = u32::from_str_radix(hex, 16).map_err(|_| (start, Problem::Escape))?;
        self.at += 4;
        Ok(unit)
    }

    fn skip_one_of(&mut self, bytes: &[u8]) -> bool {
        let found = self
            .rest()
            .bytes()
            .next()
            .is_some_and(|byte| bytes.contains(&byte));
        self.at += usize::from(found);
        found
    }

    fn skip_space(&mut self) {
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at += self.rest().bytes().take_while(is_space).count();
    }

    fn peek(&self) -> Result<u8, Fault> {
        self.rest()
            .bytes()
            .next()
            .ok_or((self.at, Problem::EndsEarly))
    }

    fn rest(&self) -> &str {
        // `at` moves over whole ASCII characters and over strings up to one, so it is on a boundary.
        self.text.get(self.at..).unwrap_or_default()
    }
}

fn integer(digits: &str) -> Result<Ipld, Problem> {
    digits
        .parse()
        .map(Ipld::Integer)
        .map_err(|_| Problem::IntegerTooLarge)
}

fn float(digits: &str) -> Result<Ipld, Problem> {
    match digits.parse::<f64>() {
        Ok(float) if !float.is_finite() => Err(Problem::FloatTooLarge),
        // Negative zero too.
        Ok(0.0) => Ok(Ipld::Float(0.0)),
        Ok(float) => Ok(Ipld::Float(float)),
        Err(_) => Err(Problem::Expected("a number")),
    }
}

/// What a map stands for: itself, a link or bytes.
pub(crate) fn resolve(mut entries: BTreeMap<String, Ipld>) -> Result<Ipld, Problem> {
    if !looks_reserved(&entries) {
        return Ok(Ipld::Map(entries));
    }
    let reserved = entries.remove(RESERVED_KEY);
    match reserved {
        Some(Ipld::String(cid)) if entries.is_empty() => {
            parse_cid(&cid).map(Ipld::Link).map_err(Problem::Link)
        }
        Some(Ipld::Map(body)) if entries.is_empty() && body.len() == 1 => bytes(body),
        _ => Err(Problem::Reserved),
    }
}

fn bytes(mut body: BTreeMap<String, Ipld>) -> Result<Ipld, Problem> {
    match body.remove(BYTES_KEY) {
        Some(Ipld::String(base64)) => Base64Unpadded::decode_vec(&base64)
            .map(Ipld::Bytes)
            .map_err(|_| Problem::Base64),
        _ => Err(Problem::Reserved),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::to_string;

    /// What is refused, at which line and column, and the words.
    const REFUSED: &[(&str, usize, usize, &str)] = &[
        ("", 1, 1, "the text ends early"),
        ("  ", 1, 3, "the text ends early"),
        ("[1, 2", 1, 6, "the text ends early"),
        ("nul", 1, 1, "expected null"),
        ("nan", 1, 1, "expected null"),
        ("[1 2]", 1, 4, "expected `,` or `]`"),
        ("[1,]", 1, 4, "expected a value"),
        ("{\"a\" 1}", 1, 6, "expected `:`"),
        ("{a: 1}", 1, 2, "expected a key"),
        ("{\"a\": 1,}", 1, 9, "expected a key"),
        ("1 1", 1, 3, "more follows the value"),
        ("01", 1, 2, "more follows the value"),
        ("+1", 1, 1, "expected a value"),
        (".5", 1, 1, "expected a value"),
        ("1.", 1, 3, "the text ends early"),
        ("1.x", 1, 3, "expected a digit"),
        ("-", 1, 2, "the text ends early"),
        ("1e400", 1, 1, "a float is too large"),
        (
            "999999999999999999999999999999999999999999",
            1,
            1,
            "an integer is too large",
        ),
        ("\n\n  \"\\x\"", 3, 4, "an unknown escape"),
        ("\"\\u12\"", 1, 2, "an unknown escape"),
        ("\"\\u+123\"", 1, 2, "an unknown escape"),
        ("\"\\ud800\"", 1, 2, "half of a surrogate pair"),
        ("\"\\udc00\\ud800\"", 1, 2, "half of a surrogate pair"),
        ("\"a\nb\"", 1, 3, "a control character in a text"),
        ("{\"é\": 1,\n \"é\": 2}", 2, 2, "the key \"é\" stands twice"),
        ("{\"/\": \"x\"}", 1, 1, "a link is not a CID"),
        (
            "{\"/\": {\"bytes\": \"AA==\"}}",
            1,
            1,
            "bytes are not in base64 without padding",
        ),
        (
            "{\"/\": {\"bytes\": \"AB\"}}",
            1,
            1,
            "bytes are not in base64 without padding",
        ),
    ];

    #[test]
    fn refusals_say_where_and_why() {
        for (text, line, column, words) in REFUSED {
            let error = parse(text).expect_err(text);
            let expected = (*line, *column, (*words).to_owned());
            assert_eq!(
                (error.line, error.column, error.problem.to_string()),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn the_reserved_key_has_two_forms() {
        let cid = crate::ipld::cid_of_raw(b"x");
        assert_eq!(parse(&format!("{{\"/\": \"{cid}\"}}")), Ok(Ipld::Link(cid)));
        assert_eq!(parse(r#"{"/": {"bytes": ""}}"#), Ok(Ipld::Bytes(vec![])));
        for text in [
            format!(r#"{{"/": "{cid}", "a": 1}}"#),
            format!(r#"{{"a": 1, "/": "{cid}"}}"#),
            r#"{"/": {"bytes": "AQ", "a": 1}}"#.to_owned(),
            r#"{"/": {"bytes": 1}}"#.to_owned(),
            r#"{"/": {"bytes": "AQ"}, "a": 1}"#.to_owned(),
        ] {
            assert_eq!(
                parse(&text).map_err(|error| error.problem),
                Err(Problem::Reserved),
                "{text}"
            );
        }
        for text in [r#"{"/":1}"#, r#"{"/":["AQ"]}"#, r#"{"/":{"a":1}}"#] {
            assert_eq!(
                to_string(&parse(text).expect("plain data")).as_deref(),
                Ok(text)
            );
        }
    }

    #[test]
    fn numbers_stay_what_they_are() {
        let wide = 1i128 << 100;
        assert_eq!(parse(&wide.to_string()), Ok(Ipld::Integer(wide)));
        assert_eq!(parse("18446744073709551616"), Ok(Ipld::Integer(1 << 64)));
        assert_eq!(parse("-0"), Ok(Ipld::Integer(0)));
        assert_eq!(parse("1.0"), Ok(Ipld::Float(1.0)));
        assert_eq!(parse("1e2"), Ok(Ipld::Float(100.0)));
        let Ok(Ipld::Float(zero)) = parse("-0.0") else {
            panic!("a float");
        };
        assert!(zero.is_sign_positive());
    }

    #[test]
    fn escapes_are_read() {
        let text = r#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#;
        assert_eq!(
            parse(text),
            Ok(Ipld::String("\"\\/\u{8}\u{c}\n\r\té😀".into()))
        );
    }

    #[test]
    fn depth_is_bounded_and_links_are_leaves() {
        let nest =
            |inner: &str, levels| format!("{}{inner}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(&nest(r#"{"/":{"bytes":"AQ"}}"#, MAX_DEPTH)).is_ok());
        assert!(parse(&nest("1", MAX_DEPTH)).is_ok());
        for inner in ["[]", "{}", r#"{"bytes":"AQ"}"#, r#"{"a":{"bytes":"AQ"}}"#] {
            assert!(parse(&nest(inner, MAX_DEPTH)).is_err(), "{inner}");
        }
        let error = parse(&"[".repeat(1_000_000)).expect_err("too deep");
        assert_eq!(error.problem, Problem::TooDeep);
    }
}
