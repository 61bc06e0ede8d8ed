//! `homestar effect inspect`

use std::path::{Path, PathBuf};

use clap::Args;
use homestar_core::grant::Grants;
use homestar_core::ipld::Ipld;
use homestar_engine::wit::{self, Description, Import};
use homestar_engine::{Effect, Effects};

use super::super::inspect as component;
use super::super::limits::ConfigOptions;
use super::super::load;
use super::super::wiring::{self, Doors};
use super::asked;
use crate::authority::Authority;
use crate::error::CommandError;
use crate::{folders, print};

/// Show what an effect offers, what it asks for, and what it is granted
///
/// Reads the effect's own type and runs nothing, so it shows what a stranger's file would ask for before you add it.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  homestar effect inspect https
  homestar effect inspect downloads/weather.wasm
  homestar effect inspect weather --wit")]
pub(super) struct Options {
    /// Name or CID of an effect that is there, or a file
    #[arg(value_name = "NAME|FILE")]
    which: PathBuf,
    /// Print the effect's type as a WIT document
    #[arg(long, conflicts_with = "json")]
    wit: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    config: ConfigOptions,
}

pub(super) fn main(options: &Options) -> Result<(), CommandError> {
    let authority = Authority::new(&options.config.settings()?, &[], &[]);
    let mut effects = folders::effects(&[]);
    authority.give(&mut effects)?;
    let effect = find(&effects, &options.which)?;
    if options.wit {
        let document = wit::print(effect.bytes()).map_err(load::explained)?;
        return print::out(document.as_bytes());
    }
    let facts = Facts::of(&effects, &effect, &authority)?;
    match options.json {
        true => print::out(print::json_line(&facts.json())?.as_bytes()),
        false => print::out(facts.text().as_bytes()),
    }
}

/// Returns the effect of that name or CID, or the one in that file.
fn find(effects: &Effects, which: &Path) -> Result<Effect, CommandError> {
    let named = which.to_str().unwrap_or_default();
    if let Some(effect) = effects.iter().find(|effect| effect.is(named)) {
        return Ok(effect.clone());
    }
    if !which.exists() {
        let words = format!("there is no effect {0}, and no file {0}", which.display());
        return Err(CommandError::input(words).hint("`homestar effect list` shows those there are"));
    }
    Effect::open(which, folders::EFFECT_BYTES_MAX).map_err(CommandError::input)
}

struct Facts<'a> {
    effects: &'a Effects,
    effect: &'a Effect,
    description: Description,
    /// What it is granted by its name.
    granted: Option<Grants>,
    /// The doors that it reaches, or why it can't be used.
    doors: Result<Doors, String>,
}

impl<'a> Facts<'a> {
    fn of(
        effects: &'a Effects,
        effect: &'a Effect,
        authority: &Authority,
    ) -> Result<Self, CommandError> {
        let description = wit::describe(effect.bytes()).map_err(load::explained)?;
        let wired = effects.wired_to(effect.bytes());
        let granted = authority.own(effect);
        let grants = granted.clone().unwrap_or_else(|| authority.task());
        let doors = wired.and_then(|wired| {
            if !wired.is_empty() {
                effects.fit(effect.bytes())?;
            }
            Doors::of(&description.imports, Some(effect), &grants, effects)
        });
        Ok(Self {
            effects,
            effect,
            description,
            granted,
            doors: doors.map_err(|error| error.to_string()),
        })
    }

    /// Returns an import, with who provides it.
    fn import(&self, import: &Import) -> String {
        let name = &import.name;
        match (import.is_offered, import.driver, wiring::grant_for(name)) {
            (false, ..) => asked(self.effects, self.effect, name),
            (_, Some(_), _) => format!("{name}  (leads outside)"),
            (_, _, Some(grant)) => format!("{name}  (real if granted {grant})"),
            _ => name.clone(),
        }
    }

    fn granted(&self) -> String {
        match &self.granted {
            Some(grants) => grants.to_string(),
            None => "what is granted to who asks it".to_owned(),
        }
    }

    fn text(&self) -> String {
        let bytes = print::number(self.effect.bytes().len() as u64);
        let mut rows = vec![
            ("effect", self.effect.name().to_owned()),
            ("file", self.effect.path().display().to_string()),
            ("cid", self.effect.cid().to_string()),
            ("size", format!("{bytes} bytes")),
            ("granted", self.granted()),
        ];
        match &self.doors {
            Ok(doors) if doors.are_none() => rows.push(("reaches", "nothing outside".to_owned())),
            Ok(doors) => rows.extend(doors.texts().into_iter().map(|door| ("reaches", door))),
            Err(error) => rows.push(("reaches", format!("it can't run: {error}"))),
        }
        let mut text = print::table(&rows);
        let imports = self.description.imports.iter();
        let imports = imports.map(|import| self.import(import)).collect();
        component::section(&mut text, "imports", imports);
        let exports = component::exports(&self.description.functions);
        component::section(&mut text, "exports", exports);
        text
    }

    fn json(&self) -> Ipld {
        let effect = self.effect;
        let imports = self.description.imports.iter();
        let sets = |grants: &Grants| {
            let set = |set: &[_]| print::texts(set.iter().map(ToString::to_string));
            Ipld::List(grants.sets().map(set).collect())
        };
        print::map([
            ("asks", print::texts(effect.asks().map(str::to_owned))),
            ("built_in", Ipld::Bool(effect.is_built_in())),
            ("bytes", Ipld::Integer(effect.bytes().len() as i128)),
            ("drivers", print::texts(effect.drivers().map(str::to_owned))),
            ("effect", Ipld::Link(*effect.cid())),
            ("exports", component::functions(&self.description.functions)),
            ("file", Ipld::String(effect.path().display().to_string())),
            ("granted", self.granted.as_ref().map_or(Ipld::Null, sets)),
            (
                "imports",
                print::texts(imports.map(|import| import.name.clone())),
            ),
            ("name", Ipld::String(effect.name().to_owned())),
            ("offers", print::texts(effect.offers().map(str::to_owned))),
            (
                "reaches",
                self.doors.as_ref().map_or(Ipld::Null, Doors::to_ipld),
            ),
        ])
    }
}
