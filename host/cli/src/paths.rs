//! Where a user's files are. The environment is read here and nowhere else.
//!
//! | | with `HOMESTAR_HOME` | without |
//! |---|---|---|
//! | key `default` | `$HOMESTAR_HOME/key.pem` | `${XDG_CONFIG_HOME:-~/.config}/homestar/key.pem` |
//! | settings | `$HOMESTAR_HOME/homestar.toml` | `${XDG_CONFIG_HOME:-~/.config}/homestar/homestar.toml` |
//! | other keys, and those of guests | `$HOMESTAR_HOME/keys` | `${XDG_CONFIG_HOME:-~/.config}/homestar/keys` |
//! | state of guests | `$HOMESTAR_HOME/state` | `${XDG_STATE_HOME:-~/.local/state}/homestar/state` |
//! | socket of the node | `$HOMESTAR_HOME/node.sock` | `${XDG_STATE_HOME:-~/.local/state}/homestar/node.sock` |
//! | log of a node that runs by itself | `$HOMESTAR_HOME/node.log` | `${XDG_STATE_HOME:-~/.local/state}/homestar/node.log` |
//! | store | `$HOMESTAR_HOME/store` | `${XDG_DATA_HOME:-~/.local/share}/homestar/store` |
//! | effects | `$HOMESTAR_HOME/effects` | `${XDG_DATA_HOME:-~/.local/share}/homestar/effects` |
//! | compiled code | `$HOMESTAR_HOME/code` | `${XDG_CACHE_HOME:-~/.cache}/homestar/code` |

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// There is no place for a file of the user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no home directory: neither HOMESTAR_HOME nor HOME is set to an absolute path")]
pub(crate) struct NoHome;

/// Returns where the key called `default` is kept.
pub(crate) fn key() -> Result<PathBuf, NoHome> {
    place("key.pem", "XDG_CONFIG_HOME", ".config")
}

/// Returns where the user's settings are.
pub(crate) fn settings() -> Result<PathBuf, NoHome> {
    place("homestar.toml", "XDG_CONFIG_HOME", ".config")
}

/// Returns the folder of all other keys: the user's, and those that guests keep.
pub(crate) fn keys() -> Result<PathBuf, NoHome> {
    place("keys", "XDG_CONFIG_HOME", ".config")
}

/// Returns the folder of what guests keep by name.
pub(crate) fn state() -> Result<PathBuf, NoHome> {
    place("state", "XDG_STATE_HOME", ".local/state")
}

/// Returns the name of the key that signs, if the user chose another than `default`.
pub(crate) fn key_chosen() -> Option<String> {
    variable("HOMESTAR_KEY").filter(|name| !name.is_empty())
}

/// Returns the passphrase of keys, if somebody put it there.
pub(crate) fn passphrase() -> Option<String> {
    variable("HOMESTAR_PASSPHRASE")
}

/// Returns where spans and metrics are sent to, if anywhere, by the variables that OpenTelemetry has for it.
pub(crate) fn collector() -> Option<String> {
    let is_off = variable("OTEL_SDK_DISABLED").is_some_and(|it| it.eq_ignore_ascii_case("true"));
    let endpoint = variable("OTEL_EXPORTER_OTLP_ENDPOINT").filter(|it| !it.is_empty());
    endpoint.filter(|_| !is_off)
}

/// Returns where the user's node listens.
pub(crate) fn socket() -> Result<PathBuf, NoHome> {
    place("node.sock", "XDG_STATE_HOME", ".local/state")
}

/// Returns where the user's node logs to if it runs by itself.
pub(crate) fn log() -> Result<PathBuf, NoHome> {
    place("node.log", "XDG_STATE_HOME", ".local/state")
}

/// Returns where a supervisor wants to hear that the program is ready, if one does: a path of a socket, or its name behind `@`.
pub(crate) fn supervisor() -> Option<OsString> {
    env::var_os("NOTIFY_SOCKET").filter(|it| !it.is_empty())
}

/// Returns a variable that the user's settings name, if it holds a text.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

/// Returns all variables that begin as those of homestar do, with what they hold if that is a text.
pub(crate) fn variables() -> Vec<(String, Option<String>)> {
    let ours = env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        name.starts_with("HOMESTAR_")
            .then(|| (name, value.into_string().ok()))
    });
    ours.collect()
}

/// Returns the folder of compiled code.
pub(crate) fn code() -> Result<PathBuf, NoHome> {
    place("code", "XDG_CACHE_HOME", ".cache")
}

/// Returns the folder of the store.
pub(crate) fn store() -> Result<PathBuf, NoHome> {
    place("store", "XDG_DATA_HOME", ".local/share")
}

/// Returns the user's folder of effects.
pub(crate) fn effects() -> Result<PathBuf, NoHome> {
    place("effects", "XDG_DATA_HOME", ".local/share")
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
