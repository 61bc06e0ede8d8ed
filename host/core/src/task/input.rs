//! What a component is asked: a function, its arguments, and for a command its standard input.

use crate::ipld::{FieldError, Fields, Ipld};
use std::collections::BTreeMap;

/// A call's function and arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The function's name as the caller writes it: `add`, `acme:math/ops.add`.
    pub func: String,
    /// Its arguments, in order. An argument may be, or hold, an await on another instruction.
    pub args: Vec<Ipld>,
    /// What a command reads from its standard input. None is another instruction than empty.
    pub stdin: Option<Vec<u8>>,
}

impl Input {
    /// A call without standard input.
    pub fn new(func: impl Into<String>, args: Vec<Ipld>) -> Self {
        Self {
            func: func.into(),
            args,
            stdin: None,
        }
    }

    pub(super) fn to_ipld(&self) -> Ipld {
        let mut entries = BTreeMap::from([
            ("func".to_owned(), Ipld::String(self.func.clone())),
            ("args".to_owned(), Ipld::List(self.args.clone())),
        ]);
        if let Some(stdin) = &self.stdin {
            entries.insert("stdin".to_owned(), Ipld::Bytes(stdin.clone()));
        }
        Ipld::Map(entries)
    }

    pub(super) fn from_ipld(value: Ipld) -> Result<Self, FieldError> {
        let mut fields = Fields::of("input", value)?;
        let input = Self {
            func: fields.string("func")?,
            args: fields.list("args")?,
            stdin: fields.if_present("stdin", Fields::bytes)?,
        };
        fields.end()?;
        Ok(input)
    }
}
