//! YAML 1.2 with its core schema: which plain words are numbers, booleans and null.
//!
//! The library gives events; what they mean is decided here. Aliases are followed as far as the text itself could
//! have said as much.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::{Kind, MAX_TEXT_BYTES, Map, Node, Place};
use crate::ipld::{Ipld, MAX_DEPTH};
use crate::workflow::problem::{Fault, Problem};

pub(super) fn read(text: &str) -> Result<Node, Problem> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        copied: 0,
    };
    reader.document()
}

/// What an alias names, and how much that is.
struct Anchor {
    node: Node,
    weight: usize,
}

struct Reader<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    anchors: HashMap<usize, Anchor>,
    /// How much aliases brought in.
    copied: usize,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Node, Problem> {
        let mut root = None;
        loop {
            let (event, place) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart
                | Event::DocumentStart(_)
                | Event::DocumentEnd
                | Event::Nothing => {}
                _ if root.is_some() => return Err(syntax(place, "a second document begins")),
                event => root = Some(self.node(event, place, 0)?),
            }
        }
        Ok(root.unwrap_or(Node::leaf(Place::new(1, 1), Ipld::Null)))
    }

    fn next(&mut self) -> Result<(Event<'a>, Place), Problem> {
        match self.parser.next_event() {
            None => Ok((Event::StreamEnd, Place::NOWHERE)),
            Some(Ok((event, span))) => Ok((event, place(span))),
            Some(Err(error)) => {
                let marker = error.marker();
                let place = Place::new(marker.line(), marker.col() + 1);
                Err(syntax(place, error.info()))
            }
        }
    }

    fn node(&mut self, event: Event<'a>, place: Place, depth: usize) -> Result<Node, Problem> {
        // Links and bytes may lie two maps deeper than they are.
        if depth > MAX_DEPTH + 2 {
            return Err(syntax(
                place,
                &format!("nested deeper than {MAX_DEPTH} levels"),
            ));
        }
        let (anchor, node) = match event {
            Event::Alias(anchor) => return self.alias(anchor, place),
            Event::Scalar(text, style, anchor, tag) => {
                let leaf = scalar(&text, style, tag.as_deref());
                let leaf = leaf.map_err(|words| syntax(place, &words))?;
                (anchor, Node::leaf(place, leaf))
            }
            Event::SequenceStart(anchor, tag) => {
                only_tag(tag.as_deref(), "seq").map_err(|words| syntax(place, &words))?;
                (anchor, self.list(place, depth)?)
            }
            Event::MappingStart(anchor, tag) => {
                only_tag(tag.as_deref(), "map").map_err(|words| syntax(place, &words))?;
                (anchor, self.map(place, depth)?)
            }
            _ => return Err(syntax(place, "a value is missing")),
        };
        if anchor > 0 {
            let (weight, node) = (weight(&node), node.clone());
            self.anchors.insert(anchor, Anchor { node, weight });
        }
        Ok(node)
    }

    /// The same as what is named, here.
    fn alias(&mut self, anchor: usize, place: Place) -> Result<Node, Problem> {
        let Some(anchor) = self.anchors.get(&anchor) else {
            return Err(syntax(place, "an alias stands inside what it names"));
        };
        self.copied = self.copied.saturating_add(anchor.weight);
        if self.copied > MAX_TEXT_BYTES {
            return Err(syntax(place, "aliases bring in more than a text may have"));
        }
        let mut node = anchor.node.clone();
        node.place = place;
        Ok(node)
    }

    fn list(&mut self, place: Place, depth: usize) -> Result<Node, Problem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Node::list(place, items)),
                (event, place) => items.push(self.node(event, place, depth + 1)?),
            }
        }
    }

    fn map(&mut self, place: Place, depth: usize) -> Result<Node, Problem> {
        let mut entries = Map::new();
        loop {
            let (event, at) = self.next()?;
            let key = match event {
                Event::MappingEnd => {
                    return Node::map(place, entries)
                        .map_err(|problem| syntax(place, &problem.to_string()));
                }
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(syntax(at, "a key is a word, no list, no map and no alias")),
            };
            if key == "<<" {
                return Err(syntax(
                    at,
                    "YAML 1.2 merges no maps; `defaults` holds what tasks share",
                ));
            }
            let (event, place) = self.next()?;
            let node = self.node(event, place, depth + 1)?;
            if entries.contains_key(&key) {
                return Err(syntax(at, &format!("the key {key:?} stands twice")));
            }
            entries.insert(key, (at, node));
        }
    }
}

fn place(span: Span) -> Place {
    Place::new(span.start.line(), span.start.col() + 1)
}

fn syntax(place: Place, words: &str) -> Problem {
    Problem::at(place, Fault::Syntax(words.to_owned()))
}

/// About how many bytes of text say this.
fn weight(node: &Node) -> usize {
    let inner: usize = match &node.kind {
        Kind::Leaf(Ipld::String(text)) => text.len(),
        Kind::Leaf(Ipld::Bytes(bytes)) => bytes.len(),
        Kind::Leaf(_) => 8,
        Kind::List(items) => items.iter().map(weight).sum(),
        Kind::Map(entries) => entries
            .iter()
            .map(|(key, (_, node))| key.len() + weight(node))
            .sum(),
    };
    inner + 8
}

fn only_tag(tag: Option<&Tag>, suffix: &str) -> Result<(), String> {
    match tag {
        Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == suffix) => Err(unknown(tag)),
        _ => Ok(()),
    }
}

fn unknown(tag: &Tag) -> String {
    format!("the tag {}{} means nothing here", tag.handle, tag.suffix)
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Ipld, String> {
    match tag {
        None if style == ScalarStyle::Plain => plain(text).map_err(str::to_owned),
        None => Ok(Ipld::String(text.to_owned())),
        Some(tag) if !tag.is_yaml_core_schema() && tag.handle.is_empty() && tag.suffix == "!" => {
            Ok(Ipld::String(text.to_owned()))
        }
        Some(tag) if !tag.is_yaml_core_schema() => Err(unknown(tag)),
        Some(tag) => tagged(text, tag),
    }
}

fn tagged(text: &str, tag: &Tag) -> Result<Ipld, String> {
    let value = match &tag.suffix[..] {
        "str" => return Ok(Ipld::String(text.to_owned())),
        "int" | "float" | "bool" | "null" => plain(text).map_err(str::to_owned)?,
        _ => return Err(unknown(tag)),
    };
    match (&tag.suffix[..], value) {
        ("int", value @ Ipld::Integer(_))
        | ("float", value @ Ipld::Float(_))
        | ("bool", value @ Ipld::Bool(_))
        | ("null", value @ Ipld::Null) => Ok(value),
        ("float", Ipld::Integer(integer)) => Ok(Ipld::Float(integer as f64)),
        _ => Err(format!("{text:?} is no !!{}", tag.suffix)),
    }
}

/// What a plain word means: the core schema, YAML 1.2.2, 10.3.2.
fn plain(text: &str) -> Result<Ipld, &'static str> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Ipld::Null),
        "true" | "True" | "TRUE" => return Ok(Ipld::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Ipld::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => return float("nan"),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    match unsigned {
        ".inf" | ".Inf" | ".INF" => return float("inf"),
        _ => {}
    }
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(digits) = text.strip_prefix(prefix)
            && !digits.is_empty()
            && digits.chars().all(|digit| digit.is_digit(radix))
        {
            return integer(digits, radix);
        }
    }
    if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return integer(text, 10);
    }
    if is_float(unsigned) {
        return float(text);
    }
    Ok(Ipld::String(text.to_owned()))
}

fn integer(digits: &str, radix: u32) -> Result<Ipld, &'static str> {
    let integer = i128::from_str_radix(digits, radix);
    integer
        .map(Ipld::Integer)
        .map_err(|_| "an integer is too large")
}

/// `[0-9]+ ( \. [0-9]* )?` or `\. [0-9]+`, and perhaps an exponent.
fn is_float(text: &str) -> bool {
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (text, None),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits.is_empty() && is_digits(digits)
    });
    let number_fits = match number.split_once('.') {
        Some((whole, part)) => {
            is_digits(whole) && is_digits(part) && !(whole.is_empty() && part.is_empty())
        }
        None => !number.is_empty() && is_digits(number),
    };
    exponent_fits && number_fits
}

/// Reads a float, as Rust writes it.
pub(super) fn float(text: &str) -> Result<Ipld, &'static str> {
    match text.parse::<f64>() {
        Ok(float) if float.is_nan() => Err("this float is written \"nan\", as a string"),
        Ok(_) if text.contains("inf") => {
            Err("this float is written \"inf\" or \"-inf\", as a string")
        }
        Ok(float) if float.is_infinite() => Err("a float is too large"),
        // Negative zero too, as in JSON.
        Ok(0.0) => Ok(Ipld::Float(0.0)),
        Ok(float) => Ok(Ipld::Float(float)),
        Err(_) => Err("that is no float"),
    }
}
