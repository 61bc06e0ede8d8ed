//! `homestar ls`

use clap::Args;
use homestar_core::ipld::Ipld;
use homestar_node::Reference;

use super::super::data::unread;
use super::{Common, source};
use crate::error::CommandError;
use crate::print;

/// List what is in a directory
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar ls bafy…
  homestar ls bafy…/photos --long")]
pub(crate) struct Options {
    /// The directory: CID[/PATH], or ipfs://CID[/PATH]
    #[arg(value_name = "CID")]
    directory: Reference,

    /// Say of each what it is and how large: its blocks are looked at for that
    #[arg(short, long)]
    long: bool,

    #[command(flatten)]
    pub(crate) common: Common,
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    let named = &options.directory;
    let (data, cid) = options.common.find(named)?;
    let source = source(&data)?;
    let failed = |error| unread(format!("can't list {named}"), error);
    let entries = source.list(&cid).map_err(failed)?;
    if options.long {
        source.ahead(&entries.iter().map(|entry| entry.cid).collect::<Vec<_>>());
    }
    let mut rows = Vec::new();
    for entry in entries {
        let look = match options.long {
            true => Some(source.look(&entry.cid).map_err(failed)?),
            false => None,
        };
        rows.push((entry, look));
    }
    if options.common.json {
        let facts = rows.iter().map(|(entry, look)| {
            let mut facts = vec![
                ("cid", Ipld::String(entry.cid.to_string())),
                ("name", Ipld::String(entry.name.clone())),
            ];
            if let Some(look) = look {
                let bytes = look.content_bytes.map(|bytes| Ipld::Integer(bytes.into()));
                facts.push(("bytes", bytes.unwrap_or(Ipld::Null)));
                facts.push(("kind", Ipld::String(look.kind.as_str().to_owned())));
            }
            Ipld::Map(
                facts
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect(),
            )
        });
        return print::ok(Ipld::List(facts.collect()));
    }
    for (entry, look) in &rows {
        let facts = look.as_ref().map(|look| {
            let bytes = look.content_bytes.map(print::size).unwrap_or_default();
            format!("{:9}  {bytes:>12}  ", look.kind.as_str())
        });
        let name = entry.name.escape_debug();
        print::line(&format!(
            "{}  {}{name}",
            entry.cid,
            facts.unwrap_or_default()
        ))?;
    }
    Ok(())
}
