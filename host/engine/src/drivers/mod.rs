//! The doors to the outside, as plain code: what is granted, counted and recorded is decided where they are linked.

pub mod clock;
pub mod entropy;
pub mod keys;
pub mod state;
pub mod vrf;
