//! Workflows: functions whose calls are tasks.
//!
//! ```no_run
//! # mod image {
//! #     use homestar_sdk::flow::*;
//! #     const COMPONENT: Component = Component::new("image.wasm");
//! #     pub fn crop(image: impl Into<Arg<Content>>, x: impl Into<Arg<u32>>) -> Task<Vec<u8>> {
//! #         COMPONENT.call("crop", [image.into().into_node(), x.into().into_node()])
//! #     }
//! #     pub fn grayscale(image: impl Into<Arg<Content>>) -> Task<Vec<u8>> {
//! #         COMPONENT.call("grayscale", [image.into().into_node()])
//! #     }
//! # }
//! use homestar_sdk::flow::{File, workflow};
//!
//! # fn main() -> Result<(), homestar_sdk::flow::Error> {
//! let portrait = workflow("portrait", || {
//!     let face = image::crop(File::new("cat.png"), 120);
//!     image::grayscale(face)
//! });
//! let run = portrait.run()?;
//! println!("{} bytes", run.result.len());
//! # Ok(())
//! # }
//! ```
//!
//! A call returns at once, and what it returns stands for what the task will give. `homestar bind image.wasm --lang rust` writes
//! the functions of a component as a module.

mod arg;
mod content;
mod error;
mod given;
mod macros;
mod program;
mod task;
mod value;
mod workflow;

pub use self::arg::{Arg, Fits, Node, some};
pub use self::content::{Content, Data, File, Link};
pub use self::error::{Error, Failure};
pub use self::given::Given;
pub use self::program::{Receipt, Run};
pub use self::task::{Any, Catch, Component, Each, Key, Task};
pub use self::value::{Json, Value, fields, kebab};
pub use self::workflow::{Source, Workflow, for_each, workflow};

#[doc(inline)]
pub use crate::{list, record, variant, words};
