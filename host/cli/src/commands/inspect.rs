//! `homestar inspect`

use std::path::PathBuf;

use clap::Args;
use homestar_core::ipld::{Ipld, cid_of_raw};
use homestar_engine::wit::{self, Description, Import, Signature};
use homestar_engine::{Effect, Effects, LoadError};

use super::load;
use crate::error::CommandError;
use crate::{folders, print};

/// Show what a component is: its name, what it needs, what it offers
///
/// Reads the component's own types and compiles nothing, so it also works for components that can't run here.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar inspect add.wasm
  homestar inspect add.wasm --wit > add.wit
  homestar inspect add.wasm --json")]
pub(crate) struct Options {
    /// The component's file; - is standard input
    component: PathBuf,
    /// Print the component's type as a WIT document
    #[arg(long, conflicts_with = "json")]
    wit: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn main(options: &Options) -> Result<(), CommandError> {
    let bytes = load::bytes(&options.component)?;
    if options.wit {
        let document = wit::print(&bytes).map_err(load::explained)?;
        return print::out(document.as_bytes());
    }
    let description = wit::describe(&bytes).map_err(load::explained)?;
    let asks = description.imports.iter().any(|import| !import.is_offered);
    let effects = if asks {
        folders::effects(&[])
    } else {
        Effects::new()
    };
    let facts = Facts {
        cid: cid_of_raw(&bytes).to_string(),
        bytes: bytes.len() as u64,
        pure: asks.then(|| effects.wired_to(&bytes).map(|wired| paths(&wired))),
        description,
        effects,
    };
    match options.json {
        true => print::out(print::json_line(&facts.json())?.as_bytes()),
        false => print::out(facts.text().as_bytes()),
    }
}

/// Returns the files of `effects`.
fn paths(effects: &[&Effect]) -> String {
    let paths = effects
        .iter()
        .map(|effect| effect.path().display().to_string());
    paths.collect::<Vec<_>>().join(", ")
}

struct Facts {
    cid: String,
    bytes: u64,
    description: Description,
    /// The effects there are, if it asks for any.
    effects: Effects,
    /// If it asks for effects, the files of those it would be wired to, or why it can't be.
    pure: Option<Result<String, LoadError>>,
}

impl Facts {
    /// Returns who provides an import that the world doesn't offer.
    fn provider(&self, import: &Import) -> String {
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

    fn text(&self) -> String {
        let pure = match &self.pure {
            None => "yes".to_owned(),
            Some(Ok(effects)) => format!("yes, with {effects}"),
            Some(Err(error)) => format!("it can't run: {error}"),
        };
        let kind = match (self.is_command(), self.description.was_module) {
            (true, false) => "command",
            (false, false) => "library",
            (true, true) => "command, from a core module",
            (false, true) => "library, from a core module",
        };
        let mut text = print::table(&[
            ("component", self.cid.clone()),
            ("size", format!("{} bytes", print::number(self.bytes))),
            ("kind", kind.to_owned()),
            ("pure", pure),
        ]);
        let imports = self.description.imports.iter().map(|import| {
            let mark = match import.is_offered {
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
            ("pure", Ipld::Bool(!matches!(self.pure, Some(Err(_))))),
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
fn section(text: &mut String, heading: &str, lines: Vec<String>) {
    if lines.is_empty() {
        *text += &format!("\n{heading}: none\n");
        return;
    }
    *text += &format!("\n{heading}:\n");
    for line in lines {
        *text += &format!("  {line}\n");
    }
}
