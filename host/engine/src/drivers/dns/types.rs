//! The types of `homestar:dns`, as guests see them and as a trace holds them.

use hickory_resolver::proto::rr::{self, Name, RData, Record};
use homestar_core::grant;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use wasmtime::component::{ComponentType, Lift, Lower};

use crate::drivers::octets;

macro_rules! record_types {
    ($($variant:ident = $name:literal, $wire:ident;)*) => {
        /// Types of records: `types.record-type`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
        #[component(enum)]
        #[serde(rename_all = "kebab-case")]
        #[repr(u8)]
        #[expect(missing_docs, reason = "they are called so in RFC 1035 and those that follow it")]
        pub enum RecordType {
            $(#[component(name = $name)] $variant,)*
        }

        impl From<RecordType> for grant::RecordType {
            fn from(record_type: RecordType) -> Self {
                match record_type {
                    $(RecordType::$variant => Self::$variant,)*
                }
            }
        }

        impl From<RecordType> for rr::RecordType {
            fn from(record_type: RecordType) -> Self {
                match record_type {
                    $(RecordType::$variant => Self::$wire,)*
                }
            }
        }
    };
}

record_types! {
    A = "a", A;
    Aaaa = "aaaa", AAAA;
    Caa = "caa", CAA;
    Cname = "cname", CNAME;
    Mx = "mx", MX;
    Ns = "ns", NS;
    Ptr = "ptr", PTR;
    Srv = "srv", SRV;
    Txt = "txt", TXT;
}

/// A mail exchange: `types.mx`.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(record)]
pub struct Mx {
    /// Lower is preferred.
    pub preference: u16,
    /// Name of the host.
    pub exchange: String,
}

/// Location of a service: `types.srv`.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(record)]
pub struct Srv {
    /// Lower is tried first.
    pub priority: u16,
    /// Share among those of equal priority.
    pub weight: u16,
    /// Port.
    pub port: u16,
    /// Name of the host.
    pub target: String,
}

/// Who may issue certificates: `types.caa`.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(record)]
pub struct Caa {
    /// Whether one who doesn't know the property must not issue.
    pub critical: bool,
    /// Property, such as `issue`.
    pub tag: String,
    /// Its value.
    #[serde(with = "octets")]
    pub value: Vec<u8>,
}

/// What a record says: `types.data`. Addresses are text (RFC 5952), names end without a dot.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(variant)]
#[serde(rename_all = "kebab-case")]
#[expect(
    missing_docs,
    reason = "they are called so in RFC 1035 and those that follow it"
)]
pub enum Data {
    #[component(name = "a")]
    A(String),
    #[component(name = "aaaa")]
    Aaaa(String),
    #[component(name = "caa")]
    Caa(Caa),
    #[component(name = "cname")]
    Cname(String),
    #[component(name = "mx")]
    Mx(Mx),
    #[component(name = "ns")]
    Ns(String),
    #[component(name = "ptr")]
    Ptr(String),
    #[component(name = "srv")]
    Srv(Srv),
    #[component(name = "txt")]
    Txt(#[serde(with = "octets::lists")] Vec<Vec<u8>>),
}

/// A record: `types.answer`.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(record)]
pub struct Answer {
    /// Whose record it is: where aliases were followed, another name than was asked for.
    pub name: String,
    /// Seconds for which it may be kept.
    pub ttl: u32,
    /// What it says.
    pub data: Data,
}

/// Why there is no answer: `types.error`.
#[derive(
    Clone, Debug, PartialEq, Eq, Error, ComponentType, Lift, Lower, Serialize, Deserialize,
)]
#[component(variant)]
#[serde(rename_all = "kebab-case")]
pub enum Error {
    /// Not granted.
    #[component(name = "denied")]
    #[error("{0}")]
    Denied(String),
    /// The task's budget is used up.
    #[component(name = "budget")]
    #[error("the budget is used up: {0}")]
    Budget(String),
    /// This can't be a name.
    #[component(name = "invalid")]
    #[error("{0}")]
    Invalid(String),
    /// There is no such name.
    #[component(name = "not-found")]
    #[error("there is no such name, or it has no such record")]
    NotFound,
    /// No server answered in time.
    #[component(name = "timeout")]
    #[error("no name server answered in time")]
    Timeout,
    /// Servers answered, but with a failure.
    #[component(name = "failed")]
    #[error("{0}")]
    Failed(String),
}

impl Answer {
    /// The record as an answer, if it is of the type that was asked for.
    pub(in crate::drivers) fn of(record: &Record, wanted: rr::RecordType) -> Option<Self> {
        if record.record_type() != wanted {
            return None;
        }
        Some(Self {
            name: text(&record.name),
            ttl: record.ttl,
            data: Data::of(&record.data)?,
        })
    }
}

impl Data {
    fn of(data: &RData) -> Option<Self> {
        Some(match data {
            RData::A(address) => Self::A(address.0.to_string()),
            RData::AAAA(address) => Self::Aaaa(address.0.to_string()),
            RData::CAA(caa) => Self::Caa(Caa {
                critical: caa.issuer_critical,
                tag: caa.tag.clone(),
                value: caa.value.clone(),
            }),
            RData::CNAME(name) => Self::Cname(text(&name.0)),
            RData::MX(mx) => Self::Mx(Mx {
                preference: mx.preference,
                exchange: text(&mx.exchange),
            }),
            RData::NS(name) => Self::Ns(text(&name.0)),
            RData::PTR(name) => Self::Ptr(text(&name.0)),
            RData::SRV(srv) => Self::Srv(Srv {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: text(&srv.target),
            }),
            RData::TXT(txt) => Self::Txt(txt.txt_data.iter().map(|part| part.to_vec()).collect()),
            _ => return None,
        })
    }
}

/// A name without the dot at its end. That of the root is empty.
fn text(name: &Name) -> String {
    let mut text = name.to_ascii();
    if text.ends_with('.') {
        text.pop();
    }
    text
}
