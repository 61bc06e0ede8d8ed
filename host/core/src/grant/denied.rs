//! That something isn't granted.

use std::fmt;

use thiserror::Error;

/// Something that isn't granted. It says what was asked for, and what would allow it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what}{}", .grant.as_deref().map(Takes).unwrap_or(Takes("")))]
pub struct Denied {
    what: String,
    /// None if no grant would help.
    grant: Option<String>,
}

impl Denied {
    /// `what` is a sentence without its end, fit for a terminal.
    pub(super) fn new(what: String, grant: Option<String>) -> Self {
        Self { what, grant }
    }

    /// The narrowest grant that would allow it, if one would.
    pub fn grant(&self) -> Option<&str> {
        self.grant.as_deref()
    }
}

/// The end of the sentence.
struct Takes<'a>(&'a str);

impl fmt::Display for Takes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => Ok(()),
            grant => write!(f, "; it takes `--allow {}`", quoted(grant)),
        }
    }
}

/// A word of a command line, in quotes if a shell would take it apart. It may hold what a guest chose.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"=-_.,:/%+@".contains(&byte);
    if word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_what_is_suggested_as_one_word() {
        for (word, shown) in [
            ("https=example.com/a", "https=example.com/a"),
            ("https=GET example.com", "'https=GET example.com'"),
            ("https=[::1]", "'https=[::1]'"),
            ("https=a/';x;'", r"'https=a/'\'';x;'\'''"),
        ] {
            assert_eq!(quoted(word), shown);
        }
    }
}
