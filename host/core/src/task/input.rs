//! What a component is asked: a function, its arguments, and for a command its standard input.

use super::InstructionError;
use crate::ipld::{Ipld, kind_of};
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

    pub(super) fn from_ipld(value: Ipld) -> Result<Self, InstructionError> {
        let mut fields = super::instruction::Fields::of("input", value)?;
        let input = Self {
            func: string("input.func", fields.take("func")?)?,
            args: list("input.args", fields.take("args")?)?,
            stdin: fields.take_optional("stdin").map(stdin).transpose()?,
        };
        fields.end()?;
        Ok(input)
    }
}

pub(super) fn string(field: &'static str, value: Ipld) -> Result<String, InstructionError> {
    match value {
        Ipld::String(text) => Ok(text),
        other => Err(InstructionError::kind(field, "a string", kind_of(&other))),
    }
}

fn list(field: &'static str, value: Ipld) -> Result<Vec<Ipld>, InstructionError> {
    match value {
        Ipld::List(items) => Ok(items),
        other => Err(InstructionError::kind(field, "a list", kind_of(&other))),
    }
}

fn stdin(value: Ipld) -> Result<Vec<u8>, InstructionError> {
    match value {
        Ipld::Bytes(bytes) => Ok(bytes),
        other => Err(InstructionError::kind(
            "input.stdin",
            "bytes",
            kind_of(&other),
        )),
    }
}
