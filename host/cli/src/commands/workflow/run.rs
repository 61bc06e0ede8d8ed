//! `homestar run` of a workflow.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use homestar_core::outcome::{Failure, Outcome};
use homestar_core::plan::Rules;
use homestar_core::receipt::Receipt;
use homestar_core::schedule::{Options as Scheduling, RESULTS_MAX, Schedule, Summary, TaskId};
use homestar_core::task::Limits;
use homestar_core::ucan::Did;
use homestar_core::workflow::{Site, Workflow};
use homestar_engine::Allocation;
use homestar_node::{
    Ended, Events, News, OpenRun, OpenRunError, ResultsError, Run, Sharing, is_of_others, labelled,
    now_ms, scheduling,
};

use super::super::data::Data;
use super::super::load::Loading;
use super::super::node::tell_shared;
use super::super::run::away::Away;
use super::board::{Board, Style, time};
use super::events::EventLines;
use super::execute::Engine;
use super::find::Files;
use super::guests::Guests;
use super::prepare;
use super::results;
use crate::error::{Caused, CommandError, code_of};
use crate::interrupt::INTERRUPTED;
use crate::settings::Settings;
use crate::telemetry::{Telemetry, Traced};
use crate::{interrupt, keyring, print};

/// What is run, and how.
#[derive(Debug)]
pub(crate) struct Options<'a> {
    /// The workflow, and the file that it was read from.
    pub(crate) workflow: Workflow,
    pub(crate) file: &'a Path,
    pub(crate) settings: &'a Settings,
    /// What a task may use that says nothing.
    pub(crate) usual: Limits,
    pub(crate) loading: Loading,
    pub(crate) data: Arc<Data>,
    /// The folder of the store.
    pub(crate) place: PathBuf,
    /// Where the results go, if not to standard output.
    pub(crate) output: Option<&'a Path>,
    pub(crate) json: bool,
    /// Tasks at a time.
    pub(crate) jobs: usize,
    pub(crate) fails_fast: bool,
    /// The labels of the tasks whose values are asked for; without any, those that no other awaits.
    pub(crate) results: &'a [String],
    /// Whether receipts of earlier runs count.
    pub(crate) looks_up: bool,
    /// Who runs what is pure and not secret, if others do.
    pub(crate) away: Option<Away>,
}

/// Returns how tasks get their memory: from a pool, which many calls share, unless that would reserve more addresses than
/// a machine may have.
pub(super) fn allocation(jobs: usize) -> Allocation {
    match u32::try_from(jobs) {
        Ok(jobs) if jobs <= POOLED_MAX => Allocation::Pooling {
            // A composition of many parts takes the room of several.
            instances_max: jobs * ROOM,
        },
        _ => Allocation::OnDemand,
    }
}

/// Tasks at a time for which there is a pool.
const POOLED_MAX: u32 = 64;

/// Room in the pool for each task at a time.
const ROOM: u32 = 8;

/// How often a line on a terminal is written anew though nothing happens.
const TICK: Duration = Duration::from_millis(250);

pub(crate) fn main(options: Options<'_>) -> Result<u8, CommandError> {
    let rules: Rules = super::rules(
        options.settings,
        options.usual,
        options.loading.authority.ceiling(),
    );
    let believed = options.settings.believed()?;
    let data = Arc::clone(&options.data);
    let mut guests = Guests::new(options.loading, data, allocation(options.jobs))?;
    guests.are_lent = options.away.is_some();
    let (file, workflow) = (options.file, options.workflow);
    let prepared = prepare::check(&workflow, file, &guests, &rules, Files::Kept)?;
    if !options.json {
        for note in prepare::notes(options.file, &prepared.plan) {
            print::note(&note.text);
        }
    }
    let key = keyring::key()?;
    let content = options.data.content()?;
    let store = Arc::clone(content.source().store());
    let locks = options.place.join(LOCKS);
    // Without looking anything up, one begins anew.
    let may = |run: &str| options.looks_up && !is_of_others(&*store, run);
    let opened = OpenRun::open(&*store, &locks, &workflow, may).map_err(not_opened)?;
    let scheduled = Scheduling {
        looks_up: options.looks_up,
        fails_fast: options.fails_fast,
        ..scheduling(options.jobs)
    };
    let mut schedule = Schedule::new(prepared.plan, scheduled);
    if options.away.is_some() {
        stay(&schedule)?;
    }
    if !options.results.is_empty() {
        let asked = asked(&schedule, options.results)?;
        schedule.give(&asked);
    }
    let mut run = Run::new(schedule, Arc::clone(&store), options.jobs);
    run.remember(&opened.id).map_err(CommandError::host)?;
    if let Some(elsewhere) = options.data.elsewhere(believed)? {
        run.look_elsewhere(Arc::new(elsewhere));
    }
    let board = Arc::new(Board::new(match options.json {
        true => Style::Silent,
        false => Style::of_stderr(),
    }));
    // Whoever is told that it begins may stop it.
    let was_interrupted = interruptible(&run, &board)?;
    let mut events = options.json.then(EventLines::default);
    let tasks = run.schedule().counts().all;
    let (id, workflow) = (&opened.id, &workflow);
    match &mut events {
        Some(events) => {
            events.tell(&Events::begun(id, workflow.cid(), tasks, opened.is_resumed));
        }
        None => {
            let title = prepare::title(options.file, workflow);
            let going_on = if opened.is_resumed {
                "going on with "
            } else {
                ""
            };
            board.say(&format!("{title}: {going_on}run {id}"));
        }
    }
    board.begin(run.schedule().counts());
    let telemetry = Telemetry::begin(id, workflow, opened.is_resumed);
    let engine = Traced {
        engine: Engine {
            guests: &guests,
            key: &key,
            board: &board,
            away: options.away.as_ref(),
            leave: None,
        },
        telemetry: telemetry.as_ref(),
    };
    let begin = Instant::now();
    let me = key.did();
    let shares = options.settings.file().network.share_receipts;
    let mut sharing = shares.then(|| Sharing::new(Arc::clone(&store)));
    let canceller = run.canceller();
    let driven = ticking(&board, || {
        run.drive(&engine, &mut |schedule, news| {
            if let (Some(telemetry), News::Found(task, receipt)) = (&telemetry, &news) {
                let (label, is_secret) = (schedule.label(*task), schedule.is_secret(*task));
                telemetry.found(&label, is_secret, receipt);
            }
            if let Some(sharing) = &mut sharing {
                sharing.hear(schedule, &news);
            }
            tell(&board, events.as_mut(), schedule, news, &me);
            // Who can't be told of anything waits for nothing.
            if events.as_ref().is_some_and(EventLines::is_unheard) {
                canceller.cancel();
            }
        })
    });
    board.clear();
    if let Some(sharing) = sharing {
        say_shared(sharing);
    }
    let summary = driven.map_err(|error| {
        let words = "the run ended, since its receipts can't be kept";
        let error = CommandError::host(Caused::new(words, error));
        error.hint("the same command goes on with it")
    })?;
    let is_unheard = events.as_ref().is_some_and(EventLines::is_unheard);
    let was_stopped = is_unheard || was_interrupted.load(Ordering::Relaxed);
    let how = Ended::of(&summary, was_stopped);
    let schedule = run.schedule();
    // A run that was cancelled has not ended: the same command goes on with it.
    if how != Ended::Cancelled {
        let ended = opened
            .record
            .end(&*store, &opened.id, schedule, how, now_ms());
        ended.map_err(CommandError::host)?;
    }
    if let Some(telemetry) = telemetry {
        telemetry.end(how, &summary);
    }
    match events {
        Some(mut events) => {
            events.tell(&Events::finished(&opened.id, how, schedule, &summary));
            if let Some(fault) = events.fault() {
                return Err(fault);
            }
        }
        None => {
            say_end(&summary, begin.elapsed());
            let signatures = &prepared.signatures;
            results::show(schedule, signatures, options.output, &options.data)?;
            if how == Ended::Cancelled {
                print::err(&print::hint("the same command goes on where this stopped"));
            }
        }
    }
    Ok(code(how, &summary))
}

/// Refuses a secret task that is to be run by a peer.
fn stay(schedule: &Schedule) -> Result<(), CommandError> {
    let leaves = |task: &TaskId| {
        let is_sent = matches!(schedule.how(*task).site, Some(Site::Peer(_)));
        is_sent && schedule.is_secret(*task)
    };
    match schedule.tasks().find(leaves) {
        None => Ok(()),
        Some(task) => {
            let label = schedule.label(task);
            let words = format!("the `place` of the task `{label}` is a peer, and it is secret");
            Err(CommandError::input(words).hint("what is secret runs here: `place: local` says so"))
        }
    }
}

/// Returns the tasks of these labels.
fn asked(schedule: &Schedule, labels: &[String]) -> Result<Vec<TaskId>, CommandError> {
    labelled(schedule, labels).map_err(|error| match error {
        ResultsError::TooMany(count) => {
            let (most, count) = (RESULTS_MAX as u64, count as u64);
            let (most, count) = (print::number(most), print::number(count));
            let words =
                format!("{count} results are asked for, and a run gives {most} at the most");
            CommandError::input(words).hint("a task can gather what others give")
        }
        error => CommandError::input(error),
    })
}

/// Tells the node of this machine, if one runs, and the person if something went wrong.
fn say_shared(sharing: Sharing) {
    let (count, fault) = sharing.end();
    if count > 0 {
        tell_shared();
    }
    if let Some(fault) = fault {
        print::warning(&format!("not all receipts are shared: {fault}"));
    }
}

/// Says what came of it: the first line counts, and those below it name what failed.
pub(super) fn say_end(summary: &Summary, spent: Duration) {
    let spent = time(spent.as_secs_f64());
    let said = summary.to_string();
    let said = said.replacen('\n', &format!(", in {spent}\n"), 1);
    print::err(&print::shown(&said));
}

/// The folder in that of the store in which locks of runs are.
pub(crate) const LOCKS: &str = "locks";

fn not_opened(error: OpenRunError) -> CommandError {
    CommandError::host(error)
}

/// Lets Ctrl-C end the run. Returns what says whether it did.
fn interruptible(run: &Run, board: &Arc<Board>) -> Result<Arc<AtomicBool>, CommandError> {
    let flag = Arc::new(AtomicBool::new(false));
    let (canceller, board) = (Mutex::new(run.canceller()), Arc::clone(board));
    let interrupted = Arc::clone(&flag);
    interrupt::on_first(move || {
        interrupted.store(true, Ordering::Relaxed);
        let canceller = canceller.lock().unwrap_or_else(PoisonError::into_inner);
        canceller.cancel();
        board.say("stopping once the tasks that run here have ended; Ctrl-C again stops at once");
    })?;
    Ok(flag)
}

/// Does `work`, while the line on the terminal goes on.
fn ticking<T>(board: &Board, work: impl FnOnce() -> T) -> T {
    let (done, wait) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            while wait.recv_timeout(TICK) == Err(mpsc::RecvTimeoutError::Timeout) {
                board.tick();
            }
        });
        let result = work();
        drop(done);
        result
    })
}

fn tell(
    board: &Board,
    events: Option<&mut EventLines>,
    schedule: &Schedule,
    news: News<'_>,
    me: &Did,
) {
    if let Some(events) = events {
        events.hear(schedule, &news);
    }
    match news {
        News::Started(work) => board.started(work),
        News::Found(task, receipt) => {
            let how = match receipt.issuer() {
                issuer if issuer == me => "memoised".to_owned(),
                issuer => format!("memoised, signed by {issuer}"),
            };
            board_ended(board, schedule, task, receipt, &how);
        }
        News::Ran(task, receipt) => board_ended(board, schedule, task, receipt, "ran"),
        News::Troubled(task, trouble) => {
            let words = failure(schedule, task, &trouble.failure);
            board.ended(task, &schedule.label(task), &words, true);
        }
        News::Stopped(task) => board.ended(task, &schedule.label(task), "stopped", false),
        News::Recorded(_) => {}
    }
    board.draw(schedule.counts());
}

fn board_ended(board: &Board, schedule: &Schedule, task: TaskId, receipt: &Receipt, how: &str) {
    if board.is_silent() {
        return;
    }
    let label = schedule.label(task);
    match receipt.outcome() {
        Outcome::Ok(_) => board.ended(task, &label, how, false),
        Outcome::Error(it) => board.ended(task, &label, &failure(schedule, task, it), true),
    }
}

fn failure(schedule: &Schedule, task: TaskId, failure: &Failure) -> String {
    match schedule.is_secret(task) {
        true => format!("failed ({})", failure.kind),
        false => format!("failed ({}): {}", failure.kind, failure.message),
    }
}

/// Returns the exit code: that of the first task that failed.
pub(super) fn code(how: Ended, summary: &Summary) -> u8 {
    // What another task awaits is no end of a run.
    let failed = summary.failed.iter().find(|failed| !failed.is_handled);
    match (how, failed.or(summary.failed.first())) {
        (Ended::Well, _) => 0,
        (Ended::Cancelled, _) => INTERRUPTED,
        (Ended::Failed, Some(failed)) => code_of(&Failure::new(failed.kind, "")),
        (Ended::Failed, None) => 1,
    }
}
