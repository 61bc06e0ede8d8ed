//! Who is at work on a run.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// Held by the process that drives a run. It ends with the process, however that ends.
#[derive(Debug)]
pub struct RunLock {
    file: File,
    path: PathBuf,
}

impl RunLock {
    /// Takes the lock of the run `id`, in a folder for such locks; none if a process that lives has it.
    pub fn take(folder: &Path, id: &str) -> io::Result<Option<Self>> {
        let path = folder.join(format!("run-{id}"));
        let file = File::create(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file, path })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Tells whether a process that lives drives the run `id`.
    pub fn is_taken(folder: &Path, id: &str) -> bool {
        match File::open(folder.join(format!("run-{id}"))) {
            Ok(file) => matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)),
            Err(_) => false,
        }
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // Whoever opened the file before looks at the run's record before doing anything.
        let _ = std::fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let take = || RunLock::take(folder.path(), "abc").unwrap();
        assert!(!RunLock::is_taken(folder.path(), "abc"));
        let first = take().unwrap();
        assert!(take().is_none());
        assert!(RunLock::is_taken(folder.path(), "abc"));
        assert!(RunLock::take(folder.path(), "abd").unwrap().is_some());
        drop(first);
        assert!(!RunLock::is_taken(folder.path(), "abc"));
        assert!(take().is_some());
    }
}
