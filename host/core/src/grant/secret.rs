//! Secrets that tasks use and never see.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;
use url::Url;
use zeroize::Zeroizing;

use super::Label;
use super::denied::Denied;
use super::error::shown;
use super::origin::{Origin, Target, exactly};
use super::permit::Permit;
use super::redact::Redactor;

const OPEN: &str = "{{secret:";
const CLOSE: &str = "}}";

/// Secrets by name, each bound to where it may be sent. A clone costs a counter. The values are wiped from memory
/// when the last clone is dropped, and never shown.
///
/// A task writes `{{secret:NAME}}` into a header. On its way out, that becomes the value, if the secret is bound to
/// where the request goes. What comes back goes through a [`Redactor`].
///
/// ```
/// use homestar_core::grant::{Grants, Secrets};
/// use url::Url;
///
/// let mut secrets = Secrets::default();
/// secrets.insert("TOKEN", "s3cr3t".to_owned(), &["api.example.com"])?;
///
/// let url = Url::parse("https://api.example.com/")?;
/// let permit = Grants::everything().into();
/// let mut placeholders = secrets.placeholders(&url, &permit);
/// let header = placeholders.fill("Bearer {{secret:TOKEN}}")?;
/// assert_eq!(header.as_str(), "Bearer s3cr3t");
///
/// let mut redactor = placeholders.redactor().expect("a secret was used");
/// assert_eq!(redactor.push(b"you sent s3cr3t."), b"you sent {{secret:TOKEN}}.");
///
/// let url = Url::parse("https://example.org/")?;
/// assert!(secrets.placeholders(&url, &permit).fill("{{secret:TOKEN}}").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Secrets(Arc<BTreeMap<String, Secret>>);

#[derive(Clone)]
struct Secret {
    value: Zeroizing<String>,
    origins: Vec<Origin>,
}

impl Secrets {
    /// Adds a secret, or replaces the one of that name.
    ///
    /// The value is printable ASCII. Where it may be sent is written as in a grant for HTTPS: `api.example.com`,
    /// `*.example.com:8443`. In the clear it may be sent only to this machine: `http://localhost:8080`.
    pub fn insert(
        &mut self,
        name: &str,
        value: impl Into<Zeroizing<String>>,
        hosts: &[impl AsRef<str>],
    ) -> Result<(), SecretError> {
        let value = value.into();
        if !Label::is_one(name, 64) {
            return Err(SecretError::Name(shown(name)));
        }
        let is_printable = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if value.is_empty() || !is_printable || value.trim().len() != value.len() {
            return Err(SecretError::Value(name.to_owned()));
        }
        let mut origins = Vec::new();
        for host in hosts {
            origins.push(bound(name, host.as_ref())?);
        }
        let secret = Secret { value, origins };
        Arc::make_mut(&mut self.0).insert(name.to_owned(), secret);
        Ok(())
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What stands for secrets in a request to a URL, of somebody with this permit.
    pub fn placeholders<'a>(&'a self, url: &'a Url, permit: &'a Permit) -> Placeholders<'a> {
        Placeholders {
            secrets: self,
            url,
            permit,
            used: BTreeMap::new(),
        }
    }
}

/// Reads where a secret may be sent.
fn bound(name: &str, host: &str) -> Result<Origin, SecretError> {
    let bad = |wrong| SecretError::Host {
        name: name.to_owned(),
        host: shown(host),
        wrong,
    };
    let (origin, rest) = Origin::parse(host).map_err(|wrong| bad(wrong.to_string()))?;
    if !rest.is_empty() {
        return Err(bad("a path has no place in it".to_owned()));
    }
    if origin.is_plain() && !origin.is_loopback() {
        return Err(bad("in the clear, it would be anyone's".to_owned()));
    }
    Ok(origin)
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origins = |secret: &Secret| -> Vec<String> {
            secret.origins.iter().map(Origin::to_string).collect()
        };
        let entries = self.0.iter().map(|(name, secret)| (name, origins(secret)));
        f.debug_map().entries(entries).finish()
    }
}

/// The placeholders of one request: fills them, and remembers which there were.
pub struct Placeholders<'a> {
    secrets: &'a Secrets,
    url: &'a Url,
    permit: &'a Permit,
    used: BTreeMap<&'a str, &'a Secret>,
}

impl<'a> Placeholders<'a> {
    /// Returns a header's value with the secrets that it asks for.
    pub fn fill(&mut self, text: &str) -> Result<Zeroizing<String>, Denied> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(OPEN) {
            let Some((name, after)) = after.split_once(CLOSE) else {
                break;
            };
            parts.extend([before, self.secret(name)?]);
            rest = after;
        }
        parts.push(rest);
        // Of the right length from the start: growing would leave copies behind.
        let mut filled = Zeroizing::new(String::with_capacity(
            parts.iter().map(|part| part.len()).sum(),
        ));
        for part in parts {
            filled.push_str(part);
        }
        Ok(filled)
    }

    fn secret(&mut self, name: &str) -> Result<&'a str, Denied> {
        let origin = exactly(self.url).unwrap_or_default();
        let Some((name, secret)) = self.secrets.0.get_key_value(name) else {
            let what = format!(
                "there is no secret `{}` for {}",
                shown(name),
                shown(&origin)
            );
            return Err(Denied::new(what, None));
        };
        let target = Target::of(self.url);
        let is_here = |bound: &Origin| target.as_ref().is_some_and(|target| bound.matches(target));
        if !secret.origins.iter().any(is_here) {
            let what = format!("the secret `{name}` is not bound to {}", shown(&origin));
            return Err(Denied::new(what, None));
        }
        self.permit.secret(name, self.url)?;
        self.used.insert(name, secret);
        Ok(&secret.value)
    }

    /// Takes the secrets that were used out of what comes back. None if there were none.
    pub fn redactor(&self) -> Option<Redactor> {
        let value = |(name, secret): (&&str, &&Secret)| {
            let bytes = Zeroizing::new(secret.value.as_bytes().to_vec());
            (bytes, format!("{OPEN}{name}{CLOSE}"))
        };
        (!self.used.is_empty()).then(|| Redactor::new(self.used.iter().map(value).collect()))
    }
}

impl fmt::Debug for Placeholders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.used.keys()).finish()
    }
}

/// What can't be a secret. It never shows the value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SecretError {
    /// The name isn't one.
    #[error("`{0}` can't name a secret: names have 1 to 64 letters, digits, `-`, `_` and `.`")]
    Name(String),
    /// The value isn't one.
    #[error(
        "the value of the secret `{0}` is empty, or has other than printable ASCII characters, or blanks around it"
    )]
    Value(String),
    /// It can't be bound to that.
    #[error(
        "the secret `{name}` can't be bound to `{host}`: {wrong}; for example `api.example.com`"
    )]
    Host {
        /// The secret's name.
        name: String,
        /// What it should be bound to.
        host: String,
        /// Why it can't.
        wrong: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::Grants;

    fn secrets() -> Secrets {
        let mut secrets = Secrets::default();
        let mut insert = |name, value: &str, host| {
            secrets.insert(name, value.to_owned(), &[host]).unwrap();
        };
        insert("A", "alpha", "api.example.com");
        insert("B", "beta", "*.example.com:*");
        insert("L", "local", "http://localhost:8080");
        secrets
    }

    fn fill(text: &str, url: &str) -> Result<String, String> {
        let secrets = secrets();
        let url = Url::parse(url).unwrap();
        let permit = Grants::everything().into();
        let filled = secrets.placeholders(&url, &permit).fill(text);
        filled
            .map(|text| text.to_string())
            .map_err(|denied| denied.to_string())
    }

    #[test]
    fn placeholders_become_values_where_they_are_bound() {
        let url = "https://api.example.com/";
        assert_eq!(fill("none", url).as_deref(), Ok("none"));
        assert_eq!(
            fill("{{secret:A}}{{secret:B}}+{{secret:A}}", url).as_deref(),
            Ok("alphabeta+alpha")
        );
        assert_eq!(fill("{{secret:A", url).as_deref(), Ok("{{secret:A"));
        assert_eq!(
            fill("{{secret:L}}", "http://localhost:8080/").as_deref(),
            Ok("local")
        );
    }

    #[test]
    fn elsewhere_they_are_denied_by_name() {
        for (text, url, message) in [
            (
                "{{secret:A}}",
                "https://www.example.com/",
                "the secret `A` is not bound to www.example.com",
            ),
            (
                "{{secret:A}}",
                "https://api.example.com:444/",
                "the secret `A` is not bound to api.example.com:444",
            ),
            (
                "{{secret:B}}",
                "http://api.example.com/",
                "the secret `B` is not bound to http://api.example.com",
            ),
            (
                "{{secret:a}}",
                "https://api.example.com/",
                "there is no secret `a` for api.example.com",
            ),
        ] {
            assert_eq!(fill(text, url).unwrap_err(), message);
        }
    }

    #[test]
    fn values_are_not_shown() {
        let shown = format!("{:?}", secrets());
        assert_eq!(
            shown,
            r#"{"A": ["api.example.com"], "B": ["*.example.com:*"], "L": ["http://localhost:8080"]}"#
        );
        let secrets = secrets();
        let url = Url::parse("https://api.example.com/").unwrap();
        let permit = Grants::everything().into();
        let mut placeholders = secrets.placeholders(&url, &permit);
        placeholders.fill("{{secret:A}}").unwrap();
        let redactor = placeholders.redactor();
        assert_eq!(
            format!("{placeholders:?} {redactor:?}"),
            r#"{"A"} Some(["{{secret:A}}"])"#
        );
    }

    #[test]
    fn what_cannot_be_a_secret_is_refused() {
        let mut secrets = Secrets::default();
        let mut insert =
            |name, value: &str, host| secrets.insert(name, value.to_owned(), &[host]).unwrap_err();
        assert!(matches!(
            insert("a}b", "x", "example.com"),
            SecretError::Name(_)
        ));
        for value in ["", "x\n", " x", "x\r\nx", "ü"] {
            assert!(matches!(
                insert("A", value, "example.com"),
                SecretError::Value(_)
            ));
        }
        for host in ["http://example.com", "example.com/a", "*.*", "http://*"] {
            assert!(matches!(insert("A", "x", host), SecretError::Host { .. }));
        }
    }
}
