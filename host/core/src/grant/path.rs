//! Paths of URLs, and patterns of them.
//!
//! Paths come from [`url`], which has taken out what is `.` and `..`, encoded or not. What it leaves is what servers
//! disagree about: `%2f` is a slash to some, `..;a` is `..` to others. A pattern never matches such a path.

use std::fmt;

use url::Url;

use super::error::Wrong;

/// One path, all paths beneath one, or any path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum PathPattern {
    Any,
    Exact(Box<str>),
    /// Ends with a slash.
    Beneath(Box<str>),
}

impl PathPattern {
    /// Reads nothing, `/a/b` or `/a/b/*`.
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        if text.is_empty() {
            return Ok(Self::Any);
        }
        if text.contains(['?', '#']) {
            return Err(Wrong::Query);
        }
        let (pattern, path): (fn(Box<str>) -> Self, _) = match text.strip_suffix('*') {
            Some(path) if path.ends_with('/') => (Self::Beneath, path),
            Some(_) => return Err(Wrong::PathStar),
            None => (Self::Exact, text),
        };
        if path.contains('*') {
            return Err(Wrong::PathStar);
        }
        let url = Url::parse(&format!("https://host{path}")).map_err(|_| Wrong::Path)?;
        if is_ambiguous(url.path()) {
            return Err(Wrong::Path);
        }
        Ok(pattern(url.path().into()))
    }

    /// True if the path of a URL is meant.
    pub(super) fn matches(&self, path: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => {
                let is_same = **exact == *path || units(path).eq(units(exact));
                is_same && !is_ambiguous(path)
            }
            Self::Beneath(parent) => {
                let is_beneath = path.starts_with(&**parent) || starts_with(path, parent);
                is_beneath && !is_ambiguous(path)
            }
        }
    }
}

impl PathPattern {
    /// True if every path that the other means is meant.
    pub(super) fn covers(&self, inner: &Self) -> bool {
        match (self, inner) {
            (Self::Any, _) => true,
            (_, Self::Any) | (Self::Exact(_), Self::Beneath(_)) => false,
            (_, Self::Exact(path)) => self.matches(path),
            (Self::Beneath(parent), Self::Beneath(path)) => path.starts_with(&**parent),
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => Ok(()),
            Self::Exact(path) => f.write_str(path),
            Self::Beneath(path) => write!(f, "{path}*"),
        }
    }
}

/// True if servers may read the path in two ways: it has an encoded slash, backslash or zero, is encoded twice, or
/// has a part that is `.` or `..` before its parameters.
pub(super) fn is_ambiguous(path: &str) -> bool {
    let bytes = path.as_bytes();
    if !bytes.iter().any(|byte| matches!(byte, b'%' | b'.')) {
        return false;
    }
    let encoded_at = |at: usize| hex(bytes, at).filter(|_| bytes[at] == b'%');
    let is_split = |at| match encoded_at(at) {
        Some(0x00 | b'/' | b'\\') => true,
        Some(b'%') => matches!(hex(bytes, at + 2), Some(0x00 | b'/' | b'\\' | b'.' | b'%')),
        _ => false,
    };
    (0..bytes.len()).any(is_split) || path.split('/').any(is_dots)
}

/// True for a part of a path that is `.` or `..`, with or without parameters (`;a=b`).
fn is_dots(part: &str) -> bool {
    let mut dots = 0;
    for unit in units(part) {
        match unit.byte {
            b'.' => dots += 1,
            b';' => break,
            _ => return false,
        }
    }
    matches!(dots, 1 | 2)
}

/// A byte of a path. Where encoding makes a difference, it tells apart `%3B` and `;`.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Unit {
    byte: u8,
    is_encoded: bool,
}

/// The bytes of a path. Encoding makes no difference for letters, digits and what else is unreserved (RFC 3986, 2.3),
/// nor for a star, which is encoded to tell it from that of a pattern.
fn units(path: &str) -> impl Iterator<Item = Unit> {
    let bytes = path.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let byte = *bytes.get(at)?;
        let encoded = hex(bytes, at).filter(|_| byte == b'%');
        at += if encoded.is_some() { 3 } else { 1 };
        let byte = encoded.unwrap_or(byte);
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~*".contains(&byte);
        Some(Unit {
            byte,
            is_encoded: encoded.is_some() && !is_plain,
        })
    })
}

/// True if the path starts with another, however the two are encoded.
fn starts_with(path: &str, start: &str) -> bool {
    let mut path_units = units(path);
    units(start).all(|unit| path_units.next() == Some(unit))
}

/// The value of the two hex digits after a byte.
fn hex(bytes: &[u8], at: usize) -> Option<u8> {
    let digit = |at| char::from(*bytes.get(at)?).to_digit(16);
    u8::try_from(digit(at + 1)? << 4 | digit(at + 2)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, path: &str) -> bool {
        let url = Url::parse(&format!("https://host{path}")).unwrap();
        PathPattern::parse(pattern).unwrap().matches(url.path())
    }

    #[test]
    fn whole_parts_are_compared() {
        for (pattern, path, is_meant) in [
            ("", "/anything", true),
            ("", "/a%2fb", true),
            ("/v1", "/v1", true),
            ("/v1", "/v1?q", true),
            ("/v1", "/v1/", false),
            ("/v1", "/v1/x", false),
            ("/v1/*", "/v1/", true),
            ("/v1/*", "/v1/x/y", true),
            ("/v1/*", "/v1", false),
            ("/v1/*", "/v1x", false),
            ("/v1/*", "/v1/../x", false),
            ("/v1/*", "/v1/%2e%2e/x", false),
            ("/v1/*", "/v1/%2E./x", false),
            ("/v1/*", "/v1/..\\x", false),
            ("/v1/*", "/v1/..%2fx", false),
            ("/v1/*", "/v1/%2e%2e%2Fx", false),
            ("/v1/*", "/v1/..%5cx", false),
            ("/v1/*", "/v1/%252e%252e/x", false),
            ("/v1/*", "/v1/%252fx", false),
            ("/v1/*", "/v1/..;a=b/x", false),
            ("/v1/*", "/v1/..%3b/x", false),
            ("/v1/*", "/v1/.;/x", false),
            ("/v1/*", "/v1/x%00", false),
            ("/v1/*", "/v1/..x/...", true),
            ("/v1/*", "/v1/100%25", true),
            ("/v1/*", "/%761/x", true),
            ("/v1/*", "//v1/x", false),
            ("/*", "/", true),
            ("/a;b", "/a%3Bb", false),
            ("/a;b", "/a;b", true),
            ("/ü", "/%c3%bc", true),
            ("/a%2A", "/a*", true),
        ] {
            assert_eq!(matches(pattern, path), is_meant, "{pattern} {path}");
        }
    }

    proptest! {
        #[test]
        fn what_is_beneath_stays_beneath(tail in "[a-z./%2eEfF5cC;\\\\]{0,24}") {
            let path = format!("/v1/{tail}");
            if matches("/v1/*", &path) {
                let url = Url::parse(&format!("https://host{path}")).unwrap();
                prop_assert!(decoded_depth(url.path()) >= 1, "{path}");
            }
        }
    }

    /// How deep a path ends at the least, for a server that decodes first, drops parameters, and then walks.
    fn decoded_depth(path: &str) -> i32 {
        let mut decoded = path.to_ascii_lowercase();
        for _ in 0..3 {
            for (encoded, plain) in [("%25", "%"), ("%2e", "."), ("%2f", "/"), ("%5c", "/")] {
                decoded = decoded.replace(encoded, plain);
            }
        }
        let mut depth = 0;
        let mut depth_min = i32::MAX;
        for part in decoded.split('/').skip(1) {
            match part.split(';').next() {
                Some("..") => depth -= 1,
                Some("." | "") => {}
                _ => depth += 1,
            }
            depth_min = depth_min.min(depth);
        }
        depth_min
    }
}
