//! `homestar add`

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use homestar_core::ipld::Ipld;
use homestar_core::unixfs::{Entry, Layout, Leaves};
use homestar_node::{DownloadUrl, ImportError, ImportOptions, Importer, Watch};

use super::super::data::{DOWNLOAD_BYTES_MAX, Data, not_added};
use super::{Common, keep, shown, source};
use crate::error::CommandError;
use crate::print;
use crate::progress::Progress;
use homestar_core::quantity;

/// Put files and folders into the store, and print their CIDs
///
/// A file is cut into blocks of 256 KiB and named by the root of the tree above them: the same CID as that of
/// `ipfs add --cid-version 1`. What is added stays until `homestar pin remove`, unless --no-pin is given.
///
/// What is in a folder is printed as it comes, and what was named here once all of it is safe on the disk.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar add cat.png
  homestar add -r photos
  homestar add https://example.com/data.csv
  zcat log.gz | homestar add -")]
pub(crate) struct Options {
    /// Files, folders with -r, https://…, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Take folders, with all that is in them
    #[arg(short, long)]
    recursive: bool,

    /// Take what has a name that begins with a dot, too
    #[arg(long)]
    hidden: bool,

    /// Put what is added into a new folder, under the last names of its paths
    #[arg(short, long)]
    wrap: bool,

    /// Cut files into pieces of this size, at most 1MiB, with 1024 to a node; the CID is another then
    #[arg(long, value_name = "SIZE", value_parser = quantity::bytes)]
    chunk_size: Option<u64>,

    /// Leave it to `homestar gc` to take it away again
    #[arg(long)]
    no_pin: bool,

    /// Print the CIDs alone, and of what was named here only
    #[arg(short, long, conflicts_with = "json")]
    quiet: bool,

    #[command(flatten)]
    pub(crate) common: Common,
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    let data = options.common.data()?;
    let source = source(&data)?;
    let mut importer = Importer::new(&**source.store(), options.import()?);
    let mut telling = Telling::new(options);
    let mut added = Vec::new();
    for path in &options.paths {
        telling.root.clone_from(path);
        let entry = options.add(&data, &mut importer, path, &mut telling)?;
        added.push((path.clone(), entry));
    }
    if options.wrap {
        let folder = options.wrapped(&mut importer, &added)?;
        if !options.quiet {
            let inner = added.iter();
            inner.for_each(|(path, entry)| telling.tell(path, entry));
        }
        added = vec![(PathBuf::new(), folder)];
    }
    let finished = importer.finish();
    finished.map_err(|error| options.failed(Path::new("the store"), error))?;
    for (_, entry) in &added {
        if !options.no_pin {
            keep(source, &entry.cid)?;
        }
    }
    for (path, entry) in &added {
        telling.tell(path, entry);
    }
    telling.fault.map_or(Ok(()), Err)
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

    fn add(
        &self,
        data: &Data,
        importer: &mut Importer<'_>,
        path: &Path,
        watch: &mut dyn Watch,
    ) -> Result<Entry, CommandError> {
        let added = match path.to_str() {
            Some("-") => importer.stream(&mut io::stdin().lock(), path, watch),
            Some(url) if DownloadUrl::is_meant(url) => {
                let url = url.parse().map_err(CommandError::usage)?;
                importer.url(data.downloads(&url)?, &url, DOWNLOAD_BYTES_MAX, watch)
            }
            _ => importer.path(path, path, watch),
        };
        added.map_err(|error| self.failed(path, error))
    }

    /// Puts what was added into a folder.
    fn wrapped(
        &self,
        importer: &mut Importer<'_>,
        added: &[(PathBuf, Entry)],
    ) -> Result<Entry, CommandError> {
        let named = added.iter().map(|(path, entry)| match name(path) {
            Some(name) => Ok((name, *entry)),
            None => {
                let words = format!("{} has no name to be put into a folder by", shown(path));
                Err(CommandError::usage(words))
            }
        });
        let wrapped = importer.wrap(named.collect::<Result<Vec<_>, _>>()?);
        wrapped.map_err(|error| not_added("can't make the folder".to_owned(), error))
    }

    fn failed(&self, path: &Path, error: ImportError) -> CommandError {
        let is_folder = !self.recursive && path.is_dir();
        let error = not_added(format!("can't add {}", shown(path)), error);
        match is_folder {
            true => error.hint("`-r` takes folders"),
            false => error,
        }
    }
}

/// Returns the last name of a path or of a URL.
fn name(path: &Path) -> Option<String> {
    match path.to_str()? {
        "-" => None,
        url if DownloadUrl::is_meant(url) => {
            let url: DownloadUrl = url.parse().ok()?;
            url.file_name().map(str::to_owned)
        }
        _ => Some(path.file_name()?.to_str()?.to_owned()),
    }
}

/// Links of a node where pieces have a size of their own: what other programs use with pieces of 1 MiB.
const LINKS: usize = 1024;

/// Tells what was added, and on a terminal how far it has come.
struct Telling<'a> {
    options: &'a Options,
    progress: Progress,
    /// What a person named: that is told last.
    root: PathBuf,
    /// Nobody reads what is told.
    fault: Option<CommandError>,
}

impl<'a> Telling<'a> {
    fn new(options: &'a Options) -> Self {
        Self {
            options,
            progress: Progress::new("adding"),
            root: PathBuf::new(),
            fault: None,
        }
    }

    fn tell(&mut self, path: &Path, entry: &Entry) {
        self.progress.clear();
        let (cid, path) = (entry.cid, shown(path));
        let told = match (self.options.common.json, self.options.quiet) {
            (true, _) => print::ok(print::map([
                ("bytes", Ipld::Integer(entry.file_bytes.into())),
                ("cid", Ipld::String(cid.to_string())),
                ("path", Ipld::String(path)),
            ])),
            (false, false) if !path.is_empty() => print::line(&format!("{cid}  {path}")),
            _ => print::line(&cid.to_string()),
        };
        if let Err(error) = told {
            self.fault.get_or_insert(error);
        }
    }
}

impl Watch for Telling<'_> {
    fn expected(&mut self, bytes: u64) {
        self.progress.expected(bytes);
    }

    fn read(&mut self, bytes: u64) {
        self.progress.more(bytes);
    }

    fn added(&mut self, path: &Path, entry: &Entry) {
        if path != self.root && !self.options.quiet && self.fault.is_none() {
            self.tell(path, entry);
        }
    }
}
