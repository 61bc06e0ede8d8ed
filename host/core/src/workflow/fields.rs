//! The fields of a map in a workflow, taken one by one until none may be left. What is wrong is collected, and
//! reading goes on.

use std::time::Duration;

use super::problem::{Fault, MAX_PROBLEMS, Problem};
use super::text::{Kind, Map, Node, Place};
use crate::ipld::Ipld;
use crate::quantity;
use crate::wit::suggest::nearest;

/// What was found wrong so far.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    list: Vec<Problem>,
    /// The task that is being looked at.
    task: Option<String>,
}

impl Problems {
    pub(crate) fn enter(&mut self, task: &str) {
        self.task = Some(task.to_owned());
    }

    pub(crate) fn leave(&mut self) {
        self.task = None;
    }

    pub(crate) fn push(&mut self, mut problem: Problem) {
        if problem.task.is_none() {
            problem.task.clone_from(&self.task);
        }
        match self.list.len().cmp(&MAX_PROBLEMS) {
            std::cmp::Ordering::Less => self.list.push(problem),
            std::cmp::Ordering::Equal => self.list.push(Problem {
                place: None,
                task: None,
                fault: Box::new(Fault::More),
            }),
            std::cmp::Ordering::Greater => {}
        }
    }

    pub(crate) fn at(&mut self, place: Place, fault: impl Into<Fault>) {
        self.push(Problem::at(place, fault.into()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All that was found, in the order of the text.
    pub(crate) fn into_list(mut self) -> Vec<Problem> {
        self.list
            .sort_by_key(|problem| (*problem.fault == Fault::More, problem.place));
        self.list
    }

    pub(super) fn kind(&mut self, what: &str, node: &Node, expected: &'static str) {
        let fault = Fault::Kind {
            what: what.to_owned(),
            expected,
            found: node.word().to_owned(),
        };
        self.at(node.place, fault);
    }

    /// A text that isn't empty.
    pub(super) fn text(&mut self, what: &str, node: &Node) -> Option<String> {
        match node.as_str() {
            Some(text) if !text.is_empty() => Some(text.to_owned()),
            Some(_) => {
                self.at(node.place, Fault::Empty(what.to_owned()));
                None
            }
            None => {
                self.kind(what, node, "a text");
                None
            }
        }
    }
}

impl Fault {
    pub(crate) fn unknown_field(field: &str, known: &[&'static str]) -> Self {
        let words: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
        let are = if known.len() == 1 { "is" } else { "are" };
        Self::UnknownField {
            field: crate::wit::brief::brief(field, 60),
            nearest: nearest(field, known.iter().copied()).map(str::to_owned),
            known: format!("{are} {}", words.join(", ")),
        }
    }
}

/// A map being read.
pub(super) struct Fields<'p> {
    place: Place,
    entries: Map,
    known: Vec<&'static str>,
    pub(super) problems: &'p mut Problems,
}

impl<'p> Fields<'p> {
    /// Something else than a map is told, and read as one without entries.
    pub(super) fn of(what: &str, node: Node, problems: &'p mut Problems) -> Self {
        let place = node.place;
        let entries = match node.kind {
            Kind::Map(entries) => entries,
            _ => {
                problems.kind(what, &node, "a map");
                Map::new()
            }
        };
        Self {
            place,
            entries,
            known: Vec::new(),
            problems,
        }
    }

    pub(super) fn take(&mut self, field: &'static str) -> Option<Node> {
        self.known.push(field);
        self.entries.remove(field).map(|(_, node)| node)
    }

    /// A field, and where its key stands.
    pub(super) fn has(&self, field: &str) -> bool {
        self.entries.contains_key(field)
    }

    pub(super) fn needed(&mut self, field: &'static str) -> Option<Node> {
        let node = self.take(field);
        if node.is_none() {
            self.problems.at(self.place, Fault::Missing(field));
        }
        node
    }

    pub(super) fn text(&mut self, field: &'static str) -> Option<(String, Place)> {
        let node = self.take(field)?;
        self.problems
            .text(field, &node)
            .map(|text| (text, node.place))
    }

    pub(super) fn boolean(&mut self, field: &'static str) -> Option<bool> {
        let node = self.take(field)?;
        match node.kind {
            Kind::Leaf(Ipld::Bool(boolean)) => Some(boolean),
            _ => {
                self.problems.kind(field, &node, "true or false");
                None
            }
        }
    }

    /// An amount: a number, or a text with a unit.
    pub(super) fn amount(
        &mut self,
        field: &'static str,
        expected: &'static str,
        read: fn(&str) -> Result<u64, String>,
    ) -> Option<u64> {
        let node = self.take(field)?;
        let amount = match &node.kind {
            Kind::Leaf(Ipld::Integer(integer)) => match u64::try_from(*integer) {
                Ok(amount) => Ok(amount),
                Err(_) if *integer < 0 => Err("negative".to_owned()),
                Err(_) => Err("too large".to_owned()),
            },
            Kind::Leaf(Ipld::String(text)) => read(text),
            _ => {
                self.problems.kind(field, &node, expected);
                return None;
            }
        };
        let fault = |words| Fault::Amount { what: field, words };
        amount
            .map_err(|words| self.problems.at(node.place, fault(words)))
            .ok()
    }

    /// A time with its unit, in whole milliseconds.
    pub(super) fn time(&mut self, field: &'static str) -> Option<Duration> {
        let node = self.take(field)?;
        let Some(text) = node.as_str() else {
            self.problems.kind(field, &node, "a time such as \"30s\"");
            return None;
        };
        match quantity::time(text) {
            Ok(time) => Some(whole_milliseconds(time)),
            Err(words) => {
                self.problems
                    .at(node.place, Fault::Amount { what: field, words });
                None
            }
        }
    }

    /// A list of texts, each with its place.
    pub(super) fn texts(&mut self, field: &'static str) -> Option<Vec<(String, Place)>> {
        let node = self.take(field)?;
        let Kind::List(items) = &node.kind else {
            self.problems.kind(field, &node, "a list of texts");
            return None;
        };
        let texts = items.iter().map(|item| {
            let text = self.problems.text(field, item)?;
            Some((text, item.place))
        });
        texts.collect()
    }

    /// Tells of each field that is left.
    pub(super) fn end(self) {
        for (field, (place, _)) in self.entries {
            self.problems
                .at(place, Fault::unknown_field(&field, &self.known));
        }
    }

    /// What is left, for maps whose fields nobody counts.
    pub(super) fn rest(self) -> Map {
        self.entries
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }
}

/// Up to the next millisecond: what is finer has no text of its own.
fn whole_milliseconds(time: Duration) -> Duration {
    let milliseconds = time.as_nanos().div_ceil(1_000_000);
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(u64::MAX))
}
