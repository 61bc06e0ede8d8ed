//! From IPLD to values: one function for each shape of type.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipld_core::ipld::Ipld;

use super::super::mismatch::{describe, quoted};
use super::super::suggest::nearest;
use super::super::value::{no_flags, set_flag};
use super::super::{Case, Field, Mismatch, Type, Value};
use super::{ERROR, NOTHING, OK, float_name, named_float};

/// How many bits of an integer an `f32` and an `f64` hold.
const F32_BITS: u32 = f32::MANTISSA_DIGITS;
const F64_BITS: u32 = f64::MANTISSA_DIGITS;

pub(super) fn value(ipld: Ipld, ty: &Type) -> Result<Value, Mismatch> {
    match ty {
        Type::Bool => boolean(ipld, ty),
        Type::S8 => integer(ipld, ty).map(Value::S8),
        Type::U8 => integer(ipld, ty).map(Value::U8),
        Type::S16 => integer(ipld, ty).map(Value::S16),
        Type::U16 => integer(ipld, ty).map(Value::U16),
        Type::S32 => integer(ipld, ty).map(Value::S32),
        Type::U32 => integer(ipld, ty).map(Value::U32),
        Type::S64 => integer(ipld, ty).map(Value::S64),
        Type::U64 => integer(ipld, ty).map(Value::U64),
        Type::F32 => narrow(float(ipld, ty, F32_BITS)?).map(Value::F32),
        Type::F64 => float(ipld, ty, F64_BITS).map(Value::F64),
        Type::Char => character(ipld, ty),
        Type::String => string(ipld, ty).map(Value::String),
        ty if ty.takes_link() => content(ipld, ty),
        ty if ty.takes_any() => Ok(Value::Any(ipld)),
        Type::List(element) => list(ipld, ty, element),
        Type::Record(fields) => record(ipld, ty, fields),
        Type::Tuple(types) => tuple(ipld, ty, types),
        Type::Variant(cases) => variant(ipld, ty, cases),
        Type::Enum(names) => enumeration(ipld, ty, names),
        Type::Option(some) => option(ipld, ty, some).map(Value::Option),
        Type::Result { ok, err } => result(ipld, ty, ok.as_deref(), err.as_deref()),
        Type::Flags(names) => flags(ipld, ty, names),
        Type::Own(_) | Type::Borrow(_) | Type::Stream(_) | Type::Future(_) | Type::ErrorContext => {
            handle(&ipld, ty)
        }
    }
}

fn boolean(ipld: Ipld, ty: &Type) -> Result<Value, Mismatch> {
    match ipld {
        Ipld::Bool(value) => Ok(Value::Bool(value)),
        other => Err(Mismatch::of_ipld(ty, &other)),
    }
}

fn integer<T: TryFrom<i128>>(ipld: Ipld, ty: &Type) -> Result<T, Mismatch> {
    let Ipld::Integer(integer) = ipld else {
        return Err(Mismatch::of_ipld(ty, &ipld));
    };
    T::try_from(integer).map_err(|_| Mismatch::of_ipld(ty, &ipld))
}

/// A float, a name of one, or an integer of at most so many significant bits.
fn float(ipld: Ipld, ty: &Type, bits: u32) -> Result<f64, Mismatch> {
    match &ipld {
        Ipld::Float(float) => match float_name(*float) {
            None => Ok(*float),
            Some(name) => {
                Err(Mismatch::of_ipld(ty, &ipld).hint(format!("this float is written \"{name}\"")))
            }
        },
        Ipld::Integer(integer) if significant_bits(*integer) <= bits => Ok(*integer as f64),
        Ipld::Integer(_) => {
            Err(Mismatch::of_ipld(ty, &ipld).hint(format!("no `{ty}` is exactly that")))
        }
        Ipld::String(name) => named_float(name).ok_or_else(|| Mismatch::of_ipld(ty, &ipld)),
        _ => Err(Mismatch::of_ipld(ty, &ipld)),
    }
}

/// How many binary digits there are from the first one that is set to the last.
fn significant_bits(integer: i128) -> u32 {
    match integer.unsigned_abs() {
        0 => 0,
        magnitude => u128::BITS - magnitude.leading_zeros() - magnitude.trailing_zeros(),
    }
}

fn narrow(float: f64) -> Result<f32, Mismatch> {
    let narrowed = float as f32;
    if f64::from(narrowed) == float || float.is_nan() {
        return Ok(narrowed);
    }
    let mismatch = Mismatch::of_ipld(Type::F32, &Ipld::Float(float));
    Err(if narrowed.is_finite() {
        let nearest = f64::from(narrowed);
        mismatch.hint(format!("the nearest `f32` is {nearest:?}"))
    } else {
        mismatch.hint("no `f32` is that large")
    })
}

fn character(ipld: Ipld, ty: &Type) -> Result<Value, Mismatch> {
    if let Ipld::String(text) = &ipld {
        let mut characters = text.chars();
        if let (Some(character), None) = (characters.next(), characters.next()) {
            return Ok(Value::Char(character));
        }
    }
    Err(Mismatch::of_ipld(ty, &ipld))
}

fn string(ipld: Ipld, ty: &Type) -> Result<String, Mismatch> {
    match ipld {
        Ipld::String(text) => Ok(text),
        other => Err(Mismatch::of_ipld(ty, &other)),
    }
}

/// Bytes, or a link to them.
fn content(ipld: Ipld, ty: &Type) -> Result<Value, Mismatch> {
    match ipld {
        Ipld::Link(cid) => Ok(Value::Link(cid)),
        Ipld::Bytes(bytes) => Ok(Value::Bytes(bytes)),
        Ipld::List(items) if ty.is_bytes() => {
            each(items, |item| integer(item, &Type::U8)).map(Value::Bytes)
        }
        other => Err(Mismatch::of_ipld(ty, &other).hint("it takes a link or bytes")),
    }
}

fn list(ipld: Ipld, ty: &Type, element: &Type) -> Result<Value, Mismatch> {
    match (ipld, ty.pair_value()) {
        (Ipld::List(items), _) => each(items, |item| value(item, element)).map(Value::List),
        (Ipld::Map(entries), Some(of_value)) => pairs(entries, of_value).map(Value::List),
        (other, _) => Err(Mismatch::of_ipld(ty, &other)),
    }
}

/// The entries of a map as `(key, value)`, in the order DAG-CBOR has them: shorter keys first, so
/// that the list doesn't depend on whether the map was ever encoded.
fn pairs(entries: BTreeMap<String, Ipld>, of_value: &Type) -> Result<Vec<Value>, Mismatch> {
    let mut entries: Vec<(String, Ipld)> = entries.into_iter().collect();
    entries.sort_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    let pair = |(key, ipld): (String, Ipld)| match value(ipld, of_value) {
        Ok(value) => Ok(Value::Tuple(vec![Value::String(key), value])),
        Err(mismatch) => Err(mismatch.in_field(&key)),
    };
    entries.into_iter().map(pair).collect()
}

fn tuple(ipld: Ipld, ty: &Type, types: &[Type]) -> Result<Value, Mismatch> {
    match ipld {
        Ipld::List(items) if items.len() == types.len() => {
            let mut types = types.iter();
            each(items, |item| match types.next() {
                Some(ty) => value(item, ty),
                None => Err(Mismatch::of_ipld(ty, &item)),
            })
            .map(Value::Tuple)
        }
        other => Err(Mismatch::of_ipld(ty, &other)),
    }
}

fn record(ipld: Ipld, ty: &Type, fields: &[Field]) -> Result<Value, Mismatch> {
    let Ipld::Map(mut entries) = ipld else {
        return Err(Mismatch::of_ipld(ty, &ipld));
    };
    let is_field = |key: &str| fields.iter().any(|field| &*field.name == key);
    if let Some(unknown) = entries.keys().find(|key| !is_field(key)) {
        let missing = fields.iter().map(|field| &*field.name);
        let missing = missing.filter(|name| !entries.contains_key(*name));
        return Err(
            Mismatch::new(ty, format!("unknown key {}", quoted(unknown)))
                .did_you_mean(nearest(unknown, missing)),
        );
    }
    let field = |field: &Field| match entries.remove(&*field.name) {
        Some(ipld) => value(ipld, &field.ty).map_err(|mismatch| mismatch.in_field(&field.name)),
        None if field.ty.is_option() => Ok(Value::Option(None)),
        None => Err(Mismatch::new(ty, format!("no key \"{}\"", field.name))),
    };
    fields
        .iter()
        .map(field)
        .collect::<Result<_, _>>()
        .map(Value::Record)
}

fn variant(ipld: Ipld, ty: &Type, cases: &[Case]) -> Result<Value, Mismatch> {
    match ipld {
        Ipld::String(name) => bare_case(&name, ty, cases),
        other => {
            let (name, ipld) = only_entry(other, ty)?;
            let index = case_index(&name, ty, cases.iter().map(|case| &case.name))?;
            let payload = payload(ipld, cases[index].ty.as_ref())
                .map_err(|mismatch| mismatch.in_field(&name))?;
            Ok(Value::Variant(index as u32, payload))
        }
    }
}

/// A case without payload, by its name alone.
fn bare_case(name: &str, ty: &Type, cases: &[Case]) -> Result<Value, Mismatch> {
    let index = case_index(name, ty, cases.iter().map(|case| &case.name))?;
    match &cases[index].ty {
        None => Ok(Value::Variant(index as u32, None)),
        Some(payload) => Err(Mismatch::new(ty, format!("case {} alone", quoted(name)))
            .hint(format!("its payload is a `{payload}`: {{\"{name}\": …}}"))),
    }
}

fn enumeration(ipld: Ipld, ty: &Type, names: &[Arc<str>]) -> Result<Value, Mismatch> {
    let name = string(ipld, ty)?;
    case_index(&name, ty, names.iter()).map(|index| Value::Enum(index as u32))
}

fn case_index<'a>(
    name: &str,
    ty: &Type,
    names: impl Iterator<Item = &'a Arc<str>> + Clone,
) -> Result<usize, Mismatch> {
    let found = names.clone().position(|known| **known == *name);
    found.ok_or_else(|| {
        Mismatch::new(ty, format!("unknown case {}", quoted(name)))
            .did_you_mean(nearest(name, names.map(|known| &**known)))
    })
}

/// The key and the value of a map that has one entry.
fn only_entry(ipld: Ipld, ty: &Type) -> Result<(String, Ipld), Mismatch> {
    match ipld {
        Ipld::Map(entries) if entries.len() == 1 => entries
            .into_iter()
            .next()
            .ok_or_else(|| Mismatch::new(ty, "empty map")),
        other => Err(Mismatch::of_ipld(ty, &other)),
    }
}

fn payload(ipld: Ipld, ty: Option<&Type>) -> Result<Option<Box<Value>>, Mismatch> {
    match (ty, ipld) {
        (Some(ty), ipld) => value(ipld, ty).map(|value| Some(Box::new(value))),
        (None, Ipld::Null) => Ok(None),
        (None, other) => Err(Mismatch::of_ipld(NOTHING, &other)),
    }
}

fn option(ipld: Ipld, ty: &Type, some: &Type) -> Result<Option<Box<Value>>, Mismatch> {
    let inner = match ipld {
        Ipld::Null => return Ok(None),
        other if !some.takes_null() => value(other, some)?,
        Ipld::List(items) if items.len() == 1 => {
            let mut values = each(items, |item| value(item, some))?;
            return Ok(values.pop().map(Box::new));
        }
        other => {
            let hint = match some.is_option() {
                true => "an option in an option is null or a list of one",
                false => "an option of what may be null is null or a list of one",
            };
            return Err(Mismatch::of_ipld(ty, &other).hint(hint));
        }
    };
    Ok(Some(Box::new(inner)))
}

fn result(ipld: Ipld, ty: &Type, ok: Option<&Type>, err: Option<&Type>) -> Result<Value, Mismatch> {
    let (name, ipld) = match ipld {
        Ipld::List(items) => result_of_list(items, ty)?,
        other => only_entry(other, ty)?,
    };
    let in_side = |mismatch: Mismatch| mismatch.in_field(&name);
    match &name[..] {
        OK => payload(ipld, ok)
            .map_err(in_side)
            .map(|value| Value::Result(Ok(value))),
        ERROR => payload(ipld, err)
            .map_err(in_side)
            .map(|value| Value::Result(Err(value))),
        other => Err(Mismatch::new(ty, format!("unknown key {}", quoted(other)))
            .hint("a result is {\"ok\": …} or {\"error\": …}")),
    }
}

/// Reads the form of 2024: `[value, null]` is ok and `[null, error]` is an error.
fn result_of_list(items: Vec<Ipld>, ty: &Type) -> Result<(String, Ipld), Mismatch> {
    let [ok, error] =
        <[Ipld; 2]>::try_from(items).map_err(|items| Mismatch::of_ipld(ty, &Ipld::List(items)))?;
    match (ok, error) {
        (Ipld::Null, Ipld::Null) => Err(Mismatch::new(ty, "[null, null], which is either")
            .hint("write {\"ok\": null} or {\"error\": null}")),
        (ok, Ipld::Null) => Ok((OK.into(), ok)),
        (Ipld::Null, error) => Ok((ERROR.into(), error)),
        (ok, error) => {
            let found = format!("a list of {} and {}", describe(&ok), describe(&error));
            Err(Mismatch::new(ty, found))
        }
    }
}

fn flags(ipld: Ipld, ty: &Type, names: &[Arc<str>]) -> Result<Value, Mismatch> {
    let Ipld::List(items) = ipld else {
        return Err(Mismatch::of_ipld(ty, &ipld));
    };
    let mut words = no_flags(names.len());
    each(items, |item| {
        let name = string(item, &Type::String)?;
        let index = flag_index(&name, ty, names)?;
        match set_flag(&mut words, index) {
            true => Ok(()),
            false => Err(Mismatch::new(ty, format!("{} again", quoted(&name)))),
        }
    })?;
    Ok(Value::Flags(words))
}

fn flag_index(name: &str, ty: &Type, names: &[Arc<str>]) -> Result<usize, Mismatch> {
    let found = names.iter().position(|known| **known == *name);
    found.ok_or_else(|| {
        Mismatch::new(ty, format!("unknown flag {}", quoted(name)))
            .did_you_mean(nearest(name, names.iter().map(|known| &**known)))
    })
}

fn handle(ipld: &Ipld, ty: &Type) -> Result<Value, Mismatch> {
    Err(Mismatch::of_handle(ty, describe(ipld)))
}

/// Reads every item, and says in which one it failed.
fn each<T>(
    items: Vec<Ipld>,
    mut read: impl FnMut(Ipld) -> Result<T, Mismatch>,
) -> Result<Vec<T>, Mismatch> {
    let mut values = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        values.push(read(item).map_err(|mismatch| mismatch.in_element(index))?);
    }
    Ok(values)
}
