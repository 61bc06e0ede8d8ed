//! `homestar bind`

mod functions;
mod javascript;
mod names;
mod python;
mod rust;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use homestar_core::ipld::Ipld;
use homestar_engine::wit;
use homestar_node::Reference;

use self::functions::Functions;
use super::limits::ConfigOptions;
use super::load;
use super::project::Language;
use super::storage::StorageOptions;
use crate::error::CommandError;
use crate::{files, print};

/// Write the functions of a component for workflows, in a language of your choice
///
/// What is written is a module of that language with a function for each of the component's, and with the types that they
/// need. In a workflow, a call of one is a task. Names, numbers of arguments and types are those of the component, so that the
/// language's own tools tell what doesn't fit.
///
/// The module is called like the component, and names it as it is named here. It uses the SDK of its language.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar bind image.wasm --lang python
  homestar bind image.wasm --lang ts -o src/image.ts
  homestar bind image.wasm --lang rust -o src/image.rs")]
pub(crate) struct Options {
    /// The component: its file, its CID, ipfs://CID/PATH, or https://…
    component: Reference,

    /// The language
    #[arg(long = "lang", value_name = "LANGUAGE")]
    language: Language,

    /// Where to write it, - for standard output [default: the component's name, here]
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    config: ConfigOptions,

    #[command(flatten)]
    storage: StorageOptions,
}

/// What stands in the first line of what is written, so that it may be written anew.
const MADE: &str = "made by `homestar bind`";

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    if matches!(options.component, Reference::Stdin) {
        let error = CommandError::usage("a workflow names its components, and `-` is no name");
        return Err(error.hint("`homestar bind FILE`"));
    }
    let settings = options.config.settings()?;
    let data = options.storage.data(&settings)?;
    let bytes = load::bytes(&options.component, &data)?;
    let exports = wit::exports(&bytes).map_err(load::explained)?;
    let named = options.component.to_string();
    let functions = Functions::new(&named, exports);
    for (function, why) in &functions.left_out {
        print::note(&format!("`{function}` is left out: {why}"));
    }
    if functions.list.is_empty() {
        let words = format!("{named} exports no function that can be a task");
        return Err(CommandError::input(words));
    }
    let stem = stem(&options.component);
    let texts = texts(options.language, &functions, &stem);
    if options.output.as_deref() == Some(Path::new("-")) {
        let whole: String = texts.into_iter().map(|(_, text)| text).collect();
        return print::out(whole.as_bytes());
    }
    let mut written = Vec::new();
    for (name, text) in texts {
        let path = match &options.output {
            Some(output) => output.with_extension(extension(&name)),
            None => PathBuf::from(name),
        };
        check_ours(&path)?;
        files::write(&path, text.as_bytes())?;
        written.push(path.display().to_string());
    }
    match options.json {
        true => print::ok(print::map([
            ("files", print::texts(written)),
            ("functions", Ipld::Integer(functions.list.len() as i128)),
        ])),
        false => print::line(&written.join("\n")),
    }
}

/// Returns the component that a module names which begins with `head`, if this command wrote it.
pub(super) fn named_by(head: &str) -> Option<&str> {
    let line = head.lines().next()?;
    let (_, rest) = line.split_once("The functions of ")?;
    Some(rest.split_once(&format!(", for workflows: {MADE}"))?.0)
}

/// Returns what is written in place of a module at `path` that names a component so, whose bytes these are.
pub(super) fn again(
    language: Language,
    named: &str,
    bytes: &[u8],
    path: &Path,
) -> Result<Vec<(PathBuf, String)>, CommandError> {
    let exports = wit::exports(bytes).map_err(load::explained)?;
    let functions = Functions::new(named, exports);
    let texts = texts(language, &functions, "component").into_iter();
    let placed = texts.map(|(name, text)| (path.with_extension(extension(&name)), text));
    Ok(placed.collect())
}

/// Returns the files that are written, by their names.
fn texts(language: Language, functions: &Functions, stem: &str) -> Vec<(String, String)> {
    let snake = names::snake(stem);
    match language {
        Language::Python => vec![(format!("{snake}.py"), python::text(functions))],
        Language::Js => {
            let texts = javascript::texts(functions);
            vec![
                (format!("{stem}.js"), texts.program),
                (format!("{stem}.d.ts"), texts.declared),
            ]
        }
        Language::Ts => vec![(format!("{stem}.ts"), javascript::texts(functions).typed)],
        Language::Rust => vec![(format!("{snake}.rs"), rust::text(functions))],
    }
}

/// Returns a text as it stands in a program.
fn quoted(text: &str) -> String {
    // Texts always have a form in JSON.
    serde_json::to_string(text).unwrap_or_default()
}

/// Returns items in one line, or in a line each if that would be long.
fn listed(items: &[String], most: usize, indent: &str) -> String {
    let line = items.join(", ");
    if line.len() <= most {
        return line;
    }
    let lines = items.iter().map(|item| format!("\n{indent}{item},"));
    lines.collect::<String>() + "\n" + &indent[4..]
}

/// Returns what a name has behind its first dot.
fn extension(name: &str) -> &str {
    name.split_once('.').map_or("", |(_, extension)| extension)
}

/// Returns what a component is called, by the name of its file.
fn stem(component: &Reference) -> String {
    let name = match component {
        Reference::Path(path) => path.file_name().map(|name| name.to_string_lossy().into()),
        Reference::Content(content) => content.path.last().cloned(),
        Reference::Url(url) => url.file_name().map(str::to_owned),
        Reference::Stdin => None,
    };
    let name: String = name.unwrap_or_default();
    let stem = name.split('.').next().unwrap_or_default();
    match names::is_word(stem) {
        true => stem.to_owned(),
        false => "component".to_owned(),
    }
}

/// Refuses to write over what was not written by this command.
fn check_ours(path: &Path) -> Result<(), CommandError> {
    let Ok(there) = fs::read(path) else {
        return Ok(());
    };
    let begin = &there[..there.len().min(512)];
    match String::from_utf8_lossy(begin).contains(MADE) {
        true => Ok(()),
        false => Err(
            CommandError::input(format!("{} is there, and not {MADE}", path.display()))
                .hint("`-o PATH` writes somewhere else"),
        ),
    }
}
