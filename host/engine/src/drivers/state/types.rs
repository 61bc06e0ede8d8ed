//! The type of `homestar:std/types` that this driver needs, as guests see it and as a trace holds it.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

/// Why not: `homestar:std/types.state-error`.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    thiserror::Error,
    ComponentType,
    Lift,
    Lower,
    Serialize,
    Deserialize,
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
    /// A bucket's or key's name can't be one.
    #[component(name = "invalid")]
    #[error("{0}")]
    Invalid(String),
    /// A value, or the bytes or keys of a bucket, would be more than this.
    #[component(name = "too-large")]
    #[error("too large: {0} is the most")]
    TooLarge(u64),
    /// The host's disk failed, or holds something else.
    #[component(name = "failed")]
    #[error("{0}")]
    Failed(String),
}

impl Error {
    /// The disk failed at `path`. Guests learn the file's name, and not where on the host's disk it lies.
    pub(super) fn disk(path: &Path, error: &io::Error) -> Self {
        Self::Failed(format!("{}: {error}", short(path)))
    }

    /// The file at `path` is not what it must be.
    pub(super) fn foreign(path: &Path) -> Self {
        let path = short(path);
        Self::Failed(format!(
            "{path} is damaged, or no value of this bucket: remove it to go on"
        ))
    }
}

/// The bucket's folder and the file in it.
fn short(path: &Path) -> String {
    let parts = path.components().rev().take(2);
    let mut names: Vec<_> = parts
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    names.reverse();
    names.join("/")
}
