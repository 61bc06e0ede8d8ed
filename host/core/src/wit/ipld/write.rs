//! From values to IPLD: one function for each shape of type.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipld_core::ipld::Ipld;

use super::super::value::flags_set;
use super::super::{Case, Field, Mismatch, Type, Value};
use super::{ERROR, OK, float_name};

pub(super) fn ipld(value: Value, ty: &Type) -> Result<Ipld, Mismatch> {
    match (value, ty) {
        (Value::Bool(value), Type::Bool) => Ok(Ipld::Bool(value)),
        (Value::S8(value), Type::S8) => Ok(Ipld::Integer(value.into())),
        (Value::U8(value), Type::U8) => Ok(Ipld::Integer(value.into())),
        (Value::S16(value), Type::S16) => Ok(Ipld::Integer(value.into())),
        (Value::U16(value), Type::U16) => Ok(Ipld::Integer(value.into())),
        (Value::S32(value), Type::S32) => Ok(Ipld::Integer(value.into())),
        (Value::U32(value), Type::U32) => Ok(Ipld::Integer(value.into())),
        (Value::S64(value), Type::S64) => Ok(Ipld::Integer(value.into())),
        (Value::U64(value), Type::U64) => Ok(Ipld::Integer(value.into())),
        (Value::F32(value), Type::F32) => Ok(float(value.into())),
        (Value::F64(value), Type::F64) => Ok(float(value)),
        (Value::Char(value), Type::Char) => Ok(Ipld::String(value.into())),
        (Value::String(value), Type::String) => Ok(Ipld::String(value)),
        (Value::Bytes(bytes), ty) if ty.takes_link() => Ok(Ipld::Bytes(bytes)),
        (Value::Link(cid), ty) if ty.takes_link() => Ok(Ipld::Link(cid)),
        (Value::Any(ipld), ty) if ty.takes_any() => Ok(ipld),
        (Value::List(values), Type::List(element)) if !ty.is_bytes() => list(values, element),
        (Value::Record(values), Type::Record(fields)) if values.len() == fields.len() => {
            record(values, fields)
        }
        (Value::Tuple(values), Type::Tuple(types)) if values.len() == types.len() => {
            tuple(values, types)
        }
        (Value::Variant(index, payload), Type::Variant(cases)) => {
            variant(index, payload, ty, cases)
        }
        (Value::Enum(index), Type::Enum(names)) => enumeration(index, ty, names),
        (Value::Option(value), Type::Option(some)) => option(value, some),
        (Value::Result(Ok(value)), Type::Result { ok, .. }) => one_key(OK, value, ok.as_deref()),
        (Value::Result(Err(value)), Type::Result { err, .. }) => {
            one_key(ERROR, value, err.as_deref())
        }
        (value @ Value::Flags(_), Type::Flags(names)) if value.fits(ty) => Ok(flags(value, names)),
        (value, ty) => Err(unlike(&value, ty)),
    }
}

fn unlike(value: &Value, ty: &Type) -> Mismatch {
    match ty.handle() == Some(ty) {
        true => Mismatch::of_handle(ty, format!("a value of `{}`", value.kind())),
        false => Mismatch::of_value(ty, value),
    }
}

fn float(float: f64) -> Ipld {
    match float_name(float) {
        Some(name) => Ipld::String(name.into()),
        None => Ipld::Float(float),
    }
}

fn list(values: Vec<Value>, element: &Type) -> Result<Ipld, Mismatch> {
    let item = |(index, value)| {
        ipld(value, element).map_err(|mismatch: Mismatch| mismatch.in_element(index))
    };
    let items = values.into_iter().enumerate().map(item);
    items.collect::<Result<_, _>>().map(Ipld::List)
}

fn tuple(values: Vec<Value>, types: &[Type]) -> Result<Ipld, Mismatch> {
    let item = |(index, (value, ty)): (usize, (Value, &Type))| {
        ipld(value, ty).map_err(|mismatch| mismatch.in_element(index))
    };
    let items = values.into_iter().zip(types).enumerate().map(item);
    items.collect::<Result<_, _>>().map(Ipld::List)
}

fn record(values: Vec<Value>, fields: &[Field]) -> Result<Ipld, Mismatch> {
    let entry = |(value, field): (Value, &Field)| match ipld(value, &field.ty) {
        Ok(ipld) => Ok((field.name.to_string(), ipld)),
        Err(mismatch) => Err(mismatch.in_field(&field.name)),
    };
    let entries = values.into_iter().zip(fields).map(entry);
    entries.collect::<Result<_, _>>().map(Ipld::Map)
}

fn variant(
    index: u32,
    payload: Option<Box<Value>>,
    ty: &Type,
    cases: &[Case],
) -> Result<Ipld, Mismatch> {
    match cases.get(index as usize) {
        Some(case) => one_key(&case.name, payload, case.ty.as_ref()),
        None => Err(Mismatch::of_value(ty, &Value::Variant(index, None))),
    }
}

fn enumeration(index: u32, ty: &Type, names: &[Arc<str>]) -> Result<Ipld, Mismatch> {
    match names.get(index as usize) {
        Some(name) => Ok(Ipld::String(name.to_string())),
        None => Err(Mismatch::of_value(ty, &Value::Enum(index))),
    }
}

/// `{name: payload}`, with null for a payload that the type doesn't have.
fn one_key(name: &str, payload: Option<Box<Value>>, ty: Option<&Type>) -> Result<Ipld, Mismatch> {
    let inner = match (payload, ty) {
        (Some(value), Some(ty)) => ipld(*value, ty),
        (None, None) => Ok(Ipld::Null),
        (None, Some(ty)) => Err(Mismatch::new(ty, "no payload")),
        (Some(value), None) => Err(Mismatch::new(
            super::NOTHING,
            format!("a payload of `{}`", value.kind()),
        )),
    };
    let inner = inner.map_err(|mismatch| mismatch.in_field(name))?;
    Ok(Ipld::Map(BTreeMap::from([(name.to_owned(), inner)])))
}

/// Null or the value itself, except that an option in an option is wrapped, and what may be anything: otherwise its null
/// and the outer none would be the same.
fn option(value: Option<Box<Value>>, some: &Type) -> Result<Ipld, Mismatch> {
    match value {
        None => Ok(Ipld::Null),
        Some(value) if some.takes_null() => list(vec![*value], some),
        Some(value) => ipld(*value, some),
    }
}

fn flags(value: Value, names: &[Arc<str>]) -> Ipld {
    let Value::Flags(words) = value else {
        return Ipld::List(Vec::new());
    };
    let set = flags_set(&words).filter_map(|index| names.get(index));
    Ipld::List(set.map(|name| Ipld::String(name.to_string())).collect())
}
