//! Where a file is, and where that may redirect to.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use url::Url;

use crate::client::Redirect;
use crate::place::{is_loopback, is_public};

/// The place of a file: a URL of `https://`. `http://` is taken for this machine only, since on the way anybody could put
/// something else in the place of what is asked for.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DownloadUrl(Url);

impl DownloadUrl {
    /// True for a text that names a file by a URL of this kind or tries to.
    pub fn is_meant(text: &str) -> bool {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        scheme.is_some_and(|scheme| {
            scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http")
        })
    }

    /// The URL.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// The last name of its path, which is none if that ends in a slash or can't be a file's.
    pub fn file_name(&self) -> Option<&str> {
        let name = self.0.path_segments()?.next_back()?;
        (!name.is_empty()).then_some(name)
    }

    /// Judges a redirect to `to`. Anybody's https may be the place where a file is kept; what isn't public may not be
    /// unless it is the place that was named.
    pub(super) fn judge(&self, to: &Url) -> Result<Redirect, &'static str> {
        if !to.username().is_empty() || to.password().is_some() {
            return Err("which names a user");
        }
        let is_own = to.host() == self.0.host()
            && to.port_or_known_default() == self.0.port_or_known_default();
        if is_own && to.scheme() == self.0.scheme() {
            return Ok(Redirect::Own);
        }
        if to.scheme() != "https" {
            return Err("which is not encrypted");
        }
        match to.host().is_some_and(|host| is_public(&host)) {
            true => Ok(Redirect::Public),
            false => Err("an address that isn't public"),
        }
    }
}

impl FromStr for DownloadUrl {
    type Err = DownloadUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = |why: &str| DownloadUrlError::Bad {
            text: text.to_owned(),
            why: why.to_owned(),
        };
        let url = Url::parse(text).map_err(|error| bad(&error.to_string()))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(bad("its scheme should be https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("it names a user"));
        }
        if url.fragment().is_some() {
            return Err(bad("what follows # is not asked for and not checked"));
        }
        match url.scheme() == "https" || is_loopback(&url) {
            true => Ok(Self(url)),
            false => Err(DownloadUrlError::Clear(text.to_owned())),
        }
    }
}

impl fmt::Display for DownloadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl fmt::Debug for DownloadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DownloadUrl({})", self.0)
    }
}

/// Why a text is no place of a file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DownloadUrlError {
    /// It isn't a URL of one.
    #[error("{text:?} names no file: {why}")]
    Bad {
        /// The text.
        text: String,
        /// Why.
        why: String,
    },
    /// It isn't encrypted, and not on this machine.
    #[error("{0:?} is not encrypted; only what is on this machine is taken over http://")]
    Clear(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        for text in [
            "https://example.com/a.wasm",
            "https://example.com:8443/a?b=c",
            "https://10.0.0.1/a",
            "http://127.0.0.1:8080/a",
            "http://[::1]/a",
            "http://localhost/a",
        ] {
            assert!(DownloadUrl::is_meant(text), "{text}");
            assert_eq!(text.parse::<DownloadUrl>().unwrap().to_string(), text);
        }
        for text in [
            "https://",
            "https://user:secret@example.com/a",
            "https://example.com/a#sha256=x",
            "http://example.com/a",
            "http://10.0.0.1/a",
            "http://localhost.example.com/a",
            "ftp://example.com/a",
        ] {
            assert!(text.parse::<DownloadUrl>().is_err(), "{text}");
        }
        for text in ["a.wasm", "ipfs://x", "https:/x", "ftp://example.com/a"] {
            assert!(!DownloadUrl::is_meant(text), "{text}");
        }
    }

    #[test]
    fn a_file_has_the_last_name() {
        let name = |text: &str| {
            let url: DownloadUrl = text.parse().unwrap();
            url.file_name().map(str::to_owned)
        };
        assert_eq!(
            name("https://example.com/a/b.csv?x=/y").as_deref(),
            Some("b.csv")
        );
        assert_eq!(name("https://example.com/a/"), None);
        assert_eq!(name("https://example.com"), None);
    }

    #[test]
    fn redirects_are_judged() {
        let judge = |from: &str, to: &str| {
            let url: DownloadUrl = from.parse().unwrap();
            url.judge(&to.parse().unwrap())
        };
        let from = "https://example.com/a";
        assert_eq!(judge(from, "https://example.com/b"), Ok(Redirect::Own));
        for to in ["https://example.org/b", "https://example.com:444/b"] {
            assert_eq!(judge(from, to), Ok(Redirect::Public), "{to}");
        }
        for to in [
            "http://example.com/a",
            "https://user@example.org/b",
            "https://127.0.0.1/b",
            "https://localhost/b",
            "https://169.254.169.254/latest",
            "https://[::ffff:10.0.0.1]/",
            "file:///etc/passwd",
        ] {
            assert!(judge(from, to).is_err(), "{to}");
        }
        let own = "https://10.0.0.1/a";
        assert_eq!(judge(own, "https://10.0.0.1/b"), Ok(Redirect::Own));
        assert!(judge(own, "https://10.0.0.1:22/").is_err());
        let local = "http://127.0.0.1:8080/a";
        assert_eq!(judge(local, "http://127.0.0.1:8080/b"), Ok(Redirect::Own));
        assert!(judge(local, "http://127.0.0.1:22/").is_err());
        assert!(judge(local, "http://example.com/").is_err());
        assert_eq!(judge(local, "https://example.com/"), Ok(Redirect::Public));
    }
}
