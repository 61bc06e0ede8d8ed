//! What can go wrong.

use std::fmt::{self, Display, Formatter};

use serde_json::Value as Json;

use super::program::Run;

/// How a task failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its label.
    pub task: String,
    /// An error of its own (`guest`), a `trap`, a limit such as `fuel` or `time`, …
    pub kind: String,
    /// What is said of it.
    pub message: String,
    /// The error that the task's function returned, if that is what it was, as DAG-JSON.
    pub value: Option<Json>,
    /// Where the task stands in the program.
    pub place: Option<String>,
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        let (task, kind, message) = (&self.task, &self.kind, &self.message);
        write!(f, "task `{task}` failed ({kind}): {message}")
    }
}

/// Why there is no result.
#[derive(Clone, Debug)]
pub enum Error {
    /// The workflow was refused before anything ran.
    Workflow {
        /// What it is called.
        name: String,
        /// All that is wrong with it, each with its place.
        problems: Vec<String>,
    },
    /// Tasks failed.
    Run {
        /// How, the first first. There is one.
        failures: Vec<Failure>,
        /// What is known of the run, such as the receipts of the tasks that ended.
        run: Box<Run<()>>,
    },
    /// The run was interrupted; the same call goes on with it.
    Interrupted,
    /// `homestar` said no.
    Homestar {
        /// That of its exit codes, such as `input` or `host`.
        kind: String,
        /// What it said.
        message: String,
    },
}

impl Error {
    pub(super) fn host(message: impl Into<String>) -> Self {
        Self::Homestar {
            kind: "host".to_owned(),
            message: message.into(),
        }
    }

    pub(super) fn input(message: impl Into<String>) -> Self {
        Self::Homestar {
            kind: "input".to_owned(),
            message: message.into(),
        }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workflow { name, problems } => {
                let count = match problems.len() {
                    1 => "1 problem".to_owned(),
                    count => format!("{count} problems"),
                };
                write!(f, "{name} has {count}")?;
                problems
                    .iter()
                    .try_for_each(|problem| write!(f, "\n  {problem}"))
            }
            Self::Run { failures, .. } => {
                let lines: Vec<_> = failures.iter().map(Failure::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
            Self::Interrupted => {
                f.write_str("the run was interrupted; the same call goes on with it")
            }
            Self::Homestar { message, .. } => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}
