//! `homestar ucan`

mod make;
mod read;

use clap::{Args, Subcommand};
use homestar_core::ipld::Block;
use homestar_core::ucan::Container;

use crate::error::{Caused, CommandError};
use crate::files::Stdin;

/// Give leave by signed tokens, use it, and check what others give: UCAN 1.0
///
/// A delegation lets somebody do something with what is somebody's; an invocation asks for it. Tokens travel in
/// containers, which are files or texts. `homestar run --ucan` runs what an invocation asks for, and nothing else.
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
}

impl Options {
    /// Whether the answer is JSON.
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            Command::Inspect(options) => options.json,
            Command::Verify(options) => options.json,
            Command::Delegate(_) | Command::Invoke(_) => false,
        }
    }
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    match &options.command {
        Command::Delegate(options) => make::delegate(options),
        Command::Invoke(options) => make::invoke(options),
        Command::Inspect(options) => read::inspect(options),
        Command::Verify(options) => read::verify(options),
    }
}

pub(super) use self::make::{nonce, now, time};

/// Reads a container from a file or from standard input. A single token is one too.
pub(super) fn container(path: &str) -> Result<Container, CommandError> {
    let bytes = Stdin::default().read_path(path, "the tokens")?;
    let text = bytes.trim_ascii();
    let is_token = text.first().is_some_and(|first| *first == 0x82);
    let container = match is_token {
        true => Container::new([Block::new(homestar_core::ipld::DAG_CBOR, bytes.clone())]),
        false => Container::decode(match text.first() {
            // What is no text has no blanks around it.
            Some(b'@' | b'M') => &bytes,
            _ => text,
        }),
    };
    container.map_err(|error| {
        let words = format!("{path} holds no tokens");
        CommandError::input(Caused::new(words, error))
    })
}
