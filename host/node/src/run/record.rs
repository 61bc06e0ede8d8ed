//! What is kept of a run: which workflow, when, how it ended, and the receipts of its tasks.
//!
//! A record is a block, and a name of the store leads to it, so nothing that it links to is collected. While a run is
//! at work its record has no end. Whoever starts the same workflow and finds such a record goes on with that run.

use std::collections::BTreeMap;

use homestar_core::ipld::{self, Block, Cid, DecodeError, EncodeError};
use homestar_core::schedule::{Counts, Schedule, Status, Summary};
use homestar_core::unixfs::{blocks_of_file, cid_of_file};
use homestar_core::workflow::Workflow;
use homestar_store::{Store, StoreError};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::journal::Journal;

/// What names of runs begin with.
const NAME: &str = "run/";

/// Tasks in one block of a record: so many that the block stays well within its size.
const PAGE: usize = 2_000;

/// Characters of a run's id: enough to tell a million runs apart.
const ID_CHARS: usize = 8;

/// A run that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// The workflow.
    pub workflow: Cid,
    /// A file that is the workflow in its encoded form, which may be larger than a block.
    pub file: Cid,
    /// What the workflow is called, if it says so.
    pub name: Option<String>,
    /// When it was begun, in milliseconds since 1970.
    pub started_ms: u64,
    /// Sets it apart from a run that began at the same time.
    pub nonce: u64,
    /// How it ended, if it did.
    pub end: Option<RunEnd>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunEnd {
    /// When, in milliseconds since 1970.
    pub ended_ms: u64,
    /// How.
    pub how: Ended,
    /// Tasks that were run.
    pub ran: u64,
    /// Tasks that were answered by receipts that were there.
    pub memoised: u64,
    /// Tasks that failed.
    pub failed: u64,
    /// Tasks that were not run because of others.
    pub skipped: u64,
    /// Lists of [`RunTask`], in the order of the tasks.
    tasks: Vec<Cid>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// All that should have ended well did.
    Well,
    /// A task failed.
    Failed,
    /// Somebody ended it.
    Cancelled,
}

/// A task of a run that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunTask {
    /// What it is called.
    pub label: String,
    /// How it ended: `ran`, `memoised`, `caught`, `failed`, `skipped` or `waiting`.
    pub status: String,
    /// Its receipt, if there is one.
    pub receipt: Option<Cid>,
    /// Why it failed or was not run, if it did or was not. Only the first hundred of each kind are told.
    pub because: Option<String>,
}

impl RunRecord {
    /// Makes the record of a run that begins, and its id. `nonce` is any number.
    pub fn new(
        workflow: &Workflow,
        started_ms: u64,
        nonce: u64,
    ) -> Result<(String, Self), RunRecordError> {
        let record = Self {
            workflow: *workflow.cid(),
            file: cid_of_file(workflow.block().bytes()),
            name: workflow.name().map(str::to_owned),
            started_ms,
            nonce,
            end: None,
        };
        let block = Block::of_dag_cbor(&record)?;
        let id = digits(&block).take(ID_CHARS).collect();
        Ok((id, record))
    }

    /// Begins the run: from now on the store knows of it.
    pub fn begin(
        &self,
        store: &dyn Store,
        id: &str,
        workflow: &Workflow,
    ) -> Result<(), RunRecordError> {
        let block = Block::of_dag_cbor(self)?;
        let (_, mut blocks) = blocks_of_file(workflow.block().bytes());
        let cid = *block.cid();
        blocks.push(block);
        store.put(&blocks)?;
        store.set_name(&format!("{NAME}{id}"), Some(&cid))?;
        Ok(())
    }

    /// Ends a run.
    pub fn end(
        mut self,
        store: &dyn Store,
        id: &str,
        schedule: &Schedule,
        how: Ended,
        ended_ms: u64,
    ) -> Result<Self, RunRecordError> {
        let counts = schedule.counts();
        let because = reasons(&schedule.summary());
        let task = |task| {
            let label = schedule.label(task);
            RunTask {
                status: status(schedule.status(task)).to_owned(),
                receipt: schedule.receipt_of(task),
                because: because.get(&label).cloned(),
                label,
            }
        };
        let tasks: Vec<_> = schedule.tasks().map(task).collect();
        let pages = tasks.chunks(PAGE).map(Block::of_dag_cbor);
        let mut blocks = pages.collect::<Result<Vec<_>, _>>()?;
        self.end = Some(RunEnd {
            ended_ms,
            how,
            ran: counts.ran as u64,
            memoised: counts.memoised as u64,
            failed: failed(&counts),
            skipped: counts.skipped as u64,
            tasks: blocks.iter().map(|block| *block.cid()).collect(),
        });
        let block = Block::of_dag_cbor(&self)?;
        let cid = *block.cid();
        blocks.push(block);
        store.put(&blocks)?;
        store.set_name(&format!("{NAME}{id}"), Some(&cid))?;
        Journal::close(store, id)?;
        Ok(self)
    }

    /// Returns the run of that id.
    pub fn open(store: &dyn Store, id: &str) -> Result<Option<Self>, RunRecordError> {
        let cid = store.name(&format!("{NAME}{id}"))?;
        cid.map(|cid| read(store, &cid)).transpose()
    }

    /// Returns the runs of a workflow that have not ended, with their ids, the latest first.
    pub fn interrupted(
        store: &dyn Store,
        workflow: &Cid,
    ) -> Result<Vec<(String, Self)>, RunRecordError> {
        let mut open = Self::all(store)?;
        open.retain(|(_, run)| run.workflow == *workflow && run.end.is_none());
        Ok(open)
    }

    /// Returns all runs with their ids, the latest first.
    pub fn all(store: &dyn Store) -> Result<Vec<(String, Self)>, RunRecordError> {
        let mut all = Vec::new();
        for (name, cid) in store.names()? {
            if let Some(id) = name.strip_prefix(NAME) {
                all.push((id.to_owned(), read(store, &cid)?));
            }
        }
        all.sort_by_key(|(_, run): &(String, Self)| std::cmp::Reverse(run.started_ms));
        Ok(all)
    }

    /// Returns the tasks of a run that ended.
    pub fn tasks(&self, store: &dyn Store) -> Result<Vec<RunTask>, RunRecordError> {
        let mut tasks = Vec::new();
        for page in self.end.iter().flat_map(|end| &end.tasks) {
            tasks.extend(read::<Vec<RunTask>>(store, page)?);
        }
        Ok(tasks)
    }

    /// Forgets a run. Its receipts stay.
    pub fn forget(store: &dyn Store, id: &str) -> Result<bool, StoreError> {
        Journal::close(store, id)?;
        Ok(store.set_name(&format!("{NAME}{id}"), None)?.is_some())
    }
}

/// Returns why tasks failed or were not run, by their labels.
fn reasons(summary: &Summary) -> BTreeMap<String, String> {
    let failed = summary.failed.iter();
    let failed = failed.map(|task| {
        (
            task.label.clone(),
            format!("{}: {}", task.kind, task.message),
        )
    });
    let skipped = summary.skipped.iter();
    let skipped = skipped.map(|task| {
        (
            task.label.clone(),
            format!("because of {}", task.because.join(" ← ")),
        )
    });
    failed.chain(skipped).collect()
}

fn failed(counts: &Counts) -> u64 {
    (counts.failed + counts.handled + counts.caught) as u64
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Done { was_memoised: true } => "memoised",
        Status::Done { .. } => "ran",
        Status::Caught => "caught",
        Status::Failed => "failed",
        Status::Skipped { .. } => "skipped",
        Status::Waiting | Status::LookingUp | Status::Running | Status::Retrying => "waiting",
    }
}

/// Returns the digits in which the hash of a block is written.
fn digits(block: &Block) -> impl Iterator<Item = char> {
    let text = block.cid().to_string();
    // All CIDs of one kind begin alike.
    let rest: Vec<char> = text.chars().rev().collect();
    rest.into_iter()
}

pub(super) fn read<T: for<'a> Deserialize<'a>>(
    store: &dyn Store,
    cid: &Cid,
) -> Result<T, RunRecordError> {
    let block = store.get(cid)?;
    let block = block.ok_or(RunRecordError::Missing { cid: *cid })?;
    ipld::decode(block.bytes()).map_err(|source| RunRecordError::Decode { cid: *cid, source })
}

/// Why there is no record of a run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunRecordError {
    /// The store can't read or write it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It has no encoded form.
    #[error("a record of the run can't be written")]
    Encode(#[from] EncodeError),
    /// A block of it isn't there.
    #[error("block {cid} of a run's record is not in the store")]
    Missing {
        /// The block.
        cid: Cid,
    },
    /// A block of it is something else.
    #[error("block {cid} is no record of a run")]
    Decode {
        /// The block.
        cid: Cid,
        /// Why not.
        source: DecodeError,
    },
}
