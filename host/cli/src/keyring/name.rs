//! What keys are called.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The name of the key that signs where nobody names another.
pub(crate) const DEFAULT: &str = "default";

/// The longest name, as of keys that guests keep.
const NAME_BYTES_MAX: usize = 64;

/// How a key that guests keep is written, as in grants: `crypto=NAME`.
const GUESTS: &str = "crypto=";

/// The name of a key that signs for the user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyName(String);

impl KeyName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for KeyName {
    fn default() -> Self {
        Self(DEFAULT.to_owned())
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.starts_with(GUESTS) {
            return Err(NameError::Guests(text.to_owned()));
        }
        match is_name(text) {
            true => Ok(Self(text.to_owned())),
            false => Err(NameError::Name(text.to_owned())),
        }
    }
}

fn is_name(text: &str) -> bool {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(is_fine)
        && !text.starts_with(['.', '-'])
}

/// A key: one that signs for the user, or one that guests keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// `NAME`.
    Own(KeyName),
    /// `crypto=NAME`.
    Guests(String),
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(name) => name.fmt(f),
            Self::Guests(name) => write!(f, "{GUESTS}{name}"),
        }
    }
}

impl FromStr for Named {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.strip_prefix(GUESTS) {
            Some(name) if is_name(name) => Ok(Self::Guests(name.to_owned())),
            Some(_) => Err(NameError::Name(text.to_owned())),
            None => text.parse().map(Self::Own),
        }
    }
}

/// A text that can't be a key's name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum NameError {
    #[error(
        "`{0}` can't name a key: a name has 1 to {NAME_BYTES_MAX} letters, digits, `-`, `_` or `.`, and begins with no \
         `.` or `-`"
    )]
    Name(String),
    #[error("`{0}` is a key that guests keep, and signs nothing of yours")]
    Guests(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for text in ["default", "a", "A-1_b.c", &"x".repeat(64)] {
            assert_eq!(text.parse::<KeyName>().unwrap().to_string(), text);
            assert_eq!(text.parse::<Named>().unwrap().to_string(), text);
        }
        let long = "x".repeat(65);
        for text in ["", ".", "..", ".a", "-a", "a/b", "a b", "ä", "a=b", &long] {
            assert!(text.parse::<KeyName>().is_err(), "{text}");
            assert!(text.parse::<Named>().is_err(), "{text}");
        }
        let guests: Named = "crypto=weather".parse().unwrap();
        assert_eq!(guests, Named::Guests("weather".to_owned()));
        assert_eq!(guests.to_string(), "crypto=weather");
        for text in ["crypto=", "crypto=../a", "crypto=.a"] {
            assert!(text.parse::<Named>().is_err(), "{text}");
        }
        assert_eq!(
            "crypto=weather".parse::<KeyName>(),
            Err(NameError::Guests("crypto=weather".to_owned()))
        );
    }
}
