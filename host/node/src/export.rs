//! What is in the store, as files and folders.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use homestar_core::ipld::Cid;
use homestar_core::unixfs::{Fault, UnixfsError};
use homestar_net::Scope;
use thiserror::Error;

use crate::follow::Follow;
use crate::import::DEPTH_MAX;
use crate::read::{FileStream, Kind};
use crate::{ReadError, Source};

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Files.
    pub files: u64,
    /// Folders.
    pub folders: u64,
    /// Symbolic links.
    pub links: u64,
    /// Bytes of files.
    pub bytes: u64,
}

/// Writes a file, a folder with all that is in it, or a symbolic link to `path`. `progress` is told how many bytes more
/// were written.
///
/// It appears when it is whole, or not at all: everything is written beside it, under a name that begins with
/// `.homestar-`, and moved when it is there. Nothing is written elsewhere, since names in directories are no paths, and
/// since nothing is written where something is already, a symbolic link least of all. With `force`, a file or a link
/// that is at `path` is replaced; a folder never is.
pub fn export(
    source: &Source,
    cid: &Cid,
    path: &Path,
    force: bool,
    progress: &mut dyn FnMut(u64),
) -> Result<Exported, ExportError> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() => return Err(ExportError::Folder(path.to_owned())),
        Ok(_) if !force => return Err(ExportError::There(path.to_owned())),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(unwritable(path)(error)),
    }
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let place = tempfile::Builder::new()
        .prefix(".homestar-")
        .tempdir_in(parent)
        .map_err(unwritable(parent))?;
    let made = place.path().join("it");
    let mut export = Export {
        follow: Arc::new(source.follow(vec![*cid], Scope::All)),
        exported: Exported::default(),
        progress,
        target: path,
    };
    export.any(cid, &made, 0)?;
    let moved = match force {
        true => fs::rename(&made, path),
        // Somebody may have been faster.
        false => rustix::fs::renameat_with(
            rustix::fs::CWD,
            &made,
            rustix::fs::CWD,
            path,
            rustix::fs::RenameFlags::NOREPLACE,
        )
        .map_err(io::Error::from),
    };
    moved.map_err(unwritable(path))?;
    Ok(export.exported)
}

struct Export<'a> {
    follow: Arc<Follow>,
    exported: Exported,
    progress: &'a mut dyn FnMut(u64),
    /// What a person asked for, for messages.
    target: &'a Path,
}

impl Export<'_> {
    fn any(&mut self, cid: &Cid, place: &Path, depth: usize) -> Result<(), ExportError> {
        let look = self.follow.look(cid)?;
        match look.kind {
            Kind::File => self.file(cid, place),
            Kind::Directory | Kind::Shards => self.folder(cid, place, depth),
            Kind::Symlink => {
                let target = look.target.unwrap_or_default();
                symlink(target, place).map_err(unwritable(self.target))?;
                self.exported.links += 1;
                Ok(())
            }
            _ => {
                let (cid, fault) = (*cid, Fault::NotAFile);
                Err(ReadError::Unixfs(UnixfsError { cid, fault }).into())
            }
        }
    }

    fn file(&mut self, cid: &Cid, place: &Path) -> Result<(), ExportError> {
        let mut file = create(place).map_err(unwritable(self.target))?;
        let mut stream = FileStream::new(Arc::clone(&self.follow), cid, 0..u64::MAX);
        loop {
            let bytes = stream.chunk()?;
            if bytes.is_empty() {
                break;
            }
            io::Write::write_all(&mut file, bytes).map_err(unwritable(self.target))?;
            self.exported.bytes += bytes.len() as u64;
            (self.progress)(bytes.len() as u64);
        }
        self.exported.files += 1;
        Ok(())
    }

    fn folder(&mut self, cid: &Cid, place: &Path, depth: usize) -> Result<(), ExportError> {
        if depth == DEPTH_MAX {
            return Err(ExportError::TooDeep(*cid));
        }
        fs::create_dir(place).map_err(unwritable(self.target))?;
        self.exported.folders += 1;
        let entries = self.follow.list(cid)?;
        for entry in &entries {
            self.any(&entry.cid, &place.join(&entry.name), depth + 1)?;
        }
        Ok(())
    }
}

/// Makes a file where nothing is, not even a link that leads nowhere.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> ExportError {
    let path = path.to_owned();
    move |source| ExportError::Unwritable { path, source }
}

/// Why something wasn't exported.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExportError {
    /// It can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It can't be written.
    #[error("can't write {}", .path.display())]
    Unwritable {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Something is there.
    #[error("{} is there already", .0.display())]
    There(PathBuf),
    /// A folder is there.
    #[error("{} is a folder, and folders are not replaced", .0.display())]
    Folder(PathBuf),
    /// Folders lie within each other too deeply.
    #[error("directory {0} lies in more than {DEPTH_MAX} others")]
    TooDeep(Cid),
}
