//! `homestar cat`

use std::io;

use clap::Args;
use homestar_node::{CopyError, Reference};

use super::super::data::unread;
use super::{Common, source};
use crate::error::CommandError;
use homestar_core::quantity;

/// Write the content of a file to standard output
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar cat bafy…
  homestar cat bafy…/photos/cat.png > cat.png
  homestar cat bafy… --offset 1MiB --length 4KiB")]
pub(crate) struct Options {
    /// The file: CID[/PATH], ipfs://CID[/PATH], or https://…
    #[arg(value_name = "CID")]
    file: Reference,

    /// Leave out so many bytes at the beginning
    #[arg(long, value_name = "SIZE", value_parser = quantity::bytes, default_value = "0")]
    offset: u64,

    /// Write at most so many bytes
    #[arg(long, value_name = "SIZE", value_parser = quantity::bytes)]
    length: Option<u64>,

    #[command(flatten)]
    pub(crate) common: Common,
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    let named = &options.file;
    let (data, cid) = options.common.find(named)?;
    let end = options
        .length
        .map_or(u64::MAX, |length| options.offset.saturating_add(length));
    let mut stream = source(&data)?.open(&cid, options.offset..end);
    match stream.copy_to(&mut io::stdout().lock()) {
        Ok(_) => Ok(()),
        Err(CopyError::Write(error)) => Err(CommandError::stdout(error)),
        Err(error) => {
            let words = format!("can't read {named}");
            Err(unread(words, error))
        }
    }
}
