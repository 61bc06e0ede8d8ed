//! Texts in three languages, as one tree that knows where its parts stand.

mod json;
mod toml;
mod yaml;

use std::collections::BTreeMap;
use std::fmt;

use super::problem::{Fault, Problem};
use crate::ipld::{Cid, Ipld};
use crate::json::resolve;

/// The longest text that is read. A workflow of ten thousand tasks is some 4 MiB.
pub const MAX_TEXT_BYTES: usize = crate::json::MAX_TEXT_BYTES;

/// The language a workflow is written in. All three say the same; its CID doesn't depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// JSON, with links and bytes as DAG-JSON has them.
    Json,
    /// YAML 1.2 with its core schema.
    Yaml,
    /// TOML 1.1. It has no null.
    Toml,
}

impl Format {
    /// The language of a file with this name, by its ending.
    pub fn of_path(path: &str) -> Option<Self> {
        let (_, ending) = path.rsplit_once('.')?;
        match ending {
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }
}

/// A place in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl Place {
    /// Where something stands that was in no text: a workflow that was read from its block.
    pub(super) const NOWHERE: Self = Self { line: 0, column: 0 };

    fn new(line: usize, column: usize) -> Self {
        let cut = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            line: cut(line),
            column: cut(column),
        }
    }

    pub(crate) fn is_nowhere(self) -> bool {
        self == Self::NOWHERE
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// Anything but a list or a map.
    Leaf(Ipld),
    List(Vec<Node>),
    Map(Map),
}

/// The entries of a map by their keys, with where the keys stand.
pub(super) type Map = BTreeMap<String, (Place, Node)>;

impl Node {
    pub(super) fn leaf(place: Place, leaf: Ipld) -> Self {
        let kind = Kind::Leaf(leaf);
        Self { place, kind }
    }

    fn list(place: Place, items: Vec<Self>) -> Self {
        let kind = Kind::List(items);
        Self { place, kind }
    }

    /// A map, or the link or the bytes that it stands for, as in DAG-JSON.
    fn map(place: Place, entries: Map) -> Result<Self, crate::json::Problem> {
        let is_reserved = entries.get("/").is_some_and(|(_, node)| match &node.kind {
            Kind::Leaf(leaf) => matches!(leaf, Ipld::String(_)),
            Kind::List(_) => false,
            Kind::Map(inner) => inner.contains_key("bytes"),
        });
        if !is_reserved {
            let kind = Kind::Map(entries);
            return Ok(Self { place, kind });
        }
        let plain = entries
            .into_iter()
            .map(|(key, (_, node))| (key, node.into_ipld()));
        Ok(Self::leaf(place, resolve(plain.collect())?))
    }

    /// A tree from a value. It stands nowhere.
    pub(super) fn from_ipld(value: Ipld) -> Self {
        let place = Place::NOWHERE;
        let kind = match value {
            Ipld::List(items) => Kind::List(items.into_iter().map(Self::from_ipld).collect()),
            Ipld::Map(entries) => {
                let entry = |(key, value)| (key, (place, Self::from_ipld(value)));
                Kind::Map(entries.into_iter().map(entry).collect())
            }
            leaf => Kind::Leaf(leaf),
        };
        Self { place, kind }
    }

    /// The value, without places.
    pub(super) fn to_ipld(&self) -> Ipld {
        match &self.kind {
            Kind::Leaf(leaf) => leaf.clone(),
            Kind::List(items) => Ipld::List(items.iter().map(Self::to_ipld).collect()),
            Kind::Map(entries) => {
                let entry =
                    |(key, (_, node)): (&String, &(Place, Self))| (key.clone(), node.to_ipld());
                Ipld::Map(entries.iter().map(entry).collect())
            }
        }
    }

    /// The value, without places.
    pub(super) fn into_ipld(self) -> Ipld {
        match self.kind {
            Kind::Leaf(leaf) => leaf,
            Kind::List(items) => Ipld::List(items.into_iter().map(Self::into_ipld).collect()),
            Kind::Map(entries) => {
                let entry = |(key, (_, node)): (String, (Place, Self))| (key, node.into_ipld());
                Ipld::Map(entries.into_iter().map(entry).collect())
            }
        }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Leaf(Ipld::String(text)) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_link(&self) -> Option<&Cid> {
        match &self.kind {
            Kind::Leaf(Ipld::Link(cid)) => Some(cid),
            _ => None,
        }
    }

    /// The key and the value of a map of one entry whose key begins like this.
    pub(super) fn only_entry(&self, begin: &str) -> Option<(&str, &Self)> {
        match &self.kind {
            Kind::Map(entries) if entries.len() == 1 => {
                let (key, (_, node)) = entries.first_key_value()?;
                key.starts_with(begin).then_some((key, node))
            }
            _ => None,
        }
    }

    /// What it is, in a word.
    pub(super) fn word(&self) -> &'static str {
        match &self.kind {
            Kind::Leaf(leaf) => crate::ipld::kind_of(leaf),
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }
}

/// Reads a text. It may come from anyone: it is limited in size and depth and never causes a panic.
pub(super) fn read(text: &str, format: Format) -> Result<Node, Problem> {
    // An editor of long ago may have left its mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_TEXT_BYTES {
        return Err(Problem::at(Place::new(1, 1), Fault::TooLong));
    }
    match format {
        Format::Json => json::read(text),
        Format::Yaml => yaml::read(text),
        Format::Toml => toml::read(text),
    }
}

/// How far apart the places are that are known.
const STRIDE: usize = 256;

/// Finds line and column of a byte of a text, without reading the text from its beginning each time.
struct Places<'a> {
    text: &'a str,
    /// Line and column of each byte that is a multiple of [`STRIDE`], or of the first character after it.
    known: Vec<Place>,
}

impl<'a> Places<'a> {
    fn of(text: &'a str) -> Self {
        let mut known = Vec::with_capacity(text.len() / STRIDE + 1);
        let (mut line, mut column) = (1, 1);
        for (at, character) in text.char_indices() {
            while known.len() * STRIDE <= at {
                known.push(Place::new(line, column));
            }
            (line, column) = after(character, line, column);
        }
        Self { text, known }
    }

    fn at(&self, at: usize) -> Place {
        let mut stride = (at / STRIDE).min(self.known.len().saturating_sub(1));
        // A character may lie across the boundary; then what is known is behind it.
        while stride > 0 && !self.text.is_char_boundary(stride * STRIDE) {
            stride -= 1;
        }
        let Some(known) = self.known.get(stride) else {
            return Place::new(1, 1);
        };
        let (mut line, mut column) = (known.line as usize, known.column as usize);
        let between = self.text.get(stride * STRIDE..at.min(self.text.len()));
        for character in between.unwrap_or_default().chars() {
            (line, column) = after(character, line, column);
        }
        Place::new(line, column)
    }
}

fn after(character: char, line: usize, column: usize) -> (usize, usize) {
    match character {
        '\n' => (line + 1, 1),
        _ => (line, column + 1),
    }
}

#[cfg(test)]
mod tests;
