//! Components described from their own bytes, without compiling them.

use std::borrow::Cow;

use wit_component::{DecodedWasm, WitPrinter};
use wit_parser::{InterfaceId, Resolve, WorldItem, WorldKey};

use crate::error::LoadError;
use crate::{link, scan, world};

mod exports;
mod signature;

pub use self::exports::{Defined, Exported, Exports, Kind, Ty, exports};

/// What a component is, as its own type says it.
#[derive(Clone, Debug)]
pub struct Description {
    /// Whether it came as a core module with a component type.
    pub was_module: bool,
    /// What it imports, in its own order.
    pub imports: Vec<Import>,
    /// The functions it exports, those of its interfaces after its own.
    pub functions: Vec<Signature>,
}

/// A function that a component exports, as its WIT has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The interface it is in; none if the world exports it itself.
    pub interface: Option<String>,
    /// Its name, such as `add` or `[method]counter.increment`.
    pub name: String,
    /// It as WIT, such as `add: func(a: u32, b: u32) -> u32`. Types have the names that the component gave them.
    pub text: String,
}

impl Signature {
    /// Returns the one spelling that instructions use: `acme:math/ops@0.1.0#add`, or `add`.
    pub fn full_name(&self) -> String {
        match &self.interface {
            Some(interface) => format!("{interface}#{}", self.name),
            None => self.name.clone(),
        }
    }

    /// Tells whether it is the entry of a command: `run` of `wasi:cli/run`.
    pub fn is_command(&self) -> bool {
        let interface = self.interface.as_deref().unwrap_or_default();
        interface.starts_with("wasi:cli/run@") && self.name == "run"
    }
}

/// Something that a component imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Its name, such as `wasi:io/poll@0.2.6`.
    pub name: String,
    /// Names of the functions in it; empty when it is a function itself, or has types alone.
    pub functions: Vec<String>,
    /// Whether the host offers it, or it needs no provider because it has types alone.
    pub is_offered: bool,
    /// The driver that it leads to, if it leads outside, such as `homestar:driver/http`.
    pub driver: Option<&'static str>,
}

/// Returns what the component in `bytes` imports and exports.
pub fn describe(bytes: &[u8]) -> Result<Description, LoadError> {
    let component = scan::component(bytes)?;
    let was_module = matches!(component, Cow::Owned(_));
    let (resolve, world) = match decode(&component)? {
        DecodedWasm::Component(resolve, world) => (resolve, world),
        DecodedWasm::WitPackage(..) => {
            return Err(LoadError::Invalid {
                source: "it holds a WIT package and no code".into(),
            });
        }
    };
    let world = &resolve.worlds[world];
    let imports = world
        .imports
        .iter()
        .filter_map(|(key, item)| import(&resolve, key, item))
        .collect();
    let mut functions = Functions::new(&resolve);
    for (key, item) in &world.exports {
        functions.add(key, item)?;
    }
    Ok(Description {
        was_module,
        imports,
        functions: functions.finish(),
    })
}

/// Returns the world of the component in `bytes` as a WIT document, with the packages it uses.
pub fn print(bytes: &[u8]) -> Result<String, LoadError> {
    let component = scan::component(bytes)?;
    let decoded = decode(&component)?;
    let (DecodedWasm::Component(resolve, _) | DecodedWasm::WitPackage(resolve, _)) = &decoded;
    let main = decoded.package();
    let others: Vec<_> = resolve
        .packages
        .iter()
        .map(|(id, _)| id)
        .filter(|id| *id != main)
        .collect();
    let mut printer = WitPrinter::default();
    printer.print(resolve, main, &others).map_err(invalid)?;
    Ok(printer.output.to_string())
}

fn decode(component: &[u8]) -> Result<DecodedWasm, LoadError> {
    wit_component::decode(component).map_err(invalid)
}

fn invalid(error: anyhow::Error) -> LoadError {
    LoadError::Invalid {
        source: error.into(),
    }
}

/// Types that stand in a world by themselves are no import of anything.
fn import(resolve: &Resolve, key: &WorldKey, item: &WorldItem) -> Option<Import> {
    let name = resolve.name_world_key(key);
    match item {
        WorldItem::Interface { id, .. } => {
            let functions: Vec<_> = resolve.interfaces[*id].functions.keys().cloned().collect();
            Some(Import {
                is_offered: functions.is_empty() || world::offers(&name) || link::offers(&name),
                driver: link::driver(&name).filter(|_| !functions.is_empty()),
                name,
                functions,
            })
        }
        WorldItem::Function(_) => Some(Import {
            name,
            functions: Vec::new(),
            is_offered: false,
            driver: None,
        }),
        WorldItem::Type { .. } => None,
    }
}

/// The functions of a world's exports.
struct Functions<'a> {
    resolve: &'a Resolve,
    own: Vec<Signature>,
    nested: Vec<Signature>,
}

impl<'a> Functions<'a> {
    fn new(resolve: &'a Resolve) -> Self {
        Self {
            resolve,
            own: Vec::new(),
            nested: Vec::new(),
        }
    }

    fn add(&mut self, key: &WorldKey, item: &WorldItem) -> Result<(), LoadError> {
        match item {
            WorldItem::Interface { id, .. } => self.interface(key, *id),
            WorldItem::Function(function) => {
                let signature = self.signature(None, function)?;
                self.own.push(signature);
                Ok(())
            }
            WorldItem::Type { .. } => Ok(()),
        }
    }

    fn interface(&mut self, key: &WorldKey, id: InterfaceId) -> Result<(), LoadError> {
        let name = self.resolve.name_world_key(key);
        for function in self.resolve.interfaces[id].functions.values() {
            let signature = self.signature(Some(&name), function)?;
            self.nested.push(signature);
        }
        Ok(())
    }

    fn signature(
        &self,
        interface: Option<&str>,
        function: &wit_parser::Function,
    ) -> Result<Signature, LoadError> {
        Ok(Signature {
            interface: interface.map(str::to_owned),
            name: function.name.clone(),
            text: signature::of(self.resolve, function)?,
        })
    }

    fn finish(mut self) -> Vec<Signature> {
        self.own.append(&mut self.nested);
        self.own
    }
}
