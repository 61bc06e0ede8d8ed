//! What a task is allowed to reach of the outside, and what an operator lets any task reach.
//!
//! A [`Grant`] opens one thing. Nothing is open without one. [`Grants`] are sets of them that must all agree: what
//! the operator allows, what the task was given, what the effect asked for.
//!
//! ```
//! use homestar_core::grant::{Grant, Grants};
//! use url::Url;
//!
//! let grants = Grants::new(vec![Grant::parse("https=GET,HEAD api.example.com/v1/*")?]);
//! assert!(grants.https("GET", &Url::parse("https://api.example.com/v1/users")?).is_ok());
//!
//! let denied = grants.https("POST", &Url::parse("https://api.example.com/v1/users")?).unwrap_err();
//! assert_eq!(
//!     denied.to_string(),
//!     "POST https://api.example.com/v1/users is not granted; \
//!      it takes `--allow 'https=POST api.example.com/v1/users'`"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Grammar
//!
//! ```text
//! https=[METHOD[,METHOD..] ][https://|http://]HOST[:PORT|:*][/PATH|/PATH/*]
//! dns=[TYPE[,TYPE..] ]NAME
//! net=CIDR
//! random | oracle | clock
//! crypto | crypto=KEY | crypto=*
//! state=BUCKET | state=*
//! ```
//!
//! - `METHOD`: a method as it is sent; case counts. Without methods, any.
//! - `http://`: plain HTTP. Without a scheme, HTTPS.
//! - `HOST`: a name (`api.example.com`), all names beneath one (`*.example.com`, at any depth, but not
//!   `example.com`), any name or public address (`*`), or an address (`192.0.2.1`, `[2001:db8::1]`). Case doesn't
//!   count, nor a dot at the end; names in other scripts are compared as IDNA writes them.
//! - `PORT`: a number, or `*` for any. Without it, the scheme's own.
//! - `/PATH`: that path and no other, with any query. `/PATH/*`: all beneath `/PATH/`. Without either, any path.
//!   A path that servers may read in two ways, such as one with an encoded slash, is beneath nothing.
//! - `TYPE`: a type of records, such as `A` or `TXT`. Without types, any.
//! - `NAME`: a name, all names beneath one, or any, as for `HOST`.
//! - `CIDR`: a range of addresses (`10.0.0.0/8`), or one address.
//! - `KEY`: the name of a kept key. `crypto` alone is for keys that live as long as the task.
//! - `BUCKET`: a place for values that stay.
//!
//! # Addresses
//!
//! A name may point anywhere, and who owns a name doesn't own the network that this machine stands in. So addresses
//! that aren't public ([`address`]) are closed whatever the names allow, until a rule names them: by the address
//! itself as `HOST`, by `net=` around it, and loopback by `localhost` as `HOST`.

pub mod address;
mod covers;
mod denied;
mod dns;
mod error;
mod grants;
mod https;
mod name;
mod origin;
mod path;
mod permit;
mod redact;
mod secret;

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use self::denied::Denied;
pub use self::dns::RecordType;
pub use self::error::GrantError;
pub use self::grants::Grants;
pub use self::permit::{Asking, Permit};
pub use self::redact::Redactor;
pub use self::secret::{Placeholders, SecretError, Secrets};

use self::dns::DnsRule;
use self::error::Wrong;
use self::https::HttpsRule;

/// One thing that is allowed. The [module](self) tells how it is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Grant(Rule);

/// What a grant opens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Rule {
    Https(HttpsRule),
    Dns(DnsRule),
    Net(IpNet),
    Random,
    Oracle,
    Clock,
    Crypto,
    CryptoKey(Label),
    State(Label),
}

impl Grant {
    /// Reads a grant, such as `https=GET api.example.com`.
    pub fn parse(text: &str) -> Result<Self, GrantError> {
        match rule(text) {
            Ok(rule) => Ok(Self(rule)),
            Err(wrong) => Err(GrantError::new(text, wrong)),
        }
    }
}

fn rule(text: &str) -> Result<Rule, Wrong> {
    let (kind, rest) = match text.split_once('=') {
        Some((kind, rest)) => (kind, Some(rest)),
        None => (text, None),
    };
    let needed = |example| rest.ok_or(Wrong::Incomplete(example));
    let alone = |rule| match rest {
        None => Ok(rule),
        Some(_) => Err(Wrong::TooMuch),
    };
    match kind {
        "https" => Ok(Rule::Https(HttpsRule::parse(needed(error::HTTPS)?)?)),
        "dns" => Ok(Rule::Dns(DnsRule::parse(needed(error::DNS)?)?)),
        "net" => Ok(Rule::Net(net(needed(error::NET)?)?)),
        "random" => alone(Rule::Random),
        "oracle" => alone(Rule::Oracle),
        "clock" => alone(Rule::Clock),
        "crypto" => match rest {
            None => Ok(Rule::Crypto),
            Some(key) => Ok(Rule::CryptoKey(Label::parse(key, 64, error::CRYPTO)?)),
        },
        "state" => {
            let bucket = needed(error::STATE)?;
            Ok(Rule::State(Label::parse(bucket, 256, error::STATE)?))
        }
        _ => Err(Wrong::Kind),
    }
}

/// Reads a range of addresses. One with bits beyond its length is refused: it may mean one address or its network.
fn net(text: &str) -> Result<IpNet, Wrong> {
    if let Ok(address) = text.parse() {
        return Ok(IpNet::from(std::net::IpAddr::V4(address)));
    }
    if let Ok(address) = text.parse() {
        return Ok(IpNet::from(std::net::IpAddr::V6(address)));
    }
    let net: IpNet = text.parse().map_err(|_| Wrong::Net)?;
    if net.trunc() != net {
        return Err(Wrong::NetBits(net));
    }
    Ok(net)
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Rule::Https(rule) => write!(f, "https={rule}"),
            Rule::Dns(rule) => write!(f, "dns={rule}"),
            Rule::Net(net) => write!(f, "net={net}"),
            Rule::Random => f.write_str("random"),
            Rule::Oracle => f.write_str("oracle"),
            Rule::Clock => f.write_str("clock"),
            Rule::Crypto => f.write_str("crypto"),
            Rule::CryptoKey(key) => write!(f, "crypto={key}"),
            Rule::State(bucket) => write!(f, "state={bucket}"),
        }
    }
}

impl FromStr for Grant {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Grant {
    type Error = GrantError;

    fn try_from(text: String) -> Result<Self, GrantError> {
        Self::parse(&text)
    }
}

impl From<Grant> for String {
    fn from(grant: Grant) -> Self {
        grant.to_string()
    }
}

/// The name of a key or of a bucket, or any.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Label {
    Any,
    Exact(Box<str>),
}

impl Label {
    fn parse(text: &str, bytes_max: usize, example: &'static str) -> Result<Self, Wrong> {
        match text {
            "*" => Ok(Self::Any),
            _ if Self::is_one(text, bytes_max) => Ok(Self::Exact(text.into())),
            _ => Err(Wrong::Label(bytes_max, example)),
        }
    }

    /// True if the text may name a key or a bucket: letters, digits, `-`, `_` and `.`.
    fn is_one(text: &str, bytes_max: usize) -> bool {
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !text.is_empty() && text.len() <= bytes_max && text.bytes().all(is_fine)
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(label) => **label == *name,
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(label) => f.write_str(label),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_reads_as_it_was_written() {
        for text in [
            "https=*",
            "https=*:*",
            "https=api.example.com",
            "https=GET,HEAD api.example.com:8443/v1/*",
            "https=POST http://192.0.2.1:*/hook",
            "https=[2001:db8::1]:444/",
            "https=http://*.example.com/*",
            "dns=*",
            "dns=TXT,MX *.example.com",
            "dns=_dmarc.example.com",
            "net=10.0.0.0/8",
            "net=fd00::/8",
            "random",
            "oracle",
            "clock",
            "crypto",
            "crypto=*",
            "crypto=signing-2026",
            "state=*",
            "state=visits.daily",
        ] {
            assert_eq!(Grant::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_written_in_two_ways_is_shown_in_one() {
        for (text, shown) in [
            ("https=HTTPS://API.Example.COM.", "https=api.example.com"),
            ("https=api.example.com:443", "https=api.example.com"),
            ("https=http://example.com:80", "https=http://example.com"),
            ("https=GET,GET example.com", "https=GET example.com"),
            ("https=bücher.example", "https=xn--bcher-kva.example"),
            ("https=2130706433", "https=127.0.0.1"),
            ("https=0x7f.1", "https=127.0.0.1"),
            ("https=[0:0::1]", "https=[::1]"),
            ("https=example.com/a/../b/*", "https=example.com/b/*"),
            ("dns=txt Example.com.", "dns=TXT example.com"),
            ("net=10.0.0.1", "net=10.0.0.1/32"),
            ("net=::1", "net=::1/128"),
        ] {
            assert_eq!(Grant::parse(text).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_grant_is_named_with_an_example() {
        for (text, message) in [
            (
                "htps=example.com",
                "`htps=example.com` is no grant: there are https, dns, net, random, oracle, clock, crypto and \
                 state; for example `https=GET api.example.com`",
            ),
            (
                "https",
                "`https` is no grant: it doesn't say what it opens; for example `https=GET api.example.com`",
            ),
            (
                "clock=now",
                "`clock=now` is no grant: nothing follows its kind; for example `clock`",
            ),
            (
                "https=user@example.com",
                "`https=user@example.com` is no grant: a user has no place in it; for example \
                 `https=GET api.example.com`",
            ),
            (
                "https=api.*.com",
                "`https=api.*.com` is no grant: `api.*.com` is no name: a star stands alone or for all that is \
                 beneath a name; for example `https=*.example.com`",
            ),
            (
                "https=example.com:99999",
                "`https=example.com:99999` is no grant: `99999` is no port; for example \
                 `https=api.example.com:8443`",
            ),
            (
                "https=example.com/v1*",
                "`https=example.com/v1*` is no grant: a star stands for whole parts of a path; for example \
                 `https=api.example.com/v1/*`",
            ),
            (
                "net=10.0.0.1/8",
                "`net=10.0.0.1/8` is no grant: the address has bits beyond the range; for example \
                 `net=10.0.0.0/8`",
            ),
            (
                "dns=AXFR example.com",
                "`dns=AXFR example.com` is no grant: `AXFR` is no type of records: there are A, AAAA, CAA, CNAME, \
                 MX, NS, PTR, SRV and TXT; for example `dns=TXT example.com`",
            ),
            (
                "state=a b",
                "`state=a b` is no grant: a name has 1 to 256 letters, digits, `-`, `_` and `.`; for example \
                 `state=visits`",
            ),
        ] {
            assert_eq!(Grant::parse(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn bad_patterns_are_refused() {
        for text in [
            "",
            "https=",
            "https= example.com",
            "https=GET  example.com",
            "https=GET, example.com",
            "https=GE T example.com",
            "https=G(T example.com",
            "https=ftp://example.com",
            "https=//example.com",
            "https=example.com:",
            "https=example.com:0",
            "https=example.com:+1",
            "https=example.com?q",
            "https=example.com/a?q",
            "https=example.com/a#f",
            "https=example.com/*/a",
            "https=example.com/a%2fb/*",
            "https=example.com/%252e%252e/*",
            "https=*.*.example.com",
            "https=*example.com",
            "https=*.192.0.2.1",
            "https=*.",
            "https=..",
            "https=.example.com",
            "https=2001:db8::1",
            "https=[2001:db8::1",
            "https=1.2.3.4.5",
            "https=exa\nmple.com",
            "https=example.com/a\tb",
            "dns=",
            "dns=192.0.2.1",
            "dns=A,,AAAA example.com",
            "dns=a..b",
            "net=example.com",
            "net=10.0.0.0/33",
            "random=1",
            "crypto=",
            "crypto=a/b",
            "state=",
        ] {
            assert!(Grant::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_grant_is_text_in_files() {
        let grant: Grant = serde_json::from_str(r#""https=GET example.com""#).unwrap();
        assert_eq!(
            serde_json::to_string(&grant).unwrap(),
            r#""https=GET example.com""#
        );
        let error = serde_json::from_str::<Grant>(r#""no""#).unwrap_err();
        assert!(error.to_string().contains("`no` is no grant"), "{error}");
    }
}
