//! The mapping between IPLD and WIT values, led by the type.
//!
//! Every WIT type has one form in IPLD, which [`into_ipld`] writes; [`from_ipld`] reads that form
//! and the few others that are listed below. No information is lost either way, and nothing is
//! guessed: a string is never a number, a null or a link because it looks like one.
//!
//! | type | form | also read |
//! |---|---|---|
//! | `bool` | boolean | |
//! | integers | integer, in range | |
//! | `f32`, `f64` | float; the strings `nan`, `inf`, `-inf`, `-0` | an integer that the float holds exactly |
//! | `char` | string of one scalar value | |
//! | `string` | string | |
//! | `list<u8>` | bytes | link to them; list of integers 0 to 255 |
//! | `stream<u8>`, `own<blob>`, `borrow<blob>` | link | bytes |
//! | `list<tuple<string, T>>` | list of `[key, value]` | map, in the order DAG-CBOR gives its keys |
//! | `list<T>` | list | |
//! | `tuple<..>` | list of that length | |
//! | `record` | map with every field | an `option` field may be missing: none |
//! | `variant` | map of one key, `{case: payload}`, null for no payload | the case's name, if it has no payload |
//! | `enum` | string, the case's name | |
//! | `option<T>` | null, or the value | |
//! | `option<option<T>>`, `option<value>` | null, or a list of one | |
//! | `value` of `homestar:std/ipld` | whatever it is | |
//! | `result<T, E>` | `{"ok": value}` or `{"error": value}`, null for no payload | `[value, null]`, `[null, error]` |
//! | `flags` | list of the names that are set, in the type's order | in any order |
//!
//! DAG-CBOR has no NaN, no infinities, and writes `-0.0` as `0.0`. So those four are strings, and a
//! float that is one of them is refused: it would become another value, or none, once encoded.
//!
//! Other handles have no form. See [`Type::handle`].

mod read;
mod write;

use ipld_core::ipld::Ipld;

use super::{ArgumentError, Function, Mismatch, Type, Value};

/// Returns the value of type `ty` that `ipld` stands for.
///
/// Takes the data by value, so that bytes and strings move and are not copied. Recursion goes as
/// deep as the type does, not as deep as the data.
pub fn from_ipld(ipld: Ipld, ty: &Type) -> Result<Value, Mismatch> {
    read::value(ipld, ty)
}

/// Returns the form of `value`, which is of type `ty`, in IPLD.
///
/// Fails only if the value is not of that type. What is returned survives DAG-CBOR, and
/// [`from_ipld`] with the same type gives the same value back.
pub fn into_ipld(value: Value, ty: &Type) -> Result<Ipld, Mismatch> {
    write::ipld(value, ty)
}

/// Returns the values that `args` stand for as arguments of `function`, one for each parameter.
pub fn args_from_ipld(function: &Function, args: Vec<Ipld>) -> Result<Vec<Value>, ArgumentError> {
    if args.len() != function.params.len() {
        return Err(ArgumentError::count(function, args.len()));
    }
    let of_param = |(arg, (name, ty)): (Ipld, &(String, Type))| {
        from_ipld(arg, ty).map_err(|mismatch| mismatch.in_field(name).into())
    };
    args.into_iter()
        .zip(&function.params)
        .map(of_param)
        .collect()
}

/// The keys of a result's form.
const OK: &str = "ok";
const ERROR: &str = "error";

/// What a payload that isn't there is called in messages.
const NOTHING: &str = "null";

/// The floats that DAG-CBOR can't hold, by their names in IPLD.
const NAN: &str = "nan";
const INFINITY: &str = "inf";
const MINUS_INFINITY: &str = "-inf";
const MINUS_ZERO: &str = "-0";

/// Returns the name that stands for this float, if DAG-CBOR can't hold it.
fn float_name(float: f64) -> Option<&'static str> {
    if float.is_nan() {
        Some(NAN)
    } else if float == f64::INFINITY {
        Some(INFINITY)
    } else if float == f64::NEG_INFINITY {
        Some(MINUS_INFINITY)
    } else if float == 0.0 && float.is_sign_negative() {
        Some(MINUS_ZERO)
    } else {
        None
    }
}

/// Returns the float that this name stands for.
fn named_float(name: &str) -> Option<f64> {
    match name {
        NAN => Some(f64::NAN),
        INFINITY => Some(f64::INFINITY),
        MINUS_INFINITY => Some(f64::NEG_INFINITY),
        MINUS_ZERO => Some(-0.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
