//! Keys on disk: a folder that the user alone may enter, a file per key.
//!
//! `NAME.key` has three lines: which format this is, what the key is for, and the private or secret bytes in
//! hexadecimal.
//!
//! ```text
//! homestar key 1
//! ed25519
//! 9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60
//! ```
//!
//! A file appears whole or not at all, is never changed, and a taken name is not taken away.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

use super::key::Key;
use super::types::{self, Algorithm};

/// First line of a key's file.
const FORMAT: &str = "homestar key 1";
/// Ending of a key's file.
const ENDING: &str = ".key";
/// The longest name.
const NAME_BYTES_MAX: usize = 64;
/// The largest key has 1024 bytes, so a file longer than this is none.
const FILE_BYTES_MAX: u64 = 4096;

/// A folder of kept keys.
#[derive(Clone, Debug)]
pub struct Kept {
    folder: PathBuf,
}

impl Kept {
    /// The keys in `folder`, which is made when the first one is kept.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Returns the key of that name, if there is one.
    pub fn load(&self, name: &str) -> Result<Option<Key>, KeptError> {
        if !is_name(name) {
            return Ok(None);
        }
        let path = self.path(name);
        match open(&path) {
            Ok(file) => read(&path, file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(KeptError::Io { path, source }),
        }
    }

    /// Keeps `key` under `name`, unless that is another's.
    pub fn keep(&self, name: &str, key: &Key) -> Result<(), KeptError> {
        if !is_name(name) {
            return Err(KeptError::Name(name.into()));
        }
        let path = self.path(name);
        let failed = |source| KeptError::Io {
            path: path.clone(),
            source,
        };
        if self.write(&path, key).map_err(failed)? {
            return Ok(());
        }
        match self.load(name)? {
            Some(there) if there == *key => Ok(()),
            _ => Err(KeptError::Taken(name.into())),
        }
    }

    /// Removes the key of that name. Returns whether there was one.
    pub fn remove(&self, name: &str) -> Result<bool, KeptError> {
        if !is_name(name) {
            return Ok(false);
        }
        let path = self.path(name);
        match fs::remove_file(&path).and_then(|()| self.sync()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(KeptError::Io { path, source }),
        }
    }

    /// Returns the names of all keys, sorted. Other files in the folder are left alone.
    pub fn list(&self) -> Result<Vec<String>, KeptError> {
        let failed = |source| KeptError::Io {
            path: self.folder.clone(),
            source,
        };
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let file = entry.map_err(failed)?.file_name();
            let name = file.to_str().and_then(|file| file.strip_suffix(ENDING));
            names.extend(name.filter(|name| is_name(name)).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}{ENDING}"))
    }

    /// Writes a key's file. Returns false if there is one by now.
    fn write(&self, path: &Path, key: &Key) -> io::Result<bool> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        // A temporary file has the mode 0600 from its beginning, and a name that begins with a dot.
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(text(key).as_bytes())?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(path) {
            Ok(_) => self.sync().map(|()| true),
            Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(failed) => Err(failed.error),
        }
    }

    /// Has the disk know what the folder holds.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

/// Opens a key's file, which is no link to elsewhere.
fn open(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    fs::OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
}

fn is_name(name: &str) -> bool {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(is_fine)
        && !name.starts_with('.')
}

fn text(key: &Key) -> Zeroizing<String> {
    let algorithm = key.algorithm();
    let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX as usize));
    text.push_str(&format!("{FORMAT}\n{algorithm}\n"));
    for byte in key.private() {
        for digit in [byte >> 4, byte & 0xf] {
            text.extend(char::from_digit(digit.into(), 16));
        }
    }
    text.push('\n');
    text
}

fn read(path: &Path, file: File) -> Result<Key, KeptError> {
    let failed = |source| KeptError::Io {
        path: path.to_owned(),
        source,
    };
    if file.metadata().map_err(failed)?.mode() & 0o077 != 0 {
        return Err(KeptError::Open(path.to_owned()));
    }
    let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX as usize));
    file.take(FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(failed)?;
    parse(&text).ok_or_else(|| KeptError::Foreign(path.to_owned()))
}

fn parse(text: &str) -> Option<Key> {
    let (format, rest) = text.split_once('\n')?;
    let (algorithm, digits) = rest.split_once('\n')?;
    let digits = digits.strip_suffix('\n')?.as_bytes();
    if format != FORMAT || !digits.len().is_multiple_of(2) {
        return None;
    }
    let algorithm = Algorithm::ALL
        .into_iter()
        .find(|known| known.name() == algorithm)?;
    let mut private = Zeroizing::new(Vec::with_capacity(digits.len() / 2));
    for pair in digits.chunks_exact(2) {
        private.push(digit(pair[0])? << 4 | digit(pair[1])?);
    }
    Key::new(algorithm, private).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// A key can't be kept or found.
#[derive(Debug, Error)]
pub enum KeptError {
    /// The name can't be one.
    #[error(
        "`{0}` can't name a key: a name has 1 to {NAME_BYTES_MAX} letters, digits, `-`, `_` or `.`, and begins with no `.`"
    )]
    Name(String),
    /// The name is another key's.
    #[error("a key named `{0}` is kept already, and is another")]
    Taken(String),
    /// Others may read or change the file.
    #[error("others may read or change the key {path}; `chmod 600 {path}` closes it", path = .0.display())]
    Open(PathBuf),
    /// The file holds no key.
    #[error("{} holds no key that this version reads", .0.display())]
    Foreign(PathBuf),
    /// The disk failed, or it is another's folder.
    #[error("can't use {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl From<KeptError> for types::Error {
    /// Guests learn what failed, and not where on the host's disk.
    fn from(error: KeptError) -> Self {
        match error {
            KeptError::Taken(_) => Self::Taken,
            KeptError::Name(_) => Self::Failed(error.to_string()),
            KeptError::Open(_) => Self::Failed("others may read or change the kept key".into()),
            KeptError::Foreign(_) => Self::Failed("the kept key's file holds no key".into()),
            KeptError::Io { source, .. } => {
                Self::Failed(format!("the host's disk failed: {}", source.kind()))
            }
        }
    }
}

#[cfg(test)]
mod tests;
