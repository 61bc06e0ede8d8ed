//! From WAVE to values.
//!
//! `wasm-wave` turns text into a tree without types. The walk over that tree is our own and not its
//! `WasmValue`: so an error can name the type that was expected at its place, and a `list<u8>` is
//! read into bytes and not into one value a byte. The tree is at most 100 deep.

use std::error::Error;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use wasm_wave::ast::{Node, NodeType};
use wasm_wave::parser::{ParserError, ParserErrorKind};
use wasm_wave::untyped::UntypedValue;

use super::super::brief::brief;
use super::super::suggest::nearest;
use super::super::value::{no_flags, set_flag};
use super::super::{Case, Field, Type, Value};
use super::WaveError;
use crate::ipld::parse_cid;
use crate::json;

/// How much of a type, and of the text that was found, is printed.
const EXPECTED_CHARS_MAX: usize = 200;
const FOUND_CHARS_MAX: usize = 40;

pub(super) fn value(text: &str, ty: &Type) -> Result<Value, WaveError> {
    let tree = UntypedValue::parse(text).map_err(|error| syntax(text, &error))?;
    Reader { text }.value(tree.node(), ty)
}

/// What the parser of `wasm-wave` says, in our words.
fn syntax(text: &str, error: &ParserError) -> WaveError {
    let span = error.span();
    let found = text.get(span.clone()).unwrap_or_default();
    let message = match error.kind() {
        ParserErrorKind::InvalidToken | ParserErrorKind::UnexpectedToken if !found.is_empty() => {
            format!("unexpected `{}`", brief(found, FOUND_CHARS_MAX))
        }
        ParserErrorKind::UnexpectedEnd => "unexpected end".into(),
        kind => match (error.source(), error.detail()) {
            (Some(source), _) => source.to_string(),
            (None, Some(detail)) => format!("{kind}: {detail}"),
            (None, None) => kind.to_string(),
        },
    };
    let offset = match error.kind() {
        ParserErrorKind::UnexpectedEnd => text.len(),
        _ => span.start,
    };
    WaveError::new(text, offset, message)
}

/// Reads nodes, which are spans of this text.
#[derive(Clone, Copy)]
struct Reader<'a> {
    text: &'a str,
}

impl<'a> Reader<'a> {
    fn value(self, node: &Node, ty: &Type) -> Result<Value, WaveError> {
        match ty {
            Type::Bool => self.leaf(node, ty, node.as_bool()).map(Value::Bool),
            Type::S8 => self.number(node, ty).map(Value::S8),
            Type::U8 => self.number(node, ty).map(Value::U8),
            Type::S16 => self.number(node, ty).map(Value::S16),
            Type::U16 => self.number(node, ty).map(Value::U16),
            Type::S32 => self.number(node, ty).map(Value::S32),
            Type::U32 => self.number(node, ty).map(Value::U32),
            Type::S64 => self.number(node, ty).map(Value::S64),
            Type::U64 => self.number(node, ty).map(Value::U64),
            Type::F32 => self
                .float::<f32>(node, ty, f32::is_infinite)
                .map(Value::F32),
            Type::F64 => self
                .float::<f64>(node, ty, f64::is_infinite)
                .map(Value::F64),
            Type::Char => self
                .leaf(node, ty, node.as_char(self.text))
                .map(Value::Char),
            Type::String => self.string(node, ty).map(Value::String),
            ty if ty.takes_link() => self.content(node, ty),
            ty if ty.takes_any() => self.anything(node),
            Type::List(element) => self.list(node, ty, element),
            Type::Record(fields) => self.record(node, ty, fields),
            Type::Tuple(types) => self.tuple(node, ty, types),
            Type::Variant(cases) => self.variant(node, ty, cases),
            Type::Enum(names) => self.enumeration(node, ty, names),
            Type::Option(some) => self.option(node, ty, some),
            Type::Result { ok, err } => self.result(node, ty, ok.as_deref(), err.as_deref()),
            Type::Flags(names) => self.flags(node, ty, names),
            Type::Own(_)
            | Type::Borrow(_)
            | Type::Stream(_)
            | Type::Future(_)
            | Type::ErrorContext => Err(self.error(node, format!("a `{ty}` can't be written"))),
        }
    }

    fn slice(self, node: &Node) -> &'a str {
        self.text.get(node.span()).unwrap_or_default()
    }

    fn error(self, node: &Node, message: impl Into<String>) -> WaveError {
        WaveError::new(self.text, node.span().start, message)
    }

    fn unexpected(self, node: &Node, expected: impl Display) -> WaveError {
        let expected = brief(expected, EXPECTED_CHARS_MAX);
        let found = brief(self.slice(node), FOUND_CHARS_MAX);
        self.error(node, format!("expected `{expected}`, found `{found}`"))
    }

    /// A name that the type doesn't have.
    fn unknown<'n>(
        self,
        node: &Node,
        what: &str,
        name: &str,
        known: impl Iterator<Item = &'n Arc<str>>,
    ) -> WaveError {
        let shown = brief(name, FOUND_CHARS_MAX);
        let hint = match nearest(name, known.map(|known| &**known)) {
            Some(near) => format!(", did you mean `{near}`?"),
            None => String::new(),
        };
        self.error(node, format!("unknown {what} `{shown}`{hint}"))
    }

    /// What `wasm-wave` reads from a single node; it knows the kind of node but not our type.
    fn leaf<T>(self, node: &Node, ty: &Type, read: Result<T, ParserError>) -> Result<T, WaveError> {
        read.map_err(|error| match error.kind() {
            ParserErrorKind::InvalidType | ParserErrorKind::InvalidValue => {
                self.unexpected(node, ty)
            }
            _ => syntax(self.text, &error),
        })
    }

    fn number<T: FromStr>(self, node: &Node, ty: &Type) -> Result<T, WaveError> {
        self.leaf(node, ty, node.as_number(self.text))
    }

    /// A number too large for the float would be read as infinity, which has a word of its own.
    fn float<T: FromStr + Copy>(
        self,
        node: &Node,
        ty: &Type,
        is_infinite: fn(T) -> bool,
    ) -> Result<T, WaveError> {
        let float: T = self.number(node, ty)?;
        if is_infinite(float) && !self.slice(node).ends_with("inf") {
            return Err(self.unexpected(node, ty));
        }
        Ok(float)
    }

    fn string(self, node: &Node, ty: &Type) -> Result<String, WaveError> {
        self.leaf(node, ty, node.as_str(self.text)).map(Into::into)
    }

    /// Bytes as a list, or the CID that names them as a string.
    fn content(self, node: &Node, ty: &Type) -> Result<Value, WaveError> {
        if !matches!(node.ty(), NodeType::String | NodeType::MultilineString) {
            return self.bytes(node, ty).map(Value::Bytes);
        }
        let text = self.string(node, ty)?;
        let cid = parse_cid(text.strip_prefix("ipfs://").unwrap_or(&text));
        cid.map(Value::Link).map_err(|error| {
            self.error(
                node,
                format!("a string in the place of bytes is their CID: {error}"),
            )
        })
    }

    /// A string of DAG-JSON, or what is written alike in both: numbers, lists of them.
    fn anything(self, node: &Node) -> Result<Value, WaveError> {
        let is_text = matches!(node.ty(), NodeType::String | NodeType::MultilineString);
        let json = match is_text {
            true => self.string(node, &Type::String)?,
            false => self.slice(node).to_owned(),
        };
        json::parse(&json).map(Value::Any).map_err(|error| {
            let words = match is_text {
                true => "a string in the place of a value is DAG-JSON",
                false => "what isn't DAG-JSON is written as a string of it",
            };
            self.error(node, format!("{words}: {error}"))
        })
    }

    fn bytes(self, node: &Node, ty: &Type) -> Result<Vec<u8>, WaveError> {
        let items = self.leaf(node, ty, node.as_list())?;
        items.map(|item| self.number(item, &Type::U8)).collect()
    }

    fn list(self, node: &Node, ty: &Type, element: &Type) -> Result<Value, WaveError> {
        let items = self.leaf(node, ty, node.as_list())?;
        let values = items.map(|item| self.value(item, element));
        values.collect::<Result<_, _>>().map(Value::List)
    }

    fn tuple(self, node: &Node, ty: &Type, types: &[Type]) -> Result<Value, WaveError> {
        let items = self.leaf(node, ty, node.as_tuple())?;
        if items.len() != types.len() {
            return Err(self.unexpected(node, ty));
        }
        let values = items.zip(types).map(|(item, ty)| self.value(item, ty));
        values.collect::<Result<_, _>>().map(Value::Tuple)
    }

    fn record(self, node: &Node, ty: &Type, fields: &[Field]) -> Result<Value, WaveError> {
        let mut values: Vec<Option<Value>> = vec![None; fields.len()];
        for (name, item) in self.leaf(node, ty, node.as_record(self.text))? {
            let Some(index) = fields.iter().position(|field| *field.name == *name) else {
                return Err(self.unknown(item, "field", name, fields.iter().map(|f| &f.name)));
            };
            values[index] = Some(self.value(item, &fields[index].ty)?);
        }
        let field = |(value, field): (Option<Value>, &Field)| match value {
            Some(value) => Ok(value),
            None if field.ty.is_option() => Ok(Value::Option(None)),
            None => Err(self.error(node, format!("no field `{}`", field.name))),
        };
        let values = values.into_iter().zip(fields).map(field);
        values.collect::<Result<_, _>>().map(Value::Record)
    }

    fn variant(self, node: &Node, ty: &Type, cases: &[Case]) -> Result<Value, WaveError> {
        let names = cases.iter().map(|case| &case.name);
        self.check_marked(node, names)?;
        let (name, payload) = self.leaf(node, ty, node.as_variant(self.text))?;
        let Some(index) = cases.iter().position(|case| *case.name == *name) else {
            return Err(self.unknown(node, "case", name, cases.iter().map(|case| &case.name)));
        };
        let payload = self.payload(node, name, payload, cases[index].ty.as_ref())?;
        Ok(Value::Variant(index as u32, payload))
    }

    /// A case whose name is a word of WAVE, such as `none` or `ok`, must be marked as a name.
    fn check_marked<'n>(
        self,
        node: &Node,
        mut names: impl Iterator<Item = &'n Arc<str>>,
    ) -> Result<(), WaveError> {
        let written = self
            .slice(node)
            .split('(')
            .next()
            .unwrap_or_default()
            .trim_end();
        let is_word = !matches!(node.ty(), NodeType::Label | NodeType::VariantWithPayload);
        if is_word && names.any(|name| **name == *written) {
            return Err(self.error(
                node,
                format!("the case `{written}` is written `%{written}`"),
            ));
        }
        Ok(())
    }

    fn enumeration(self, node: &Node, ty: &Type, names: &[Arc<str>]) -> Result<Value, WaveError> {
        self.check_marked(node, names.iter())?;
        let name = self.leaf(node, ty, node.as_enum(self.text))?;
        match names.iter().position(|known| **known == *name) {
            Some(index) => Ok(Value::Enum(index as u32)),
            None => Err(self.unknown(node, "case", name, names.iter())),
        }
    }

    fn payload(
        self,
        node: &Node,
        name: &str,
        payload: Option<&Node>,
        ty: Option<&Type>,
    ) -> Result<Option<Box<Value>>, WaveError> {
        match (payload, ty) {
            (Some(payload), Some(ty)) => self.value(payload, ty).map(|value| Some(Box::new(value))),
            (None, None) => Ok(None),
            (None, Some(ty)) => {
                let ty = brief(ty, EXPECTED_CHARS_MAX);
                Err(self.error(
                    node,
                    format!("`{name}` has a payload, write `{name}(…)` with a `{ty}`"),
                ))
            }
            (Some(_), None) => Err(self.error(node, format!("`{name}` has no payload"))),
        }
    }

    fn option(self, node: &Node, ty: &Type, some: &Type) -> Result<Value, WaveError> {
        let inner = match node.ty() {
            NodeType::OptionNone => return Ok(Value::Option(None)),
            NodeType::OptionSome => match self.leaf(node, ty, node.as_option())? {
                Some(payload) => self.value(payload, some)?,
                None => return Err(self.unexpected(node, ty)),
            },
            _ if may_stand_alone(some) => self.value(node, some)?,
            _ => return Err(self.unexpected(node, ty)),
        };
        Ok(Value::Option(Some(Box::new(inner))))
    }

    fn result(
        self,
        node: &Node,
        ty: &Type,
        ok: Option<&Type>,
        err: Option<&Type>,
    ) -> Result<Value, WaveError> {
        match (node.ty(), ok) {
            (NodeType::ResultOk | NodeType::ResultErr, _) => {
                let result = match self.leaf(node, ty, node.as_result())? {
                    Ok(payload) => Ok(self.payload(node, "ok", payload, ok)?),
                    Err(payload) => Err(self.payload(node, "err", payload, err)?),
                };
                Ok(Value::Result(result))
            }
            (_, Some(ok)) if may_stand_alone(ok) => {
                let value = self.value(node, ok)?;
                Ok(Value::Result(Ok(Some(Box::new(value)))))
            }
            _ => Err(self.unexpected(node, ty)),
        }
    }

    fn flags(self, node: &Node, ty: &Type, names: &[Arc<str>]) -> Result<Value, WaveError> {
        let mut words = no_flags(names.len());
        for name in self.leaf(node, ty, node.as_flags(self.text))? {
            // The node gives labels here with the `%` that may be written before them.
            let name = name.trim_start_matches('%');
            let Some(index) = names.iter().position(|known| **known == *name) else {
                return Err(self.unknown(node, "flag", name, names.iter()));
            };
            set_flag(&mut words, index);
        }
        Ok(Value::Flags(words))
    }
}

/// Whether a value may be written for `some` or `ok` of it, as `wasm-wave` has it.
fn may_stand_alone(ty: &Type) -> bool {
    !matches!(ty, Type::Option(_) | Type::Result { .. })
}
