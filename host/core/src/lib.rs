//! Values and rules.

pub mod wit;
