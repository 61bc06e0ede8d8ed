//! Where a gateway is, and where it may redirect to.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use homestar_core::grant::address::class;
use homestar_core::ipld::Cid;
use thiserror::Error;
use url::{Host, Url};

use crate::client::Redirect;
use crate::place::{is_localhost, is_loopback, is_public};

/// What requests to a socket are addressed to.
const LOCAL: &str = "http://localhost/";

/// A gateway: the URL under which it has `ipfs/`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Gateway {
    /// Ends in a slash.
    base: Url,
    /// Where it is listened for in the file system, if it is.
    socket: Option<PathBuf>,
}

impl Gateway {
    /// Reads a URL: `https://example.com`. `http://` is taken for this machine only, since what is asked for is
    /// everybody's to read on the way.
    pub fn parse(text: &str) -> Result<Self, GatewayError> {
        let gateway = Self::parse_clear(text)?;
        match gateway.base.scheme() == "https" || is_loopback(&gateway.base) {
            true => Ok(gateway),
            false => Err(GatewayError::Clear(text.to_owned())),
        }
    }

    /// Reads a URL, which may be one of `http://` on any machine. For networks that are trusted.
    pub fn parse_clear(text: &str) -> Result<Self, GatewayError> {
        let bad = |why: &str| GatewayError::Bad {
            text: text.to_owned(),
            why: why.to_owned(),
        };
        let mut base = Url::parse(text).map_err(|error| bad(&error.to_string()))?;
        if !matches!(base.scheme(), "https" | "http") {
            return Err(bad("its scheme should be https"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(bad("it names a user"));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(bad("it should end with its path"));
        }
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        Ok(Self { base, socket: None })
    }

    /// A node of this machine that listens on a socket. It looks elsewhere for what it doesn't have, so it is given time.
    pub fn local(socket: &Path) -> Self {
        Self {
            base: LOCAL.parse().expect("a URL"),
            socket: Some(socket.to_owned()),
        }
    }

    /// Where a node of this machine listens, if this is one.
    pub(super) fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    /// The URL.
    pub fn url(&self) -> &Url {
        &self.base
    }

    /// What is asked for a CID.
    pub(super) fn request(&self, cid: &Cid, query: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}ipfs/{cid}", self.base.path()));
        url.set_query(Some(query));
        url
    }

    /// Judges a redirect to `to`: it stays at the gateway's own host, or goes to a name under it, as gateways do that
    /// have a name for each CID.
    pub(super) fn judge(&self, to: &Url) -> Result<Redirect, &'static str> {
        if to.scheme() != self.base.scheme() && to.scheme() != "https" {
            return Err("which is not encrypted");
        }
        if !to.username().is_empty() || to.password().is_some() {
            return Err("which names a user");
        }
        let is_own_port = to.port_or_known_default() == self.base.port_or_known_default();
        match (self.base.host(), to.host()) {
            (Some(own), Some(host)) if own == host && is_own_port => Ok(Redirect::Own),
            (Some(own), Some(host)) if own == host => match is_public(&host) {
                true => Ok(Redirect::Public),
                false => Err("another port of its host"),
            },
            (Some(Host::Domain(own)), Some(Host::Domain(host))) if is_under(host, own) => {
                match is_localhost(own) && is_own_port {
                    true => Ok(Redirect::Own),
                    false => Ok(Redirect::Public),
                }
            }
            (_, Some(Host::Ipv4(address))) => Err(elsewhere(address.into())),
            (_, Some(Host::Ipv6(address))) => Err(elsewhere(address.into())),
            _ => Err("another host"),
        }
    }
}

fn elsewhere(address: IpAddr) -> &'static str {
    match class(address).is_public() {
        true => "another host",
        false => "an address that isn't public",
    }
}

fn is_under(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent)
        .is_some_and(|rest| rest.ends_with('.'))
}

impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.socket {
            Some(_) => f.write_str("the node of this machine"),
            None => f.write_str(self.base.as_str()),
        }
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gateway({self})")
    }
}

/// Why a text names no gateway.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// It isn't the URL of one.
    #[error("{text:?} is no gateway: {why}")]
    Bad {
        /// The text.
        text: String,
        /// Why.
        why: String,
    },
    /// It isn't encrypted, and not on this machine.
    #[error(
        "the gateway {0:?} is not encrypted; over http:// a gateway has to be on this machine, unless that is allowed"
    )]
    Clear(String),
}

#[cfg(test)]
mod tests {
    use homestar_core::ipld::cid_of_raw;

    use super::*;

    #[test]
    fn gateways_are_read() {
        for (text, url) in [
            ("https://example.com", "https://example.com/"),
            ("https://example.com/a/b", "https://example.com/a/b/"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/"),
            ("http://[::1]/", "http://[::1]/"),
            ("http://localhost:8080", "http://localhost:8080/"),
        ] {
            assert_eq!(Gateway::parse(text).unwrap().to_string(), url);
        }
        for text in [
            "example.com",
            "ftp://example.com",
            "https://user@example.com",
            "https://example.com/?a",
            "https://example.com/#a",
            "http://example.com",
            "http://10.0.0.1",
            "http://localhost.example.com",
        ] {
            assert!(Gateway::parse(text).is_err(), "{text}");
        }
        assert!(Gateway::parse_clear("http://10.0.0.1").is_ok());
    }

    #[test]
    fn a_request_is_under_the_gateway() {
        let gateway = Gateway::parse("https://example.com/a").unwrap();
        let cid = cid_of_raw(b"hello");
        assert_eq!(
            gateway.request(&cid, "format=raw").as_str(),
            format!("https://example.com/a/ipfs/{cid}?format=raw")
        );
    }

    #[test]
    fn redirects_are_judged() {
        let judge = |base: &str, to: &str| {
            let gateway = Gateway::parse_clear(base).unwrap();
            gateway.judge(&to.parse().unwrap())
        };
        let base = "https://example.com";
        assert_eq!(judge(base, "https://example.com/x"), Ok(Redirect::Own));
        assert_eq!(
            judge(base, "https://bafy.ipfs.example.com/"),
            Ok(Redirect::Public)
        );
        assert_eq!(
            judge(base, "https://example.com:8443/x"),
            Ok(Redirect::Public)
        );
        for to in [
            "http://example.com/x",
            "https://example.org/x",
            "https://badexample.com/x",
            "https://user@example.com/x",
            "https://127.0.0.1/x",
            "https://169.254.169.254/latest",
            "https://[::ffff:127.0.0.1]/",
            "https://localhost/",
        ] {
            assert!(judge(base, to).is_err(), "{to}");
        }
        let local = "http://127.0.0.1:8080";
        assert_eq!(judge(local, "http://127.0.0.1:8080/x"), Ok(Redirect::Own));
        for to in [
            "http://127.0.0.1:22/",
            "http://169.254.169.254/latest",
            "http://127.0.0.2:8080/",
        ] {
            assert!(judge(local, to).is_err(), "{to}");
        }
        let local = "http://localhost:8080";
        assert_eq!(
            judge(local, "http://bafy.ipfs.localhost:8080/"),
            Ok(Redirect::Own)
        );
        assert!(judge(local, "http://localhost:22/").is_err());
        assert_eq!(
            judge("http://10.0.0.1", "http://10.0.0.1:81/"),
            Err("another port of its host")
        );
    }
}
