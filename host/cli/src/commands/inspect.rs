//! `homestar inspect`

use std::path::PathBuf;

use clap::Args;
use homestar_core::ipld::{Ipld, cid_of_raw};
use homestar_core::wit::Function;
use homestar_engine::wit::{self, Description, Import};

use super::load;
use crate::error::CommandError;
use crate::print;

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
    let facts = Facts {
        cid: cid_of_raw(&bytes).to_string(),
        bytes: bytes.len() as u64,
        description: wit::describe(&bytes).map_err(load::explained)?,
    };
    match options.json {
        true => print::out(print::json_line(&facts.json())?.as_bytes()),
        false => print::out(facts.text().as_bytes()),
    }
}

struct Facts {
    cid: String,
    bytes: u64,
    description: Description,
}

impl Facts {
    fn needs(&self) -> impl Iterator<Item = &Import> {
        self.description
            .imports
            .iter()
            .filter(|import| !import.is_offered)
    }

    fn is_command(&self) -> bool {
        self.description.functions.iter().any(is_entry)
    }

    fn text(&self) -> String {
        let needs: Vec<_> = self.needs().map(|import| import.name.as_str()).collect();
        let pure = match needs.is_empty() {
            true => "yes".to_owned(),
            false => format!("no, it needs {}", needs.join(", ")),
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
            let mark = if import.is_offered {
                ""
            } else {
                "  (nothing provides it)"
            };
            format!("{}{mark}", import.name)
        });
        section(&mut text, "imports", imports.collect());
        section(&mut text, "exports", exports(&self.description.functions));
        text
    }

    fn json(&self) -> Ipld {
        let functions = self.description.functions.iter().map(|function| {
            print::map([
                ("name", Ipld::String(function.full_name())),
                ("type", Ipld::String(function.to_string())),
            ])
        });
        let imports = self.description.imports.iter();
        print::map([
            ("bytes", Ipld::Integer(self.bytes.into())),
            ("command", Ipld::Bool(self.is_command())),
            ("component", Ipld::String(self.cid.clone())),
            ("exports", Ipld::List(functions.collect())),
            (
                "imports",
                print::texts(imports.map(|import| import.name.clone())),
            ),
            ("module", Ipld::Bool(self.description.was_module)),
            (
                "needs",
                print::texts(self.needs().map(|import| import.name.clone())),
            ),
            ("pure", Ipld::Bool(self.needs().next().is_none())),
        ])
    }
}

fn is_entry(function: &Function) -> bool {
    let interface = function.interface.as_deref().unwrap_or_default();
    interface.starts_with("wasi:cli/run@") && function.name == "run"
}

/// Returns the functions as WIT, those of an interface below its name.
pub(super) fn exports(functions: &[Function]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut above = None;
    for function in functions {
        match function.interface.as_deref() {
            None => lines.push(function.to_string()),
            Some(interface) => {
                if above != Some(interface) {
                    lines.push(interface.to_owned());
                }
                lines.push(format!("  {function}"));
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
