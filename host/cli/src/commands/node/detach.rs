//! A node that runs by itself when the command that started it is done.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use homestar_core::ipld::Ipld;
use homestar_core::json;

use crate::error::{Caused, CommandError};
use crate::{paths, print};

/// The hidden option by which the program starts itself.
pub(super) const DETACHED: &str = "detached";

/// From so many bytes on, a log is begun anew, and the one before is kept.
const LOG_BYTES_MAX: u64 = 1 << 20;

/// Starts the node that was asked for, and returns when it answers.
pub(super) fn start(json: bool) -> Result<(), CommandError> {
    let log = paths::log().map_err(CommandError::input)?;
    let failed = |error| {
        let words = format!("can't log to {}", log.display());
        CommandError::input(Caused::new(words, error))
    };
    let mut child = spawn(open(&log).map_err(failed)?)?;
    let mut facts = answer(&mut child).map_err(|error| {
        let log = log.display();
        error.hint(format!("{log} has what else it said"))
    })?;
    let pid = child.id();
    if json {
        facts.insert("log".to_owned(), Ipld::String(log.display().to_string()));
        facts.insert("pid".to_owned(), Ipld::Integer(pid.into()));
        return print::ok(Ipld::Map(facts));
    }
    let facts = Ipld::Map(facts);
    let id = super::text(&facts, "id");
    print::line(&format!("{id} runs as process {pid}, and listens at"))?;
    for address in super::list_of(&facts, "addresses") {
        print::line(&format!("  {address}"))?;
    }
    let api = super::text(&facts, "api");
    if !api.is_empty() {
        print::line(&format!("and is asked at {api}"))?;
    }
    print::line(&format!("it logs to {}", log.display()))
}

/// Leaves the terminal of whoever started the program, so that it doesn't end with it.
pub(super) fn leave() -> Result<(), CommandError> {
    let left = rustix::process::setsid();
    left.map(drop).map_err(|error| {
        let words = "can't run by itself";
        CommandError::host(Caused::new(words, std::io::Error::from(error)))
    })
}

fn open(log: &Path) -> std::io::Result<File> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder)?;
    }
    if fs::metadata(log).is_ok_and(|log| log.len() > LOG_BYTES_MAX) {
        fs::rename(log, log.with_extension("log.1"))?;
    }
    OpenOptions::new().create(true).append(true).open(log)
}

/// Starts this program with what was typed, but for what is about how it starts.
fn spawn(log: File) -> Result<Child, CommandError> {
    let program = std::env::current_exe().map_err(CommandError::host)?;
    let typed = std::env::args_os().skip(1);
    let typed = typed.filter(|argument| argument != "--detach" && argument != "--json");
    let spawned = Command::new(program)
        .args(typed)
        .args(["--json".to_owned(), format!("--{DETACHED}")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn();
    spawned.map_err(|error| CommandError::host(Caused::new("can't start a node", error)))
}

/// Waits until the node says that it runs, or why it doesn't.
fn answer(child: &mut Child) -> Result<std::collections::BTreeMap<String, Ipld>, CommandError> {
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        let read = BufReader::new(stdout).read_line(&mut line);
        read.map_err(CommandError::host)?;
    }
    let Ok(Ipld::Map(mut said)) = json::parse(line.trim_end()) else {
        let _ = child.kill();
        let status = child.wait().map_err(CommandError::host)?;
        let words = format!("the node ended before it said anything: {status}");
        return Err(CommandError::host(words));
    };
    match (said.remove("ok"), said.remove("error")) {
        (Some(Ipld::Map(facts)), _) => Ok(facts),
        (_, error) => {
            child.wait().map_err(CommandError::host)?;
            Err(super::ask::failed(error, "the node says nothing"))
        }
    }
}
