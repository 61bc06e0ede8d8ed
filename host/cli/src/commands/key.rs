//! `homestar key`

use clap::{Args, Subcommand};
use homestar_core::ipld::Ipld;

use crate::error::CommandError;
use crate::{keyring, paths, print};

/// Show the key that signs receipts
///
/// It is an Ed25519 key, made when it is first needed, in a file that only you can read. Others know
/// you by its public half, a `did:key`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Show(Show),
    Path(Path),
}

/// Show who you are: the did:key of your key, and its file
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar key show
  homestar key show --json")]
struct Show {
    /// Print one JSON object: {"did": …, "path": …}
    #[arg(long)]
    json: bool,
}

/// Print the path of the key's file, whether or not it is there yet
///
/// The file is PKCS#8 in PEM, as `openssl genpkey -algorithm ed25519` writes it.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Example:
  cp \"$(homestar key path)\" /mnt/backup/")]
struct Path {}

impl Options {
    /// Whether the answer is JSON.
    pub(crate) fn json(&self) -> bool {
        matches!(self.command, Command::Show(Show { json: true }))
    }
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    match &options.command {
        Command::Show(options) => show(options),
        Command::Path(_) => print::line(&path()?),
    }
}

fn path() -> Result<String, CommandError> {
    let path = paths::key().map_err(CommandError::input)?;
    Ok(path.display().to_string())
}

fn show(options: &Show) -> Result<(), CommandError> {
    let did = keyring::key()?.did().to_string();
    let path = path()?;
    if options.json {
        let facts = print::map([("did", Ipld::String(did)), ("path", Ipld::String(path))]);
        return print::out(print::json_line(&facts)?.as_bytes());
    }
    print::out(print::table(&[("did", did), ("path", path)]).as_bytes())
}
