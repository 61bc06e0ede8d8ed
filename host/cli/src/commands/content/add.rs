//! `homestar add`

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use homestar_core::ipld::Ipld;
use homestar_core::unixfs::{Entry, Layout, Leaves};
use homestar_node::{ImportOptions, Importer, Watch};

use super::{Common, keep, shown, source};
use crate::error::{Caused, CommandError};
use crate::print;
use homestar_core::quantity;

/// Put files and folders into the store, and print their CIDs
///
/// A file is cut into blocks of 256 KiB and named by the root of the tree above them: the same CID as that of
/// `ipfs add --cid-version 1`. What is added stays until `homestar pin remove`, unless --no-pin is given.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar add cat.png
  homestar add -r photos
  curl -s https://example.com/data.csv | homestar add -")]
pub(crate) struct Options {
    /// Files, folders with -r, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Take folders, with all that is in them
    #[arg(short, long)]
    recursive: bool,

    /// Take what has a name that begins with a dot, too
    #[arg(long)]
    hidden: bool,

    /// Cut files into pieces of this size, at most 1MiB, with 1024 to a node; the CID is another then
    #[arg(long, value_name = "SIZE", value_parser = quantity::bytes)]
    chunk_size: Option<u64>,

    /// Leave it to `homestar gc` to take it away again
    #[arg(long)]
    no_pin: bool,

    /// Print the CIDs alone
    #[arg(short, long, conflicts_with = "json")]
    quiet: bool,

    #[command(flatten)]
    pub(crate) common: Common,
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    let data = options.common.data()?;
    let source = source(&data)?;
    let mut importer = Importer::new(&**source.store(), options.import()?);
    let mut added = Vec::new();
    let mut progress = Progress::new();
    for path in &options.paths {
        let imported = match path.to_str() {
            Some("-") => importer.stream(&mut io::stdin().lock(), path, &mut progress),
            _ => importer.path(path, path, &mut progress),
        };
        let entry = imported.map_err(|error| options.failed(path, error))?;
        added.push((path, entry));
    }
    let finished = importer.finish();
    finished.map_err(|error| options.failed(Path::new("the store"), error))?;
    progress.clear();
    for (_, entry) in &added {
        if !options.no_pin {
            keep(source, &entry.cid)?;
        }
    }
    options.print(&added)
}

impl Options {
    fn import(&self) -> Result<ImportOptions, CommandError> {
        let layout = match self.chunk_size {
            None => Layout::default(),
            Some(bytes) => {
                let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
                Layout::new(bytes, LINKS, Leaves::Raw).map_err(CommandError::usage)?
            }
        };
        Ok(ImportOptions {
            layout,
            recursive: self.recursive,
            hidden: self.hidden,
        })
    }

    fn failed(&self, path: &Path, error: homestar_node::ImportError) -> CommandError {
        let is_folder = !self.recursive && path.is_dir();
        let error = CommandError::input(Caused::new(format!("can't add {}", shown(path)), error));
        match is_folder {
            true => error.hint("`-r` takes folders"),
            false => error,
        }
    }

    fn print(&self, added: &[(&PathBuf, Entry)]) -> Result<(), CommandError> {
        if self.common.json {
            let facts = added.iter().map(|(path, entry)| {
                print::map([
                    ("bytes", Ipld::Integer(entry.file_bytes.into())),
                    ("cid", Ipld::String(entry.cid.to_string())),
                    ("path", Ipld::String(shown(path))),
                ])
            });
            return print::ok(Ipld::List(facts.collect()));
        }
        for (path, entry) in added {
            match self.quiet {
                true => print::line(&entry.cid.to_string())?,
                false => print::line(&format!("{}  {}", entry.cid, shown(path)))?,
            }
        }
        Ok(())
    }
}

/// Links of a node where pieces have a size of their own: what other programs use with pieces of 1 MiB.
const LINKS: usize = 1024;

/// Tells on a terminal how far it has come.
struct Progress {
    is_shown: bool,
    bytes: u64,
    begin: Instant,
    told: Option<Instant>,
}

/// How often it tells.
const EVERY: Duration = Duration::from_millis(200);

impl Progress {
    fn new() -> Self {
        Self {
            is_shown: io::stderr().is_terminal(),
            bytes: 0,
            begin: Instant::now(),
            told: None,
        }
    }

    fn clear(&self) {
        if self.told.is_some() {
            print::err("\r\x1b[K");
        }
    }
}

impl Watch for Progress {
    fn read(&mut self, bytes: u64) {
        self.bytes += bytes;
        let since = self.told.unwrap_or(self.begin).elapsed();
        if !self.is_shown || since < EVERY {
            return;
        }
        self.told = Some(Instant::now());
        let rate = self.bytes as f64 / self.begin.elapsed().as_secs_f64().max(0.001);
        let (bytes, rate) = (print::size(self.bytes), print::size(rate as u64));
        print::err(&format!("\r\x1b[Kadding … {bytes}, {rate} a second"));
    }
}
