//! Files and folders into the store, from the disk and from elsewhere.
//!
//! Hashing is what importing costs, so large files are hashed on all cores:
//!
//! ```text
//! read ─ chunks, in turn ─→ hash, stage ─┐
//!                       └─→ hash, stage ─┴─ leaves, in turn ─→ Tree ─ nodes ─→ stage
//! ```
//!
//! Each arrow is a queue of a few chunks, so memory stays the same however large a file is. A file is what was read of
//! it: one that somebody writes to meanwhile is a mixture, and its CID names that mixture.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::num::NonZero;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use homestar_core::ipld::{Buffer, Buffers};
use homestar_core::unixfs::{
    DirectoryError, DirectoryWriter, Entry, FileWriter, Layout, Tree, symlink,
};
use homestar_net::{DownloadUrl, Downloads, Fault};
use homestar_store::{Store, StoreError};
use rustix::fs::OFlags;
use thiserror::Error;

use crate::staging::Staging;

/// What is read at once of a file that is small, in bytes.
const READ_BYTES: usize = 256 << 10;

/// Files of so many bytes are hashed on all cores. Below, starting threads costs more than it gains.
const LARGE_BYTES: u64 = 4 << 20;

/// Chunks that wait for each hashing thread.
const QUEUE: usize = 4;

/// Chunks that were put and whose memory is used again: about what a store makes durable at once.
const BUFFERS_MAX: usize = 64;

/// Hashing threads at most: beyond that, reading is what one waits for.
const THREADS_MAX: usize = 8;

/// Folders within folders. Nobody makes more by hand, and each is a call of a function.
pub(crate) const DEPTH_MAX: usize = 256;

/// How files and folders are imported.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImportOptions {
    /// How files are cut. The default is what `ipfs add --cid-version 1` does.
    pub layout: Layout,
    /// Whether folders are taken, with all that is in them.
    pub recursive: bool,
    /// Whether that goes for what has a name with a dot in front, too.
    pub hidden: bool,
}

/// Is told how an import goes.
pub trait Watch {
    /// So many bytes are to be read of something that was asked for by itself.
    fn expected(&mut self, _bytes: u64) {}

    /// So many bytes more were read.
    fn read(&mut self, _bytes: u64) {}

    /// A file, folder or symbolic link is in the store. What is in a folder comes before the folder.
    fn added(&mut self, _path: &Path, _entry: &Entry) {}
}

impl Watch for () {}

/// Imports into a store. What was imported is durable after [`Importer::finish`]. Until somebody pins it or lets
/// something lead to it, it is garbage: hold a session of the store.
#[derive(Debug)]
pub struct Importer<'a> {
    store: &'a dyn Store,
    options: ImportOptions,
    staging: Staging<'a>,
}

impl<'a> Importer<'a> {
    /// Imports nothing so far.
    pub fn new(store: &'a dyn Store, options: ImportOptions) -> Self {
        Self {
            store,
            options,
            staging: Staging::new(store),
        }
    }

    /// Imports what a path names: a file, a folder with all that is in it, or a symbolic link, which is not followed.
    /// `name` is how it is called to `watch`.
    pub fn path(
        &mut self,
        path: &Path,
        name: &Path,
        watch: &mut dyn Watch,
    ) -> Result<Entry, ImportError> {
        self.any(path, name, 0, watch)
    }

    /// Imports what can be read, as a file.
    pub fn stream(
        &mut self,
        input: &mut dyn Read,
        name: &Path,
        watch: &mut dyn Watch,
    ) -> Result<Entry, ImportError> {
        let entry = self.in_turn(input, name, watch)?;
        watch.added(name, &entry);
        Ok(entry)
    }

    /// Imports a file as it is downloaded, of which there may be `bytes_max` bytes. Its name to `watch` is the URL.
    pub fn url(
        &mut self,
        downloads: &Downloads,
        url: &DownloadUrl,
        bytes_max: u64,
        watch: &mut dyn Watch,
    ) -> Result<Entry, ImportError> {
        let mut download = downloads.get(url, bytes_max)?;
        if let Some(bytes) = download.length() {
            watch.expected(bytes);
        }
        let name = PathBuf::from(url.to_string());
        let entry = self.in_turn(&mut download, &name, watch);
        let entry = entry.map_err(|error| match error {
            ImportError::Unreadable { source, path } => match source.downcast() {
                Ok(fault) => ImportError::Download(Box::new(fault)),
                Err(source) => ImportError::Unreadable { source, path },
            },
            error => error,
        })?;
        watch.added(&name, &entry);
        Ok(entry)
    }

    /// Puts entries into a folder that is on no disk.
    pub fn wrap(
        &mut self,
        entries: impl IntoIterator<Item = (String, Entry)>,
    ) -> Result<Entry, ImportError> {
        let mut directory = DirectoryWriter::new();
        for (name, entry) in entries {
            let path = PathBuf::from(&name);
            let added = directory.add(&name, entry);
            added.map_err(|source| ImportError::Directory { path, source })?;
        }
        let staging = &mut self.staging;
        Ok(directory.finish(&mut |block| staging.push(block))?)
    }

    /// Waits until everything is durable.
    pub fn finish(mut self) -> Result<(), ImportError> {
        Ok(self.staging.flush()?)
    }

    fn any(
        &mut self,
        path: &Path,
        name: &Path,
        depth: usize,
        watch: &mut dyn Watch,
    ) -> Result<Entry, ImportError> {
        let kind = fs::symlink_metadata(path).map_err(unreadable(path))?;
        let kind = kind.file_type();
        let entry = if kind.is_dir() {
            self.folder(path, name, depth, watch)?
        } else if kind.is_symlink() {
            self.link(path)?
        } else if kind.is_file() {
            self.file(path, depth, watch)?
        } else {
            return Err(special(path, kind));
        };
        watch.added(name, &entry);
        Ok(entry)
    }

    fn folder(
        &mut self,
        path: &Path,
        name: &Path,
        depth: usize,
        watch: &mut dyn Watch,
    ) -> Result<Entry, ImportError> {
        if !self.options.recursive {
            return Err(ImportError::Folder(path.to_owned()));
        }
        if depth == DEPTH_MAX {
            return Err(ImportError::TooDeep(path.to_owned()));
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(path).map_err(unreadable(path))? {
            let entry = entry.map_err(unreadable(path))?;
            let name = entry.file_name();
            let name = name
                .into_string()
                .map_err(|_| ImportError::NotUtf8(entry.path()))?;
            if self.options.hidden || !name.starts_with('.') {
                names.push(name);
            }
        }
        // A disk gives them in any order, and what is printed should be the same everywhere.
        names.sort_unstable();
        let mut directory = DirectoryWriter::new();
        for entry_name in names {
            let below = path.join(&entry_name);
            let entry = self.any(&below, &name.join(&entry_name), depth + 1, watch)?;
            let added = directory.add(&entry_name, entry);
            added.map_err(|source| ImportError::Directory {
                path: below,
                source,
            })?;
        }
        let staging = &mut self.staging;
        Ok(directory.finish(&mut |block| staging.push(block))?)
    }

    fn link(&mut self, path: &Path) -> Result<Entry, ImportError> {
        let target = fs::read_link(path).map_err(unreadable(path))?;
        let target = target.into_os_string().into_string();
        let target = target.map_err(|_| ImportError::NotUtf8(path.to_owned()))?;
        let (entry, block) = symlink(&target).map_err(|source| ImportError::Directory {
            path: path.to_owned(),
            source,
        })?;
        self.staging.push(block)?;
        Ok(entry)
    }

    fn file(
        &mut self,
        path: &Path,
        depth: usize,
        watch: &mut dyn Watch,
    ) -> Result<Entry, ImportError> {
        // Something else may be there by now, which must be neither followed nor waited for.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(path)
            .map_err(unreadable(path))?;
        let metadata = file.metadata().map_err(unreadable(path))?;
        if !metadata.is_file() {
            return Err(special(path, metadata.file_type()));
        }
        if depth == 0 {
            watch.expected(metadata.len());
        }
        match metadata.len() < LARGE_BYTES {
            true => self.in_turn(&mut file, path, watch),
            false => self.on_all_cores(file, path, watch),
        }
    }

    fn in_turn(
        &mut self,
        input: &mut dyn Read,
        path: &Path,
        watch: &mut dyn Watch,
    ) -> Result<Entry, ImportError> {
        let mut writer = FileWriter::new(self.options.layout);
        let staging = &mut self.staging;
        let mut put = |block| staging.push(block);
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let length = match input.read(&mut buffer) {
                Ok(0) => return Ok(writer.finish(&mut put)?),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(unreadable(path)(error)),
            };
            writer.write(&buffer[..length], &mut put)?;
            watch.read(length as u64);
        }
    }

    fn on_all_cores(
        &mut self,
        mut file: File,
        path: &Path,
        watch: &mut dyn Watch,
    ) -> Result<Entry, ImportError> {
        let (layout, store) = (self.options.layout, self.store);
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let threads = threads.min(THREADS_MAX);
        let staging = &mut self.staging;
        let mut put = |block| staging.push(block);
        thread::scope(|scope| {
            let hashers: Vec<_> = (0..threads)
                .map(|_| {
                    let (chunks, to_hash) = mpsc::sync_channel(QUEUE);
                    let (hashed, leaves) = mpsc::sync_channel(QUEUE);
                    scope.spawn(move || hash(&layout, store, &to_hash, &hashed));
                    (chunks, leaves)
                })
                .collect();
            let buffers = Buffers::new(BUFFERS_MAX);
            let mut tree = Tree::new(&layout);
            // The leaves that are being hashed, in the order of the file.
            let mut flights: VecDeque<usize> = VecDeque::new();
            let land = |at: usize| -> Result<Entry, ImportError> {
                match hashers[at].1.recv() {
                    Ok(leaf) => Ok(leaf?),
                    Err(_) => Err(ImportError::Ended),
                }
            };
            let mut has_ended = false;
            for turn in (0..threads).cycle() {
                let chunk = buffers.take(layout.chunk_bytes());
                let chunk = read_chunk(&mut file, chunk).map_err(unreadable(path))?;
                let length = chunk.len();
                if length > 0 {
                    if flights.len() == threads * QUEUE {
                        let first = flights.pop_front().unwrap_or(turn);
                        tree.push(land(first)?, &mut put)?;
                    }
                    has_ended = hashers[turn].0.send(chunk).is_err();
                    if has_ended {
                        // It says why in the place of a leaf, which is among those that are still to come.
                        break;
                    }
                    flights.push_back(turn);
                    watch.read(length as u64);
                }
                if length < layout.chunk_bytes() {
                    break;
                }
            }
            for at in flights {
                tree.push(land(at)?, &mut put)?;
            }
            match has_ended {
                true => Err(ImportError::Ended),
                false => Ok(tree.finish(&mut put)?),
            }
        })
    }
}

/// Makes leaves of chunks, in their order, until there are no more. Blocks are staged before their leaf is handed on.
fn hash(
    layout: &Layout,
    store: &dyn Store,
    chunks: &Receiver<Buffer>,
    leaves: &SyncSender<Result<Entry, StoreError>>,
) {
    for chunk in chunks {
        let (leaf, block) = layout.leaf(chunk);
        let staged = store.stage(&[block]).map(|()| leaf);
        let is_over = staged.is_err();
        if leaves.send(staged).is_err() || is_over {
            return;
        }
    }
}

/// Fills a chunk, which is shorter only at the end of the file.
fn read_chunk(file: &mut File, mut chunk: Buffer) -> io::Result<Buffer> {
    let mut filled = 0;
    while filled < chunk.len() {
        match file.read(&mut chunk[filled..]) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    chunk.truncate(filled);
    Ok(chunk)
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> ImportError {
    let path = path.to_owned();
    move |source| ImportError::Unreadable { path, source }
}

fn special(path: &Path, kind: fs::FileType) -> ImportError {
    let what = if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else {
        "neither a file nor a folder any more"
    };
    let path = path.to_owned();
    ImportError::Special { path, what }
}

/// Why something can't be imported.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It can't be read.
    #[error("can't read {}", .path.display())]
    Unreadable {
        /// What.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It doesn't come, or not whole.
    #[error(transparent)]
    Download(#[from] Box<Fault>),
    /// It is a folder, and folders weren't asked for.
    #[error("{} is a folder", .0.display())]
    Folder(PathBuf),
    /// It is neither a file nor a folder nor a symbolic link.
    #[error("{} is {what}, which has no content to be named by", .path.display())]
    Special {
        /// What.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Folders lie within each other too deeply.
    #[error("{} lies in more than {DEPTH_MAX} folders", .0.display())]
    TooDeep(PathBuf),
    /// Names and targets of links are texts in UnixFS.
    #[error("the name or the target of {} is not UTF-8", .0.display())]
    NotUtf8(PathBuf),
    /// It can't stand in a directory.
    #[error("{} can't be put into a directory", .path.display())]
    Directory {
        /// What.
        path: PathBuf,
        /// Why not.
        source: DirectoryError,
    },
    /// The store can't take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A thread that hashes has ended early.
    #[error("a thread that hashes has ended early")]
    Ended,
}
