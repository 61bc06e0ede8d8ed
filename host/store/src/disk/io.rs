//! The files of a store, behind a trait, so that tests can put a disk under it that crashes.

use std::collections::hash_map::RandomState;
use std::fmt::Debug;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// What a store asks of the system: files in a few folders.
///
/// Paths are those that the store was opened with. [`Os`] is the system itself.
pub trait Io: Send + Sync + Debug {
    /// Opens a file.
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn IoFile>>;

    /// Returns how long a file is, without opening it: SQLite's locks on a file end when anybody in the process closes it.
    fn len(&self, path: &Path) -> io::Result<u64>;

    /// Creates a folder with all above it, if it isn't there.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Lists the files and folders in a folder.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes a folder with all in it.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;

    /// Gives a file or folder another name, in the place of a file that has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes durable which files are in a folder.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// A number that nobody had before.
    fn unique(&self) -> u64;

    /// The name of the SQLite VFS that reaches the same files, if it isn't the system's. SQLite then keeps one
    /// connection, which has the index for itself.
    fn vfs(&self) -> Option<&str> {
        None
    }
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// To read. It must be there.
    Read,
    /// To read and write. It must be there.
    Write,
    /// To read and write. It is created if it isn't there.
    Create,
    /// To read and write. It must not be there.
    CreateNew,
}

/// An open file.
#[expect(
    clippy::len_without_is_empty,
    reason = "nobody asks whether a file is empty"
)]
pub trait IoFile: Send + Sync + Debug {
    /// Reads some bytes; none at the end.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of the bytes.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Returns how long the file is.
    fn len(&self) -> io::Result<u64>;

    /// Cuts the file, or makes it longer.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes everything durable that was written to the file.
    fn sync(&self) -> io::Result<()>;

    /// Locks the file for whoever opened it, until it is closed. Returns false if others have it locked and waiting
    /// wasn't asked for.
    fn lock(&self, lock: Lock) -> io::Result<bool>;

    /// True while the file has its name: it wasn't removed.
    fn is_linked(&self) -> io::Result<bool>;
}

/// A lock on a file, between all who opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Several may have it; waits for it.
    Shared,
    /// One may have it; waits for it.
    Exclusive,
    /// One may have it; doesn't wait.
    TryExclusive,
    /// Several may have it; doesn't wait.
    TryShared,
    /// None any more.
    Unlock,
}

/// The system's files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Os;

impl Io for Os {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn IoFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(mode != Mode::Read).mode(0o600);
        match mode {
            Mode::Read | Mode::Write => {}
            Mode::Create => drop(options.create(true)),
            Mode::CreateNew => drop(options.create_new(true)),
        }
        Ok(Box::new(OsFile(options.open(path)?)))
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .collect()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn unique(&self) -> u64 {
        // Hash maps get their keys from the system's source of randomness.
        RandomState::new().build_hasher().finish()
    }
}

#[derive(Debug)]
struct OsFile(File);

impl IoFile for OsFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn lock(&self, lock: Lock) -> io::Result<bool> {
        let operation = match lock {
            Lock::Shared => FlockOperation::LockShared,
            Lock::Exclusive => FlockOperation::LockExclusive,
            Lock::TryExclusive => FlockOperation::NonBlockingLockExclusive,
            Lock::TryShared => FlockOperation::NonBlockingLockShared,
            Lock::Unlock => FlockOperation::Unlock,
        };
        loop {
            match flock(&self.0, operation) {
                Ok(()) => return Ok(true),
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(false),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn is_linked(&self) -> io::Result<bool> {
        Ok(self.0.metadata()?.nlink() > 0)
    }
}
