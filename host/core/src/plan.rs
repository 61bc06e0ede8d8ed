//! What a workflow comes to: its tasks in order of need, with nothing left to be found.
//!
//! [`Workflow::plan`] checks all that can be checked before anything runs: that every label leads to a task, that
//! no tasks wait for each other, that functions exist and that what flows into a parameter fits it. Holding a
//! [`Plan`] is proof of that.

mod check;
mod fit;
mod flow;
mod names;
mod order;
mod render;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::grant::{Grant, Grants};
use crate::ipld::{Cid, Ipld};
use crate::task::{Input, Instruction, InstructionError, Limits, Nonce, Resource};
use crate::wit::Function;
use crate::workflow::{Branch, Place, Problem, Retry, Site, Workflow};

/// What the names in a workflow stand for.
pub type Resources = BTreeMap<String, Found>;

/// What components export, by their CIDs.
pub type Signatures = BTreeMap<Cid, Vec<Function>>;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The component, file or folder.
    pub cid: Cid,
    /// The names in it and what they name, if it is a folder.
    pub entries: Option<BTreeMap<String, Cid>>,
}

impl From<Cid> for Found {
    fn from(cid: Cid) -> Self {
        Self { cid, entries: None }
    }
}

/// What the operator decided.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What a task may use that says nothing.
    pub usual: Limits,
    /// What a task may use at the most.
    pub max: Limits,
    /// What a task may reach at the most.
    pub ceiling: Grants,
}

impl Default for Rules {
    /// The usual limits, and no bound on what a workflow may ask for.
    fn default() -> Self {
        Self {
            usual: Limits::default(),
            max: Limits::MAX,
            ceiling: Grants::everything(),
        }
    }
}

/// Tasks in order of need: what a task needs stands before it.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) name: Option<String>,
    pub(crate) workflow: Cid,
    pub(crate) tasks: Vec<Planned>,
    pub(crate) notes: Vec<Problem>,
}

/// A task that is ready to be scheduled.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What the others call it.
    pub label: Arc<str>,
    /// Where it stands in the text, if it stood in one.
    pub place: Option<Place>,
    /// What it computes, but for what it needs of others.
    pub template: Template,
    /// The CID of its instruction with its awaits in it: how awaits by CID name it.
    pub promise: Cid,
    /// What it needs of others, each once. Their places in [`Plan::tasks`] are before its own.
    pub needs: Vec<Need>,
    /// How it is run.
    pub how: Arc<How>,
    /// What becomes of its failure.
    pub catch: Option<Caught>,
    /// What it is done for each element of, if it is done more than once.
    pub for_each: Option<Arg>,
    /// Whether what it gives is kept out of logs and exports: it says so, or something secret flows into it.
    pub is_secret: bool,
}

/// What a task needs of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// The other's place in [`Plan::tasks`].
    pub task: usize,
    /// The branch of its outcome.
    pub branch: Branch,
}

/// How a task is run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct How {
    /// What it may use.
    pub limits: Limits,
    /// What it may reach.
    pub grants: Vec<Grant>,
    /// Which effect provides an interface: its name or its CID.
    pub pin: BTreeMap<String, String>,
    /// How often it is tried again.
    pub retry: Retry,
    /// How old a receipt may be that is used again though the outside had a part in it.
    pub reuse: Option<Duration>,
    /// Who runs it, if the workflow says so.
    pub site: Option<Site>,
}

/// What becomes of a task's failure.
#[derive(Clone, Debug, PartialEq)]
pub enum Caught {
    /// Those who wait get this value.
    Ok(Ipld),
    /// Those who wait get what this task gives.
    Rewire(usize),
    /// The failure says this.
    Message(String),
    /// This is called with the failure.
    Handler {
        /// The component.
        resource: Resource,
        /// The function.
        func: String,
        /// Which tasks it may rewire to.
        rewire: Vec<usize>,
    },
}

/// An instruction whose arguments are not all known.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The component.
    pub resource: Resource,
    /// The function, spelled as instructions spell it.
    pub func: String,
    /// Its arguments.
    pub args: Vec<Arg>,
    /// What a command reads from its standard input.
    pub stdin: Option<Vec<u8>>,
    /// The nonce.
    pub nonce: Nonce,
}

/// An argument, or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Arg {
    /// All is known.
    Plain(Ipld),
    /// A list with something in it that is not known yet.
    List(Vec<Self>),
    /// A map with something in it that is not known yet.
    Map(BTreeMap<String, Self>),
    /// What another task gives.
    Await(Need),
    /// The element that `for-each` is at.
    EachValue,
    /// Its index or its name.
    EachKey,
}

impl Arg {
    /// The value with each unknown part replaced, or the first refusal.
    pub(crate) fn fill<E>(
        &self,
        known: &mut impl FnMut(&Self) -> Result<Ipld, E>,
    ) -> Result<Ipld, E> {
        Ok(match self {
            Self::Plain(value) => value.clone(),
            Self::List(items) => Ipld::List(
                items
                    .iter()
                    .map(|item| item.fill(known))
                    .collect::<Result<_, _>>()?,
            ),
            Self::Map(entries) => {
                let mut filled = BTreeMap::new();
                for (key, value) in entries {
                    filled.insert(key.clone(), value.fill(known)?);
                }
                Ipld::Map(filled)
            }
            Self::Await(_) | Self::EachValue | Self::EachKey => known(self)?,
        })
    }
}

impl Template {
    /// The instruction, where each unknown part is replaced.
    pub(crate) fn fill<E: From<InstructionError>>(
        &self,
        known: &mut impl FnMut(&Arg) -> Result<Ipld, E>,
    ) -> Result<Instruction, E> {
        let args = self.args.iter().map(|arg| arg.fill(known));
        let input = Input {
            func: self.func.clone(),
            args: args.collect::<Result<_, _>>()?,
            stdin: self.stdin.clone(),
        };
        Ok(Instruction::new(
            self.resource.clone(),
            input,
            self.nonce.clone(),
        )?)
    }
}

impl Workflow {
    /// Checks all that can be checked before anything runs, and puts the tasks in order of need. All that is wrong
    /// is told at once.
    pub fn plan(
        &self,
        resources: &Resources,
        signatures: &Signatures,
        rules: &Rules,
    ) -> Result<Plan, Vec<Problem>> {
        check::plan(self, resources, signatures, rules)
    }
}

impl Plan {
    /// What the workflow is called, if it says so.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The workflow that this is the plan of.
    pub fn workflow(&self) -> &Cid {
        &self.workflow
    }

    /// The tasks in order of need.
    pub fn tasks(&self) -> &[Planned] {
        &self.tasks
    }

    /// What may go wrong: types that fit for some values only.
    pub fn notes(&self) -> &[Problem] {
        &self.notes
    }
}

#[cfg(test)]
mod tests;
