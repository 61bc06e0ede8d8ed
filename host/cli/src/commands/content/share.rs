//! `homestar share`

use clap::{Args, Subcommand};
use homestar_node::now_ms;

use super::super::data::unread;
use super::super::node::tell_shared;
use super::{All, Named, held_facts, held_words, source};
use crate::error::CommandError;
use crate::print;
use crate::progress::Progress;

/// Give content to everybody who asks the node of this machine for it
///
/// Nothing in the store is given to strangers but what is shared, with all that it links to. It is kept as long as it is
/// shared.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Share content, and fetch what of it isn't here
    Add(Named),
    /// Share content no longer
    Remove(Named),
    /// List what is shared
    List(All),
}

impl Options {
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            Command::Add(what) | Command::Remove(what) => what.common.json,
            Command::List(list) => list.common.json,
        }
    }
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    match &options.command {
        Command::Add(what) => add(what),
        Command::Remove(what) => remove(what),
        Command::List(options) => list(options),
    }
}

fn add(options: &Named) -> Result<(), CommandError> {
    let (data, cid) = options.common.find(&options.what)?;
    let mut progress = Progress::new(format!("fetching {cid}"));
    let mut more = |bytes| progress.more(bytes);
    let held = homestar_node::share(source(&data)?, cid, now_ms(), &mut more);
    let held = held.map_err(|error| unread(format!("can't share {cid}"), error))?;
    tell_shared();
    if options.common.json {
        return print::ok(held_facts(&cid, &held));
    }
    print::line(&format!("{cid} is for everybody: {}", held_words(&held)))
}

fn remove(options: &Named) -> Result<(), CommandError> {
    let (data, cid) = options.found()?;
    let store = source(&data)?.store();
    if !homestar_node::unshare(&**store, &cid).map_err(CommandError::host)? {
        let error = CommandError::input(format!("{cid} is not shared"));
        return Err(error.hint("`homestar share list` shows what is"));
    }
    options.let_go(&cid, "is shared no longer")
}

fn list(options: &All) -> Result<(), CommandError> {
    let data = options.common.data()?;
    let shared = homestar_node::shared(&**source(&data)?.store()).map_err(CommandError::host)?;
    let texts: Vec<String> = shared.iter().map(ToString::to_string).collect();
    if options.common.json {
        return print::ok(print::texts(texts));
    }
    texts.iter().try_for_each(|text| print::line(text))
}
