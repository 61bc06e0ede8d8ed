//! WIT types and values, and their forms in IPLD and in WAVE text.
//!
//! A [`Type`] is what a component says about a parameter or a result; a [`Value`] is what passes
//! through it. Values are positional: the names of fields, cases and flags live in the type alone,
//! so everything here is led by a type.
//!
//! ```text
//!   DAG-CBOR, DAG-JSON ── Ipld ── from_ipld ──→         ←── wave::parse ── what a person types
//!                                               Value
//!                         Ipld ←── into_ipld ──         ──→ wave::print ── what a person reads
//! ```
//!
//! Nothing in this module knows how a component is run. `docs/values.md` is the reference page.
//!
//! ```
//! use homestar_core::wit::{self, Type, Value};
//! use ipld_core::ipld::Ipld;
//!
//! let ty = Type::list(Type::U8);
//! let value = wit::from_ipld(Ipld::Bytes(vec![1, 2, 3]), &ty)?;
//! assert_eq!(value, Value::Bytes(vec![1, 2, 3]));
//! assert_eq!(wit::wave::print(&value, &ty), "[1, 2, 3]");
//!
//! let error = wit::from_ipld(Ipld::Integer(300), &Type::U8).unwrap_err();
//! assert_eq!(error.to_string(), "expected `u8`, found integer 300");
//! # Ok::<(), wit::Mismatch>(())
//! ```

pub(crate) mod brief;
mod function;
mod ipld;
pub(crate) mod mismatch;
mod names;
pub(crate) mod suggest;
mod ty;
mod value;
pub mod wave;

#[cfg(test)]
pub(crate) mod arbitrary;

pub use function::Function;
pub use ipld::{args_from_ipld, from_ipld, into_ipld};
pub use mismatch::{ArgumentError, Mismatch};
pub use names::{Listed, NameError, resolve};
pub use ty::{Case, Field, Type};
pub use value::Value;
