//! The rule of a grant for HTTPS.

use std::fmt;

use url::Url;

use super::error::Wrong;
use super::origin::{Origin, Target, exactly};
use super::path::{PathPattern, is_ambiguous};

/// Which requests are allowed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct HttpsRule {
    /// Any, if there are none.
    methods: Box<[Box<str>]>,
    pub(super) origin: Origin,
    path: PathPattern,
}

impl HttpsRule {
    /// Reads what follows `https=`.
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let (methods, target) = match text.split_once(' ') {
            None => (Box::default(), text),
            Some((methods, target)) => (parse_methods(methods)?, target),
        };
        if target.contains(|character: char| character.is_whitespace() || character.is_control()) {
            return Err(Wrong::Blank);
        }
        let (origin, path) = Origin::parse(target)?;
        Ok(Self {
            methods,
            origin,
            path: PathPattern::parse(path)?,
        })
    }

    /// True if the request is allowed.
    pub(super) fn matches(&self, method: &str, target: &Target<'_>) -> bool {
        let mut methods = self.methods.iter();
        (self.methods.is_empty() || methods.any(|allowed| **allowed == *method))
            && self.origin.matches(target)
            && self.path.matches(target.path)
    }

    /// True if every request that the other allows is allowed.
    pub(super) fn covers(&self, inner: &Self) -> bool {
        let methods = self.methods.is_empty()
            || (!inner.methods.is_empty()
                && inner
                    .methods
                    .iter()
                    .all(|method| self.methods.contains(method)));
        methods && self.origin.covers(&inner.origin) && self.path.covers(&inner.path)
    }
}

fn parse_methods(text: &str) -> Result<Box<[Box<str>]>, Wrong> {
    let mut methods: Vec<Box<str>> = Vec::new();
    for method in text.split(',') {
        if !is_token(method) {
            return Err(Wrong::Method(method.to_owned()));
        }
        if !methods.iter().any(|known| **known == *method) {
            methods.push(method.into());
        }
    }
    Ok(methods.into())
}

/// True for what HTTP calls a token (RFC 9110, 5.6.2), as methods are.
fn is_token(text: &str) -> bool {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_fine)
}

/// Longest path that a suggested grant holds, in bytes: a person shall read it.
const PATH_SUGGESTED_MAX: usize = 120;

/// A grant for one request and, if that can be said, no other.
pub(super) fn suggest(method: &str, url: &Url) -> Option<String> {
    let origin = exactly(url)?;
    let path = match url.path() {
        path if is_ambiguous(path) || path.len() > PATH_SUGGESTED_MAX => String::new(),
        path => path.replace('*', "%2A"),
    };
    if is_token(method) {
        Some(format!("https={method} {origin}{path}"))
    } else {
        Some(format!("https={origin}{path}"))
    }
}

impl fmt::Display for HttpsRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.methods.is_empty() {
            write!(f, "{} ", self.methods.join(","))?;
        }
        write!(f, "{}{}", self.origin, self.path)
    }
}
