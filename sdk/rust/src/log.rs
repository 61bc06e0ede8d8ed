//! Messages for people, by `homestar:std`. They stand in the task's log; outside of a component they go to standard error.

use crate::effect::cases;

cases! {
    /// How important a message is.
    Level {
        Trace,
        Debug,
        Info,
        Warn,
        Error,
    }
}

/// Writes a message to the log.
pub fn log(level: Level, message: &str) {
    #[cfg(target_family = "wasm")]
    crate::bindings::homestar::std::log::log(level, message);
    #[cfg(not(target_family = "wasm"))]
    eprintln!("{}: {message}", format!("{level:?}").to_lowercase());
}

/// Says what helps to find a mistake.
pub fn debug(message: &str) {
    log(Level::Debug, message);
}

/// Says what happened, as it should.
pub fn info(message: &str) {
    log(Level::Info, message);
}

/// Says what should not have happened, but could be dealt with.
pub fn warn(message: &str) {
    log(Level::Warn, message);
}

/// Says what failed.
pub fn error(message: &str) {
    log(Level::Error, message);
}
