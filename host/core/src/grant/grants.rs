//! Sets of grants that must all agree.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use url::Url;

use super::address::{class, embedded};
use super::denied::Denied;
use super::error::shown;
use super::origin::{Target, is_localhost_url};
use super::{Grant, Label, RecordType, Rule, dns, https};

/// What is allowed: what every one of some sets of grants allows.
///
/// A clone costs a counter. A check of a handful of grants takes tens of nanoseconds, and allocates only to say no.
///
/// ```
/// use homestar_core::grant::{Grant, Grants};
///
/// let operator = Grants::new(vec![Grant::parse("random")?, Grant::parse("clock")?]);
/// let task = Grants::new(vec![Grant::parse("random")?, Grant::parse("oracle")?]);
/// let both = operator.and(&task);
/// assert!(both.random().is_ok() && both.clock().is_err() && both.oracle().is_err());
///
/// assert!(Grants::everything().clock().is_ok() && Grants::none().clock().is_err());
/// # Ok::<(), homestar_core::grant::GrantError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    sets: Arc<[Arc<[Grant]>]>,
}

impl Default for Grants {
    fn default() -> Self {
        Self::none()
    }
}

impl Grants {
    /// Allows nothing. This is the default.
    pub fn none() -> Self {
        Self::new(Vec::new())
    }

    /// Sets no bound: for an operator who leaves it to those who start tasks.
    ///
    /// Addresses that aren't public need a grant that names them even so, and this names none.
    pub fn everything() -> Self {
        Self {
            sets: Arc::default(),
        }
    }

    /// Allows what one of the grants allows.
    pub fn new(grants: Vec<Grant>) -> Self {
        Self {
            sets: [grants.into()].into(),
        }
    }

    /// Allows what both allow.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        let mut sets = self.sets.to_vec();
        for set in &*others.sets {
            if !sets.contains(set) {
                sets.push(set.clone());
            }
        }
        Self { sets: sets.into() }
    }

    /// The same without the grants of some kinds. A set without a bound stays one for the kinds that are kept only if all
    /// are, and else allows nothing.
    pub(super) fn only(&self, keeps: impl Fn(&Rule) -> bool) -> Self {
        let keep = |set: &Arc<[Grant]>| {
            set.iter()
                .filter(|grant| keeps(&grant.0))
                .cloned()
                .collect()
        };
        match self.sets.is_empty() {
            true => Self::none(),
            false => Self {
                sets: self.sets.iter().map(keep).collect(),
            },
        }
    }

    /// True if nothing at all is allowed, because one of the sets has no grants.
    pub fn is_empty(&self) -> bool {
        self.sets.iter().any(|set| set.is_empty())
    }

    /// The sets, for display. None if there is no bound.
    pub fn sets(&self) -> impl Iterator<Item = &[Grant]> {
        self.sets.iter().map(|set| &**set)
    }

    /// Whether a request may be sent. Where its host's name points is for [`address`](Self::address) to judge.
    pub fn https(&self, method: &str, url: &Url) -> Result<(), Denied> {
        let Some(target) = Target::of(url) else {
            let what = format!("`{}` is neither https nor http", shown(url.scheme()));
            return Err(Denied::new(what, None));
        };
        let allows = |rule: &Rule| match rule {
            Rule::Https(rule) => rule.matches(method, &target),
            _ => false,
        };
        self.all(allows, || {
            let what = format!("{} is not granted", request(method, url));
            (what, https::suggest(method, url))
        })
    }

    /// Whether a request that [`https`](Self::https) allows may be sent to an address: the one that its URL has for a
    /// host, or one that its host's name has.
    ///
    /// It takes the whole request, because the grant that opens the address has to be one for the request too.
    pub fn address(&self, method: &str, url: &Url, address: IpAddr) -> Result<(), Denied> {
        let class = class(address);
        if class.is_public() {
            return self.https(method, url);
        }
        let target = Target::of(url);
        let names = |rule: &Rule| match (rule, &target) {
            (Rule::Https(rule), Some(target)) => {
                rule.origin.names(address) && rule.matches(method, target)
            }
            _ => false,
        };
        let is_open = |set: &Arc<[Grant]>| {
            set.iter().any(|grant| names(&grant.0))
                || (is_in_net(set, address)
                    && embedded(address).is_none_or(|inner| is_inner_open(set, inner)))
        };
        if !self.sets.is_empty() && self.sets.iter().all(is_open) {
            return self.https(method, url);
        }
        let host = shown(url.host_str().unwrap_or_default());
        let is_named = url.domain().is_none() || (is_localhost_url(url) && address.is_loopback());
        let grant = if is_named {
            https::suggest(method, url)
        } else {
            Some(format!("net={address}"))
        };
        let what = if url.domain().is_none() {
            format!("{host} is {class}, which is not granted")
        } else {
            format!("{host} is at {address}, {class}, which is not granted")
        };
        Err(Denied::new(what, grant))
    }

    /// Whether the records of one type that a name has may be looked up.
    pub fn dns(&self, name: &str, record_type: RecordType) -> Result<(), Denied> {
        let allows = |rule: &Rule| match rule {
            Rule::Dns(rule) => rule.matches(name, record_type),
            _ => false,
        };
        self.all(allows, || {
            let what = format!("looking up {record_type} of {} is not granted", shown(name));
            (what, dns::suggest(name, record_type))
        })
    }

    /// Whether random numbers may be had from the operating system.
    pub fn random(&self) -> Result<(), Denied> {
        self.plain(&Rule::Random, "randomness", "random")
    }

    /// Whether values that are random and can be verified may be had.
    pub fn oracle(&self) -> Result<(), Denied> {
        self.plain(&Rule::Oracle, "the oracle", "oracle")
    }

    /// Whether the time may be told.
    pub fn clock(&self) -> Result<(), Denied> {
        self.plain(&Rule::Clock, "the clock", "clock")
    }

    /// Whether keys may be made that live as long as the task.
    pub fn crypto(&self) -> Result<(), Denied> {
        self.plain(&Rule::Crypto, "making keys", "crypto")
    }

    /// Whether a kept key may be used, or a key be kept, under a name.
    pub fn crypto_key(&self, name: &str) -> Result<(), Denied> {
        let allows = |rule: &Rule| match rule {
            Rule::CryptoKey(label) => label.matches(name),
            _ => false,
        };
        self.all(allows, || {
            let grant = Label::is_one(name, 64).then(|| format!("crypto={name}"));
            (format!("the key `{}` is not granted", shown(name)), grant)
        })
    }

    /// Whether values may be kept in a bucket.
    pub fn state(&self, bucket: &str) -> Result<(), Denied> {
        let allows = |rule: &Rule| match rule {
            Rule::State(label) => label.matches(bucket),
            _ => false,
        };
        self.all(allows, || {
            let grant = Label::is_one(bucket, 256).then(|| format!("state={bucket}"));
            (
                format!("the bucket `{}` is not granted", shown(bucket)),
                grant,
            )
        })
    }

    fn plain(&self, needed: &Rule, what: &str, grant: &str) -> Result<(), Denied> {
        self.all(
            |rule| rule == needed,
            || (format!("{what} is not granted"), Some(grant.to_owned())),
        )
    }

    /// Whether every set has a grant that allows it; if not, a text and the grant that it takes.
    fn all(
        &self,
        allows: impl Fn(&Rule) -> bool,
        denied: impl FnOnce() -> (String, Option<String>),
    ) -> Result<(), Denied> {
        let is_allowed = |set: &Arc<[Grant]>| set.iter().any(|grant| allows(&grant.0));
        if self.sets.iter().all(is_allowed) {
            return Ok(());
        }
        let (what, grant) = denied();
        Err(Denied::new(what, grant))
    }
}

/// True if the address inside another that is opened is open too.
fn is_inner_open(set: &[Grant], inner: IpAddr) -> bool {
    class(inner).is_public() || is_in_net(set, inner)
}

/// True if a range that is opened has the address.
fn is_in_net(set: &[Grant], address: IpAddr) -> bool {
    let has = |grant: &Grant| matches!(&grant.0, Rule::Net(net) if net.contains(&address));
    set.iter().any(has)
}

/// A request as a person reads it. The query is left out: it may hold what is nobody's business.
fn request(method: &str, url: &Url) -> String {
    let host = shown(url.host_str().unwrap_or_default());
    let port = url.port().map(|port| format!(":{port}"));
    format!(
        "{} {}://{host}{}{}",
        shown(method),
        url.scheme(),
        port.unwrap_or_default(),
        shown(url.path())
    )
}

impl fmt::Display for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sets.is_empty() {
            return f.write_str("everything");
        }
        for (at, set) in self.sets.iter().enumerate() {
            if at > 0 {
                f.write_str(" and ")?;
            }
            let grants: Vec<_> = set.iter().map(|grant| format!("`{grant}`")).collect();
            f.write_str(if grants.is_empty() { "nothing" } else { "" })?;
            f.write_str(&grants.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
