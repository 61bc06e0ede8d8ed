//! Compiled code on disk, so that a component is compiled once per machine.
//!
//! A file is named by everything that its content depends on: the component, the version and configuration of
//! the engine, and the processor. Its last 32 bytes say how long it is and what its checksum is; a file that
//! doesn't agree with them is removed and made anew, since running damaged code could do anything. The folder
//! belongs to the user alone, since whoever may write to it may run code as the user.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::hash::Hash;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use homestar_core::ipld::Cid;
use wasmtime::component::Component;
use xxhash_rust::xxh3::Xxh3;

use crate::error::EngineError;

/// A folder of compiled components.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    bytes_max: u64,
}

/// Name of the format; a change to what a file holds changes it.
const FORMAT: &str = "homestar compiled code 1";

/// Ending of the files of this cache; others in the folder are left alone.
const ENDING: &str = "cwasm";

/// Ending of those that hold a guest's functions.
const FUNCTIONS_ENDING: &str = "functions";

/// First bytes of the trailer.
const TRAILER_MARK: [u8; 8] = *b"homestar";

/// Length of the trailer: mark, length of the code, checksum.
pub(crate) const TRAILER_BYTES: usize = 8 + 8 + 16;

impl Cache {
    /// Opens the folder at `path`, and creates it when it doesn't exist.
    pub(crate) fn open(path: &Path, bytes_max: u64) -> Result<Self, EngineError> {
        let error = |reason: String| EngineError::Cache {
            path: path.to_owned(),
            reason,
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .and_then(|()| fs::metadata(path))
            .map_err(|source| error(source.to_string()))
            .and_then(|metadata| {
                is_ours_alone(&metadata).map_err(|reason| error(reason.to_owned()))
            })?;
        Ok(Self {
            folder: path.to_owned(),
            bytes_max,
        })
    }

    /// Returns where the code of `component` for `engine` is kept.
    pub(crate) fn path(&self, component: &Cid, engine: &wasmtime::Engine) -> PathBuf {
        self.file(component, engine, ENDING)
    }

    /// Returns where the functions of the guest of the CID `guest` for `engine` are kept.
    pub(crate) fn functions(&self, guest: &Cid, engine: &wasmtime::Engine) -> PathBuf {
        self.file(guest, engine, FUNCTIONS_ENDING)
    }

    fn file(&self, component: &Cid, engine: &wasmtime::Engine, ending: &str) -> PathBuf {
        let mut hasher = Xxh3::new();
        FORMAT.hash(&mut hasher);
        component.hash().digest().hash(&mut hasher);
        component.codec().hash(&mut hasher);
        engine.precompile_compatibility_hash().hash(&mut hasher);
        self.folder
            .join(format!("{:032x}.{ending}", hasher.digest128()))
    }

    /// Returns the code at `path` if it is there and whole.
    pub(crate) fn load(&self, path: &Path, engine: &wasmtime::Engine) -> Option<Component> {
        let file = File::open(path).ok()?;
        let loaded = check(&file)
            .map_err(|_| ())
            .and_then(|()| deserialize(engine, path).map_err(|_| ()));
        if loaded.is_err() {
            // Damaged, or made by something that calls itself the same: the next save replaces it.
            let _ = fs::remove_file(path);
        }
        let _ = file.set_modified(SystemTime::now());
        loaded.ok()
    }

    /// Keeps `code` at `path`, and removes what was unused longest if the folder grows too large.
    ///
    /// The file appears whole or not at all, also when several processes save it at once.
    pub(crate) fn save(&self, path: &Path, code: &[u8]) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(code)?;
        file.write_all(&trailer(code))?;
        file.persist(path)?;
        self.shrink(path)
    }

    /// Removes the files used longest ago until the rest fits. `latest` stays.
    fn shrink(&self, latest: &Path) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let is_ours = |ending: &OsStr| ending == ENDING || ending == FUNCTIONS_ENDING;
            if path.extension().is_some_and(is_ours) {
                // Another process may have removed it.
                let Ok(metadata) = fs::metadata(&path) else {
                    continue;
                };
                files.push((metadata.modified()?, metadata.len(), path));
            }
        }
        let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        files.sort();
        for (_, bytes, path) in files {
            if total <= self.bytes_max {
                break;
            }
            if path != latest {
                let _ = fs::remove_file(&path);
                total -= bytes;
            }
        }
        Ok(())
    }
}

/// Says why the folder with `metadata` may not hold code, if so.
fn is_ours_alone(metadata: &fs::Metadata) -> Result<(), &'static str> {
    if !metadata.is_dir() {
        return Err("it is not a folder");
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err("it belongs to another user");
    }
    if metadata.permissions().mode() & 0o022 != 0 {
        return Err("others may write to it (`chmod go-w` would close it)");
    }
    Ok(())
}

pub(crate) fn trailer(code: &[u8]) -> [u8; TRAILER_BYTES] {
    let mut hasher = Xxh3::new();
    hasher.update(code);
    trailer_of(code.len() as u64, &hasher)
}

fn trailer_of(code_bytes: u64, hasher: &Xxh3) -> [u8; TRAILER_BYTES] {
    let mut trailer = [0; TRAILER_BYTES];
    trailer[..8].copy_from_slice(&TRAILER_MARK);
    trailer[8..16].copy_from_slice(&code_bytes.to_le_bytes());
    trailer[16..].copy_from_slice(&hasher.digest128().to_le_bytes());
    trailer
}

/// Reads `file` once and compares it with its trailer.
fn check(mut file: &File) -> io::Result<()> {
    let damaged = || io::Error::from(io::ErrorKind::InvalidData);
    let code_bytes = file
        .metadata()?
        .len()
        .checked_sub(TRAILER_BYTES as u64)
        .ok_or_else(damaged)?;
    let mut hasher = Xxh3::new();
    let mut buffer = vec![0; 256 << 10];
    let mut left = code_bytes;
    while left > 0 {
        let count = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        file.read_exact(&mut buffer[..count])?;
        hasher.update(&buffer[..count]);
        left -= count as u64;
    }
    let mut found = [0; TRAILER_BYTES];
    file.read_exact(&mut found)?;
    file.seek(SeekFrom::Start(0))?;
    (found == trailer_of(code_bytes, &hasher))
        .then_some(())
        .ok_or_else(damaged)
}

#[expect(
    unsafe_code,
    reason = "the checksum was compared, and the folder belongs to the user alone"
)]
fn deserialize(engine: &wasmtime::Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file is what `save` wrote from the compiler's output: nobody else may write to the folder, and
    // `check` compared its checksum. wasmtime itself refuses code of another version or configuration.
    unsafe { Component::deserialize_file(engine, path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_bytes(bytes: &[u8]) -> io::Result<()> {
        let mut file = tempfile::tempfile()?;
        file.write_all(bytes)?;
        file.rewind()?;
        check(&file)
    }

    #[test]
    fn whole_files_pass_and_damaged_ones_do_not() {
        let code = vec![42; 1 << 20];
        let whole = [code.as_slice(), &trailer(&code)].concat();
        check_bytes(&whole).unwrap();
        for cut in [0, 1, TRAILER_BYTES, 1000, whole.len() - 1] {
            check_bytes(&whole[..cut]).unwrap_err();
        }
        for position in [0, 1, 500_000, whole.len() - 30, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[position] ^= 1;
            check_bytes(&damaged).unwrap_err();
        }
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let error = Cache::open(folder.path(), 1).unwrap_err().to_string();
        assert!(error.contains("others may write to it"), "{error}");
    }

    #[test]
    fn the_longest_unused_go_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(&folder.path().join("code"), 300).unwrap();
        let path = |name: &str| cache.folder.join(format!("{name}.{ENDING}"));
        for name in ["a", "b", "c"] {
            cache.save(&path(name), &[0; 68]).unwrap();
        }
        let file = File::open(path("a")).unwrap();
        file.set_modified(SystemTime::now() + std::time::Duration::from_secs(60))
            .unwrap();
        cache.save(&path("d"), &[0; 68]).unwrap();
        let left = |name| path(name).exists();
        assert_eq!(
            [left("a"), left("b"), left("c"), left("d")],
            [true, false, true, true]
        );
    }
}
