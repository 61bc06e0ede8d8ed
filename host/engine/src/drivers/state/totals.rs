//! How much a bucket holds, so that a write needn't look at every file.
//!
//! A file in the bucket's folder holds the totals and when the folder last changed, and is locked by who writes. If
//! the folder has changed since, because a process ended between two steps, a machine lost power or a person removed
//! a file, all is counted again.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use super::entry;

/// The file with the totals, in a bucket's folder.
const FILE: &str = ".totals";
/// What the names of files that are being written begin with.
pub(super) const NEW: &str = ".new-";
/// Length of the file: keys, bytes, and the folder's time in seconds and nanoseconds.
const FILE_BYTES: usize = 4 * 8;

/// The totals of a bucket, and the right to write to it. The lock ends with the file.
pub(super) struct Totals<'a> {
    folder: &'a Path,
    file: File,
    /// How many keys there are.
    pub(super) keys: u64,
    /// How many bytes keys and values have together.
    pub(super) bytes: u64,
}

impl<'a> Totals<'a> {
    /// Waits until no other task writes to the bucket.
    pub(super) fn lock(folder: &'a Path) -> io::Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join(FILE))?;
        file.lock()?;
        let mut numbers = [0; FILE_BYTES];
        let is_whole = file.read_exact_at(&mut numbers, 0).is_ok();
        let [keys, bytes, seconds, nanoseconds] = decode(&numbers);
        let mut totals = Self {
            folder,
            file,
            keys,
            bytes,
        };
        if !is_whole || [seconds, nanoseconds] != changed(&fs::metadata(folder)?) {
            totals.count()?;
        }
        Ok(totals)
    }

    /// Writes down the totals, after the folder changed.
    pub(super) fn save(&self) -> io::Result<()> {
        let [seconds, nanoseconds] = changed(&fs::metadata(self.folder)?);
        let numbers = [self.keys, self.bytes, seconds, nanoseconds];
        self.file
            .write_all_at(&numbers.map(u64::to_le_bytes).concat(), 0)
    }

    /// Counts, and clears away what was never finished: whoever wrote it held the lock.
    fn count(&mut self) -> io::Result<()> {
        (self.keys, self.bytes) = (0, 0);
        for file in fs::read_dir(self.folder)? {
            let file = file?;
            let name = file.file_name();
            let name = name.as_encoded_bytes();
            if name.starts_with(NEW.as_bytes()) {
                fs::remove_file(file.path())?;
            } else if !name.starts_with(b".") {
                self.keys += 1;
                self.bytes += entry::counted(file.metadata()?.len());
            }
        }
        Ok(())
    }
}

/// When the folder last changed.
fn changed(metadata: &Metadata) -> [u64; 2] {
    [
        metadata.mtime().cast_unsigned(),
        metadata.mtime_nsec().cast_unsigned(),
    ]
}

fn decode(numbers: &[u8; FILE_BYTES]) -> [u64; 4] {
    let (numbers, _) = numbers.as_chunks();
    std::array::from_fn(|at| u64::from_le_bytes(numbers[at]))
}
