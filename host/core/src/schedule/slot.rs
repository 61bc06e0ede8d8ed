//! What is known about each task of a run.

use std::sync::Arc;

use crate::ipld::{Cid, Ipld};
use crate::outcome::{Failure, Outcome};
use crate::plan::{Caught, Plan, Template};
use crate::task::Instruction;
use crate::workflow::Branch;

/// A task of a run.
///
/// The first are those of the plan, in its order. What becomes several tasks, or asks for more, adds to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub(super) u32);

impl TaskId {
    pub(super) fn new(index: usize) -> Self {
        // Each has hundreds of bytes: memory ends long before.
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// Its place: for a task of the plan, that in the plan.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) role: Role,
    pub(super) state: State,
    /// How many tasks that it awaits, or how many of its elements, have not ended.
    pub(super) missing: u32,
    /// One that it awaits whose branch didn't happen, after whether that is as it should be: the worst, then the
    /// first.
    pub(super) missed: Option<(bool, TaskId)>,
    /// How many may still ask for what it gives.
    pub(super) waiters: u32,
    /// How often it failed in a way that may pass.
    pub(super) attempts: u32,
    /// Known from when it begins until it ends.
    pub(super) instruction: Option<Arc<Instruction>>,
    /// Of a task that is done for each element: what its elements are made from, and which they are.
    pub(super) elements: Option<Elements>,
    /// What it gives, as long as somebody may ask. Of a task whose failure is being caught, the failure.
    pub(super) held: Option<Held>,
    pub(super) receipt: Option<Cid>,
}

#[derive(Debug)]
pub(super) enum Role {
    Planned,
    /// One element of `for-each`. Its value is dropped once it has its instruction.
    Element {
        of: TaskId,
        key: Key,
        value: Option<Ipld>,
    },
    /// Asks what becomes of a failure.
    Handler {
        of: TaskId,
    },
    /// Asked for by a task.
    Asked {
        by: TaskId,
        depth: u32,
    },
}

/// The key of an element.
#[derive(Clone, Debug)]
pub(super) enum Key {
    Index(usize),
    Name(String),
}

impl Key {
    pub(super) fn to_ipld(&self) -> Ipld {
        match self {
            Self::Index(index) => Ipld::Integer(*index as i128),
            Self::Name(name) => Ipld::String(name.clone()),
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Index(index) => write!(f, "{index}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

#[derive(Debug)]
pub(super) struct Elements {
    pub(super) template: Arc<Template>,
    pub(super) first: usize,
    pub(super) count: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Something that it awaits has not ended.
    Waiting,
    /// It may begin.
    Ready,
    Loading,
    LookingUp,
    /// Another task is at work on the same instruction.
    Following,
    /// It may be called.
    Callable,
    Calling,
    /// It waits for its time.
    Retrying,
    /// It waits for its elements.
    Gathering,
    /// It failed, and what becomes of that is not decided.
    Catching,
    Done(End),
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It was run here.
    Ran,
    /// There was a receipt.
    Memoised,
    /// It failed and something else stands in its place.
    Caught,
    /// All its elements ended well.
    Gathered,
    /// It failed.
    Failed,
    /// It failed, and somebody awaited that it might.
    Handled,
    /// It was not run since what it awaits failed.
    Skipped { because: TaskId },
    /// It was not run since the branch that it awaits didn't happen, and nothing is wrong with that.
    NotNeeded { because: TaskId },
}

/// What a task gives.
#[derive(Clone, Debug)]
pub(super) enum Held {
    One(Arc<Outcome>),
    /// What each element gave.
    Each(Arc<[Arc<Outcome>]>),
}

impl Held {
    pub(super) fn of(outcome: Outcome) -> Self {
        Self::One(Arc::new(outcome))
    }

    pub(super) fn is_ok(&self) -> bool {
        self.failure().is_none()
    }

    /// The failure, or that of the first element that failed.
    pub(super) fn failure(&self) -> Option<&Failure> {
        let of = |outcome: &'_ Arc<Outcome>| -> bool { matches!(**outcome, Outcome::Error(_)) };
        let failed = match self {
            Self::One(outcome) => of(outcome).then_some(outcome),
            Self::Each(outcomes) => outcomes.iter().find(|outcome| of(outcome)),
        };
        match failed.map(|outcome| &**outcome) {
            Some(Outcome::Error(failure)) => Some(failure),
            _ => None,
        }
    }

    /// The value or, of elements, the list of their values; or the failure.
    pub(super) fn outcome(&self) -> Outcome {
        match (self.branch(Branch::Ok), self.failure()) {
            (Some(value), _) => Outcome::Ok(value),
            (None, Some(failure)) => Outcome::Error(failure.clone()),
            (None, None) => Outcome::Ok(Ipld::Null),
        }
    }

    /// The branch that is awaited, if it happened.
    pub(super) fn branch(&self, branch: Branch) -> Option<Ipld> {
        let ok = |outcome: &Arc<Outcome>| match &**outcome {
            Outcome::Ok(value) => Some(value.clone()),
            Outcome::Error(_) => None,
        };
        match (branch, self) {
            (Branch::Ok, Self::One(outcome)) => ok(outcome),
            (Branch::Ok, Self::Each(outcomes)) => outcomes
                .iter()
                .map(ok)
                .collect::<Option<_>>()
                .map(Ipld::List),
            (Branch::Error, _) => {
                let outcome = Outcome::Error(self.failure()?.clone()).to_ipld();
                match outcome {
                    Ipld::Map(mut entries) => entries.remove("error"),
                    _ => None,
                }
            }
            (Branch::Any, Self::One(outcome)) => Some(outcome.to_ipld()),
            (Branch::Any, Self::Each(outcomes)) => Some(Ipld::List(
                outcomes.iter().map(|outcome| outcome.to_ipld()).collect(),
            )),
        }
    }
}

impl Slot {
    pub(super) fn new(role: Role, state: State) -> Self {
        Self {
            role,
            state,
            missing: 0,
            missed: None,
            waiters: 0,
            attempts: 0,
            instruction: None,
            elements: None,
            held: None,
            receipt: None,
        }
    }

    pub(super) fn planned(plan: &Plan, dependents: &Dependents, index: usize) -> Self {
        let mut needed: Vec<usize> = plan.tasks[index]
            .needs
            .iter()
            .map(|need| need.task)
            .collect();
        needed.dedup();
        Self {
            missing: needed.len() as u32,
            waiters: dependents.of_task(index).len() as u32 + dependents.rewires[index],
            ..Self::new(Role::Planned, State::Waiting)
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done(_))
    }
}

/// Who awaits each task of a plan, and which branches.
#[derive(Debug)]
pub(super) struct Dependents {
    /// Where those of each task begin in `all`.
    starts: Vec<usize>,
    all: Vec<Dependent>,
    /// How many may be rewired to each task.
    rewires: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Dependent {
    pub(super) task: TaskId,
    pub(super) awaits_ok: bool,
    pub(super) awaits_error: bool,
    pub(super) awaits_any: bool,
}

impl Dependents {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut starts = vec![0; plan.tasks.len() + 1];
        // Needs are sorted by task, so those on one task stand together.
        let mut edges = Vec::new();
        for (index, task) in plan.tasks.iter().enumerate() {
            for needs in task.needs.chunk_by(|a, b| a.task == b.task) {
                let has = |branch| needs.iter().any(|need| need.branch == branch);
                let dependent = Dependent {
                    task: TaskId::new(index),
                    awaits_ok: has(Branch::Ok),
                    awaits_error: has(Branch::Error),
                    awaits_any: has(Branch::Any),
                };
                starts[needs[0].task + 1] += 1;
                edges.push((needs[0].task, dependent));
            }
        }
        for index in 1..starts.len() {
            starts[index] += starts[index - 1];
        }
        edges.sort_by_key(|(task, dependent)| (*task, dependent.task));
        let mut rewires = vec![0; plan.tasks.len()];
        for task in plan.tasks.iter().filter_map(|task| task.catch.as_ref()) {
            rewires_of(task).iter().for_each(|task| rewires[*task] += 1);
        }
        Self {
            starts,
            all: edges.into_iter().map(|(_, dependent)| dependent).collect(),
            rewires,
        }
    }

    pub(super) fn of_task(&self, index: usize) -> &[Dependent] {
        match (self.starts.get(index), self.starts.get(index + 1)) {
            (Some(start), Some(end)) => &self.all[*start..*end],
            _ => &[],
        }
    }
}

/// The tasks that a failure may be rewired to.
pub(super) fn rewires_of(catch: &Caught) -> &[usize] {
    match catch {
        Caught::Rewire(task) => std::slice::from_ref(task),
        Caught::Handler { rewire, .. } => rewire,
        Caught::Ok(_) | Caught::Message(_) => &[],
    }
}
