//! Arguments: values with what is not known yet in them.

use std::collections::BTreeMap;
use std::fmt;

use super::fields::Problems;
use super::problem::{Fault, Problem};
use super::text::{Kind, Node, Place};
use crate::ipld::{Cid, Ipld};

/// The key of a map that names data: `{"@": "cat.png"}`.
pub(super) const DATA: &str = "@";
/// The key of a map that stands for what `for-each` is at: `{"@each": "value"}`.
pub(super) const EACH: &str = "@each";
/// How the keys of awaits begin.
const AWAIT: &str = "await/";

/// An argument, or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// All is said.
    Plain(Ipld),
    /// A list with something in it that is not known yet.
    List(Vec<Self>),
    /// A map with something in it that is not known yet.
    Map(BTreeMap<String, Self>),
    /// What another task gives.
    Await(Await),
    /// Data that has another name than its CID.
    Data(Data),
    /// What `for-each` is at.
    Each(Each),
}

/// What another task gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Await {
    /// Which branch of its outcome.
    pub branch: Branch,
    /// Which task.
    pub target: Target,
    /// Where this stands.
    pub place: Place,
}

/// Which branch of an outcome is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Branch {
    /// `await/ok`: the value.
    Ok,
    /// `await/error`: the failure.
    Error,
    /// `await/*`: the whole outcome, whichever it is.
    Any,
}

impl Branch {
    /// The key that is written.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Ok => "await/ok",
            Self::Error => "await/error",
            Self::Any => "await/*",
        }
    }

    fn of_key(key: &str) -> Option<Self> {
        [Self::Ok, Self::Error, Self::Any]
            .into_iter()
            .find(|branch| branch.key() == key)
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// Which task is awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The one with this label.
    Label(String),
    /// The one whose instruction has this CID.
    Instruction(Cid),
}

/// Data that becomes a link when the workflow is planned.
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    /// Its name: a path, an `ipfs://` or an `https://` URL.
    pub name: String,
    /// Where this stands.
    pub place: Place,
}

/// What `for-each` is at.
#[derive(Clone, Debug, PartialEq)]
pub struct Each {
    /// Its value, or the key under which it was found.
    pub part: Part,
    /// Where this stands.
    pub place: Place,
}

/// A part of what `for-each` is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The element.
    Value,
    /// Its index in a list, its name in a folder or a map.
    Key,
}

/// How a part of an argument is read.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Style {
    /// As in labelled workflows.
    Labelled,
    /// As in those of 2024: only awaits, and those by CID.
    Of2024,
}

impl Value {
    pub(super) fn read(node: Node, style: Style, problems: &mut Problems) -> Self {
        if let Some(special) = special(&node, style, problems) {
            return special;
        }
        match node.kind {
            Kind::Leaf(leaf) => Self::Plain(leaf),
            Kind::List(items) => {
                let items = items
                    .into_iter()
                    .map(|item| Self::read(item, style, problems));
                Self::of_list(items.collect())
            }
            Kind::Map(entries) => {
                let read = |(key, (_, node))| (key, Self::read(node, style, problems));
                Self::of_map(entries.into_iter().map(read).collect())
            }
        }
    }

    fn of_list(items: Vec<Self>) -> Self {
        if !items.iter().all(|item| matches!(item, Self::Plain(_))) {
            return Self::List(items);
        }
        Self::Plain(Ipld::List(
            items.into_iter().filter_map(Self::into_plain).collect(),
        ))
    }

    fn of_map(entries: BTreeMap<String, Self>) -> Self {
        if !entries
            .values()
            .all(|value| matches!(value, Self::Plain(_)))
        {
            return Self::Map(entries);
        }
        let plain = |(key, value): (String, Self)| Some((key, value.into_plain()?));
        Self::Plain(Ipld::Map(entries.into_iter().filter_map(plain).collect()))
    }

    fn into_plain(self) -> Option<Ipld> {
        match self {
            Self::Plain(value) => Some(value),
            _ => None,
        }
    }

    /// Tells of each part that is not known yet, from left to right.
    pub(crate) fn visit<'a>(&'a self, visitor: &mut impl FnMut(&'a Self)) {
        match self {
            Self::Plain(_) => {}
            Self::List(items) => items.iter().for_each(|item| item.visit(visitor)),
            Self::Map(entries) => entries.values().for_each(|value| value.visit(visitor)),
            Self::Await(_) | Self::Data(_) | Self::Each(_) => visitor(self),
        }
    }

    /// Tells of each name of data.
    pub(crate) fn visit_mut(&mut self, visitor: &mut impl FnMut(&mut Data)) {
        match self {
            Self::Plain(_) | Self::Await(_) | Self::Each(_) => {}
            Self::List(items) => items.iter_mut().for_each(|item| item.visit_mut(visitor)),
            Self::Map(entries) => entries
                .values_mut()
                .for_each(|value| value.visit_mut(visitor)),
            Self::Data(data) => visitor(data),
        }
    }

    /// The value with each unknown part replaced, or the first refusal.
    pub(crate) fn fill<E>(
        &self,
        known: &mut impl FnMut(&Self) -> Result<Ipld, E>,
    ) -> Result<Ipld, E> {
        Ok(match self {
            Self::Plain(value) => value.clone(),
            Self::List(items) => Ipld::List(
                items
                    .iter()
                    .map(|item| item.fill(known))
                    .collect::<Result<_, _>>()?,
            ),
            Self::Map(entries) => {
                let mut filled = BTreeMap::new();
                for (key, value) in entries {
                    filled.insert(key.clone(), value.fill(known)?);
                }
                Ipld::Map(filled)
            }
            Self::Await(_) | Self::Data(_) | Self::Each(_) => known(self)?,
        })
    }

    /// As it is written.
    pub(crate) fn to_ipld(&self) -> Ipld {
        let written = self.fill(&mut |part| {
            Ok::<_, std::convert::Infallible>(match part {
                Self::Await(awaited) => one(awaited.branch.key(), awaited.target.to_ipld()),
                Self::Data(data) => one(DATA, Ipld::String(data.name.clone())),
                Self::Each(each) => one(EACH, Ipld::String(each.part.word().into())),
                Self::Plain(_) | Self::List(_) | Self::Map(_) => part.to_ipld(),
            })
        });
        match written {
            Ok(written) => written,
            Err(never) => match never {},
        }
    }
}

impl Target {
    fn to_ipld(&self) -> Ipld {
        match self {
            Self::Label(label) => Ipld::String(label.clone()),
            Self::Instruction(cid) => Ipld::Link(*cid),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(label) => write!(f, "`{label}`"),
            Self::Instruction(cid) => write!(f, "{cid}"),
        }
    }
}

impl Part {
    const fn word(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Key => "key",
        }
    }
}

pub(crate) fn one(key: &str, value: Ipld) -> Ipld {
    Ipld::Map(BTreeMap::from([(key.to_owned(), value)]))
}

/// A map of one entry that stands for something.
fn special(node: &Node, style: Style, problems: &mut Problems) -> Option<Value> {
    let place = node.place;
    if let Some((key, inner)) = node.only_entry(AWAIT) {
        return awaited(key, inner, place, style, problems);
    }
    if style == Style::Of2024 {
        return None;
    }
    match node.only_entry(DATA)? {
        (DATA, inner) => {
            let name = problems.text(DATA, inner).unwrap_or_default();
            Some(Value::Data(Data { name, place }))
        }
        (EACH, inner) => {
            let part = match inner.as_str() {
                Some("value") => Part::Value,
                Some("key") => Part::Key,
                _ => {
                    problems.kind(EACH, inner, "\"value\" or \"key\"");
                    Part::Value
                }
            };
            Some(Value::Each(Each { part, place }))
        }
        _ => None,
    }
}

fn awaited(
    key: &str,
    inner: &Node,
    place: Place,
    style: Style,
    problems: &mut Problems,
) -> Option<Value> {
    let Some(branch) = Branch::of_key(key) else {
        if style == Style::Labelled {
            problems.push(Problem::at(
                place,
                Fault::unknown_field(key, &["await/ok", "await/error", "await/*"]),
            ));
        }
        return None;
    };
    let target = match (inner.as_str(), inner.as_link(), style) {
        (Some(""), _, Style::Labelled) => {
            problems.at(inner.place, Fault::Empty(key.to_owned()));
            return Some(Value::Plain(Ipld::Null));
        }
        (Some(label), _, Style::Labelled) => Target::Label(label.to_owned()),
        (_, Some(cid), _) => Target::Instruction(*cid),
        (_, _, Style::Of2024) => return None,
        _ => {
            problems.kind(key, inner, "the label of a task or a link");
            return Some(Value::Plain(Ipld::Null));
        }
    };
    Some(Value::Await(Await {
        branch,
        target,
        place,
    }))
}
