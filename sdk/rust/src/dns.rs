//! Name resolution, by `homestar:dns`.
//!
//! Which names may be looked up is said where the task is run: `homestar run --allow dns=example.com`.

use crate::effect::{cases, error, functions};

cases! {
    /// Types of records.
    RecordType {
        A,
        Aaaa,
        Caa,
        Cname,
        Mx,
        Ns,
        Ptr,
        Srv,
        Txt,
    }
}

/// A mail exchange. Lower is preferred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mx {
    pub preference: u16,
    pub exchange: String,
}

/// Where a service is. Lower is tried first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    pub target: String,
}

/// Who may issue certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caa {
    pub critical: bool,
    pub tag: String,
    pub value: Vec<u8>,
}

/// What a record says. Addresses are text, names end without a dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    A(String),
    Aaaa(String),
    Caa(Caa),
    Cname(String),
    Mx(Mx),
    Ns(String),
    Ptr(String),
    Srv(Srv),
    Txt(Vec<Vec<u8>>),
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whose record it is: where aliases were followed, another name than was asked for.
    pub name: String,
    /// Seconds for which it may be kept.
    pub ttl: u32,
    pub data: Data,
}

error! {
    /// Why there is no answer.
    {
        /// Not granted; the text says what would allow it.
        Denied(text: String) => "{text}",
        /// The task's budget of calls is used up.
        Budget(text: String) => "{text}",
        /// This can't be a name.
        Invalid(text: String) => "{text}",
        /// There is no such name.
        NotFound => "there is no such name",
        /// No server answered in time.
        Timeout => "no server answered in time",
        /// Servers answered, but with a failure.
        Failed(text: String) => "{text}",
    }
}

functions! {
    "dns", crate::bindings::homestar::dns::client {
        /// Looks up the records of one type that a name has. One that has none of it gives an empty list.
        fn lookup(name: &str, ty: RecordType) -> Result<Vec<Answer>, Error>;
        /// Returns the addresses of a host, IPv6 first.
        fn addresses(name: &str) -> Result<Vec<String>, Error>;
        /// Returns the names of an address.
        fn reverse(address: &str) -> Result<Vec<String>, Error>;
    }
}
