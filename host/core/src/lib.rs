//! Values and rules.

pub mod ipld;
pub mod json;
pub mod task;

#[cfg(test)]
mod testing;
