//! `homestar serve`

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};

use clap::{Args, Subcommand};
use homestar_core::ipld::{Block, Cid, Ipld};
use homestar_node::{BlockSource, Disk, GatewayServer, ServeError, ServerSettings, Store as _};

use super::Common;
use crate::error::{Caused, CommandError};
use crate::{interrupt, print};

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
    ///
    /// Ctrl-C or SIGTERM lets answers end that are under way, for ten seconds at most. The second one ends at once.
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
    let (ask, asked) = mpsc::channel();
    interrupt::on_first(move || {
        // The receiver is there for as long as the server is.
        let _ = ask.send(());
    })?;
    let server = GatewayServer::spawn(settings, Arc::new(Kept(store)));
    let (address, server) = server.map_err(|error| {
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
    if asked.recv().is_ok() {
        print::note("no more connections are taken; what is being sent ends within ten seconds");
        server.shutdown();
    }
    Ok(())
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
