//! A socket in the file system, for who started the server and nobody else.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// A socket that is listened on. It is removed with this.
#[derive(Debug)]
pub(super) struct Local {
    path: PathBuf,
    /// Whose it is.
    pub(super) owner: u32,
}

/// Listens on a socket at `path`, in a folder that only its owner may enter. A socket on which nobody listens any more is
/// replaced.
pub(super) fn listen(path: &Path) -> io::Result<(UnixListener, Local)> {
    if let Some(folder) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    if UnixStream::connect(path).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    let owner = fs::metadata(path)?.uid();
    let path = path.to_owned();
    Ok((listener, Local { path, owner }))
}

impl Drop for Local {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
