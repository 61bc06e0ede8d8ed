//! Where a user's files are. The environment is read here and nowhere else.
//!
//! | | with `HOMESTAR_HOME` | without |
//! |---|---|---|
//! | key | `$HOMESTAR_HOME/key.pem` | `${XDG_CONFIG_HOME:-~/.config}/homestar/key.pem` |
//! | compiled code | `$HOMESTAR_HOME/code` | `${XDG_CACHE_HOME:-~/.cache}/homestar/code` |

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// There is no place for a file of the user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no home directory: neither HOMESTAR_HOME nor HOME is set to an absolute path")]
pub(crate) struct NoHome;

/// Returns where the key that signs is kept.
pub(crate) fn key() -> Result<PathBuf, NoHome> {
    place("key.pem", "XDG_CONFIG_HOME", ".config")
}

/// Returns the folder of compiled code.
pub(crate) fn code() -> Result<PathBuf, NoHome> {
    place("code", "XDG_CACHE_HOME", ".cache")
}

fn place(name: &str, variable: &str, in_home: &str) -> Result<PathBuf, NoHome> {
    if let Some(home) = absolute(env::var_os("HOMESTAR_HOME")) {
        return Ok(home.join(name));
    }
    let folder = match absolute(env::var_os(variable)) {
        Some(folder) => folder,
        None => {
            let home = absolute(env::home_dir().map(OsString::from)).ok_or(NoHome)?;
            home.join(in_home)
        }
    };
    Ok(folder.join("homestar").join(name))
}

/// The XDG specification asks to ignore relative paths, and a home in the working directory is a slip.
fn absolute(value: Option<OsString>) -> Option<PathBuf> {
    value.map(PathBuf::from).filter(|path| path.is_absolute())
}
