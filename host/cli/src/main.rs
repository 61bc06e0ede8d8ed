//! The `homestar` command: what a person types, and what they read.
//!
//! ```text
//! words typed ─ cli ─→ commands ─→ engine, core ─→ print ─→ standard output, standard error
//!                          └──────── error: exit code, hints ────────┘
//! ```
//!
//! This room alone knows the terminal, the environment and where a user's files are: `paths` reads the
//! environment, `files` reads and writes, `print` speaks. Nothing else does.

mod authority;
mod cli;
mod commands;
mod error;
mod files;
mod folders;
mod interrupt;
mod keyring;
mod last_words;
mod paths;
mod print;
mod progress;
mod settings;
mod telemetry;

fn main() -> std::process::ExitCode {
    cli::main(std::env::args_os())
}
