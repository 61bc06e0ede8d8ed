//! Containers, put together and taken apart.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use homestar_core::ipld::{Block, Ipld};
use homestar_core::ucan::Container;
use homestar_core::ucan::container::Encoding;
use homestar_node::Tokens;

use super::tokens::{self, KeptOptions, container_of, unkept};
use crate::error::{Caused, CommandError};
use crate::files::{self, Stdin};
use crate::print;

/// Put tokens together into one container, and take one apart
#[derive(Args, Debug)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Pack(Pack),
    Unpack(Unpack),
}

/// Put tokens together into one container
///
/// Each token is in it once, in the order of their bytes. Nothing is checked but that they are tokens or containers.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar ucan container pack mine.ucan revoked.ucan -o all.ucan
  homestar ucan container pack bafyreib… --as base64url
  homestar ucan container pack all.ucan --as bytes -o all.bin")]
struct Pack {
    /// Containers, tokens, or CIDs of tokens that are kept here; - for standard input
    #[arg(required = true)]
    tokens: Vec<String>,

    /// How it is written; the byte in front of it does as well
    #[arg(long = "as", value_name = "ENCODING", default_value = "base64url-gzip")]
    encoding: Form,

    #[command(flatten)]
    kept: KeptOptions,

    /// Write it to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Print one JSON object: {"ok": …} with the CIDs of the tokens, or {"error": {"kind": …, "message": …}}
    #[arg(long, requires = "output")]
    json: bool,
}

/// Write each token of a container to a file of its own, CID.ucan
#[derive(Args, Debug)]
#[command(after_long_help = "\
Example:
  homestar ucan container unpack all.ucan -o tokens")]
struct Unpack {
    /// The container; - for standard input
    file: String,

    /// The folder, which is made if it isn't there
    #[arg(short, long, value_name = "FOLDER", default_value = ".")]
    output: PathBuf,

    /// Print one JSON object: {"ok": …} with the files, or {"error": {"kind": …, "message": …}}
    #[arg(long)]
    json: bool,
}

/// How a container is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// As it is
    #[value(alias = "@")]
    Bytes,
    /// In base64 with padding
    #[value(alias = "B")]
    Base64,
    /// In base64 for URLs, without padding
    #[value(alias = "C")]
    Base64url,
    /// Compressed by gzip
    #[value(alias = "M")]
    BytesGzip,
    /// Compressed, in base64 with padding
    #[value(alias = "O")]
    Base64Gzip,
    /// Compressed, in base64 for URLs, without padding
    #[value(alias = "P")]
    Base64urlGzip,
}

impl Form {
    fn encoding(self) -> Encoding {
        match self {
            Self::Bytes => Encoding::Bytes,
            Self::Base64 => Encoding::Base64,
            Self::Base64url => Encoding::Base64Url,
            Self::BytesGzip => Encoding::BytesGzip,
            Self::Base64Gzip => Encoding::Base64Gzip,
            Self::Base64urlGzip => Encoding::Base64UrlGzip,
        }
    }

    fn is_text(self) -> bool {
        !matches!(self, Self::Bytes | Self::BytesGzip)
    }
}

impl Options {
    pub(super) fn json(&self) -> bool {
        match &self.command {
            Command::Pack(options) => options.json,
            Command::Unpack(options) => options.json,
        }
    }
}

pub(super) fn main(options: &Options) -> Result<(), CommandError> {
    match &options.command {
        Command::Pack(options) => pack(options),
        Command::Unpack(options) => unpack(options),
    }
}

fn pack(options: &Pack) -> Result<(), CommandError> {
    let form = options.encoding;
    if options.output.is_none() && !form.is_text() && io::stdout().is_terminal() {
        let error = CommandError::usage("a container in bytes is not for a terminal");
        return Err(error.hint("`-o FILE` writes it to a file, `--as base64url` makes it a text"));
    }
    let mut stdin = Stdin::default();
    let mut all = Vec::new();
    for named in &options.tokens {
        match tokens::cid(named) {
            Some(cid) => all.push(kept(&cid, &options.kept)?),
            None => all.extend_from_slice(container_of(named, &mut stdin)?.tokens()),
        }
    }
    let container = Container::new(all).map_err(CommandError::input)?;
    let mut bytes = container.encode(form.encoding());
    if form.is_text() {
        bytes.push(b'\n');
    }
    let Some(path) = &options.output else {
        return print::out(&bytes);
    };
    files::write(path, &bytes)?;
    match options.json {
        true => print::ok(cids(&container)),
        false => Ok(()),
    }
}

/// Returns a token that is kept here.
fn kept(cid: &homestar_core::ipld::Cid, kept: &KeptOptions) -> Result<Block, CommandError> {
    let found = match kept.store_if_there()? {
        Some(store) => Tokens::new(&store)
            .proofs(&[*cid])
            .map_err(unkept)?
            .remove(cid),
        None => None,
    };
    found.ok_or_else(|| {
        let error = CommandError::input(format!("there is no token {cid} here"));
        error.hint("`homestar ucan list` shows what is kept")
    })
}

fn cids(container: &Container) -> Ipld {
    let tokens = container.tokens().iter();
    print::texts(tokens.map(|token| token.cid().to_string()))
}

fn unpack(options: &Unpack) -> Result<(), CommandError> {
    let container = container_of(&options.file, &mut Stdin::default())?;
    let folder = &options.output;
    fs::create_dir_all(folder).map_err(|error| {
        let words = format!("can't make the folder {}", folder.display());
        CommandError::input(Caused::new(words, error))
    })?;
    let mut paths = Vec::new();
    for token in container.tokens() {
        // Whatever is called so has the same bytes.
        let path = folder.join(format!("{}.ucan", token.cid()));
        files::write(&path, token.bytes())?;
        paths.push(path.display().to_string());
    }
    if options.json {
        return print::ok(print::texts(paths));
    }
    let lines: String = paths.iter().map(|path| format!("{path}\n")).collect();
    print::out(lines.as_bytes())
}
