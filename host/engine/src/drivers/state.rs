//! The `state` driver: small values that stay after the task, in named buckets.
//!
//! ```text
//! FOLDER/BUCKET/5e884898…   one file per key, named by the key's hash: see `entry.rs`
//!               .totals     how much there is, and the lock of those who write: see `totals.rs`
//!               .new-…      what someone is writing
//! ```
//!
//! Tasks in several processes may use a bucket at once. A value is replaced by renaming, so a reader finds the old or
//! the new one and needs no lock; writers take turns. What was set is on the disk when `set` returns.

mod bucket;
mod entry;
mod totals;
mod types;

use std::path::PathBuf;

use bucket::Bucket;

pub use types::Error;

/// The largest value.
pub const VALUE_BYTES_MAX: usize = 256 << 10;
/// The most that keys and values of a bucket take together.
pub const BUCKET_BYTES_MAX: u64 = 64 << 20;
/// The most keys in a bucket.
pub const KEYS_MAX: u64 = 100_000;
/// The longest name of a bucket or key.
const NAME_BYTES_MAX: usize = 256;

/// A folder of buckets.
#[derive(Clone, Debug)]
pub struct State {
    folder: PathBuf,
}

impl State {
    /// The buckets in `folder`, which is made when the first value is set.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Returns the value of a key.
    pub fn get(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.bucket(bucket)?.get(checked(key)?)
    }

    /// Sets the value of a key.
    pub fn set(&self, bucket: &str, key: &str, value: &[u8]) -> Result<(), Error> {
        let (bucket, key) = (self.bucket(bucket)?, checked(key)?);
        if value.len() > VALUE_BYTES_MAX {
            return Err(Error::TooLarge(VALUE_BYTES_MAX as u64));
        }
        bucket.set(key, value)
    }

    /// Removes a key, if it is there.
    pub fn delete(&self, bucket: &str, key: &str) -> Result<(), Error> {
        self.bucket(bucket)?.delete(checked(key)?)
    }

    /// Returns the keys, in the order of their bytes.
    pub fn list(&self, bucket: &str) -> Result<Vec<String>, Error> {
        self.bucket(bucket)?.list()
    }

    fn bucket(&self, name: &str) -> Result<Bucket, Error> {
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !is_name(name) || !name.bytes().all(is_fine) {
            return Err(Error::Invalid(format!(
                "a bucket's name has 1 to {NAME_BYTES_MAX} letters, digits, `-`, `_` and `.`"
            )));
        }
        Ok(Bucket::new(&self.folder, name))
    }
}

fn checked(key: &str) -> Result<&str, Error> {
    if is_name(key) {
        Ok(key)
    } else {
        let words = format!("a key's name has 1 to {NAME_BYTES_MAX} bytes");
        Err(Error::Invalid(words))
    }
}

fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
}

#[cfg(test)]
mod tests;
