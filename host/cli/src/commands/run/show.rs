//! What came of a task, for people and for programs.

use std::io::{self, IsTerminal};
use std::time::Duration;

use homestar_core::ipld::Ipld;
use homestar_core::json;
use homestar_core::outcome::{Failure, Kind, Outcome};
use homestar_core::receipt::Receipt;
use homestar_core::task::Instruction;
use homestar_core::wit::{Type, Value, wave};
use homestar_engine::{Component, Done, Origin};

use super::super::data::Data;
use super::Options;
use crate::error::CommandError;
use crate::{files, print};

/// Prints or writes how a task ended.
pub(super) fn outcome(
    options: &Options,
    done: &Done,
    is_command: bool,
    data: &Data,
) -> Result<(), CommandError> {
    if options.json {
        return print::out(print::json_line(&done.outcome.to_ipld())?.as_bytes());
    }
    match &done.outcome {
        Outcome::Error(failure) => {
            print::err(&failure_text(failure, done));
            Ok(())
        }
        // It was passed on while it was written.
        Outcome::Ok(_) if is_command && options.output.is_none() => Ok(()),
        Outcome::Ok(returned) => value(options, done, returned, data),
    }
}

fn value(options: &Options, done: &Done, returned: &Ipld, data: &Data) -> Result<(), CommandError> {
    if let (Some((Value::Link(cid), _)), Some(path)) = (&done.value, &options.output) {
        return data.export(cid, path);
    }
    let form = match (&done.value, returned) {
        (Some((value, ty)), _) => Form::of(value, ty),
        (None, Ipld::Bytes(stdout)) => Form::Bytes(stdout),
        (None, _) => Form::Nothing,
    };
    if let Some(path) = &options.output {
        return files::write(path, &form.in_file());
    }
    match form.printed(options.raw, io::stdout().is_terminal()) {
        Ok(bytes) => print::out(&bytes),
        Err(count) => Err(CommandError::usage(format!(
            "the result is a list<u8> of {}, which is not for a terminal",
            print::size(count)
        ))
        .hint("`-o FILE` writes it to a file, `--raw` prints it all the same")),
    }
}

/// A result, by how it is printed.
enum Form<'a> {
    Nothing,
    Bytes(&'a [u8]),
    Text(&'a str),
    /// Of content: its CID.
    Link(String),
    /// Of a value that may be anything.
    Json(String),
    Other(&'a Value, &'a Type),
}

impl<'a> Form<'a> {
    fn of(value: &'a Value, ty: &'a Type) -> Self {
        match value {
            Value::Bytes(bytes) => Self::Bytes(bytes),
            Value::String(text) => Self::Text(text),
            Value::Link(cid) => Self::Link(cid.to_string()),
            Value::Any(any) => match json::to_string(any) {
                Ok(json) => Self::Json(json),
                Err(_) => Self::Other(value, ty),
            },
            _ => Self::Other(value, ty),
        }
    }

    fn in_file(&self) -> Vec<u8> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Bytes(bytes) => bytes.to_vec(),
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Json(text) | Self::Link(text) => format!("{text}\n").into_bytes(),
            Self::Other(value, ty) => line(value, ty),
        }
    }

    /// Returns what is printed, or how many bytes there are that a terminal should not get.
    fn printed(&self, raw: bool, is_terminal: bool) -> Result<Vec<u8>, u64> {
        match self {
            Self::Bytes(bytes) if is_terminal && !raw => Err(bytes.len() as u64),
            Self::Text(text) if raw => Ok(format!("{text}\n").into_bytes()),
            Self::Text(text) => Ok(line(&Value::String((*text).to_owned()), &Type::String)),
            _ => Ok(self.in_file()),
        }
    }
}

fn line(value: &Value, ty: &Type) -> Vec<u8> {
    let mut text = wave::print(value, ty);
    text.push('\n');
    text.into_bytes()
}

/// Returns what is said of a task that has no value. A command has spoken for itself.
fn failure_text(failure: &Failure, done: &Done) -> String {
    let message = &failure.message;
    let said = match failure.kind {
        Kind::Exit => return String::new(),
        Kind::Guest if done.value.is_some() => format!("the guest returned the error {message}"),
        Kind::Guest => message.clone(),
        Kind::Trap => format!("the guest trapped: {message}"),
        _ => format!("the guest {message}"),
    };
    let mut text = print::ended(&said);
    for option in options_for(failure) {
        text += &print::hint(&format!("`{option}` allows more"));
    }
    text
}

/// Returns the options that raise the limit at which a task ended.
fn options_for(failure: &Failure) -> &'static [&'static str] {
    match failure.kind {
        Kind::Fuel => &["--fuel"],
        Kind::Memory if failure.message.ends_with("of memory") => &["--memory"],
        Kind::Time => &["--time"],
        Kind::Output => &["--output-limit"],
        Kind::Storage => &["--storage-limit"],
        Kind::Log => &["--log-limit"],
        Kind::Calls => &["--calls", "--call-bytes"],
        // The guest passed on what it was told.
        Kind::Guest
            if failure
                .message
                .contains(" bytes of driver calls are used up") =>
        {
            &["--call-bytes"]
        }
        Kind::Guest if failure.message.contains(" driver calls are used up") => &["--calls"],
        _ => &[],
    }
}

/// What a task cost.
#[derive(Debug)]
pub(super) struct Stats<'a> {
    pub(super) component: &'a Component,
    pub(super) instruction: &'a Instruction,
    pub(super) receipt: Option<&'a Receipt>,
    pub(super) done: &'a Done,
    /// What it asked of drivers, if it was wired to any.
    pub(super) calls: Option<String>,
    /// None if it ran elsewhere.
    pub(super) load_time: Option<Duration>,
}

impl Stats<'_> {
    /// Returns it as a table.
    pub(super) fn text(&self) -> String {
        let mut rows = vec![
            ("component", self.component.cid().to_string()),
            ("instruction", self.instruction.link().to_string()),
        ];
        rows.extend(
            self.receipt
                .map(|receipt| ("receipt", receipt.link().to_string())),
        );
        rows.extend([
            ("fuel", print::number(self.done.fuel)),
            ("memory peak", print::size(self.done.memory_peak)),
        ]);
        rows.extend(self.calls.clone().map(|calls| ("outside", calls)));
        if let Some(load_time) = self.load_time {
            let code = match self.component.origin() {
                Origin::Cache => format!("cached, loaded in {}", time(load_time)),
                Origin::Compiler { time: spent, .. } => format!("compiled in {}", time(*spent)),
            };
            rows.extend([
                ("code", code),
                ("start", time(self.done.start_time)),
                ("run", time(self.done.run_time)),
            ]);
        }
        print::table(&rows)
    }
}

fn time(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.2} s"),
        seconds => format!("{:.2} ms", seconds * 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_not_for_a_terminal() {
        let form = Form::Bytes(b"\x1b[2J");
        assert_eq!(form.printed(false, true), Err(4));
        for (raw, is_terminal) in [(true, true), (true, false), (false, false)] {
            assert_eq!(form.printed(raw, is_terminal), Ok(b"\x1b[2J".to_vec()));
        }
    }

    #[test]
    fn a_string_is_quoted_unless_raw_or_in_a_file() {
        let form = Form::Text("a\nb");
        assert_eq!(form.printed(false, true), Ok(b"\"a\\nb\"\n".to_vec()));
        assert_eq!(form.printed(true, false), Ok(b"a\nb\n".to_vec()));
        assert_eq!(form.in_file(), b"a\nb");
    }
}
