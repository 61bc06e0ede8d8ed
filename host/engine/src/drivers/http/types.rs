//! The types of `homestar:driver/http`, as guests see them and as a trace holds them.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use wasmtime::component::{ComponentType, Lift, Lower};

use crate::drivers::octets;

/// A request: `http.request`.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize,
)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct Request {
    /// Method, such as `GET`.
    pub method: String,
    /// Absolute URL with the scheme `https` or `http`. A fragment is not sent.
    pub url: String,
    /// Names and values, in order. A value's characters are bytes (ISO 8859-1).
    pub headers: Vec<(String, String)>,
    /// Body; empty for none.
    #[serde(with = "octets")]
    pub body: Vec<u8>,
    /// Time to connect within, in milliseconds.
    #[component(name = "connect-timeout-ms")]
    pub connect_timeout_ms: Option<u32>,
    /// Time for the head of the response, and for each piece of its body, in milliseconds.
    #[component(name = "timeout-ms")]
    pub timeout_ms: Option<u32>,
}

/// The head of a response: `http.response`.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(record)]
#[serde(rename_all = "kebab-case")]
pub struct Head {
    /// Status code.
    pub status: u16,
    /// Names in lower case and values, in order.
    pub headers: Vec<(String, String)>,
    /// Number of the body, given by who keeps it.
    pub body: u32,
}

/// Why there is no response, or no more of it: `http.error`.
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
    /// The request isn't one.
    #[component(name = "invalid")]
    #[error("not a request: {0}")]
    Invalid(String),
    /// The host's name has no address.
    #[component(name = "name")]
    #[error("no address: {0}")]
    Name(String),
    /// No connection, or it broke.
    #[component(name = "connection")]
    #[error("no connection: {0}")]
    Connection(String),
    /// TLS failed.
    #[component(name = "tls")]
    #[error("no trust: {0}")]
    Tls(String),
    /// It took too long.
    #[component(name = "timeout")]
    #[error("it took too long")]
    Timeout,
    /// The server doesn't speak HTTP.
    #[component(name = "protocol")]
    #[error("not HTTP: {0}")]
    Protocol(String),
    /// There is no such body.
    #[component(name = "closed")]
    #[error("the body is closed")]
    Closed,
}
