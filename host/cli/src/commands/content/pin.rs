//! `homestar pin`

use clap::{Args, Subcommand};
use homestar_core::ipld::Ipld;
use homestar_node::Depth;

use super::{All, LABEL, Named, held_facts, held_words, keep, source};
use crate::error::CommandError;
use crate::print;

/// Keep content in the store, or let it go
///
/// What is pinned stays with all that it links to, whatever `homestar gc` takes. `homestar add` pins.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Keep content, and fetch what of it isn't here
    Add(Named),
    /// Let content go; `homestar gc` takes it away if nothing else needs it
    Remove(Named),
    /// List what is pinned
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
    let held = keep(source(&data)?, &cid)?;
    if options.common.json {
        return print::ok(held_facts(&cid, &held));
    }
    print::line(&format!("{cid} stays: {}", held_words(&held)))
}

fn remove(options: &Named) -> Result<(), CommandError> {
    let (data, cid) = options.found()?;
    let store = source(&data)?.store();
    if !store.unpin(&cid, LABEL).map_err(CommandError::host)? {
        let error = CommandError::input(format!("{cid} is not pinned"));
        return Err(error.hint("`homestar pin list` shows what is"));
    }
    options.let_go(&cid, "may go")
}

fn list(options: &All) -> Result<(), CommandError> {
    let data = options.common.data()?;
    let mut pins = source(&data)?.store().pins().map_err(CommandError::host)?;
    pins.retain(|pin| pin.label == LABEL);
    if options.common.json {
        let facts = pins.iter().map(|pin| {
            print::map([
                ("at_ms", Ipld::Integer(pin.at_ms.into())),
                ("cid", Ipld::String(pin.cid.to_string())),
                ("recursive", Ipld::Bool(pin.depth == Depth::Recursive)),
            ])
        });
        return print::ok(Ipld::List(facts.collect()));
    }
    for pin in pins {
        print::line(&pin.cid.to_string())?;
    }
    Ok(())
}
