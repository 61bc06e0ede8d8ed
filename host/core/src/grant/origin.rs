//! Where a request goes: scheme, host and port, and patterns of them.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use super::covers::is_any_address;
use super::error::Wrong;
use super::name::{NamePattern, is_localhost};

/// A pattern of origins: `api.example.com`, `http://*.example.com:8080`, `[2001:db8::1]:*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    scheme: Scheme,
    host: HostPattern,
    /// Any, if there is none.
    port: Option<u16>,
}

/// What of a URL is compared, taken apart once for all patterns.
#[derive(Debug)]
pub(super) struct Target<'a> {
    scheme: Scheme,
    host: Host<&'a str>,
    port: u16,
    pub(super) path: &'a str,
}

impl<'a> Target<'a> {
    /// None if the URL is neither for HTTPS nor for HTTP.
    pub(super) fn of(url: &'a Url) -> Option<Self> {
        let scheme = match url.scheme() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            _ => return None,
        };
        Some(Self {
            scheme,
            host: url.host()?,
            port: url.port().unwrap_or(scheme.port()),
            path: url.path(),
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Scheme {
    Https,
    Http,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum HostPattern {
    Name(NamePattern),
    Address(IpAddr),
}

impl Origin {
    /// Reads an origin, and returns it with what follows: nothing, or a text that starts with a slash.
    pub(super) fn parse(text: &str) -> Result<(Self, &str), Wrong> {
        let (scheme, text) = match text.split_once("://") {
            None => (Scheme::Https, text),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
            Some(_) => return Err(Wrong::Host(text.to_owned())),
        };
        let (authority, rest) = text.split_at(text.find('/').unwrap_or(text.len()));
        if authority.contains('@') {
            return Err(Wrong::User);
        }
        if authority.contains(['?', '#']) {
            return Err(Wrong::Query);
        }
        let (host, port) = split_port(authority);
        let origin = Self {
            scheme,
            host: HostPattern::parse(host)?,
            port: match port {
                None => Some(scheme.port()),
                Some("*") => None,
                Some(port) => Some(parse_port(port)?),
            },
        };
        Ok((origin, rest))
    }

    /// True if that is an origin that is meant.
    pub(super) fn matches(&self, target: &Target<'_>) -> bool {
        target.scheme == self.scheme
            && self.port.is_none_or(|port| port == target.port)
            && self.host.matches(&target.host)
    }

    /// True if the pattern names an address that isn't public, for a URL that it matches: the address itself, or
    /// `localhost`.
    pub(super) fn names(&self, address: IpAddr) -> bool {
        match &self.host {
            HostPattern::Address(named) => *named == address,
            HostPattern::Name(name) => name.is_localhost() && address.is_loopback(),
        }
    }

    /// True if every origin that the other means is meant.
    pub(super) fn covers(&self, inner: &Self) -> bool {
        let hosts = match (&self.host, &inner.host) {
            (HostPattern::Name(outer), HostPattern::Name(inner)) => outer.covers(inner),
            (HostPattern::Name(outer), HostPattern::Address(address)) => {
                *outer == NamePattern::Any && is_any_address(*address)
            }
            (HostPattern::Address(outer), HostPattern::Address(inner)) => outer == inner,
            (HostPattern::Address(_), HostPattern::Name(_)) => false,
        };
        let ports = self.port.is_none() || self.port == inner.port;
        self.scheme == inner.scheme && ports && hosts
    }

    /// True if requests are sent in the clear.
    pub(super) fn is_plain(&self) -> bool {
        self.scheme == Scheme::Http
    }

    /// True if all that is meant is on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        match &self.host {
            HostPattern::Address(address) => address.is_loopback(),
            HostPattern::Name(name) => name.is_localhost(),
        }
    }
}

impl Scheme {
    fn port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 80,
        }
    }
}

impl HostPattern {
    fn parse(text: &str) -> Result<Self, Wrong> {
        match Host::parse(text) {
            Ok(Host::Ipv4(address)) => Ok(Self::Address(address.into())),
            Ok(Host::Ipv6(address)) => Ok(Self::Address(address.into())),
            // A star is a character like others there, and a bad address may be a pattern of names.
            Ok(Host::Domain(_)) | Err(_) => {
                NamePattern::parse(text)
                    .map(Self::Name)
                    .map_err(|wrong| match wrong {
                        Wrong::Name(text) => Wrong::Host(text),
                        wrong => wrong,
                    })
            }
        }
    }

    fn matches(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (Self::Name(pattern), Host::Domain(name)) => pattern.matches(name),
            (Self::Name(pattern), Host::Ipv4(_) | Host::Ipv6(_)) => *pattern == NamePattern::Any,
            (Self::Address(address), Host::Ipv4(host)) => address == host,
            (Self::Address(address), Host::Ipv6(host)) => address == host,
            (Self::Address(_), Host::Domain(_)) => false,
        }
    }
}

/// Takes the port off an authority. Colons in brackets are those of an address.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn parse_port(text: &str) -> Result<u16, Wrong> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if is_number && port != 0 => Ok(port),
        _ => Err(Wrong::Port(text.to_owned())),
    }
}

/// The origin of a URL, as a pattern that matches no other. None if it isn't one that can be granted.
pub(super) fn exactly(url: &Url) -> Option<String> {
    let scheme = match url.scheme() {
        "https" => "",
        "http" => "http://",
        _ => return None,
    };
    let host = url.host_str()?;
    let port = url.port().map(|port| format!(":{port}"));
    Some(format!("{scheme}{host}{}", port.unwrap_or_default()))
}

/// True if the URL's host is the name `localhost`, or one beneath it.
pub(super) fn is_localhost_url(url: &Url) -> bool {
    url.domain().is_some_and(is_localhost)
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scheme == Scheme::Http {
            f.write_str("http://")?;
        }
        match &self.host {
            HostPattern::Name(name) => name.fmt(f)?,
            HostPattern::Address(IpAddr::V4(address)) => address.fmt(f)?,
            HostPattern::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
        }
        match self.port {
            None => f.write_str(":*"),
            Some(port) if port == self.scheme.port() => Ok(()),
            Some(port) => write!(f, ":{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_schemes_are_no_target() {
        for url in [
            "ftp://example.com/",
            "file:///etc/passwd",
            "data:,x",
            "ws://example.com/",
        ] {
            assert!(Target::of(&Url::parse(url).unwrap()).is_none(), "{url}");
        }
    }

    #[test]
    fn scheme_host_and_port_are_compared() {
        for (pattern, url, is_meant) in [
            ("example.com", "https://example.com/", true),
            ("example.com", "https://EXAMPLE.com.:443/", true),
            ("example.com", "https://example.com:444/", false),
            ("example.com", "http://example.com/", false),
            ("example.com", "http://example.com:443/", false),
            ("http://example.com", "http://example.com/", true),
            ("http://example.com", "https://example.com:80/", false),
            ("example.com:*", "https://example.com:444/", true),
            ("example.com", "https://example.com@evil.org/", false),
            ("example.com", "https://example.com.evil.org/", false),
            ("127.0.0.1", "https://127.1/", true),
            ("127.0.0.1", "https://0x7f000001/", true),
            ("127.0.0.1", "https://127.0.0.1./", true),
            ("127.0.0.1", "https://[::ffff:127.0.0.1]/", false),
            ("[::1]", "https://[0:0:0:0:0:0:0:1]/", true),
            ("*", "https://192.0.2.1/", true),
            ("*.example.com", "https://192.0.2.1/", false),
            ("bücher.example", "https://xn--bcher-kva.example/", true),
        ] {
            let url = Url::parse(url).unwrap();
            let (origin, rest) = Origin::parse(pattern).unwrap();
            assert_eq!(
                (origin.matches(&Target::of(&url).unwrap()), rest),
                (is_meant, ""),
                "{pattern} {url}"
            );
        }
    }
}
