//! DAG-JSON in and out: how people and programs see values as text.
//!
//! [`parse`] takes what people write (any order of keys, any white space) and nothing ambiguous: no key
//! twice, no number that would silently become another, `{"/": …}` only in its two forms. [`to_string`]
//! writes the one form other implementations hash; [`to_string_pretty`] the same with line breaks.
//!
//! The text is read here and not by `serde_json`, which turns integers beyond 64 bits into floats: a
//! guard for that, for the reserved key and for line and column would have to read the text itself.
//!
//! ```
//! use homestar_core::json;
//!
//! let value = json::parse(r#"{"b": [1, 2.0], "a": {"/": {"bytes": "AQI"}}}"#)?;
//! assert_eq!(json::to_string(&value)?, r#"{"a":{"/":{"bytes":"AQI"}},"b":[1,2.0]}"#);
//!
//! let error = json::parse("{\"a\": 1,\n \"a\": 2}").unwrap_err();
//! assert_eq!(error.to_string(), "line 2, column 2: the key \"a\" stands twice");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod parse;
mod print;

pub(crate) use self::parse::{Builder, Entries, build, resolve};
pub use self::parse::{JsonError, MAX_TEXT_BYTES, Problem, parse};
pub use self::print::{PrintError, to_string, to_string_pretty};

/// The key that DAG-JSON keeps for links and bytes.
const RESERVED_KEY: &str = "/";
/// The key inside it that says bytes.
const BYTES_KEY: &str = "bytes";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipld::Ipld;
    use crate::testing::any_ipld;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_printed_parses(value in any_ipld()) {
            if let Ok(text) = to_string(&value) {
                prop_assert_eq!(parse(&text).expect("parses"), value.clone());
                let pretty = to_string_pretty(&value).expect("prints too");
                prop_assert_eq!(parse(&pretty).expect("parses"), value);
            }
        }

        #[test]
        fn another_reader_agrees(value in any_ipld()) {
            if let (Ok(text), true) = (to_string(&value), is_common_ground(&value)) {
                let theirs: Ipld = serde_ipld_dagjson::from_slice(text.as_bytes()).expect("parses");
                prop_assert_eq!(theirs, value);
            }
        }

        #[test]
        fn another_writer_agrees(value in any_ipld()) {
            // It lays out floats in its own way; those are compared with JavaScript's in `tests/vectors`.
            let has_float = value.iter().any(|part| matches!(part, Ipld::Float(_)));
            if let (Ok(ours), true) = (to_string(&value), is_common_ground(&value) && !has_float) {
                let theirs = serde_ipld_dagjson::to_vec(&value).expect("prints");
                prop_assert_eq!(ours.as_bytes(), theirs);
            }
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = parse(&text);
        }

        #[test]
        fn no_almost_json_panics(text in r#"[\[\]{}:,"/\\ubytesnulltruefalse0-9.eE+\- \n]{0,40}"#) {
            if let Ok(value) = parse(&text) {
                let printed = to_string(&value).expect("what parses prints");
                prop_assert_eq!(parse(&printed), Ok(value));
            }
        }
    }

    /// False for what the other implementation reads or writes differently: it turns integers beyond
    /// 64 bits into floats, and takes every map that begins with the key `/` for a link or bytes.
    fn is_common_ground(value: &Ipld) -> bool {
        value.iter().all(|part| match part {
            Ipld::Integer(integer) => {
                i64::try_from(*integer).is_ok() || u64::try_from(*integer).is_ok()
            }
            Ipld::Map(entries) => !entries.contains_key(RESERVED_KEY),
            _ => true,
        })
    }
}
