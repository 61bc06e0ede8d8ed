//! The program `homestar`, which checks and runs workflows.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value as Json;

use super::error::Error;

/// Where the program is: HOMESTAR says it, or it is in PATH.
fn program() -> Command {
    Command::new(env::var_os("HOMESTAR").unwrap_or_else(|| OsString::from("homestar")))
}

fn unstarted(error: &std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            Error::host("there is no `homestar` in PATH; HOMESTAR may say where it is")
        }
        _ => Error::host(format!("`homestar` can't be started: {error}")),
    }
}

/// What the program writes.
pub(super) fn output(arguments: &[&str]) -> Result<Vec<u8>, Error> {
    let done = program().args(arguments).stdin(Stdio::null()).output();
    let done = done.map_err(|error| unstarted(&error))?;
    if done.status.success() {
        return Ok(done.stdout);
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let said = said.trim();
    Err(Error::host(said.strip_prefix("error: ").unwrap_or(said)))
}

/// What the program said against a workflow.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) kind: String,
    pub(super) message: String,
    /// What is wrong with it: the label of the task, if it is about one, and the words.
    pub(super) problems: Vec<(Option<String>, String)>,
}

impl Refused {
    fn new(facts: &Json) -> Self {
        let problems = facts["problems"].as_array();
        let problem = |problem: &Json| {
            let task = problem["task"].as_str().map(str::to_owned);
            (task, text(&problem["message"]))
        };
        Self {
            kind: text(&facts["kind"]),
            message: text(&facts["message"]),
            problems: problems.into_iter().flatten().map(problem).collect(),
        }
    }
}

pub(super) fn text(value: &Json) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The answer was no, or there is none.
pub(super) enum Fault {
    Refused(Refused),
    Other(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Gives `workflow` to the program, and tells `heard` of each line that it prints.
pub(super) fn tell(
    arguments: &[&str],
    workflow: &str,
    folder: Option<&Path>,
    heard: &mut dyn FnMut(Json),
) -> Result<(), Fault> {
    let mut command = program();
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    let mut child = command.spawn().map_err(|error| unstarted(&error))?;
    if let Some(mut stdin) = child.stdin.take() {
        // It may end without reading all, and says why.
        let _ = stdin.write_all(workflow.as_bytes());
    }
    let mut refused = None;
    for line in child
        .stdout
        .take()
        .into_iter()
        .flat_map(|stdout| BufReader::new(stdout).lines())
    {
        let line = line.map_err(|error| Error::host(error.to_string()))?;
        let facts: Json = serde_json::from_str(&line)
            .map_err(|error| Error::host(format!("`homestar` printed no JSON: {error}")))?;
        if facts.get("event").is_none() && facts.get("error").is_some() {
            refused = Some(Refused::new(&facts["error"]));
        } else {
            heard(facts);
        }
    }
    child
        .wait()
        .map_err(|error| Error::host(error.to_string()))?;
    refused.map_or(Ok(()), |refused| Err(Fault::Refused(refused)))
}

/// The signed record of what came of a task.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The label of the task.
    pub task: String,
    /// Its CID.
    pub cid: String,
    /// Whether the task `ran`, was `memoised` or `failed`.
    pub how: String,
    /// What it used.
    pub fuel: u64,
}

impl Receipt {
    pub(super) fn new(event: &Json) -> Self {
        Self {
            task: text(&event["task"]),
            cid: text(&event["receipt"]["/"]),
            how: text(&event["how"]),
            fuel: event["fuel"].as_u64().unwrap_or_default(),
        }
    }

    /// All that it says, once its signature was found good: what `homestar receipt show --json` prints.
    pub fn facts(&self) -> Result<Json, Error> {
        let facts = output(&["receipt", "show", &self.cid, "--json"])?;
        serde_json::from_slice(&facts).map_err(|error| Error::host(error.to_string()))
    }
}

/// One execution of a workflow.
#[derive(Clone, Debug)]
pub struct Run<R> {
    /// What `homestar runs` calls it.
    pub id: String,
    /// The CID of the workflow.
    pub workflow: String,
    /// The receipts of the tasks that ended, by their labels.
    pub receipts: BTreeMap<String, Receipt>,
    /// How many tasks ran, were memoised, and so on.
    pub counts: BTreeMap<String, u64>,
    /// What the workflow's function returned, with the values of the tasks.
    pub result: R,
}
