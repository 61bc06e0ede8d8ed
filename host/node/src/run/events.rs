//! How a run goes, for programs: an event in DAG-JSON for each thing that happens.
//!
//! | `event` | when | with |
//! |---|---|---|
//! | `begun` | before the first task | `run`, `workflow`, `tasks`, `resumed` |
//! | `started` | a task is called | `task`, `attempt`, `instruction` |
//! | `ended` | what came of it is kept | `task`, `how`: `ran`, `memoised` or `failed`, `receipt`, `by`: who signed it, `out`, `fuel` |
//! | `troubled` | it couldn't be called | `task`, `error` |
//! | `stopped` | it was ended early, as if it had not begun | `task` |
//! | `finished` | at the end | `run`, `how`: `well`, `failed` or `cancelled`, `counts`, `failed`, `skipped`, `results` |
//!
//! What a secret task gives is `null`.

use std::collections::HashMap;

use homestar_core::ipld::{Cid, Ipld};
use homestar_core::outcome::Outcome;
use homestar_core::receipt::Receipt;
use homestar_core::schedule::{Counts, Schedule, Summary, TaskId};

use super::{Ended, News, Trouble, Work};
use crate::facts::{map, number, or_null, text, texts};

/// Makes events of what happens in a run.
#[derive(Debug, Default)]
pub struct Events {
    /// What is told once it is kept.
    waiting: HashMap<TaskId, Vec<(Cid, Ipld)>>,
}

impl Events {
    /// The run begins.
    pub fn begun(run: &str, workflow: &Cid, tasks: usize, resumed: bool) -> Ipld {
        map([
            ("event", text("begun")),
            ("resumed", Ipld::Bool(resumed)),
            ("run", text(run)),
            ("tasks", number(tasks as u64)),
            ("workflow", Ipld::Link(*workflow)),
        ])
    }

    /// Tells what is to be told when something happens. What ran is told of when it is kept.
    pub fn hear(&mut self, schedule: &Schedule, news: &News<'_>, tell: &mut dyn FnMut(Ipld)) {
        match news {
            News::Started(work) => tell(started(work)),
            News::Found(task, receipt) => tell(ended(schedule, *task, receipt, true)),
            News::Ran(task, receipt) => {
                let event = ended(schedule, *task, receipt, false);
                let waiting = self.waiting.entry(*task).or_default();
                waiting.push((*receipt.link().cid(), event));
            }
            News::Troubled(task, trouble) => tell(troubled(schedule, *task, trouble)),
            News::Stopped(task) => tell(map([
                ("event", text("stopped")),
                ("task", text(schedule.label(*task))),
            ])),
            News::Recorded(receipts) => {
                for (task, link) in *receipts {
                    if let Some(event) = self.recorded(*task, link.cid()) {
                        tell(event);
                    }
                }
            }
        }
    }

    fn recorded(&mut self, task: TaskId, receipt: &Cid) -> Option<Ipld> {
        let waiting = self.waiting.get_mut(&task)?;
        let at = waiting.iter().position(|(cid, _)| cid == receipt);
        let event = at.map(|at| waiting.remove(at).1);
        if waiting.is_empty() {
            self.waiting.remove(&task);
        }
        event
    }

    /// The run has ended.
    pub fn finished(run: &str, how: Ended, schedule: &Schedule, summary: &Summary) -> Ipld {
        let failed = summary.failed.iter().map(|task| {
            map([
                ("handled", Ipld::Bool(task.is_handled)),
                ("kind", text(task.kind.as_str())),
                ("message", text(task.message.as_str())),
                ("receipt", or_null(task.receipt, Ipld::Link)),
                ("task", text(task.label.as_str())),
            ])
        });
        let skipped = summary.skipped.iter().map(|task| {
            map([
                ("because", texts(task.because.iter().cloned())),
                ("task", text(task.label.as_str())),
            ])
        });
        map([
            ("counts", counts(&summary.counts)),
            ("event", text("finished")),
            ("failed", Ipld::List(failed.collect())),
            ("how", text(how.as_str())),
            ("results", results(schedule)),
            ("run", text(run)),
            ("skipped", Ipld::List(skipped.collect())),
        ])
    }

    /// The run goes on another time: whoever drives it ends.
    pub(crate) fn interrupted(run: &str) -> Ipld {
        map([("event", text("interrupted")), ("run", text(run))])
    }
}

fn started(work: &Work) -> Ipld {
    map([
        ("attempt", number(work.attempt.into())),
        ("event", text("started")),
        ("instruction", Ipld::Link(*work.instruction.link().cid())),
        ("task", text(work.label.as_str())),
    ])
}

fn troubled(schedule: &Schedule, task: TaskId, trouble: &Trouble) -> Ipld {
    let failure = &trouble.failure;
    let message = match schedule.is_secret(task) {
        true => "(secret)",
        false => &failure.message,
    };
    let error = map([
        ("kind", text(failure.kind.as_str())),
        ("message", text(message)),
    ]);
    map([
        ("error", error),
        ("event", text("troubled")),
        ("task", text(schedule.label(task))),
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
    map([
        ("by", text(receipt.issuer().to_string())),
        ("event", text("ended")),
        ("fuel", number(receipt.meta().fuel)),
        ("how", text(how)),
        ("out", out),
        ("receipt", Ipld::Link(*receipt.link().cid())),
        ("task", text(schedule.label(task))),
    ])
}

/// Returns the results by their labels. What is secret is null.
fn results(schedule: &Schedule) -> Ipld {
    let results = schedule.results().map(|(task, outcome)| {
        let shown = match schedule.is_secret(task) {
            true => Ipld::Null,
            false => outcome.to_ipld(),
        };
        (schedule.label(task), shown)
    });
    Ipld::Map(results.collect())
}

/// Returns counts for programs.
pub(crate) fn counts(counts: &Counts) -> Ipld {
    let count = |count: usize| number(count as u64);
    map([
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
