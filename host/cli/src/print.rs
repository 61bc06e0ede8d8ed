//! Everything that people read, and the JSON that programs read.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use homestar_core::ipld::Ipld;
use homestar_core::json;
use homestar_core::trace::{Call, Event, Trace};
use homestar_core::ucan::words;

use crate::error::{CommandError, Kind, causes};

/// Writes to standard output.
pub(crate) fn out(bytes: &[u8]) -> Result<(), CommandError> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(bytes)
        .and_then(|()| stdout.flush())
        .map_err(CommandError::stdout)
}

/// Writes a line to standard output.
pub(crate) fn line(text: &str) -> Result<(), CommandError> {
    out(format!("{text}\n").as_bytes())
}

/// Whether a guest's log stopped in the middle of a line.
static LINE_IS_OPEN: AtomicBool = AtomicBool::new(false);

/// Writes to standard error, on a line of its own. That nobody reads it is no reason to stop.
pub(crate) fn err(text: &str) {
    let mut stderr = io::stderr().lock();
    if !text.is_empty() && LINE_IS_OPEN.swap(false, Relaxed) {
        let _ = stderr.write_all(b"\n");
    }
    let _ = stderr.write_all(text.as_bytes());
}

/// Passes on what a guest logs.
pub(crate) fn log(bytes: &[u8]) {
    if let Some(last) = bytes.last() {
        LINE_IS_OPEN.store(*last != b'\n', Relaxed);
    }
    let _ = io::stderr().lock().write_all(bytes);
}

/// Says what went wrong and returns the exit code.
pub(crate) fn error(error: &CommandError, json: bool) -> ExitCode {
    if error.kind != Kind::Silent {
        match json {
            true => {
                // If this can't be written either, the exit code has to do.
                let _ = out(failure_json(error).as_bytes());
            }
            false => err(&error_text(error)),
        }
    }
    ExitCode::from(error.kind.code())
}

fn error_text(error: &CommandError) -> String {
    let mut text = labelled("error", &error.error.to_string());
    for cause in causes(&*error.error) {
        text += &labelled("  because", &cause);
    }
    for listed in &error.listed {
        text += &indented(&listed.text);
    }
    for hint in &error.hints {
        text += &labelled("hint", hint);
    }
    text
}

/// Returns the line or lines of an error of the guest's, or of the end that it came to.
pub(crate) fn ended(message: &str) -> String {
    labelled("error", message)
}

/// Returns the line of a hint.
pub(crate) fn hint(text: &str) -> String {
    labelled("hint", text)
}

/// Says something that a person may want to know, and that is no fault.
pub(crate) fn note(text: &str) {
    err(&labelled("note", text));
}

/// Says that something is not as it should be, and that the work goes on.
pub(crate) fn warning(text: &str) {
    err(&labelled("warning", text));
}

/// Says that something is not as it should be, with what caused it, and that the work goes on.
pub(crate) fn warning_of(error: &dyn std::error::Error) {
    let causes = crate::error::causes(error);
    warning(
        &[error.to_string()]
            .into_iter()
            .chain(causes)
            .collect::<Vec<_>>()
            .join(": "),
    );
}

/// Returns `label: text` with a line break at its end. Text may come from a guest or a file, so what would steer a
/// terminal is shown and not sent.
fn labelled(label: &str, text: &str) -> String {
    begun(format!("{label}: "), text)
}

/// Returns how many characters a line of standard error has.
pub(crate) fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stderr());
    size.map_or(80, |size| usize::from(size.ws_col).max(20))
}

/// Returns text as lines that steer no terminal.
pub(crate) fn shown(text: &str) -> String {
    begun(String::new(), text)
}

/// Returns text without line breaks that steers no terminal.
pub(crate) fn one_line(text: &str) -> String {
    let line = begun(String::new(), text);
    line.trim_end().replace('\n', " ")
}

/// Returns text on a line that belongs to the one above.
fn indented(text: &str) -> String {
    begun("  ".to_owned(), text)
}

fn begun(mut line: String, text: &str) -> String {
    for character in text.trim_end().chars() {
        match character {
            '\n' | '\t' => line.push(character),
            character if character.is_control() => line.extend(character.escape_debug()),
            character => line.push(character),
        }
    }
    line.push('\n');
    line
}

fn failure_json(error: &CommandError) -> String {
    let mut failure = BTreeMap::from([
        (
            "kind".to_owned(),
            Ipld::String(error.kind.as_str().to_owned()),
        ),
        ("message".to_owned(), Ipld::String(error.message())),
    ]);
    if !error.listed.is_empty() {
        let problems = error.listed.iter().map(|listed| listed.facts.clone());
        failure.insert("problems".to_owned(), Ipld::List(problems.collect()));
    }
    let failure = map([("error", Ipld::Map(failure))]);
    // Texts always have a form in JSON.
    json_line(&failure).unwrap_or_default()
}

/// Returns `value` as a line of DAG-JSON.
pub(crate) fn json_line(value: &Ipld) -> Result<String, CommandError> {
    let mut text = json::to_string(value).map_err(CommandError::host)?;
    text.push('\n');
    Ok(text)
}

/// Prints what a command has to say, for programs: `{"ok": …}`.
pub(crate) fn ok(facts: Ipld) -> Result<(), CommandError> {
    out(json_line(&map([("ok", facts)]))?.as_bytes())
}

/// Returns a map of these entries.
pub(crate) fn map<const COUNT: usize>(entries: [(&str, Ipld); COUNT]) -> Ipld {
    Ipld::Map(BTreeMap::from(
        entries.map(|(key, value)| (key.to_owned(), value)),
    ))
}

/// Returns a list of texts.
pub(crate) fn texts(texts: impl IntoIterator<Item = String>) -> Ipld {
    Ipld::List(texts.into_iter().map(Ipld::String).collect())
}

/// Returns lines of labels and values, the values below each other.
pub(crate) fn table(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    let row = |(label, value): &(&str, String)| format!("{label:width$}  {value}\n");
    rows.iter().map(row).collect()
}

/// Returns rows of cells as lines, each column as wide as it must be.
pub(crate) fn columns<const COUNT: usize>(rows: &[[String; COUNT]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; COUNT] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let line = |row: &[String; COUNT]| {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}

/// Returns how many calls of which drivers there are: `3 calls to entropy and http`.
pub(crate) fn calls(trace: &Trace) -> String {
    let calls = trace.events.iter().filter_map(|event| match event {
        Event::Call(call) => Some(call),
        Event::Time(_) => None,
    });
    let calls: Vec<_> = calls.collect();
    let drivers: BTreeSet<_> = calls.iter().map(Call::driver).collect();
    let drivers = listed(&drivers.into_iter().collect::<Vec<_>>());
    match calls.len() {
        0 => "no calls".to_owned(),
        1 => format!("1 call to {drivers}"),
        count => format!("{} calls to {drivers}", number(count as u64)),
    }
}

/// Returns words as people list them: `a, b and c`.
pub(crate) fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [words @ .., last] => format!("{} and {last}", words.join(", ")),
    }
}

/// Returns a time as people read it: `2026-11-26 19:30:05 UTC`.
pub(crate) fn date(ms_since_1970: u64) -> String {
    words::time(i64::try_from(ms_since_1970 / 1000).unwrap_or(i64::MAX))
}

/// Returns a number with its thousands apart.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a size as people say it.
pub(crate) fn size(bytes: u64) -> String {
    for (unit, size) in [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= size {
            return format!("{:.1} {unit}", bytes as f64 / size as f64);
        }
    }
    format!("{bytes} bytes")
}

/// Prints what clap has to say: help on standard output, a misunderstanding on standard error.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    // A reader who left needs no help.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Kind::Usage.code()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sizes() {
        assert_eq!(
            ["0", "999", "1,000", "18,446,744,073,709,551,615"],
            [0, 999, 1_000, u64::MAX].map(number)[..]
        );
        assert_eq!(
            ["17 bytes", "1.0 KiB", "1.5 MiB", "4.0 GiB"],
            [17, 1 << 10, 3 << 19, 4 << 30].map(size)[..]
        );
    }

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(
            labelled("error", "a\u{1b}[31m\n b\r\n"),
            "error: a\\u{1b}[31m\n b\n"
        );
    }

    #[test]
    fn an_error_has_causes_and_hints() {
        let cause = io::Error::other("it is gone");
        let error = CommandError::input(crate::error::Caused::new("can't read x", cause))
            .hint("look elsewhere");
        assert_eq!(
            error_text(&error),
            "error: can't read x\n  because: it is gone\nhint: look elsewhere\n"
        );
        assert_eq!(
            failure_json(&error),
            "{\"error\":{\"kind\":\"input\",\"message\":\"can't read x: it is gone\"}}\n"
        );
    }
}
