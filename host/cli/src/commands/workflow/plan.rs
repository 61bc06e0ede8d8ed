//! `homestar plan`

use clap::Args;
use homestar_core::ipld::{Cid, Ipld};
use homestar_core::receipt::Receipt;
use homestar_core::schedule::{
    Event, Options as Scheduling, Schedule, Source, Status, Step, TaskId, Timestamp,
};
use homestar_node::{Run, now_ms};

use super::Common;
use super::find::Files;
use super::guests::Guests;
use super::prepare::{self, Prepared, prepare};
use crate::error::CommandError;
use crate::print;

/// Show what a workflow would do, and run nothing
///
/// Shows the tasks in the order in which they need each other, which of them have a receipt already and so won't run,
/// and what they are granted. Files that the workflow names are put into the store, since they are part of what a task
/// is. What a task needs of one that would run isn't known, so neither is whether it would run itself.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar plan pipeline.yaml
  homestar plan pipeline.yaml --dot | dot -Tsvg > pipeline.svg
  homestar plan pipeline.yaml --mermaid")]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) common: Common,

    /// Print a graph for Graphviz
    #[arg(long, conflicts_with_all = ["mermaid", "json"])]
    dot: bool,

    /// Print a flowchart for Mermaid
    #[arg(long, conflicts_with = "json")]
    mermaid: bool,
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    let common = &options.common;
    let (guests, rules) = common.setting()?;
    let is_drawn = options.dot || options.mermaid;
    let files = if is_drawn {
        Files::LookedAt
    } else {
        Files::Kept
    };
    let prepared = prepare(&common.file, &guests, &rules, files)?;
    if options.dot {
        return print::out(prepared.plan.to_dot().as_bytes());
    }
    if options.mermaid {
        return print::out(prepared.plan.to_mermaid().as_bytes());
    }
    let grants = prepare::grants(&prepared.plan);
    let notes = prepare::notes(&common.file, &prepared.plan);
    let schedule = foreseen(&prepared, &guests)?;
    if common.json {
        let tasks = schedule.tasks().map(|task| facts(&schedule, task));
        return print::ok(print::map([
            ("grants", print::texts(grants)),
            (
                "notes",
                Ipld::List(notes.into_iter().map(|note| note.facts).collect()),
            ),
            ("tasks", Ipld::List(tasks.collect())),
            (
                "workflow",
                Ipld::String(prepared.workflow.cid().to_string()),
            ),
        ]));
    }
    for note in notes {
        print::note(&note.text);
    }
    print::out(text(&prepared, &schedule, &grants).as_bytes())
}

/// Finds all receipts that count, and runs nothing: a task that would run has no end.
fn foreseen(prepared: &Prepared, guests: &Guests) -> Result<Schedule, CommandError> {
    let content = guests.data.content()?;
    let store = content.source().store();
    let mut schedule = Schedule::new(
        prepared.plan.clone(),
        Scheduling {
            // Tasks that would run keep their places.
            calls_max: usize::MAX,
            lookups_max: usize::MAX,
            ..Scheduling::default()
        },
    );
    let now = Timestamp(0);
    loop {
        let mut asked = Vec::new();
        while let Some(step) = schedule.poll() {
            if let Step::LookUp {
                task,
                instruction,
                reuse,
            } = step
            {
                asked.push((task, instruction, reuse));
            }
        }
        if asked.is_empty() {
            return Ok(schedule);
        }
        for (task, instruction, reuse) in asked {
            let how = schedule.how(task);
            let is_answer = |receipt: &Receipt| guests.is_answer(&instruction, &how, receipt);
            let found = Run::find(&**store, &instruction, reuse, now_ms(), is_answer);
            let found = found.map_err(CommandError::host)?;
            let event = match found {
                Some((receipt, age)) => Event::Receipt(receipt, Source::Memo(Some(age))),
                None => Event::NotFound(task),
            };
            schedule.handle(event, now);
        }
    }
}

/// Returns what would become of a task.
fn prospect(status: Status) -> &'static str {
    match status {
        Status::Done { was_memoised: true } => "memoised",
        Status::Done { .. } => "gathered",
        Status::Caught => "caught",
        Status::Failed => "failed before",
        Status::Skipped { .. } => "not run",
        Status::Running => "runs",
        Status::Waiting | Status::LookingUp | Status::Retrying => "waits",
    }
}

fn text(prepared: &Prepared, schedule: &Schedule, grants: &[String]) -> String {
    let plan = prepared.plan.to_string();
    let lines: Vec<_> = plan.lines().collect();
    let width = schedule
        .tasks()
        .map(|task| prospect(schedule.status(task)).len());
    let width = width.max().unwrap_or_default();
    let mut text = String::new();
    for (task, line) in schedule.tasks().zip(&lines) {
        let word = prospect(schedule.status(task));
        text += &format!("{word:width$}  {line}\n");
    }
    let counts = schedule.counts();
    let would_run = schedule
        .tasks()
        .filter(|task| schedule.status(*task) == Status::Running)
        .count();
    text += &format!(
        "\n{} tasks: {} memoised, {} to run at once, {} that wait for those\n",
        print::number(counts.all as u64),
        print::number(counts.memoised as u64),
        print::number(would_run as u64),
        print::number((counts.all - counts.ended()).saturating_sub(would_run) as u64),
    );
    for grant in grants {
        text += &format!("grants {grant}\n");
    }
    text
}

fn facts(schedule: &Schedule, task: TaskId) -> Ipld {
    let plan = schedule.plan().tasks();
    let planned = plan.get(task.index());
    let needs = planned.into_iter().flat_map(|task| &task.needs);
    let needs = needs.map(|need| plan[need.task].label.to_string());
    let link = |cid: Option<Cid>| cid.map_or(Ipld::Null, Ipld::Link);
    print::map([
        ("needs", print::texts(needs)),
        (
            "prospect",
            Ipld::String(prospect(schedule.status(task)).to_owned()),
        ),
        ("receipt", link(schedule.receipt_of(task))),
        ("task", Ipld::String(schedule.label(task))),
    ])
}
