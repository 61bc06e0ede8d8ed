//! Whether what flows into a parameter fits it: literals by what they are, the rest by where it comes from.

use super::fit::{Fit, Why, fit, takes_link};
use crate::ipld::Ipld;
use crate::wit::mismatch::{Mismatch, describe};
use crate::wit::{ArgumentError, Field, Function, Type, from_ipld};
use crate::workflow::{Branch, Fault, Part, Place, Value};

/// What a task gives, as far as its type tells.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Gives {
    /// Nobody knows: its function was not found, which is told already.
    Unknown,
    /// Null.
    Nothing,
    /// A value of this type.
    Type(Type),
}

impl Gives {
    /// What a function gives where it succeeds, and what its failures hold.
    pub(super) fn of_function(function: &Function) -> Self {
        match &function.result {
            None => Self::Nothing,
            // A function that returns a `result` says by it whether it succeeded.
            Some(Type::Result { ok: None, .. }) => Self::Nothing,
            Some(Type::Result { ok: Some(ok), .. }) => Self::Type((**ok).clone()),
            Some(ty) => Self::Type(ty.clone()),
        }
    }

    /// A list of it.
    fn listed(self) -> Self {
        match self {
            Self::Unknown => Self::Unknown,
            // A list of nulls.
            Self::Nothing => Self::Type(Type::list(Type::option(Type::Bool))),
            Self::Type(ty) => Self::Type(Type::list(ty)),
        }
    }

    /// What an await of that branch gives.
    pub(super) fn branch(&self, branch: Branch, is_for_each: bool) -> Self {
        match (branch, is_for_each) {
            (Branch::Ok, false) => self.clone(),
            (Branch::Ok, true) => self.clone().listed(),
            (Branch::Error, _) => Self::Type(failure()),
            (Branch::Any, false) => self.outcome(),
            (Branch::Any, true) => self.outcome().listed(),
        }
    }

    fn outcome(&self) -> Self {
        match self {
            Self::Unknown => Self::Unknown,
            Self::Nothing => Self::Type(Type::result(None, Some(failure()))),
            Self::Type(ty) => Self::Type(Type::result(Some(ty.clone()), Some(failure()))),
        }
    }
}

/// A failure as it is written. Its value is the guest's own and has no type here.
fn failure() -> Type {
    Type::Record(
        [
            Field::new("kind", Type::String),
            Field::new("message", Type::String),
        ]
        .into(),
    )
}

/// What `for-each` goes through.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Elements<'a> {
    /// Those that are written, each with its key.
    Written(Vec<(Key<'a>, &'a Value)>),
    /// Those of plain data, each with its key.
    Plain(Vec<(Key<'a>, &'a Ipld)>),
    /// The files of a folder, by their names.
    Files,
    /// What another task gives: elements of a type.
    Given(Gives),
}

/// The key of an element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Key<'a> {
    Index(usize),
    Name(&'a str),
}

/// What is looked at: one parameter of one task.
pub(super) struct Flow<'a, G> {
    pub(super) function: &'a Function,
    pub(super) parameter: &'a str,
    /// What `for-each` goes through, if there is one.
    pub(super) elements: Option<&'a Elements<'a>>,
    /// What an await gives, and in words where it comes from.
    pub(super) gives: G,
}

/// What was found: a fault, or, where only some values fit, a note.
pub(super) struct Finding {
    /// Where, if not at the argument itself.
    pub(super) place: Option<Place>,
    pub(super) fault: Fault,
    pub(super) is_note: bool,
}

type Findings = Vec<Finding>;

impl<'a, G: Fn(&crate::workflow::Await) -> (Gives, String)> Flow<'a, G> {
    pub(super) fn check(&self, value: &Value, ty: &Type) -> Findings {
        let mut findings = Vec::new();
        self.value(value, ty, &mut Vec::new(), &mut findings);
        findings
    }

    fn value(&self, value: &Value, ty: &Type, path: &mut Vec<Step>, findings: &mut Findings) {
        match value {
            Value::Plain(plain) => self.plain(plain, ty, path, findings),
            Value::Await(awaited) => {
                let (gives, from) = (self.gives)(awaited);
                self.given(&gives, from, ty, path, Some(awaited.place), findings);
            }
            Value::Data(data) => {
                if !takes_link(ty) {
                    let found = format!("the file `{}`", data.name);
                    let mismatch = Mismatch::new(ty, found)
                        .hint("a file is passed as `stream<u8>`, `blob` or `list<u8>`");
                    findings.push(self.mismatch(mismatch, path, Some(data.place)));
                }
            }
            Value::Each(each) => self.each(each.part, each.place, ty, path, findings),
            // Whatever is given, it is data.
            Value::List(_) | Value::Map(_) if ty.takes_any() => {}
            Value::List(items) => self.list(items, ty, path, findings),
            Value::Map(_) => self.map(value, ty, path, findings),
        }
    }

    fn plain(&self, plain: &Ipld, ty: &Type, path: &[Step], findings: &mut Findings) {
        if matches!(plain, Ipld::Link(_)) && takes_link(ty) {
            return;
        }
        if let Err(mismatch) = from_ipld(plain.clone(), ty) {
            findings.push(self.mismatch(mismatch, path, None));
        }
    }

    fn each(&self, part: Part, place: Place, ty: &Type, path: &[Step], findings: &mut Findings) {
        let Some(elements) = self.elements else {
            return;
        };
        let files = || Type::Stream(Some(std::sync::Arc::new(Type::U8)));
        match (elements, part) {
            (Elements::Written(written), Part::Value) => {
                for (_, element) in written {
                    let mut inner = Vec::new();
                    self.value(element, ty, &mut inner, findings);
                }
            }
            (Elements::Plain(plain), Part::Value) => {
                for (_, element) in plain {
                    self.plain(element, ty, path, findings);
                }
            }
            (Elements::Files, Part::Value) => {
                let gives = Gives::Type(files());
                self.given(&gives, "the folder".into(), ty, path, Some(place), findings);
            }
            (Elements::Given(gives), Part::Value) => {
                self.given(gives, "`@each`".into(), ty, path, Some(place), findings);
            }
            (Elements::Files, Part::Key) => {
                let gives = Gives::Type(Type::String);
                self.given(&gives, "`@each`".into(), ty, path, Some(place), findings);
            }
            (Elements::Given(_), Part::Key) => {
                let gives = Gives::Type(Type::U32);
                self.given(&gives, "`@each`".into(), ty, path, Some(place), findings);
            }
            (Elements::Written(written), Part::Key) => {
                written
                    .iter()
                    .for_each(|(key, _)| self.plain(&key.to_ipld(), ty, path, findings));
            }
            (Elements::Plain(plain), Part::Key) => {
                plain
                    .iter()
                    .for_each(|(key, _)| self.plain(&key.to_ipld(), ty, path, findings));
            }
        }
    }

    fn given(
        &self,
        gives: &Gives,
        from: String,
        ty: &Type,
        path: &[Step],
        place: Option<Place>,
        findings: &mut Findings,
    ) {
        let fits = match gives {
            Gives::Unknown => Fit::Always,
            Gives::Nothing if ty.is_option() => Fit::Always,
            Gives::Nothing => {
                let mut why = Why::new(ty, ty, "a function without a result gives null");
                why.given = "null".into();
                Fit::Never(why)
            }
            Gives::Type(given) => fit(given, ty),
        };
        let (why, is_note) = match fits {
            Fit::Always => return,
            Fit::Sometimes(why) => (why, true),
            Fit::Never(why) => (why, false),
        };
        let mut at = written(path);
        if !why.path.is_empty() {
            let dot = if at.is_empty() || why.path.starts_with('[') {
                ""
            } else {
                "."
            };
            at = format!("{at}{dot}{}", why.path);
        }
        let fault = Fault::Flow {
            function: self.function.full_name(),
            parameter: self.parameter.to_owned(),
            path: at,
            expected: why.expected,
            from,
            given: why.given,
            words: why.words,
        };
        findings.push(Finding {
            place,
            fault,
            is_note,
        });
    }

    fn list(&self, items: &[Value], ty: &Type, path: &mut Vec<Step>, findings: &mut Findings) {
        let types: Vec<&Type> = match ty {
            Type::Option(some) if !some.is_option() => {
                return self.list(items, some, path, findings);
            }
            Type::Option(some) if items.len() == 1 => vec![some],
            Type::List(element) => vec![element; items.len()],
            Type::Tuple(types) if types.len() == items.len() => types.iter().collect(),
            Type::Flags(_) => vec![&Type::String; items.len()],
            // `[value, null]`, as results were written in 2024.
            Type::Result { .. } if items.len() == 2 => return,
            _ => {
                let shape = Ipld::List(vec![Ipld::Null; items.len()]);
                return findings.push(self.mismatch(
                    Mismatch::new(ty, describe(&shape)),
                    path,
                    None,
                ));
            }
        };
        for (index, (item, ty)) in items.iter().zip(types).enumerate() {
            path.push(Step::Index(index));
            self.value(item, ty, path, findings);
            path.pop();
        }
    }

    fn map(&self, value: &Value, ty: &Type, path: &mut Vec<Step>, findings: &mut Findings) {
        let Value::Map(entries) = value else { return };
        let mut at = |key: &str, value: &Value, ty: &Type, findings: &mut Findings| {
            path.push(Step::Key(key.to_owned()));
            self.value(value, ty, path, findings);
            path.pop();
        };
        match ty {
            Type::Option(some) if !some.is_option() => {
                return self.map(value, some, path, findings);
            }
            Type::List(_) if ty.pair_value().is_some() => {
                for (key, value) in entries {
                    if let Some(ty) = ty.pair_value() {
                        at(key, value, ty, findings);
                    }
                }
                return;
            }
            Type::Variant(_) | Type::Result { .. } | Type::Record(_) => {}
            _ => {
                let shape = entries
                    .keys()
                    .map(|key| (key.clone(), Ipld::Null))
                    .collect();
                let mismatch = Mismatch::new(ty, describe(&Ipld::Map(shape)));
                return findings.push(self.mismatch(mismatch, path, None));
            }
        }
        // The parts that are known are left to the reader of values, with the unknown ones put aside.
        let mut wrong = None;
        for (key, value) in entries {
            match part_type(ty, key) {
                Some(Some(ty)) => at(key, value, ty, findings),
                Some(None) => {}
                None => wrong = wrong.or(Some(Mismatch::new(ty, format!("unknown key {key:?}")))),
            }
        }
        if let Type::Record(fields) = ty {
            let missing = fields
                .iter()
                .find(|field| !field.ty.is_option() && !entries.contains_key(&*field.name));
            if let Some(field) = missing {
                wrong = wrong.or(Some(Mismatch::new(
                    ty,
                    format!("no key \"{}\"", field.name),
                )));
            }
        } else if entries.len() != 1 {
            wrong = wrong.or(Some(Mismatch::new(
                ty,
                format!("map of {} keys", entries.len()),
            )));
        }
        if let Some(mismatch) = wrong {
            findings.push(self.mismatch(mismatch, path, None));
        }
    }

    fn mismatch(&self, mut mismatch: Mismatch, path: &[Step], place: Option<Place>) -> Finding {
        for step in path.iter().rev() {
            mismatch = match step {
                Step::Index(index) => mismatch.in_element(*index),
                Step::Key(key) => mismatch.in_field(key),
            };
        }
        Finding {
            place,
            fault: Fault::Argument(ArgumentError::Mismatch(mismatch.in_field(self.parameter))),
            is_note: false,
        }
    }
}

enum Step {
    Index(usize),
    Key(String),
}

fn written(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Index(index) => text.push_str(&format!("[{index}]")),
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.push_str(&format!(".{key}")),
        }
    }
    text
}

/// The type of what stands under a key: none if there is no such key, an inner none if it has no value.
fn part_type<'t>(ty: &'t Type, key: &str) -> Option<Option<&'t Type>> {
    match ty {
        Type::Record(fields) => {
            let field = fields.iter().find(|field| *field.name == *key)?;
            Some(Some(&field.ty))
        }
        Type::Variant(cases) => {
            let case = cases.iter().find(|case| *case.name == *key)?;
            Some(case.ty.as_ref())
        }
        Type::Result { ok, .. } if key == "ok" => Some(ok.as_deref()),
        Type::Result { err, .. } if key == "error" => Some(err.as_deref()),
        _ => None,
    }
}

impl Key<'_> {
    pub(super) fn to_ipld(self) -> Ipld {
        match self {
            Self::Index(index) => Ipld::Integer(index as i128),
            Self::Name(name) => Ipld::String(name.to_owned()),
        }
    }
}
