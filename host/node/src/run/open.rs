//! To begin a run, or to go on with one.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

use homestar_core::workflow::Workflow;
use homestar_store::Store;
use thiserror::Error;

use super::lock::RunLock;
use super::now_ms;
use super::record::{RunRecord, RunRecordError};

/// A run that the store knows of, and that nobody else drives as long as this is there.
#[derive(Debug)]
pub struct OpenRun {
    /// Its id.
    pub id: String,
    /// What is kept of it.
    pub record: RunRecord,
    /// Whether it had been begun before.
    pub is_resumed: bool,
    _lock: RunLock,
}

impl OpenRun {
    /// Goes on with the latest run of the workflow that was interrupted and that one may go on with, or begins one. Locks are
    /// in the folder `locks`.
    pub fn open(
        store: &dyn Store,
        locks: &Path,
        workflow: &Workflow,
        may: impl Fn(&str) -> bool,
    ) -> Result<Self, OpenRunError> {
        let interrupted = RunRecord::interrupted(store, workflow.cid())?;
        for (id, begun) in interrupted {
            if !may(&id) {
                continue;
            }
            match Self::locked(store, locks, &id)? {
                Locked::Open(open) => return Ok(open),
                // It ended before it was locked.
                Locked::Ended => begun.close(store, &id).map_err(RunRecordError::from)?,
                Locked::Taken => {}
            }
        }
        // No two of these are alike.
        let nonce = RandomState::new().hash_one(now_ms());
        let (id, record) = RunRecord::new(workflow, now_ms(), nonce)?;
        let Some(lock) = lock(locks, &id)? else {
            return Err(OpenRunError::AtWork { id });
        };
        record.begin(store, &id, workflow)?;
        Ok(Self {
            id,
            record,
            is_resumed: false,
            _lock: lock,
        })
    }

    /// Goes on with the run of that id, if it has not ended and nobody drives it.
    pub fn resume(store: &dyn Store, locks: &Path, id: &str) -> Result<Option<Self>, OpenRunError> {
        match Self::locked(store, locks, id)? {
            Locked::Open(open) => Ok(Some(open)),
            Locked::Ended | Locked::Taken => Ok(None),
        }
    }

    fn locked(store: &dyn Store, locks: &Path, id: &str) -> Result<Locked, OpenRunError> {
        let Some(lock) = lock(locks, id)? else {
            return Ok(Locked::Taken);
        };
        let record = RunRecord::open(store, id)?;
        Ok(match record.filter(|record| record.end.is_none()) {
            Some(record) => Locked::Open(Self {
                id: id.to_owned(),
                record,
                is_resumed: true,
                _lock: lock,
            }),
            None => Locked::Ended,
        })
    }
}

enum Locked {
    Open(OpenRun),
    Ended,
    Taken,
}

fn lock(folder: &Path, id: &str) -> Result<Option<RunLock>, OpenRunError> {
    RunLock::take(folder, id).map_err(|source| OpenRunError::Lock {
        id: id.to_owned(),
        folder: folder.to_owned(),
        source,
    })
}

/// Why a run can't be begun.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenRunError {
    /// What is kept of it can't be read or written.
    #[error(transparent)]
    Record(#[from] RunRecordError),
    /// Nobody can be told that it is driven.
    #[error("can't lock run {id} in {}", folder.display())]
    Lock {
        /// The run.
        id: String,
        /// Where locks are.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody drives it.
    #[error("run {id} is at work already")]
    AtWork {
        /// The run.
        id: String,
    },
}
