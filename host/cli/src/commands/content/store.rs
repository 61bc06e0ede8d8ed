//! `homestar store`

use clap::{Args, Subcommand};
use homestar_core::ipld::Ipld;
use homestar_node::{Disk, Store as _};

use super::{Common, shown};
use crate::error::{Caused, CommandError};
use crate::print;

/// Look after the store
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say where it is and how much is in it
    Info(Plain),
    /// Read everything, and say what is damaged
    Verify(Plain),
    /// Make the index anew from the blocks that are there; nobody may use the store meanwhile
    Rebuild(Plain),
}

#[derive(Args, Debug)]
struct Plain {
    #[command(flatten)]
    common: Common,
}

impl Options {
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            Command::Info(options) | Command::Verify(options) | Command::Rebuild(options) => {
                options.common.json
            }
        }
    }
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    match &options.command {
        Command::Info(options) => info(&options.common),
        Command::Verify(options) => verify(&options.common),
        Command::Rebuild(options) => rebuild(&options.common),
    }
}

fn info(options: &Common) -> Result<(), CommandError> {
    let store = options.storage.disk(&options.settings()?)?;
    let stats = store.stats().map_err(CommandError::host)?;
    if options.json {
        let quota = stats.quota_bytes.map(|bytes| Ipld::Integer(bytes.into()));
        let facts = print::map([
            ("block_bytes", Ipld::Integer(stats.bytes.into())),
            ("blocks", Ipld::Integer(stats.blocks.into())),
            ("disk_bytes", Ipld::Integer(stats.disk_bytes.into())),
            ("path", Ipld::String(shown(store.path()))),
            ("pins", Ipld::Integer(stats.pins.into())),
            ("quota_bytes", quota.unwrap_or(Ipld::Null)),
            ("receipts", Ipld::Integer(stats.receipts.into())),
        ]);
        return print::ok(facts);
    }
    let mut rows = vec![
        ("path", shown(store.path())),
        ("blocks", print::number(stats.blocks)),
        ("size", print::size(stats.bytes)),
        ("on disk", print::size(stats.disk_bytes)),
    ];
    rows.extend(stats.quota_bytes.map(|bytes| ("quota", print::size(bytes))));
    rows.push(("receipts", print::number(stats.receipts)));
    rows.push(("pins", print::number(stats.pins)));
    print::out(print::table(&rows).as_bytes())
}

fn verify(options: &Common) -> Result<(), CommandError> {
    let store = options.storage.disk(&options.settings()?)?;
    let verified = store.verify().map_err(CommandError::host)?;
    if options.json {
        let damaged = verified.damaged.iter().map(|damage| {
            print::map([
                ("cid", Ipld::String(damage.cid.to_string())),
                ("flaw", Ipld::String(damage.flaw.to_string())),
            ])
        });
        let facts = print::map([
            ("blocks", Ipld::Integer(verified.blocks.into())),
            ("block_bytes", Ipld::Integer(verified.bytes.into())),
            ("damaged", Ipld::List(damaged.collect())),
            ("index", print::texts(verified.index.clone())),
        ]);
        print::ok(facts)?;
    } else {
        let (blocks, size) = (print::number(verified.blocks), print::size(verified.bytes));
        print::line(&format!("read {blocks} blocks, {size}"))?;
        for damage in &verified.damaged {
            print::line(&format!("{} is damaged: {}", damage.cid, damage.flaw))?;
        }
        for flaw in &verified.index {
            print::line(&format!("index: {flaw}"))?;
        }
    }
    if verified.damaged.is_empty() && verified.index.is_empty() {
        return Ok(());
    }
    let error = CommandError::host(format!("the store in {} is damaged", shown(store.path())));
    let error = error.hint("a block that is added or fetched again is well then");
    match verified.index.is_empty() {
        true => Err(error),
        false => Err(error.hint("`homestar store rebuild` makes the index anew")),
    }
}

fn rebuild(options: &Common) -> Result<(), CommandError> {
    let place = options.storage.place(&options.settings()?);
    let place = place.map_err(CommandError::input)?;
    let rebuilt = Disk::rebuild(&place).map_err(|error| {
        let words = format!("can't rebuild the store in {}", shown(&place));
        CommandError::host(Caused::new(words, error))
    })?;
    if options.json {
        let facts = print::map([("blocks", Ipld::Integer(rebuilt.blocks.into()))]);
        return print::ok(facts);
    }
    print::line(&format!(
        "{} blocks are there",
        print::number(rebuilt.blocks)
    ))
}
