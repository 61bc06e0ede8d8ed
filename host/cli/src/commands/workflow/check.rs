//! `homestar check`

use clap::Args;
use homestar_core::ipld::Ipld;

use super::Common;
use super::find::Files;
use super::prepare::{self, prepare};
use crate::error::CommandError;
use crate::print;

/// Check a workflow, and run nothing
///
/// Says all that is wrong with it at once, each with its line and column: labels that don't exist, tasks that wait for
/// each other, functions that a component doesn't have, values that don't fit their parameters, awaits that give
/// another type than the parameter takes which they flow into, effects that nobody offers, limits and grants beyond
/// what the operator allows. Files that it names have to be there, and are not read.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar check pipeline.yaml
  homestar check pipeline.yaml --json

Ends with exit code 4 if something is wrong.")]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) common: Common,
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    let common = &options.common;
    let (guests, rules) = common.setting()?;
    let prepared = prepare(&common.file, &guests, &rules, Files::LookedAt)?;
    let notes = prepare::notes(&common.file, &prepared.plan);
    let grants = prepare::grants(&prepared.plan);
    let tasks = prepared.plan.tasks().len();
    if common.json {
        return print::ok(print::map([
            ("grants", print::texts(grants)),
            (
                "notes",
                Ipld::List(notes.into_iter().map(|note| note.facts).collect()),
            ),
            ("tasks", Ipld::Integer(tasks as i128)),
            (
                "workflow",
                Ipld::String(prepared.workflow.cid().to_string()),
            ),
        ]));
    }
    for note in notes {
        print::note(&note.text);
    }
    let title = prepare::title(&common.file, &prepared.workflow);
    let mut text = match tasks {
        1 => format!("{title}: 1 task, nothing wrong\n"),
        tasks => format!(
            "{title}: {} tasks, nothing wrong\n",
            print::number(tasks as u64)
        ),
    };
    for grant in grants {
        text += &format!("  grants {grant}\n");
    }
    print::out(text.as_bytes())
}
