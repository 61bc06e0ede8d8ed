//! `homestar run` of a workflow in a node that has an address.
//!
//! It is checked here, since its names are known here, and the effects that it asks for have to be here too. What its names stand for is brought to the node as far as it isn't there, and
//! takes the place of the names. Then the node runs it, and what happens is told here as if it were here.

use std::collections::HashSet;
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use homestar_core::car;
use homestar_core::ipld::{Block, Cid, Ipld};
use homestar_core::json;
use homestar_core::outcome::Kind as Failed;
use homestar_core::plan::Rules;
use homestar_core::schedule::{Counts, FailedTask, SkippedTask, Summary};
use homestar_core::workflow::{LimitTable, Task, Workflow};
use homestar_engine::{Allocation, Blocks as _};
use homestar_node::{Ended, links_of};

use super::super::data::Data;
use super::super::load::Loading;
use super::super::node::ask::{There, unheard};
use super::super::run::away;
use super::board::TOLD_MAX;
use super::find::Files;
use super::guests::Guests;
use super::prepare::{self, prepare};
use super::results;
use super::run::{code, say_end};
use crate::error::{Caused, CommandError};
use crate::print;

/// Links in one question.
const LINKS_MAX: usize = 512;
/// Bytes of blocks in one request. The node takes four times as many.
const PIECE_BYTES: usize = 16 << 20;
const JSON: &str = "application/json";

/// What is run, and where.
#[derive(Debug)]
pub(crate) struct Options<'a> {
    pub(crate) file: &'a Path,
    pub(crate) loading: Loading,
    pub(crate) data: Arc<Data>,
    /// Where the results go, if not to standard output.
    pub(crate) output: Option<&'a Path>,
    pub(crate) json: bool,
    pub(crate) node: There,
    pub(crate) url: &'a str,
    /// For tasks that say none.
    pub(crate) limits: LimitTable,
    pub(crate) wishes: Wishes<'a>,
}

/// How it is to be run there, as far as that is said.
#[derive(Debug, Default)]
pub(crate) struct Wishes<'a> {
    pub(crate) jobs: Option<NonZero<u16>>,
    pub(crate) fails_fast: bool,
    pub(crate) results: &'a [String],
}

impl Wishes<'_> {
    /// Returns what stands behind the path of a request.
    fn query(&self) -> String {
        let mut said = Vec::new();
        if self.fails_fast {
            said.push("fail-fast=true".to_owned());
        }
        said.extend(self.jobs.map(|jobs| format!("jobs={jobs}")));
        if !self.results.is_empty() {
            said.push(format!("result={}", self.results.join(",")));
        }
        match said.is_empty() {
            true => String::new(),
            false => format!("?{}", said.join("&")),
        }
    }
}

/// A run that a node began.
#[derive(Debug)]
pub(in crate::commands) struct Asked {
    pub(in crate::commands) run: String,
    events: String,
    is_resumed: bool,
}

pub(crate) fn main(options: Options<'_>) -> Result<u8, CommandError> {
    let data = &options.data;
    let mut guests = Guests::new(options.loading, Arc::clone(data), Allocation::OnDemand)?;
    guests.are_lent = true;
    // What it may ask for is for the node to say.
    let prepared = prepare(options.file, &guests, &Rules::default(), Files::Kept)?;
    let (workflow, found) = (&prepared.workflow, &prepared.resources);
    let content = workflow.by_content(&|name| found.get(name).map(|found| found.cid));
    let content = with_limits(content, &options.limits)?;
    let roots: Vec<Cid> = found.values().map(|found| found.cid).collect();
    bring(&options.node, data, roots)?;
    let start = Instant::now();
    check(options.wishes.results, workflow)?;
    let asked = begin(&options.node, &content, &options.wishes)?;
    if !options.json {
        let title = prepare::title(options.file, workflow);
        let going_on = if asked.is_resumed {
            "going on with "
        } else {
            ""
        };
        let line = format!("{title}: {going_on}run {} at {}", asked.run, options.url);
        print::err(&print::shown(&line));
    }
    let finished = tell_all(&options.node, options.json, &asked)?;
    let (how, summary) = read(&finished)?;
    if !options.json {
        say_end(&summary, start.elapsed());
        if let Ok(Some(Ipld::Map(told))) = finished.get("results") {
            if options.output.is_some() {
                let mut links = Vec::new();
                away::links(&Ipld::Map(told.clone()), &mut links);
                fetch(&options.node, data, links)?;
            }
            let (plan, signatures) = (&prepared.plan, &prepared.signatures);
            results::show_told(told.clone(), plan, signatures, options.output, data)?;
        }
    }
    Ok(code(how, &summary))
}

/// Writes limits into a workflow.
fn with_limits(workflow: Workflow, limits: &LimitTable) -> Result<Workflow, CommandError> {
    if *limits == LimitTable::default() {
        return Ok(workflow);
    }
    let limited = workflow.with_limits(limits);
    let is_said = limited.tasks().iter().all(Task::has_label);
    is_said.then_some(limited).ok_or_else(|| {
        let words = "tasks of a workflow of 2024 say what they may use themselves";
        CommandError::usage(words)
    })
}

/// Finds out whether the tasks are there whose values are asked for.
fn check(results: &[String], workflow: &Workflow) -> Result<(), CommandError> {
    let is_there = |label: &&String| workflow.tasks().iter().any(|task| task.label == **label);
    match results.iter().find(|label| !is_there(label)) {
        None => Ok(()),
        Some(label) => {
            let words = format!("the workflow has no task `{label}`");
            Err(CommandError::input(words))
        }
    }
}

/// Has a node begin a run of a workflow.
pub(in crate::commands) fn begin(
    node: &There,
    workflow: &Workflow,
    wishes: &Wishes<'_>,
) -> Result<Asked, CommandError> {
    let body = workflow.block().bytes().to_vec();
    let path = format!("/v1/runs{}", wishes.query());
    let begun = node.ask("POST", &path, body, "application/vnd.ipld.dag-cbor")?;
    Ok(Asked {
        run: text(&begun, "run"),
        events: text(&begun, "events"),
        is_resumed: matches!(begun.get("resumed"), Ok(Some(Ipld::Bool(true)))),
    })
}

/// Has a node end a run, and its tasks.
pub(in crate::commands) fn cancel(node: &There, run: &str) -> Result<(), CommandError> {
    let path = format!("/v1/runs/{run}/cancel");
    node.ask("POST", &path, Vec::new(), JSON).map(drop)
}

/// Gets from the node what of these isn't here, and of what they link to.
pub(in crate::commands) fn fetch(
    node: &There,
    data: &Data,
    roots: Vec<Cid>,
) -> Result<(), CommandError> {
    let content = data.content()?;
    let store = content.source().store();
    let (mut seen, mut todo) = (roots.iter().copied().collect::<HashSet<Cid>>(), roots);
    while let Some(cid) = todo.pop() {
        let here = store.get(&cid).map_err(CommandError::host)?;
        let block = match here {
            Some(block) => block,
            None => {
                let block = node.block(&cid)?;
                let put = content.put(std::slice::from_ref(&block));
                put.map_err(CommandError::host)?;
                block
            }
        };
        let links = links_of(&block).into_iter().rev();
        todo.extend(links.filter(|link| seen.insert(*link)));
    }
    Ok(())
}

/// Brings the node what of these it doesn't have, and of what they link to.
pub(in crate::commands) fn bring(
    node: &There,
    data: &Data,
    roots: Vec<Cid>,
) -> Result<(), CommandError> {
    let source = data.content()?.source();
    let mut seen: HashSet<Cid> = roots.iter().copied().collect();
    let (mut todo, mut piece, mut bytes) = (roots, Vec::new(), 0);
    while !todo.is_empty() {
        let some: Vec<Cid> = todo.drain(..todo.len().min(LINKS_MAX)).collect();
        let missing = missing(node, &some)?;
        for cid in some {
            if Block::inline(&cid).is_some() {
                continue;
            }
            let block = source.get(&cid).map_err(|error| {
                CommandError::input(Caused::new(format!("can't read {cid}"), error))
            })?;
            let links = links_of(&block).into_iter();
            todo.extend(links.filter(|link| seen.insert(*link)));
            if missing.contains(&cid) {
                bytes += block.bytes().len();
                piece.push(block);
            }
            if bytes >= PIECE_BYTES {
                send(node, &std::mem::take(&mut piece))?;
                bytes = 0;
            }
        }
    }
    send(node, &piece)
}

fn missing(node: &There, cids: &[Cid]) -> Result<HashSet<Cid>, CommandError> {
    let links = Ipld::List(cids.iter().copied().map(Ipld::Link).collect());
    let body = print::json_line(&links)?.into_bytes();
    match node.ask("POST", "/v1/content/missing", body, JSON)? {
        Ipld::List(items) => Ok(items
            .into_iter()
            .filter_map(|item| match item {
                Ipld::Link(cid) => Some(cid),
                _ => None,
            })
            .collect()),
        _ => Err(not_understood()),
    }
}

fn send(node: &There, blocks: &[Block]) -> Result<(), CommandError> {
    let Some(first) = blocks.first() else {
        return Ok(());
    };
    let body = car::write(&[*first.cid()], blocks);
    let brought = node.ask("POST", "/v1/content", body, "application/vnd.ipld.car");
    brought.map(drop)
}

/// Follows a run to its end, and returns the last that is told of it.
pub(in crate::commands) fn follow(
    node: &There,
    asked: &Asked,
    hear: &mut dyn FnMut(&Ipld) -> Result<(), CommandError>,
) -> Result<Ipld, CommandError> {
    let run = &asked.run;
    for told in node.follow(&asked.events)? {
        let line = told.map_err(|what| left(unheard(what), run))?;
        let event = json::parse(&line).map_err(|_| not_understood())?;
        hear(&event)?;
        match &*text(&event, "event") {
            "finished" => return Ok(event),
            "interrupted" => {
                let error = CommandError::host(format!("the node ends before run {run} does"));
                return Err(error.hint("it goes on with it when it is started again"));
            }
            _ => {}
        }
    }
    Err(left(CommandError::host("the node left"), run))
}

/// Tells what happens, and returns the last of it.
fn tell_all(node: &There, json: bool, asked: &Asked) -> Result<Ipld, CommandError> {
    let mut all = 0;
    follow(node, asked, &mut |event| {
        if json {
            return print::out(print::json_line(event)?.as_bytes());
        }
        match &*text(event, "event") {
            "begun" => all = number(event, "tasks"),
            "stopped" => print::err(&print::shown(&format!("{}: stopped", text(event, "task")))),
            "ended" | "troubled" => tell(event, all <= TOLD_MAX),
            "missed" => {
                let count = print::number(number(event, "count") as u64);
                print::note(&format!("{count} events came too fast to be told"));
            }
            _ => {}
        }
        Ok(())
    })
}

fn left(error: CommandError, run: &str) -> CommandError {
    error.hint(format!("run {run} goes on there, unless the node ended"))
}

/// Says how a task ended, as the command does of its own.
fn tell(event: &Ipld, is_each_told: bool) {
    let failure = match (event.get("error"), event.get("out")) {
        (Ok(Some(error)), _) => Some(error),
        (_, Ok(Some(out))) => out.get("error").ok().flatten(),
        _ => None,
    };
    let how = text(event, "how");
    let words = match failure {
        Some(failure) => format!(
            "failed ({}): {}",
            text(failure, "kind"),
            text(failure, "message")
        ),
        None if how == "failed" => how,
        None if is_each_told => how,
        None => return,
    };
    let line = format!("{}: {words}", text(event, "task"));
    print::err(&print::shown(&line));
}

/// Reads what came of the run.
fn read(finished: &Ipld) -> Result<(Ended, Summary), CommandError> {
    let how = match &*text(finished, "how") {
        "well" => Ended::Well,
        "cancelled" => Ended::Cancelled,
        "failed" => Ended::Failed,
        _ => return Err(not_understood()),
    };
    let failed = items(finished, "failed").iter().map(|task| FailedTask {
        label: text(task, "task"),
        kind: text(task, "kind").parse().unwrap_or(Failed::Unavailable),
        message: text(task, "message"),
        receipt: None,
        is_handled: matches!(task.get("handled"), Ok(Some(Ipld::Bool(true)))),
    });
    let skipped = items(finished, "skipped").iter().map(|task| SkippedTask {
        label: text(task, "task"),
        because: super::super::node::list_of(task, "because"),
    });
    let Ok(Some(counts)) = finished.get("counts") else {
        return Err(not_understood());
    };
    let count = |name| number(counts, name);
    let summary = Summary {
        counts: Counts {
            all: count("all"),
            ran: count("ran"),
            memoised: count("memoised"),
            gathered: count("gathered"),
            caught: count("caught"),
            failed: count("failed"),
            handled: 0,
            skipped: count("skipped"),
            not_needed: count("not_needed"),
            retries: count("retries"),
            refused: count("refused"),
        },
        failed: failed.collect(),
        skipped: skipped.collect(),
        is_finished: true,
    };
    Ok((how, summary))
}

pub(in crate::commands) fn not_understood() -> CommandError {
    CommandError::host("the node answers what isn't understood")
}

fn text(facts: &Ipld, name: &str) -> String {
    super::super::node::text(facts, name)
}

pub(in crate::commands) fn number(facts: &Ipld, name: &str) -> usize {
    match facts.get(name) {
        Ok(Some(Ipld::Integer(number))) => usize::try_from(*number).unwrap_or_default(),
        _ => 0,
    }
}

fn items<'a>(facts: &'a Ipld, name: &str) -> &'a [Ipld] {
    match facts.get(name) {
        Ok(Some(Ipld::List(items))) => items,
        _ => &[],
    }
}
