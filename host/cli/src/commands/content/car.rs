//! `homestar car`

use std::fs::File;
use std::io::{self, BufReader, BufWriter, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use homestar_core::ipld::Ipld;
use homestar_node::{ReadCarError, Reference, Watch as _, read_car, write_car};

use super::super::data::unread;
use super::{Common, held_facts, held_words, keep_what_is_there, shown, source};
use crate::error::{Caused, CommandError};
use crate::print;
use crate::progress::Progress;

/// Pass on content as one file: CAR, as IPFS has it
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write content, with all that it links to, to a CAR file
    Export(Export),
    /// Put the blocks of a CAR file into the store; what it is about stays until `homestar pin remove`. What it leads
    /// to and isn't in the file is fetched, if it can be
    Import(Import),
}

#[derive(Args, Debug)]
struct Export {
    /// The content: CID[/PATH], ipfs://CID[/PATH], or https://…
    #[arg(value_name = "CID")]
    what: Reference,

    /// The file; - is standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    #[command(flatten)]
    common: Common,
}

#[derive(Args, Debug)]
struct Import {
    /// The file; - is standard input
    file: PathBuf,

    /// Leave it to `homestar gc` to take it away again
    #[arg(long)]
    no_pin: bool,

    #[command(flatten)]
    common: Common,
}

impl Options {
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            Command::Export(options) => options.common.json,
            Command::Import(options) => options.common.json,
        }
    }
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    match &options.command {
        Command::Export(options) => write(options),
        Command::Import(options) => read(options),
    }
}

fn write(options: &Export) -> Result<(), CommandError> {
    let named = &options.what;
    let is_stdout = options.output.to_str() == Some("-");
    if is_stdout && io::stdout().is_terminal() {
        return Err(CommandError::usage("a CAR file is not for a terminal"));
    }
    let (data, cid) = options.common.find(named)?;
    let source = source(&data)?;
    let words = format!("can't write {named} to {}", shown(&options.output));
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| unread(words.clone(), error);
    let mut progress = Progress::new(format!("writing {cid}"));
    let mut more = |bytes| progress.more(bytes);
    if is_stdout {
        let mut output = BufWriter::new(io::stdout().lock());
        write_car(source, &[cid], &mut output, &mut more).map_err(|error| failed(error.into()))?;
        return output.flush().map_err(CommandError::stdout);
    }
    let folder = match options.output.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let file = tempfile::Builder::new()
        .prefix(".homestar-")
        .tempfile_in(folder)
        .map_err(|error| failed(error.into()))?;
    let mut output = BufWriter::new(file);
    let held = write_car(source, &[cid], &mut output, &mut more);
    progress.clear();
    let held = held.map_err(|error| failed(error.into()))?;
    let file = output
        .into_inner()
        .map_err(|error| failed(error.into_error().into()))?;
    file.persist(&options.output)
        .map_err(|error| failed(error.error.into()))?;
    if options.common.json {
        return print::ok(held_facts(&cid, &held));
    }
    print::line(&format!("{cid}: {}", held_words(&held)))
}

fn read(options: &Import) -> Result<(), CommandError> {
    let data = options.common.data()?;
    let source = source(&data)?;
    let words = format!("can't import {}", shown(&options.file));
    let failed = |error: ReadCarError| CommandError::input(Caused::new(words.clone(), error));
    let store = &**source.store();
    let mut progress = Progress::new(format!("importing {}", shown(&options.file)));
    let from = match options.file.to_str() {
        Some("-") => read_car(store, &mut io::stdin().lock(), &mut |bytes| {
            progress.more(bytes);
        }),
        _ => {
            let unreadable = |error| CommandError::input(Caused::new(words.clone(), error));
            let file = File::open(&options.file).map_err(unreadable)?;
            let bytes = file.metadata().map_err(unreadable)?.len();
            progress.expected(bytes);
            read_car(store, &mut BufReader::new(file), &mut |bytes| {
                progress.more(bytes);
            })
        }
    };
    progress.clear();
    let from = from.map_err(failed)?;
    if !options.no_pin {
        for root in &from.roots {
            if let Some(missing) = keep_what_is_there(source, root)? {
                let file = shown(&options.file);
                print::warning(&format!(
                    "{file} doesn't hold all that {root} leads to; what there is stays: {missing}"
                ));
            }
        }
    }
    if options.common.json {
        let roots = from.roots.iter().map(ToString::to_string);
        let facts = print::map([
            ("blocks", Ipld::Integer(from.blocks.into())),
            ("block_bytes", Ipld::Integer(from.bytes.into())),
            ("roots", print::texts(roots)),
        ]);
        return print::ok(facts);
    }
    for root in &from.roots {
        print::line(&root.to_string())?;
    }
    Ok(())
}
