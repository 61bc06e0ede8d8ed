//! DAG-CBOR in and out.

use super::{Ipld, MAX_BLOCK_BYTES, Rule, strict};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_ipld_dagcbor::ser::{BufWriter, Serializer};
use std::mem;
use thiserror::Error;

/// How deep lists and maps may lie in each other.
///
/// Readers recurse, here and in every implementation we exchange blocks with; the codec below gives up
/// a little after 120 levels with less to say. No WIT value comes near.
pub const MAX_DEPTH: usize = 96;

/// Writes a value as DAG-CBOR.
///
/// Refuses what the format can't hold (NaN, infinities, integers outside ±2⁶⁴, deeper nesting than
/// [`MAX_DEPTH`]), so what is encoded can be decoded. The size is not limited here:
/// [`Block::of_dag_cbor`](super::Block::of_dag_cbor) limits it.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    encode_into(value, &mut bytes)?;
    Ok(bytes)
}

/// Writes a value as [`encode`] does, in place of what is in `into`, so that its memory is used again.
pub(crate) fn encode_into<T: Serialize + ?Sized>(
    value: &T,
    into: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    into.clear();
    let writer = BufWriter::new(mem::take(into));
    let mut serializer = Serializer::new(writer);
    value
        .serialize(&mut serializer)
        .map_err(EncodeError::from_codec)?;
    *into = serializer.into_inner().into_inner();
    strict::check(into).map_err(EncodeError::from_walk)
}

/// Reads a value from the only DAG-CBOR that encodes it.
///
/// The bytes may come from anyone: they are limited in size and depth and never cause a panic.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    ipld_core::serde::from_ipld(decode_value(bytes)?).map_err(|error| DecodeError::Shape {
        reason: error.to_string(),
    })
}

fn decode_value(bytes: &[u8]) -> Result<Ipld, DecodeError> {
    decode_within(bytes, MAX_BLOCK_BYTES)
}

/// Reads a value of at most so many bytes. More than a block may have are in a file.
pub(crate) fn decode_within(bytes: &[u8], bytes_max: usize) -> Result<Ipld, DecodeError> {
    if bytes.len() > bytes_max {
        return Err(DecodeError::TooLarge { len: bytes.len() });
    }
    strict::check(bytes).map_err(|(at, rule)| DecodeError::NotStrict { at, rule })?;
    serde_ipld_dagcbor::from_slice(bytes).map_err(|error| DecodeError::Shape {
        reason: error.to_string(),
    })
}

/// What a value is, in a word, for error messages.
pub(crate) fn kind_of(value: &Ipld) -> &'static str {
    match value {
        Ipld::Null => "null",
        Ipld::Bool(_) => "a boolean",
        Ipld::Integer(_) => "an integer",
        Ipld::Float(_) => "a float",
        Ipld::String(_) => "a string",
        Ipld::Bytes(_) => "bytes",
        Ipld::List(_) => "a list",
        Ipld::Map(_) => "a map",
        Ipld::Link(_) => "a link",
    }
}

/// Why a value has no DAG-CBOR form.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The value holds something DAG-CBOR has no form for: NaN, an infinity, an integer outside ±2⁶⁴.
    #[error("a value has no DAG-CBOR form: {reason}")]
    Value {
        /// The codec's own words.
        reason: String,
    },
    /// Lists and maps lie in each other deeper than [`MAX_DEPTH`].
    #[error("a value is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// The encoding does not fit a block. Put large parts into blocks of their own and link them.
    #[error("a value of {len} bytes does not fit a block of {MAX_BLOCK_BYTES}")]
    TooLarge {
        /// Size of the encoding.
        len: usize,
    },
}

impl EncodeError {
    fn from_codec<E: std::fmt::Debug>(error: serde_ipld_dagcbor::EncodeError<E>) -> Self {
        match error {
            serde_ipld_dagcbor::EncodeError::Msg(reason) => Self::Value { reason },
            other @ serde_ipld_dagcbor::EncodeError::Write(_) => Self::Value {
                reason: other.to_string(),
            },
        }
    }

    /// A value that can't be made of a type.
    pub(crate) fn value(error: impl std::fmt::Display) -> Self {
        Self::Value {
            reason: error.to_string(),
        }
    }

    fn from_walk((at, rule): (usize, Rule)) -> Self {
        match rule {
            Rule::TooDeep => Self::TooDeep,
            rule => Self::Value {
                reason: format!("byte {at}: {rule}"),
            },
        }
    }
}

/// Why bytes are not the value that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// More bytes than a block may have.
    #[error("{len} bytes are more than a block may have, {MAX_BLOCK_BYTES}")]
    TooLarge {
        /// How many there are.
        len: usize,
    },
    /// The bytes break a rule of strict DAG-CBOR.
    #[error("byte {at}: {rule}")]
    NotStrict {
        /// Where.
        at: usize,
        /// Which rule.
        rule: Rule,
    },
    /// The bytes are a value, but not one of the type asked for.
    #[error("unexpected value: {reason}")]
    Shape {
        /// What was expected, what was found.
        reason: String,
    },
    /// The block's codec is another one.
    #[error("codec 0x{codec:x} is not DAG-CBOR")]
    Codec {
        /// The codec in its CID.
        codec: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::any_ipld;
    use proptest::prelude::*;
    use serde::Deserialize;

    fn nested(levels: usize) -> Ipld {
        (0..levels).fold(Ipld::Null, |inner, _| Ipld::List(vec![inner]))
    }

    #[test]
    fn depth_is_bounded_both_ways() {
        let deepest = nested(MAX_DEPTH);
        let bytes = encode(&deepest).expect("within the limit");
        assert_eq!(decode::<Ipld>(&bytes), Ok(deepest));

        assert_eq!(encode(&nested(MAX_DEPTH + 1)), Err(EncodeError::TooDeep));
        let mut bytes = vec![0x81; 1_000_000];
        bytes.push(0xf6);
        let (at, rule) = (MAX_DEPTH, Rule::TooDeep);
        assert_eq!(
            decode::<Ipld>(&bytes),
            Err(DecodeError::NotStrict { at, rule })
        );
    }

    #[test]
    fn what_has_no_form_is_refused() {
        for value in [
            Ipld::Float(f64::NAN),
            Ipld::Float(f64::INFINITY),
            Ipld::Integer(1 << 64),
            Ipld::Integer(-(1 << 64) - 1),
        ] {
            assert!(encode(&value).is_err(), "{value:?}");
        }
        for value in [Ipld::Integer((1 << 64) - 1), Ipld::Integer(-(1 << 64))] {
            let bytes = encode(&value).expect("fits");
            assert_eq!(decode::<Ipld>(&bytes), Ok(value));
        }
    }

    #[test]
    fn an_enum_is_not_read_across_values() {
        // The codec takes the text "ok" and then the next value for `{"ok": 5}`. Reading from the
        // checked value, a text is a text.
        #[derive(Deserialize, Debug)]
        enum Answer {
            #[serde(rename = "ok")]
            #[expect(dead_code, reason = "only its reading is tested")]
            Ok(u8),
        }
        let two_values = [0x62, b'o', b'k', 0x05];
        assert!(serde_ipld_dagcbor::from_slice::<Answer>(&two_values).is_ok());
        assert!(decode::<Answer>(&two_values).is_err());
        assert!(decode::<Answer>(&[0xa1, 0x62, b'o', b'k', 0x05]).is_ok());
    }

    #[test]
    fn size_is_bounded() {
        let bytes = vec![0; MAX_BLOCK_BYTES + 1];
        let len = bytes.len();
        assert_eq!(decode::<Ipld>(&bytes), Err(DecodeError::TooLarge { len }));
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(value in any_ipld()) {
            let bytes = encode(&value).expect("values of the data model encode");
            prop_assert_eq!(decode::<Ipld>(&bytes).expect("decodes"), value);
        }

        #[test]
        fn what_decodes_has_no_other_encoding(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(value) = decode::<Ipld>(&bytes) {
                prop_assert_eq!(encode(&value).expect("encodes"), bytes);
            }
        }

        #[test]
        fn a_changed_encoding_is_refused_or_another_value(
            value in any_ipld(), at in any::<prop::sample::Index>(), bit in 0..8u8,
        ) {
            let mut bytes = encode(&value).expect("encodes");
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            if let Ok(other) = decode::<Ipld>(&bytes) {
                prop_assert_eq!(encode(&other).expect("encodes"), bytes);
            }
        }
    }
}
