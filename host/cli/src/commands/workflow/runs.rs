//! `homestar runs`

use clap::{Args, Subcommand};
use homestar_core::ipld::Ipld;
use homestar_node::{RunLock, RunRecord, RunTask, Store};

use super::super::content::Common;
use super::run::LOCKS;
use crate::error::CommandError;
use crate::print;

/// List, show and forget runs of workflows
///
/// Without a command, lists them, the latest first. Of runs that ended the latest 1,000 are kept, and every run that was
/// interrupted, since the same workflow goes on with it. The receipts of a run stay when it is forgotten.
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_long_help = "\
Examples:
  homestar runs
  homestar runs --limit 1000 --json
  homestar runs show k2vq4x7a
  homestar runs forget k2vq4x7a"
)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Option<Command>,

    /// How many at the most
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    limit: usize,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show a run: its tasks, how each ended, and their receipts
    Show(One),
    /// Forget a run, so that `homestar gc` may free what only it needs
    Forget(One),
}

/// A run.
#[derive(Args, Debug)]
struct One {
    /// The run's id, or the beginning of it
    run: String,

    #[command(flatten)]
    common: Common,
}

impl Options {
    /// Whether the answer is JSON.
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            Some(Command::Show(one) | Command::Forget(one)) => one.common.json,
            None => self.common.json,
        }
    }
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    match &options.command {
        None => list(&options.common, options.limit),
        Some(Command::Show(one)) => show(one),
        Some(Command::Forget(one)) => forget(one),
    }
}

/// A run as people are told of it.
pub(super) struct Known {
    pub(super) id: String,
    pub(super) record: RunRecord,
    is_at_work: bool,
}

impl Known {
    fn state(&self) -> &'static str {
        self.record.state(self.is_at_work)
    }

    fn facts(&self) -> Ipld {
        self.record.facts(&self.id, self.is_at_work)
    }
}

/// Returns the latest runs, the latest first, and no more than `count`.
pub(super) fn latest(
    store: &dyn Store,
    common: &Common,
    count: usize,
) -> Result<Vec<Known>, CommandError> {
    let locks = common.place()?.join(LOCKS);
    let latest = RunRecord::latest(store, count).map_err(CommandError::host)?;
    let known = latest.into_iter().map(|(id, record)| Known {
        is_at_work: record.end.is_none() && RunLock::is_taken(&locks, &id),
        id,
        record,
    });
    Ok(known.collect())
}

/// Returns the run whose id begins with a text.
pub(super) fn one(
    store: &dyn Store,
    common: &Common,
    beginning: &str,
) -> Result<Known, CommandError> {
    const LIST: &str = "`homestar runs` lists those there are";
    let none = || CommandError::input(format!("there is no run {beginning}")).hint(LIST);
    let mut fit = RunRecord::ids(store).map_err(CommandError::host)?;
    fit.retain(|id| id.starts_with(beginning));
    if fit.len() > 1 {
        let words = format!("{} runs begin with {beginning}", fit.len());
        return Err(CommandError::input(words).hint(LIST));
    }
    let id = fit.pop().ok_or_else(none)?;
    let record = RunRecord::open(store, &id).map_err(CommandError::host)?;
    let record = record.ok_or_else(none)?;
    let locks = common.place()?.join(LOCKS);
    Ok(Known {
        is_at_work: record.end.is_none() && RunLock::is_taken(&locks, &id),
        id,
        record,
    })
}

fn list(common: &Common, limit: usize) -> Result<(), CommandError> {
    let store = common.store()?;
    let runs = latest(&store, common, limit)?;
    if common.json {
        return print::ok(Ipld::List(runs.iter().map(Known::facts).collect()));
    }
    let mut text = String::new();
    for run in &runs {
        let record = &run.record;
        let name = record.name.clone();
        let name = name.unwrap_or_else(|| record.workflow.to_string());
        let counts = record.end.as_ref().map(|end| {
            format!(
                "{} ran, {} memoised, {} failed",
                end.ran, end.memoised, end.failed
            )
        });
        let line = format!(
            "{}  {}  {:11}  {}  {}",
            run.id,
            print::date(record.started_ms),
            run.state(),
            name,
            counts.unwrap_or_default(),
        );
        text += &print::one_line(&line);
        text.push('\n');
    }
    print::out(text.as_bytes())
}

fn show(asked: &One) -> Result<(), CommandError> {
    let store = asked.common.store()?;
    let run = one(&store, &asked.common, &asked.run)?;
    let tasks = run.record.tasks(&store, &run.id);
    let tasks = tasks.map_err(CommandError::host)?;
    if asked.common.json {
        let tasks = Ipld::List(tasks.iter().map(RunTask::facts).collect());
        return print::ok(print::map([("run", run.facts()), ("tasks", tasks)]));
    }
    let record = &run.record;
    let mut rows = vec![("run", run.id.clone())];
    rows.extend(record.name.clone().map(|name| ("name", name)));
    rows.push(("workflow", record.workflow.to_string()));
    rows.push(("began", print::date(record.started_ms)));
    if let Some(end) = &record.end {
        rows.push(("ended", print::date(end.ended_ms)));
    }
    rows.push(("state", run.state().to_owned()));
    let mut text = print::table(&rows);
    let width = tasks.iter().map(|task| task.label.chars().count());
    let width = width.max().unwrap_or_default().min(40);
    for task in &tasks {
        let receipt = task.receipt.map(|cid| cid.to_string());
        let why = task.because.clone();
        let rest = [receipt, why].into_iter().flatten().collect::<Vec<_>>();
        let line = format!(
            "{:8}  {:width$}  {}",
            task.status,
            task.label,
            rest.join("  ")
        );
        text += &format!("{}\n", print::one_line(&line));
    }
    if record.end.is_none() {
        text += "it has not ended; its tasks are listed as far as they came\n";
    }
    print::out(text.as_bytes())
}

fn forget(asked: &One) -> Result<(), CommandError> {
    let store = asked.common.store()?;
    let run = one(&store, &asked.common, &asked.run)?;
    if run.is_at_work {
        return Err(CommandError::input(format!("run {} is at work", run.id)));
    }
    RunRecord::forget(&store, &run.id).map_err(CommandError::host)?;
    match asked.common.json {
        true => print::ok(Ipld::String(run.id)),
        false => print::line(&format!("forgot {}", run.id)),
    }
}
