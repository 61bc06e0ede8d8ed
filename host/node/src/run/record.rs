//! What is kept of a run: which workflow, when, how it ended, and the receipts of its tasks.
//!
//! A record is a block, and a name of the store leads to it, so nothing that it links to is collected. The name begins
//! with when the run began, so the latest are found without reading any. While a run is at work its record has no end,
//! and a second name says so. Whoever starts the same workflow and finds such a name goes on with that run.

use std::collections::{BTreeMap, BTreeSet};

use homestar_core::ipld::{self, Block, Cid, DecodeError, EncodeError};
use homestar_core::schedule::{Counts, Schedule, Status, Summary};
use homestar_core::unixfs::{FileReader, Step, blocks_of_file, cid_of_file};
use homestar_core::workflow::Workflow;
use homestar_store::{Store, StoreError};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::journal::Journal;

/// What names of runs begin with: `run/TIME-ID`.
const NAME: &str = "run/";

/// What names of runs that have not ended begin with: `open/WORKFLOW/ID`.
const OPEN: &str = "open/";

/// Runs that ended and are kept. `homestar runs --help` says so.
const ENDED_RUNS_MAX: usize = 1_000;

/// Runs that are forgotten at once, so that whoever ends a run needn't wait long.
const FORGOTTEN_MAX: usize = 16;

/// Most bytes of a workflow that are read again.
const WORKFLOW_BYTES_MAX: usize = 64 << 20;

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

impl Ended {
    /// Returns how a run ended, which may have been stopped before all of its tasks had.
    pub fn of(summary: &Summary, was_stopped: bool) -> Self {
        let is_whole = summary.counts.ended() == summary.counts.all;
        match (summary.is_success(), is_whole) {
            (true, _) => Self::Well,
            (false, false) if was_stopped => Self::Cancelled,
            (false, _) => Self::Failed,
        }
    }
}

/// A task of a run that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunTask {
    /// What it is called.
    pub label: String,
    /// How it ended: `ran`, `memoised`, `caught`, `failed`, `skipped` or `waiting`. In a run that has not ended, one that
    /// failed may be tried again, or caught.
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

    fn name_of(&self, id: &str) -> String {
        // So many digits that times sort as texts, for three thousand years.
        format!("{NAME}{:014}-{id}", self.started_ms)
    }

    fn open_name(&self, id: &str) -> String {
        format!("{OPEN}{}/{id}", self.workflow)
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
        // A crash in between leaves an open run that isn't there: whoever looks for it takes it away.
        store.set_name(&self.open_name(id), Some(&cid))?;
        store.set_name(&self.name_of(id), Some(&cid))?;
        Ok(())
    }

    /// Ends a run. The oldest that ended are forgotten if there are more than 1,000.
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
        store.set_name(&self.name_of(id), Some(&cid))?;
        self.close(store, id)?;
        forget_oldest(store, ENDED_RUNS_MAX)?;
        Ok(self)
    }

    /// Takes a run out of those that have not ended: one that ended, or never quite began.
    pub fn close(&self, store: &dyn Store, id: &str) -> Result<(), StoreError> {
        store.set_name(&self.open_name(id), None)?;
        Journal::close(store, id)
    }

    /// Returns the run of that id.
    pub fn open(store: &dyn Store, id: &str) -> Result<Option<Self>, RunRecordError> {
        let found = name_of(store, id)?;
        found.map(|(_, cid)| read(store, &cid)).transpose()
    }

    /// Returns the runs of a workflow that have not ended, with their ids, the latest first. No others are looked at.
    pub fn interrupted(
        store: &dyn Store,
        workflow: &Cid,
    ) -> Result<Vec<(String, Self)>, RunRecordError> {
        let under = format!("{OPEN}{workflow}/");
        let mut open = Vec::new();
        for (name, cid) in store.names_under(&under)? {
            open.push((name[under.len()..].to_owned(), read::<Self>(store, &cid)?));
        }
        open.sort_by_key(|(_, run)| std::cmp::Reverse(run.started_ms));
        Ok(open)
    }

    /// Returns the ids of all runs, the latest first.
    pub fn ids(store: &dyn Store) -> Result<Vec<String>, StoreError> {
        let names = store.names_under(NAME)?;
        let ids = names.iter().rev().map(|(name, _)| id_in(name).to_owned());
        Ok(ids.collect())
    }

    /// Returns the latest runs with their ids, the latest first, and no more than `count`.
    pub fn latest(store: &dyn Store, count: usize) -> Result<Vec<(String, Self)>, RunRecordError> {
        let names = store.names_under(NAME)?;
        let latest = names.iter().rev().take(count);
        latest
            .map(|(name, cid)| Ok((id_in(name).to_owned(), read(store, cid)?)))
            .collect()
    }

    /// Returns the tasks of a run. Of one that has not ended these are those that are known so far: what came of them, or
    /// that they wait.
    pub fn tasks(&self, store: &dyn Store, id: &str) -> Result<Vec<RunTask>, RunRecordError> {
        let Some(end) = &self.end else {
            return self.tasks_so_far(store, id);
        };
        let mut tasks = Vec::new();
        for page in &end.tasks {
            tasks.extend(read::<Vec<RunTask>>(store, page)?);
        }
        Ok(tasks)
    }

    fn tasks_so_far(&self, store: &dyn Store, id: &str) -> Result<Vec<RunTask>, RunRecordError> {
        let mut known = Journal::open(store, id)?.tasks(store)?;
        let workflow = workflow_of(store, self)?;
        let waiting = |label: String| RunTask {
            label,
            status: status(Status::Waiting).to_owned(),
            receipt: None,
            because: None,
        };
        let labels = workflow.tasks().iter().map(|task| task.label.clone());
        let planned = labels.map(|label| known.remove(&label).unwrap_or_else(|| waiting(label)));
        let mut tasks: Vec<_> = planned.collect();
        // What is left are elements, and what catches or was asked for.
        tasks.extend(known.into_values());
        Ok(tasks)
    }

    /// Forgets a run. Its receipts stay.
    pub fn forget(store: &dyn Store, id: &str) -> Result<bool, StoreError> {
        let Some((name, cid)) = name_of(store, id)? else {
            return Ok(false);
        };
        // A damaged record can be forgotten too.
        if let Ok(record) = read::<Self>(store, &cid) {
            record.close(store, id)?;
        }
        Ok(store.set_name(&name, None)?.is_some())
    }
}

/// Finds the name of a run, and where it leads.
fn name_of(store: &dyn Store, id: &str) -> Result<Option<(String, Cid)>, StoreError> {
    let mut names = store.names_under(NAME)?.into_iter();
    Ok(names.find(|(name, _)| id_in(name) == id))
}

/// Returns the id in the name of a run.
fn id_in(name: &str) -> &str {
    name.rsplit(['-', '/']).next().unwrap_or_default()
}

/// Forgets the oldest runs that ended until there are `kept`, but not many at once. Reads none of them.
pub(super) fn forget_oldest(store: &dyn Store, kept: usize) -> Result<(), StoreError> {
    let names = store.names_under(NAME)?;
    if names.len() <= kept {
        return Ok(());
    }
    let open = store.names_under(OPEN)?;
    let open: BTreeSet<_> = open.iter().map(|(name, _)| id_in(name)).collect();
    let ended = names.iter().filter(|(name, _)| !open.contains(id_in(name)));
    let ended: Vec<_> = ended.collect();
    let excess = ended.len().saturating_sub(kept).min(FORGOTTEN_MAX);
    for (name, _) in &ended[..excess] {
        store.set_name(name, None)?;
    }
    Ok(())
}

/// Returns the workflow of a run.
pub(crate) fn workflow_of(
    store: &dyn Store,
    record: &RunRecord,
) -> Result<Workflow, RunRecordError> {
    let bytes = read_file(store, &record.file)?;
    let damaged = RunRecordError::Workflow { cid: record.file };
    Workflow::decode(&bytes).map_err(|_| damaged)
}

/// Returns the bytes of a file that the store has.
fn read_file(store: &dyn Store, file: &Cid) -> Result<Vec<u8>, RunRecordError> {
    let damaged = || RunRecordError::Workflow { cid: *file };
    let mut reader = FileReader::new(*file);
    let (mut bytes, mut given) = (Vec::new(), None::<Block>);
    while bytes.len() <= WORKFLOW_BYTES_MAX {
        match reader.step().map_err(|_| damaged())? {
            Step::Need(cid) => {
                let block = store.get(&cid)?;
                let block = block.ok_or(RunRecordError::Missing { cid })?;
                reader.give(&block).map_err(|_| damaged())?;
                given = Some(block);
            }
            Step::Bytes { range, .. } => {
                let block = given.as_ref().ok_or_else(damaged)?;
                bytes.extend_from_slice(&block.bytes()[range]);
            }
            Step::Inline(more) => bytes.extend_from_slice(&more),
            Step::Done => return Ok(bytes),
        }
    }
    Err(damaged())
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
    /// The workflow that it names is damaged.
    #[error("{cid} is no workflow")]
    Workflow {
        /// The file.
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
