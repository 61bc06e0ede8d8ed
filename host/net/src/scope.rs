//! Which part of a DAG is meant, as trustless gateways say it.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use thiserror::Error;

/// Which part of a DAG: `dag-scope` and `entity-bytes` of a request for a CAR file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The root alone.
    Block,
    /// What a file or a directory is made of: all of a file, the whole list of a directory, but not what is in it. Of
    /// anything else, the root.
    Entity,
    /// Of a file, what takes part in some of its bytes. Of anything else, as [`Scope::Entity`].
    Bytes(EntityBytes),
    /// All that can be reached.
    All,
}

/// Some bytes of a file: `from:to`, both included, counted from the end if they are negative; `*` is the last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntityBytes {
    /// The first.
    pub from: i64,
    /// The last.
    pub to: Option<i64>,
}

impl EntityBytes {
    /// The bytes of a file that has `size` of them, if there are any.
    pub fn range(self, size: u64) -> Option<Range<u64>> {
        let at = |offset: i64| match u64::try_from(offset) {
            Ok(offset) => Some(offset),
            Err(_) => size.checked_sub(offset.unsigned_abs()),
        };
        // Beginning before the beginning is beginning there; ending before it is no byte at all.
        let start = at(self.from).unwrap_or(0);
        let end = match self.to {
            None => size,
            Some(to) => at(to)?.saturating_add(1).min(size),
        };
        (start < end).then_some(start..end)
    }
}

/// The bytes of a range that isn't empty.
impl TryFrom<Range<u64>> for EntityBytes {
    type Error = ScopeError;

    fn try_from(range: Range<u64>) -> Result<Self, ScopeError> {
        let bad = || ScopeError(format!("{}:{}", range.start, range.end));
        let last = range.end.checked_sub(1).filter(|last| *last >= range.start);
        let to = i64::try_from(last.ok_or_else(bad)?).map_err(|_| bad())?;
        let from = i64::try_from(range.start).map_err(|_| bad())?;
        Ok(Self { from, to: Some(to) })
    }
}

impl fmt::Display for EntityBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to {
            Some(to) => write!(f, "{}:{to}", self.from),
            None => write!(f, "{}:*", self.from),
        }
    }
}

impl FromStr for EntityBytes {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let bad = || ScopeError(text.chars().take(80).collect());
        let number = |text: &str| text.parse::<i64>().map_err(|_| bad());
        let (from, to) = text.split_once(':').ok_or_else(bad)?;
        let from = number(from)?;
        let to = match to {
            "*" => None,
            to => Some(number(to)?),
        };
        // Of two from the same side it is known without the size.
        match to {
            Some(to) if (from < 0) == (to < 0) && to < from => Err(bad()),
            _ => Ok(Self { from, to }),
        }
    }
}

/// What should be a range of bytes and isn't.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no range of bytes: it is written `first:last` or `first:*`")]
pub struct ScopeError(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_written() {
        for text in ["0:*", "5:9", "-5:*", "499:-1000", "-10:-1", "-10:3", "0:0"] {
            assert_eq!(text.parse::<EntityBytes>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "5",
            ":",
            "5:",
            ":5",
            "*:5",
            "9:5",
            "-1:-10",
            "a:b",
            "1:2:3",
            "0:9223372036854775808",
        ] {
            assert!(text.parse::<EntityBytes>().is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_are_cut_to_the_file() {
        for (text, size, range) in [
            ("0:*", 10, Some(0..10)),
            ("0:*", 0, None),
            ("2:5", 10, Some(2..6)),
            ("2:50", 10, Some(2..10)),
            ("10:50", 10, None),
            ("-3:*", 10, Some(7..10)),
            ("-30:*", 10, Some(0..10)),
            ("2:-3", 10, Some(2..8)),
            ("-3:-2", 10, Some(7..9)),
            ("0:-11", 10, None),
            ("8:-8", 10, None),
            ("0:9223372036854775807", 10, Some(0..10)),
        ] {
            let bytes: EntityBytes = text.parse().unwrap();
            assert_eq!(bytes.range(size), range, "{text} of {size}");
        }
        assert_eq!(EntityBytes::try_from(2..6), "2:5".parse());
        assert!(EntityBytes::try_from(2..2).is_err());
    }
}
