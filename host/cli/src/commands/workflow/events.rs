//! How a run goes, for programs: a line of DAG-JSON for each event, on standard output.
//!
//! | `event` | when | with |
//! |---|---|---|
//! | `begun` | before the first task | `run`, `workflow`, `tasks`, `resumed` |
//! | `started` | a task is called | `task`, `attempt`, `instruction` |
//! | `ended` | what came of it is kept | `task`, `how`: `ran`, `memoised` or `failed`, `receipt`, `by`: who signed it, `out`, `fuel` |
//! | `troubled` | it couldn't be called | `task`, `error` |
//! | `finished` | at the end | `run`, `how`: `well`, `failed` or `cancelled`, `counts`, `failed`, `skipped`, `results` |
//!
//! What a secret task gives is `null`.

use std::collections::HashMap;

use homestar_core::ipld::{Cid, Ipld};
use homestar_core::outcome::Outcome;
use homestar_core::receipt::Receipt;
use homestar_core::schedule::{Counts, Schedule, Summary, TaskId};
use homestar_node::{Ended, Trouble, Work};

use crate::error::CommandError;
use crate::print;

/// Writes events.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// What is told once it is kept.
    waiting: HashMap<TaskId, Vec<(Cid, Ipld)>>,
    /// Why nothing can be told any more.
    fault: Option<CommandError>,
}

impl Events {
    pub(super) fn begun(&mut self, run: &str, workflow: &Cid, tasks: usize, resumed: bool) {
        self.tell(print::map([
            ("event", text("begun")),
            ("resumed", Ipld::Bool(resumed)),
            ("run", text(run)),
            ("tasks", count(tasks)),
            ("workflow", Ipld::Link(*workflow)),
        ]));
    }

    pub(super) fn started(&mut self, work: &Work) {
        self.tell(print::map([
            ("attempt", Ipld::Integer(work.attempt.into())),
            ("event", text("started")),
            ("instruction", Ipld::Link(*work.instruction.link().cid())),
            ("task", text(&work.label)),
        ]));
    }

    pub(super) fn found(&mut self, schedule: &Schedule, task: TaskId, receipt: &Receipt) {
        self.tell(ended(schedule, task, receipt, true));
    }

    pub(super) fn ran(&mut self, schedule: &Schedule, task: TaskId, receipt: &Receipt) {
        let event = ended(schedule, task, receipt, false);
        let waiting = self.waiting.entry(task).or_default();
        waiting.push((*receipt.link().cid(), event));
    }

    pub(super) fn recorded(&mut self, task: TaskId, receipt: &Cid) {
        let Some(waiting) = self.waiting.get_mut(&task) else {
            return;
        };
        let at = waiting.iter().position(|(cid, _)| cid == receipt);
        let event = at.map(|at| waiting.remove(at).1);
        if waiting.is_empty() {
            self.waiting.remove(&task);
        }
        if let Some(event) = event {
            self.tell(event);
        }
    }

    pub(super) fn troubled(&mut self, schedule: &Schedule, task: TaskId, trouble: &Trouble) {
        let failure = &trouble.failure;
        let message = match schedule.is_secret(task) {
            true => "(secret)",
            false => &failure.message,
        };
        self.tell(print::map([
            (
                "error",
                print::map([
                    ("kind", text(failure.kind.as_str())),
                    ("message", text(message)),
                ]),
            ),
            ("event", text("troubled")),
            ("task", text(&schedule.label(task))),
        ]));
    }

    pub(super) fn finished(&mut self, run: &str, how: Ended, summary: &Summary, results: Ipld) {
        let failed = summary.failed.iter().map(|task| {
            print::map([
                ("handled", Ipld::Bool(task.is_handled)),
                ("kind", text(task.kind.as_str())),
                ("message", text(&task.message)),
                ("receipt", task.receipt.map_or(Ipld::Null, Ipld::Link)),
                ("task", text(&task.label)),
            ])
        });
        let skipped = summary.skipped.iter().map(|task| {
            print::map([
                ("because", print::texts(task.because.iter().cloned())),
                ("task", text(&task.label)),
            ])
        });
        self.tell(print::map([
            ("counts", counts(&summary.counts)),
            ("event", text("finished")),
            ("failed", Ipld::List(failed.collect())),
            ("how", text(word(how))),
            ("results", results),
            ("run", text(run)),
            ("skipped", Ipld::List(skipped.collect())),
        ]));
    }

    /// Returns why nothing can be told any more, if so.
    pub(super) fn fault(&mut self) -> Option<CommandError> {
        self.fault.take()
    }

    /// Tells whether nobody hears what is told.
    pub(super) fn is_unheard(&self) -> bool {
        self.fault.is_some()
    }

    fn tell(&mut self, event: Ipld) {
        if self.fault.is_none() {
            let told = print::json_line(&event).and_then(|line| print::out(line.as_bytes()));
            self.fault = told.err();
        }
    }
}

/// Returns how a run ended, in a word.
pub(super) fn word(how: Ended) -> &'static str {
    match how {
        Ended::Well => "well",
        Ended::Failed => "failed",
        Ended::Cancelled => "cancelled",
    }
}

/// Returns counts for programs.
pub(super) fn counts(counts: &Counts) -> Ipld {
    print::map([
        ("all", count(counts.all)),
        ("caught", count(counts.caught)),
        ("failed", count(counts.failed + counts.handled)),
        ("gathered", count(counts.gathered)),
        ("memoised", count(counts.memoised)),
        ("not_needed", count(counts.not_needed)),
        ("ran", count(counts.ran)),
        ("refused", count(counts.refused)),
        ("retries", count(counts.retries)),
        ("skipped", count(counts.skipped)),
    ])
}

fn ended(schedule: &Schedule, task: TaskId, receipt: &Receipt, was_there: bool) -> Ipld {
    let how = match (receipt.outcome(), was_there) {
        (Outcome::Error(_), _) => "failed",
        (Outcome::Ok(_), true) => "memoised",
        (Outcome::Ok(_), false) => "ran",
    };
    let out = match schedule.is_secret(task) {
        true => Ipld::Null,
        false => receipt.outcome().to_ipld(),
    };
    print::map([
        ("by", text(&receipt.issuer().to_string())),
        ("event", text("ended")),
        ("fuel", Ipld::Integer(receipt.meta().fuel.into())),
        ("how", text(how)),
        ("out", out),
        ("receipt", Ipld::Link(*receipt.link().cid())),
        ("task", text(&schedule.label(task))),
    ])
}

fn text(text: &str) -> Ipld {
    Ipld::String(text.to_owned())
}

fn count(count: usize) -> Ipld {
    Ipld::Integer(count as i128)
}
