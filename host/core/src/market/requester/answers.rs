//! What comes of tasks that were given to somebody: receipts, which are used only if they are what they should be.

use super::super::message::{Answer, Message, Reason, Refusal};
use super::{Judge, Requester, RequesterStep, Said, State, Task, Unrun};
use super::{REFUSALS_MAX, RequesterSettings};
use crate::ipld::Cid;
use crate::schedule::Timestamp;
use crate::ucan::Did;

impl<J: Judge> Requester<J> {
    /// A receipt came, or its name.
    pub(super) fn came(&mut self, from: Did, answer: Answer, now: Timestamp) {
        let cid = answer.instruction;
        let ack = RequesterStep::Tell(from, Message::Ack { bid: answer.bid });
        let Some(task) = self.tasks.get_mut(&cid) else {
            // Whoever was given it needn't say so again. Others are not answered.
            let given = self.ended.iter().find(|(ended, _)| *ended == cid);
            if given.is_some_and(|(_, given)| given.contains(&(from, answer.bid))) {
                self.steps.push_back(ack);
                if let Some(bytes) = answer.bytes {
                    self.late(from, cid, bytes.into_vec(), now);
                }
            } else {
                let leases = vec![answer.bid];
                let cancel = Message::Cancel { leases };
                self.steps.push_back(RequesterStep::Tell(from, cancel));
            }
            return;
        };
        if !task.may_answer(&from, &self.settings) {
            return;
        }
        match answer.bytes {
            Some(bytes) => self.judge_one(from, cid, answer.receipt, bytes.into_vec(), now),
            None if task.fetching == Some(answer.receipt) => {}
            None => {
                task.fetching = Some(answer.receipt);
                self.go_on(from, answer.bid, self.settings.lease, now);
                self.steps.push_back(RequesterStep::Fetch {
                    from,
                    instruction: cid,
                    receipt: answer.receipt,
                });
            }
        }
    }

    pub(super) fn fetched(
        &mut self,
        from: Did,
        instruction: Cid,
        receipt: Cid,
        bytes: Option<Vec<u8>>,
        now: Timestamp,
    ) {
        let Some(task) = self.tasks.get_mut(&instruction) else {
            return;
        };
        if task.fetching.take_if(|it| *it == receipt).is_none() {
            return;
        }
        // Whoever named a receipt that isn't to be had will name it again.
        if let Some(bytes) = bytes
            && task.may_answer(&from, &self.settings)
        {
            self.judge_one(from, instruction, receipt, bytes, now);
        }
    }

    fn judge_one(&mut self, from: Did, cid: Cid, name: Cid, bytes: Vec<u8>, now: Timestamp) {
        let said = self.read(&from, &cid, &bytes);
        match said.filter(|said| said.receipt == name) {
            Some(said) => {
                let tickets = self.end(&cid, Some(from));
                self.steps.push_back(RequesterStep::Answered {
                    tickets,
                    from,
                    said,
                    receipt: bytes,
                });
            }
            None => self.lied(from, cid, now),
        }
    }

    fn late(&mut self, from: Did, cid: Cid, receipt: Vec<u8>, now: Timestamp) {
        let step = match self.read(&from, &cid, &receipt) {
            Some(said) => RequesterStep::Late {
                from,
                said,
                receipt,
            },
            None => {
                self.workers.lied(from, now);
                RequesterStep::Lied(from)
            }
        };
        self.steps.push_back(step);
    }

    /// Returns what a receipt says, if it may be used.
    fn read(&self, from: &Did, cid: &Cid, bytes: &[u8]) -> Option<Said> {
        let said = self.judge.receipt(bytes)?;
        let is_believed = said.issuer == *from || self.settings.trusted.contains(&said.issuer);
        (said.ran == *cid && is_believed).then_some(said)
    }

    fn lied(&mut self, from: Did, cid: Cid, now: Timestamp) {
        self.workers.lied(from, now);
        self.steps.push_back(RequesterStep::Lied(from));
        let Some(task) = self.tasks.get_mut(&cid) else {
            return;
        };
        task.out.insert(from);
        let lie = Refusal::new(Reason::Failed, "it gave no valid receipt");
        if task.refusals.len() < REFUSALS_MAX {
            task.refusals.push((from, lie));
        }
        match task.state {
            State::Given { to, .. } if to == from && task.offer.pure => self.look(cid, now),
            State::Given { to, .. } if to == from => self.fail(cid, Unrun::Lost),
            _ => {}
        }
    }
}

impl Task {
    /// Tells whether somebody's receipt may be used: it was given the task at some time, or is trusted.
    fn may_answer(&self, who: &Did, settings: &RequesterSettings) -> bool {
        let was_given = self.given.iter().any(|(given, _)| given == who);
        !self.out.contains(who) && (was_given || settings.trusted.contains(who))
    }
}
