//! How whoever asks for a run wants it to be run.

use homestar_core::schedule::{RESULTS_MAX, Schedule, TaskId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use std::collections::HashMap;

use crate::api::{Fault, FaultKind};

/// See the module. What isn't said is as usual.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Wishes {
    /// Tasks at a time, at the most.
    pub(crate) jobs: Option<u64>,
    /// Whether nothing more is begun once a task failed whose failure no other awaits.
    pub(crate) fails_fast: bool,
    /// The labels of the tasks whose values are given; without any, those that no other awaits.
    pub(crate) results: Vec<String>,
}

impl Wishes {
    /// Whether all is as usual.
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Returns how many tasks run at a time where at most so many do.
    pub(super) fn jobs(&self, most: usize) -> usize {
        let asked = self
            .jobs
            .map(|jobs| usize::try_from(jobs).unwrap_or(usize::MAX));
        asked.map_or(most, |asked| asked.min(most))
    }

    /// Says whose values are given.
    pub(super) fn give(&self, schedule: &mut Schedule) -> Result<(), Fault> {
        if self.results.is_empty() {
            return Ok(());
        }
        let asked = labelled(schedule, &self.results);
        let asked = asked.map_err(|error| Fault::new(FaultKind::Input, error.to_string()))?;
        schedule.give(&asked);
        Ok(())
    }
}

/// Why the values that are asked for can't be given.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResultsError {
    /// There are too many.
    #[error("{0} results are asked for, and a run gives {RESULTS_MAX} at the most")]
    TooMany(usize),
    /// There is no such task.
    #[error("the workflow has no task `{0}`")]
    Unknown(String),
}

/// Returns the tasks of these labels, of which a run is to give the values.
pub fn labelled(schedule: &Schedule, labels: &[String]) -> Result<Vec<TaskId>, ResultsError> {
    if labels.len() > RESULTS_MAX {
        return Err(ResultsError::TooMany(labels.len()));
    }
    let tasks = schedule.tasks().map(|task| (schedule.label(task), task));
    let places: HashMap<_, _> = tasks.collect();
    let one = |label: &String| {
        let task = places.get(label).copied();
        task.ok_or_else(|| ResultsError::Unknown(label.clone()))
    };
    labels.iter().map(one).collect()
}
