//! Content for a command that may need it: the store is opened when somebody asks for something in it.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use homestar_core::ipld::{Block, Cid};
use homestar_engine::{Blocks, BlocksError};
use homestar_node::{
    Believed, Content, ContentPath, DownloadUrl, Downloads, DownloadsSettings, Elsewhere,
    ImportError, ImportOptions, Importer, Source, Way, What,
};

use crate::error::{Caused, CommandError};
use crate::print;
use crate::progress::Progress;

/// The most bytes that a download may have, unless less will do.
pub(crate) const DOWNLOAD_BYTES_MAX: u64 = 64 << 30;

/// What opens the store.
type Open = Box<dyn Fn() -> Result<Opened, CommandError> + Send + Sync>;

/// A store, and whom to ask for what isn't in it.
pub(crate) struct Opened {
    pub(crate) source: Arc<Source>,
    /// Who is asked for receipts.
    pub(crate) ways: Vec<Way>,
}

impl From<Arc<Source>> for Opened {
    fn from(source: Arc<Source>) -> Self {
        Self {
            source,
            ways: Vec::new(),
        }
    }
}

/// Content that a command may need.
pub(crate) struct Data {
    open: Open,
    content: OnceLock<Result<Content, CommandError>>,
    /// Who is asked for receipts, until somebody takes them.
    ways: Mutex<Vec<Way>>,
    /// None if nobody is to be asked.
    downloading: Option<DownloadsSettings>,
    downloads: OnceLock<Result<Downloads, CommandError>>,
    /// What URLs gave: within one command they mean the same.
    downloaded: Mutex<HashMap<DownloadUrl, Cid>>,
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Data").field(&self.content).finish()
    }
}

impl Data {
    pub(crate) fn new(
        open: impl Fn() -> Result<Opened, CommandError> + Send + Sync + 'static,
        downloading: Option<DownloadsSettings>,
    ) -> Self {
        Self {
            open: Box::new(open),
            content: OnceLock::new(),
            ways: Mutex::default(),
            downloading,
            downloads: OnceLock::new(),
            downloaded: Mutex::default(),
        }
    }

    fn try_content(&self) -> &Result<Content, CommandError> {
        self.content.get_or_init(|| {
            let opened = (self.open)()?;
            *self.ways.lock().unwrap_or_else(PoisonError::into_inner) = opened.ways;
            Content::new(opened.source).map_err(CommandError::host)
        })
    }

    /// Returns whom to ask for receipts of those who are believed, if there is anybody of either kind. The first time only.
    pub(crate) fn elsewhere(&self, believed: Believed) -> Result<Option<Elsewhere>, CommandError> {
        let source = Arc::clone(self.content()?.source());
        let mut ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        let ways = std::mem::take(&mut *ways);
        let is_of_use = !believed.is_nobody() && !ways.is_empty();
        Ok(is_of_use.then(|| Elsewhere::new(believed, source, ways)))
    }

    /// Returns the content, and opens the store if nobody did yet.
    pub(crate) fn content(&self) -> Result<&Content, CommandError> {
        self.try_content().as_ref().map_err(CommandError::again)
    }

    /// Returns the content if somebody needed it.
    pub(crate) fn opened(&self) -> Option<&Content> {
        self.content.get()?.as_ref().ok()
    }

    /// Returns what lies at the end of a path.
    pub(crate) fn resolve(&self, path: &ContentPath) -> Result<Cid, CommandError> {
        let content = self.content()?;
        let cid = content.source().resolve(path);
        let cid = cid.map_err(|error| unread(format!("can't find {path}"), error))?;
        content.hold(&[cid]).map_err(CommandError::host)?;
        Ok(cid)
    }

    /// Puts into the store what a URL gives, of which there may be `bytes_max` bytes, and returns its name. Says on
    /// standard error what that is, since the URL may give something else the next time. Within one command, the first
    /// time is the only one.
    pub(crate) fn download(&self, url: &DownloadUrl, bytes_max: u64) -> Result<Cid, CommandError> {
        let mut downloaded = self
            .downloaded
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(cid) = downloaded.get(url) {
            return Ok(*cid);
        }
        let downloads = self.downloads(url)?;
        let mut progress = Progress::new(format!("downloading {url}"));
        let cid = self.add(&url.to_string(), |importer| {
            let entry = importer.url(downloads, url, bytes_max, &mut progress);
            entry.map(|entry| entry.cid)
        })?;
        progress.clear();
        print::note(&format!("{url} is {cid}"));
        downloaded.insert(url.clone(), cid);
        Ok(cid)
    }

    /// Returns what downloads, unless nobody is to be asked.
    pub(crate) fn downloads(&self, url: &DownloadUrl) -> Result<&Downloads, CommandError> {
        let Some(settings) = &self.downloading else {
            let error =
                CommandError::input(format!("can't ask for {url}: nobody is asked offline"));
            return Err(error.hint("without `--offline` it is downloaded; a CID names content that may be in the store"));
        };
        let made = || Downloads::new(settings).map_err(CommandError::input);
        let downloads = self.downloads.get_or_init(made).as_ref();
        downloads.map_err(CommandError::again)
    }

    /// Returns all bytes of what a URL gives, of which there may be `bytes_max`.
    pub(crate) fn read_url(
        &self,
        url: &DownloadUrl,
        bytes_max: u64,
    ) -> Result<Vec<u8>, CommandError> {
        let cid = self.download(url, bytes_max)?;
        self.read(&cid.into(), bytes_max)
    }

    /// Returns all bytes of the file at the end of a path, of which there may be `bytes_max`.
    pub(crate) fn read(&self, path: &ContentPath, bytes_max: u64) -> Result<Vec<u8>, CommandError> {
        let cid = self.resolve(path)?;
        let source = self.content()?.source();
        let failed = |error| unread(format!("can't read {path}"), error);
        let mut bytes = Vec::new();
        let mut stream = source.open(&cid, 0..u64::MAX);
        loop {
            let chunk = stream.chunk().map_err(failed)?;
            if chunk.is_empty() {
                return Ok(bytes);
            }
            bytes.extend_from_slice(chunk);
            if bytes.len() as u64 > bytes_max {
                let mebibytes = bytes_max >> 20;
                let words = format!("{path} has more than {mebibytes} MiB");
                return Err(CommandError::input(words));
            }
        }
    }

    /// Puts a file or a folder into the store and returns its name.
    pub(crate) fn add_path(&self, path: &Path) -> Result<Cid, CommandError> {
        self.add(&path.display().to_string(), |importer| {
            importer.path(path, path, &mut ()).map(|entry| entry.cid)
        })
    }

    /// Puts standard input into the store and returns its name.
    pub(crate) fn add_stdin(&self) -> Result<Cid, CommandError> {
        self.add("standard input", |importer| {
            importer
                .stream(&mut io::stdin().lock(), Path::new("-"), &mut ())
                .map(|entry| entry.cid)
        })
    }

    fn add(
        &self,
        name: &str,
        add: impl FnOnce(&mut Importer<'_>) -> Result<Cid, ImportError>,
    ) -> Result<Cid, CommandError> {
        let store = self.content()?.source().store();
        let options = ImportOptions {
            recursive: true,
            ..ImportOptions::default()
        };
        let mut importer = Importer::new(&**store, options);
        let failed = |error| {
            let words = match &error {
                ImportError::Download(_) => format!("can't download {name}"),
                _ => format!("can't put {name} into the store"),
            };
            not_added(words, error)
        };
        let cid = add(&mut importer).map_err(failed)?;
        importer.finish().map_err(failed)?;
        Ok(cid)
    }
}

impl Data {
    /// Writes content to `path`: a file, or a folder with all that is in it. A file that is there is replaced.
    pub(crate) fn export(&self, cid: &Cid, path: &Path) -> Result<(), CommandError> {
        let source = self.content()?.source();
        let exported = homestar_node::export(source, cid, path, true, &mut |_| {});
        let exported = exported.map_err(|error| {
            let words = format!("can't write {cid} to {}", path.display());
            CommandError::input(Caused::new(words, error))
        });
        exported.map(drop)
    }
}

/// Returns why something couldn't be put into the store, with what to do about it.
pub(crate) fn not_added(words: String, error: ImportError) -> CommandError {
    let hint = match &error {
        ImportError::Download(fault) => match &fault.what {
            What::TooMuch { bytes_max } if *bytes_max == DOWNLOAD_BYTES_MAX => {
                Some("more comes through standard input: `curl URL | homestar add -`")
            }
            What::Unreachable(cause) if cause.contains("UnknownIssuer") => {
                Some("`ca` under [https] in homestar.toml names an authority to be trusted")
            }
            What::Redirected { .. } => {
                Some("if it is the place you mean, ask for it by its own URL")
            }
            _ => None,
        },
        _ => None,
    };
    let error = CommandError::input(Caused::new(words, error));
    hint.into_iter().fold(error, CommandError::hint)
}

/// Returns why content couldn't be read, with what to do about it.
pub(crate) fn unread(
    words: String,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> CommandError {
    let error = CommandError::input(Caused::new(words, error));
    match error.message().contains(NOBODY) {
        true => error
            .hint("`--gateway URL`, or `gateways` in homestar.toml, names somebody who is asked"),
        false => error,
    }
}

/// What is said of content that isn't in the store if there is nobody to ask.
const NOBODY: &str = "nobody else is asked";

/// A task opens the store by what it reads or writes.
impl Blocks for Data {
    fn get(&self, cid: &Cid) -> Result<Block, BlocksError> {
        self.for_a_task()?.get(cid)
    }

    fn put(&self, blocks: &[Block]) -> Result<(), BlocksError> {
        self.for_a_task()?.put(blocks)
    }

    fn ahead(&self, cids: &[Cid]) {
        if let Ok(content) = self.try_content() {
            content.ahead(cids);
        }
    }
}

impl Data {
    fn for_a_task(&self) -> Result<&Content, BlocksError> {
        let content = self.try_content().as_ref();
        content.map_err(|error| BlocksError::Host(error.message()))
    }
}
