//! From values to WAVE.
//!
//! The writer of `wasm-wave` is led by the value, which must know its own names. Ours are in the
//! type, so what it is given is a [`Typed`]: a value beside its type, both borrowed.

use std::borrow::Cow;
use std::fmt::Write;

use wasm_wave::wasm::{WasmType, WasmTypeKind, WasmValue};
use wasm_wave::writer::{Writer, WriterError};

use super::super::value::flags_set;
use super::super::{Type, Value};
use crate::json;

/// What is broken if a [`Typed`] doesn't hold what its type says.
const CHECKED: &str = "the value was checked to be of its type";

pub(super) fn value(text: impl Write, value: &Value, ty: &Type) -> Result<(), WriterError> {
    let mut text = text;
    if !value.fits(ty) {
        return Ok(write!(text, "<a `{}` that is no `{ty}`>", value.kind())?);
    }
    Writer::new(text).write_value(&Typed {
        item: Item::Value(value),
        ty,
    })
}

/// A value with its type, which it fits.
#[derive(Clone, Copy)]
struct Typed<'a> {
    item: Item<'a>,
    ty: &'a Type,
}

#[derive(Clone, Copy)]
enum Item<'a> {
    Value(&'a Value),
    /// An element of [`Value::Bytes`], which is no value of its own.
    Byte(u8),
}

/// The writer asks only for the kind of a value; a type of its own it doesn't need.
#[derive(Clone, Copy)]
struct Unused;

impl WasmType for Unused {
    fn kind(&self) -> WasmTypeKind {
        WasmTypeKind::Unsupported
    }
}

type Items<'a, T> = Box<dyn Iterator<Item = T> + 'a>;
type Payload<'a> = Option<Cow<'a, Typed<'a>>>;

impl<'a> Typed<'a> {
    fn value(&self) -> &'a Value {
        match self.item {
            Item::Value(value) => value,
            Item::Byte(_) => unreachable!("{CHECKED}"),
        }
    }

    fn beside(value: &'a Value, ty: &'a Type) -> Cow<'a, Self> {
        Cow::Owned(Self {
            item: Item::Value(value),
            ty,
        })
    }

    fn payload(value: Option<&'a Value>, ty: Option<&'a Type>) -> Payload<'a> {
        Some(Self::beside(value?, ty?))
    }
}

/// The scalars all look alike.
macro_rules! scalars {
    ($($method:ident, $variant:ident, $type:ty;)*) => {
        $(fn $method(&self) -> $type {
            match self.value() {
                Value::$variant(value) => *value,
                _ => unreachable!("{CHECKED}"),
            }
        })*
    };
}

impl WasmValue for Typed<'_> {
    type Type = Unused;

    fn kind(&self) -> WasmTypeKind {
        match (self.item, self.ty) {
            (Item::Value(Value::Link(_) | Value::Any(_)), _) => return WasmTypeKind::String,
            (Item::Value(Value::Bytes(_)), _) => return WasmTypeKind::List,
            _ => {}
        }
        match self.ty {
            Type::Bool => WasmTypeKind::Bool,
            Type::S8 => WasmTypeKind::S8,
            Type::U8 => WasmTypeKind::U8,
            Type::S16 => WasmTypeKind::S16,
            Type::U16 => WasmTypeKind::U16,
            Type::S32 => WasmTypeKind::S32,
            Type::U32 => WasmTypeKind::U32,
            Type::S64 => WasmTypeKind::S64,
            Type::U64 => WasmTypeKind::U64,
            Type::F32 => WasmTypeKind::F32,
            Type::F64 => WasmTypeKind::F64,
            Type::Char => WasmTypeKind::Char,
            Type::String => WasmTypeKind::String,
            Type::List(_) => WasmTypeKind::List,
            Type::Record(_) => WasmTypeKind::Record,
            Type::Tuple(_) => WasmTypeKind::Tuple,
            Type::Variant(_) => WasmTypeKind::Variant,
            Type::Enum(_) => WasmTypeKind::Enum,
            Type::Option(_) => WasmTypeKind::Option,
            Type::Result { .. } => WasmTypeKind::Result,
            Type::Flags(_) => WasmTypeKind::Flags,
            Type::Own(_)
            | Type::Borrow(_)
            | Type::Stream(_)
            | Type::Future(_)
            | Type::ErrorContext => unreachable!("{CHECKED}"),
        }
    }

    scalars! {
        unwrap_bool, Bool, bool;
        unwrap_s8, S8, i8;
        unwrap_s16, S16, i16;
        unwrap_u16, U16, u16;
        unwrap_s32, S32, i32;
        unwrap_u32, U32, u32;
        unwrap_s64, S64, i64;
        unwrap_u64, U64, u64;
        unwrap_f32, F32, f32;
        unwrap_f64, F64, f64;
        unwrap_char, Char, char;
    }

    fn unwrap_u8(&self) -> u8 {
        match self.item {
            Item::Byte(byte) | Item::Value(&Value::U8(byte)) => byte,
            Item::Value(_) => unreachable!("{CHECKED}"),
        }
    }

    fn unwrap_string(&self) -> Cow<'_, str> {
        match self.value() {
            Value::String(text) => text.into(),
            Value::Link(cid) => cid.to_string().into(),
            Value::Any(ipld) => json::to_string(ipld)
                .unwrap_or_else(|error| format!("<a value that isn't shown: {error}>"))
                .into(),
            _ => unreachable!("{CHECKED}"),
        }
    }

    fn unwrap_list(&self) -> Items<'_, Cow<'_, Self>> {
        match (self.value(), self.ty) {
            (Value::Bytes(bytes), _) => Box::new(bytes.iter().map(|byte| {
                Cow::Owned(Typed {
                    item: Item::Byte(*byte),
                    ty: &Type::U8,
                })
            })),
            (Value::List(values), Type::List(ty)) => {
                Box::new(values.iter().map(|value| Typed::beside(value, ty)))
            }
            _ => unreachable!("{CHECKED}"),
        }
    }

    fn unwrap_record(&self) -> Items<'_, (Cow<'_, str>, Cow<'_, Self>)> {
        match (self.value(), self.ty) {
            (Value::Record(values), Type::Record(fields)) => {
                Box::new(values.iter().zip(fields.iter()).map(|(value, field)| {
                    (Cow::from(&*field.name), Typed::beside(value, &field.ty))
                }))
            }
            _ => unreachable!("{CHECKED}"),
        }
    }

    fn unwrap_tuple(&self) -> Items<'_, Cow<'_, Self>> {
        match (self.value(), self.ty) {
            (Value::Tuple(values), Type::Tuple(types)) => {
                let items = values.iter().zip(types.iter());
                Box::new(items.map(|(value, ty)| Typed::beside(value, ty)))
            }
            _ => unreachable!("{CHECKED}"),
        }
    }

    fn unwrap_variant(&self) -> (Cow<'_, str>, Option<Cow<'_, Self>>) {
        match (self.value(), self.ty) {
            (Value::Variant(index, payload), Type::Variant(cases)) => {
                let case = &cases[*index as usize];
                let payload = Typed::payload(payload.as_deref(), case.ty.as_ref());
                (Cow::from(&*case.name), payload)
            }
            _ => unreachable!("{CHECKED}"),
        }
    }

    fn unwrap_enum(&self) -> Cow<'_, str> {
        match (self.value(), self.ty) {
            (Value::Enum(index), Type::Enum(names)) => Cow::from(&*names[*index as usize]),
            _ => unreachable!("{CHECKED}"),
        }
    }

    fn unwrap_option(&self) -> Option<Cow<'_, Self>> {
        match (self.value(), self.ty) {
            (Value::Option(value), Type::Option(ty)) => Typed::payload(value.as_deref(), Some(ty)),
            _ => unreachable!("{CHECKED}"),
        }
    }

    fn unwrap_result(&self) -> Result<Option<Cow<'_, Self>>, Option<Cow<'_, Self>>> {
        match (self.value(), self.ty) {
            (Value::Result(Ok(value)), Type::Result { ok, .. }) => {
                Ok(Typed::payload(value.as_deref(), ok.as_deref()))
            }
            (Value::Result(Err(value)), Type::Result { err, .. }) => {
                Err(Typed::payload(value.as_deref(), err.as_deref()))
            }
            _ => unreachable!("{CHECKED}"),
        }
    }

    fn unwrap_flags(&self) -> Items<'_, Cow<'_, str>> {
        match (self.value(), self.ty) {
            (Value::Flags(words), Type::Flags(names)) => {
                Box::new(flags_set(words).map(|index| Cow::from(&*names[index])))
            }
            _ => unreachable!("{CHECKED}"),
        }
    }
}
