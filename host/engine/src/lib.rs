//! Runs one WebAssembly component: one call, in a world where nothing can differ between two machines, under
//! limits, and says what came of it and what it cost.
//!
//! ```text
//! bytes ─ scan ─ compile ─ cache ─→ Component ─ Stage ─→ Instance ─ call ─→ Done { outcome, fuel, log, … }
//!                                      │                    ↑
//!                        its own types │     world: clock, random, stdio
//!                                      └──── values, in and out of its memory: abi
//! ```
//!
//! This is the only room that knows wasmtime, and the only one with `unsafe` code: in `abi.rs`, where values cross
//! into a guest's memory, and where compiled code is loaded. It never reads a clock for a guest, never opens a
//! connection, and keeps nothing but compiled code.

mod abi;
mod blocks;
mod cache;
mod call;
mod compile;
mod component;
mod compose;
mod config;
mod content;
mod door;
pub mod drivers;
mod effects;
mod end;
mod engine;
mod error;
mod functions;
mod instance;
mod link;
mod meter;
mod outside;
mod parts;
mod ready;
mod scan;
mod session;
mod stop;
mod types;
mod watchdog;
pub mod wit;
mod world;

pub use blocks::{Blocks, BlocksError, MemoryBlocks};
pub use call::{Call, CallError, Done};
pub use compile::{WorkerFailure, compile_worker};
pub use component::{Component, Export, Origin};
pub use config::{Allocation, Compiler, Config};
pub use drivers::{DriverSettings, NodeKey};
pub use effects::{Change, Effect, EffectError, Effects, Live, PinError, Snapshot, What};
pub use end::End;
pub use engine::Engine;
pub use error::{EngineError, LoadError, Missing, Source};
pub use instance::{Answers, Instance, Recording, Setting};
pub use stop::{Stop, Waking};
pub use world::stdio::Listener;

/// The engine's name in receipts. Fuel is compared between equal engines only.
pub const NAME: &str = "wasmtime/48.0.8";

#[cfg(test)]
mod tests {
    #[test]
    fn the_name_has_the_version_that_runs() {
        let workspace = include_str!("../../../Cargo.toml");
        let version = super::NAME.strip_prefix("wasmtime/").unwrap();
        assert!(workspace.contains(&format!("wasmtime = {{ version = \"={version}\"")));
    }
}
