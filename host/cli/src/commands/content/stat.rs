//! `homestar stat`

use clap::Args;
use homestar_core::ipld::Ipld;
use homestar_node::Reference;

use super::super::data::unread;
use super::{Common, source};
use crate::error::CommandError;
use crate::print;

/// Say what content is, how large, and how much of it is in the store
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar stat bafy…
  homestar stat bafy…/photos --json")]
pub(crate) struct Options {
    /// The content: CID[/PATH], ipfs://CID[/PATH], or https://…
    #[arg(value_name = "CID")]
    what: Reference,

    #[command(flatten)]
    pub(crate) common: Common,
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    let named = &options.what;
    let (data, cid) = options.common.find(named)?;
    let source = source(&data)?;
    let failed = |error| unread(format!("can't look at {named}"), error);
    let look = source.look(&cid).map_err(failed)?;
    let held = source.held(&cid).map_err(failed)?;
    if options.common.json {
        let bytes = look.content_bytes.map(|bytes| Ipld::Integer(bytes.into()));
        let target = look.target.map(Ipld::String);
        let facts = print::map([
            ("blocks", Ipld::Integer(held.blocks.into())),
            ("block_bytes", Ipld::Integer(held.bytes.into())),
            ("blocks_missing", Ipld::Integer(held.missing.into())),
            ("bytes", bytes.unwrap_or(Ipld::Null)),
            ("cid", Ipld::String(cid.to_string())),
            ("kind", Ipld::String(look.kind.as_str().to_owned())),
            ("links", Ipld::Integer(look.links as i128)),
            ("target", target.unwrap_or(Ipld::Null)),
        ]);
        return print::ok(facts);
    }
    let mut rows = vec![
        ("cid", cid.to_string()),
        ("kind", look.kind.as_str().to_owned()),
    ];
    rows.extend(look.content_bytes.map(|bytes| ("size", print::size(bytes))));
    rows.extend(
        look.target
            .map(|to| ("target", to.escape_debug().to_string())),
    );
    let here = match held.missing {
        0 => format!(
            "{}, {}",
            print::number(held.blocks),
            print::size(held.bytes)
        ),
        missing => format!(
            "{}, {}; {} known to be missing",
            print::number(held.blocks),
            print::size(held.bytes),
            print::number(missing)
        ),
    };
    rows.push(("blocks here", here));
    rows.push(("links", print::number(look.links as u64)));
    print::out(print::table(&rows).as_bytes())
}
