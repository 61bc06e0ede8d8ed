//! `homestar key`

mod change;
mod copy;
mod guests;
mod show;

use clap::{Args, Subcommand, ValueEnum};
use homestar_core::ucan::varsig::Algorithm;

use crate::error::CommandError;

/// Make, show and carry over the keys that sign receipts and tokens
///
/// Each key has a name and a file that only you can read. The one called default signs, unless `--key NAME` or
/// HOMESTAR_KEY names another; it is made when it is first needed. Others know you by the public half, a `did:key`. Keys
/// that guests keep are written crypto=NAME, as in grants. They sign nothing of yours, and no guest ever gets at yours.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(change::New),
    List(show::List),
    Show(show::Show),
    Path(show::Path),
    Import(copy::Import),
    Export(copy::Export),
    Protect(change::Protect),
    Rename(change::Rename),
}

/// What a key signs with.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Type {
    /// EdDSA: the usual one
    #[default]
    Ed25519,
    /// ECDSA, as browsers and hardware have it
    P256,
    /// ECDSA, as blockchains have it
    Secp256k1,
}

impl Type {
    fn algorithm(self) -> Algorithm {
        match self {
            Self::Ed25519 => Algorithm::Ed25519,
            Self::P256 => Algorithm::P256,
            Self::Secp256k1 => Algorithm::Secp256k1,
        }
    }
}

/// Returns the word of a type, as `--type` takes it.
fn word(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::P256 => "p256",
        Algorithm::Secp256k1 => "secp256k1",
        _ => "ed25519",
    }
}

impl Options {
    /// Whether the answer is JSON.
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            Command::New(options) => options.json,
            Command::List(options) => options.json,
            Command::Show(options) => options.json,
            Command::Path(options) => options.json,
            Command::Import(options) => options.json,
            Command::Export(options) => options.json,
            Command::Protect(options) => options.json,
            Command::Rename(options) => options.json,
        }
    }
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    match &options.command {
        Command::New(options) => change::new(options),
        Command::List(options) => show::list(options),
        Command::Show(options) => show::show(options),
        Command::Path(options) => show::path(options),
        Command::Import(options) => copy::import(options),
        Command::Export(options) => copy::export(options),
        Command::Protect(options) => change::protect(options),
        Command::Rename(options) => change::rename(options),
    }
}
