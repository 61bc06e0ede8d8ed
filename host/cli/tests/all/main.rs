//! The command, from outside.
fn main() {}
