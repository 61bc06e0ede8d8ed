//! Names of hosts, and patterns of them.

use std::fmt;

use url::Host;

use super::error::Wrong;

/// A name, all names beneath one, or any name. Texts are in lower case, as IDNA writes them, without a dot at the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum NamePattern {
    Any,
    Exact(Box<str>),
    Beneath(Box<str>),
}

impl NamePattern {
    /// Reads `*`, `*.example.com` or `example.com`.
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let (pattern, name): (fn(Box<str>) -> Self, _) = match text.strip_prefix("*.") {
            Some(name) => (Self::Beneath, name),
            None => (Self::Exact, text),
        };
        if name.contains('*') {
            return Err(Wrong::Star(text.to_owned()));
        }
        match Host::parse(name) {
            Ok(Host::Domain(domain)) => match without_dot(&domain) {
                name if is_name(name) => Ok(pattern(name.into())),
                _ => Err(Wrong::Name(text.to_owned())),
            },
            _ => Err(Wrong::Name(text.to_owned())),
        }
    }

    /// True if the name is meant. Case doesn't count, nor a dot at the end.
    pub(super) fn matches(&self, name: &str) -> bool {
        let name = without_dot(name);
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact.eq_ignore_ascii_case(name),
            Self::Beneath(parent) => is_beneath(name, parent),
        }
    }

    /// True if every name that the other means is meant.
    pub(super) fn covers(&self, inner: &Self) -> bool {
        match (self, inner) {
            (Self::Any, _) => true,
            (_, Self::Any) => false,
            (_, Self::Exact(name)) => self.matches(name),
            (Self::Beneath(parent), Self::Beneath(name)) => {
                parent == name || is_beneath(name, parent)
            }
            (Self::Exact(_), Self::Beneath(_)) => false,
        }
    }

    /// True if every name that is meant is `localhost` or beneath it (RFC 6761, 6.3).
    pub(super) fn is_localhost(&self) -> bool {
        match self {
            Self::Any => false,
            Self::Exact(name) | Self::Beneath(name) => is_localhost(name),
        }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(name) => f.write_str(name),
            Self::Beneath(name) => write!(f, "*.{name}"),
        }
    }
}

/// The name without the dot that may end it.
pub(super) fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// True if the name is `localhost` or beneath it.
pub(super) fn is_localhost(name: &str) -> bool {
    let name = without_dot(name);
    name.eq_ignore_ascii_case("localhost") || is_beneath(name, "localhost")
}

/// True if this is a name: parts of 1 to 63 bytes, 253 together (RFC 1035, 2.3.4).
pub(super) fn is_name(name: &str) -> bool {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_part = |part: &str| matches!(part.len(), 1..=63) && part.bytes().all(is_fine);
    name.len() <= 253 && name.split('.').all(is_part)
}

fn is_beneath(name: &str, parent: &str) -> bool {
    let (name, parent) = (name.as_bytes(), parent.as_bytes());
    match name.len().checked_sub(parent.len() + 1) {
        None | Some(0) => false,
        Some(dot) => name[dot] == b'.' && name[dot + 1..].eq_ignore_ascii_case(parent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        NamePattern::parse(pattern).unwrap().matches(name)
    }

    #[test]
    fn a_star_is_for_what_is_beneath() {
        for (pattern, name, is_meant) in [
            ("example.com", "example.com", true),
            ("example.com", "EXAMPLE.com.", true),
            ("example.com", "example.com..", false),
            ("example.com", "a.example.com", false),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "A.b.Example.Com.", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "badexample.com", false),
            ("*.example.com", "example.com.evil.org", false),
            ("*", "anything.at.all", true),
        ] {
            assert_eq!(matches(pattern, name), is_meant, "{pattern} {name}");
        }
    }

    #[test]
    fn localhost_and_what_is_beneath_it() {
        for (name, is) in [
            ("localhost", true),
            ("LOCALHOST.", true),
            ("a.b.localhost", true),
            ("notlocalhost", false),
            ("localhost.example.com", false),
        ] {
            assert_eq!(is_localhost(name), is, "{name}");
        }
        assert!(NamePattern::parse("*.localhost").unwrap().is_localhost());
        assert!(!NamePattern::Any.is_localhost());
    }

    #[test]
    fn names_are_bounded() {
        let long = ["a".repeat(63).as_str(); 4].join(".");
        assert!(!is_name(&long));
        assert!(is_name(&long[..253]));
        assert!(!is_name(&"a".repeat(64)));
        assert!(!is_name(""));
        assert!(is_name("_dmarc.2.0.192.in-addr.arpa"));
        assert!(!is_name("a b"));
    }
}
