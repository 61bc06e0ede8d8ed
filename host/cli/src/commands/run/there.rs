//! `homestar run` of one task in a node that has an address: a workflow of that task alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use homestar_core::ipld::{self, Cid, Ipld};
use homestar_core::outcome::{Failure, Kind, Outcome};
use homestar_core::plan::{Resources, Rules, Signatures};
use homestar_core::receipt::Receipt;
use homestar_core::task::Instruction;
use homestar_core::unixfs::blocks_of_file;
use homestar_core::workflow::Workflow;
use homestar_engine::{Blocks as _, Component};

use super::super::data::Data;
use super::super::load::Loaded;
use super::super::node::ask::There;
use super::super::node::text;
use super::super::workflow::there::{self, Asked, Wishes};
use super::{Options, away, exit_code, show, sign};
use crate::error::{Caused, CommandError};
use crate::interrupt::{self, INTERRUPTED};
use crate::{files, print};

/// What the task is called in its workflow.
const LABEL: &str = "call";

/// Has the task run, prints what came of it, and returns the exit code.
pub(super) fn run(
    options: &Options,
    loaded: &Loaded,
    instruction: &Instruction,
    is_command: bool,
    data: &Data,
    url: &str,
) -> Result<u8, CommandError> {
    if options.receipt.as_deref().is_some_and(sign::holds_all) {
        let words = "a .car file is written where a task runs, and this one runs elsewhere";
        return Err(CommandError::usage(words).hint("`--receipt FILE` writes its receipt"));
    }
    let component = &loaded.component;
    let workflow = workflow(options, component, instruction)?;
    let node = Arc::new(There::at(url, options.tokens.proof.clone())?);
    let (_, blocks) = blocks_of_file(&loaded.bytes()?);
    data.content()?.put(&blocks).map_err(CommandError::host)?;
    let mut roots = vec![*component.cid()];
    let args = &instruction.input().args;
    args.iter().for_each(|arg| away::links(arg, &mut roots));
    there::bring(&node, data, roots)?;
    let asked = there::begin(&node, &workflow, &Wishes::default())?;
    cancel_on_interrupt(&node, &asked)?;
    let Some(ended) = end_of(&node, &asked)? else {
        print::note("it was stopped there");
        return Ok(INTERRUPTED);
    };
    let Some(receipt) = ended.receipt else {
        return Err(troubled(ended.outcome));
    };
    let is_content = away::is_content(component, instruction);
    if !is_content || options.output.is_some() {
        let mut links = Vec::new();
        away::links(&ended.outcome.to_ipld(), &mut links);
        there::fetch(&node, data, links)?;
    }
    let limits = options.limits.over(Rules::default().usual);
    let outcome = away::whole(&ended.outcome, component, instruction, &limits, data)?;
    let wants_receipt = options.stats || options.receipt.is_some();
    let receipt = wants_receipt.then(|| self::receipt(&node, &receipt));
    let receipt = receipt.transpose()?;
    let memory_peak = receipt.as_ref().map_or(0, |it| it.meta().memory_peak);
    let spent = (ended.fuel, memory_peak);
    let done = away::done(outcome, spent, component, instruction)?;
    if let (Some(path), Some(receipt)) = (&options.receipt, &receipt) {
        files::write(path, receipt.block().bytes())?;
    }
    let shown = away::show(options, &done, is_command, data);
    if options.stats {
        let stats = show::Stats {
            component,
            instruction,
            receipt: receipt.as_ref(),
            done: &done,
            calls: None,
            load_time: None,
        };
        print::err(&stats.text());
    }
    shown.map(|()| exit_code(&done))
}

/// Returns the workflow of the task alone.
fn workflow(
    options: &Options,
    component: &Component,
    instruction: &Instruction,
) -> Result<Workflow, CommandError> {
    if let Some(allow) = options.allow.iter().find(|allow| allow.effect.is_some()) {
        let effect = allow.effect.as_deref().unwrap_or_default();
        let words = format!("what is granted to {effect} is for the owner of that node to say");
        return Err(CommandError::usage(words).hint("`--allow GRANT` is about the task"));
    }
    let input = instruction.input();
    let grants = options.allow.iter().map(|allow| allow.grant.to_string());
    let grants: Vec<_> = grants.map(Ipld::String).collect();
    let mut task = BTreeMap::from([
        ("args".to_owned(), Ipld::List(input.args.clone())),
        ("call".to_owned(), Ipld::String(input.func.clone())),
        ("component".to_owned(), Ipld::Link(*component.cid())),
    ]);
    if let Some(stdin) = &input.stdin {
        task.insert("stdin".to_owned(), Ipld::Bytes(stdin.clone()));
    }
    if !grants.is_empty() {
        task.insert("grant".to_owned(), Ipld::List(grants));
    }
    let tasks = Ipld::Map([(LABEL.to_owned(), Ipld::Map(task))].into());
    let workflow = Ipld::Map([("tasks".to_owned(), tasks)].into());
    let unsaid = || {
        let words = "a workflow, which a node is asked for, can't say what these arguments do";
        CommandError::input(words)
            .hint("in one, a map with the key `@` or `await/…` is something else")
    };
    let bytes = ipld::encode(&workflow).map_err(CommandError::input)?;
    let workflow = Workflow::decode(&bytes).map_err(|_| unsaid())?;
    let workflow = workflow.with_limits(&options.limits.table());
    // What is run there is what was asked for here.
    let mut signatures = Signatures::new();
    signatures.insert(*component.cid(), component.functions().to_vec());
    let found = workflow.plan(&Resources::new(), &signatures, &Rules::default());
    let is_it = found.is_ok_and(|plan| {
        let mut tasks = plan.tasks().iter();
        tasks.all(|task| task.promise == *instruction.link().cid())
    });
    is_it.then_some(workflow).ok_or_else(unsaid)
}

/// Lets the task end there when this command is to end.
fn cancel_on_interrupt(node: &Arc<There>, asked: &Asked) -> Result<(), CommandError> {
    let (node, run) = (Arc::clone(node), asked.run.clone());
    interrupt::on_first(move || {
        if let Err(error) = there::cancel(&node, &run) {
            print::warning(&format!("run {run} goes on there: {}", error.message()));
        }
    })
}

/// How the task ended.
struct Ended {
    outcome: Outcome,
    /// None if it couldn't be run.
    receipt: Option<Cid>,
    fuel: u64,
}

/// Follows the run to its end. None if it was stopped.
fn end_of(node: &There, asked: &Asked) -> Result<Option<Ended>, CommandError> {
    let mut ended = None;
    there::follow(node, asked, &mut |event| {
        let told = match &*text(event, "event") {
            "ended" => event.get("out"),
            "troubled" => event.get("error"),
            _ => return Ok(()),
        };
        let told = told.ok().flatten().cloned();
        let receipt = match event.get("receipt") {
            Ok(Some(Ipld::Link(cid))) => Some(*cid),
            _ => None,
        };
        let outcome = match (receipt, told) {
            (Some(_), Some(out)) => Outcome::from_ipld(out).ok(),
            (None, Some(error)) => {
                let kind = text(&error, "kind").parse().unwrap_or(Kind::Unavailable);
                Some(Outcome::Error(Failure::new(kind, text(&error, "message"))))
            }
            _ => None,
        };
        let outcome = outcome.ok_or_else(there::not_understood)?;
        let fuel = there::number(event, "fuel") as u64;
        ended = Some(Ended {
            outcome,
            receipt,
            fuel,
        });
        Ok(())
    })?;
    Ok(ended)
}

/// Says why it couldn't be run.
fn troubled(outcome: Outcome) -> CommandError {
    match outcome {
        Outcome::Error(failure) => match failure.kind {
            Kind::Denied => CommandError::denied(failure.message),
            Kind::Input => CommandError::input(failure.message),
            _ => CommandError::host(failure.message),
        },
        Outcome::Ok(_) => there::not_understood(),
    }
}

fn receipt(node: &There, cid: &Cid) -> Result<Receipt, CommandError> {
    let block = node.block(cid)?;
    Receipt::decode(block.bytes()).map_err(|error| {
        let words = format!("the node gives a receipt {cid} that is none");
        CommandError::host(Caused::new(words, error))
    })
}
