//! Values as DAG-JSON, each in the form that its WIT type has.

use std::fmt::Write as _;

/// A value that can be written down.
pub(crate) trait Told {
    /// Appends it.
    fn tell(&self, text: &mut String);

    /// Appends a list of such values.
    fn tell_list(items: &[Self], text: &mut String)
    where
        Self: Sized,
    {
        text.push('[');
        for (number, item) in items.iter().enumerate() {
            if number > 0 {
                text.push(',');
            }
            item.tell(text);
        }
        text.push(']');
    }
}

impl<T: Told + ?Sized> Told for &T {
    fn tell(&self, text: &mut String) {
        (**self).tell(text);
    }
}

macro_rules! numbers {
    ($($ty:ty)*) => {
        $(impl Told for $ty {
            fn tell(&self, text: &mut String) {
                let _ = write!(text, "{self}");
            }
        })*
    };
}

numbers!(bool u16 u32 u64 i64);

impl Told for u8 {
    fn tell(&self, text: &mut String) {
        let _ = write!(text, "{self}");
    }

    /// Bytes.
    fn tell_list(bytes: &[Self], text: &mut String) {
        text.push_str("{\"/\":{\"bytes\":\"");
        base64(bytes, text);
        text.push_str("\"}}");
    }
}

impl Told for str {
    fn tell(&self, text: &mut String) {
        text.push('"');
        for char in self.chars() {
            match char {
                '"' | '\\' => text.extend(['\\', char]),
                '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                    let _ = write!(text, "\\u{:04x}", u32::from(char));
                }
                char => text.push(char),
            }
        }
        text.push('"');
    }
}

impl Told for String {
    fn tell(&self, text: &mut String) {
        self.as_str().tell(text);
    }
}

impl Told for () {
    fn tell(&self, text: &mut String) {
        text.push_str("null");
    }
}

impl<T: Told> Told for Vec<T> {
    fn tell(&self, text: &mut String) {
        T::tell_list(self, text);
    }
}

impl<T: Told> Told for Option<T> {
    fn tell(&self, text: &mut String) {
        match self {
            Some(value) => value.tell(text),
            None => text.push_str("null"),
        }
    }
}

impl<A: Told, B: Told> Told for (A, B) {
    fn tell(&self, text: &mut String) {
        text.push('[');
        self.0.tell(text);
        text.push(',');
        self.1.tell(text);
        text.push(']');
    }
}

impl<T: Told, E: Told> Told for Result<T, E> {
    fn tell(&self, text: &mut String) {
        match self {
            Ok(value) => case("ok", value, text),
            Err(error) => case("error", error, text),
        }
    }
}

/// Appends a case of a variant.
pub(crate) fn case(name: &str, value: &dyn Told, text: &mut String) {
    text.push('{');
    name.tell(text);
    text.push(':');
    value.tell(text);
    text.push('}');
}

/// A record with its fields.
macro_rules! record {
    ($ty:ty { $($field:ident)* }) => {
        impl $crate::told::Told for $ty {
            fn tell(&self, text: &mut String) {
                let mut before = '{';
                $(
                    text.push(before);
                    stringify!($field).replace('_', "-").tell(text);
                    text.push(':');
                    self.$field.tell(text);
                    before = ',';
                )*
                let _ = before;
                text.push('}');
            }
        }
    };
}

/// A variant with its cases, and how WIT writes them.
macro_rules! variant {
    ($ty:ty { $($case:ident $(($value:ident))? $name:literal)* }) => {
        impl $crate::told::Told for $ty {
            fn tell(&self, text: &mut String) {
                match self {
                    $(Self::$case $(($value))? => $crate::told::case($name, variant!(@ $($value)?), text),)*
                }
            }
        }
    };
    (@ $value:ident) => { $value };
    (@) => { &() };
}

/// An enum with its cases, and how WIT writes them.
macro_rules! cases {
    ($ty:ty { $($case:ident $name:literal)* }) => {
        impl $crate::told::Told for $ty {
            fn tell(&self, text: &mut String) {
                match self {
                    $(Self::$case => $name.tell(text),)*
                }
            }
        }
    };
}

pub(crate) use {cases, record, variant};

/// Appends bytes in base 64 (RFC 4648, 4), without padding.
fn base64(bytes: &[u8], text: &mut String) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let digit = |at: usize| char::from(DIGITS[(bits >> (18 - 6 * at)) as usize & 63]);
        text.extend((0..=group.len()).map(digit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(value: &dyn Told) -> String {
        let mut text = String::new();
        value.tell(&mut text);
        text
    }

    #[test]
    fn values_are_written_as_their_types_have_it() {
        assert_eq!(told(&vec![(1_u16, true)]), "[[1,true]]");
        assert_eq!(told(&Some("a\"\n\u{7f}é")), "\"a\\\"\\u000a\\u007fé\"");
        assert_eq!(told(&None::<u32>), "null");
        assert_eq!(told(&Ok::<_, u32>(())), "{\"ok\":null}");
        assert_eq!(told(&Err::<(), _>(7_u64)), "{\"error\":7}");
    }

    #[test]
    fn bytes_are_in_base_64() {
        for (bytes, digits) in [
            (&b""[..], ""),
            (b"f", "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (b"\xff\xfe\xfd\xfc", "//79/A"),
        ] {
            let text = told(&bytes.to_vec());
            assert_eq!(text, format!("{{\"/\":{{\"bytes\":\"{digits}\"}}}}"));
        }
    }
}
