//! `homestar receipt`

use clap::{Args, Subcommand};
use homestar_core::evidence::Evidence;
use homestar_core::ipld::{Cid, Ipld, Link};
use homestar_core::json;
use homestar_core::outcome::Outcome;
use homestar_core::trace::Event;
use homestar_core::ucan::Invocation;

use homestar_node::{Reference, Store as _};

use super::content::Common;
use super::proof::Proof;
use crate::error::CommandError;
use crate::print;

/// List and read receipts: signed records of what was run and what came of it
///
/// `homestar run --receipt FILE` writes them. A file that ends in .car holds the component and its effects too, and
/// what they heard from outside, so that `homestar replay` can run the task again.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Show(Show),
    Verify(Verify),
}

/// List the receipts in the store, the newest first
///
/// Each with when it was recorded, what was called and what came of it.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar receipt list
  homestar receipt list --limit 1000 --json")]
struct List {
    /// How many at the most
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    limit: usize,

    #[command(flatten)]
    common: Common,
}

/// Show what a receipt says, if its signature is good
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar receipt show sum.receipt
  homestar receipt show bafyreif… --json")]
struct Show {
    #[command(flatten)]
    one: One,
}

/// A receipt.
#[derive(Args, Debug)]
struct One {
    /// The receipt: its file, or its CID if it is in the store
    #[arg(value_name = "FILE")]
    receipt: Reference,

    #[command(flatten)]
    common: Common,
}

impl One {
    fn read(&self) -> Result<Proof, CommandError> {
        match &self.receipt {
            Reference::Path(file) => Proof::read(file),
            Reference::Content(named) if named.path.is_empty() => {
                let store = self.common.store()?;
                let block = store.get(&named.root).map_err(CommandError::host)?;
                let block = block.ok_or_else(|| {
                    let words = format!("there is no receipt {} in the store", named.root);
                    CommandError::input(words).hint("`homestar receipt list` lists those there are")
                })?;
                Proof::decode(&self.receipt, block.bytes())
            }
            other => {
                let words = format!("{other} is neither the file of a receipt nor a CID");
                Err(CommandError::usage(words))
            }
        }
    }
}

/// Check that a receipt is what its issuer signed
///
/// Says who signed it and what about, and ends with exit code 4 if a single byte was changed. Whether to believe
/// the issuer is for you to decide; running the same task gives the same answer. Of a .car file every block is checked
/// against its name, and that all of it belongs to the receipt; `homestar replay` runs it.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar receipt verify sum.receipt
  homestar receipt verify sum.receipt --json")]
struct Verify {
    #[command(flatten)]
    one: One,
}

impl Options {
    /// Whether the answer is JSON.
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            Command::List(options) => options.common.json,
            Command::Show(Show { one }) | Command::Verify(Verify { one }) => one.common.json,
        }
    }
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    let one = match &options.command {
        Command::List(options) => return list(options),
        Command::Show(Show { one }) | Command::Verify(Verify { one }) => one,
    };
    let proof = one.read()?;
    if one.common.json {
        return print::out(print::json_line(&facts(&proof))?.as_bytes());
    }
    let mut rows = rows(&proof)?;
    if matches!(options.command, Command::Verify(_)) {
        rows.insert(0, ("signature", "good".to_owned()));
        rows.extend(proof.evidence().map(|evidence| ("holds", held(evidence))));
    }
    print::out(print::table(&rows).as_bytes())
}

fn list(options: &List) -> Result<(), CommandError> {
    let store = options.common.store()?;
    let mut receipts = Vec::new();
    let mut before = None;
    while receipts.len() < options.limit {
        let page = PAGE.min(options.limit - receipts.len());
        let page = store.receipts(before, page).map_err(CommandError::host)?;
        let Some(last) = page.last() else { break };
        before = Some(last.number());
        for recorded in page {
            let receipt = recorded.receipt_like(receipts.last().map(|(it, _)| it));
            receipts.extend(receipt.ok().map(|receipt| (receipt, recorded)));
        }
    }
    if options.common.json {
        let receipts = receipts.iter().map(|(receipt, recorded)| {
            print::map([
                ("at_ms", Ipld::Integer(recorded.at_ms().into())),
                ("by", Ipld::String(receipt.issuer().to_string())),
                ("component", Ipld::Link(receipt.meta().component)),
                ("func", Ipld::String(receipt.meta().func.clone())),
                ("out", receipt.outcome().to_ipld()),
                ("pure", Ipld::Bool(receipt.meta().trace.is_none())),
                ("ran", Ipld::Link(*receipt.ran().cid())),
                ("receipt", Ipld::Link(*receipt.link().cid())),
            ])
        });
        return print::ok(Ipld::List(receipts.collect()));
    }
    for (receipt, recorded) in &receipts {
        let (date, func) = (print::date(recorded.at_ms()), &receipt.meta().func);
        let line = format!(
            "{}  {date}  {func}  {}",
            receipt.link(),
            outcome(receipt.outcome())?
        );
        let end = line.char_indices().nth(LINE_CHARS_MAX);
        let line = end.map_or(&*line, |(end, _)| &line[..end]);
        print::line(&print::one_line(line))?;
    }
    Ok(())
}

/// Receipts that are read at once.
const PAGE: usize = 1_000;

/// Most characters of a line in a list.
const LINE_CHARS_MAX: usize = 200;

/// Returns what a file holds beside the receipt, all of which was checked.
fn held(evidence: &Evidence) -> String {
    let mut held = vec!["the instruction".to_owned()];
    if !evidence.value.is_empty() {
        held.push("the value".to_owned());
    }
    held.extend(evidence.heard.as_ref().map(|_| "the trace".to_owned()));
    held.push("the component".to_owned());
    match evidence.effects.len() {
        0 => {}
        1 => held.push("its effect".to_owned()),
        count => held.push(format!("its {count} effects")),
    }
    print::listed(&held.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Returns whether the instruction alone decided the outcome.
fn pure(proof: &Proof) -> String {
    match proof
        .evidence()
        .and_then(|evidence| evidence.heard.as_ref())
    {
        Some(heard) => format!("no: {}", print::calls(&heard.trace)),
        None if proof.receipt().meta().trace.is_some() => "no: see the trace".to_owned(),
        None => "yes".to_owned(),
    }
}

/// Most characters of an outcome that are shown; `--json` shows all.
const OUTCOME_CHARS_MAX: usize = 400;

fn rows(proof: &Proof) -> Result<Vec<(&'static str, String)>, CommandError> {
    let receipt = proof.receipt();
    let meta = receipt.meta();
    let mut rows = vec![
        ("by", receipt.issuer().to_string()),
        ("receipt", receipt.link().to_string()),
        ("instruction", receipt.ran().to_string()),
        ("component", meta.component.to_string()),
        ("function", meta.func.clone()),
        ("outcome", outcome(receipt.outcome())?),
        ("pure", pure(proof)),
        ("fuel", print::number(meta.fuel)),
        ("memory peak", print::size(meta.memory_peak)),
        ("engine", meta.engine.clone()),
    ];
    let effects = meta.effects.iter().map(Cid::to_string);
    rows.extend(effects.map(|effect| ("effect", effect)));
    rows.extend(meta.trace.map(|trace| ("trace", trace.to_string())));
    rows.extend(
        meta.invocation
            .map(|asked| ("invocation", asked.to_string())),
    );
    rows.extend(asked_by(proof).map(|asker| ("asked by", asker)));
    rows.extend(
        receipt
            .run()
            .iter()
            .map(|next| ("asks for", next.to_string())),
    );
    let plain = |(label, value): (_, String)| (label, value.escape_debug().collect());
    let plain = |row @ (label, _): (&'static str, String)| match label {
        // DAG-JSON has escaped it.
        "outcome" => row,
        _ => plain(row),
    };
    Ok(rows.into_iter().map(plain).collect())
}

/// Returns who signed the invocation by which somebody else asked for the task, if the file has it.
fn asked_by(proof: &Proof) -> Option<String> {
    let invocation = proof.evidence()?.tokens.first()?;
    let invocation = Invocation::decode(invocation.bytes()).ok()?;
    Some(invocation.payload().issuer.to_string())
}

/// Returns the calls of drivers, with who asked and what, if the file has them.
fn calls(proof: &Proof) -> Ipld {
    let Some(heard) = proof
        .evidence()
        .and_then(|evidence| evidence.heard.as_ref())
    else {
        return Ipld::Null;
    };
    let parts = &heard.trace.parts;
    let calls = heard.trace.events.iter().filter_map(|event| match event {
        Event::Call(call) => Some(print::map([
            ("args", call.args),
            ("by", Ipld::Link(parts.get(call.by as usize)?.component)),
            ("name", Ipld::String(call.name)),
        ])),
        Event::Time(_) => None,
    });
    Ipld::List(calls.collect())
}

pub(super) fn outcome(outcome: &Outcome) -> Result<String, CommandError> {
    let text = |value: &Ipld| json::to_string(value).map_err(CommandError::host);
    let shown = match outcome {
        Outcome::Ok(value) => format!("ok {}", text(value)?),
        Outcome::Error(failure) => {
            let message = text(&Ipld::String(failure.message.clone()))?;
            format!("error {} {message}", failure.kind)
        }
    };
    Ok(cut(shown))
}

/// Returns a value as DAG-JSON, or the beginning of that.
pub(super) fn brief(value: &Ipld) -> Result<String, CommandError> {
    json::to_string(value).map(cut).map_err(CommandError::host)
}

fn cut(text: String) -> String {
    match text.char_indices().nth(OUTCOME_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn facts(proof: &Proof) -> Ipld {
    let receipt = proof.receipt();
    let meta = receipt.meta();
    let text = |text: &dyn ToString| Ipld::String(text.to_string());
    let meta = print::map([
        ("component", Ipld::Link(meta.component)),
        (
            "effects",
            Ipld::List(meta.effects.iter().copied().map(Ipld::Link).collect()),
        ),
        ("engine", text(&meta.engine)),
        ("fuel", Ipld::Integer(meta.fuel.into())),
        ("func", text(&meta.func)),
        ("invocation", meta.invocation.map_or(Ipld::Null, Ipld::Link)),
        ("memory_peak", Ipld::Integer(meta.memory_peak.into())),
        ("trace", meta.trace.map_or(Ipld::Null, Ipld::Link)),
    ]);
    let link = |link: &Link<_>| Ipld::Link(*link.cid());
    print::map([
        ("calls", calls(proof)),
        ("issuer", text(receipt.issuer())),
        ("meta", meta),
        ("out", receipt.outcome().to_ipld()),
        ("pure", Ipld::Bool(receipt.meta().trace.is_none())),
        ("ran", link(receipt.ran())),
        ("receipt", Ipld::Link(*receipt.link().cid())),
        ("run", Ipld::List(receipt.run().iter().map(link).collect())),
    ])
}
