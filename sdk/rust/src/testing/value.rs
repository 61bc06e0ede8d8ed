//! Values of a recording, which are DAG-JSON.

use serde_json::{Value, json};

use crate::keys::Algorithm;
use crate::{dns, https};

/// Returns bytes that are written in DAG-JSON, `{"/": {"bytes": …}}`.
#[must_use]
pub fn bytes(value: &Value) -> Option<Vec<u8>> {
    let text = value.get("/")?.get("bytes")?.as_str()?;
    let mut bytes = Vec::new();
    for group in text.as_bytes().chunks(4) {
        let digits = group
            .iter()
            .map(|digit| DIGITS.iter().position(|other| other == digit));
        let digits = digits.collect::<Option<Vec<_>>>()?;
        let bits = digits.iter().rev().enumerate();
        let bits = bits.fold(0, |sum, (at, digit)| sum | digit << (6 * at));
        let count = digits.len() * 6 / 8;
        let bits = bits >> (digits.len() * 6 % 8);
        bytes.extend((0..count).rev().map(|at| (bits >> (8 * at)) as u8));
    }
    Some(bytes)
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes bytes as DAG-JSON.
pub(super) fn written(bytes: &[u8]) -> Value {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let digit = |at: usize| char::from(DIGITS[(bits >> (18 - 6 * at)) as usize & 63]);
        text.extend((0..=group.len()).map(digit));
    }
    json!({"/": {"bytes": text}})
}
/// What has cases with names.
pub(crate) trait Case: Sized {
    fn case(name: &str, value: &Value) -> Option<Self>;
}

/// Tells whether a case of Rust has this name in WIT.
pub(crate) fn is_called(case: &str, name: &str) -> bool {
    let letters = name.chars().filter(|letter| *letter != '-');
    letters.eq(case.chars().map(|letter| letter.to_ascii_lowercase()))
}

/// What can be read of a recording.
pub(crate) trait Read: Sized {
    fn read(value: &Value) -> Option<Self>;
}

pub(crate) fn read<T: Read>(value: &Value) -> Option<T> {
    T::read(value)
}

impl Read for () {
    fn read(_: &Value) -> Option<Self> {
        Some(())
    }
}

impl Read for bool {
    fn read(value: &Value) -> Option<Self> {
        value.as_bool()
    }
}

impl Read for String {
    fn read(value: &Value) -> Option<Self> {
        value.as_str().map(Self::from)
    }
}

macro_rules! numbers {
    ($($ty:ty: $as:ident),*) => {
        $(impl Read for $ty {
            fn read(value: &Value) -> Option<Self> {
                value.$as().and_then(|number| number.try_into().ok())
            }
        })*
    };
}

numbers!(u16: as_u64, u32: as_u64, u64: as_u64, i64: as_i64);

impl Read for Vec<u8> {
    fn read(value: &Value) -> Option<Self> {
        bytes(value)
    }
}

macro_rules! lists {
    ($($ty:ty),*) => {
        $(impl Read for Vec<$ty> {
            fn read(value: &Value) -> Option<Self> {
                value.as_array()?.iter().map(read).collect()
            }
        })*
    };
}

lists!(String, u32, (String, String), Vec<u8>, dns::Answer);

impl<T: Read> Read for Option<T> {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::read(value).map(Some),
        }
    }
}

impl<A: Read, B: Read> Read for (A, B) {
    fn read(value: &Value) -> Option<Self> {
        match &value.as_array()?[..] {
            [a, b] => Some((read(a)?, read(b)?)),
            _ => None,
        }
    }
}

impl Read for Algorithm {
    fn read(value: &Value) -> Option<Self> {
        Self::case(value.as_str()?, &Value::Null)
    }
}

/// Declares how a record is read, field by field.
macro_rules! records {
    ($($ty:path { $($field:ident),* })*) => {
        $(impl Read for $ty {
            fn read(value: &Value) -> Option<Self> {
                Some(Self { $($field: read(value.get(stringify!($field))?)?),* })
            }
        })*
    };
}

records! {
    https::Response { status, headers, body, url }
    dns::Answer { name, ttl, data }
    dns::Caa { critical, tag, value }
    dns::Mx { preference, exchange }
    dns::Srv { priority, weight, port, target }
}

impl Read for dns::Data {
    fn read(value: &Value) -> Option<Self> {
        let (case, value) = value.as_object()?.iter().next()?;
        Some(match &**case {
            "a" => Self::A(read(value)?),
            "aaaa" => Self::Aaaa(read(value)?),
            "caa" => Self::Caa(read(value)?),
            "cname" => Self::Cname(read(value)?),
            "mx" => Self::Mx(read(value)?),
            "ns" => Self::Ns(read(value)?),
            "ptr" => Self::Ptr(read(value)?),
            "srv" => Self::Srv(read(value)?),
            "txt" => Self::Txt(read(value)?),
            _ => return None,
        })
    }
}
