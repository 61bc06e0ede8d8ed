//! The commands, a file each.

pub(crate) mod bind;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod content;
pub(crate) mod effect;
pub(crate) mod inspect;
pub(crate) mod key;
pub(crate) mod node;
pub(crate) mod project;
pub(crate) mod receipt;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod ucan;
pub(crate) mod workflow;

mod data;
mod limits;
mod load;
mod proof;
mod storage;
mod wiring;
