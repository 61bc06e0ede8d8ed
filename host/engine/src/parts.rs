//! What a component imports and exports, read from its own type without compiling it.

use wac_graph::types::{ItemKind, Package, Types};

use crate::error::LoadError;
use crate::{link, scan, world};

/// A component that may become part of a composition.
#[derive(Debug)]
pub(crate) struct Part {
    /// What it imports and exports.
    pub(crate) sheet: Sheet,
    types: Types,
    /// The component itself, turned into one if it was a core module.
    package: Package,
}

/// What a component imports and exports.
#[derive(Clone, Debug)]
pub(crate) struct Sheet {
    /// What it imports.
    pub(crate) imports: Vec<Import>,
    /// Names of everything that it exports.
    pub(crate) all_exports: Vec<String>,
}

/// Something a component imports.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    /// Its name, such as `acme:weather/forecast@0.1.0`.
    pub(crate) name: String,
    /// The functions that the component wants of it.
    pub(crate) functions: Vec<String>,
    /// Whether somebody has to provide it. An interface of nothing but types needs nobody.
    pub(crate) needs_provider: bool,
}

impl Import {
    /// Tells whether each part of a composition imports it under a name of its own.
    pub(crate) fn has_own(&self) -> bool {
        self.needs_provider && link::has_own(&self.name)
    }
}

impl Part {
    /// Reads the type of the component in `bytes`.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, LoadError> {
        let bytes = scan::component(bytes)?.into_owned();
        let mut types = Types::default();
        let package = Package::from_bytes(&Self::name(0), None, bytes, &mut types);
        let package = package.map_err(|error| LoadError::Invalid {
            source: error.into(),
        })?;
        let world = &types[package.ty()];
        let imports = world
            .imports
            .iter()
            .map(|(name, kind)| import(&types, name, kind));
        let sheet = Sheet {
            imports: imports.collect(),
            all_exports: world.exports.keys().cloned().collect(),
        };
        Ok(Self {
            sheet,
            types,
            package,
        })
    }

    /// Returns the name of part `number` in a composition. It may stand in there, so it may not depend on where a
    /// file lies, and two parts may be copies of one effect.
    pub(crate) fn name(number: usize) -> String {
        format!("part-{number}")
    }

    /// Returns the component.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.package.bytes()
    }

    /// Returns it as part 0 of a composition: reading a large one takes a while, so it is done once.
    pub(crate) fn into_first(self) -> (Sheet, Types, Package) {
        (self.sheet, self.types, self.package)
    }
}

impl Sheet {
    /// Returns what another component has to provide: neither the deterministic world nor a driver does.
    pub(crate) fn asks(&self) -> impl Iterator<Item = &Import> {
        let is_offered = |name: &str| world::offers(name) || link::offers(name);
        let imports = self.imports.iter();
        imports.filter(move |import| import.needs_provider && !is_offered(&import.name))
    }

    /// Returns the interfaces that lead outside.
    pub(crate) fn drivers(&self) -> impl Iterator<Item = &str> {
        let imports = self.imports.iter().filter(|import| import.needs_provider);
        imports
            .map(|import| import.name.as_str())
            .filter(|name| link::driver(name).is_some())
    }
}

fn import(types: &Types, name: &str, kind: &ItemKind) -> Import {
    let name = name.to_owned();
    let ItemKind::Instance(interface) = kind else {
        let needs_provider = !matches!(kind, ItemKind::Type(_));
        return Import {
            name,
            functions: Vec::new(),
            needs_provider,
        };
    };
    let exports = &types[*interface].exports;
    let functions = exports
        .iter()
        .filter(|(_, kind)| matches!(kind, ItemKind::Func(_)));
    let functions: Vec<_> = functions.map(|(name, _)| name.clone()).collect();
    let defines_resources = exports.iter().any(|(name, kind)| {
        matches!(kind, ItemKind::Type(wac_graph::types::Type::Resource(_)))
            && !types[*interface].uses.contains_key(name)
    });
    Import {
        name,
        needs_provider: !functions.is_empty() || defines_resources,
        functions,
    }
}
