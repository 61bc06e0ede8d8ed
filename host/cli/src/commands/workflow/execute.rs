//! Runs the tasks of a workflow with the engine, and signs what came of each.

use std::sync::Arc;

use homestar_core::key::SigningKey;
use homestar_core::outcome::{Failure, Kind};
use homestar_core::plan::How;
use homestar_core::receipt::Receipt;
use homestar_core::task::Instruction;
use homestar_core::ucan::{Did, Leave};
use homestar_core::workflow::Site;
use homestar_engine::{Answers, Call, CallError, Component};
use homestar_node::{Execute, Executed, Trouble, Work};

use super::super::run::away::{self, Away, NotDone};
use super::super::run::sign;
use super::board::Board;
use super::guests::Guests;
use crate::error::{self, CommandError};

/// The engine, for a run.
#[derive(Debug)]
pub(super) struct Engine<'a> {
    pub(super) guests: &'a Guests,
    pub(super) key: &'a SigningKey,
    /// Is told what tasks log.
    pub(super) board: &'a Board,
    /// Who runs what is pure and not secret, if others do.
    pub(super) away: Option<&'a Away>,
    /// What whoever asked for the run lets its tasks do, if that was somebody else.
    pub(super) leave: Option<&'a Arc<Leave>>,
}

impl Engine<'_> {
    /// Has a task run by somebody else. It counts as ours does: whoever ran it was chosen.
    fn elsewhere(
        &self,
        away: &Away,
        on: &[Did],
        component: &Component,
        work: &Work,
    ) -> Result<Executed, NotDone> {
        let (instruction, data) = (&work.instruction, &self.guests.data);
        let stop = &work.stops.elsewhere;
        let receipt = away.receipt(on, component, instruction, &work.how.limits, data, stop);
        Ok(Executed {
            receipt: receipt?,
            blocks: vec![instruction.block().clone()],
        })
    }
}

impl Execute for Engine<'_> {
    fn execute(&self, work: &Work) -> Result<Executed, Trouble> {
        let cid = work.instruction.resource().cid();
        let component = self.guests.get(cid, &work.how.pin).map_err(unloaded)?;
        if let Some(away) = self.away {
            let site = work.how.site.as_ref();
            let on = away.candidates(site);
            if !work.is_secret && away::is_pure(&component) && !on.is_empty() {
                let done = self.elsewhere(away, on, &component, work);
                return done.map_err(not_done);
            }
            if let (Some(Site::Peer(peer)), false) = (site, on.is_empty()) {
                return Err(stays(peer));
            }
        }
        let mut call = Call::new(&work.instruction, &work.how.limits);
        call.answers = Answers::Drivers(self.guests.loading.authority.task_with(&work.how.grants));
        call.leave = self.leave.cloned();
        call.blocks = Some(Arc::clone(&self.guests.data) as _);
        call.on_log = self.board.logger(work);
        call.stop = Some(work.stops.here.clone());
        let done = self.guests.engine.call(&component, call);
        self.board.end_of_log(work.task);
        let mut done = done.map_err(uncalled)?;
        sign::sign(self.key, &component, &work.instruction, &mut done, None)
            .and_then(|signed| {
                Ok(Executed {
                    blocks: signed.blocks(&work.instruction)?,
                    receipt: signed.receipt,
                })
            })
            .map_err(|error| host(error.message()))
    }

    fn is_pure(&self, instruction: &Instruction, how: &How) -> bool {
        self.guests
            .is_pure(instruction, how, self.leave.map(Arc::as_ref))
    }

    fn is_answer(&self, instruction: &Instruction, how: &How, receipt: &Receipt) -> bool {
        // What the outside told the owner isn't told to others.
        let is_theirs = self.leave.is_none() || receipt.meta().trace.is_none();
        is_theirs && self.guests.is_answer(instruction, how, receipt)
    }
}

/// A task was to run on a peer, and can't leave.
fn stays(peer: &str) -> Trouble {
    let words = format!(
        "its `place` is {peer}, and what reaches the outside runs here: `place: local` says so"
    );
    Trouble {
        failure: Failure::new(Kind::Denied, words),
        may_pass: false,
        was_stopped: false,
    }
}

fn not_done(not_done: NotDone) -> Trouble {
    match not_done {
        NotDone::Stopped => Trouble::stopped(),
        NotDone::Failed(error) => unloaded(error),
    }
}

fn unloaded(error: CommandError) -> Trouble {
    Trouble {
        failure: Failure::new(Kind::Unavailable, error.message()),
        may_pass: error.kind == error::Kind::Host,
        was_stopped: false,
    }
}

fn uncalled(error: CallError) -> Trouble {
    match error {
        CallError::Host(words) => host(words),
        CallError::Stopped => Trouble::stopped(),
        error @ CallError::Linked { .. } => Trouble {
            failure: Failure::new(Kind::Unavailable, error.to_string()),
            may_pass: true,
            was_stopped: false,
        },
        error => Trouble {
            failure: Failure::new(Kind::Input, error.to_string()),
            may_pass: false,
            was_stopped: false,
        },
    }
}

fn host(words: String) -> Trouble {
    Trouble {
        failure: Failure::new(Kind::Unavailable, format!("this host failed: {words}")),
        may_pass: true,
        was_stopped: false,
    }
}
