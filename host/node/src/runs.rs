//! Runs of workflows that a node drives, since somebody asked for them.
//!
//! ```text
//! begin ──→ Manager: a plan, and who runs its tasks ──→ a thread with a Run ──→ Feed, for whoever follows
//!              ↑                                              │
//!   after a new start: those that had not ended         Store: receipts, the record
//! ```
//!
//! A name in the store says of each run who asked for it. The node goes on with those that had not ended when it ends or
//! dies; a run that a person began by the command is theirs to go on with.

mod asked;
mod drive;
mod wishes;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use homestar_core::ipld::{self, Cid, Ipld};
use homestar_core::json;
use homestar_core::plan::Plan;
use homestar_core::receipt::Receipt;
use homestar_core::schedule::{Counts, Options, Schedule, Summary};
use homestar_core::ucan::Did;
use homestar_core::workflow::{Format, MAX_TEXT_BYTES, Problem, Workflow};
use homestar_net::Feed;
use homestar_store::Store;

pub use self::asked::is_of_others;
pub(crate) use self::wishes::Wishes;
pub use self::wishes::{ResultsError, labelled};

use self::drive::{Driven, tell};
use crate::api::{Fault, FaultKind};
use crate::facts::map;
use crate::run::{Events, OpenRun, OpenRunError, counts, workflow_of};
use crate::{
    Believed, Canceller, Elsewhere, Ended, Execute, Run, RunLock, RunRecord, Source, now_ms,
};

/// Runs at work at one time. Each has threads of its own, as many as there are processors.
const RUNS_MAX: usize = 16;
/// Runs at work that one signer asked for who isn't the owner.
const RUNS_OF_ONE_MAX: usize = 4;
/// Runs that ended and can still be followed.
const ENDED_MAX: usize = 64;
/// Runs that are looked through for those that somebody asked for.
const LOOKED_AT_MAX: usize = 10_000;
/// After so many runs that ended it is forgotten who asked for those that are forgotten.
const TIDIED_AFTER: u64 = 100;
/// Time after which it is looked for room again, whatever happened.
const PATIENCE: Duration = Duration::from_secs(1);

/// Makes workflows ready to run, on this machine and with its settings.
pub trait Manager: Send + Sync + fmt::Debug {
    /// Checks a workflow that somebody asks for; nobody is the owner. Its names are CIDs: there is no folder beside it.
    fn prepare(&self, workflow: &Workflow, by: Option<&Did>) -> Result<Prepared, Fault>;

    /// Says which effects there are, what they offer and ask for, and what they are granted.
    fn effects(&self) -> Result<Ipld, Fault>;

    /// Is told of what went wrong and that nobody else hears of.
    fn warn(&self, words: &str);
}

/// Runs the tasks of one workflow, and hears how the run goes.
pub trait RunTasks: Execute + Send {
    /// The run begins.
    fn begun(&mut self, run: &str, workflow: &Workflow, is_resumed: bool);

    /// A task was answered by a receipt that was there.
    fn found(&self, label: &str, is_secret: bool, receipt: &Receipt);

    /// The run has ended.
    fn ended(&mut self, how: Ended, summary: &Summary);
}

/// A workflow that is ready to run.
pub struct Prepared {
    /// What is to be done.
    pub plan: Plan,
    /// Who runs its tasks.
    pub tasks: Box<dyn RunTasks>,
    /// Tasks at a time.
    pub jobs: usize,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared({:?})", self.plan)
    }
}

/// A run that may begin.
struct Ready {
    schedule: Schedule,
    tasks: Box<dyn RunTasks>,
    jobs: usize,
}

impl Ready {
    fn of(prepared: Prepared, wishes: &Wishes) -> Result<Self, Fault> {
        let Prepared { plan, tasks, jobs } = prepared;
        let jobs = wishes.jobs(jobs);
        let options = Options {
            fails_fast: wishes.fails_fast,
            ..scheduling(jobs)
        };
        let mut schedule = Schedule::new(plan, options);
        wishes.give(&mut schedule)?;
        Ok(Self {
            schedule,
            tasks,
            jobs,
        })
    }
}

/// What came of runs and of their tasks since the node began, by how they ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ran {
    pub(crate) runs: BTreeMap<&'static str, u64>,
    pub(crate) tasks: BTreeMap<&'static str, u64>,
}

/// A run that was begun.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) id: String,
    pub(crate) workflow: Cid,
    pub(crate) is_resumed: bool,
}

/// See the module.
pub(crate) struct Runs {
    source: Arc<Source>,
    elsewhere: Option<Arc<Elsewhere>>,
    shares_receipts: bool,
    hands: OnceLock<Hands>,
    state: Mutex<State>,
    /// Whenever a run is not at work any more.
    ended: Condvar,
    /// Called when something else is shared.
    on_shared: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

/// What it takes to drive runs.
#[derive(Debug)]
struct Hands {
    manager: Arc<dyn Manager>,
    /// Where locks of runs are.
    locks: PathBuf,
}

#[derive(Default)]
struct State {
    is_closing: bool,
    /// Runs that are about to be at work, by who asked.
    coming: Vec<Option<Did>>,
    working: HashMap<String, Working>,
    ended: VecDeque<(String, Option<Did>, Arc<Feed>)>,
    ran: Ran,
}

/// A run at work.
struct Working {
    by: Option<Did>,
    feed: Arc<Feed>,
    canceller: Canceller,
    is_cancelled: Arc<AtomicBool>,
    counts: Arc<Mutex<Counts>>,
}

/// Room for one more run, until it is at work.
struct Room<'a> {
    runs: &'a Runs,
    by: Option<Did>,
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let mut state = self.runs.state();
        let at = state.coming.iter().position(|by| *by == self.by);
        if let Some(at) = at {
            state.coming.swap_remove(at);
        }
    }
}

impl fmt::Debug for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Runs({})", self.at_work())
    }
}

impl Runs {
    /// None yet. Receipts of those who are believed count, and are looked for `elsewhere`.
    pub(crate) fn new(
        source: Arc<Source>,
        believed: &Believed,
        elsewhere: Arc<Elsewhere>,
        shares_receipts: bool,
    ) -> Self {
        Self {
            source,
            elsewhere: (!believed.is_nobody()).then_some(elsewhere),
            shares_receipts,
            hands: OnceLock::new(),
            state: Mutex::default(),
            ended: Condvar::new(),
            on_shared: OnceLock::new(),
        }
    }

    /// Calls this whenever something else is shared.
    pub(crate) fn on_shared(&self, call: impl Fn() + Send + Sync + 'static) {
        let _ = self.on_shared.set(Box::new(call));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self) -> &Arc<dyn Store> {
        self.source.store()
    }

    fn hands(&self) -> Result<&Hands, Fault> {
        let hands = self.hands.get();
        hands.ok_or_else(|| Fault::busy("the node isn't ready to run workflows yet"))
    }

    /// From now on workflows are made ready by `manager`. Goes on with runs that had not ended.
    pub(crate) fn open(self: &Arc<Self>, manager: Arc<dyn Manager>, locks: PathBuf) {
        let _ = self.hands.set(Hands { manager, locks });
        let runs = Arc::clone(self);
        // What it takes to make them ready may have to be fetched.
        thread::spawn(move || runs.go_on());
    }

    fn go_on(self: &Arc<Self>) {
        let Ok(hands) = self.hands() else { return };
        let all = asked::tidy(&**self.store()).and_then(|()| asked::all(&**self.store()));
        let all = all.unwrap_or_else(|error| {
            let words = format!("can't go on with runs: {}", words(&error));
            hands.manager.warn(&words);
            Vec::new()
        });
        for (id, cid) in all {
            let gone_on = self.go_on_with(&id, &cid);
            if let Err(fault) = gone_on {
                let words = format!("can't go on with run {id}: {}", fault.message);
                hands.manager.warn(&words);
            }
        }
    }

    fn go_on_with(self: &Arc<Self>, id: &str, asked: &Cid) -> Result<(), Fault> {
        let (by, wishes) = asked::asked_for(&**self.store(), asked)?;
        let record = RunRecord::open(&**self.store(), id).map_err(Fault::host)?;
        let Some(record) = record.filter(|record| record.end.is_none()) else {
            return Ok(());
        };
        let Some(room) = self.room_in_time(by) else {
            return Ok(());
        };
        let workflow = workflow_of(&**self.store(), &record).map_err(Fault::host)?;
        let hands = self.hands()?;
        let ready = Ready::of(hands.manager.prepare(&workflow, by.as_ref())?, &wishes)?;
        let open = OpenRun::resume(&**self.store(), &hands.locks, id).map_err(not_opened)?;
        match open {
            Some(open) => self.drive(open, &workflow, by, ready, room).map(drop),
            None => Ok(()),
        }
    }

    /// Begins a run of a workflow, or goes on with one of the same workflow that was interrupted.
    pub(crate) fn begin(
        self: &Arc<Self>,
        media_type: Option<&str>,
        body: &[u8],
        by: Option<Did>,
        wishes: &Wishes,
    ) -> Result<Begun, Fault> {
        let hands = self.hands()?;
        let room = self.room(by)?;
        let workflow = self.read(media_type, body)?;
        let ready = Ready::of(hands.manager.prepare(&workflow, by.as_ref())?, wishes)?;
        let store = self.store();
        // What one asked for is nobody else's; what a person began by the command is the owner's.
        let may = |id: &str| match asked::asked(&**store, id) {
            Ok(Some(asked)) => asked == by,
            Ok(None) => by.is_none(),
            Err(_) => false,
        };
        let open = OpenRun::open(&**store, &hands.locks, &workflow, may).map_err(not_opened)?;
        asked::note(&**store, &open.id, by, wishes).map_err(Fault::host)?;
        self.drive(open, &workflow, by, ready, room)
    }

    fn room(&self, by: Option<Did>) -> Result<Room<'_>, Fault> {
        let mut state = self.state();
        if state.is_closing {
            return Err(Fault::busy("the node ends"));
        }
        let working = state.working.values().map(|it| it.by);
        let all: Vec<_> = working.chain(state.coming.iter().copied()).collect();
        let of_one = all.iter().filter(|it| **it == by).count();
        if all.len() >= RUNS_MAX || (by.is_some() && of_one >= RUNS_OF_ONE_MAX) {
            let words = format!(
                "{} runs are at work, and no more begin until one ends",
                all.len()
            );
            return Err(Fault::busy(words));
        }
        state.coming.push(by);
        Ok(Room { runs: self, by })
    }

    /// Waits for room for one more run. None if the node ends.
    fn room_in_time(&self, by: Option<Did>) -> Option<Room<'_>> {
        loop {
            if let Ok(room) = self.room(by) {
                return Some(room);
            }
            let state = self.state();
            if state.is_closing {
                return None;
            }
            // What ended before this is told of by the next time.
            let woken = self.ended.wait_timeout(state, PATIENCE);
            drop(woken.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Reads a workflow: its text, its encoded form, or where that is.
    fn read(&self, media_type: Option<&str>, body: &[u8]) -> Result<Workflow, Fault> {
        let encoded = |bytes: &[u8]| Workflow::decode(bytes).map_err(wrong);
        match media_type {
            Some("application/vnd.ipld.dag-cbor") => return encoded(body),
            Some("application/json" | "application/vnd.ipld.dag-json") => {}
            _ => {
                let words = "a workflow is application/json or application/vnd.ipld.dag-cbor";
                return Err(Fault::usage(words).status(415));
            }
        }
        let text = str::from_utf8(body).map_err(|_| Fault::usage("the workflow is not UTF-8"))?;
        match json::parse(text) {
            Ok(Ipld::Map(fields)) if fields.len() == 1 => match fields.get("workflow") {
                Some(Ipld::Link(cid)) => encoded(&self.file(cid)?),
                _ => Workflow::parse(text, Format::Json).map_err(wrong),
            },
            _ => Workflow::parse(text, Format::Json).map_err(wrong),
        }
    }

    /// Reads a workflow that is content: a block, or a file of several.
    fn file(&self, cid: &Cid) -> Result<Vec<u8>, Fault> {
        let missing = |error: String| Fault::nothing(format!("can't read {cid}: {error}"));
        if cid.codec() == ipld::DAG_CBOR {
            let block = self.source.get(cid);
            let block = block.map_err(|error| missing(error.to_string()))?;
            return Ok(block.bytes().to_vec());
        }
        let (mut bytes, mut stream) = (Vec::new(), self.source.open(cid, 0..u64::MAX));
        loop {
            let chunk = stream.chunk().map_err(|error| missing(error.to_string()))?;
            if chunk.is_empty() {
                return Ok(bytes);
            }
            bytes.extend_from_slice(chunk);
            if bytes.len() > MAX_TEXT_BYTES {
                return Err(missing(format!("it has more than {MAX_TEXT_BYTES} bytes")));
            }
        }
    }

    fn drive(
        self: &Arc<Self>,
        open: OpenRun,
        workflow: &Workflow,
        by: Option<Did>,
        ready: Ready,
        room: Room<'_>,
    ) -> Result<Begun, Fault> {
        let begun = Begun {
            id: open.id.clone(),
            workflow: open.record.workflow,
            is_resumed: open.is_resumed,
        };
        let Ready {
            schedule,
            mut tasks,
            jobs,
        } = ready;
        tasks.begun(&open.id, workflow, open.is_resumed);
        let mut run = Run::new(schedule, Arc::clone(self.store()), jobs);
        run.remember(&open.id).map_err(Fault::host)?;
        if let Some(elsewhere) = &self.elsewhere {
            run.look_elsewhere(Arc::clone(elsewhere));
        }
        let feed = Arc::<Feed>::default();
        let (id, is_resumed) = (&open.id, open.is_resumed);
        let all = run.schedule().counts().all;
        let event = Events::begun(id, workflow.cid(), all, is_resumed);
        tell(&feed, &event);
        let working = Working {
            by,
            feed: Arc::clone(&feed),
            canceller: run.canceller(),
            is_cancelled: Arc::default(),
            counts: Arc::new(Mutex::new(run.schedule().counts())),
        };
        let driven = Driven {
            runs: Arc::clone(self),
            feed,
            is_cancelled: Arc::clone(&working.is_cancelled),
            counts: Arc::clone(&working.counts),
            id: open.id.clone(),
        };
        if !self.takes(working, &begun.id) {
            return Err(Fault::busy("the node ends"));
        }
        let thread = thread::Builder::new().name(format!("run-{}", open.id));
        let spawned = thread.spawn(move || driven.drive(run, open, tasks));
        spawned.map_err(Fault::host)?;
        drop(room);
        Ok(begun)
    }

    /// Takes note of a run that is about to be at work, unless the node ends.
    fn takes(&self, working: Working, id: &str) -> bool {
        let mut state = self.state();
        if !state.is_closing {
            state.working.insert(id.to_owned(), working);
        }
        !state.is_closing
    }

    /// How many runs are at work.
    pub(crate) fn at_work(&self) -> usize {
        self.state().working.len()
    }

    /// What came of runs.
    pub(crate) fn ran(&self) -> Ran {
        self.state().ran.clone()
    }

    /// Which effects there are.
    pub(crate) fn effects(&self) -> Result<Ipld, Fault> {
        self.hands()?.manager.effects()
    }

    /// The latest runs: all for the owner, one's own for everybody else.
    pub(crate) fn list(&self, by: Option<&Did>, limit: u64) -> Result<Ipld, Fault> {
        let (store, limit) = (
            &**self.store(),
            usize::try_from(limit).unwrap_or(usize::MAX),
        );
        if by.is_none() {
            let latest = RunRecord::latest(store, limit).map_err(Fault::host)?;
            let facts = latest.iter().map(|(id, record)| self.facts(id, record));
            return Ok(Ipld::List(facts.collect()));
        }
        let ids = RunRecord::ids(store).map_err(Fault::host)?;
        let mut mine = Vec::new();
        for id in ids.iter().take(LOOKED_AT_MAX) {
            if mine.len() == limit {
                break;
            }
            if asked::asked(store, id)? == Some(by.copied())
                && let Some(record) = RunRecord::open(store, id).map_err(Fault::host)?
            {
                mine.push(self.facts(id, &record));
            }
        }
        Ok(Ipld::List(mine))
    }

    fn facts(&self, id: &str, record: &RunRecord) -> Ipld {
        record.facts(id, self.is_at_work(id, record))
    }

    fn is_at_work(&self, id: &str, record: &RunRecord) -> bool {
        let locks = self.hands.get().map(|hands| &hands.locks);
        record.end.is_none() && locks.is_some_and(|locks| RunLock::is_taken(locks, id))
    }

    /// One run, with some of its tasks, and how far it is if the node is at work on it.
    pub(crate) fn show(
        &self,
        id: &str,
        by: Option<&Did>,
        offset: u64,
        limit: u64,
    ) -> Result<Ipld, Fault> {
        let record = self.record(id, by)?;
        let tasks = record.tasks(&**self.store(), id).map_err(Fault::host)?;
        let all = tasks.len() as u64;
        let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let shown = tasks.iter().skip(whole(offset)).take(whole(limit));
        let tasks = Ipld::List(shown.map(|task| task.facts()).collect());
        let state = self.state();
        let counted = state.working.get(id).map(|working| {
            let counted = working.counts.lock();
            counts(&counted.unwrap_or_else(PoisonError::into_inner))
        });
        drop(state);
        Ok(map([
            ("counts", counted.unwrap_or(Ipld::Null)),
            ("run", self.facts(id, &record)),
            ("tasks", tasks),
            ("tasks_all", Ipld::Integer(all.into())),
        ]))
    }

    /// Returns a run, if it is there and whoever asks may see it.
    fn record(&self, id: &str, by: Option<&Did>) -> Result<RunRecord, Fault> {
        let none = || Fault::nothing(format!("there is no run {id}"));
        if by.is_some() && asked::asked(&**self.store(), id)? != Some(by.copied()) {
            return Err(none());
        }
        let record = RunRecord::open(&**self.store(), id).map_err(Fault::host)?;
        record.ok_or_else(none)
    }

    /// Returns what happens in a run that is at work in this node, or was not long ago.
    pub(crate) fn follow(&self, id: &str, by: Option<&Did>) -> Result<Arc<Feed>, Fault> {
        let state = self.state();
        let is_mine = |of: &Option<Did>| by.is_none() || of.as_ref() == by;
        let working = state.working.get(id).filter(|it| is_mine(&it.by));
        let ended = || {
            let mut ended = state.ended.iter();
            let found = ended.find(|(it, of, _)| it == id && is_mine(of));
            found.map(|(.., feed)| Arc::clone(feed))
        };
        let feed = working.map(|it| Arc::clone(&it.feed)).or_else(ended);
        drop(state);
        match feed {
            Some(feed) => Ok(feed),
            None => {
                self.record(id, by)?;
                let words = format!("run {id} is not at work in this node");
                let fault = Fault::new(FaultKind::Input, words).status(409);
                Err(fault.hint(format!("GET /v1/runs/{id} tells what came of it")))
            }
        }
    }

    /// Lets a run begin no more tasks, ends those that run, and lets it end as one that was cancelled.
    pub(crate) fn cancel(&self, id: &str, by: Option<&Did>) -> Result<(), Fault> {
        let state = self.state();
        if let Some(working) = state.working.get(id)
            && (by.is_none() || working.by.as_ref() == by)
        {
            working.is_cancelled.store(true, Ordering::Relaxed);
            working.canceller.stop();
            return Ok(());
        }
        drop(state);
        self.record(id, by)?;
        let words = format!("run {id} is not at work in this node");
        Err(Fault::new(FaultKind::Input, words).status(409))
    }

    /// Begins no more, and lets those at work stop where they can be gone on with: when tasks that run have ended.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.is_closing = true;
        for working in state.working.values() {
            working.canceller.cancel();
        }
    }

    /// Waits until no run is at work.
    pub(crate) fn wait(&self) {
        let mut state = self.state();
        while !state.working.is_empty() {
            let woken = self.ended.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Tasks that are called or about to be, for each at a time: whoever has done with one finds the next at once.
const QUEUED: usize = 4;

/// Returns how the tasks of a run are scheduled, so many at a time.
pub fn scheduling(jobs: usize) -> Options {
    Options {
        calls_max: jobs.saturating_mul(QUEUED),
        looks_up: true,
        seed: now_ms(),
        ..Options::default()
    }
}

/// Returns the words of an error and of what caused it.
pub(crate) fn words(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", words(cause)),
        None => error.to_string(),
    }
}

fn not_opened(error: OpenRunError) -> Fault {
    Fault::host(words(&error))
}

fn wrong(problems: Vec<Problem>) -> Fault {
    Fault::of_problems(&problems)
}
