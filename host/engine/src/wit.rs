//! Components described from their own bytes, without compiling them.

use std::borrow::Cow;

use homestar_core::wit::Function;
use wit_component::{DecodedWasm, WitPrinter};
use wit_parser::{FunctionKind, InterfaceId, Resolve, WorldItem, WorldKey};

use crate::error::LoadError;
use crate::scan;
use crate::world;

mod types;

/// What a component is, as its own type says it.
#[derive(Clone, Debug)]
pub struct Description {
    /// Whether it came as a core module with a component type.
    pub was_module: bool,
    /// What it imports, in its own order.
    pub imports: Vec<Import>,
    /// The functions it exports, those of its interfaces after its own.
    pub functions: Vec<Function>,
}

/// Something that a component imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Its name, such as `wasi:io/poll@0.2.6`.
    pub name: String,
    /// Names of the functions in it; empty when it is a function itself, or has types alone.
    pub functions: Vec<String>,
    /// Whether the deterministic world offers it, or it needs no provider because it has types alone.
    pub is_offered: bool,
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
                is_offered: functions.is_empty() || world::offers(&name),
                name,
                functions,
            })
        }
        WorldItem::Function(_) => Some(Import {
            name,
            functions: Vec::new(),
            is_offered: false,
        }),
        WorldItem::Type { .. } => None,
    }
}

/// The functions of a world's exports.
struct Functions<'a> {
    resolve: &'a Resolve,
    translator: types::Translator<'a>,
    own: Vec<Function>,
    nested: Vec<Function>,
}

impl<'a> Functions<'a> {
    fn new(resolve: &'a Resolve) -> Self {
        Self {
            resolve,
            translator: types::Translator::new(resolve),
            own: Vec::new(),
            nested: Vec::new(),
        }
    }

    fn add(&mut self, key: &WorldKey, item: &WorldItem) -> Result<(), LoadError> {
        match item {
            WorldItem::Interface { id, .. } => self.interface(key, *id),
            WorldItem::Function(function) => {
                let function = self.function(None, function)?;
                self.own.push(function);
                Ok(())
            }
            WorldItem::Type { .. } => Ok(()),
        }
    }

    fn interface(&mut self, key: &WorldKey, id: InterfaceId) -> Result<(), LoadError> {
        let name = self.resolve.name_world_key(key);
        for function in self.resolve.interfaces[id].functions.values() {
            let function = self.function(Some(&name), function)?;
            self.nested.push(function);
        }
        Ok(())
    }

    fn function(
        &mut self,
        interface: Option<&str>,
        function: &wit_parser::Function,
    ) -> Result<Function, LoadError> {
        let params = function.params.iter();
        let params = params.map(|param| Ok((param.name.clone(), self.translator.ty(&param.ty)?)));
        let params = params.collect::<Result<_, LoadError>>()?;
        let result = function.result.as_ref();
        let result = result.map(|ty| self.translator.ty(ty)).transpose()?;
        Ok(Function {
            interface: interface.map(str::to_owned),
            name: function.name.clone(),
            params,
            result,
            is_async: matches!(
                function.kind,
                FunctionKind::AsyncFreestanding
                    | FunctionKind::AsyncMethod(_)
                    | FunctionKind::AsyncStatic(_)
            ),
        })
    }

    fn finish(mut self) -> Vec<Function> {
        self.own.append(&mut self.nested);
        self.own
    }
}
