//! `homestar ucan`

mod keep;
mod make;
mod pack;
mod read;
mod revoke;
mod tokens;

use clap::{Args, Subcommand};

use crate::error::CommandError;

/// Give leave by signed tokens, use it, take it back, and check what others give: UCAN 1.0
///
/// A delegation lets somebody do something with what is somebody's; an invocation asks for it; a revocation takes a
/// delegation back. Tokens travel in containers, which are files or texts. Delegations that you make and revocations are
/// kept in the store, and so are those of others that you add. `homestar run --ucan` runs what an invocation asks for.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Delegate(make::Delegate),
    Invoke(make::Invoke),
    Inspect(read::Inspect),
    Verify(read::Verify),
    Revoke(revoke::Revoke),
    List(keep::List),
    Add(keep::Add),
    Forget(keep::Forget),
    Container(pack::Options),
}

impl Options {
    /// Whether the answer is JSON.
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            Command::Delegate(options) => options.json,
            Command::Invoke(options) => options.json,
            Command::Inspect(options) => options.json,
            Command::Verify(options) => options.json,
            Command::Revoke(options) => options.json,
            Command::List(options) => options.json,
            Command::Add(options) => options.json,
            Command::Forget(options) => options.json,
            Command::Container(options) => options.json(),
        }
    }
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    match &options.command {
        Command::Delegate(options) => make::delegate(options),
        Command::Invoke(options) => make::invoke(options),
        Command::Inspect(options) => read::inspect(options),
        Command::Verify(options) => read::verify(options),
        Command::Revoke(options) => revoke::main(options),
        Command::List(options) => keep::list(options),
        Command::Add(options) => keep::add(options),
        Command::Forget(options) => keep::forget(options),
        Command::Container(options) => pack::main(options),
    }
}

pub(super) use self::make::{invoked, nonce, time};
pub(super) use self::tokens::{Sources, container, now};
