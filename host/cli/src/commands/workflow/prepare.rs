//! From a workflow's file to its plan, or to all that is wrong with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use homestar_core::ipld::Cid;
use homestar_core::plan::{Plan, Resources, Rules, Signatures};
use homestar_core::workflow::{
    ComponentName, Fault, Format, MAX_TEXT_BYTES, Place, Problem, Workflow, cid_in,
};
use homestar_engine::Component;
use homestar_node::Reference;

use super::find::{self, Files, Names};
use super::guests::Guests;
use crate::error::{CommandError, Listed};
use crate::files::{self, Stdin};
use crate::print;

/// A workflow that was checked, with what it takes to run it.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) workflow: Workflow,
    pub(super) plan: Plan,
    /// What its components export.
    pub(super) signatures: Signatures,
    /// What its names stand for.
    pub(super) resources: Resources,
}

/// The name of a workflow that comes by standard input.
pub(crate) const STDIN: &str = "-";

/// Tells whether a reference is a workflow: a file by its ending, and what comes by standard input by how it begins.
pub(crate) fn is_workflow(reference: &Reference) -> bool {
    match reference {
        Reference::Path(path) => format(path).is_some(),
        Reference::Stdin => files::begins_as_json(),
        _ => false,
    }
}

fn format(path: &Path) -> Option<Format> {
    if path == Path::new(STDIN) {
        return Some(Format::Json);
    }
    Format::of_path(path.to_str()?)
}

/// Reads and checks a workflow.
pub(super) fn prepare(
    path: &Path,
    guests: &Guests,
    rules: &Rules,
    files: Files,
) -> Result<Prepared, CommandError> {
    let workflow = read(path)?;
    let checked = check(&workflow, path, guests, rules, files)?;
    Ok(Prepared {
        workflow,
        plan: checked.plan,
        signatures: checked.signatures,
        resources: checked.resources,
    })
}

/// A workflow that was checked.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) plan: Plan,
    /// What its components export.
    pub(super) signatures: Signatures,
    /// What its names stand for.
    pub(super) resources: Resources,
}

/// Checks a workflow that stands in a file, or is called as one.
pub(super) fn check(
    workflow: &Workflow,
    path: &Path,
    guests: &Guests,
    rules: &Rules,
    files: Files,
) -> Result<Checked, CommandError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut names = find::names(workflow, folder, &guests.data, files);
    let mut signatures = Signatures::new();
    let mut troubles = Vec::new();
    for used in workflow.uses() {
        let named = match &used.component.name {
            ComponentName::Link(cid) => Ok(Reference::Content((*cid).into())),
            ComponentName::Text(text) => find::reference(text, folder, files),
        };
        match named.and_then(|named| load(guests, &named, &used.pin, files)) {
            Ok(component) => {
                let cid = *component.cid();
                if let ComponentName::Text(text) = &used.component.name {
                    names.resources.insert(text.clone(), cid.into());
                }
                signatures.insert(cid, component.functions().to_vec());
            }
            Err(error) => {
                let name = match &used.component.name {
                    ComponentName::Link(cid) => cid.to_string(),
                    ComponentName::Text(text) => text.clone(),
                };
                troubles.push(Trouble {
                    place: used.component.place,
                    name,
                    error,
                });
            }
        }
    }
    let planned = workflow.plan(&names.resources, &signatures, rules);
    match (planned, troubles.is_empty()) {
        (Ok(plan), true) => Ok(Checked {
            plan,
            signatures,
            resources: names.resources,
        }),
        (planned, _) => {
            let problems = planned.err().unwrap_or_default();
            Err(refused(path, problems, &names, &troubles))
        }
    }
}

/// Reads the file of a workflow.
pub(crate) fn read(path: &Path) -> Result<Workflow, CommandError> {
    let Some(format) = format(path) else {
        let words = format!("{} is no workflow by its name", path.display());
        let error = CommandError::input(words);
        return Err(error.hint("files of workflows end in .yaml, .yml, .toml or .json"));
    };
    let bytes = match path == Path::new(STDIN) {
        true => Stdin::default().read("the workflow", MAX_TEXT_BYTES as u64)?,
        false => files::read(path, MAX_TEXT_BYTES as u64)?,
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CommandError::input(format!("{} is not UTF-8: see byte {at}", path.display()))
    })?;
    Workflow::parse(&text, format)
        .map_err(|problems| refused(path, problems, &Names::default(), &[]))
}

fn load(
    guests: &Guests,
    named: &Reference,
    pins: &BTreeMap<String, String>,
    files: Files,
) -> Result<Component, CommandError> {
    let component = guests.load(named, pins)?;
    if let (Reference::Path(path), Files::Kept) = (named, files) {
        let real = std::fs::canonicalize(path).map_err(CommandError::input)?;
        let kept: Cid = guests.data.add_path(&real)?;
        if kept != *component.cid() {
            let words = format!("{} was changed while it was read", path.display());
            return Err(CommandError::input(words));
        }
    }
    Ok(component)
}

/// A component that can't be loaded.
struct Trouble {
    place: Place,
    name: String,
    error: CommandError,
}

/// Says all that is wrong, each with its place.
fn refused(
    path: &Path,
    problems: Vec<Problem>,
    names: &Names,
    troubles: &[Trouble],
) -> CommandError {
    let is_said = |problem: &Problem| match &*problem.fault {
        // Why it can't be loaded is said once.
        Fault::Unresolved(name) => troubles.iter().any(|trouble| trouble.name == *name),
        Fault::Undescribed(cid) => {
            let is_of = |trouble: &&Trouble| cid_in(&trouble.name) == Some(*cid);
            troubles.iter().any(|trouble| is_of(&trouble))
        }
        _ => false,
    };
    let loaded = troubles.iter().map(|trouble| {
        let words = format!("component `{}`: {}", trouble.name, trouble.error.message());
        (Some(trouble.place), None, words)
    });
    let found = problems.iter().filter(|problem| !is_said(problem));
    let found = found.map(|problem| {
        let words = match &*problem.fault {
            Fault::Unresolved(name) => names.unresolved.get(name).cloned(),
            _ => None,
        };
        let words = words.unwrap_or_else(|| problem.fault.to_string());
        (problem.place, problem.task.clone(), words)
    });
    let mut all: Vec<_> = loaded.chain(found).collect();
    all.sort_by_key(|(place, ..)| *place);
    let listed: Vec<_> = all
        .into_iter()
        .map(|(place, task, words)| listed(path, place, task, words))
        .collect();
    let count = match listed.len() {
        1 => "1 problem".to_owned(),
        count => format!("{} problems", print::number(count as u64)),
    };
    let mut error = CommandError::input(format!("{} has {count}", path.display()));
    error.listed = listed;
    let hints = troubles.iter().flat_map(|trouble| &trouble.error.hints);
    for hint in hints {
        if !error.hints.contains(hint) {
            error.hints.push(hint.clone());
        }
    }
    error
}

/// Writes a problem as compilers do, so that editors find the place.
pub(super) fn listed(
    path: &Path,
    place: Option<Place>,
    task: Option<String>,
    words: String,
) -> Listed {
    use homestar_core::ipld::Ipld;
    let place = place.filter(|place| place.line > 0);
    let mut text = path.display().to_string();
    if let Some(place) = place {
        text += &format!(":{}:{}", place.line, place.column);
    }
    text += ": ";
    if let Some(task) = &task {
        text += &format!("task `{task}`: ");
    }
    text += &words;
    let number = |number: Option<u32>| number.map_or(Ipld::Null, |it| Ipld::Integer(it.into()));
    let facts = print::map([
        ("column", number(place.map(|place| place.column))),
        ("line", number(place.map(|place| place.line))),
        ("message", Ipld::String(words)),
        ("task", task.map_or(Ipld::Null, Ipld::String)),
    ]);
    Listed { text, facts }
}

/// Returns the lines of what may go wrong, though nothing has to.
pub(super) fn notes(path: &Path, plan: &Plan) -> Vec<Listed> {
    let notes = plan.notes().iter();
    let notes =
        notes.map(|note| listed(path, note.place, note.task.clone(), note.fault.to_string()));
    notes.collect()
}

/// Returns what the workflow's tasks are granted by its file, each grant once.
pub(super) fn grants(plan: &Plan) -> Vec<String> {
    let grants = plan.tasks().iter().flat_map(|task| &task.how.grants);
    let mut grants: Vec<_> = grants.map(ToString::to_string).collect();
    grants.sort();
    grants.dedup();
    grants
}

/// Returns how a file is called in a title.
pub(super) fn title(path: &Path, workflow: &Workflow) -> String {
    match workflow.name() {
        Some(name) => name.to_owned(),
        None => PathBuf::from(path.file_name().unwrap_or_default())
            .display()
            .to_string(),
    }
}
