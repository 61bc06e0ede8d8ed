//! A task as it is written.

use super::fields::{Fields, Problems};
use super::problem::Fault;
use super::settings::Settings;
use super::text::{Kind, Node, Place};
use super::value::{Data, Style, Value};
use crate::ipld::Ipld;
use crate::task::Nonce;

/// The longest label. It is repeated in messages, logs and drawings.
const MAX_LABEL_BYTES: usize = 100;

/// A task as it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// What the others call it.
    pub label: String,
    /// Where it stands.
    pub place: Place,
    /// The function, and where its name stands.
    pub call: (String, Place),
    /// Its arguments, each with where it stands.
    pub args: Vec<(Value, Place)>,
    /// What a command reads from its standard input.
    pub stdin: Option<Vec<u8>>,
    /// The nonce.
    pub nonce: Nonce,
    /// For each element of what, if it is done more than once.
    pub for_each: Option<(Value, Place)>,
    /// How it is run.
    pub settings: Settings,
    /// The whole task, if it is one of 2024.
    pub(crate) of_2024: Option<Ipld>,
}

impl Task {
    /// Whether it is called by a label of its own, and not one of 2024.
    pub fn has_label(&self) -> bool {
        self.of_2024.is_none()
    }

    pub(super) fn read(
        label: String,
        place: Place,
        node: Node,
        problems: &mut Problems,
    ) -> Option<Self> {
        check_label(&label, place, problems);
        let mut fields = Fields::of("a task", node, problems);
        let settings = Settings::take(&mut fields);
        let call = fields.needed("call").and_then(|node| {
            let call = fields.problems.text("call", &node)?;
            Some((call, node.place))
        });
        let args = fields
            .take("args")
            .map(|node| arguments(node, Style::Labelled, fields.problems));
        let stdin = fields
            .take("stdin")
            .and_then(|node| stdin(node, fields.problems));
        let nonce = fields
            .take("nonce")
            .map(|node| nonce(node, fields.problems));
        let for_each = fields.take("for-each").map(|node| {
            let place = node.place;
            (Value::read(node, Style::Labelled, fields.problems), place)
        });
        fields.end();
        Some(Self {
            label,
            place,
            call: call?,
            args: args.unwrap_or_default(),
            stdin,
            nonce: nonce.unwrap_or_default(),
            for_each,
            settings,
            of_2024: None,
        })
    }

    pub(super) fn to_ipld(&self) -> Ipld {
        if let Some(written) = &self.of_2024 {
            return written.clone();
        }
        let mut entries = self.settings.to_entries();
        let mut insert = |key: &str, value| entries.insert(key.to_owned(), value);
        insert("call", Ipld::String(self.call.0.clone()));
        if !self.args.is_empty() {
            let args = self.args.iter().map(|(arg, _)| arg.to_ipld());
            insert("args", Ipld::List(args.collect()));
        }
        if let Some(stdin) = &self.stdin {
            insert("stdin", Ipld::Bytes(stdin.clone()));
        }
        if !self.nonce.is_empty() {
            insert("nonce", self.nonce.to_ipld());
        }
        if let Some((each, _)) = &self.for_each {
            insert("for-each", each.to_ipld());
        }
        Ipld::Map(entries)
    }

    /// Tells of each part of the arguments, and of `for-each`, that is not known yet.
    pub(crate) fn visit<'a>(&'a self, visitor: &mut impl FnMut(&'a Value)) {
        for (arg, _) in &self.args {
            arg.visit(visitor);
        }
        if let Some((each, _)) = &self.for_each {
            each.visit(visitor);
        }
    }

    /// Tells of each name of data in the arguments, and in `for-each`.
    pub(crate) fn visit_mut(&mut self, visitor: &mut impl FnMut(&mut Data)) {
        let each = self.for_each.iter_mut();
        for (value, _) in self.args.iter_mut().chain(each) {
            value.visit_mut(visitor);
        }
    }
}

/// Labels are for people: letters and digits of any script, and what joins them.
fn check_label(label: &str, place: Place, problems: &mut Problems) {
    let is_fine = |character: char| character.is_alphanumeric() || "-_.".contains(character);
    let begins =
        label.starts_with(|character: char| character.is_alphanumeric() || character == '_');
    if begins && label.len() <= MAX_LABEL_BYTES && label.chars().all(is_fine) {
        return;
    }
    let fault = Fault::Name {
        what: "the label",
        text: crate::wit::brief::brief(label, 60),
        rule: "is no word: letters, digits, `-`, `_` and `.`, 100 bytes at the most",
    };
    problems.at(place, fault);
}

pub(super) fn arguments(node: Node, style: Style, problems: &mut Problems) -> Vec<(Value, Place)> {
    match node.kind {
        Kind::List(items) => {
            let read = |item: Node| (item.place, Value::read(item, style, problems));
            items
                .into_iter()
                .map(read)
                .map(|(place, value)| (value, place))
                .collect()
        }
        _ => {
            problems.kind("args", &node, "a list");
            Vec::new()
        }
    }
}

fn stdin(node: Node, problems: &mut Problems) -> Option<Vec<u8>> {
    match node.kind {
        Kind::Leaf(Ipld::String(text)) => Some(text.into_bytes()),
        Kind::Leaf(Ipld::Bytes(bytes)) => Some(bytes),
        _ => {
            problems.kind("stdin", &node, "a text or bytes");
            None
        }
    }
}

pub(super) fn nonce(node: Node, problems: &mut Problems) -> Nonce {
    let place = node.place;
    Nonce::from_ipld(node.into_ipld()).unwrap_or_else(|error| {
        problems.at(place, error);
        Nonce::EMPTY
    })
}
