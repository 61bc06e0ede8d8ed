//! From what came of a task to what that means for the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::slot::{Dependent, End, Held, Role, Slot, State, rewires_of};
use super::summary::{LISTED_MAX, SECRET};
use super::{Schedule, Source, Step, TaskId};
use crate::ipld::{Cid, Ipld};
use crate::outcome::{Failure, Kind, Outcome};
use crate::plan::Caught;
use crate::receipt::Receipt;
use crate::task::{Input, Instruction, Nonce};

impl Schedule {
    /// There is a receipt, and it counts: for the task and for those that follow it.
    pub(super) fn settle(&mut self, task: TaskId, receipt: &Receipt, source: Source) {
        let (ran, cid) = (*receipt.ran().cid(), *receipt.link().cid());
        self.slot(task).receipt = Some(cid);
        match receipt.outcome() {
            Outcome::Error(failure) if !receipt.outcome().is_reusable() => {
                self.give_up(Some(ran), task, failure.clone());
            }
            outcome => {
                let end = match source {
                    Source::Own => End::Ran,
                    Source::Run | Source::Memo(_) | Source::Foreign => End::Memoised,
                };
                for follower in self.at_work.remove(&ran).unwrap_or_default() {
                    self.looked_at(1);
                    self.slot(follower).receipt = Some(cid);
                    match outcome {
                        Outcome::Ok(_) => {
                            let end = if follower == task { end } else { End::Memoised };
                            self.end(follower, Held::of(outcome.clone()), end);
                        }
                        Outcome::Error(failure) => self.fail(follower, failure.clone()),
                    }
                }
            }
        }
        self.ask(task, receipt);
    }

    /// A task failed in a way that says nothing about others. Those that follow it begin by themselves.
    pub(super) fn give_up(&mut self, ran: Option<Cid>, task: TaskId, failure: Failure) {
        let followers = ran
            .and_then(|ran| self.at_work.remove(&ran))
            .unwrap_or_default();
        for follower in followers.into_iter().filter(|follower| *follower != task) {
            self.slot(follower).state = State::Ready;
            self.ready.push_back(follower);
        }
        self.fail(task, failure);
    }

    /// Takes the further tasks that a task asks for, as far as they are not too many.
    fn ask(&mut self, by: TaskId, receipt: &Receipt) {
        let depth = match &self.slots[by.index()].role {
            Role::Asked { depth, .. } => depth + 1,
            _ => 1,
        };
        for instruction in receipt.run() {
            if self.asked.contains(instruction.cid()) {
                continue;
            }
            if depth > self.options.asked_depth_max || self.asked.len() >= self.options.asked_max {
                self.counts.refused += 1;
                continue;
            }
            self.asked.insert(*instruction.cid());
            let task = TaskId::new(self.slots.len());
            let mut slot = Slot::new(Role::Asked { by, depth }, State::Loading);
            slot.receipt = Some(*instruction.cid());
            self.slots.push(slot);
            self.counts.add(1);
            self.loads += 1;
            self.steps.push_back(Step::Load {
                task,
                instruction: *instruction,
            });
        }
    }

    /// A task failed for good: what catches that decides, or it ends.
    pub(super) fn fail(&mut self, task: TaskId, failure: Failure) {
        let catch = match self.slots[task.index()].role {
            Role::Planned if self.plan.tasks[task.index()].for_each.is_none() => {
                self.plan.tasks[task.index()].catch.clone()
            }
            Role::Element { of, .. } => self.plan.tasks[of.index()].catch.clone(),
            _ => None,
        };
        match catch {
            None => self.end_failed(task, failure),
            Some(Caught::Ok(value)) => self.end(task, Held::of(Outcome::Ok(value)), End::Caught),
            Some(Caught::Message(message)) => self.end_failed(task, reworded(failure, message)),
            Some(Caught::Rewire(to)) => self.rewire(task, TaskId::new(to)),
            Some(Caught::Handler { resource, func, .. }) => {
                let given = self.failure_to_ipld(task, &failure);
                let input = Input::new(func, vec![given]);
                match Instruction::new(resource, input, Nonce::EMPTY) {
                    Ok(instruction) => self.ask_handler(task, failure, instruction),
                    Err(_) => self.end_failed(task, failure),
                }
            }
        }
    }

    fn failure_to_ipld(&self, task: TaskId, failure: &Failure) -> Ipld {
        let text = |text: &str| Ipld::String(text.to_owned());
        let value = failure.value.clone().unwrap_or(Ipld::Null);
        Ipld::Map(BTreeMap::from([
            ("task".to_owned(), text(&self.label(task))),
            ("kind".to_owned(), text(failure.kind.as_str())),
            ("message".to_owned(), text(&failure.message)),
            ("value".to_owned(), value),
        ]))
    }

    fn ask_handler(&mut self, task: TaskId, failure: Failure, instruction: Instruction) {
        let slot = self.slot(task);
        slot.state = State::Catching;
        slot.held = Some(Held::of(Outcome::Error(failure)));
        let handler = TaskId::new(self.slots.len());
        let mut slot = Slot::new(Role::Handler { of: task }, State::Ready);
        slot.instruction = Some(Arc::new(instruction));
        self.slots.push(slot);
        self.counts.add(1);
        self.ready.push_back(handler);
    }

    /// Takes the answer of what catches a failure. One that is none leaves the failure as it was.
    fn handled(&mut self, task: TaskId, answer: &Held) {
        let failure = self
            .slot(task)
            .held
            .take()
            .and_then(|held| held.failure().cloned());
        let failure = failure.unwrap_or_else(|| Failure::new(Kind::Await, "its failure is gone"));
        let entry = match answer {
            Held::One(outcome) => match &**outcome {
                Outcome::Ok(Ipld::Map(entries)) if entries.len() == 1 => entries.first_key_value(),
                _ => None,
            },
            Held::Each(_) => None,
        };
        match entry {
            Some((key, value)) if key == "ok" => {
                self.end(task, Held::of(Outcome::Ok(value.clone())), End::Caught);
            }
            Some((key, Ipld::String(message))) if key == "msg" => {
                self.end_failed(task, reworded(failure, message.clone()));
            }
            Some((key, Ipld::String(label))) if key == "rewire" => {
                match self.rewire_target(task, label) {
                    Some(to) => self.rewire(task, to),
                    None => self.end_failed(task, failure),
                }
            }
            _ => self.end_failed(task, failure),
        }
    }

    /// Only to what the workflow says beforehand: so there is no circle, and what it gave is still there.
    fn rewire_target(&self, task: TaskId, label: &str) -> Option<TaskId> {
        let catch = self.plan.tasks[self.planned_of(task)?].catch.as_ref()?;
        let mut targets = rewires_of(catch).iter();
        let found = targets.find(|target| *self.plan.tasks[**target].label == *label)?;
        Some(TaskId::new(*found))
    }

    fn rewire(&mut self, task: TaskId, to: TaskId) {
        if self.slots[to.index()].is_done() {
            let held = self.slots[to.index()].held.clone();
            return self.take_over(task, held);
        }
        self.slot(task).state = State::Catching;
        self.rewired.entry(to).or_default().push(task);
    }

    fn take_over(&mut self, task: TaskId, held: Option<Held>) {
        match held {
            Some(held) if held.is_ok() => self.end(task, held, End::Caught),
            Some(held) => {
                let failure = held.failure().cloned();
                self.end_failed(
                    task,
                    failure.unwrap_or_else(|| Failure::new(Kind::Await, "it failed too")),
                );
            }
            None => self.end_failed(
                task,
                Failure::new(Kind::Await, "what stands in its place is gone"),
            ),
        }
    }

    /// A task with elements came to none. Whoever awaits them gets a list all the same, of that failure.
    pub(super) fn end_unexpanded(&mut self, task: TaskId, failure: Failure) {
        let outcome = Arc::new(Outcome::Error(failure));
        self.end(task, Held::Each([outcome].into()), End::Failed);
    }

    fn end_failed(&mut self, task: TaskId, failure: Failure) {
        self.end(task, Held::of(Outcome::Error(failure)), End::Failed);
    }

    /// All elements of a task have ended.
    pub(super) fn gather(&mut self, task: TaskId) {
        let Some(elements) = self.slot(task).elements.take() else {
            return;
        };
        let elements = elements.first..elements.first + elements.count;
        let outcomes: Arc<[Arc<Outcome>]> = elements
            .filter_map(|index| match self.slots[index].held.take() {
                Some(Held::One(outcome)) => Some(outcome),
                // An element that was rewired to a task with elements of its own gives their list.
                Some(held @ Held::Each(_)) => {
                    let value = held
                        .branch(crate::workflow::Branch::Ok)
                        .unwrap_or(Ipld::Null);
                    Some(Arc::new(Outcome::Ok(value)))
                }
                None => None,
            })
            .collect();
        let held = Held::Each(outcomes);
        let end = if held.is_ok() {
            End::Gathered
        } else {
            End::Failed
        };
        self.end(task, held, end);
    }

    /// A task ended. What follows from that is followed one by one, since chains are as long as workflows.
    fn end(&mut self, task: TaskId, held: Held, end: End) {
        let mut ended = vec![(task, held, end)];
        while let Some((task, held, end)) = ended.pop() {
            self.looked_at(1);
            self.close(task, held, end, &mut ended);
        }
    }

    fn close(&mut self, task: TaskId, held: Held, end: End, ended: &mut Vec<(TaskId, Held, End)>) {
        if self.slots[task.index()].is_done() {
            return;
        }
        let is_planned = matches!(self.slots[task.index()].role, Role::Planned);
        let dependents = match is_planned {
            true => self.dependents.of_task(task.index()).to_vec(),
            false => Vec::new(),
        };
        let awaits_failure = dependents
            .iter()
            .any(|dependent| dependent.awaits_error || dependent.awaits_any);
        let end = match end {
            End::Failed if awaits_failure => End::Handled,
            end => end,
        };
        let slot = self.slot(task);
        let was = std::mem::replace(&mut slot.state, State::Done(end));
        slot.instruction = None;
        if slot.waiters > 0 {
            slot.held = Some(held.clone());
        }
        self.note(task, &held, end);
        if was == State::Waiting {
            // It was not run: those that it awaited need not wait for it.
            self.release_needs(task);
        }
        if is_planned && let Some(catch) = self.plan.tasks[task.index()].catch.as_ref() {
            let targets: Vec<usize> = rewires_of(catch).to_vec();
            targets.into_iter().for_each(|target| self.release(target));
        }
        for dependent in dependents {
            self.looked_at(1);
            ended.extend(self.tell(dependent, task, &held, end));
        }
        for rewired in self.rewired.remove(&task).unwrap_or_default() {
            ended.push(match held.is_ok() {
                true => (rewired, held.clone(), End::Caught),
                false => (rewired, held.clone(), End::Failed),
            });
        }
        match self.slots[task.index()].role {
            Role::Element { of, .. } => {
                self.slot(task).held = Some(held);
                let parent = self.slot(of);
                parent.missing -= 1;
                if parent.missing == 0 {
                    self.gather(of);
                }
            }
            Role::Handler { of } => self.handled(of, &held),
            Role::Planned | Role::Asked { .. } => {}
        }
    }

    #[cfg(test)]
    pub(super) fn pass_end(&mut self, task: TaskId, outcome: &Outcome) {
        self.end(task, Held::of(outcome.clone()), End::Ran);
    }

    /// Tells a task that one it awaits has ended. Once all have, it becomes ready, or ends too because it awaits what
    /// didn't happen. Which of them it names doesn't depend on which ended first: its failure may be awaited too.
    fn tell(
        &mut self,
        dependent: Dependent,
        of: TaskId,
        held: &Held,
        end: End,
    ) -> Option<(TaskId, Held, End)> {
        let task = dependent.task;
        if self.slots[task.index()].state != State::Waiting {
            return None;
        }
        let is_missed = match held.is_ok() {
            true => dependent.awaits_error,
            false => dependent.awaits_ok,
        };
        let is_fine = held.is_ok() || matches!(end, End::NotNeeded { .. });
        let slot = self.slot(task);
        slot.missing -= 1;
        if is_missed {
            let worst = slot
                .missed
                .map_or((is_fine, of), |missed| missed.min((is_fine, of)));
            slot.missed = Some(worst);
        }
        if slot.missing > 0 {
            return None;
        }
        let Some((is_fine, because)) = slot.missed else {
            slot.state = State::Ready;
            self.ready.push_back(task);
            return None;
        };
        let words = match self.slots[because.index()].state {
            State::Done(End::Skipped { .. } | End::NotNeeded { .. }) => "was not run",
            _ if is_fine => "did not fail",
            _ => "failed",
        };
        let label = &self.plan.tasks[because.index()].label;
        let message = format!("not run: task `{label}` {words}");
        let end = match is_fine {
            true => End::NotNeeded { because },
            false => End::Skipped { because },
        };
        Some((task, Held::of(Outcome::error(Kind::Await, message)), end))
    }

    /// Keeps count, and what there is to tell of failures.
    fn note(&mut self, task: TaskId, held: &Held, end: End) {
        self.counts.note(end);
        let is_listed = !matches!(self.slots[task.index()].role, Role::Handler { .. });
        match end {
            End::Failed | End::Handled if is_listed => {
                if self.failures.len() < LISTED_MAX
                    && let Some(failure) = held.failure()
                {
                    let mut failure = failure.clone();
                    failure.value = None;
                    if self.is_secret(task) {
                        SECRET.clone_into(&mut failure.message);
                    }
                    self.failures.push((task, failure));
                }
                if end == End::Failed && self.options.fails_fast && self.is_final(task) {
                    self.is_stopped = true;
                }
            }
            End::Skipped { .. } if self.skipped.len() < LISTED_MAX => self.skipped.push(task),
            _ => {}
        }
    }

    /// An element's failure may be awaited by who awaits the whole.
    fn is_final(&self, task: TaskId) -> bool {
        match self.slots[task.index()].role {
            Role::Element { of, .. } => {
                let dependents = self.dependents.of_task(of.index());
                !dependents
                    .iter()
                    .any(|dependent| dependent.awaits_error || dependent.awaits_any)
            }
            _ => true,
        }
    }
}

fn reworded(failure: Failure, message: String) -> Failure {
    let mut reworded = Failure::new(failure.kind, message);
    reworded.value = failure.value;
    reworded
}
