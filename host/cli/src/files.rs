//! Files that a person names, and standard input.

use std::fs::{self, File};
use std::io::{self, BufRead, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Caused, CommandError};
use crate::print;

/// Most bytes that are read of a file or of standard input, unless said otherwise: as much as a task may
/// return. They are passed by value, in memory several times.
pub(crate) const BYTES_MAX: u64 = 64 << 20;

/// Reads the file at `path`, of which there may be `bytes_max` bytes.
pub(crate) fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, CommandError> {
    let failed = |error| CommandError::input(Caused::new(cannot_read(path), error));
    let file = File::open(path).map_err(failed)?;
    // A folder opens and has a length, and says only when it is read that it is none.
    let expected = file.metadata().map_err(failed)?.len();
    if expected > bytes_max {
        return Err(too_large(path.display(), bytes_max));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or(0));
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > bytes_max {
        return Err(too_large(path.display(), bytes_max));
    }
    Ok(bytes)
}

fn cannot_read(path: &Path) -> String {
    format!("can't read {}", path.display())
}

fn too_large(what: impl std::fmt::Display, bytes_max: u64) -> CommandError {
    let most = match bytes_max >> 20 {
        0 => print::size(bytes_max),
        mebibytes => format!("{mebibytes} MiB"),
    };
    CommandError::input(format!("{what} has more than {most}"))
}

/// Standard input, which can be read once.
#[derive(Debug, Default)]
pub(crate) struct Stdin {
    /// What it was read for.
    taken: Option<String>,
}

impl Stdin {
    /// Lets `purpose` have it, and nothing else afterwards.
    pub(crate) fn take(&mut self, purpose: &str) -> Result<(), CommandError> {
        if let Some(taken) = &self.taken {
            return Err(CommandError::usage(format!(
                "standard input can't be {purpose}: it is {taken} already"
            )));
        }
        self.taken = Some(purpose.to_owned());
        Ok(())
    }

    /// Reads it all, for `purpose`.
    pub(crate) fn read(&mut self, purpose: &str, bytes_max: u64) -> Result<Vec<u8>, CommandError> {
        self.take(purpose)?;
        let mut bytes = Vec::new();
        io::stdin()
            .lock()
            .take(bytes_max + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| {
                CommandError::input(Caused::new("can't read standard input", error))
            })?;
        if bytes.len() as u64 > bytes_max {
            return Err(too_large("standard input", bytes_max));
        }
        Ok(bytes)
    }

    /// Reads the file at `path`, or standard input for `-`.
    pub(crate) fn read_path(&mut self, path: &str, purpose: &str) -> Result<Vec<u8>, CommandError> {
        match path {
            "-" => self.read(purpose, BYTES_MAX),
            path => read(Path::new(path), BYTES_MAX),
        }
    }

    /// Reads what somebody connected to standard input: a file or a pipe, but no terminal and no other
    /// device, since at those nobody may be there to answer.
    pub(crate) fn read_if_given(&mut self, purpose: &str) -> Result<Option<Vec<u8>>, CommandError> {
        if self.taken.is_some() || !is_file_or_pipe() {
            return Ok(None);
        }
        self.read(purpose, BYTES_MAX).map(Some)
    }
}

/// Tells whether what comes by standard input begins as an object in JSON does. Nothing of it is taken.
pub(crate) fn begins_as_json() -> bool {
    // A document of ours begins with at most a few spaces and line breaks.
    let mut stdin = io::stdin().lock();
    let begin = stdin.fill_buf().unwrap_or_default();
    begin.trim_ascii_start().first() == Some(&b'{')
}

fn is_file_or_pipe() -> bool {
    let Ok(stat) = rustix::fs::fstat(io::stdin()) else {
        return false;
    };
    let kind = rustix::fs::FileType::from_raw_mode(stat.st_mode);
    kind.is_file() || kind.is_fifo() || kind.is_socket()
}

/// Writes `bytes` to `path`. A file appears whole or not at all; a device or a pipe is written to.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let written = match fs::metadata(&place) {
        Ok(there) if is_special(&there) => fs::write(&place, bytes),
        there => replace(&place, bytes, there.ok()),
    };
    let words = || format!("can't write {}", path.display());
    written.map_err(|error| CommandError::input(Caused::new(words(), error)))
}

fn is_special(metadata: &fs::Metadata) -> bool {
    let kind = metadata.file_type();
    kind.is_char_device() || kind.is_fifo() || kind.is_block_device() || kind.is_socket()
}

/// Mode of a new file before the user's mask, as of any program.
const NEW_FILE_MODE: u32 = 0o666;

fn replace(path: &Path, bytes: &[u8], there: Option<fs::Metadata>) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut file = tempfile::Builder::new()
        .prefix(".homestar-")
        .permissions(fs::Permissions::from_mode(NEW_FILE_MODE))
        .tempfile_in(folder)
        .map_err(bare)?;
    file.write_all(bytes)?;
    if let Some(there) = there {
        file.as_file().set_permissions(there.permissions())?;
    }
    file.persist(path)?;
    Ok(())
}

/// Returns `error` without the path of a temporary file, of which nobody knows; `tempfile` puts it at the end.
fn bare(error: io::Error) -> io::Error {
    match error.to_string().split_once(" at path ") {
        Some((words, _)) => io::Error::new(error.kind(), words),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        let link = folder.path().join("link");
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        write(&link, b"new").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn what_can_not_be_written_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("no/such/folder"), b"x").unwrap_err();
        write(folder.path(), b"x").unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        write(Path::new("/dev/null"), b"x").unwrap();
    }

    #[test]
    fn more_than_allowed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        fs::write(&path, "12345").unwrap();
        assert!(read(&path, 5).is_ok());
        let error = read(&path, 4).unwrap_err();
        assert!(error.message().ends_with("has more than 4 bytes"));
        assert!(read(folder.path(), 1 << 20).is_err());
    }
}
