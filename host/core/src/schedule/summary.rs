//! How a run stands, and how it ended.

use std::fmt;

use super::slot::{End, Slot, State};
use super::{Schedule, TaskId};
use crate::ipld::Cid;
use crate::outcome::{Kind, Outcome};

/// How many failures, and how many tasks that were not run, are told one by one.
pub(super) const LISTED_MAX: usize = 100;

/// How long the chain is that says why a task was not run.
const CHAIN_MAX: usize = 20;

/// How many results of a workflow are kept at the most. Those of more can be read from their receipts.
pub const RESULTS_MAX: usize = 1_000;

/// What stands in the place of a message that may tell a secret.
pub(super) const SECRET: &str = "(secret)";

/// How many tasks there are in each state. What is done for each element counts for each, and once for the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All that are known so far.
    pub all: usize,
    /// Run here, with a value.
    pub ran: usize,
    /// There was a receipt.
    pub memoised: usize,
    /// Their elements ended well.
    pub gathered: usize,
    /// Failed, and something else stands in their place.
    pub caught: usize,
    /// Failed.
    pub failed: usize,
    /// Failed, which another task awaited.
    pub handled: usize,
    /// Not run since what they await failed.
    pub skipped: usize,
    /// Not run since what they await didn't have to happen.
    pub not_needed: usize,
    /// How often something was tried again.
    pub retries: usize,
    /// How many tasks that were asked for were not taken, since there were too many.
    pub refused: usize,
}

impl Counts {
    pub(super) fn new(all: usize) -> Self {
        Self {
            all,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, tasks: usize) {
        self.all += tasks;
    }

    pub(super) fn note(&mut self, end: End) {
        *match end {
            End::Ran => &mut self.ran,
            End::Memoised => &mut self.memoised,
            End::Gathered => &mut self.gathered,
            End::Caught => &mut self.caught,
            End::Failed => &mut self.failed,
            End::Handled => &mut self.handled,
            End::Skipped { .. } => &mut self.skipped,
            End::NotNeeded { .. } => &mut self.not_needed,
        } += 1;
    }

    /// Those that have ended.
    pub fn ended(&self) -> usize {
        let fine = self.ran + self.memoised + self.gathered + self.caught;
        fine + self.failed + self.handled + self.skipped + self.not_needed
    }
}

/// How a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// What it awaits has not ended, or there is no room.
    Waiting,
    /// A receipt is looked for, or what was asked for is loaded.
    LookingUp,
    /// It is being called.
    Running,
    /// It waits to be tried again.
    Retrying,
    /// It ended with a value: run here, or found.
    Done {
        /// Whether there was a receipt before.
        was_memoised: bool,
    },
    /// It failed, and something else stands in its place.
    Caught,
    /// It failed.
    Failed,
    /// It was not run, because of another.
    Skipped {
        /// Which.
        because: TaskId,
        /// Whether that is as it should be.
        is_fine: bool,
    },
}

/// A task that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedTask {
    /// Its label.
    pub label: String,
    /// What ended it.
    pub kind: Kind,
    /// The same for people.
    pub message: String,
    /// Its receipt, if there is one.
    pub receipt: Option<Cid>,
    /// Whether another task awaited that it failed.
    pub is_handled: bool,
}

/// A task that was not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedTask {
    /// Its label.
    pub label: String,
    /// The tasks that it awaited, from the one that it awaited itself to the one that failed.
    pub because: Vec<String>,
}

/// What came of a run, so far or for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many.
    pub counts: Counts,
    /// The first tasks that failed.
    pub failed: Vec<FailedTask>,
    /// The first tasks that were not run.
    pub skipped: Vec<SkippedTask>,
    /// Whether it is over: nothing will be done any more.
    pub is_finished: bool,
}

impl Summary {
    /// True if all that should have ended well did.
    pub fn is_success(&self) -> bool {
        let counts = &self.counts;
        self.is_finished && counts.failed + counts.skipped == 0 && counts.ended() == counts.all
    }
}

impl Schedule {
    /// What came of the run so far.
    pub fn summary(&self) -> Summary {
        let failed = self.failures.iter().map(|(task, failure)| FailedTask {
            label: self.label(*task),
            kind: failure.kind,
            message: failure.message.clone(),
            receipt: self.slots[task.index()].receipt,
            is_handled: self.slots[task.index()].state == State::Done(End::Handled),
        });
        let skipped = self.skipped.iter().map(|task| SkippedTask {
            label: self.label(*task),
            because: self.chain(*task),
        });
        Summary {
            counts: self.counts,
            failed: failed.collect(),
            skipped: skipped.collect(),
            is_finished: self.is_finished,
        }
    }

    /// How many tasks there are in each state.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How a task stands.
    pub fn status(&self, task: TaskId) -> Status {
        match self
            .slots
            .get(task.index())
            .map_or(State::Waiting, |slot| slot.state)
        {
            State::Waiting | State::Ready | State::Callable | State::Following => Status::Waiting,
            State::LookingUp | State::Loading => Status::LookingUp,
            State::Calling | State::Gathering | State::Catching => Status::Running,
            State::Retrying => Status::Retrying,
            State::Done(End::Ran | End::Gathered) => Status::Done {
                was_memoised: false,
            },
            State::Done(End::Memoised) => Status::Done { was_memoised: true },
            State::Done(End::Caught) => Status::Caught,
            State::Done(End::Failed | End::Handled) => Status::Failed,
            State::Done(End::Skipped { because }) => Status::Skipped {
                because,
                is_fine: false,
            },
            State::Done(End::NotNeeded { because }) => Status::Skipped {
                because,
                is_fine: true,
            },
        }
    }

    /// What the tasks gave that no other awaits, in the order of the plan: the results of the workflow. Those that have
    /// not ended or were not run give none; nor do any if there are more than [`RESULTS_MAX`].
    pub fn results(&self) -> impl Iterator<Item = (TaskId, Outcome)> {
        let results = self.result_slots.iter().map(|index| TaskId::new(*index));
        results.filter_map(|task| {
            let slot = &self.slots[task.index()];
            let outcome = slot.held.as_ref().filter(|_| slot.is_done())?.outcome();
            Some((task, outcome))
        })
    }

    /// Has what these tasks of the plan give be the results, whoever awaits it, instead of what nobody awaits. Called before
    /// anything happened.
    pub fn give(&mut self, tasks: &[TaskId]) {
        for index in std::mem::take(&mut self.result_slots) {
            self.slots[index].waiters = 0;
        }
        let mut results: Vec<_> = tasks.iter().map(|task| task.index()).collect();
        results.sort_unstable();
        results.dedup();
        results.retain(|index| *index < self.plan.tasks.len());
        self.results_kept = results.len() <= RESULTS_MAX;
        if self.results_kept {
            results
                .iter()
                .for_each(|index| self.slots[*index].waiters += 1);
            self.result_slots = results;
        }
    }

    /// Whether the results are kept: there are no more than [`RESULTS_MAX`].
    pub fn keeps_results(&self) -> bool {
        self.results_kept
    }

    /// Has what nobody awaits kept to the end, as if somebody asked for it.
    pub(super) fn keep_results(&mut self) {
        let is_result = |slot: &Slot| slot.waiters == 0;
        let results = self.slots.iter().enumerate();
        let results = results.filter(|(_, slot)| is_result(slot));
        let results: Vec<_> = results
            .map(|(index, _)| index)
            .take(RESULTS_MAX + 1)
            .collect();
        self.results_kept = results.len() <= RESULTS_MAX;
        if self.results_kept {
            results
                .iter()
                .for_each(|index| self.slots[*index].waiters = 1);
            self.result_slots = results;
        }
    }

    /// The receipt of a task that ended with one.
    pub fn receipt_of(&self, task: TaskId) -> Option<Cid> {
        let slot = self.slots.get(task.index())?;
        slot.receipt.filter(|_| slot.is_done())
    }

    /// The tasks of the run so far.
    pub fn tasks(&self) -> impl Iterator<Item = TaskId> {
        (0..self.slots.len()).map(TaskId::new)
    }

    /// Why a task was not run: those that were not run before it, and the one that failed.
    fn chain(&self, task: TaskId) -> Vec<String> {
        let mut chain = Vec::new();
        let mut task = task;
        while let State::Done(End::Skipped { because } | End::NotNeeded { because }) =
            self.slots[task.index()].state
        {
            if chain.len() == CHAIN_MAX {
                chain.push("…".to_owned());
                break;
            }
            chain.push(self.label(because));
            task = because;
        }
        chain
    }
}

impl fmt::Display for Summary {
    /// A line of counts, then one for each task that failed or was not run.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        let parts = [
            (counts.ran, "ran"),
            (counts.memoised, "memoised"),
            (counts.gathered, "gathered"),
            (counts.caught, "caught"),
            (counts.failed + counts.handled, "failed"),
            (counts.skipped, "not run"),
            (counts.not_needed, "not needed"),
            (counts.all.saturating_sub(counts.ended()), "left"),
        ];
        let plural = if counts.all == 1 { "" } else { "s" };
        write!(f, "{} task{plural}", counts.all)?;
        let mut separator = ": ";
        for (count, word) in parts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{separator}{count} {word}")?;
            separator = ", ";
        }
        f.write_str("\n")?;
        for failed in &self.failed {
            writeln!(f, "{}: {}: {}", failed.label, failed.kind, failed.message)?;
        }
        for skipped in &self.skipped {
            writeln!(
                f,
                "{}: not run, since {} failed",
                skipped.label,
                skipped.because.join(" ← ")
            )?;
        }
        if counts.refused > 0 {
            writeln!(
                f,
                "{} tasks that were asked for were too many",
                counts.refused
            )?;
        }
        Ok(())
    }
}
