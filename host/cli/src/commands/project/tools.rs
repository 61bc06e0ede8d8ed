//! The usual tools of a language: called as a person would, and named when they are missing.

use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::error::{Caused, CommandError};
use crate::print;

/// Returns what `tool --version` prints, or an error with what to do if there is no such tool.
pub(super) fn version(tool: &str, hint: &str) -> Result<String, CommandError> {
    let output = Command::new(tool).arg("--version").output();
    let output = output.map_err(|error| missing(tool, hint, error))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            let error = Caused::new(format!("`{tool}` doesn't work here"), said);
            Err(CommandError::input(error).hint(hint))
        }
    }
}

fn missing(tool: &str, hint: &str, error: io::Error) -> CommandError {
    let error = match error.kind() {
        io::ErrorKind::NotFound => CommandError::input(format!("there is no `{tool}` here")),
        _ => CommandError::input(Caused::new(format!("`{tool}` doesn't run here"), error)),
    };
    error.hint(hint)
}

/// Runs a tool. What it says goes to standard error while it says it.
pub(super) fn run(command: &mut Command, doing: &str) -> Result<(), CommandError> {
    command.stdin(Stdio::null()).stdout(io::stderr());
    let status = command.status().map_err(|error| failed(command, error))?;
    ended(status.success(), doing)
}

/// Runs a tool and returns what it prints. What it says of its work goes to standard error.
pub(super) fn output(command: &mut Command, doing: &str) -> Result<Output, CommandError> {
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().map_err(|error| failed(command, error))?;
    ended(output.status.success(), doing)?;
    Ok(output)
}

fn failed(command: &Command, error: io::Error) -> CommandError {
    let program = Path::new(command.get_program()).display();
    CommandError::input(Caused::new(format!("`{program}` doesn't run here"), error))
}

/// The tool has said why.
fn ended(is_success: bool, doing: &str) -> Result<(), CommandError> {
    match is_success {
        true => Ok(()),
        false => Err(CommandError::input(format!("{doing} failed, see above"))),
    }
}

/// Says what takes its time.
pub(super) fn say(text: &str) {
    print::err(&format!("{text} …\n"));
}
