//! `homestar replay`

mod calls;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use homestar_core::evidence::{self, Evidence};
use homestar_core::ipld::{Block, Cid, Ipld};
use homestar_core::outcome::{Failure, Kind, Outcome};
use homestar_core::task::{Instruction, Limits};
use homestar_core::trace::{Part, Trace};
use homestar_engine::{
    Answers, Blocks, BlocksError, Call, CallError, Component, Done, DriverSettings, Effects,
    Engine, LoadError, NAME, Recording,
};

use super::data::Data;
use super::limits::{CompileOptions, ConfigOptions, LimitOptions};
use super::load::{self, Loading};
use super::proof::Proof;
use super::storage::StorageOptions;
use crate::authority::Authority;
use crate::error::{Caused, CommandError};
use crate::print;

/// Run a task again from its receipt, and compare what comes of it
///
/// FILE is what `homestar run --receipt FILE.car` wrote: it holds the component, its effects and everything they heard
/// from outside. They run again and hear the same; nothing outside is asked, so this works offline, and on a machine
/// that may reach nothing. What the task read by content is in the file too, unless it was too large; then it is read from
/// the store or from a gateway. Ends with exit code 4 if anything differs, and says what.
///
/// Fuel is compared if this engine is the one that counted it.
///
/// With `--fixture` it writes what the guest asked effects, with the answers, for tests of the guest in its own language.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar replay sum.car
  homestar replay sum.car --json
  homestar replay page.car --fixture page.json")]
pub(crate) struct Options {
    /// The receipt's file, which ends in .car
    file: PathBuf,

    /// Write what the guest asked effects and what they answered, as JSON; only the outcome is compared
    ///
    /// In place of effects it answers in tests: by `homestar.testing` of Python, `@homestar/sdk/testing`, and
    /// `homestar_sdk::testing` of Rust. Keys and secrets that were passed to an effect are in it.
    #[arg(long, value_name = "FILE")]
    fixture: Option<PathBuf>,

    /// Print one JSON object: {"ok": …}, or {"error": {"kind": …, "message": …}}
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    limits: LimitOptions,

    #[command(flatten)]
    compiling: CompileOptions,

    /// Neither use compiled code of earlier runs nor keep it
    #[arg(long)]
    no_cache: bool,

    #[command(flatten)]
    config: ConfigOptions,

    #[command(flatten)]
    storage: StorageOptions,
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    let proof = Proof::read(&options.file)?;
    let Proof::Whole(evidence) = proof else {
        let error = CommandError::input(format!(
            "{} holds a receipt and not what it takes to run its task again",
            options.file.display()
        ));
        return Err(error.hint("`homestar run … --receipt NAME.car` writes a file that does"));
    };
    let recorded = Recorded(*evidence);
    recorded.check()?;
    let loading = Loading {
        use_cache: !options.no_cache,
        compile_time: options.compiling.compile_time,
        compile_memory: options.compiling.compile_memory,
        effects: Vec::new(),
        authority: Authority::default(),
        drivers: DriverSettings::default(),
    };
    let engine = loading.engine()?;
    let limits = options.limits.over(recorded.limits());
    let data = Arc::new(options.storage.data(&options.config.settings()?)?);
    if let Some(file) = &options.fixture {
        let written = calls::write(&recorded, &engine, &limits, data, file)?;
        return written.say(file, options.json);
    }
    let component = recorded.component(&engine)?;
    let done = recorded.run(&engine, &component, &limits, data, recorded.trace())?;
    recorded.compare(&done)?;
    match options.json {
        true => print::out(print::json_line(&recorded.facts())?.as_bytes()),
        false => print::line(&recorded.text()),
    }
}

/// A task that was run once.
struct Recorded(Evidence);

impl Recorded {
    fn trace(&self) -> Option<&Trace> {
        self.0.heard.as_ref().map(|heard| &heard.trace)
    }

    fn failure(&self) -> Option<&Failure> {
        match self.0.receipt.outcome() {
            Outcome::Ok(_) => None,
            Outcome::Error(failure) => Some(failure),
        }
    }

    /// Whether fuel was counted as it is counted here.
    fn is_of_this_engine(&self) -> bool {
        self.0.receipt.meta().engine == NAME
    }

    /// Refuses what can't come out the same.
    fn check(&self) -> Result<(), CommandError> {
        if self
            .failure()
            .is_some_and(|failure| failure.kind == Kind::Time)
        {
            let words =
                "the task came to its limit of time, and no other run ends at the same moment";
            let hint = "`homestar receipt verify` checks all but that";
            return Err(CommandError::input(words).hint(hint));
        }
        Ok(())
    }

    /// Joins the guest with its effects as they were.
    fn component(&self, engine: &Engine) -> Result<Component, CommandError> {
        let component = match &self.0.heard {
            Some(heard) => engine.load_as_traced(&self.parts(&heard.trace), &heard.trace),
            None => {
                let effects = self.effects().map_err(load::explained)?;
                engine.load_with(self.0.component.bytes(), || effects)
            }
        };
        component.map_err(load::explained)
    }

    /// Returns the bytes of the parts that a trace names. All are there: it was seen when the file was read.
    fn parts(&self, trace: &Trace) -> Vec<&[u8]> {
        let all = || self.0.effects.iter().chain([&self.0.component]);
        let named = |part: &Part| all().find(|component| *component.cid() == part.component);
        let parts = trace.parts.iter().filter_map(named);
        parts.map(evidence::Component::bytes).collect()
    }

    /// Returns the effects of a task that heard nothing, which are asked in the order in which they were asked first.
    fn effects(&self) -> Result<Effects, LoadError> {
        let mut effects = Effects::new();
        for effect in &self.0.effects {
            let name = effect.cid().to_string();
            effects.add_built_in([(name.as_str(), effect.bytes().to_vec())])?;
        }
        Ok(effects)
    }

    /// Returns limits that the task keeps to if it did so before.
    fn limits(&self) -> Limits {
        let usual = Limits::default();
        let meta = self.0.receipt.meta();
        let ended_by = |kind| self.failure().is_some_and(|failure| failure.kind == kind);
        Limits {
            fuel: match ended_by(Kind::Fuel) {
                true => meta.fuel,
                false => usual.fuel.max(meta.fuel),
            },
            memory_bytes: usual.memory_bytes.max(meta.memory_peak),
            storage_bytes: match ended_by(Kind::Storage) {
                true => usual.storage_bytes,
                false => Limits::MAX.storage_bytes,
            },
            ..usual
        }
    }

    /// Runs it again, with the answers in `trace`.
    fn run(
        &self,
        engine: &Engine,
        component: &Component,
        limits: &Limits,
        data: Arc<Data>,
        trace: Option<&Trace>,
    ) -> Result<Done, CommandError> {
        let mut call = Call::new(&self.0.instruction, limits);
        let content = self.0.content.iter();
        call.blocks = Some(Arc::new(Kept {
            content: content.map(|block| (*block.cid(), block.clone())).collect(),
            data,
        }));
        if let (Some(trace), Some(heard)) = (trace, &self.0.heard) {
            call.answers = Answers::Recording(Recording {
                trace: trace.clone(),
                blocks: heard.blocks.clone(),
            });
        } else if !component.drivers_wired().is_empty() {
            let drivers = component.drivers_wired().join(" and ");
            return Err(CommandError::input(format!(
                "the component asks {drivers}, and the receipt says nothing of what it heard"
            )));
        }
        engine.call(component, call).map_err(|error| match error {
            CallError::Host(_) => CommandError::host(error),
            CallError::Diverged(words) => CommandError::input(Caused::new(DIFFERS, words)),
            error => CommandError::input(Caused::new(DIFFERS, error)),
        })
    }

    /// Compares what came of it with what the receipt says.
    fn compare(&self, done: &Done) -> Result<(), CommandError> {
        let meta = self.0.receipt.meta();
        let said = self.0.receipt.outcome();
        let (found, _) = done.outcome.inline_or_link().map_err(CommandError::host)?;
        let mut differences = Vec::new();
        if !self.is_same(said, &found) {
            let [said, found] = [said, &found].map(super::receipt::outcome);
            differences.push(format!("the outcome is {}, not {}", found?, said?));
        }
        let asked: Vec<_> = done.asked.iter().map(Instruction::link).collect();
        if asked != self.0.receipt.run() {
            differences.push("it asks for other further tasks".to_owned());
        }
        if self.is_of_this_engine() && done.fuel != meta.fuel {
            let [found, said] = [done.fuel, meta.fuel].map(print::number);
            differences.push(format!("the fuel is {found}, not {said}"));
        }
        if done.memory_peak != meta.memory_peak {
            let [found, said] = [done.memory_peak, meta.memory_peak].map(print::number);
            differences.push(format!("the memory peak is {found} bytes, not {said}"));
        }
        if differences.is_empty() {
            return Ok(());
        }
        let error = CommandError::input(Caused::new(DIFFERS, differences.join("; ")));
        Err(self
            .hints(&found)
            .into_iter()
            .fold(error, CommandError::hint))
    }

    fn is_same(&self, said: &Outcome, found: &Outcome) -> bool {
        match self.is_of_this_engine() {
            true => said == found,
            false => are_alike(said, found),
        }
    }

    fn hints(&self, found: &Outcome) -> Option<String> {
        let is_limit = |outcome: &Outcome| match outcome {
            Outcome::Error(failure) => failure.kind.is_limit(),
            Outcome::Ok(_) => false,
        };
        let limits = is_limit(self.0.receipt.outcome()) || is_limit(found);
        limits.then(|| "it depends on limits: give those that the task ran under".to_owned())
    }

    /// Returns the names of what was compared.
    fn compared(&self) -> Vec<&'static str> {
        match self.is_of_this_engine() {
            true => vec!["outcome", "fuel", "memory peak"],
            false => vec!["outcome", "memory peak"],
        }
    }

    fn text(&self) -> String {
        let mut text = format!("the same: {}", print::listed(&self.compared()));
        if let Some(heard) = &self.0.heard {
            text += &format!(", with {} played back", print::calls(&heard.trace));
        }
        if !self.is_of_this_engine() {
            let engine = &self.0.receipt.meta().engine;
            text += &format!("; fuel was counted by {}", engine.escape_debug());
        }
        text
    }

    fn facts(&self) -> Ipld {
        let calls = self
            .0
            .heard
            .as_ref()
            .map_or(0, |heard| heard.trace.events.len());
        let same = self
            .compared()
            .into_iter()
            .map(|name| name.replace(' ', "_"));
        let facts = print::map([
            ("events", Ipld::Integer(calls as i128)),
            ("out", self.0.receipt.outcome().to_ipld()),
            ("receipt", Ipld::Link(*self.0.receipt.link().cid())),
            ("same", print::texts(same)),
        ]);
        print::map([("ok", facts)])
    }
}

/// Whether outcomes are the same but for messages, which are for people: another engine may have other words for an end.
fn are_alike(said: &Outcome, found: &Outcome) -> bool {
    match (said, found) {
        (Outcome::Error(said), Outcome::Error(found)) => {
            (said.kind, &said.value) == (found.kind, &found.value)
        }
        _ => said == found,
    }
}

/// What is said when a run isn't the one of its receipt.
const DIFFERS: &str = "this run differs from the one that the receipt is about";

/// Content for a task that runs again: what is in the file, and besides that what a command has.
#[derive(Debug)]
struct Kept {
    content: HashMap<Cid, Block>,
    data: Arc<Data>,
}

impl Blocks for Kept {
    fn get(&self, cid: &Cid) -> Result<Block, BlocksError> {
        match self.content.get(cid) {
            Some(block) => Ok(block.clone()),
            None => self.data.get(cid),
        }
    }

    fn put(&self, blocks: &[Block]) -> Result<(), BlocksError> {
        self.data.put(blocks)
    }

    fn ahead(&self, cids: &[Cid]) {
        let others = cids.iter().filter(|cid| !self.content.contains_key(cid));
        let others: Vec<_> = others.copied().collect();
        if !others.is_empty() {
            self.data.ahead(&others);
        }
    }
}
