//! WIT values.

use cid::Cid;
use ipld_core::ipld::Ipld;

use super::Type;

/// A value of some [`Type`].
///
/// Positional: a record is its fields in the order of the type, a case is its index. Names, and
/// the difference between types of one shape, are the type's to know; [`Value::fits`] tells whether
/// a value and a type belong together.
///
/// Two values are equal if a guest could not tell them apart: floats by their bits, so `0.0` and
/// `-0.0` differ, except that every NaN equals every other.
#[derive(Clone, Debug)]
pub enum Value {
    /// Of `bool`.
    Bool(bool),
    /// Of `s8`.
    S8(i8),
    /// Of `u8`.
    U8(u8),
    /// Of `s16`.
    S16(i16),
    /// Of `u16`.
    U16(u16),
    /// Of `s32`.
    S32(i32),
    /// Of `u32`.
    U32(u32),
    /// Of `s64`.
    S64(i64),
    /// Of `u64`.
    U64(u64),
    /// Of `f32`.
    F32(f32),
    /// Of `f64`.
    F64(f64),
    /// Of `char`.
    Char(char),
    /// Of `string`.
    String(String),
    /// Of `list<u8>`: one allocation, whatever its length. Also of `stream<u8>` and of a blob, as what is in it.
    Bytes(Vec<u8>),
    /// Of any other list.
    List(Vec<Self>),
    /// Of a record: its fields in the order of the type.
    Record(Vec<Self>),
    /// Of a tuple.
    Tuple(Vec<Self>),
    /// Of a variant: the index of the case, and its payload if the case has one.
    Variant(u32, Option<Box<Self>>),
    /// Of an enum: the index of the case.
    Enum(u32),
    /// Of an option.
    Option(Option<Box<Self>>),
    /// Of a result, with a payload on the side that has one.
    Result(Result<Option<Box<Self>>, Option<Box<Self>>>),
    /// Of `stream<u8>`, of a blob, or of a `list<u8>` that lies elsewhere: the content of this name.
    Link(Cid),
    /// Of a `value` of `homestar:std/ipld`, which may be anything.
    Any(Ipld),
    /// Of flags: 32 to a word, the first flag in the lowest bit of the first word, as the
    /// canonical ABI has them. As many words as the type's flags need.
    Flags(Vec<u32>),
}

impl Value {
    /// Whether this is a value of `ty`, at every depth.
    pub fn fits(&self, ty: &Type) -> bool {
        match (self, ty) {
            (Self::Bool(_), Type::Bool)
            | (Self::S8(_), Type::S8)
            | (Self::U8(_), Type::U8)
            | (Self::S16(_), Type::S16)
            | (Self::U16(_), Type::U16)
            | (Self::S32(_), Type::S32)
            | (Self::U32(_), Type::U32)
            | (Self::S64(_), Type::S64)
            | (Self::U64(_), Type::U64)
            | (Self::F32(_), Type::F32)
            | (Self::F64(_), Type::F64)
            | (Self::Char(_), Type::Char)
            | (Self::String(_), Type::String) => true,
            (Self::Bytes(_) | Self::Link(_), ty) => ty.takes_link(),
            (Self::Any(_), ty) => ty.takes_any(),
            (Self::List(values), Type::List(element)) => {
                !ty.is_bytes() && values.iter().all(|value| value.fits(element))
            }
            (Self::Record(values), Type::Record(fields)) => {
                all_fit(values, fields.iter().map(|field| &field.ty))
            }
            (Self::Tuple(values), Type::Tuple(types)) => all_fit(values, types.iter()),
            (Self::Variant(index, payload), Type::Variant(cases)) => cases
                .get(*index as usize)
                .is_some_and(|case| payload_fits(payload, case.ty.as_ref())),
            (Self::Enum(index), Type::Enum(names)) => (*index as usize) < names.len(),
            (Self::Option(value), Type::Option(some)) => {
                value.as_ref().is_none_or(|value| value.fits(some))
            }
            (Self::Result(Ok(payload)), Type::Result { ok, .. }) => {
                payload_fits(payload, ok.as_deref())
            }
            (Self::Result(Err(payload)), Type::Result { err, .. }) => {
                payload_fits(payload, err.as_deref())
            }
            (Self::Flags(words), Type::Flags(names)) => flags_fit(words, names.len()),
            _ => false,
        }
    }

    /// Returns the word for what kind of value this is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::S8(_) => "s8",
            Self::U8(_) => "u8",
            Self::S16(_) => "s16",
            Self::U16(_) => "u16",
            Self::S32(_) => "s32",
            Self::U32(_) => "u32",
            Self::S64(_) => "s64",
            Self::U64(_) => "u64",
            Self::F32(_) => "f32",
            Self::F64(_) => "f64",
            Self::Char(_) => "char",
            Self::String(_) => "string",
            Self::Bytes(_) => "list<u8>",
            Self::List(_) => "list",
            Self::Record(_) => "record",
            Self::Tuple(_) => "tuple",
            Self::Variant(..) => "variant",
            Self::Enum(_) => "enum",
            Self::Option(_) => "option",
            Self::Result(_) => "result",
            Self::Link(_) => "link",
            Self::Any(_) => "value",
            Self::Flags(_) => "flags",
        }
    }
}

fn all_fit<'a>(values: &[Value], types: impl ExactSizeIterator<Item = &'a Type>) -> bool {
    values.len() == types.len() && values.iter().zip(types).all(|(value, ty)| value.fits(ty))
}

fn payload_fits(payload: &Option<Box<Value>>, ty: Option<&Type>) -> bool {
    match (payload, ty) {
        (Some(value), Some(ty)) => value.fits(ty),
        (None, None) => true,
        _ => false,
    }
}

/// As many words as `count` flags need, and no bit beyond them.
fn flags_fit(words: &[u32], count: usize) -> bool {
    let bits_in_last = count % 32;
    words.len() == count.div_ceil(32)
        && (bits_in_last == 0 || words.last().is_none_or(|last| last >> bits_in_last == 0))
}

/// Returns empty flags: words for `count` of them, none set.
pub(super) fn no_flags(count: usize) -> Vec<u32> {
    vec![0; count.div_ceil(32)]
}

/// Sets the flag with this index; returns whether it was clear before.
pub(super) fn set_flag(words: &mut [u32], index: usize) -> bool {
    let bit = 1 << (index % 32);
    let word = &mut words[index / 32];
    let clear = *word & bit == 0;
    *word |= bit;
    clear
}

/// Returns the indices of the flags that are set, in order.
pub(super) fn flags_set(words: &[u32]) -> impl Iterator<Item = usize> {
    (0..words.len() * 32).filter(|index| words[index / 32] >> (index % 32) & 1 == 1)
}

impl Eq for Value {}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::F32(a), Self::F32(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
            (Self::F64(a), Self::F64(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::S8(a), Self::S8(b)) => a == b,
            (Self::U8(a), Self::U8(b)) => a == b,
            (Self::S16(a), Self::S16(b)) => a == b,
            (Self::U16(a), Self::U16(b)) => a == b,
            (Self::S32(a), Self::S32(b)) => a == b,
            (Self::U32(a), Self::U32(b)) => a == b,
            (Self::S64(a), Self::S64(b)) => a == b,
            (Self::U64(a), Self::U64(b)) => a == b,
            (Self::Char(a), Self::Char(b)) => a == b,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Record(a), Self::Record(b)) => a == b,
            (Self::Tuple(a), Self::Tuple(b)) => a == b,
            (Self::Variant(a, x), Self::Variant(b, y)) => a == b && x == y,
            (Self::Enum(a), Self::Enum(b)) => a == b,
            (Self::Option(a), Self::Option(b)) => a == b,
            (Self::Result(a), Self::Result(b)) => a == b,
            (Self::Link(a), Self::Link(b)) => a == b,
            (Self::Any(a), Self::Any(b)) => a == b,
            (Self::Flags(a), Self::Flags(b)) => a == b,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_equal_by_bits_and_nan_is_one_value() {
        assert_eq!(Value::F64(f64::NAN), Value::F64(-f64::NAN));
        assert_eq!(
            Value::F32(f32::NAN),
            Value::F32(f32::from_bits(0x7fc0_0001))
        );
        assert_ne!(Value::F64(0.0), Value::F64(-0.0));
        assert_ne!(Value::F32(1.0), Value::F64(1.0));
        assert_eq!(
            Value::List(vec![Value::F32(f32::NAN)]),
            Value::List(vec![Value::F32(f32::NAN)])
        );
    }

    #[test]
    fn a_list_of_bytes_has_one_form() {
        let bytes = Type::list(Type::U8);
        assert!(Value::Bytes(vec![]).fits(&bytes));
        assert!(!Value::List(vec![]).fits(&bytes));
        assert!(!Value::Bytes(vec![]).fits(&Type::list(Type::S8)));
        assert!(Value::List(vec![Value::S8(1)]).fits(&Type::list(Type::S8)));
    }

    #[test]
    fn a_link_stands_for_bytes_wherever_they_go() {
        let link = Value::Link(Cid::default());
        for ty in [
            Type::list(Type::U8),
            Type::stream(Type::U8),
            Type::Own(Type::BLOB.into()),
            Type::Borrow(Type::BLOB.into()),
        ] {
            assert!(link.fits(&ty) && Value::Bytes(vec![1]).fits(&ty), "{ty}");
        }
        for ty in [
            Type::String,
            Type::list(Type::S8),
            Type::stream(Type::U16),
            Type::Own("file".into()),
        ] {
            assert!(!link.fits(&ty) && !Value::Bytes(vec![1]).fits(&ty), "{ty}");
        }
    }

    #[test]
    fn shapes_must_agree_at_every_depth() {
        let shape = Type::variant([("none", None), ("circle", Some(Type::F32))]);
        assert!(Value::Variant(0, None).fits(&shape));
        assert!(Value::Variant(1, Some(Box::new(Value::F32(1.0)))).fits(&shape));
        assert!(!Value::Variant(1, None).fits(&shape));
        assert!(!Value::Variant(0, Some(Box::new(Value::F32(1.0)))).fits(&shape));
        assert!(!Value::Variant(2, None).fits(&shape));

        let pair = Type::tuple([Type::U8, Type::Bool]);
        assert!(Value::Tuple(vec![Value::U8(1), Value::Bool(true)]).fits(&pair));
        assert!(!Value::Tuple(vec![Value::U8(1)]).fits(&pair));
        assert!(!Value::Record(vec![Value::U8(1), Value::Bool(true)]).fits(&pair));
    }

    #[test]
    fn flags_have_the_words_they_need_and_no_bit_beyond() {
        let names: Vec<String> = (0..33).map(|index| format!("f{index}")).collect();
        let ty = Type::flags(names.iter().map(String::as_str));
        let mut words = no_flags(33);
        assert!(set_flag(&mut words, 32));
        assert!(!set_flag(&mut words, 32));
        assert_eq!(words, [0, 1]);
        assert_eq!(flags_set(&words).collect::<Vec<_>>(), [32]);
        assert!(Value::Flags(words).fits(&ty));
        assert!(!Value::Flags(vec![0]).fits(&ty));
        assert!(!Value::Flags(vec![0, 2]).fits(&ty));
    }
}
