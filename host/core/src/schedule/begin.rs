//! From a task that may begin to its instruction.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::slot::{Elements, Key, Role, Slot, State};
use super::{Schedule, Step, TaskId};
use crate::ipld::Ipld;
use crate::outcome::{Failure, Kind};
use crate::plan::{Arg, Template};
use crate::task::{Instruction, InstructionError};

/// Why a task has no instruction.
struct Unfit(String);

impl From<InstructionError> for Unfit {
    fn from(error: InstructionError) -> Self {
        Self(error.to_string())
    }
}

impl Schedule {
    pub(super) fn begin(&mut self, task: TaskId) {
        self.looked_at(1);
        let slot = &self.slots[task.index()];
        if slot.state != State::Ready {
            return;
        }
        if let Some(instruction) = slot.instruction.clone() {
            return self.started(task, instruction);
        }
        let made = match &slot.role {
            Role::Planned if self.plan.tasks[task.index()].for_each.is_some() => {
                let made = self.expand(task);
                self.release_needs(task);
                return match made {
                    Ok(()) => {}
                    Err(Unfit(words)) => {
                        self.end_unexpanded(task, Failure::new(Kind::Input, words))
                    }
                };
            }
            Role::Planned => {
                let made = self.plan.tasks[task.index()]
                    .template
                    .fill(&mut |arg| self.known(arg));
                self.release_needs(task);
                made
            }
            Role::Element { of, key, value } => self.element(*of, key, value.as_ref()),
            // Those know theirs from the beginning, or are loading.
            Role::Handler { .. } | Role::Asked { .. } => return,
        };
        if let Role::Element { value, .. } = &mut self.slot(task).role {
            *value = None;
        }
        match made {
            Ok(instruction) => self.started(task, Arc::new(instruction)),
            Err(Unfit(words)) => self.fail(task, Failure::new(Kind::Input, words)),
        }
    }

    pub(super) fn loaded(&mut self, task: TaskId, instruction: Instruction) {
        let Some(slot) = self.slots.get_mut(task.index()) else {
            return;
        };
        // Only the instruction that was asked for: its name was put there.
        if slot.state != State::Loading || slot.receipt != Some(*instruction.link().cid()) {
            return;
        }
        self.loads -= 1;
        let slot = self.slot(task);
        slot.receipt = None;
        slot.state = State::Ready;
        slot.instruction = Some(Arc::new(instruction));
        self.ready.push_back(task);
    }

    /// A task has its instruction: it follows another with the same, or is looked up, or called.
    fn started(&mut self, task: TaskId, instruction: Arc<Instruction>) {
        let at_work = self.at_work.entry(*instruction.link().cid()).or_default();
        at_work.push(task);
        let is_first = at_work.len() == 1;
        let reuse = self.how(task).reuse;
        let (is_stopped, looks_up) = (self.is_stopped, self.options.looks_up);
        let slot = self.slot(task);
        slot.instruction = Some(instruction.clone());
        slot.state = match is_first {
            false => State::Following,
            true if looks_up && !is_stopped => State::LookingUp,
            true => State::Callable,
        };
        match slot.state {
            State::LookingUp => {
                self.lookups += 1;
                self.steps.push_back(Step::LookUp {
                    task,
                    instruction,
                    reuse,
                });
            }
            State::Callable => self.callable.push_back(task),
            _ => {}
        }
    }

    /// What an await stands for. All that is awaited has ended, in the branch that is awaited.
    fn known(&self, arg: &Arg) -> Result<Ipld, Unfit> {
        let Arg::Await(need) = arg else {
            return Err(Unfit("`@each` stands in a task without `for-each`".into()));
        };
        let held = self.slots[need.task].held.as_ref();
        let value = held.and_then(|held| held.branch(need.branch));
        value.ok_or_else(|| {
            let label = &self.plan.tasks[need.task].label;
            Unfit(format!(
                "`{}` of task `{label}` did not happen",
                need.branch
            ))
        })
    }

    fn element(&self, of: TaskId, key: &Key, value: Option<&Ipld>) -> Result<Instruction, Unfit> {
        let Some(elements) = &self.slots[of.index()].elements else {
            return Err(Unfit("its elements are gone".into()));
        };
        elements.template.fill(&mut |arg| match (arg, value) {
            (Arg::EachValue, Some(value)) => Ok(value.clone()),
            (Arg::EachKey, _) => Ok(key.to_ipld()),
            (arg, _) => self.known(arg),
        })
    }

    /// Makes a task for each element.
    fn expand(&mut self, task: TaskId) -> Result<(), Unfit> {
        let planned = &self.plan.tasks[task.index()];
        let each = planned
            .for_each
            .as_ref()
            .map(|each| each.fill(&mut |arg| self.known(arg)));
        let elements: Vec<(Key, Ipld)> = match each.transpose()? {
            Some(Ipld::List(items)) => {
                let items = items.into_iter().enumerate();
                items
                    .map(|(index, item)| (Key::Index(index), item))
                    .collect()
            }
            Some(Ipld::Map(entries)) => {
                let entries = entries.into_iter();
                entries
                    .map(|(name, value)| (Key::Name(name), value))
                    .collect()
            }
            _ => {
                return Err(Unfit(
                    "`for-each` was given neither a list nor a map".into(),
                ));
            }
        };
        let (count, max) = (elements.len(), self.options.elements_max);
        if count > max {
            return Err(Unfit(format!(
                "`for-each` was given {count} elements, more than {max}"
            )));
        }
        let mut args = Vec::with_capacity(planned.template.args.len());
        for arg in &planned.template.args {
            args.push(self.partly(arg)?);
        }
        let template = Arc::new(Template {
            args,
            ..planned.template.clone()
        });
        let first = self.slots.len();
        let slot = self.slot(task);
        slot.missing = count as u32;
        slot.state = State::Gathering;
        slot.elements = Some(Elements {
            template,
            first,
            count,
        });
        self.counts.add(count);
        for (key, value) in elements {
            self.looked_at(1);
            let role = Role::Element {
                of: task,
                key,
                value: Some(value),
            };
            self.ready.push_back(TaskId::new(self.slots.len()));
            self.slots.push(Slot::new(role, State::Ready));
        }
        if count == 0 {
            self.gather(task);
        }
        Ok(())
    }

    /// An argument with its awaits replaced, and the element left open.
    fn partly(&self, arg: &Arg) -> Result<Arg, Unfit> {
        Ok(match arg {
            Arg::Await(_) => Arg::Plain(self.known(arg)?),
            Arg::List(items) => Arg::List(
                items
                    .iter()
                    .map(|item| self.partly(item))
                    .collect::<Result<_, _>>()?,
            ),
            Arg::Map(entries) => {
                let mut partly = BTreeMap::new();
                for (key, arg) in entries {
                    partly.insert(key.clone(), self.partly(arg)?);
                }
                Arg::Map(partly)
            }
            Arg::Plain(_) | Arg::EachValue | Arg::EachKey => arg.clone(),
        })
    }

    /// A task has its instruction, or never will: it asks for no values any more.
    pub(super) fn release_needs(&mut self, task: TaskId) {
        let mut last = None;
        for at in 0..self.plan.tasks[task.index()].needs.len() {
            let need = self.plan.tasks[task.index()].needs[at].task;
            if last != Some(need) {
                last = Some(need);
                self.release(need);
            }
        }
    }

    /// One fewer may ask for what a task gives.
    pub(super) fn release(&mut self, index: usize) {
        self.looked_at(1);
        let slot = &mut self.slots[index];
        slot.waiters = slot.waiters.saturating_sub(1);
        if slot.waiters == 0 && slot.is_done() {
            slot.held = None;
        }
    }
}
