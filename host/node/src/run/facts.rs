//! What is known of runs, for programs.

use homestar_core::ipld::Ipld;

use super::record::{Ended, RunEnd, RunRecord, RunTask};
use crate::facts::{map, number, or_null, text};

impl Ended {
    /// Returns its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl RunRecord {
    /// Returns how the run is, in a word or two. Whether somebody drives it, its [lock](super::RunLock) tells.
    pub fn state(&self, is_at_work: bool) -> &'static str {
        match (&self.end, is_at_work) {
            (Some(end), _) => end.how.as_str(),
            (None, true) => "at work",
            (None, false) => "interrupted",
        }
    }

    /// Returns what there is to say of the run.
    pub fn facts(&self, id: &str, is_at_work: bool) -> Ipld {
        let count =
            |count: fn(&RunEnd) -> u64| or_null(self.end.as_ref(), |end| number(count(end)));
        map([
            ("ended_ms", count(|end| end.ended_ms)),
            ("failed", count(|end| end.failed)),
            ("memoised", count(|end| end.memoised)),
            ("name", or_null(self.name.clone(), Ipld::String)),
            ("ran", count(|end| end.ran)),
            ("run", text(id)),
            ("skipped", count(|end| end.skipped)),
            ("started_ms", number(self.started_ms)),
            ("state", text(self.state(is_at_work))),
            ("workflow", Ipld::Link(self.workflow)),
        ])
    }
}

impl RunTask {
    /// Returns what there is to say of the task.
    pub fn facts(&self) -> Ipld {
        map([
            ("because", or_null(self.because.clone(), Ipld::String)),
            ("receipt", or_null(self.receipt, Ipld::Link)),
            ("status", text(self.status.as_str())),
            ("task", text(self.label.as_str())),
        ])
    }
}
