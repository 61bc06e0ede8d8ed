#![doc = include_str!("../README.md")]

pub use homestar_sdk_macros::tasks;

/// What the macro writes refers to this.
#[doc(hidden)]
#[cfg(target_family = "wasm")]
pub mod private {
    pub use wit_bindgen;
}
