//! Values of WIT as those of Rust: how they are written for a workflow, and read from what came of it.

use std::collections::BTreeSet;

pub use serde_json::Value as Json;

use super::arg::{Fits, Node, one};
use super::content::{Content, Data, File, Link};

/// A type whose values are passed to tasks and given by them.
pub trait Value: Sized {
    /// It as the file of a workflow has it.
    fn write(&self) -> Node;

    /// A value that was written, if it is of this type.
    fn read(value: &Json) -> Option<Self>;

    /// A list of them. One of bytes has a form of its own.
    #[doc(hidden)]
    fn write_list(items: &[Self]) -> Node {
        Node::List(items.iter().map(Self::write).collect())
    }

    #[doc(hidden)]
    fn read_list(value: &Json) -> Option<Vec<Self>> {
        value.as_array()?.iter().map(Self::read).collect()
    }

    /// Some of an option of it. Where it may be null itself, two nulls have to be told apart.
    #[doc(hidden)]
    fn write_some(&self) -> Node {
        self.write()
    }

    #[doc(hidden)]
    fn read_some(value: &Json) -> Option<Self> {
        Self::read(value)
    }
}

macro_rules! plain {
    ($($ty:ty: $value:ident => $read:expr;)*) => {$(
        impl Value for $ty {
            fn write(&self) -> Node {
                Node::Json(Json::from(self.clone()))
            }

            fn read($value: &Json) -> Option<Self> {
                $read
            }
        }

        impl Fits<Self> for $ty {}
        impl Fits<Data> for $ty {}
    )*};
}

plain! {
    bool: value => value.as_bool();
    i8: value => value.as_i64()?.try_into().ok();
    i16: value => value.as_i64()?.try_into().ok();
    i32: value => value.as_i64()?.try_into().ok();
    i64: value => value.as_i64();
    u16: value => value.as_u64()?.try_into().ok();
    u32: value => value.as_u64()?.try_into().ok();
    u64: value => value.as_u64();
    String: value => value.as_str().map(str::to_owned);
}

impl Value for u8 {
    fn write(&self) -> Node {
        Node::Json((*self).into())
    }

    fn read(value: &Json) -> Option<Self> {
        value.as_u64()?.try_into().ok()
    }

    fn write_list(bytes: &[Self]) -> Node {
        Node::Json(one("/", one("bytes", base64(bytes).into())))
    }

    fn read_list(value: &Json) -> Option<Vec<Self>> {
        match value.get("/")? {
            // Bytes that are many are content.
            Json::String(cid) => Link::new(cid).read().ok(),
            inner => unbase64(inner.get("bytes")?.as_str()?),
        }
    }
}

impl Fits<Self> for u8 {}
impl Fits<Data> for u8 {}

impl Value for f64 {
    fn write(&self) -> Node {
        // The floats that JSON has no number for have names.
        Node::Json(match *self {
            float if float.is_nan() => "nan".into(),
            Self::INFINITY => "inf".into(),
            Self::NEG_INFINITY => "-inf".into(),
            float if float == 0.0 && float.is_sign_negative() => "-0".into(),
            float => float.into(),
        })
    }

    fn read(value: &Json) -> Option<Self> {
        match value.as_str() {
            None => value.as_f64(),
            Some("-0") => Some(-0.0),
            Some(name) => name.parse().ok(),
        }
    }
}

impl Fits<Self> for f64 {}
impl Fits<Data> for f64 {}

impl Value for f32 {
    fn write(&self) -> Node {
        f64::from(*self).write()
    }

    fn read(value: &Json) -> Option<Self> {
        f64::read(value).map(|float| float as Self)
    }
}

impl Fits<Self> for f32 {}
impl Fits<Data> for f32 {}

impl Value for char {
    fn write(&self) -> Node {
        Node::Json(self.to_string().into())
    }

    fn read(value: &Json) -> Option<Self> {
        let mut chars = value.as_str()?.chars();
        chars.next().filter(|_| chars.next().is_none())
    }
}

impl Fits<Self> for char {}
impl Fits<Data> for char {}

impl Value for () {
    fn write(&self) -> Node {
        Node::Json(Json::Null)
    }

    fn read(_: &Json) -> Option<Self> {
        Some(())
    }
}

impl Fits<Self> for () {}
impl Fits<Data> for () {}

impl<T: Value> Value for Vec<T> {
    fn write(&self) -> Node {
        T::write_list(self)
    }

    fn read(value: &Json) -> Option<Self> {
        T::read_list(value)
    }
}

impl<T: Value + Ord> Value for BTreeSet<T> {
    fn write(&self) -> Node {
        Node::List(self.iter().map(T::write).collect())
    }

    fn read(value: &Json) -> Option<Self> {
        value.as_array()?.iter().map(T::read).collect()
    }
}

impl<T: Fits<T>> Fits<Self> for BTreeSet<T> {}
impl<T: Fits<Data>> Fits<Data> for BTreeSet<T> {}

impl<T: Value> Value for Option<T> {
    fn write(&self) -> Node {
        self.as_ref().map_or(Node::Json(Json::Null), T::write_some)
    }

    fn read(value: &Json) -> Option<Self> {
        match value {
            Json::Null => Some(None),
            value => T::read_some(value).map(Some),
        }
    }

    fn write_some(&self) -> Node {
        Node::List(vec![self.write()])
    }

    fn read_some(value: &Json) -> Option<Self> {
        Self::read(value.get(0)?)
    }
}

impl<T: Value, E: Value> Value for Result<T, E> {
    fn write(&self) -> Node {
        let (key, node) = match self {
            Ok(value) => ("ok", value.write()),
            Err(error) => ("error", error.write()),
        };
        Node::Map(vec![(key.to_owned(), node)])
    }

    fn read(value: &Json) -> Option<Self> {
        match value.get("ok") {
            Some(value) => T::read(value).map(Ok),
            None => E::read(value.get("error")?).map(Err),
        }
    }
}

impl Value for Link {
    fn write(&self) -> Node {
        Node::Json(self.written())
    }

    fn read(value: &Json) -> Option<Self> {
        value.get("/")?.as_str().map(Self::new)
    }
}

impl Value for Content {
    fn write(&self) -> Node {
        match self {
            Self::Bytes(bytes) => bytes.write(),
            Self::File(file) => Node::Json(file.written()),
            Self::Link(link) => link.write(),
        }
    }

    fn read(value: &Json) -> Option<Self> {
        match value.get("@") {
            Some(name) => name.as_str().map(File::new).map(Self::File),
            None => <Link as Value>::read(value)
                .map(Self::Link)
                .or_else(|| Vec::read(value).map(Self::Bytes)),
        }
    }
}

impl Value for Data {
    fn write(&self) -> Node {
        Node::Json(self.0.clone())
    }

    fn read(value: &Json) -> Option<Self> {
        Some(Self(value.clone()))
    }

    fn write_some(&self) -> Node {
        Node::List(vec![self.write()])
    }

    fn read_some(value: &Json) -> Option<Self> {
        value.get(0).cloned().map(Self)
    }
}

impl Fits<Self> for Data {}

macro_rules! tuples {
    ($($($name:ident $to:ident $at:tt)+;)*) => {$(
        impl<$($name: Value),+> Value for ($($name,)+) {
            fn write(&self) -> Node {
                Node::List(vec![$(self.$at.write()),+])
            }

            fn read(value: &Json) -> Option<Self> {
                Some(($($name::read(value.get($at)?)?,)+))
            }
        }

        #[expect(non_camel_case_types, reason = "each has another one beside it")]
        impl<$($name: Fits<$to>, $to),+> Fits<($($to,)+)> for ($($name,)+) {}

        impl<$($name: Fits<Data>),+> Fits<Data> for ($($name,)+) {}
    )*};
}

tuples! {
    A a 0;
    A a 0 B b 1;
    A a 0 B b 1 C c 2;
    A a 0 B b 1 C c 2 D d 3;
    A a 0 B b 1 C c 2 D d 3 E e 4;
    A a 0 B b 1 C c 2 D d 3 E e 4 F f 5;
    A a 0 B b 1 C c 2 D d 3 E e 4 F f 5 G g 6;
    A a 0 B b 1 C c 2 D d 3 E e 4 F f 5 G g 6 H h 7;
}

/// The map of fields of a record.
#[doc(hidden)]
#[must_use]
pub fn fields<const COUNT: usize>(fields: [(&str, Node); COUNT]) -> Node {
    Node::Map(fields.map(|(name, node)| (kebab(name), node)).into())
}

/// The name of WIT that Rust spells like this.
#[doc(hidden)]
#[must_use]
pub fn kebab(name: &str) -> String {
    name.trim_start_matches("r#")
        .trim_end_matches('_')
        .replace('_', "-")
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 without padding.
fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            text.push(char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize]));
        }
    }
    text
}

fn unbase64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for chunk in text.trim_end_matches('=').as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for byte in chunk {
            let digit = DIGITS.iter().position(|digit| digit == byte)?;
            bits = bits << 6 | digit as u32;
        }
        let bits = bits << (6 * (4 - chunk.len()));
        bytes.extend(&bits.to_be_bytes()[1..chunk.len().max(1)]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_base64_without_padding() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg"),
            (&[0xff, 0xfe, 0xfd], "//79"),
        ] {
            assert_eq!(base64(bytes), text);
            assert_eq!(unbase64(text).as_deref(), Some(bytes));
        }
        assert_eq!(unbase64("%%%%"), None);
    }
}
