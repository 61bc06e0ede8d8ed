//! The doors to the outside: what enters a task that isn't in its instruction comes through here.
//!
//! A driver is plain code. It is told what is granted, does one thing, and answers with a value or an error of the
//! WIT type that guests see (`wit/deps/homestar-driver`). Who asks, what is counted and what is recorded is decided
//! where drivers are linked: see `link` and `door`.

pub mod clock;
pub mod dns;
pub mod entropy;
pub mod http;
pub mod keys;
pub mod resolver;
pub mod state;
pub mod vrf;

mod background;
mod lane;
mod octets;
mod shared;

pub(crate) use lane::Lane;
pub(crate) use shared::Drivers;
pub use shared::{DriverSettings, NodeKey};
