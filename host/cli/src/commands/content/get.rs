//! `homestar get`

use std::path::PathBuf;

use clap::Args;
use homestar_core::ipld::Ipld;
use homestar_node::{Reference, export};

use super::super::data::unread;
use super::{Common, shown, source};
use crate::error::CommandError;
use crate::print;
use crate::progress::Progress;

/// Write a file, or a folder with all that is in it, from content
///
/// It appears whole or not at all, and nothing is written outside of it.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar get bafy… -o photos
  homestar get bafy…/photos/cat.png")]
pub(crate) struct Options {
    /// What to write: CID[/PATH], ipfs://CID[/PATH], or https://…
    #[arg(value_name = "CID")]
    what: Reference,

    /// Where to [default: the last name of the path, or the CID]
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,

    /// Replace a file that is there
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    pub(crate) common: Common,
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    let named = &options.what;
    let (data, cid) = options.common.find(named)?;
    let place = match &options.output {
        Some(place) => place.clone(),
        None => name(named).unwrap_or_else(|| cid.to_string()).into(),
    };
    let mut progress = Progress::new(format!("writing {}", shown(&place)));
    let mut more = |bytes| progress.more(bytes);
    let exported = export(source(&data)?, &cid, &place, options.force, &mut more);
    progress.clear();
    let exported = exported.map_err(|error| {
        let words = format!("can't write {named} to {}", shown(&place));
        unread(words, error)
    })?;
    if options.common.json {
        let facts = print::map([
            ("bytes", Ipld::Integer(exported.bytes.into())),
            ("cid", Ipld::String(cid.to_string())),
            ("files", Ipld::Integer(exported.files.into())),
            ("folders", Ipld::Integer(exported.folders.into())),
            ("links", Ipld::Integer(exported.links.into())),
            ("path", Ipld::String(shown(&place))),
        ]);
        return print::ok(facts);
    }
    print::line(&format!(
        "{}  {}",
        print::size(exported.bytes),
        shown(&place)
    ))
}

/// Returns the last name of a path.
fn name(named: &Reference) -> Option<String> {
    match named {
        Reference::Content(path) => path.path.last().cloned(),
        Reference::Url(url) => url.file_name().map(str::to_owned),
        Reference::Path(_) | Reference::Stdin => None,
    }
}
