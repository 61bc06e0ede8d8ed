//! The homestar command.
fn main() {}
