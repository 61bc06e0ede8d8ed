//! `homestar gc`

use clap::Args;
use homestar_core::ipld::Ipld;

use super::Common;
use crate::error::CommandError;
use crate::print;

/// Take away what nothing needs
///
/// What is pinned stays, and what receipts in the store lead to, and what tasks and commands that run are at. Others may
/// use the store meanwhile.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) common: Common,
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    let settings = options.common.settings()?;
    let store = options.common.storage.disk(&settings)?;
    let collected = homestar_node::gc(&store).map_err(CommandError::host)?;
    if options.common.json {
        let facts = print::map([
            ("blocks", Ipld::Integer(collected.blocks.into())),
            ("block_bytes", Ipld::Integer(collected.bytes.into())),
            ("blocks_kept", Ipld::Integer(collected.kept.into())),
            ("disk_bytes", Ipld::Integer(collected.disk_bytes.into())),
        ]);
        return print::ok(facts);
    }
    print::line(&format!(
        "took {} blocks, {}; {} stay",
        print::number(collected.blocks),
        print::size(collected.bytes),
        print::number(collected.kept)
    ))
}
