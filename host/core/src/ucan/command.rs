//! What: `/wasm/run`, a path from the general to the special.

use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// The longest command, in bytes.
const MAX_BYTES: usize = 1024;

/// A command, checked to be well formed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Command(String);

impl Command {
    /// `/`, which covers all others.
    pub fn top() -> Self {
        Self("/".to_owned())
    }

    /// True if leave to do this is leave to do `other`: the same command, or one below it.
    ///
    /// Whole segments count: `/wasm` covers `/wasm/run` and not `/wasmtime`.
    pub fn covers(&self, other: &Self) -> bool {
        if self.0 == "/" {
            return true;
        }
        match other.0.strip_prefix(&self.0) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }

    /// The command's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Command {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Self, CommandError> {
        if text.len() > MAX_BYTES {
            return Err(CommandError::TooLong);
        }
        let Some(path) = text.strip_prefix('/') else {
            return Err(CommandError::NoSlash);
        };
        if text.chars().any(char::is_uppercase) {
            return Err(CommandError::Uppercase);
        }
        if text.ends_with('/') && !path.is_empty() {
            return Err(CommandError::TrailingSlash);
        }
        if path.split('/').any(str::is_empty) && !path.is_empty() {
            return Err(CommandError::EmptySegment);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which rule a command breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// It is longer than any command should be.
    #[error("a command has at most {MAX_BYTES} bytes")]
    TooLong,
    /// It doesn't begin with a slash.
    #[error("a command begins with a slash")]
    NoSlash,
    /// It has an upper-case letter.
    #[error("a command is in lower case")]
    Uppercase,
    /// It ends with a slash and is not the top command.
    #[error("a command does not end with a slash")]
    TrailingSlash,
    /// Two slashes follow each other.
    #[error("a command has no empty segment")]
    EmptySegment,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn command(text: &str) -> Command {
        text.parse().expect(text)
    }

    #[test]
    fn covers_whole_segments() {
        for (general, special, covers) in [
            ("/", "/", true),
            ("/", "/wasm/run", true),
            ("/wasm", "/wasm", true),
            ("/wasm", "/wasm/run", true),
            ("/wasm", "/wasmtime", false),
            ("/wasm/run", "/wasm", false),
            ("/wasm", "/", false),
            ("/crypto", "/cryptocurrency", false),
        ] {
            let (general, special) = (command(general), command(special));
            assert_eq!(general.covers(&special), covers, "{general} {special}");
        }
    }

    #[test]
    fn the_rules() {
        for (text, error) in [
            ("", CommandError::NoSlash),
            (
                &format!("/{}", "a".repeat(MAX_BYTES)),
                CommandError::TooLong,
            ),
            ("wasm", CommandError::NoSlash),
            ("/Wasm", CommandError::Uppercase),
            ("/É", CommandError::Uppercase),
            ("/wasm/", CommandError::TrailingSlash),
            ("//", CommandError::TrailingSlash),
            ("//wasm", CommandError::EmptySegment),
            ("/wasm//run", CommandError::EmptySegment),
        ] {
            assert_eq!(text.parse::<Command>(), Err(error), "{text}");
        }
        assert_eq!(command("/é/日本").as_str(), "/é/日本");
    }

    fn segments(command: &Command) -> Vec<&str> {
        let segments = command.as_str()[1..].split('/');
        segments.filter(|segment| !segment.is_empty()).collect()
    }

    proptest! {
        #[test]
        fn to_cover_is_to_have_the_first_segments(one in "/|(/[ab]{1,2}){1,3}", other in "/|(/[ab]{1,2}){1,3}") {
            let (one, other) = (command(&one), command(&other));
            prop_assert_eq!(one.covers(&other), segments(&other).starts_with(&segments(&one)));
            prop_assert_eq!(one.covers(&other) && other.covers(&one), one == other);
        }

        #[test]
        fn no_text_panics(text: String, path in "[/a-zA-Z*.]{0,12}") {
            for text in [text, path] {
                if let Ok(command) = text.parse::<Command>() {
                    prop_assert_eq!(command.to_string(), text);
                }
            }
        }
    }
}
