//! The key that signs receipts: a file that is made when it is first needed.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use homestar_core::key::SigningKey;

use crate::error::{Caused, CommandError};
use crate::paths;

/// Returns the user's key, after making it if there is none.
pub(crate) fn key() -> Result<SigningKey, CommandError> {
    let path = paths::key().map_err(CommandError::input)?;
    match File::open(&path) {
        Ok(file) => read(&path, file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create(&path).map_err(|error| cannot("make", &path, error))?;
            // Another process may have been faster: what is on disk is the key.
            let file = File::open(&path).map_err(|error| cannot("read", &path, error))?;
            read(&path, file)
        }
        Err(error) => Err(cannot("read", &path, error)),
    }
}

fn cannot(verb: &str, path: &Path, error: io::Error) -> CommandError {
    CommandError::input(Caused::new(
        format!("can't {verb} the key {}", path.display()),
        error,
    ))
}

/// A key in PEM has some 120 bytes; a file longer than this is none.
const FILE_BYTES_MAX: u64 = 16 << 10;

fn read(path: &Path, file: File) -> Result<SigningKey, CommandError> {
    let failed = |error| cannot("read", path, error);
    let mode = file.metadata().map_err(failed)?.mode();
    if mode & 0o077 != 0 {
        let path = path.display();
        return Err(CommandError::input(format!(
            "others than you may read or change the key {path}"
        ))
        .hint(format!("`chmod 600 {path}` closes it")));
    }
    let mut pem = String::new();
    file.take(FILE_BYTES_MAX)
        .read_to_string(&mut pem)
        .map_err(failed)?;
    SigningKey::from_pem(&pem).map_err(|error| {
        let words = format!("can't read the key {}", path.display());
        CommandError::input(Caused::new(words, error))
            .hint("move it away and a new one is made; receipts signed with it stay good")
    })
}

/// Makes a key at `path`, unless there is one by now. It appears whole or not at all.
fn create(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    // A temporary file has the mode 0600 from its beginning.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(SigningKey::from_seed(&seed).to_pem().as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(failed) => Err(failed.error),
    }?;
    fs::File::open(folder)?.sync_all()
}
