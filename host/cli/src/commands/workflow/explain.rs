//! `homestar explain`

use std::collections::BTreeSet;

use clap::Args;
use homestar_core::ipld::{Cid, Ipld, Link, parse_cid};
use homestar_core::receipt::Receipt;
use homestar_core::task::Instruction;
use homestar_core::trace::Trace;
use homestar_core::ucan::Did;
use homestar_node::{Recorded, RunTask, Store};

use super::super::content::Common;
use super::super::receipt;
use super::runs::{self, Known};
use crate::error::CommandError;
use crate::{keyring, print};

/// Say why a task ran or didn't, what it read, what it cost and who signed
///
/// A task is named by its label in a run, which is the latest unless --run says otherwise, or by the CID of its
/// receipt or of its instruction.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar explain crop
  homestar explain 'thumbs[cat.png]' --run k2vq4x7a
  homestar explain bafyreif…")]
pub(crate) struct Options {
    /// The label of a task, or the CID of a receipt or of an instruction
    #[arg(value_name = "LABEL|CID")]
    task: String,

    /// The run, by its id or the beginning of it
    #[arg(long, value_name = "RUN")]
    run: Option<String>,

    #[command(flatten)]
    pub(crate) common: Common,
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    let store = options.common.store()?;
    let explained = match parse_cid(&options.task) {
        Ok(cid) => Explained::of_cid(&store, &cid)?,
        Err(_) => options.of_label(&store)?,
    };
    match options.common.json {
        true => print::ok(explained.facts()?),
        false => print::out(explained.text()?.as_bytes()),
    }
}

/// What is known of a task.
struct Explained {
    /// The run in which it was looked for, and what became of it there.
    in_run: Option<(Known, RunTask)>,
    /// Its receipts, the newest first. In a run, the one that counted is the first.
    receipts: Vec<(Receipt, Recorded)>,
    /// Where they lead, of the first.
    instruction: Option<Instruction>,
    trace: Option<Trace>,
}

impl Options {
    fn of_label(&self, store: &dyn Store) -> Result<Explained, CommandError> {
        let run = match &self.run {
            Some(beginning) => runs::one(store, &self.common, beginning)?,
            None => {
                let latest = runs::latest(store, &self.common, 1)?.pop();
                latest.ok_or_else(|| {
                    let words = "there was no run of a workflow yet, so nothing has a label";
                    CommandError::input(words).hint("a task is named by the CID of its receipt too")
                })?
            }
        };
        let tasks = run.record.tasks(store, &run.id);
        let tasks = tasks.map_err(CommandError::host)?;
        let Some(task) = tasks.iter().find(|task| task.label == self.task) else {
            let words = format!("run {} has no task {}", run.id, self.task);
            let hint = format!("`homestar runs show {}` lists them", run.id);
            return Err(CommandError::input(words).hint(hint));
        };
        let mut explained = match &task.receipt {
            Some(receipt) => Explained::of_cid(store, receipt)?,
            None => Explained::nothing(),
        };
        explained.in_run = Some((run, task.clone()));
        Ok(explained)
    }
}

impl Explained {
    fn nothing() -> Self {
        Self {
            in_run: None,
            receipts: Vec::new(),
            instruction: None,
            trace: None,
        }
    }

    /// Explains what a receipt or an instruction is about.
    fn of_cid(store: &dyn Store, cid: &Cid) -> Result<Self, CommandError> {
        let block = store.get(cid).map_err(CommandError::host)?;
        let read = block
            .as_ref()
            .and_then(|block| Receipt::decode(block.bytes()).ok());
        let ran = read
            .as_ref()
            .map_or(Link::new(*cid), |receipt| *receipt.ran());
        let all = store.receipts_of(&[ran]).map_err(CommandError::host)?;
        let mut receipts = Vec::new();
        for recorded in all.into_iter().flatten().rev() {
            if let Ok(receipt) = recorded.receipt() {
                receipts.push((receipt, recorded));
            }
        }
        if receipts.is_empty() {
            let words = format!("the store has no receipt {cid}, and none of such an instruction");
            return Err(
                CommandError::input(words).hint("`homestar receipt list` lists those there are")
            );
        }
        // The one that was asked for comes first.
        receipts.sort_by_key(|(receipt, _)| receipt.link().cid() != cid);
        let (first, _) = &receipts[0];
        let get = |cid: &Cid| store.get(cid).ok().flatten();
        let instruction = get(ran.cid()).and_then(|it| Instruction::decode(it.bytes()).ok());
        let trace = first
            .meta()
            .trace
            .and_then(|root| Trace::decode(&get(&root)?, get).ok());
        Ok(Self {
            in_run: None,
            instruction,
            trace,
            receipts,
        })
    }

    /// Says why it was run or not.
    fn why(&self) -> Option<String> {
        let (run, task) = self.in_run.as_ref()?;
        let words = match &*task.status {
            "ran" => "nothing in the store answered for it",
            "memoised" if self.is_of_others() => {
                "somebody who is believed ran it, wired to the same effects, and signed for it"
            }
            "memoised" => "a receipt of the same instruction, wired to the same effects, was there",
            "caught" => "it failed, and something else stands in its place",
            "failed" => "it failed",
            "waiting" if run.record.end.is_none() => "nothing came of it yet",
            "skipped" => "what it awaits didn't happen",
            _ => "the run ended before",
        };
        Some(words.to_owned())
    }

    /// Whether the receipt that counted is signed by none of the keys here.
    fn is_of_others(&self) -> bool {
        let names = keyring::names().unwrap_or_default();
        let keys = names.iter().filter_map(|name| keyring::open(name).ok()?);
        let mine: Vec<Did> = keys.filter_map(|key| key.did()).collect();
        let counted = self.receipts.first();
        counted.is_some_and(|(receipt, _)| !mine.contains(receipt.issuer()))
    }

    /// Returns the content that the instruction links to.
    fn links(&self) -> Vec<Cid> {
        let mut links = BTreeSet::new();
        if let Some(instruction) = &self.instruction {
            instruction
                .input()
                .args
                .iter()
                .for_each(|arg| collect(arg, &mut links));
        }
        links.into_iter().collect()
    }

    fn heard(&self) -> Option<String> {
        let (receipt, _) = self.receipts.first()?;
        Some(match (&self.trace, receipt.meta().trace) {
            (Some(trace), _) => print::calls(trace),
            (None, Some(root)) => format!("see the trace {root}"),
            (None, None) => "nothing: the instruction alone decided it".to_owned(),
        })
    }

    fn text(&self) -> Result<String, CommandError> {
        let mut rows = Vec::new();
        if let Some((run, task)) = &self.in_run {
            rows.push(("task", task.label.clone()));
            rows.push(("run", run.id.clone()));
            rows.push(("ended", task.status.clone()));
            rows.extend(self.why().map(|why| ("why", why)));
            rows.extend(task.because.clone().map(|because| ("because", because)));
        }
        if let Some((receipt, recorded)) = self.receipts.first() {
            let meta = receipt.meta();
            rows.push(("receipt", receipt.link().to_string()));
            rows.push(("recorded", print::date(recorded.at_ms())));
            rows.push(("signed by", receipt.issuer().to_string()));
            rows.push(("instruction", receipt.ran().to_string()));
            rows.push(("component", meta.component.to_string()));
            rows.push(("function", meta.func.clone()));
            let args = self.instruction.as_ref().map(|it| it.input().args.clone());
            if let Some(args) = args {
                rows.push(("arguments", receipt::brief(&Ipld::List(args))?));
            }
            rows.extend(
                self.links()
                    .into_iter()
                    .map(|link| ("reads", link.to_string())),
            );
            rows.extend(
                meta.effects
                    .iter()
                    .map(|effect| ("effect", effect.to_string())),
            );
            rows.extend(self.heard().map(|heard| ("heard", heard)));
            let asked = meta.invocation.map(|asked| ("asked by", asked.to_string()));
            rows.extend(asked);
            rows.push(("outcome", receipt::outcome(receipt.outcome())?));
            rows.push(("fuel", print::number(meta.fuel)));
            rows.push(("memory peak", print::size(meta.memory_peak)));
            let reused = match recorded.is_reusable() {
                true => "by any run",
                false => "in its run only, or where a task says `reuse`",
            };
            rows.push(("counts", reused.to_owned()));
            let others = self.receipts.iter().skip(1);
            rows.extend(others.map(|(other, _)| ("also", other.link().to_string())));
        }
        let rows: Vec<_> = rows
            .into_iter()
            .map(|(label, value)| (label, print::one_line(&value)))
            .collect();
        Ok(print::table(&rows))
    }

    fn facts(&self) -> Result<Ipld, CommandError> {
        let text = |text: &str| Ipld::String(text.to_owned());
        let in_run = self.in_run.as_ref().map_or(Ipld::Null, |(run, task)| {
            print::map([
                (
                    "because",
                    task.because.clone().map_or(Ipld::Null, Ipld::String),
                ),
                ("run", text(&run.id)),
                ("status", text(&task.status)),
                ("task", text(&task.label)),
                ("why", self.why().map_or(Ipld::Null, Ipld::String)),
            ])
        });
        let receipts = self.receipts.iter().map(|(receipt, recorded)| {
            let meta = receipt.meta();
            let effects = meta.effects.iter().copied().map(Ipld::Link);
            print::map([
                ("at_ms", Ipld::Integer(recorded.at_ms().into())),
                ("by", text(&receipt.issuer().to_string())),
                ("component", Ipld::Link(meta.component)),
                ("effects", Ipld::List(effects.collect())),
                ("fuel", Ipld::Integer(meta.fuel.into())),
                ("func", text(&meta.func)),
                ("invocation", meta.invocation.map_or(Ipld::Null, Ipld::Link)),
                ("memory_peak", Ipld::Integer(meta.memory_peak.into())),
                ("out", receipt.outcome().to_ipld()),
                ("ran", Ipld::Link(*receipt.ran().cid())),
                ("receipt", Ipld::Link(*receipt.link().cid())),
                ("reusable", Ipld::Bool(recorded.is_reusable())),
                ("trace", meta.trace.map_or(Ipld::Null, Ipld::Link)),
            ])
        });
        let args = self.instruction.as_ref();
        let args = args.map_or(Ipld::Null, |it| Ipld::List(it.input().args.clone()));
        Ok(print::map([
            ("args", args),
            ("in_run", in_run),
            (
                "reads",
                Ipld::List(self.links().into_iter().map(Ipld::Link).collect()),
            ),
            ("receipts", Ipld::List(receipts.collect())),
        ]))
    }
}

fn collect(value: &Ipld, links: &mut BTreeSet<Cid>) {
    match value {
        Ipld::Link(cid) => drop(links.insert(*cid)),
        Ipld::List(items) => items.iter().for_each(|item| collect(item, links)),
        Ipld::Map(entries) => entries.values().for_each(|entry| collect(entry, links)),
        _ => {}
    }
}
