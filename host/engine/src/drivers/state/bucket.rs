//! One bucket, as a folder.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::entry::{self, FILE_BYTES_MAX, START_BYTES_MAX};
use super::totals::{self, Totals};
use super::types::Error;
use super::{BUCKET_BYTES_MAX, KEYS_MAX};

/// The longest name of a bucket that is also its folder's.
const READABLE_BYTES_MAX: usize = 100;

/// A bucket. It has a folder once a value was set.
pub(super) struct Bucket {
    folder: PathBuf,
}

impl Bucket {
    /// The bucket of that name. Its folder is called like it, unless no folder may or it could be mistaken for
    /// another's where disks don't tell upper from lower case: then by a `~` and the name's hash.
    pub(super) fn new(folder: &Path, name: &str) -> Self {
        let is_readable = name.len() <= READABLE_BYTES_MAX
            && !name.starts_with('.')
            && !name.ends_with('.')
            && !name.bytes().any(|byte| byte.is_ascii_uppercase());
        let folder = if is_readable {
            folder.join(name)
        } else {
            folder.join(format!("~{}", entry::file_name(name)))
        };
        Self { folder }
    }

    pub(super) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = self.file(key);
        let Some(file) = read(&path, FILE_BYTES_MAX + 1)? else {
            return Ok(None);
        };
        match entry::value(file, key) {
            Some(value) => Ok(Some(value)),
            None => Err(Error::foreign(&path)),
        }
    }

    pub(super) fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        self.create().map_err(|error| self.failed(&error))?;
        self.put(self.lock()?, key, value)
    }

    /// Gives the value of a key to `next`, and sets what it returns if it returns any. Nobody else writes meanwhile.
    pub(super) fn change<R>(
        &self,
        key: &str,
        next: impl FnOnce(Option<Vec<u8>>) -> Result<(Option<Vec<u8>>, R), Error>,
    ) -> Result<R, Error> {
        self.create().map_err(|error| self.failed(&error))?;
        let totals = self.lock()?;
        let (value, result) = next(self.get(key)?)?;
        if let Some(value) = value {
            self.put(totals, key, &value)?;
        }
        Ok(result)
    }

    fn put(&self, mut totals: Totals<'_>, key: &str, value: &[u8]) -> Result<(), Error> {
        let path = self.file(key);
        let content = entry::encode(key, value);
        let before = bytes_of(&path)?;
        totals.keys += u64::from(before.is_none());
        totals.bytes =
            totals.bytes.saturating_sub(before.unwrap_or(0)) + entry::counted(content.len() as u64);
        if totals.keys > KEYS_MAX && before.is_none() {
            return Err(Error::TooLarge(KEYS_MAX));
        }
        if totals.bytes > BUCKET_BYTES_MAX {
            return Err(Error::TooLarge(BUCKET_BYTES_MAX));
        }
        self.write(&path, &content)
            .and_then(|()| totals.save())
            .map_err(|error| Error::disk(&path, &error))
    }

    pub(super) fn delete(&self, key: &str) -> Result<(), Error> {
        let path = self.file(key);
        // Without a file there may be no folder to lock.
        if bytes_of(&path)?.is_none() {
            return Ok(());
        }
        let mut totals = self.lock()?;
        let Some(bytes) = bytes_of(&path)? else {
            return Ok(());
        };
        totals.keys = totals.keys.saturating_sub(1);
        totals.bytes = totals.bytes.saturating_sub(bytes);
        fs::remove_file(&path)
            .and_then(|()| self.sync())
            .and_then(|()| totals.save())
            .map_err(|error| Error::disk(&path, &error))
    }

    pub(super) fn list(&self) -> Result<Vec<String>, Error> {
        let files = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            files => files.map_err(|error| self.failed(&error))?,
        };
        let mut keys = Vec::new();
        for file in files {
            let file = file.map_err(|error| self.failed(&error))?;
            let name = file.file_name();
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            // It may be gone by now.
            let Some(start) = read(&file.path(), START_BYTES_MAX)? else {
                continue;
            };
            let key = name.to_str().and_then(|name| entry::key(&start, name));
            keys.push(key.ok_or_else(|| Error::foreign(&file.path()))?.to_owned());
        }
        keys.sort();
        Ok(keys)
    }

    fn file(&self, key: &str) -> PathBuf {
        self.folder.join(entry::file_name(key))
    }

    fn lock(&self) -> Result<Totals<'_>, Error> {
        Totals::lock(&self.folder).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> Error {
        Error::disk(&self.folder, error)
    }

    /// Makes the bucket's folder, if there is none.
    fn create(&self) -> io::Result<()> {
        if self.folder.is_dir() {
            return Ok(());
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        match self.folder.parent() {
            Some(parent) => File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    }

    /// Writes a file, which appears whole or not at all.
    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(totals::NEW)
            .tempfile_in(&self.folder)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        self.sync()
    }

    /// Has the disk know what the folder holds.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

/// The first bytes of a file, if there is one.
fn read(path: &Path, bytes_max: usize) -> Result<Option<Vec<u8>>, Error> {
    let read = || {
        let mut bytes = Vec::new();
        let file = File::open(path)?;
        file.take(bytes_max as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    if_there(path, read())
}

/// What key and value at `path` take, if they are there.
fn bytes_of(path: &Path) -> Result<Option<u64>, Error> {
    let length = fs::symlink_metadata(path).map(|metadata| metadata.len());
    Ok(if_there(path, length)?.map(entry::counted))
}

fn if_there<T>(path: &Path, found: io::Result<T>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::disk(path, &error)),
    }
}
