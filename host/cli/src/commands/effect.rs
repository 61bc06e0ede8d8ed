//! `homestar effect`

mod inspect;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use homestar_core::ipld::Ipld;
use homestar_engine::{Effect, Effects};

use super::limits::ConfigOptions;
use crate::authority::Authority;
use crate::error::CommandError;
use crate::{files, folders, print};

/// See, add and remove effects: components that offer interfaces to others
///
/// An effect is a file that ends in .wasm, in ./effects or in the user's folder of effects; some come with homestar, and
/// are asked last. What it offers and what it asks for is read from its own type. A component that imports what an
/// effect offers gets it when it is run.
///
/// An effect reaches the outside through drivers, as far as `homestar run --allow` lets the task or the effect.
#[derive(Args, Debug)]
#[command(
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_long_help = "\
Examples:
  homestar effect add almanac.wasm
  homestar effect list
  homestar effect inspect almanac
  homestar run needs.wasm 'advice(\"Bergen\")'
  homestar effect remove almanac"
)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Inspect(inspect::Options),
    Add(Add),
    Remove(Remove),
    Where(Where),
}

/// List the effects that are found, in the order in which they are asked
#[derive(Args, Debug)]
struct List {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigOptions,
}

/// Copy a component into a folder of effects
#[derive(Args, Debug)]
struct Add {
    /// The component's file
    file: PathBuf,
    /// Its name as an effect, if not that of the file
    #[arg(long)]
    name: Option<String>,
    /// Add it to the user's folder instead of ./effects
    #[arg(long)]
    user: bool,
    /// Replace an effect of the same name
    #[arg(long)]
    force: bool,
}

/// Remove an effect from its folder
#[derive(Args, Debug)]
struct Remove {
    /// Its name: that of its file without .wasm
    name: String,
}

/// Print the folders in which effects are looked for, the last of which, built-in, comes with homestar
#[derive(Args, Debug)]
struct Where {}

impl Options {
    /// Whether the answer is JSON.
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            Command::List(options) => options.json,
            Command::Inspect(options) => options.json,
            _ => false,
        }
    }
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    match &options.command {
        Command::List(options) => list(options),
        Command::Inspect(options) => inspect::main(options),
        Command::Add(options) => add(options),
        Command::Remove(options) => remove(options),
        Command::Where(_) => {
            let folders = folders::all(&[]);
            let mut lines: String = folders
                .iter()
                .map(|folder| format!("{}\n", folder.display()))
                .collect();
            lines += "built-in\n";
            print::out(lines.as_bytes())
        }
    }
}

fn list(options: &List) -> Result<(), CommandError> {
    let mut effects = folders::effects(&[]);
    Authority::new(&options.config.settings()?, &[], &[]).give(&mut effects)?;
    if options.json {
        let listed = effects.iter().map(facts);
        let answer = print::map([("ok", Ipld::List(listed.collect()))]);
        return print::out(print::json_line(&answer)?.as_bytes());
    }
    let texts = effects.iter().map(|effect| text(&effects, effect));
    print::out(texts.collect::<Vec<_>>().join("\n").as_bytes())
}

/// Returns what there is to say of an effect.
pub(super) fn facts(effect: &Effect) -> Ipld {
    let granted = effect.grants().map(ToString::to_string);
    print::map([
        ("asks", print::texts(effect.asks().map(str::to_owned))),
        ("built_in", Ipld::Bool(effect.is_built_in())),
        ("drivers", print::texts(effect.drivers().map(str::to_owned))),
        ("effect", Ipld::Link(*effect.cid())),
        ("file", Ipld::String(effect.path().display().to_string())),
        ("granted", granted.map_or(Ipld::Null, Ipld::String)),
        ("name", Ipld::String(effect.name().to_owned())),
        ("offers", print::texts(effect.offers().map(str::to_owned))),
    ])
}

fn text(effects: &Effects, effect: &Effect) -> String {
    let mut rows = vec![
        ("effect", effect.name().to_owned()),
        ("file", effect.path().display().to_string()),
    ];
    rows.push(("cid", effect.cid().to_string()));
    rows.extend(
        effect
            .offers()
            .map(|interface| ("offers", interface.to_owned())),
    );
    rows.extend(
        effect
            .asks()
            .map(|interface| ("asks", asked(effects, effect, interface))),
    );
    rows.extend(effect.drivers().map(|driver| ("driver", driver.to_owned())));
    print::table(&rows)
}

/// Returns an interface that `effect` asks for, and who provides it.
fn asked(effects: &Effects, effect: &Effect, interface: &str) -> String {
    match effects.provider(Some(effect), interface) {
        Ok(Some(provider)) => format!("{interface}  (from {})", provider.path().display()),
        Ok(None) => format!("{interface}  (nothing provides it)"),
        Err(error) => format!("{interface}  ({error})"),
    }
}

/// Returns the name of the effect at `path`.
fn name(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn add(options: &Add) -> Result<(), CommandError> {
    let name = match &options.name {
        Some(name) => name.clone(),
        None => name(&options.file),
    };
    if name.is_empty() || name.contains(['/', '\\', '\0']) || name.starts_with('.') {
        return Err(CommandError::usage(format!(
            "{name:?} is no name for an effect"
        )));
    }
    let effect =
        Effect::open(&options.file, folders::EFFECT_BYTES_MAX).map_err(CommandError::input)?;
    let folder = match options.user {
        true => folders::users().map_err(CommandError::input)?,
        false => PathBuf::from(folders::LOCAL),
    };
    let target = folder.join(format!("{name}.wasm"));
    if target.exists() && !options.force {
        let error = CommandError::input(format!("{} is there already", target.display()));
        return Err(error.hint("`--force` replaces it, `--name` gives another name"));
    }
    let bytes = files::read(&options.file, folders::EFFECT_BYTES_MAX)?;
    fs::create_dir_all(&folder).map_err(CommandError::host)?;
    files::write(&target, &bytes)?;
    let offers: Vec<_> = effect.offers().collect();
    print::line(&format!(
        "{} offers {}",
        target.display(),
        offers.join(", ")
    ))
}

fn remove(options: &Remove) -> Result<(), CommandError> {
    let file = format!("{}.wasm", options.name);
    let is_plain = Path::new(&file)
        .file_name()
        .is_some_and(|name| name == file.as_str());
    let found = folders::all(&[])
        .into_iter()
        .map(|folder| folder.join(&file))
        .find(|path| path.is_file());
    match found {
        Some(path) if is_plain => {
            fs::remove_file(&path).map_err(CommandError::host)?;
            print::line(&format!("removed {}", path.display()))
        }
        _ if comes_with_homestar(&options.name) => {
            let error = CommandError::input(format!("{} comes with homestar", options.name));
            Err(error.hint("an effect of yours that offers the same is asked first"))
        }
        _ => {
            let error = CommandError::input(format!("there is no effect {}", options.name));
            Err(error.hint("`homestar effect list` shows those there are"))
        }
    }
}

fn comes_with_homestar(name: &str) -> bool {
    homestar_effects::all()
        .iter()
        .any(|effect| effect.name == name)
}
