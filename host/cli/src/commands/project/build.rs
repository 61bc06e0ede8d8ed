//! `homestar build`

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use homestar_core::ipld::Ipld;

use super::sources::{self, Stamp};
use super::{Language, Project, bound, javascript, python, rust};
use crate::error::{Caused, CommandError};
use crate::{files, print};

/// Build the component of a project
///
/// The language is known by the files of the project: Cargo.toml is Rust, package.json JavaScript, with tsconfig.json
/// TypeScript, and pyproject.toml, requirements.txt or app.py Python. Its own tools do the work: cargo, npm, pip. What a
/// project depends on is installed into it first, into target, node_modules or .venv.
///
/// Where somebody wrote WIT into wit/ by hand, nothing is derived. The packages of homestar's that it names are written to
/// wit/deps, anew each time.
///
/// Modules that `homestar bind` wrote are written anew where the component that they name is another, so that workflows have
/// the types of what is there.
///
/// The component is NAME.wasm beside the project's file, NAME being the project's own. Its path is printed. When nothing
/// changed, nothing is done.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar new words --lang python
  homestar build words
  homestar run words/words.wasm 'top-words(\"to be or not to be\", 2)'")]
pub(crate) struct Options {
    /// The project's folder, or one within it
    #[arg(default_value = ".")]
    folder: PathBuf,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    let project = Project::find(&options.folder)?;
    let is_new = build(&project)?;
    let component = project.component().display().to_string();
    match options.json {
        true => print::ok(print::map([
            ("component", Ipld::String(component)),
            (
                "language",
                Ipld::String(project.language.as_str().to_owned()),
            ),
            ("changed", Ipld::Bool(is_new)),
        ])),
        false => print::line(&component),
    }
}

/// Builds `project`, and tells whether anything had to be done.
pub(super) fn build(project: &Project) -> Result<bool, CommandError> {
    write_contracts(project)?;
    let is_new = match project.language {
        Language::Rust => rust::build(project),
        Language::Js | Language::Ts => javascript::build(project),
        Language::Python => python::build(project),
    }?;
    bound::write(project, &project.component())?;
    Ok(is_new)
}

/// Writes the packages of ours that WIT by hand names to where bindings tools look for them.
fn write_contracts(project: &Project) -> Result<(), CommandError> {
    let folder = project.folder.join("wit");
    let Ok(entries) = fs::read_dir(&folder) else {
        return Ok(());
    };
    let mut wit = String::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|ending| ending == "wit") && !is_derived(&path) {
            wit += &super::text(&path)?;
        }
    }
    write_all(&folder, homestar_templates::contracts(&wit))
}

/// Where an SDK finds the packages that tasks may ask for, from the project's folder.
pub(super) const CONTRACTS: &str = ".homestar/wit";

/// Writes the packages that tasks may ask for to where the SDK looks for them.
pub(super) fn write_effects(project: &Project) -> Result<(), CommandError> {
    let folder = project.kept()?.join("wit");
    write_all(&folder, homestar_templates::effects())
}

fn write_all(
    folder: &Path,
    contracts: Vec<(&'static str, &'static str)>,
) -> Result<(), CommandError> {
    for (name, text) in contracts {
        let path = folder.join(name);
        if fs::read(&path).is_ok_and(|there| there == text.as_bytes()) {
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(unreadable)?;
        }
        files::write(&path, text.as_bytes())?;
    }
    Ok(())
}

/// Does `build` unless the component is there and came of the same sources, built with this `version` of the language.
pub(super) fn unless_same(
    project: &Project,
    version: &str,
    build: impl FnOnce() -> Result<(), CommandError>,
) -> Result<bool, CommandError> {
    let stamp = Stamp::new(project.kept()?.join("built"));
    let digest = match sources::files(&project.folder).map_err(unreadable)? {
        Some(files) => {
            let files: Vec<_> = files.into_iter().filter(|file| !is_written(file)).collect();
            let also = [version, env!("CARGO_PKG_VERSION"), &project.name];
            sources::digest(&project.folder, &files, &also).map_err(unreadable)?
        }
        None => None,
    };
    if stamp.is(digest) && project.component().exists() {
        return Ok(false);
    }
    stamp.set(None);
    build()?;
    stamp.set(digest);
    Ok(true)
}

/// How a file of WIT begins that a build writes, and reads from nowhere.
const DERIVED: &[u8] = b"// Derived from ";

/// Whether a build writes this file.
pub(super) fn is_written(path: &Path) -> bool {
    is_derived(path) || bound::is_made(path)
}

fn is_derived(path: &Path) -> bool {
    let mut begin = [0; DERIVED.len()];
    let is_wit = path.extension().is_some_and(|ending| ending == "wit");
    let mut read = || File::open(path)?.read_exact(&mut begin);
    is_wit && read().is_ok() && begin == DERIVED
}

pub(super) fn unreadable(error: io::Error) -> CommandError {
    CommandError::input(Caused::new("the project can't be read", error))
}
