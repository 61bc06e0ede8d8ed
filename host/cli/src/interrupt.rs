//! Ctrl-C, and what a supervisor sends to end a program.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Caused, CommandError};

/// Exit code of a program that was ended from outside.
const KILLED: i32 = 130;

/// Exit code of a command that was asked to end, and did: as of a program that ended by SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// Does `work` when the program is asked to end: by Ctrl-C, SIGTERM or SIGHUP. The second time it ends at once.
pub(crate) fn on_first(work: impl Fn() + Send + 'static) -> Result<(), CommandError> {
    let was_asked = AtomicBool::new(false);
    let handler = move || match was_asked.swap(true, Ordering::Relaxed) {
        false => work(),
        true => process::exit(KILLED),
    };
    ctrlc::set_handler(handler)
        .map_err(|error| CommandError::host(Caused::new("can't take note of Ctrl-C", error)))
}
