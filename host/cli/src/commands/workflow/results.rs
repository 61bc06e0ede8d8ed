//! What a workflow gives: what came of the tasks that no other awaits.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::path::Path;

use homestar_core::ipld::Ipld;
use homestar_core::json;
use homestar_core::outcome::Outcome;
use homestar_core::plan::{Plan, Signatures};
use homestar_core::schedule::{RESULTS_MAX, Schedule};
use homestar_core::wit::{self, Type, Value, wave};

use super::super::data::Data;
use crate::error::CommandError;
use crate::{files, print};

/// Most characters of a result among several; one alone is printed whole.
const CHARS_MAX: usize = 200;

/// Prints the results, or writes them to `output`: one to a file, several to files in a folder, by their labels.
pub(super) fn show(
    schedule: &Schedule,
    signatures: &Signatures,
    output: Option<&Path>,
    data: &Data,
) -> Result<(), CommandError> {
    if !schedule.keeps_results() {
        let most = print::number(RESULTS_MAX as u64);
        let words = format!(
            "more than {most} tasks are awaited by no other, so no results are printed; \
             `homestar runs show` names their receipts"
        );
        print::note(&words);
        return Ok(());
    }
    let all = schedule.results();
    let good = all.filter_map(|(task, outcome)| match outcome {
        Outcome::Ok(value) => {
            let ty = type_of(schedule.plan(), signatures, task.index());
            let (label, is_secret) = (schedule.label(task), schedule.is_secret(task));
            Some(Given::new(label, is_secret, ty, value))
        }
        Outcome::Error(_) => None,
    });
    give(
        &good.collect::<Vec<_>>(),
        schedule.results().count(),
        output,
        data,
    )
}

/// Prints what a run elsewhere gave, or writes it to `output`. What is secret isn't told.
pub(super) fn show_told(
    told: BTreeMap<String, Ipld>,
    plan: &Plan,
    signatures: &Signatures,
    output: Option<&Path>,
    data: &Data,
) -> Result<(), CommandError> {
    let planned = told.len();
    let good = told.into_iter().filter_map(|(label, outcome)| {
        let Ok(Outcome::Ok(value)) = Outcome::from_ipld(outcome) else {
            return None;
        };
        let at = plan.tasks().iter().position(|task| *task.label == *label);
        let ty = at.and_then(|at| type_of(plan, signatures, at));
        Some(Given::new(label, false, ty, value))
    });
    give(&good.collect::<Vec<_>>(), planned, output, data)
}

/// Prints or writes what was given, of as many as were planned.
fn give(
    good: &[Given],
    planned: usize,
    output: Option<&Path>,
    data: &Data,
) -> Result<(), CommandError> {
    match (output, good) {
        (_, []) => Ok(()),
        (Some(path), [only]) if planned == 1 => only.write(path, data),
        (Some(folder), good) => {
            std::fs::create_dir_all(folder).map_err(|error| {
                let words = format!("can't make the folder {}", folder.display());
                CommandError::input(crate::error::Caused::new(words, error))
            })?;
            good.iter()
                .try_for_each(|result| result.write(&folder.join(&result.label), data))
        }
        (None, [only]) if planned == 1 => only.print(),
        (None, good) => {
            let width = good.iter().map(|result| result.label.chars().count());
            let width = width.max().unwrap_or_default().min(40);
            let lines = good.iter().map(|result| {
                let text = print::one_line(&result.brief());
                format!("{:width$}  {text}\n", result.label)
            });
            print::out(lines.collect::<String>().as_bytes())
        }
    }
}

/// What one task gave.
struct Given {
    label: String,
    is_secret: bool,
    /// With the type that its function says, if that is known and fits.
    typed: Option<(Value, Type)>,
    value: Ipld,
}

impl Given {
    fn new(label: String, is_secret: bool, ty: Option<Type>, value: Ipld) -> Self {
        let typed = ty.and_then(|ty| Some((wit::from_ipld(value.clone(), &ty).ok()?, ty)));
        Self {
            label,
            is_secret,
            typed,
            value,
        }
    }

    /// Returns it as a line, or the beginning of one.
    fn brief(&self) -> String {
        if self.is_secret {
            return "(secret)".to_owned();
        }
        match (&self.value, &self.typed) {
            (Ipld::Bytes(bytes), _) => format!("({})", print::size(bytes.len() as u64)),
            (Ipld::Link(cid), _) => cid.to_string(),
            (_, Some((value, ty))) => wave::print_brief(value, ty, CHARS_MAX),
            (value, None) => {
                let text = json::to_string(value).unwrap_or_default();
                match text.char_indices().nth(CHARS_MAX) {
                    Some((end, _)) => format!("{}…", &text[..end]),
                    None => text,
                }
            }
        }
    }

    fn print(&self) -> Result<(), CommandError> {
        if self.is_secret {
            print::note("the result is secret; `-o FILE` writes it to a file");
            return Ok(());
        }
        match &self.value {
            Ipld::Bytes(bytes) if io::stdout().is_terminal() => {
                let size = print::size(bytes.len() as u64);
                let words = format!("the result has {size}, which are not for a terminal");
                Err(CommandError::usage(words).hint("`-o FILE` writes them to a file"))
            }
            Ipld::Null => Ok(()),
            _ => print::out(&self.content(true)?),
        }
    }

    fn write(&self, path: &Path, data: &Data) -> Result<(), CommandError> {
        match &self.value {
            Ipld::Link(cid) => data.export(cid, path),
            _ => files::write(path, &self.content(false)?),
        }
    }

    /// Returns all of it: bytes as they are, any other value as WAVE. A string has quotes if it is printed.
    fn content(&self, is_printed: bool) -> Result<Vec<u8>, CommandError> {
        Ok(match (&self.value, &self.typed) {
            (Ipld::Bytes(bytes), _) => bytes.clone(),
            (Ipld::Link(cid), _) => format!("{cid}\n").into_bytes(),
            (Ipld::String(text), _) if !is_printed => text.clone().into_bytes(),
            (_, Some((value, ty))) => format!("{}\n", wave::print(value, ty)).into_bytes(),
            (value, None) => print::json_line(value)?.into_bytes(),
        })
    }
}

/// Returns the type of what a task gives when all goes well.
fn type_of(plan: &Plan, signatures: &Signatures, task: usize) -> Option<Type> {
    let planned = plan.tasks().get(task)?;
    let functions: &Vec<_> = signatures.get(planned.template.resource.cid())?;
    let function = functions
        .iter()
        .find(|function| function.full_name() == planned.template.func)?;
    let ty = match function.result.clone()? {
        Type::Result { ok, .. } => (*ok?).clone(),
        ty => ty,
    };
    Some(match planned.for_each {
        Some(_) => Type::list(ty),
        None => ty,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(value: Ipld, typed: Option<(Value, Type)>) -> Given {
        Given {
            label: "a".to_owned(),
            is_secret: false,
            typed,
            value,
        }
    }

    #[test]
    fn values_are_shown_by_what_they_are() {
        let bytes = result(Ipld::Bytes(vec![0; 2048]), None);
        assert_eq!(bytes.brief(), "(2.0 KiB)");
        assert_eq!(bytes.content(true).unwrap(), vec![0; 2048]);
        let text = Ipld::String("a\nb".to_owned());
        let text = result(text, Some((Value::String("a\nb".to_owned()), Type::String)));
        assert_eq!(text.brief(), r#""a\nb""#);
        assert_eq!(text.content(false).unwrap(), b"a\nb");
        let map = Ipld::Map(BTreeMap::from([("a".to_owned(), Ipld::Integer(1))]));
        assert_eq!(result(map, None).brief(), r#"{"a":1}"#);
        let mut secret = result(Ipld::Integer(7), None);
        secret.is_secret = true;
        assert_eq!(secret.brief(), "(secret)");
    }
}
