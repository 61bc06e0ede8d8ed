//! The commands about content: files and folders in the store, and out of it.

pub(crate) mod add;
pub(crate) mod car;
pub(crate) mod cat;
pub(crate) mod gc;
pub(crate) mod get;
pub(crate) mod ls;
pub(crate) mod pin;
pub(crate) mod serve;
pub(crate) mod share;
pub(crate) mod stat;
pub(crate) mod store;

use std::path::{Path, PathBuf};

use clap::Args;
use homestar_core::ipld::{Cid, Ipld};
use homestar_node::{
    ContentPath, Disk, Held, Pin, ReadError, Reference, Source, SourceError, now_ms,
};

use super::data::{DOWNLOAD_BYTES_MAX, Data, unread};
use super::limits::ConfigOptions;
use super::storage::StorageOptions;
use crate::error::CommandError;
use crate::print;
use crate::progress::Progress;
use crate::settings::Settings;

/// What all of these commands take.
#[derive(Args, Debug)]
pub(crate) struct Common {
    #[command(flatten)]
    config: ConfigOptions,

    #[command(flatten)]
    storage: StorageOptions,

    /// Print one JSON object: {"ok": …}, or {"error": {"kind": …, "message": …}}
    #[arg(long)]
    pub(crate) json: bool,
}

impl Common {
    fn settings(&self) -> Result<Settings, CommandError> {
        self.config.settings()
    }

    fn data(&self) -> Result<Data, CommandError> {
        self.storage.data(&self.settings()?)
    }

    /// Returns the store.
    pub(in crate::commands) fn store(&self) -> Result<Disk, CommandError> {
        self.storage.disk(&self.settings()?)
    }

    /// Returns the folder of the store.
    pub(in crate::commands) fn place(&self) -> Result<PathBuf, CommandError> {
        let place = self.storage.place(&self.settings()?);
        place.map_err(CommandError::input)
    }

    /// Returns what is named, and where more can be read. What is named by a URL is downloaded.
    fn find(&self, named: &Reference) -> Result<(Data, Cid), CommandError> {
        if let Reference::Url(url) = named {
            let data = self.data()?;
            let cid = data.download(url, DOWNLOAD_BYTES_MAX)?;
            return Ok((data, cid));
        }
        let path = content(named)?;
        let data = self.data()?;
        let cid = data.resolve(path)?;
        Ok((data, cid))
    }
}

/// Why nobody but a person keeps it.
const LABEL: &str = "";

/// Keeps content from `homestar gc`, after fetching what of it isn't here.
fn keep(source: &Source, cid: &Cid) -> Result<Held, CommandError> {
    let mut progress = Progress::new(format!("fetching {cid}"));
    let pin = Pin::recursive(*cid, LABEL, now_ms());
    let held = homestar_node::pin(source, &pin, &mut |bytes| progress.more(bytes));
    held.map_err(|error| unread(format!("can't keep {cid}"), error))
}

/// Does the same with what there is, if not all can be had. Returns what can't.
fn keep_what_is_there(source: &Source, cid: &Cid) -> Result<Option<SourceError>, CommandError> {
    let mut progress = Progress::new(format!("fetching {cid}"));
    let pin = Pin::recursive(*cid, LABEL, now_ms());
    match homestar_node::pin(source, &pin, &mut |bytes| progress.more(bytes)) {
        Ok(_) => Ok(None),
        Err(ReadError::Source(missing)) if missing.unavailable().is_some() => {
            source.store().pin(&pin).map_err(CommandError::host)?;
            Ok(Some(missing))
        }
        Err(error) => Err(unread(format!("can't keep {cid}"), error)),
    }
}

/// Content that is named, to be kept or shared or not.
#[derive(Args, Debug)]
struct Named {
    /// The content: CID[/PATH], or ipfs://CID[/PATH]
    #[arg(value_name = "CID")]
    what: Reference,

    #[command(flatten)]
    common: Common,
}

impl Named {
    /// Returns its CID, and how it is found. Nothing is fetched but what a path leads through.
    fn found(&self) -> Result<(Data, Cid), CommandError> {
        let path = content(&self.what)?;
        let data = self.common.data()?;
        let cid = data.resolve(path)?;
        Ok((data, cid))
    }

    /// Says that it is no longer kept or shared.
    fn let_go(&self, cid: &Cid, words: &str) -> Result<(), CommandError> {
        match self.common.json {
            true => print::ok(print::map([("cid", Ipld::String(cid.to_string()))])),
            false => print::line(&format!("{cid} {words}")),
        }
    }
}

/// All that is kept or shared.
#[derive(Args, Debug)]
struct All {
    #[command(flatten)]
    common: Common,
}

/// Returns how much of something is here, for people.
fn held_words(held: &Held) -> String {
    let size = print::size(held.bytes);
    match held.blocks {
        1 => format!("1 block, {size}"),
        blocks => format!("{} blocks, {size}", print::number(blocks)),
    }
}

/// Returns how much of something is here, for programs.
fn held_facts(cid: &Cid, held: &Held) -> Ipld {
    print::map([
        ("blocks", Ipld::Integer(held.blocks.into())),
        ("block_bytes", Ipld::Integer(held.bytes.into())),
        ("cid", Ipld::String(cid.to_string())),
    ])
}

/// Returns what a text that has to be about content is about.
fn content(reference: &Reference) -> Result<&ContentPath, CommandError> {
    match reference {
        Reference::Content(path) => Ok(path),
        other => {
            let error = CommandError::usage(format!("`{other}` is no CID"));
            Err(error.hint("`homestar add FILE` puts a file into the store and prints its CID"))
        }
    }
}

/// Returns a path as people name it.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Returns the source of an opened store.
fn source(data: &Data) -> Result<&Source, CommandError> {
    Ok(data.content()?.source())
}
