//! What one part of a task may do now: by its grants, and by the leave of whoever asked for the task.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use url::Url;

use super::denied::Denied;
use super::error::shown;
use super::{Grants, RecordType, Rule};
use crate::ipld::{Cid, Ipld};
use crate::ucan::{Command, Leave};

/// Decides about each call of a driver.
///
/// Grants are the operator's, and open a door. Who is no operator shows delegations too ([`Leave`]), and for each call
/// both have to agree: the call is a command, such as `/https/get`, with arguments, such as its host, and the delegations
/// cover it or they don't. `docs/ucan.md` lists commands and arguments.
///
/// ```
/// use homestar_core::grant::{Asking, Grant, Grants, Permit};
/// use homestar_core::ipld::cid_of_raw;
/// use homestar_core::ucan::Leave;
/// use std::sync::Arc;
///
/// let grants = Grants::new(vec![Grant::parse("random")?]);
/// assert!(Permit::from(grants.clone()).random(32).is_ok());
///
/// let asking = Asking { component: cid_of_raw(b""), calls: 1, bytes: 0, now: 1_800_000_000 };
/// let nothing = Arc::new(Leave::default());
/// let denied = Permit::with_leave(grants, nothing, asking).random(32).unwrap_err();
/// assert_eq!(
///     denied.to_string(),
///     "/random/bytes is not granted by who asked for the task: no delegation that was shown covers it"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Permit {
    grants: Grants,
    leave: Option<(Arc<Leave>, Asking)>,
}

/// Who asks, when, and what was asked before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asking {
    /// The component that asks: the guest or an effect.
    pub component: Cid,
    /// Which of the task's calls it is, counted from 1.
    pub calls: u64,
    /// Bytes that the task's calls have moved before.
    pub bytes: u64,
    /// The time, in seconds since 1970.
    pub now: i64,
}

impl From<Grants> for Permit {
    /// For a task of the operator's own.
    fn from(grants: Grants) -> Self {
        Self {
            grants,
            leave: None,
        }
    }
}

impl Permit {
    /// For a task of somebody else's.
    pub fn with_leave(grants: Grants, leave: Arc<Leave>, asking: Asking) -> Self {
        Self {
            grants,
            leave: Some((leave, asking)),
        }
    }

    /// The grants.
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// Whether a request may be sent. `/https/get`, or another method in lower case; `/http/…` for one in plain text.
    pub fn https(&self, method: &str, url: &Url) -> Result<(), Denied> {
        self.grants.https(method, url)?;
        let command = || format!("/{}/{}", url.scheme(), method.to_lowercase());
        self.allows(command, || {
            vec![
                ("host", text(url.host_str().unwrap_or_default())),
                ("method", text(method)),
                ("path", text(url.path())),
                (
                    "port",
                    url.port_or_known_default()
                        .map_or(Ipld::Null, |port| number(port.into())),
                ),
                ("query", url.query().map_or(Ipld::Null, text)),
                ("url", text(url.as_str())),
            ]
        })
    }

    /// Whether a request that [`https`](Self::https) allows may be sent to an address.
    ///
    /// This is for grants alone: where a name points is a matter of the machine that a task runs on.
    pub fn address(&self, method: &str, url: &Url, address: IpAddr) -> Result<(), Denied> {
        self.grants.address(method, url, address)
    }

    /// Whether a secret of the operator's may be sent with a request: `/secret/use`.
    pub fn secret(&self, name: &str, url: &Url) -> Result<(), Denied> {
        self.allows(
            || "/secret/use".to_owned(),
            || {
                vec![
                    ("host", text(url.host_str().unwrap_or_default())),
                    ("name", text(name)),
                    ("path", text(url.path())),
                ]
            },
        )
    }

    /// Whether the records of one type that a name has may be looked up: `/dns/resolve`.
    pub fn dns(&self, name: &str, record_type: RecordType) -> Result<(), Denied> {
        self.grants.dns(name, record_type)?;
        self.allows(
            || "/dns/resolve".to_owned(),
            || {
                vec![
                    ("name", text(name)),
                    ("type", text(&record_type.to_string())),
                ]
            },
        )
    }

    /// Whether so many random bytes may be had from the operating system: `/random/bytes`.
    pub fn random(&self, length: u64) -> Result<(), Denied> {
        self.grants.random()?;
        self.allows(
            || "/random/bytes".to_owned(),
            || vec![("length", number(length))],
        )
    }

    /// Whether a random value may be had that can be verified: `/random/oracle`.
    pub fn oracle(&self, input: &[u8]) -> Result<(), Denied> {
        self.grants.oracle()?;
        self.allows(
            || "/random/oracle".to_owned(),
            || vec![("input", Ipld::Bytes(input.to_vec()))],
        )
    }

    /// Whether the time may be told: `/clock/now` or `/clock/monotonic`; or waited for: `/clock/sleep`.
    pub fn clock(&self, function: &str) -> Result<(), Denied> {
        self.grants.clock()?;
        self.allows(|| format!("/clock/{function}"), Vec::new)
    }

    /// Whether something may be done with keys that live as long as the task, or with public ones: `/crypto/generate`.
    pub fn crypto(&self, function: &str, algorithm: Option<&str>) -> Result<(), Denied> {
        self.grants.crypto()?;
        self.crypto_use(function, None, algorithm)
    }

    /// Whether a kept key may be opened, or a key be kept, under a name: `/crypto/open` and `/crypto/keep`.
    pub fn crypto_key(&self, function: &str, name: &str) -> Result<(), Denied> {
        self.grants.crypto_key(name)?;
        self.crypto_use(function, Some(name), None)
    }

    /// Whether something may be done with a key that is open: `/crypto/sign`. Grants were asked when it was opened.
    pub fn crypto_use(
        &self,
        function: &str,
        key: Option<&str>,
        algorithm: Option<&str>,
    ) -> Result<(), Denied> {
        self.allows(
            || format!("/crypto/{function}"),
            || {
                vec![
                    ("algorithm", algorithm.map_or(Ipld::Null, text)),
                    ("key", key.map_or(Ipld::Null, text)),
                ]
            },
        )
    }

    /// Whether something may be done with a bucket of values: `/state/get`. `size` is that of a value that is kept.
    pub fn state(
        &self,
        function: &str,
        bucket: &str,
        key: Option<&str>,
        size: Option<usize>,
    ) -> Result<(), Denied> {
        self.grants.state(bucket)?;
        self.allows(
            || format!("/state/{function}"),
            || {
                vec![
                    ("bucket", text(bucket)),
                    ("key", key.map_or(Ipld::Null, text)),
                    ("size", size.map_or(Ipld::Null, |size| number(size as u64))),
                ]
            },
        )
    }

    /// Whether content may be written, of which a task has written `stored` bytes with it: `/blocks/put`.
    pub fn put(&self, stored: u64) -> Result<(), Denied> {
        self.allows(
            || "/blocks/put".to_owned(),
            || vec![("stored", number(stored))],
        )
    }

    fn allows(
        &self,
        command: impl FnOnce() -> String,
        arguments: impl FnOnce() -> Vec<(&'static str, Ipld)>,
    ) -> Result<(), Denied> {
        let Some((leave, asking)) = &self.leave else {
            return Ok(());
        };
        let command = command();
        let denied = |why: &dyn std::fmt::Display| {
            let what = format!(
                "{} is not granted by who asked for the task: {why}",
                shown(&command)
            );
            Denied::new(what, None)
        };
        let read: Command = command.parse().map_err(|error| denied(&error))?;
        let mut all: BTreeMap<_, _> = arguments()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        all.insert("bytes".to_owned(), number(asking.bytes));
        all.insert("calls".to_owned(), number(asking.calls));
        all.insert("component".to_owned(), Ipld::Link(asking.component));
        let allowed = leave.allows(&read, &all, asking.now);
        allowed.map_err(|error| denied(&error))
    }
}

fn text(text: &str) -> Ipld {
    Ipld::String(text.to_owned())
}

fn number(number: u64) -> Ipld {
    Ipld::Integer(number.into())
}

impl Grants {
    /// The grants of kinds of which a leave may allow anything. So a task has no door that stays closed for all it asks,
    /// and is as pure as its leave lets it be.
    #[must_use]
    pub fn within(&self, leave: &Leave) -> Self {
        let touches = |commands: &[&str]| {
            let commands = commands.iter().map(|command| command.parse());
            commands
                .flatten()
                .any(|command: Command| leave.touches(&command))
        };
        self.only(|rule| {
            touches(match rule {
                Rule::Https(_) | Rule::Net(_) => &["/https", "/http"],
                Rule::Dns(_) => &["/dns/resolve"],
                Rule::Random => &["/random/bytes"],
                Rule::Oracle => &["/random/oracle"],
                Rule::Clock => &["/clock"],
                Rule::Crypto | Rule::CryptoKey(_) => &["/crypto"],
                Rule::State(_) => &["/state"],
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::Grant;
    use crate::ipld::cid_of_raw;
    use crate::testing::{NOW, proven};

    fn grants() -> Grants {
        let texts = [
            "https=*",
            "https=http://*",
            "dns=*",
            "random",
            "oracle",
            "clock",
            "crypto",
            "crypto=*",
            "state=*",
        ];
        let grants = texts.map(|text| Grant::parse(text).expect(text));
        Grants::new(grants.to_vec())
    }

    fn permit(command: &str, policy: &str) -> Permit {
        let leave = Leave::new(vec![proven(command, policy, None)], 60);
        let asking = Asking {
            component: cid_of_raw(b"guest"),
            calls: 3,
            bytes: 70,
            now: NOW,
        };
        Permit::with_leave(grants(), Arc::new(leave), asking)
    }

    type Check = fn(&Permit) -> Result<(), Denied>;

    const CHECKS: [(&str, Check, &str, &str); 13] = [
        (
            "/https/get",
            |permit| permit.https("GET", &"https://a.example/x?q=1".parse().expect("a URL")),
            r#".host == "a.example" and .method == "GET" and .path == "/x" and .query == "q=1" and .port == 443
               and .url == "https://a.example/x?q=1""#,
            r#".host == "b.example""#,
        ),
        (
            "/http/m-search",
            |permit| permit.https("M-SEARCH", &"http://a.example/".parse().expect("a URL")),
            ".query == null and .port == 80",
            ".port == 443",
        ),
        (
            "/dns/resolve",
            |permit| permit.dns("a.example", RecordType::Txt),
            r#".name like "*.example" and .type == "TXT""#,
            r#".type == "A""#,
        ),
        (
            "/random/bytes",
            |permit| permit.random(32),
            ".length <= 32",
            ".length < 32",
        ),
        (
            "/random/oracle",
            |permit| permit.oracle(b"x"),
            r#".input == {"/": {"bytes": "eA"}}"#,
            r#".input == "x""#,
        ),
        (
            "/clock/now",
            |permit| permit.clock("now"),
            ".calls == 3",
            ".calls < 3",
        ),
        (
            "/crypto/generate",
            |permit| permit.crypto("generate", Some("ed25519")),
            r#".algorithm == "ed25519" and .key == null"#,
            r#".key == "mine""#,
        ),
        (
            "/crypto/open",
            |permit| permit.crypto_key("open", "mine"),
            r#".key == "mine""#,
            r#".key == "yours""#,
        ),
        (
            "/crypto/sign",
            |permit| permit.crypto_use("sign", Some("mine"), Some("p256")),
            r#".key == "mine" and .algorithm == "p256""#,
            r#".key == null"#,
        ),
        (
            "/state/set",
            |permit| permit.state("set", "b", Some("k"), Some(9)),
            r#".bucket == "b" and .key == "k" and .size < 10"#,
            ".size < 9",
        ),
        (
            "/state/list",
            |permit| permit.state("list", "b", None, None),
            r#".key == null and .size == null"#,
            r#".bucket == "c""#,
        ),
        (
            "/secret/use",
            |permit| permit.secret("TOKEN", &"https://a.example/x".parse().expect("a URL")),
            r#".name == "TOKEN" and .host == "a.example" and .path == "/x""#,
            r#".name == "OTHER""#,
        ),
        (
            "/blocks/put",
            |permit| permit.put(100),
            ".stored <= 100",
            ".bytes > 70",
        ),
    ];

    #[test]
    fn each_call_is_a_command_with_arguments() {
        for (command, check, fits, fails) in CHECKS {
            assert_eq!(check(&permit(command, fits)), Ok(()), "{command}");
            let denied = check(&permit(command, fails))
                .expect_err(command)
                .to_string();
            let words = format!(
                "{command} is not granted by who asked for the task: MatchError: proof 1 of 1: "
            );
            assert!(denied.starts_with(&words), "{denied}");
            let (above, _) = command.rsplit_once('/').expect("two segments");
            assert_eq!(check(&permit(above, "[]")), Ok(()), "{command}");
            for other in [format!("{command}x"), format!("{command}/x")] {
                assert!(check(&permit(&other, "[]")).is_err(), "{other}");
            }
            let guest = format!(r#".component == {{"/": "{}"}}"#, cid_of_raw(b"guest"));
            assert_eq!(check(&permit(command, &guest)), Ok(()));
        }
    }

    #[test]
    fn grants_count_whatever_was_delegated() {
        for (command, check, ..) in CHECKS {
            let mut permit = permit("/", "[]");
            assert_eq!(check(&permit), Ok(()), "{command}");
            permit.grants = Grants::none();
            let needs_none = ["/crypto/sign", "/secret/use", "/blocks/put"].contains(&command);
            assert_eq!(check(&permit).is_ok(), needs_none, "{command}");
        }
    }

    #[test]
    fn without_a_leave_grants_decide() {
        for (command, check, ..) in CHECKS {
            assert_eq!(check(&grants().into()), Ok(()), "{command}");
        }
    }

    #[test]
    fn grants_of_kinds_that_are_never_allowed_go() {
        let within = |command: &str| {
            let leave = Leave::new(vec![proven(command, "[]", None)], 60);
            grants().within(&leave).to_string()
        };
        assert_eq!(within("/https/get"), "`https=*`, `https=http://*`");
        assert_eq!(within("/http"), "`https=*`, `https=http://*`");
        assert_eq!(within("/clock/now"), "`clock`");
        assert_eq!(within("/crypto/sign"), "`crypto`, `crypto=*`");
        assert_eq!(within("/wasm/run"), "nothing");
        assert_eq!(within("/"), grants().to_string());
        let nothing = Leave::default();
        assert_eq!(Grants::everything().within(&nothing), Grants::none());
    }
}
