//! A command's standard output, passed on while it is written.

use std::sync::{Arc, Mutex, PoisonError};

use homestar_engine::Listener;

use crate::error::{CommandError, Kind};
use crate::print;

/// Passes on what is written until that fails.
#[derive(Debug)]
pub(super) struct Live {
    fault: Arc<Mutex<Option<CommandError>>>,
    /// Whether the task is to be finished although nobody reads its output.
    goes_on: bool,
}

impl Live {
    pub(super) fn new(goes_on: bool) -> Self {
        Self {
            fault: Arc::default(),
            goes_on,
        }
    }

    pub(super) fn listener(&self) -> Listener {
        let fault = Arc::clone(&self.fault);
        let goes_on = self.goes_on;
        Arc::new(move |bytes| {
            let mut fault = fault.lock().unwrap_or_else(PoisonError::into_inner);
            if fault.is_some() {
                return;
            }
            *fault = print::out(bytes).err();
            if !goes_on
                && fault
                    .as_ref()
                    .is_some_and(|fault| fault.kind == Kind::Silent)
            {
                // As SIGPIPE would have it: whoever read the output has had enough.
                std::process::exit(Kind::Silent.code().into());
            }
        })
    }

    /// Returns why not all was passed on, if so.
    pub(super) fn fault(&self) -> Option<CommandError> {
        self.fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}
