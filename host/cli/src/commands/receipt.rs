//! `homestar receipt`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use homestar_core::ipld::{Cid, Ipld, Link, MAX_BLOCK_BYTES};
use homestar_core::json;
use homestar_core::outcome::Outcome;
use homestar_core::receipt::Receipt;

use crate::error::{Caused, CommandError};
use crate::{files, print};

/// Read receipts: signed records of what was run and what came of it
///
/// `homestar run --receipt FILE` writes them.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Show(Show),
    Verify(Verify),
}

/// Show what a receipt says, if its signature is good
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar receipt show sum.receipt
  homestar receipt show sum.receipt --json")]
struct Show {
    /// The receipt's file
    file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Check that a receipt is what its issuer signed
///
/// Says who signed it and what about, and ends with exit code 4 if a single byte was changed. Whether to believe
/// the issuer is for you to decide; running the same task gives the same answer.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar receipt verify sum.receipt
  homestar receipt verify sum.receipt --json")]
struct Verify {
    /// The receipt's file
    file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Options {
    /// Whether the answer is JSON.
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            Command::Show(options) => options.json,
            Command::Verify(options) => options.json,
        }
    }
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    let (Command::Show(Show { file, json }) | Command::Verify(Verify { file, json })) =
        &options.command;
    let receipt = read(file)?;
    if *json {
        return print::out(print::json_line(&facts(&receipt))?.as_bytes());
    }
    let mut rows = rows(&receipt)?;
    if matches!(options.command, Command::Verify(_)) {
        rows.insert(0, ("signature", "good".to_owned()));
    }
    print::out(print::table(&rows).as_bytes())
}

fn read(file: &std::path::Path) -> Result<Receipt, CommandError> {
    let bytes = files::read(file, MAX_BLOCK_BYTES as u64)?;
    Receipt::decode(&bytes).map_err(|error| {
        let words = format!("{} is not a good receipt", file.display());
        CommandError::input(Caused::new(words, error))
    })
}

/// Most characters of an outcome that are shown; `--json` shows all.
const OUTCOME_CHARS_MAX: usize = 400;

fn rows(receipt: &Receipt) -> Result<Vec<(&'static str, String)>, CommandError> {
    let meta = receipt.meta();
    let mut rows = vec![
        ("by", receipt.issuer().to_string()),
        ("receipt", receipt.link().to_string()),
        ("instruction", receipt.ran().to_string()),
        ("component", meta.component.to_string()),
        ("function", meta.func.clone()),
        ("outcome", outcome(receipt.outcome())?),
        ("fuel", print::number(meta.fuel)),
        ("memory peak", print::size(meta.memory_peak)),
        ("engine", meta.engine.clone()),
    ];
    let effects = meta.effects.iter().map(Cid::to_string);
    rows.extend(effects.map(|effect| ("effect", effect)));
    rows.extend(meta.trace.map(|trace| ("trace", trace.to_string())));
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

fn outcome(outcome: &Outcome) -> Result<String, CommandError> {
    let text = |value: &Ipld| json::to_string(value).map_err(CommandError::host);
    let shown = match outcome {
        Outcome::Ok(value) => format!("ok {}", text(value)?),
        Outcome::Error(failure) => {
            let message = text(&Ipld::String(failure.message.clone()))?;
            format!("error {} {message}", failure.kind)
        }
    };
    Ok(match shown.char_indices().nth(OUTCOME_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    })
}

fn facts(receipt: &Receipt) -> Ipld {
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
        ("memory_peak", Ipld::Integer(meta.memory_peak.into())),
        ("trace", meta.trace.map_or(Ipld::Null, Ipld::Link)),
    ]);
    let link = |link: &Link<_>| Ipld::Link(*link.cid());
    print::map([
        ("issuer", text(receipt.issuer())),
        ("meta", meta),
        ("out", receipt.outcome().to_ipld()),
        ("ran", link(receipt.ran())),
        ("receipt", Ipld::Link(*receipt.link().cid())),
        ("run", Ipld::List(receipt.run().iter().map(link).collect())),
    ])
}
