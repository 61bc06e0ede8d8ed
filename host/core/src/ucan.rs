//! UCAN 1.0: signed statements of who may do what, and of what was done.
//!
//! Laid out as the specification is: [`did`] names a signer, [`varsig`] says how it signed, [`envelope`]
//! holds payload and signature, [`command`] says what about and [`policy`] under which conditions. A
//! [`delegation`] gives leave. An [`invocation`] uses it, or, without an audience and without an end, states a
//! fact. A [receipt](crate::receipt) is the latter, a [`revocation`] the former. [`promise`]s are arguments that
//! aren't known yet, a [`container`] holds many tokens, [`words`] tell them to people. A [`chain`] is found in them.
//!
//! [`verify`](verify()) checks an invocation with all it rests on, and [`replay`] knows what was carried out.
//! Nothing here waits or asks: the time, the tokens and what was revoked are arguments.
//!
//! A signature is checked over the bytes that came, never over a value encoded again. `docs/ucan.md` is the
//! reference page.

pub mod chain;
pub mod command;
pub mod container;
pub mod delegation;
pub mod did;
pub mod envelope;
pub mod invocation;
mod known;
mod leave;
pub mod policy;
pub mod promise;
pub mod replay;
pub mod revocation;
pub mod token;
pub mod varsig;
pub mod verify;
pub mod words;

pub use self::command::Command;
pub use self::container::Container;
pub use self::delegation::Delegation;
pub use self::did::Did;
pub use self::invocation::Invocation;
pub use self::known::Known;
pub use self::leave::{Leave, NoLeave};
pub use self::policy::Policy;
pub use self::replay::{Replay, Seen};
pub use self::revocation::{Revocation, Revocations, Revoked};
pub use self::verify::{Authority, Request, verify};
