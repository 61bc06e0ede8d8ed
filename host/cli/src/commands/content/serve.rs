//! `homestar serve`

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use clap::{Args, Subcommand};
use homestar_core::ipld::{Block, Cid, Ipld};
use homestar_node::{BlockSource, Disk, GatewayServer, ServeError, ServerSettings, Store as _};

use super::Common;
use crate::error::{Caused, CommandError};
use crate::print;

/// Give content to others
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Be a trustless gateway, until Ctrl-C: give blocks and CAR files of what is in the store
    ///
    /// Everything in the store is given, to everybody who reaches the address. Others use it with `--gateway URL`, as
    /// kubo and Helia do, and check every block.
    Gateway(Gateway),
}

#[derive(Args, Debug)]
struct Gateway {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    #[command(flatten)]
    common: Common,
}

impl Options {
    pub(crate) fn json(&self) -> bool {
        let Command::Gateway(options) = &self.command;
        options.common.json
    }
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    let Command::Gateway(options) = &options.command;
    let store = options.common.storage.disk(&options.common.settings()?)?;
    let settings = ServerSettings {
        address: options.listen,
        ..ServerSettings::default()
    };
    let server = GatewayServer::spawn(settings, Arc::new(Kept(store)));
    let (address, _server) = server.map_err(|error| {
        let words = format!("can't listen on {}", options.listen);
        CommandError::input(Caused::new(words, error))
    })?;
    let url = format!("http://{address}");
    if options.common.json {
        let facts = print::map([("url", Ipld::String(url))]);
        print::ok(facts)?;
    } else {
        print::line(&format!("{url} gives what is in the store"))?;
    }
    loop {
        thread::park();
    }
}

/// What is in the store, and nothing else.
#[derive(Debug)]
struct Kept(Disk);

impl BlockSource for Kept {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ServeError> {
        self.0
            .get(cid)
            .map_err(|error| ServeError::Failed(error.to_string()))
    }
}
