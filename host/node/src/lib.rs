//! Runs.

mod run;

pub use self::run::{
    Canceller, Ended, Execute, Executed, News, Run, RunEnd, RunRecord, RunRecordError, RunTask,
    Trouble, Work, next_number, receipts_since,
};
