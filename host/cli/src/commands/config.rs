//! `homestar config`

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::{Args, Subcommand};
use homestar_core::ipld::Ipld;
use homestar_core::json;
use homestar_core::quantity;
use homestar_core::task::Limits;
use homestar_engine::drivers::http::Http;
use homestar_engine::drivers::resolver::Resolver;
use toml::{Table, Value};

use super::limits::ConfigOptions;
use super::node;
use super::run::works::WorksFor;
use super::storage::StorageOptions;
use crate::authority::Authority;
use crate::error::{CommandError, Listed};
use crate::settings::{KEYS, Key, Settings};
use crate::{folders, paths, print};

/// Look at the settings of this machine, which homestar.toml and the environment say
#[derive(Args, Debug)]
#[command(after_long_help = "\
A setting of homestar.toml can be said by a variable too, which stands above the file:
HOMESTAR_ with the path of the setting, so limits.max.call-bytes is HOMESTAR_LIMITS_MAX_CALL_BYTES.
A list is one text, or as in the file. What people name themselves (effects, pins, secrets) stands
in the file alone.

Examples:
  homestar config show
  HOMESTAR_LIMITS_MEMORY=512MiB homestar run image.wasm 'grayscale(@cat.png)'
  HOMESTAR_GRANT='[\"random\", \"dns=*\"]' homestar config check")]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print what is set and what is usual otherwise, as homestar.toml would say it
    Show(Look),
    /// Tell everything that is wrong with the settings: files that can't be read, effects that aren't there, …
    Check(Look),
}

#[derive(Args, Debug)]
struct Look {
    /// Print one JSON object: {"ok": …}, or {"error": {"kind": …, "message": …}}
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    config: ConfigOptions,
}

impl Options {
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            Command::Show(look) | Command::Check(look) => look.json,
        }
    }
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    match &options.command {
        Command::Show(look) => show(look),
        Command::Check(look) => check(look),
    }
}

/// A setting as it is shown.
struct Row {
    path: String,
    /// None if it isn't set, and nothing is usual.
    value: Option<Ipld>,
    said_by: SaidBy,
}

enum SaidBy {
    File,
    Variable(String),
    /// It is as usual.
    Nobody,
}

impl SaidBy {
    fn word(&self) -> &str {
        match self {
            Self::File => "file",
            Self::Variable(name) => name,
            Self::Nobody => "default",
        }
    }
}

fn show(options: &Look) -> Result<(), CommandError> {
    let settings = options.config.settings()?;
    let rows = rows(&settings);
    let file = settings.path().map(|path| path.display().to_string());
    if options.json {
        let facts = rows.into_iter().map(|row| {
            let fact = print::map([
                ("from", Ipld::String(row.said_by.word().to_owned())),
                ("value", row.value.unwrap_or(Ipld::Null)),
            ]);
            (row.path, fact)
        });
        return print::ok(print::map([
            ("file", file.map_or(Ipld::Null, Ipld::String)),
            ("settings", Ipld::Map(facts.collect())),
        ]));
    }
    let mut text = match (&file, options.config.path()) {
        (Some(file), _) => format!("# {file}\n"),
        (None, Some(path)) => format!("# there is no {}\n", path.display()),
        (None, None) => String::new(),
    };
    for row in rows {
        let said = match &row.value {
            Some(value) => format!("{} = {}", row.path, written(value)),
            None => format!("# {} is not set", row.path),
        };
        text += &match (&row.value, &row.said_by) {
            (Some(_), SaidBy::Variable(name)) => format!("{said}  # {name}\n"),
            (Some(_), SaidBy::Nobody) => format!("{said}  # default\n"),
            _ => format!("{said}\n"),
        };
    }
    print::out(text.as_bytes())
}

/// Returns a value as TOML has it, which for texts, numbers and lists of them is as JSON does.
fn written(value: &Ipld) -> String {
    match value {
        Ipld::List(items) => {
            let items: Vec<_> = items.iter().map(written).collect();
            format!("[{}]", items.join(", "))
        }
        value => json::to_string(value).unwrap_or_default(),
    }
}

/// Returns all settings: those that there are for everybody, then those that people name.
fn rows(settings: &Settings) -> Vec<Row> {
    let table = settings.table();
    let mut rows: Vec<_> = KEYS.iter().map(|key| row(key, &table, settings)).collect();
    for section in ["effect", "pin", "secret"] {
        if let Some(value) = table.get(section) {
            named(section, value, &mut rows);
        }
    }
    rows
}

fn row(key: &Key, table: &Table, settings: &Settings) -> Row {
    let is_said = settings.said().iter().any(|said| said.key == key);
    let mut found = table.get(key.path.split('.').next().unwrap_or_default());
    for part in key.path.split('.').skip(1) {
        found = found.and_then(|table| table.get(part));
    }
    let (value, said_by) = match found {
        Some(value) if is_said => (Some(to_ipld(value)), SaidBy::Variable(key.variable())),
        Some(value) => (Some(to_ipld(value)), SaidBy::File),
        None => (usual(key.path), SaidBy::Nobody),
    };
    Row {
        path: key.path.to_owned(),
        value,
        said_by,
    }
}

/// Adds what stands under names that people chose.
fn named(path: &str, value: &Value, rows: &mut Vec<Row>) {
    let Value::Table(table) = value else {
        rows.push(Row {
            path: path.to_owned(),
            value: Some(to_ipld(value)),
            said_by: SaidBy::File,
        });
        return;
    };
    for (name, value) in table {
        let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let name = match !name.is_empty() && name.bytes().all(is_bare) {
            true => name.clone(),
            false => written(&Ipld::String(name.clone())),
        };
        named(&format!("{path}.{name}"), value, rows);
    }
}

fn to_ipld(value: &Value) -> Ipld {
    match value {
        Value::String(text) => Ipld::String(text.clone()),
        Value::Integer(number) => Ipld::Integer((*number).into()),
        Value::Float(number) => Ipld::Float(*number),
        Value::Boolean(is) => Ipld::Bool(*is),
        Value::Datetime(time) => Ipld::String(time.to_string()),
        Value::Array(items) => Ipld::List(items.iter().map(to_ipld).collect()),
        Value::Table(table) => {
            let entries = table
                .iter()
                .map(|(name, value)| (name.clone(), to_ipld(value)));
            Ipld::Map(entries.collect::<BTreeMap<_, _>>())
        }
    }
}

/// Returns what holds for a setting that nobody says, if anything does.
fn usual(path: &str) -> Option<Ipld> {
    if let Some(name) = path.strip_prefix("limits.max.") {
        return amount(name, &Limits::MAX);
    }
    if let Some(name) = path.strip_prefix("limits.") {
        return amount(name, &Limits::default());
    }
    match path {
        "api.hosts" | "grant" | "gateways" | "https.ca" | "work.for" => {
            Some(Ipld::List(Vec::new()))
        }
        "network.peers" | "network.trusted" | "network.blocked" | "network.relays"
        | "network.believed" => Some(Ipld::List(Vec::new())),
        "network.listen" => Some(print::texts(node::start::LISTEN.map(str::to_owned))),
        "network.relay" | "network.nearby" | "network.share-receipts" => Some(Ipld::Bool(false)),
        "store.path" => paths::store()
            .ok()
            .map(|path| Ipld::String(path.display().to_string())),
        "work.jobs" => {
            let jobs = thread::available_parallelism().map_or(1, NonZero::get);
            Some(Ipld::Integer(jobs as i128))
        }
        "dns.resolver" => Some(Ipld::String("system".to_owned())),
        _ => None,
    }
}

/// Returns one of the limits, unless it is none.
fn amount(name: &str, limits: &Limits) -> Option<Ipld> {
    let bounded =
        |amount: u64, write: fn(u64) -> String| (amount != u64::MAX).then(|| write(amount));
    let text = match name {
        "fuel" => bounded(limits.fuel, quantity::write_count),
        "memory" => bounded(limits.memory_bytes, quantity::write_bytes),
        "time" => Some(quantity::write_time(limits.time)),
        "output" => bounded(limits.output_bytes, quantity::write_bytes),
        "storage" => bounded(limits.storage_bytes, quantity::write_bytes),
        "log" => bounded(limits.log_bytes, quantity::write_bytes),
        "calls" => bounded(limits.calls, quantity::write_count),
        "call-bytes" => bounded(limits.call_bytes, quantity::write_bytes),
        _ => None,
    };
    text.map(Ipld::String)
}

fn check(options: &Look) -> Result<(), CommandError> {
    let settings = options.config.settings()?;
    let wrong = wrong(&settings);
    if !wrong.is_empty() {
        let words = match wrong.len() {
            1 => format!("there is something wrong with {}", settings.name()),
            many => format!("there are {many} things wrong with {}", settings.name()),
        };
        let mut error = CommandError::input(words);
        error.listed = wrong;
        return Err(error);
    }
    let file = settings.path().map(|path| path.display().to_string());
    let variables = settings.said().iter().map(|said| said.key.variable());
    let variables: Vec<_> = variables.collect();
    if options.json {
        return print::ok(print::map([
            ("file", file.map_or(Ipld::Null, Ipld::String)),
            ("variables", print::texts(variables)),
        ]));
    }
    match (file, options.config.path()) {
        (Some(file), _) => print::line(&format!("{file} is good"))?,
        (None, Some(path)) => {
            let path = path.display();
            print::line(&format!(
                "there is no {path}, so nothing is granted and all is as usual"
            ))?;
        }
        (None, None) => {}
    }
    match variables.is_empty() {
        true => Ok(()),
        false => print::line(&format!(
            "and so is what the environment says: {}",
            variables.join(", ")
        )),
    }
}

/// Tries everything that the settings name, as the commands do that use it.
fn wrong(settings: &Settings) -> Vec<Listed> {
    let file = settings.file();
    let mut tried = vec![
        settings.believed().map(drop),
        node::start::peers_of(settings).map(drop),
        WorksFor::parse(&[], settings).map(drop),
        effects(settings),
        drivers(settings),
        StorageOptions::default().gateways(settings).map(drop),
    ];
    tried.extend(settings.secrets_wrong().into_iter().map(Err));
    if let (limits, Some(max)) = (&file.limits, &file.limits.max) {
        let pairs = [
            ("fuel", limits.fuel, max.fuel),
            ("memory", limits.memory, max.memory),
            ("output", limits.output, max.output),
            ("storage", limits.storage, max.storage),
            ("log", limits.log, max.log),
            ("calls", limits.calls, max.calls),
            ("call-bytes", limits.call_bytes, max.call_bytes),
            (
                "time",
                limits.time.map(nanoseconds),
                max.time.map(nanoseconds),
            ),
        ];
        let above = pairs
            .iter()
            .filter(|(_, usual, max)| max.is_some() && usual > max);
        tried.extend(above.map(|(name, ..)| {
            let words = format!("limits.{name} is above limits.max.{name}, which is what counts");
            Err(CommandError::input(words))
        }));
    }
    let wrong = tried.into_iter().filter_map(Result::err);
    let listed = wrong.map(|error| {
        let text = error.message();
        Listed {
            facts: print::map([("message", Ipld::String(text.clone()))]),
            text,
        }
    });
    listed.collect()
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn effects(settings: &Settings) -> Result<(), CommandError> {
    let mut effects = folders::effects(&[]);
    Authority::new(settings, &[], &[]).give(&mut effects)
}

fn drivers(settings: &Settings) -> Result<(), CommandError> {
    let drivers = settings.drivers(false)?;
    let resolver = Arc::new(Resolver::new(drivers.resolver));
    Http::new(&drivers.http, resolver)
        .map(drop)
        .map_err(CommandError::input)
}
