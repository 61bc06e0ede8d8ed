//! `homestar inspect`

use clap::Args;
use homestar_core::ipld::Ipld;
use homestar_core::unixfs::cid_of_file;
use homestar_engine::wit::{self, Description, Import, Signature};
use homestar_engine::{Effect, Effects, LoadError};
use homestar_node::Reference;

use super::limits::ConfigOptions;
use super::load;
use super::storage::StorageOptions;
use super::wiring::Doors;
use crate::authority::Authority;
use crate::error::CommandError;
use crate::{folders, print};

/// Show what a component is: its name, what it needs, what it offers
///
/// Reads the component's own types and compiles nothing, so it also works for components that can't run here.
/// Whether it is pure, so that the task alone decides what comes of it, follows from what it would be wired to and
/// what the settings grant.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar inspect add.wasm
  homestar inspect add.wasm --wit > add.wit
  homestar inspect add.wasm --json")]
pub(crate) struct Options {
    /// The component: its file, its CID, ipfs://CID/PATH, https://…, or - for standard input
    component: Reference,
    /// Print the component's type as a WIT document
    #[arg(long, conflicts_with = "json")]
    wit: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    config: ConfigOptions,
    #[command(flatten)]
    storage: StorageOptions,
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    let settings = options.config.settings()?;
    let data = options.storage.data(&settings)?;
    let bytes = load::bytes(&options.component, &data)?;
    if options.wit {
        let document = wit::print(&bytes).map_err(load::explained)?;
        return print::out(document.as_bytes());
    }
    let description = wit::describe(&bytes).map_err(load::explained)?;
    let asks = description.imports.iter().any(|import| !import.is_offered);
    let authority = Authority::new(&settings, &[], &[]);
    let mut effects = Effects::new();
    if asks {
        effects = folders::effects(&[]);
        authority.give(&mut effects)?;
    }
    let wiring = match asks {
        true => effects.wired_to(&bytes),
        false => Ok(Vec::new()),
    };
    let wiring = wiring.and_then(|wired| {
        if !wired.is_empty() {
            effects.fit(&bytes)?;
        }
        Ok(Wiring {
            doors: Doors::of(&description.imports, None, &authority.task(), &effects)?,
            effects: paths(&wired),
        })
    });
    let facts = Facts {
        cid: cid_of_file(&bytes).to_string(),
        bytes: bytes.len() as u64,
        wiring,
        description,
        effects,
    };
    match options.json {
        true => print::out(print::json_line(&facts.json())?.as_bytes()),
        false => print::out(facts.text().as_bytes()),
    }
}

/// Returns the files of `effects`.
fn paths(effects: &[&Effect]) -> Vec<String> {
    let paths = effects.iter();
    paths
        .map(|effect| effect.path().display().to_string())
        .collect()
}

/// What a component would be wired to.
struct Wiring {
    /// Files of the effects.
    effects: Vec<String>,
    doors: Doors,
}

struct Facts {
    cid: String,
    bytes: u64,
    description: Description,
    /// The effects there are, if it asks for any.
    effects: Effects,
    /// What it would be wired to, or why it can't be.
    wiring: Result<Wiring, LoadError>,
}

impl Facts {
    /// Returns who provides an import that the world doesn't offer.
    fn provider(&self, import: &Import) -> String {
        if import.driver.is_some() {
            return "leads outside".to_owned();
        }
        match self.effects.provider(None, &import.name) {
            Ok(Some(effect)) => format!("from {}", effect.path().display()),
            Ok(None) => "nothing provides it".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    fn needs(&self) -> impl Iterator<Item = &Import> {
        self.description
            .imports
            .iter()
            .filter(|import| !import.is_offered)
    }

    fn is_command(&self) -> bool {
        self.description.functions.iter().any(Signature::is_command)
    }

    /// Says whether the instruction alone would decide an outcome.
    fn pure(&self) -> String {
        let Wiring { effects, doors } = match &self.wiring {
            Ok(wiring) => wiring,
            Err(error) => return format!("it can't run: {error}"),
        };
        if !doors.are_none() {
            return "no".to_owned();
        }
        let mut pure = "yes".to_owned();
        if !effects.is_empty() {
            pure += &format!(", with {}", effects.join(", "));
        }
        if let Some(grants) = doors.if_granted() {
            pure += &format!(", unless granted {grants}");
        }
        pure
    }

    fn text(&self) -> String {
        let kind = match (self.is_command(), self.description.was_module) {
            (true, false) => "command",
            (false, false) => "library",
            (true, true) => "command, from a core module",
            (false, true) => "library, from a core module",
        };
        let mut rows = vec![
            ("component", self.cid.clone()),
            ("size", format!("{} bytes", print::number(self.bytes))),
            ("kind", kind.to_owned()),
            ("pure", self.pure()),
        ];
        let doors = self.wiring.iter().flat_map(|wiring| wiring.doors.texts());
        rows.extend(doors.map(|door| ("reaches", door)));
        let mut text = print::table(&rows);
        let imports = self.description.imports.iter().map(|import| {
            let mark = match import.is_offered && import.driver.is_none() {
                true => String::new(),
                false => format!("  ({})", self.provider(import)),
            };
            format!("{}{mark}", import.name)
        });
        section(&mut text, "imports", imports.collect());
        section(&mut text, "exports", exports(&self.description.functions));
        text
    }

    fn json(&self) -> Ipld {
        let imports = self.description.imports.iter();
        let wiring = self.wiring.as_ref().ok();
        print::map([
            ("bytes", Ipld::Integer(self.bytes.into())),
            ("command", Ipld::Bool(self.is_command())),
            ("component", Ipld::String(self.cid.clone())),
            ("exports", functions(&self.description.functions)),
            (
                "imports",
                print::texts(imports.map(|import| import.name.clone())),
            ),
            ("module", Ipld::Bool(self.description.was_module)),
            (
                "needs",
                print::texts(self.needs().map(|import| import.name.clone())),
            ),
            (
                "pure",
                Ipld::Bool(wiring.is_some_and(|wiring| wiring.doors.are_none())),
            ),
            (
                "pure_unless_granted",
                wiring.map_or(Ipld::Null, |wiring| wiring.doors.grants_to_ipld()),
            ),
            (
                "reaches",
                wiring.map_or(Ipld::Null, |wiring| wiring.doors.to_ipld()),
            ),
        ])
    }
}

/// Returns the functions for programs.
pub(super) fn functions(functions: &[Signature]) -> Ipld {
    let functions = functions.iter().map(|function| {
        print::map([
            ("name", Ipld::String(function.full_name())),
            ("type", Ipld::String(function.text.clone())),
        ])
    });
    Ipld::List(functions.collect())
}

/// Returns the functions as WIT, those of an interface below its name.
pub(super) fn exports(functions: &[Signature]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut above = None;
    for function in functions {
        match function.interface.as_deref() {
            None => lines.push(function.text.clone()),
            Some(interface) => {
                if above != Some(interface) {
                    lines.push(interface.to_owned());
                }
                lines.push(format!("  {}", function.text));
            }
        }
        above = function.interface.as_deref();
    }
    lines
}

/// Appends a heading and its lines, indented.
pub(super) fn section(text: &mut String, heading: &str, lines: Vec<String>) {
    if lines.is_empty() {
        *text += &format!("\n{heading}: none\n");
        return;
    }
    *text += &format!("\n{heading}:\n");
    for line in lines {
        *text += &format!("  {line}\n");
    }
}
