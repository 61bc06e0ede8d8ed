//! `homestar new`

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use homestar_core::ipld::Ipld;

use super::{Language, fault_of};
use crate::error::{Caused, CommandError};
use crate::{files, print};

/// Begin a project: a component in the language of your choice
///
/// The folder NAME gets what the template has, with its tests, and the SDK of its language in vendor/homestar-sdk. `homestar
/// build` builds it with the usual tools of that language.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar new words --lang python
  homestar new titles --lang rust --template effect
  homestar new pages --lang python --template workflow
  homestar new projects/words --lang ts")]
pub(crate) struct Options {
    /// The folder, which must not exist or be empty; the project is called like it
    #[arg(value_name = "NAME")]
    folder: PathBuf,

    /// The language
    #[arg(long = "lang", value_name = "LANGUAGE")]
    language: Language,

    /// What to begin with
    #[arg(long, value_name = "TEMPLATE", default_value = "task")]
    template: Template,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a project begins with.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Template {
    /// A function that is its arguments' alone
    Task,
    /// A function over HTTPS, whose interface other components import
    Effect,
    /// A workflow, and the functions that it calls
    Workflow,
    /// Functions over content of any size, which comes and goes in pieces; in Rust
    Stream,
}

impl Template {
    /// Returns its word, as it is typed.
    fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Effect => "effect",
            Self::Workflow => "workflow",
            Self::Stream => "stream",
        }
    }

    /// Returns what it is, as it is written.
    fn name(self) -> &'static str {
        match self {
            Self::Task => "a task",
            Self::Effect => "an effect",
            Self::Workflow => "a workflow",
            Self::Stream => "functions over streams",
        }
    }

    /// Returns what its project called `name` is asked first.
    fn first(self, language: Language, name: &str) -> String {
        let call = match self {
            Self::Task => r#"'top-words("to be or not to be", 2)'"#,
            Self::Effect => r#"'title("https://example.com/")' --allow https=example.com"#,
            Self::Stream => r#"'count(@README.md, "homestar")'"#,
            Self::Workflow => {
                return match language {
                    Language::Rust => "cargo run --example flow",
                    Language::Js | Language::Ts => "npm start",
                    Language::Python => ".venv/bin/python flow.py",
                }
                .to_owned();
            }
        };
        format!("homestar run {name}.wasm {call}")
    }
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    let folder = &options.folder;
    let name = name(folder)?;
    check_free(folder)?;
    let language = options.language;
    let template = options.template;
    let written = homestar_templates::project(language.as_str(), template.as_str(), &name);
    let written = written.expect("each language has each template");
    for (path, text) in &written {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| cannot_write(parent, error))?;
        }
        files::write(&path, text.as_bytes())?;
    }
    if options.json {
        let paths = written.into_iter().map(|(path, _)| path);
        return print::ok(print::map([
            ("folder", Ipld::String(folder.display().to_string())),
            ("name", Ipld::String(name)),
            ("language", Ipld::String(language.as_str().to_owned())),
            ("template", Ipld::String(template.as_str().to_owned())),
            ("files", print::texts(paths)),
        ]));
    }
    print::line(&format!(
        "{}: {} in {}. Next:\n\n  cd {}\n  homestar build\n  {}\n  {}",
        folder.display(),
        template.name(),
        language.name(),
        folder.display(),
        template.first(language, &name),
        tests(language, template),
    ))
}

/// Returns the command that tests a project.
fn tests(language: Language, template: Template) -> &'static str {
    match language {
        Language::Rust if matches!(template, Template::Workflow) => "cargo test --all-targets",
        Language::Rust => "cargo test",
        Language::Js | Language::Ts => "npm test",
        Language::Python => ".venv/bin/python -m unittest",
    }
}

fn name(folder: &Path) -> Result<String, CommandError> {
    let name = folder.file_name().map(|name| name.to_string_lossy());
    let Some(name) = name else {
        return Err(CommandError::usage(format!(
            "{} has no name to call a project by",
            folder.display()
        )));
    };
    match fault_of(&name) {
        None => Ok(name.into_owned()),
        Some(fault) => Err(CommandError::usage(format!(
            "a project can't be called `{name}`: {fault}"
        ))),
    }
}

/// Nothing that is there is overwritten.
fn check_free(folder: &Path) -> Result<(), CommandError> {
    match fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(CommandError::input(format!(
            "{} is there and not empty",
            folder.display()
        ))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(cannot_write(folder, error)),
    }
}

fn cannot_write(path: &Path, error: std::io::Error) -> CommandError {
    CommandError::input(Caused::new(
        format!("can't write {}", path.display()),
        error,
    ))
}
