//! The state of one run: what to do next, and what became of what was done.
//!
//! A [`Schedule`] does nothing itself. Whoever drives it tells it what happened, and does what it says:
//!
//! ```text
//!              ┌── LookUp, Call, Load ──→ store, engine
//! Schedule ──poll                            │
//!     ↑                                      │
//!     └── handle ←── receipts, failures ─────┘   and the time, at `deadline`
//! ```
//!
//! Receipts are the one door: what ran here, what was found in the store, what was recorded before a crash and what
//! somebody else sent all enter through [`Event::Receipt`]. So a run that was interrupted is resumed by handling the
//! receipts that it had, in the order in which they were recorded; or by none at all, since each task is looked up
//! before it is called.
//!
//! The rules, as `docs/workflows.md` tells them to people:
//!
//! - A task begins when all that it awaits has ended. Its awaits are replaced by values, which makes its
//!   instruction; the same instruction is never at work twice at a time.
//! - A failure that may pass is tried again, as often as the task says: what was unavailable, the end of the time,
//!   a host's own trouble, and whatever a task said that had heard from outside. What a limit, a grant or the
//!   instruction alone decided never is.
//! - Who awaits a branch that didn't happen is not run.
//! - A value is kept until the last task that awaits it has its instruction, and no longer.
//!
//! What an event costs depends on the tasks it concerns, not on how many there are.
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use homestar_core::ipld::{Ipld, cid_of_raw};
//! use homestar_core::key::SigningKey;
//! use homestar_core::outcome::Outcome;
//! use homestar_core::plan::{Resources, Rules};
//! use homestar_core::receipt::{Body, Meta, Receipt};
//! use homestar_core::schedule::{Event, Options, Schedule, Source, Step, Timestamp};
//! use homestar_core::task::Instruction;
//! use homestar_core::wit::{Function, Type};
//! use homestar_core::workflow::{Format, Workflow};
//!
//! let component = cid_of_raw(b"math");
//! let add = Function {
//!     interface: None,
//!     name: "add".into(),
//!     params: vec![("a".into(), Type::U8), ("b".into(), Type::U8)],
//!     result: Some(Type::U8),
//!     is_async: false,
//! };
//! let text = format!(
//!     "defaults: {{component: {component}}}
//! tasks:
//!   three: {{call: add, args: [1, 2]}}
//!   five: {{call: add, args: [{{await/ok: three}}, 2]}}"
//! );
//! let workflow = Workflow::parse(&text, Format::Yaml).unwrap();
//! let signatures = BTreeMap::from([(component, vec![add])]);
//! let plan = workflow.plan(&Resources::new(), &signatures, &Rules::default()).unwrap();
//!
//! // What a store and an engine do elsewhere.
//! let run = |instruction: &Instruction| {
//!     let [Ipld::Integer(a), Ipld::Integer(b)] = instruction.input().args[..] else { panic!() };
//!     let meta = Meta {
//!         component,
//!         func: "add".into(),
//!         effects: vec![],
//!         trace: None,
//!         invocation: None,
//!         fuel: 12,
//!         memory_peak: 65_536,
//!         engine: "example".into(),
//!     };
//!     let outcome = Outcome::Ok(Ipld::Integer(a + b));
//!     let body = Body { ran: instruction.link(), outcome, run: vec![], meta };
//!     Receipt::sign(body, &SigningKey::from_seed(&[7; 32])).unwrap()
//! };
//!
//! let now = Timestamp(0);
//! let mut schedule = Schedule::new(plan, Options::default());
//! while let Some(step) = schedule.poll() {
//!     match step {
//!         Step::LookUp { task, .. } => schedule.handle(Event::NotFound(task), now),
//!         Step::Call { instruction, .. } => {
//!             schedule.handle(Event::Receipt(run(&instruction), Source::Own), now);
//!         }
//!         Step::Load { .. } | Step::Drop(_) | Step::Finished => {}
//!     }
//! }
//! assert!(schedule.summary().is_success());
//! assert_eq!(schedule.summary().to_string(), "2 tasks: 2 ran\n");
//! ```

mod begin;
mod end;
mod retry;
mod slot;
mod summary;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub use self::retry::may_pass;
pub use self::slot::TaskId;
pub use self::summary::{Counts, FailedTask, RESULTS_MAX, SkippedTask, Status, Summary};

use self::slot::{Dependents, Role, Slot, State};
use self::summary::SECRET;
use crate::ipld::{Cid, Link};
use crate::outcome::{Failure, Outcome};
use crate::plan::{How, Plan};
use crate::receipt::Receipt;
use crate::task::Instruction;

/// A time in milliseconds, from whatever beginning; it never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    pub(crate) fn after(self, time: Duration) -> Self {
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(milliseconds))
    }
}

/// How a plan is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many calls at a time.
    pub calls_max: usize,
    /// How many look-ups at a time.
    pub lookups_max: usize,
    /// Whether receipts are looked for before a task is called.
    pub looks_up: bool,
    /// Whether nothing is started any more once a task failed and nobody awaited that.
    pub fails_fast: bool,
    /// How many elements one `for-each` may have.
    pub elements_max: usize,
    /// How many tasks may be asked for by tasks.
    pub asked_max: usize,
    /// How far such a task may be from one of the plan.
    pub asked_depth_max: u32,
    /// Decides by how much waits differ, so that many who wait don't come back at once.
    pub seed: u64,
}

impl Default for Options {
    /// One call at a time; receipts are looked for; bounds that only a runaway reaches.
    fn default() -> Self {
        Self {
            calls_max: 1,
            lookups_max: 64,
            looks_up: true,
            fails_fast: false,
            elements_max: 100_000,
            asked_max: 10_000,
            asked_depth_max: 8,
            seed: 0,
        }
    }
}

/// What happened.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every event is a receipt, and none is kept"
)]
pub enum Event {
    /// There is a receipt.
    Receipt(Receipt, Source),
    /// A look-up found none.
    NotFound(TaskId),
    /// A call, a look-up or a load ended without a receipt. That is the host's trouble, or something it found wrong
    /// before anything ran.
    Failed {
        /// The task.
        task: TaskId,
        /// Why.
        failure: Failure,
        /// Whether it may go well another time.
        may_pass: bool,
    },
    /// A call was not begun, since the run is to end.
    Returned(TaskId),
    /// The instruction that was asked for.
    Loaded(TaskId, Instruction),
    /// Nothing is to be started any more. What was started is waited for.
    Cancel,
    /// Time passed.
    Tick,
}

/// Where a receipt comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A call that this schedule asked for.
    Own,
    /// This run, before it was interrupted.
    Run,
    /// The store: another run, so long ago if that is known.
    Memo(Option<Duration>),
    /// Somebody else, whom the driver believes.
    Foreign,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Step {
    /// Look for a receipt of that instruction. Answered by [`Event::Receipt`] or [`Event::NotFound`].
    LookUp {
        /// The task.
        task: TaskId,
        /// Its instruction.
        instruction: Arc<Instruction>,
        /// How old a receipt may be of a run that heard from outside. None if there may be none but of this run.
        reuse: Option<Duration>,
    },
    /// Run that instruction, as [`Schedule::how`] says. Answered by [`Event::Receipt`] or [`Event::Failed`].
    Call {
        /// The task.
        task: TaskId,
        /// Its instruction.
        instruction: Arc<Instruction>,
        /// The how many-th time, from 1.
        attempt: u32,
    },
    /// Get an instruction that a task asked for. Answered by [`Event::Loaded`] or [`Event::Failed`].
    Load {
        /// The task.
        task: TaskId,
        /// The instruction's name.
        instruction: Link<Instruction>,
    },
    /// Give up a call: its answer came from elsewhere. Whatever comes of it is not waited for.
    Drop(TaskId),
    /// All is done that will be done. This is the last step.
    Finished,
}

/// The state of one run.
#[derive(Debug)]
pub struct Schedule {
    plan: Plan,
    options: Options,
    slots: Vec<Slot>,
    dependents: Dependents,
    /// Who waits for what another task gives, because its own failed.
    rewired: HashMap<TaskId, Vec<TaskId>>,
    /// Who is at work on an instruction, and who waits for the same.
    at_work: HashMap<Cid, Vec<TaskId>>,
    /// Those that may begin.
    ready: VecDeque<TaskId>,
    /// Those that may be called.
    callable: VecDeque<TaskId>,
    /// Those that wait for their time.
    timers: BinaryHeap<Reverse<(Timestamp, TaskId)>>,
    /// What is to be said before anything else.
    steps: VecDeque<Step>,
    /// Instructions that tasks asked for.
    asked: HashSet<Cid>,
    calls: usize,
    lookups: usize,
    loads: usize,
    counts: Counts,
    /// Tasks that failed and tasks that were not run, the first of each.
    failures: Vec<(TaskId, Failure)>,
    skipped: Vec<TaskId>,
    /// The tasks that nobody awaits, if they are few enough to be kept.
    result_slots: Vec<usize>,
    results_kept: bool,
    is_stopped: bool,
    is_finished: bool,
    /// How many tasks were looked at.
    #[cfg(test)]
    work: u64,
}

impl Schedule {
    /// Starts a run. Nothing is remembered of other runs.
    pub fn new(plan: Plan, options: Options) -> Self {
        let dependents = Dependents::of(&plan);
        let slots: Vec<Slot> = (0..plan.tasks.len())
            .map(|index| Slot::planned(&plan, &dependents, index))
            .collect();
        let ready = slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.missing == 0);
        let ready: VecDeque<TaskId> = ready.map(|(index, _)| TaskId::new(index)).collect();
        let mut schedule = Self {
            counts: Counts::new(slots.len()),
            plan,
            options,
            slots,
            dependents,
            rewired: HashMap::new(),
            at_work: HashMap::new(),
            ready,
            callable: VecDeque::new(),
            timers: BinaryHeap::new(),
            steps: VecDeque::new(),
            asked: HashSet::new(),
            calls: 0,
            lookups: 0,
            loads: 0,
            failures: Vec::new(),
            skipped: Vec::new(),
            result_slots: Vec::new(),
            results_kept: false,
            is_stopped: false,
            is_finished: false,
            #[cfg(test)]
            work: 0,
        };
        for task in schedule.ready.clone() {
            schedule.slot(task).state = State::Ready;
        }
        schedule.keep_results();
        schedule
    }

    /// The plan that is run.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Takes note of what happened. What is no answer to anything is let be, so events may come late or twice.
    pub fn handle(&mut self, event: Event, now: Timestamp) {
        self.wake(now);
        match event {
            Event::Receipt(receipt, source) => self.receipt(&receipt, source, now),
            Event::NotFound(task) => self.not_found(task),
            Event::Failed {
                task,
                failure,
                may_pass,
            } => self.failed(task, failure, may_pass, now),
            Event::Returned(task) => self.returned(task),
            Event::Loaded(task, instruction) => self.loaded(task, instruction),
            Event::Cancel => self.is_stopped = true,
            Event::Tick => {}
        }
        // Who was answered from elsewhere waits no more.
        while let Some(Reverse((_, task))) = self.timers.peek()
            && self.slots[task.index()].state != State::Retrying
        {
            self.timers.pop();
        }
    }

    /// What to do next; none if there is nothing to do before something happens.
    pub fn poll(&mut self) -> Option<Step> {
        loop {
            if let Some(step) = self.steps.pop_front() {
                match &step {
                    // A receipt came before anybody looked.
                    Step::LookUp { task, .. }
                        if self.slots[task.index()].state != State::LookingUp => {}
                    _ => return Some(step),
                }
                continue;
            }
            if self.is_finished {
                return None;
            }
            if !self.is_stopped {
                if self.calls < self.options.calls_max.max(1)
                    && let Some(task) = self.callable.pop_front()
                {
                    match self.call(task) {
                        Some(step) => return Some(step),
                        None => continue,
                    }
                }
                // What has begun holds its arguments, so no more begin than can be called soon.
                let is_room = self.callable.len() < self.options.calls_max.max(1);
                if is_room
                    && self.lookups < self.options.lookups_max.max(1)
                    && let Some(task) = self.ready.pop_front()
                {
                    self.begin(task);
                    continue;
                }
            }
            if self.calls + self.lookups + self.loads > 0 || self.waits() {
                return None;
            }
            self.is_finished = true;
            return Some(Step::Finished);
        }
    }

    /// Whether nothing is to be started any more: somebody cancelled, or a task failed and that ends the run.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// When to send [`Event::Tick`] if nothing happens before.
    pub fn deadline(&self) -> Option<Timestamp> {
        if self.is_stopped {
            return None;
        }
        self.timers.peek().map(|Reverse((due, _))| *due)
    }

    /// How a task is run: its limits, grants and pins.
    pub fn how(&self, task: TaskId) -> Arc<How> {
        match self.slots.get(task.index()).map(|slot| &slot.role) {
            // Who asks for something may be anybody within a task, so it is granted nothing.
            Some(Role::Handler { of } | Role::Asked { by: of, .. }) => Arc::new(How {
                limits: self.how(*of).limits,
                ..How::default()
            }),
            Some(Role::Element { of, .. }) => self.how(*of),
            Some(Role::Planned) => self.plan.tasks[task.index()].how.clone(),
            None => Arc::default(),
        }
    }

    /// Whether what a task is given or gives is kept out of logs and exports.
    pub fn is_secret(&self, task: TaskId) -> bool {
        self.planned_of(task)
            .is_some_and(|index| self.plan.tasks[index].is_secret)
    }

    /// What a task is called: `crop`, `thumbs[3]`, `thumbs[cat.png]`.
    pub fn label(&self, task: TaskId) -> String {
        match self.slots.get(task.index()).map(|slot| &slot.role) {
            Some(Role::Planned) => self.plan.tasks[task.index()].label.to_string(),
            Some(Role::Element { of, .. }) if self.is_secret(*of) => {
                format!("{}[{SECRET}]", self.label(*of))
            }
            Some(Role::Element { of, key, .. }) => format!("{}[{key}]", self.label(*of)),
            Some(Role::Handler { of }) => format!("{} (catch)", self.label(*of)),
            Some(Role::Asked { by, .. }) => {
                format!("{} (asked for {})", self.label(*by), task.index())
            }
            None => String::new(),
        }
    }

    /// The task of the plan that this is, or is a part of.
    fn planned_of(&self, task: TaskId) -> Option<usize> {
        let mut task = task;
        loop {
            match &self.slots.get(task.index())?.role {
                Role::Planned => return Some(task.index()),
                Role::Element { of, .. } | Role::Handler { of } | Role::Asked { by: of, .. } => {
                    task = *of
                }
            }
        }
    }

    fn slot(&mut self, task: TaskId) -> &mut Slot {
        &mut self.slots[task.index()]
    }

    /// True if something will go on by itself.
    fn waits(&self) -> bool {
        let is_idle = self.timers.is_empty() && self.ready.is_empty() && self.callable.is_empty();
        !self.is_stopped && !is_idle
    }

    /// Lets those begin again whose time has come.
    fn wake(&mut self, now: Timestamp) {
        while let Some(Reverse((due, task))) = self.timers.peek().copied()
            && due <= now
        {
            self.timers.pop();
            if self.slots[task.index()].state == State::Retrying {
                self.slot(task).state = State::Callable;
                self.callable.push_back(task);
            }
        }
    }

    fn receipt(&mut self, receipt: &Receipt, source: Source, now: Timestamp) {
        let Some(task) = self.task_at_work(receipt.ran().cid(), source) else {
            return;
        };
        self.looked_at(1);
        let state = self.slots[task.index()].state;
        if source == Source::Own && state != State::Calling {
            return;
        }
        if !self.is_acceptable(task, receipt, source) {
            return self.not_found(task);
        }
        if let Outcome::Error(_) = receipt.outcome()
            && matches!(source, Source::Own | Source::Run)
            && may_pass(receipt)
            && self.slots[task.index()].attempts < self.how(task).retry.times
        {
            return match source {
                Source::Own => {
                    self.calls -= 1;
                    self.retry(task, now);
                }
                // It was tried before the run was interrupted.
                _ => {
                    self.slot(task).attempts += 1;
                    self.not_found(task);
                }
            };
        }
        match state {
            State::Calling => {
                self.calls -= 1;
                if source != Source::Own {
                    self.steps.push_back(Step::Drop(task));
                }
            }
            State::LookingUp => self.lookups -= 1,
            _ => {}
        }
        self.settle(task, receipt, source);
    }

    /// The task that works on an instruction, before all that follow it.
    ///
    /// Receipts of an interrupted run come in the order in which they were recorded, so the task may begin by now,
    /// or it is none of this plan.
    fn task_at_work(&mut self, ran: &Cid, source: Source) -> Option<TaskId> {
        loop {
            if let Some(task) = self.at_work.get(ran).and_then(|tasks| tasks.first()) {
                return Some(*task);
            }
            if source != Source::Run || self.is_stopped {
                return None;
            }
            let next = self.ready.pop_front()?;
            self.begin(next);
        }
    }

    /// What this run heard counts. What others did counts where the instruction alone decided it, or where the task
    /// takes what is so old.
    fn is_acceptable(&self, task: TaskId, receipt: &Receipt, source: Source) -> bool {
        let age = match source {
            Source::Own | Source::Run => return true,
            Source::Memo(age) => age,
            Source::Foreign => None,
        };
        let is_pure = receipt.meta().trace.is_none();
        let is_young =
            || age.is_some_and(|age| self.how(task).reuse.is_some_and(|reuse| age <= reuse));
        receipt.outcome().is_reusable() && (is_pure || is_young())
    }

    fn not_found(&mut self, task: TaskId) {
        if self.slots.get(task.index()).map(|slot| slot.state) != Some(State::LookingUp) {
            return;
        }
        self.lookups -= 1;
        self.slot(task).state = State::Callable;
        self.callable.push_back(task);
    }

    fn failed(&mut self, task: TaskId, failure: Failure, may_pass: bool, now: Timestamp) {
        match self.slots.get(task.index()).map(|slot| slot.state) {
            // A store that can't be read is no reason not to run.
            Some(State::LookingUp) => self.not_found(task),
            Some(State::Loading) => {
                self.loads -= 1;
                self.fail(task, failure);
            }
            Some(State::Calling) => {
                self.calls -= 1;
                if may_pass && self.slots[task.index()].attempts < self.how(task).retry.times {
                    return self.retry(task, now);
                }
                let cid = self.instruction_cid(task);
                self.give_up(cid, task, failure);
            }
            _ => {}
        }
    }

    fn returned(&mut self, task: TaskId) {
        if self.slots.get(task.index()).map(|slot| slot.state) == Some(State::Calling) {
            self.calls -= 1;
            self.slot(task).state = State::Callable;
            self.callable.push_front(task);
        }
    }

    fn retry(&mut self, task: TaskId, now: Timestamp) {
        let retry = self.how(task).retry;
        let seed = self.options.seed ^ u64::from(task.0);
        let slot = self.slot(task);
        slot.attempts += 1;
        slot.state = State::Retrying;
        let wait = retry::wait(retry, slot.attempts, seed);
        self.counts.retries += 1;
        self.timers.push(Reverse((now.after(wait), task)));
    }

    fn call(&mut self, task: TaskId) -> Option<Step> {
        let slot = self.slot(task);
        if slot.state != State::Callable {
            return None;
        }
        let instruction = slot.instruction.clone()?;
        slot.state = State::Calling;
        let attempt = slot.attempts + 1;
        self.calls += 1;
        Some(Step::Call {
            task,
            instruction,
            attempt,
        })
    }

    fn instruction_cid(&self, task: TaskId) -> Option<Cid> {
        let instruction = self.slots[task.index()].instruction.as_ref();
        instruction.map(|instruction| *instruction.link().cid())
    }

    /// Counts what an event costs.
    fn looked_at(&mut self, _tasks: usize) {
        #[cfg(test)]
        {
            self.work += _tasks as u64;
        }
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
