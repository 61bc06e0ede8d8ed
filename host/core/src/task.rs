//! What is to be computed: [`Instruction`], and under which [`Limits`].
//!
//! An instruction's CID is the memo key, so it holds what decides the answer and nothing else. How much
//! the computation may use is a matter between the asker and the machine: it stands beside.
//!
//! ```
//! use homestar_core::ipld::{Ipld, cid_of_raw};
//! use homestar_core::task::{Input, Instruction, Nonce};
//!
//! let component = cid_of_raw(b"\0asm");
//! let args = vec![Ipld::Integer(1), Ipld::Integer(2)];
//! let add = Instruction::new(component, Input::new("add", args), Nonce::EMPTY)?;
//! let same = Instruction::decode(add.block().bytes())?;
//! assert_eq!(add.link(), same.link());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod input;
mod instruction;
mod limits;
mod nonce;
mod request;
mod resource;

pub use self::input::Input;
pub use self::instruction::{Instruction, InstructionError, WASM_RUN};
pub use self::limits::Limits;
pub use self::nonce::{Nonce, NonceError};
pub use self::request::{MAX_CHAINS, RUN, RequestLimits, RunRequest, RunRequestError};
pub use self::resource::{Resource, ResourceError, Url};
