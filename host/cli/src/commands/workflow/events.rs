//! Events of a run, a line each on standard output.

use homestar_core::ipld::Ipld;
use homestar_core::schedule::Schedule;
use homestar_node::{Events, News};

use crate::error::CommandError;
use crate::print;

/// Writes events.
#[derive(Debug, Default)]
pub(super) struct EventLines {
    events: Events,
    /// Why nothing can be told any more.
    fault: Option<CommandError>,
}

impl EventLines {
    pub(super) fn hear(&mut self, schedule: &Schedule, news: &News<'_>) {
        let Self { events, fault } = self;
        events.hear(schedule, news, &mut |event| tell(fault, &event));
    }

    pub(super) fn tell(&mut self, event: &Ipld) {
        tell(&mut self.fault, event);
    }

    /// Returns why nothing can be told any more, if so.
    pub(super) fn fault(&mut self) -> Option<CommandError> {
        self.fault.take()
    }

    /// Tells whether nobody hears what is told.
    pub(super) fn is_unheard(&self) -> bool {
        self.fault.is_some()
    }
}

fn tell(fault: &mut Option<CommandError>, event: &Ipld) {
    if fault.is_none() {
        let told = print::json_line(event).and_then(|line| print::out(line.as_bytes()));
        *fault = told.err();
    }
}
