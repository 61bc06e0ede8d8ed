//! Values to DAG-CBOR by the shortest way.
//!
//! A fifth of what a small task takes went into the codec, which sorts each map into memory of its own, and into
//! walking over what it wrote. What stands here writes the same bytes: tests compare.

use super::{Cid, EncodeError, Ipld, MAX_DEPTH, encode};

/// Writes a value as [`encode`] does.
pub(crate) fn encode_value(value: &Ipld) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::with_capacity(256);
    match write(value, 0, &mut bytes) {
        Some(()) => Ok(bytes),
        // It has words for what is wrong.
        None => encode(value),
    }
}

/// Writes a value that lies in so many lists and maps. Not all values have a form.
fn write(value: &Ipld, depth: usize, into: &mut Vec<u8>) -> Option<()> {
    match value {
        Ipld::Null => into.push(0xf6),
        Ipld::Bool(bool) => into.push(0xf4 + u8::from(*bool)),
        Ipld::Integer(integer) => match u64::try_from(*integer) {
            Ok(integer) => head(0, integer, into),
            Err(_) => head(1, u64::try_from(-1 - integer).ok()?, into),
        },
        Ipld::Float(float) => {
            if !float.is_finite() {
                return None;
            }
            // There is one zero.
            let float = if *float == 0.0 { 0.0 } else { *float };
            into.push(0xfb);
            into.extend_from_slice(&float.to_be_bytes());
        }
        Ipld::Bytes(bytes) => {
            head(2, bytes.len() as u64, into);
            into.extend_from_slice(bytes);
        }
        Ipld::String(string) => text(string, into),
        Ipld::List(items) => {
            head(4, items.len() as u64, into);
            let depth = deeper(depth)?;
            for item in items {
                write(item, depth, into)?;
            }
        }
        Ipld::Map(entries) => {
            head(5, entries.len() as u64, into);
            let depth = deeper(depth)?;
            let mut entries: Vec<_> = entries.iter().collect();
            // Shorter keys come first. They are sorted by their bytes already, and that stays so among those of one length.
            entries.sort_by_key(|(key, _)| key.len());
            for (key, value) in entries {
                text(key, into);
                write(value, depth, into)?;
            }
        }
        Ipld::Link(cid) => link(cid, into),
    }
    Some(())
}

fn deeper(depth: usize) -> Option<usize> {
    (depth < MAX_DEPTH).then_some(depth + 1)
}

fn text(text: &str, into: &mut Vec<u8>) {
    head(3, text.len() as u64, into);
    into.extend_from_slice(text.as_bytes());
}

/// Tag 42, and the bytes of the CID behind a zero.
fn link(cid: &Cid, into: &mut Vec<u8>) {
    let bytes = cid.to_bytes();
    into.extend_from_slice(&[0xd8, 42]);
    head(2, bytes.len() as u64 + 1, into);
    into.push(0);
    into.extend_from_slice(&bytes);
}

/// Writes what a value begins with: its kind, and a number as short as it can be.
fn head(kind: u8, number: u64, into: &mut Vec<u8>) {
    let kind = kind << 5;
    let bytes = number.to_be_bytes();
    match number {
        0..=23 => into.push(kind | bytes[7]),
        24..=0xff => into.extend_from_slice(&[kind | 24, bytes[7]]),
        0x100..=0xffff => {
            into.push(kind | 25);
            into.extend_from_slice(&bytes[6..]);
        }
        0x1_0000..=0xffff_ffff => {
            into.push(kind | 26);
            into.extend_from_slice(&bytes[4..]);
        }
        _ => {
            into.push(kind | 27);
            into.extend_from_slice(&bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::any_ipld;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        let ends = [
            0,
            23,
            24,
            0xff,
            0x100,
            0xffff,
            0x1_0000,
            0xffff_ffff,
            1 << 32,
            u64::MAX,
        ];
        for end in ends {
            for integer in [i128::from(end), -1 - i128::from(end)] {
                let value = Ipld::Integer(integer);
                assert_eq!(encode_value(&value), encode(&value), "{integer}");
            }
        }
        let long = Ipld::String("x".repeat(70_000));
        assert_eq!(encode_value(&long), encode(&long));
    }

    #[test]
    fn what_has_no_form_is_told_in_the_same_words() {
        let nested = |levels| (0..levels).fold(Ipld::Null, |inner, _| Ipld::List(vec![inner]));
        let values = [
            Ipld::Float(f64::NAN),
            Ipld::Float(f64::NEG_INFINITY),
            Ipld::Float(-0.0),
            Ipld::Integer(1 << 64),
            Ipld::Integer(i128::MAX),
            Ipld::Integer(-(1 << 64) - 1),
            Ipld::Integer(i128::MIN),
            nested(MAX_DEPTH),
            nested(MAX_DEPTH + 1),
        ];
        for value in values {
            assert_eq!(encode_value(&value), encode(&value));
        }
    }

    proptest! {
        #[test]
        fn writes_what_the_codec_writes(value in any_ipld()) {
            prop_assert_eq!(encode_value(&value), encode(&value));
        }
    }
}
