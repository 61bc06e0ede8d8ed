//! The `state` driver: small values that stay after the task, in named buckets.
//!
//! ```text
//! FOLDER/BUCKET/5e884898…   one file per key, named by the key's hash: see `entry.rs`
//!               .totals     how much there is, and the lock of those who write: see `totals.rs`
//!               .new-…      what someone is writing
//! ```
//!
//! Tasks in several processes may use a bucket at once. A value is replaced by renaming, so a reader finds the old or
//! the new one and needs no lock; writers take turns, and who makes a value of the one before holds the lock meanwhile.
//! What was set is on the disk when `set` returns.

mod bucket;
mod entry;
mod totals;
mod types;

use std::ops::RangeInclusive;
use std::path::PathBuf;

use bucket::Bucket;
use sha2::{Digest as _, Sha256};

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

    /// Adds to a number that is kept as decimal digits, and returns the sum. A key without a value counts as 0. If the
    /// sum isn't in `range`, nothing changes.
    pub fn increment(
        &self,
        bucket: &str,
        key: &str,
        delta: i128,
        range: RangeInclusive<i128>,
    ) -> Result<i128, Error> {
        let (bucket, key) = (self.bucket(bucket)?, checked(key)?);
        bucket.change(key, |value| {
            let number = match &value {
                Some(digits) => number(digits).ok_or_else(|| no_number(key))?,
                None => 0,
            };
            let sum = number.checked_add(delta);
            let sum = sum.filter(|sum| range.contains(sum));
            let sum = sum.ok_or_else(|| too_far(number, delta))?;
            Ok((Some(sum.to_string().into_bytes()), sum))
        })
    }

    /// Sets the value of a key if it is still the one whose digest is `expected`. If it isn't, nothing changes.
    pub fn swap(
        &self,
        bucket: &str,
        key: &str,
        expected: Option<Digest>,
        value: &[u8],
    ) -> Result<Swap, Error> {
        let (bucket, key) = (self.bucket(bucket)?, checked(key)?);
        if value.len() > VALUE_BYTES_MAX {
            return Err(Error::TooLarge(VALUE_BYTES_MAX as u64));
        }
        bucket.change(key, |found| {
            let found = found.as_deref().map(digest);
            Ok(match found == expected {
                true => (Some(value.to_vec()), Swap::Done),
                false => (None, Swap::Found(found)),
            })
        })
    }

    /// Tells whether a bucket may be called so.
    pub fn names_bucket(name: &str) -> bool {
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        is_name(name) && name.bytes().all(is_fine)
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
        if !Self::names_bucket(name) {
            return Err(Error::Invalid(format!(
                "a bucket's name has 1 to {NAME_BYTES_MAX} letters, digits, `-`, `_` and `.`"
            )));
        }
        Ok(Bucket::new(&self.folder, name))
    }
}

/// SHA-256 of a value, which stands for it where values are compared.
pub type Digest = [u8; 32];

/// Returns the digest of a value.
pub fn digest(value: &[u8]) -> Digest {
    Sha256::digest(value).into()
}

/// What came of a [`State::swap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// The value was set.
    Done,
    /// There was another value, with this digest, or none.
    Found(Option<Digest>),
}

/// A number as [`State::increment`] keeps it.
fn number(digits: &[u8]) -> Option<i128> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn no_number(key: &str) -> Error {
    Error::Failed(format!(
        "the value of {key:?} is not a number in decimal digits"
    ))
}

fn too_far(number: i128, delta: i128) -> Error {
    Error::Failed(format!(
        "{number} + {delta} is more than the number can hold"
    ))
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
