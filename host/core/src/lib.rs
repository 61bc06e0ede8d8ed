//! Values and rules of Homestar.
//!
//! What is computed, what came of it, who says so, and who may: all of it as plain data with one encoding
//! and so one name. This crate reads, checks and writes that data. It never opens a file or a socket,
//! never asks for the time or a random number (both are arguments), never waits and never prints, so what
//! it decides it decides the same everywhere. Bytes and texts from outside end in a value or an error.
//!
//! An instruction, its outcome, and the receipt that ties them together:
//!
//! ```
//! use homestar_core::ipld::Ipld;
//! use homestar_core::key::SigningKey;
//! use homestar_core::outcome::Outcome;
//! use homestar_core::receipt::{Body, Meta, Receipt};
//! use homestar_core::task::{Input, Instruction, Nonce};
//! use homestar_core::unixfs::cid_of_file;
//!
//! let component = cid_of_file(b"\0asm");
//! let input = Input::new("add", vec![Ipld::Integer(1), Ipld::Integer(2)]);
//! let instruction = Instruction::new(component, input, Nonce::EMPTY)?;
//!
//! let executor = SigningKey::from_seed(&[7; 32]);
//! let meta = Meta {
//!     component,
//!     func: "add".into(),
//!     effects: vec![],
//!     trace: None,
//!     invocation: None,
//!     fuel: 12,
//!     memory_peak: 65_536,
//!     engine: "example".into(),
//! };
//! let body = Body {
//!     ran: instruction.link(),
//!     outcome: Outcome::Ok(Ipld::Integer(3)),
//!     run: vec![],
//!     meta,
//! };
//! let receipt = Receipt::sign(body, &executor)?;
//!
//! // Elsewhere, from bytes alone: signed by its issuer, and about that instruction.
//! let read = Receipt::decode(receipt.block().bytes())?;
//! assert_eq!(read.issuer(), &executor.did());
//! assert_eq!(read.ran(), &instruction.link());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`ipld`]: CIDs, links, blocks, strict DAG-CBOR
//! - [`json`]: DAG-JSON, for people and programs
//! - [`task`]: instructions and limits
//! - [`outcome`]: how a task ended
//! - [`receipt`]: the signed record of it
//! - [`trace`]: what a task heard from outside
//! - [`evidence`]: a receipt with all it takes to run its task again
//! - [`unixfs`]: files and directories as blocks
//! - [`car`]: many blocks in one file
//! - [`key`]: keys that sign
//! - [`ucan`]: signed tokens
//! - [`grant`]: what a task may reach
//! - [`vrf`]: random values that everybody can check
//! - [`workflow`], [`plan`], [`schedule`]: many tasks, what they need of each other, and what to do next
//! - [`quantity`]: amounts as people type them
//! - [`wit`]: types and values of components, and how IPLD becomes them

pub mod car;
pub mod evidence;
pub mod grant;
pub mod ipld;
pub mod json;
pub mod key;
pub mod market;
pub mod outcome;
pub mod plan;
pub mod quantity;
pub mod receipt;
pub mod schedule;
pub mod task;
pub mod trace;
pub mod ucan;
pub mod unixfs;
pub mod vrf;
pub mod wit;
pub mod workflow;

#[cfg(test)]
mod testing;
