//! `homestar run` of a workflow in a node that has an address.
//!
//! It is checked here, since its names are known here, and the effects that it asks for have to be here too. What its names stand for is brought to the node as far as it isn't there, and
//! takes the place of the names. Then the node runs it, and what happens is told here as if it were here.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use homestar_core::car;
use homestar_core::ipld::{Block, Cid, Ipld};
use homestar_core::json;
use homestar_core::outcome::Kind as Failed;
use homestar_core::plan::Rules;
use homestar_core::schedule::{Counts, FailedTask, SkippedTask, Summary};
use homestar_engine::Allocation;
use homestar_node::{Ended, links_of};

use super::super::data::Data;
use super::super::load::Loading;
use super::super::node::ask::{There, unheard};
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
}

pub(crate) fn main(options: Options<'_>) -> Result<u8, CommandError> {
    let data = &options.data;
    let mut guests = Guests::new(options.loading, Arc::clone(data), Allocation::OnDemand)?;
    guests.are_lent = true;
    // What it may ask for is for the node to say.
    let prepared = prepare(options.file, &guests, &Rules::default(), Files::Kept)?;
    let (workflow, found) = (&prepared.workflow, &prepared.resources);
    let content = workflow.by_content(&|name| found.get(name).map(|found| found.cid));
    let roots: Vec<Cid> = found.values().map(|found| found.cid).collect();
    bring(&options.node, data, roots)?;
    let begin = Instant::now();
    let media_type = "application/vnd.ipld.dag-cbor";
    let body = content.block().bytes().to_vec();
    let begun = options.node.ask("POST", "/v1/runs", body, media_type)?;
    let (run, events) = (text(&begun, "run"), text(&begun, "events"));
    if !options.json {
        let title = prepare::title(options.file, workflow);
        let resumed = matches!(begun.get("resumed"), Ok(Some(Ipld::Bool(true))));
        let going_on = if resumed { "going on with " } else { "" };
        let line = format!("{title}: {going_on}run {run} at {}", options.url);
        print::err(&print::shown(&line));
    }
    let finished = follow(&options.node, options.json, &run, &events)?;
    let (how, summary) = read(&finished)?;
    if !options.json {
        say_end(&summary, begin.elapsed());
        if let Ok(Some(Ipld::Map(told))) = finished.get("results") {
            let (plan, signatures) = (&prepared.plan, &prepared.signatures);
            results::show_told(told.clone(), plan, signatures, options.output, data)?;
        }
    }
    Ok(code(how, &summary))
}

/// Brings the node what of these it doesn't have, and of what they link to.
fn bring(node: &There, data: &Data, roots: Vec<Cid>) -> Result<(), CommandError> {
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

/// Tells what happens, and returns the last of it.
fn follow(node: &There, json: bool, run: &str, events: &str) -> Result<Ipld, CommandError> {
    let mut all = 0;
    for told in node.follow(events)? {
        let line = told.map_err(|what| left(unheard(what), run))?;
        if json {
            print::out(format!("{line}\n").as_bytes())?;
        }
        let event = json::parse(&line).map_err(|_| not_understood())?;
        match &*text(&event, "event") {
            "begun" => all = number(&event, "tasks"),
            "stopped" if !json => {
                print::err(&print::shown(&format!("{}: stopped", text(&event, "task"))))
            }
            "ended" | "troubled" if !json => tell(&event, all <= TOLD_MAX),
            "missed" if !json => {
                let count = print::number(number(&event, "count") as u64);
                print::note(&format!("{count} events came too fast to be told"));
            }
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

fn not_understood() -> CommandError {
    CommandError::host("the node answers what isn't understood")
}

fn text(facts: &Ipld, name: &str) -> String {
    super::super::node::text(facts, name)
}

fn number(facts: &Ipld, name: &str) -> usize {
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
