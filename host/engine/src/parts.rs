//! What a component imports and exports, read from its own type without compiling it.

use wac_graph::types::{ItemKind, Package, Types};

use crate::error::LoadError;
use crate::{scan, world};

/// A component that may become part of a composition.
#[derive(Debug)]
pub(crate) struct Part {
    /// The component itself, turned into one if it was a core module.
    pub(crate) bytes: Vec<u8>,
    /// What it imports.
    pub(crate) imports: Vec<Import>,
    /// Names of the interfaces that it exports.
    pub(crate) exports: Vec<String>,
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

impl Part {
    /// Reads the type of the component in `bytes`.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, LoadError> {
        let bytes = scan::component(bytes)?.into_owned();
        let mut types = Types::default();
        let package =
            Package::from_bytes("component", None, bytes.clone(), &mut types).map_err(|error| {
                LoadError::Invalid {
                    source: error.into(),
                }
            })?;
        let world = &types[package.ty()];
        let imports = world
            .imports
            .iter()
            .map(|(name, kind)| import(&types, name, kind));
        let interfaces = world
            .exports
            .iter()
            .filter(|(_, kind)| matches!(kind, ItemKind::Instance(_)));
        Ok(Self {
            imports: imports.collect(),
            exports: interfaces.map(|(name, _)| name.clone()).collect(),
            all_exports: world.exports.keys().cloned().collect(),
            bytes,
        })
    }

    /// Returns what somebody has to provide and the deterministic world doesn't.
    pub(crate) fn asks(&self) -> impl Iterator<Item = &Import> {
        self.imports
            .iter()
            .filter(|import| import.needs_provider && !world::offers(&import.name))
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
