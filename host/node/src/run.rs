//! Drives a [`Schedule`]: does what it says, and tells it what came of that.
//!
//! ```text
//! Schedule ──poll──→ look-ups ──→ Store, many at once
//!     ↑        └───→ calls ──→ queue ──→ threads: Execute ─┐
//!     └──── handle ←── receipts, failures, time ←──────────┤
//!                                                          └─→ recorder ──→ Store, all that came meanwhile at once
//! ```
//!
//! A receipt counts as soon as it is there, and what waits for it goes on; it is told of ([`News::Recorded`]) once it
//! is durable. A crash in between costs what ran in the last moments, which is run again. Nothing that was told of is
//! lost.

mod events;
mod facts;
mod journal;
mod lock;
mod open;
mod queue;
mod record;
mod sharing;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use homestar_core::ipld::{Block, Cid, Ipld, Link};
use homestar_core::outcome::{Failure, Kind, Outcome};
use homestar_core::plan::How;
use homestar_core::receipt::Receipt;
use homestar_core::schedule::{Event, Schedule, Source, Step, Summary, TaskId, Timestamp};
use homestar_core::task::Instruction;
use homestar_engine::Stop;
use homestar_store::{Record, Recorded, Store, StoreError};

pub use self::events::Events;
pub(crate) use self::events::counts;
pub use self::lock::RunLock;
pub use self::open::{OpenRun, OpenRunError};
pub(crate) use self::record::workflow_of;
pub use self::record::{Ended, RunEnd, RunRecord, RunRecordError, RunTask};
pub use self::sharing::Sharing;

use self::journal::{Journal, Note};
use self::queue::Queue;
use crate::Elsewhere;

/// Look-ups that are made at once.
const LOOKUPS_MAX: usize = 1_024;

/// Runs tasks and signs what came of them.
pub trait Execute: Sync {
    /// Runs a task. It is called from several threads.
    fn execute(&self, work: &Work) -> Result<Executed, Trouble>;

    /// Tells whether a task would be wired to no driver, so that receipts of others may answer for it.
    fn is_pure(&self, instruction: &Instruction, how: &How) -> bool;

    /// Tells whether a receipt of the same instruction answers for a task: whether the task would be wired to the same
    /// effects.
    fn is_answer(&self, instruction: &Instruction, how: &How, receipt: &Receipt) -> bool;
}

/// A task that is to be run.
#[derive(Clone, Debug)]
pub struct Work {
    /// Which one.
    pub task: TaskId,
    /// What it is called.
    pub label: String,
    /// What to compute.
    pub instruction: Arc<Instruction>,
    /// Under which limits and with which grants.
    pub how: Arc<How>,
    /// Whether what it is given or gives is kept out of logs.
    pub is_secret: bool,
    /// The how many-th time, from 1.
    pub attempt: u32,
    /// What ends it early.
    pub stops: Stops,
}

/// What ends the tasks of a run early.
#[derive(Clone, Debug, Default)]
pub struct Stops {
    /// Those that somebody else runs: as soon as nothing more is begun, since nobody waits for them then.
    pub elsewhere: Stop,
    /// Those that run here: only if it is said that they needn't end.
    pub here: Stop,
}

/// A task that was run.
#[derive(Clone, Debug)]
pub struct Executed {
    /// What came of it.
    pub receipt: Receipt,
    /// What the receipt leads to and the store doesn't have yet: the instruction, a large value, the trace.
    pub blocks: Vec<Block>,
}

/// A task that couldn't be run. There is no receipt of it.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// Why.
    pub failure: Failure,
    /// Whether it may go well another time.
    pub may_pass: bool,
    /// Whether it was ended by [`Stops`], and so is as if it had not begun.
    pub was_stopped: bool,
}

impl Trouble {
    /// A task that was ended early.
    pub fn stopped() -> Self {
        Self {
            failure: Failure::new(Kind::Unavailable, "it was stopped"),
            may_pass: true,
            was_stopped: true,
        }
    }
}

/// What happens in a run.
#[derive(Debug)]
pub enum News<'a> {
    /// A task begins to run.
    Started(&'a Work),
    /// A task was answered by a receipt that was there before.
    Found(TaskId, &'a Receipt),
    /// A task was run. Its receipt is not durable yet.
    Ran(TaskId, &'a Receipt),
    /// A task couldn't be run.
    Troubled(TaskId, &'a Trouble),
    /// A task was ended early, and is as if it had not begun.
    Stopped(TaskId),
    /// Receipts are durable.
    Recorded(&'a [(TaskId, Link<Receipt>)]),
}

/// Ends a run from outside.
#[derive(Clone, Debug)]
pub struct Canceller {
    messages: Sender<Message>,
    is_ending: Arc<AtomicBool>,
    stops: Stops,
}

impl Canceller {
    /// Lets the run start nothing any more, and ends what runs here too.
    pub fn stop(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
        self.stops.here.stop();
        self.cancel();
    }

    /// Lets the run start nothing any more. What runs elsewhere is called back, and what runs here is waited for.
    pub fn cancel(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
        self.stops.elsewhere.stop();
        // A run that is over needs no end.
        let _ = self.messages.send(Message::Cancel);
    }
}

/// What the recorder is told.
#[derive(Debug)]
enum Entry {
    /// A task was run.
    Ran(TaskId, String, Executed),
    /// Tasks were answered by receipts that were there. They are told of together: each time, a thread is woken.
    Found(Vec<Note>),
}

/// What threads tell the one that drives.
#[derive(Debug)]
enum Message {
    Begun(Arc<Work>),
    Returned(TaskId),
    /// A task was ended early.
    Stopped(TaskId),
    /// A task ended, and the next begins on the same thread. Who drives is woken once for both.
    Ended(TaskId, Result<Executed, Trouble>, Option<Arc<Work>>),
    /// It was looked elsewhere for these.
    Looked(Vec<LookUp>),
    Recorded(Vec<(TaskId, Link<Receipt>)>),
    Failed(StoreError),
    Cancel,
}

/// A task of which a receipt is looked for.
#[derive(Clone, Debug)]
struct LookUp {
    task: TaskId,
    instruction: Arc<Instruction>,
    reuse: Option<Duration>,
    /// Whether others were asked.
    was_elsewhere: bool,
}

/// One run, with the threads that it needs.
#[derive(Debug)]
pub struct Run {
    schedule: Schedule,
    store: Arc<dyn Store>,
    threads: usize,
    begin: Instant,
    messages: (Sender<Message>, Receiver<Message>),
    /// Whether nothing is to be begun any more.
    is_ending: Arc<AtomicBool>,
    stops: Stops,
    journal: Option<Journal>,
    /// Whom to ask for receipts that the store doesn't have.
    elsewhere: Option<Arc<Elsewhere>>,
    /// The receipts of this run from before it was interrupted, by their instructions.
    mine: HashMap<Cid, Vec<Receipt>>,
}

impl Run {
    /// Makes a run of `schedule`, which calls at most `threads` tasks at a time. Receipts go into `store`.
    pub fn new(schedule: Schedule, store: Arc<dyn Store>, threads: usize) -> Self {
        Self {
            schedule,
            store,
            threads: threads.max(1),
            begin: Instant::now(),
            messages: mpsc::channel(),
            is_ending: Arc::default(),
            stops: Stops::default(),
            journal: None,
            elsewhere: None,
            mine: HashMap::new(),
        }
    }

    /// Returns what ends the run from outside.
    pub fn canceller(&self) -> Canceller {
        Canceller {
            messages: self.messages.0.clone(),
            is_ending: Arc::clone(&self.is_ending),
            stops: self.stops.clone(),
        }
    }

    /// Looks also elsewhere for receipts, of tasks that are pure and not secret.
    pub fn look_elsewhere(&mut self, elsewhere: Arc<Elsewhere>) {
        self.elsewhere = Some(elsewhere);
    }

    /// Remembers under the id of a run which receipts answer within it and nowhere else, so that it can be resumed.
    pub fn remember(&mut self, id: &str) -> Result<(), RunRecordError> {
        let journal = Journal::open(&*self.store, id)?;
        for receipt in journal.receipts(&*self.store)? {
            let ran = *receipt.ran().cid();
            self.mine.entry(ran).or_default().push(receipt);
        }
        self.journal = Some(journal);
        Ok(())
    }

    /// Returns the receipt in a store that answers for an instruction, with its age: the newest that counts.
    ///
    /// The instruction alone decides a pure outcome. One that heard from outside counts if it is no older than `reuse`.
    /// `is_answer` tells whether the task would be wired to the same effects.
    pub fn find(
        store: &dyn Store,
        instruction: &Instruction,
        reuse: Option<Duration>,
        now_ms: u64,
        is_answer: impl Fn(&Receipt) -> bool,
    ) -> Result<Option<(Receipt, Duration)>, StoreError> {
        let found = store.receipts_of(&[instruction.link()])?;
        let found = found.into_iter().flatten().collect();
        Ok(answer(found, reuse, now_ms, None, is_answer))
    }

    /// The state of the run.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    fn now(&self) -> Timestamp {
        let passed = self.begin.elapsed().as_millis();
        Timestamp(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// Runs to the end, and tells what happens. When this returns, all receipts are durable.
    pub fn drive(
        &mut self,
        execute: &dyn Execute,
        news: &mut dyn FnMut(&Schedule, News<'_>),
    ) -> Result<Summary, StoreError> {
        let queue = Queue::new();
        let (recorder, records) = mpsc::channel::<Entry>();
        let (finder, wanted) = mpsc::channel::<Vec<LookUp>>();
        let elsewhere = self.elsewhere.clone();
        let store = Arc::clone(&self.store);
        let mut journal = self.journal.take();
        let is_ending = Arc::clone(&self.is_ending);
        thread::scope(|scope| {
            for _ in 0..self.threads {
                let worker = Worker {
                    queue: &queue,
                    execute,
                    store: &*store,
                    is_ending: &is_ending,
                    messages: self.messages.0.clone(),
                };
                scope.spawn(move || worker.work_off());
            }
            let messages = self.messages.0.clone();
            let journal = journal.as_mut();
            let store = &*store;
            let recording = scope.spawn(move || record_all(store, journal, &records, &messages));
            if let Some(elsewhere) = &elsewhere {
                let messages = self.messages.0.clone();
                scope.spawn(move || find_all(elsewhere, &wanted, &messages));
            }
            let channels = Channels {
                queue: Closing(&queue),
                recorder,
                finder: elsewhere.is_some().then_some(finder),
            };
            let driven = self.steps(execute, &channels, news);
            // All these threads end when nobody can ask them for more.
            drop(channels);
            if let Err(panic) = recording.join() {
                std::panic::resume_unwind(panic);
            }
            driven
        })?;
        self.journal = journal;
        while let Ok(message) = self.messages.1.try_recv() {
            match message {
                Message::Recorded(receipts) => news(&self.schedule, News::Recorded(&receipts)),
                Message::Failed(error) => return Err(error),
                // The schedule has finished, so it waits for nothing that ended or that somebody wants.
                Message::Begun(_)
                | Message::Returned(_)
                | Message::Stopped(_)
                | Message::Ended(..)
                | Message::Looked(_)
                | Message::Cancel => {}
            }
        }
        Ok(self.schedule.summary())
    }

    fn steps(
        &mut self,
        execute: &dyn Execute,
        channels: &Channels<'_>,
        news: &mut dyn FnMut(&Schedule, News<'_>),
    ) -> Result<(), StoreError> {
        let mut failed = None;
        loop {
            let mut lookups = Vec::new();
            while lookups.len() < LOOKUPS_MAX
                && let Some(step) = self.schedule.poll()
            {
                match step {
                    Step::LookUp {
                        task,
                        instruction,
                        reuse,
                    } => lookups.push(LookUp {
                        task,
                        instruction,
                        reuse,
                        was_elsewhere: false,
                    }),
                    Step::Call {
                        task,
                        instruction,
                        attempt,
                    } => {
                        let work = self.work(task, instruction, attempt);
                        channels.queue.0.push(Arc::new(work));
                    }
                    Step::Load { task, instruction } => self.load(task, &instruction),
                    // Whatever comes of it is not waited for.
                    Step::Drop(_) => {}
                    Step::Finished => return failed.map_or(Ok(()), Err),
                }
            }
            if !lookups.is_empty() {
                self.look_up(lookups, execute, channels, news);
                continue;
            }
            match self.next() {
                Some(Message::Begun(work)) => news(&self.schedule, News::Started(&work)),
                Some(Message::Returned(task)) => self.tell(Event::Returned(task)),
                Some(Message::Stopped(task)) => {
                    news(&self.schedule, News::Stopped(task));
                    self.tell(Event::Returned(task));
                }
                Some(Message::Ended(task, done, next)) => {
                    self.ended(task, done, channels, news);
                    if let Some(work) = next {
                        news(&self.schedule, News::Started(&work));
                    }
                }
                Some(Message::Looked(lookups)) => self.look_up(lookups, execute, channels, news),
                Some(Message::Recorded(receipts)) => {
                    news(&self.schedule, News::Recorded(&receipts));
                }
                Some(Message::Failed(error)) => {
                    // What can't be kept would be lost, so nothing more is begun.
                    failed.get_or_insert(error);
                    self.tell(Event::Cancel);
                }
                Some(Message::Cancel) => self.tell(Event::Cancel),
                None => self.tell(Event::Tick),
            }
        }
    }

    fn ended(
        &mut self,
        task: TaskId,
        done: Result<Executed, Trouble>,
        channels: &Channels<'_>,
        news: &mut dyn FnMut(&Schedule, News<'_>),
    ) {
        match done {
            Ok(executed) => {
                news(&self.schedule, News::Ran(task, &executed.receipt));
                let receipt = executed.receipt.clone();
                let label = self.schedule.label(task);
                // If the recorder has ended, it said why.
                let _ = channels.recorder.send(Entry::Ran(task, label, executed));
                self.tell(Event::Receipt(receipt, Source::Own));
            }
            Err(trouble) => {
                news(&self.schedule, News::Troubled(task, &trouble));
                self.tell(Event::Failed {
                    task,
                    failure: trouble.failure,
                    may_pass: trouble.may_pass,
                });
            }
        }
    }

    fn tell(&mut self, event: Event) {
        let now = self.now();
        self.schedule.handle(event, now);
        if self.schedule.is_stopped() {
            self.is_ending.store(true, Ordering::Relaxed);
            self.stops.elsewhere.stop();
        }
    }

    /// Waits for a message, or until it is time to go on.
    fn next(&self) -> Option<Message> {
        let Some(deadline) = self.schedule.deadline() else {
            return self.messages.1.recv().ok();
        };
        let left = deadline.0.saturating_sub(self.now().0);
        let left = Duration::from_millis(left);
        self.messages.1.recv_timeout(left).ok()
    }

    fn work(&self, task: TaskId, instruction: Arc<Instruction>, attempt: u32) -> Work {
        Work {
            task,
            label: self.schedule.label(task),
            how: self.schedule.how(task),
            is_secret: self.schedule.is_secret(task),
            instruction,
            attempt,
            stops: self.stops.clone(),
        }
    }

    /// Looks for receipts of all that is asked for at once.
    fn look_up(
        &mut self,
        lookups: Vec<LookUp>,
        execute: &dyn Execute,
        channels: &Channels<'_>,
        news: &mut dyn FnMut(&Schedule, News<'_>),
    ) {
        let lookups: Vec<_> = lookups
            .into_iter()
            .filter(|it| !self.recall(it.task, &it.instruction, execute, news))
            .collect();
        let links: Vec<_> = lookups.iter().map(|it| it.instruction.link()).collect();
        // A store that can't be read is no reason not to run; that it can't be written will be said.
        let mut found = self.store.receipts_of(&links).unwrap_or_default();
        found.resize(lookups.len(), Vec::new());
        let now_ms = now_ms();
        let (mut before, mut missing, mut notes) = (None, Vec::new(), Vec::new());
        for (lookup, receipts) in lookups.into_iter().zip(found) {
            let (task, instruction) = (lookup.task, &lookup.instruction);
            let how = self.schedule.how(task);
            let is_answer = |receipt: &Receipt| execute.is_answer(instruction, &how, receipt);
            match answer(receipts, lookup.reuse, now_ms, before.as_ref(), is_answer) {
                Some((receipt, age)) => {
                    news(&self.schedule, News::Found(task, &receipt));
                    notes.push(Note {
                        label: self.schedule.label(task),
                        status: "memoised".to_owned(),
                        receipt: *receipt.link().cid(),
                    });
                    before = Some(receipt.clone());
                    self.tell(Event::Receipt(receipt, Source::Memo(Some(age))));
                }
                None if channels.finder.is_some()
                    && !lookup.was_elsewhere
                    && !self.schedule.is_secret(task)
                    && execute.is_pure(instruction, &how) =>
                {
                    missing.push(lookup);
                }
                None => self.tell(Event::NotFound(task)),
            }
        }
        if !notes.is_empty() {
            // If the recorder has ended, it said why.
            let _ = channels.recorder.send(Entry::Found(notes));
        }
        if let (Some(finder), false) = (&channels.finder, missing.is_empty()) {
            // The thread ends after this does.
            let _ = finder.send(missing);
        }
    }

    /// Takes what this run had of a task before it was interrupted. Returns whether the task needs no look-up any more.
    fn recall(
        &mut self,
        task: TaskId,
        instruction: &Instruction,
        execute: &dyn Execute,
        news: &mut dyn FnMut(&Schedule, News<'_>),
    ) -> bool {
        let mine = self.mine.remove(instruction.link().cid());
        let how = self.schedule.how(task);
        let mine = mine.into_iter().flatten();
        let mut mine = mine
            .filter(|receipt| execute.is_answer(instruction, &how, receipt))
            .peekable();
        let is_any = mine.peek().is_some();
        while let Some(receipt) = mine.next() {
            if mine.peek().is_none() {
                news(&self.schedule, News::Found(task, &receipt));
            }
            // All but the last were tried again.
            self.tell(Event::Receipt(receipt, Source::Run));
        }
        is_any
    }

    /// Reads an instruction that a task asked for.
    fn load(&mut self, task: TaskId, link: &Link<Instruction>) {
        let block = self.store.get(link.cid());
        let instruction = match block {
            Ok(Some(block)) => {
                Instruction::decode(block.bytes()).map_err(|error| error.to_string())
            }
            Ok(None) => Err(format!(
                "the instruction {} is not in the store",
                link.cid()
            )),
            Err(error) => Err(error.to_string()),
        };
        let event = match instruction {
            Ok(instruction) => Event::Loaded(task, instruction),
            Err(words) => Event::Failed {
                task,
                failure: Failure::new(Kind::Unavailable, words),
                may_pass: false,
            },
        };
        self.tell(event);
    }
}

/// What leads to the threads of a run.
struct Channels<'a> {
    queue: Closing<'a>,
    recorder: Sender<Entry>,
    finder: Option<Sender<Vec<LookUp>>>,
}

/// Closes the queue when nothing more comes.
struct Closing<'a>(&'a Queue<Arc<Work>>);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Looks elsewhere for receipts, until no more are wanted: all that came while others were asked at once. What is found is in the
/// store then, and is looked up there again.
fn find_all(elsewhere: &Elsewhere, wanted: &Receiver<Vec<LookUp>>, messages: &Sender<Message>) {
    while let Ok(first) = wanted.recv() {
        let mut all: Vec<LookUp> = first;
        all.extend(wanted.try_iter().flatten());
        let links: Vec<_> = all.iter().map(|it| it.instruction.link()).collect();
        let known: Vec<_> = all.iter().map(|it| Arc::clone(&it.instruction)).collect();
        elsewhere.look(&links, &known);
        for lookup in &mut all {
            lookup.was_elsewhere = true;
        }
        let _ = messages.send(Message::Looked(all));
    }
}

/// Returns the receipt that answers for a task, with its age.
///
/// The instruction alone decides a pure outcome. A value that came from outside counts as long as the task takes what is
/// so old; a failure doesn't, since it may pass. `before` is a receipt that was read before, if there was one.
fn answer(
    receipts: Vec<Recorded>,
    reuse: Option<Duration>,
    now_ms: u64,
    before: Option<&Receipt>,
    is_answer: impl Fn(&Receipt) -> bool,
) -> Option<(Receipt, Duration)> {
    // The newest first: of what heard from outside, it is the one that may still count.
    receipts.into_iter().rev().find_map(|recorded| {
        let age = Duration::from_millis(now_ms.saturating_sub(recorded.at_ms()));
        let is_reusable = recorded.is_reusable();
        if !is_reusable && reuse.is_none_or(|reuse| age > reuse) {
            return None;
        }
        let receipt = recorded.receipt_like(before).ok()?;
        if !is_reusable && !matches!(receipt.outcome(), Outcome::Ok(_)) {
            return None;
        }
        is_answer(&receipt).then_some((receipt, age))
    })
}

/// Returns the time, in milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// A thread that runs tasks.
struct Worker<'a> {
    queue: &'a Queue<Arc<Work>>,
    execute: &'a dyn Execute,
    store: &'a dyn Store,
    is_ending: &'a AtomicBool,
    messages: Sender<Message>,
}

impl Worker<'_> {
    /// Runs what is in the queue, until nobody can put anything into it or hears of what came of it.
    fn work_off(&self) {
        let mut begun = None;
        loop {
            let work = match begun.take() {
                Some(work) => work,
                None => {
                    let Some(work) = self.queue.next() else {
                        return;
                    };
                    if self.is_ending() {
                        self.tell(Message::Returned(work.task));
                        continue;
                    }
                    self.tell(Message::Begun(Arc::clone(&work)));
                    work
                }
            };
            let task = work.task;
            let done = self.execute.execute(&work);
            if let Err(trouble) = &done
                && trouble.was_stopped
            {
                // Nothing is begun any more.
                self.tell(Message::Stopped(task));
                continue;
            }
            // A value that is linked, or a further task, may be read before the receipt is durable.
            if let Ok(Executed { receipt, blocks }) = &done
                && (matches!(receipt.outcome(), Outcome::Ok(Ipld::Link(_)))
                    || !receipt.run().is_empty())
                && let Err(error) = self.store.stage(blocks)
            {
                self.tell(Message::Failed(error));
            }
            begun = match self.is_ending() {
                true => None,
                false => self.queue.next_now(),
            };
            self.tell(Message::Ended(task, done, begun.clone()));
        }
    }

    fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    /// Who drives has ended only if nothing is to be told any more.
    fn tell(&self, message: Message) {
        let _ = self.messages.send(message);
    }
}

/// Records receipts until no more come: all that came while the last were written are written at once. Who drives hears
/// of an error at once, and stops.
fn record_all(
    store: &dyn Store,
    mut journal: Option<&mut Journal>,
    records: &Receiver<Entry>,
    messages: &Sender<Message>,
) {
    // Of what was found nothing has to be kept but how far the run came, so it waits for others, or until there is time.
    let mut found = Vec::new();
    loop {
        let first = match found.is_empty() {
            true => records.recv().map_err(|_| RecvTimeoutError::Disconnected),
            false => records.recv_timeout(IDLE),
        };
        if matches!(first, Err(RecvTimeoutError::Disconnected)) {
            return;
        }
        let mut batch = Vec::new();
        let is_idle = first.is_err();
        for entry in first.into_iter().chain(records.try_iter()) {
            match entry {
                Entry::Ran(task, label, executed) => batch.push((task, label, executed)),
                Entry::Found(notes) if journal.is_some() => found.extend(notes),
                Entry::Found(_) => {}
            }
        }
        if batch.is_empty() && !is_idle {
            continue;
        }
        match record(store, journal.as_deref_mut(), &batch, &mut found) {
            Ok(()) => {
                let recorded = batch.iter();
                let recorded = recorded.map(|(task, _, executed)| (*task, executed.receipt.link()));
                let _ = messages.send(Message::Recorded(recorded.collect()));
            }
            Err(error) => {
                let _ = messages.send(Message::Failed(error));
                return;
            }
        }
    }
}

/// Time in which nothing ran, after which the recorder writes what was found.
const IDLE: Duration = Duration::from_secs(1);

fn record(
    store: &dyn Store,
    journal: Option<&mut Journal>,
    batch: &[(TaskId, String, Executed)],
    found: &mut Vec<Note>,
) -> Result<(), StoreError> {
    let at_ms = now_ms();
    let records: Vec<_> = batch
        .iter()
        .map(|(_, _, executed)| Record {
            receipt: &executed.receipt,
            blocks: &executed.blocks,
            is_believed: true,
            at_ms,
        })
        .collect();
    let Some(journal) = journal else {
        return store.record(&records);
    };
    let mut notes = std::mem::take(found);
    notes.extend(batch.iter().map(|(_, label, executed)| Note {
        label: label.clone(),
        status: match executed.receipt.outcome() {
            Outcome::Ok(_) => "ran".to_owned(),
            Outcome::Error(_) => "failed".to_owned(),
        },
        receipt: *executed.receipt.link().cid(),
    }));
    let last = journal.stage(store, &records, &notes)?;
    store.record(&records)?;
    journal.lead(store, last)
}

#[cfg(test)]
mod tests;
