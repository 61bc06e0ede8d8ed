//! Wiring: a guest and the effects it asks for become one component.
//!
//! Every import is satisfied by exactly one provider, chosen before anything runs: the deterministic world, or one
//! effect. The parts are joined into one component, so every type of the component model works between them and a
//! call costs an adapter.
//!
//! An effect that both asks for and offers an interface stands in front of the others that offer it: a cache, a
//! retry, a filter. Everybody who asks for the interface reaches the one in front, and it reaches the next.

use std::collections::{BTreeMap, HashMap};

use homestar_core::ipld::Cid;
use homestar_core::trace;
use wac_graph::types::{
    ItemKind, Package, Resource, ResourceAlias, Type, Types, UsedType, are_semver_compatible,
};
use wac_graph::{CompositionGraph, EncodeOptions, NodeId, PackageId};

use crate::component::{Identity, Piece};
use crate::effects::{Effect, Effects};
use crate::error::{LoadError, Missing};
use crate::link;
use crate::parts::{Import, Part, Sheet};

/// Wires the parts of a task as its trace says that they were wired. `effects` holds the effects among the parts, in
/// their order.
pub(crate) fn rewire<'a>(
    effects: &'a Effects,
    parts: &[trace::Part],
) -> Result<Wiring<'a>, LoadError> {
    let chosen = effects.iter().enumerate().map(|(index, effect)| Node {
        effect,
        principal: index + 1,
    });
    let mut wiring = Wiring {
        effects,
        chosen: chosen.collect(),
        wires: Vec::new(),
        missing: Vec::new(),
        is_plain: false,
    };
    for (asker, part) in parts.iter().enumerate() {
        for (import, provider) in &part.imports {
            wiring.rewire(asker, import, *provider as usize)?;
        }
    }
    Ok(wiring)
}

/// Chooses a provider for everything that `guest` and its effects ask for.
pub(crate) fn wire<'a>(guest: &Sheet, effects: &'a Effects) -> Result<Wiring<'a>, LoadError> {
    let mut wiring = wire_once(guest, effects)?;
    // Asked in this order, they may provide another interface to somebody than they do here, or be there once where
    // grants made two of one: then only a trace tells how it was.
    let asked = effects.in_order(&wiring.effects());
    wiring.is_plain = wire_once(guest, &asked).is_ok_and(|plain| plain.is_like(&wiring));
    Ok(wiring)
}

fn wire_once<'a>(guest: &Sheet, effects: &'a Effects) -> Result<Wiring<'a>, LoadError> {
    let mut wiring = Wiring {
        effects,
        chosen: Vec::new(),
        wires: Vec::new(),
        missing: Vec::new(),
        is_plain: false,
    };
    wiring.add(0, guest)?;
    match wiring.missing.is_empty() {
        true => Ok(wiring),
        false => Err(LoadError::Missing {
            missing: wiring.missing,
        }),
    }
}

/// Who provides what to whom. Parts are numbered: 0 is the guest, then the chosen effects.
pub(crate) struct Wiring<'a> {
    effects: &'a Effects,
    /// The effects that provide something, for whoever they act for.
    chosen: Vec<Node<'a>>,
    wires: Vec<Wire>,
    missing: Vec<Missing>,
    /// Whether all of it follows from the effects in the order in which they were asked first, without any grants.
    is_plain: bool,
}

/// An effect at work for somebody. One that acts for two parts with grants of their own is there twice, so that what
/// it does for one is never done with what was granted to the other.
struct Node<'a> {
    effect: &'a Effect,
    /// Number of the part within whose grants it acts: itself if it has any of its own.
    principal: usize,
}

/// One import that an effect provides.
#[derive(PartialEq, Eq)]
struct Wire {
    asker: usize,
    import: String,
    provider: usize,
    export: String,
}

impl<'a> Wiring<'a> {
    /// Returns the effects, each once.
    pub(crate) fn effects(&self) -> Vec<&'a Effect> {
        let mut effects: Vec<&Effect> = Vec::new();
        for node in &self.chosen {
            if !effects
                .iter()
                .any(|effect| effect.path() == node.effect.path())
            {
                effects.push(node.effect);
            }
        }
        effects
    }

    /// Tells whether both join the same effects in the same way.
    fn is_like(&self, other: &Self) -> bool {
        let cids = |wiring: &Self| -> Vec<Cid> {
            let nodes = wiring.chosen.iter();
            nodes.map(|node| *node.effect.cid()).collect()
        };
        self.wires == other.wires && cids(self) == cids(other)
    }

    /// Returns what `guest` is with what is wired to it.
    pub(crate) fn identity(&self, guest: Cid) -> Identity {
        let mut identity = Identity::of_guest(guest);
        identity.is_plain = self.is_plain;
        let effects = self.effects();
        let number = |node: &Node<'_>| {
            let mut effects = effects.iter();
            effects.position(|effect| effect.path() == node.effect.path())
        };
        let imports = |number| {
            let wires = self.wires.iter().filter(move |wire| wire.asker == number);
            let imports = wires.map(|wire| (wire.import.clone(), wire.provider));
            imports.collect::<BTreeMap<_, _>>()
        };
        let pieces = self.chosen.iter().enumerate().map(|(index, node)| Piece {
            imports: imports(index + 1),
            cid: *node.effect.cid(),
            effect: number(node),
            principal: node.principal,
            grants: node.effect.grants().cloned(),
        });
        identity.parts.extend(pieces);
        identity.parts[0].imports = imports(0);
        identity
    }

    /// Wires what `part`, which has the number `number`, asks for, and what its providers ask for in turn.
    fn add(&mut self, number: usize, part: &Sheet) -> Result<(), LoadError> {
        let asker = number.checked_sub(1).map(|index| self.chosen[index].effect);
        for import in part.asks() {
            let Some((provider, export)) = provider(self.effects, asker, &import.name)? else {
                self.miss(asker, import);
                continue;
            };
            let (node, is_new) = self.node(provider, number);
            self.wires.push(Wire {
                asker: number,
                import: import.name.clone(),
                provider: node,
                export: export.to_owned(),
            });
            if is_new {
                self.add(node, &provider.part()?.sheet)?;
            }
        }
        Ok(())
    }

    /// Wires an import to the part that provided it before.
    fn rewire(&mut self, asker: usize, import: &str, provider: usize) -> Result<(), LoadError> {
        let node = provider
            .checked_sub(1)
            .and_then(|index| self.chosen.get(index));
        let export = node.and_then(|node| node.effect.offers().find(|export| fits(export, import)));
        let Some(export) = export else {
            let missing = vec![Missing {
                import: import.to_owned(),
                functions: Vec::new(),
                asker: None,
                is_in_front: false,
                offered: None,
            }];
            return Err(LoadError::Missing { missing });
        };
        self.wires.push(Wire {
            asker,
            import: import.to_owned(),
            provider,
            export: export.to_owned(),
        });
        Ok(())
    }

    /// Returns the number of `effect` at work for part number `asker`, and whether it is new.
    fn node(&mut self, effect: &'a Effect, asker: usize) -> (usize, bool) {
        let next = self.chosen.len() + 1;
        let of_asker = match asker.checked_sub(1) {
            Some(index) => self.chosen[index].principal,
            None => 0,
        };
        let has_own = effect.grants().is_some();
        let position = self.chosen.iter().position(|node| {
            node.effect.path() == effect.path() && (has_own || node.principal == of_asker)
        });
        if let Some(position) = position {
            return (position + 1, false);
        }
        let principal = if has_own { next } else { of_asker };
        self.chosen.push(Node { effect, principal });
        (next, true)
    }

    fn miss(&mut self, asker: Option<&Effect>, import: &Import) {
        self.missing.push(Missing {
            import: import.name.clone(),
            functions: import.functions.clone(),
            asker: asker.map(|effect| effect.path().to_owned()),
            is_in_front: asker
                .is_some_and(|asker| asker.offers().any(|export| fits(export, &import.name))),
            offered: near(self.effects, &import.name),
        });
    }
}

/// Returns who provides `import` to `asker`, and the name under which it does.
pub(crate) fn provider<'a>(
    effects: &'a Effects,
    asker: Option<&Effect>,
    import: &str,
) -> Result<Option<(&'a Effect, &'a str)>, LoadError> {
    let offers = effects.iter().filter_map(|effect| {
        let export = effect.offers().find(|export| fits(export, import))?;
        Some((effect, export))
    });
    let (mut in_front, mut sources): (Vec<_>, Vec<_>) =
        offers.partition(|(effect, _)| stands_in_front(effect, import));
    let is_pinned = |(effect, _): &(&Effect, &str)| effects.is_pinned(effect, import);
    in_front.sort_by_key(|offer| !is_pinned(offer));
    if let Some(pinned) = sources.iter().position(is_pinned) {
        sources = vec![sources[pinned]];
    }
    let position = asker.and_then(|asker| {
        in_front
            .iter()
            .position(|(effect, _)| effect.path() == asker.path())
    });
    let next = in_front.get(position.map_or(0, |position| position + 1));
    match next {
        Some(next) => Ok(Some(*next)),
        None => source(&sources, import),
    }
}

/// Returns the one source in the first folder that has any.
fn source<'a>(
    sources: &[(&'a Effect, &'a str)],
    import: &str,
) -> Result<Option<(&'a Effect, &'a str)>, LoadError> {
    let Some(first) = sources.first() else {
        return Ok(None);
    };
    let mut same = sources
        .iter()
        .filter(|(effect, _)| effect.folder() == first.0.folder());
    match (same.next(), same.next()) {
        (Some((a, _)), Some((b, _))) => Err(LoadError::TwoProviders {
            import: import.to_owned(),
            paths: [a.path().to_owned(), b.path().to_owned()],
        }),
        _ => Ok(Some(*first)),
    }
}

/// An effect that asks for what it offers.
fn stands_in_front(effect: &Effect, interface: &str) -> bool {
    effect.asks().any(|import| fits(import, interface))
}

/// Tells whether who asks for `import` may be given `export`.
pub(crate) fn fits(export: &str, import: &str) -> bool {
    export == import || are_semver_compatible(export, import)
}

/// Returns an effect that offers another version of `import`, for a message.
fn near(effects: &Effects, import: &str) -> Option<(std::path::PathBuf, String)> {
    let (interface, _) = import.split_once('@')?;
    effects.iter().find_map(|effect| {
        let export = effect.offers().find(|export| {
            let of_same_name = export
                .split_once('@')
                .is_some_and(|(name, _)| name == interface);
            of_same_name && !fits(export, import)
        })?;
        Some((effect.path().to_owned(), export.to_owned()))
    })
}

/// Joins `guest` with what is wired to it.
pub(crate) fn compose(guest: Part, wiring: &Wiring<'_>) -> Result<Vec<u8>, LoadError> {
    let mut joining = Joining::default();
    let (guest, types, package) = guest.into_first();
    *joining.graph.types_mut() = types;
    joining.register(package)?;
    for (index, node) in wiring.chosen.iter().enumerate() {
        let part = node.effect.part()?;
        joining.add(part)?;
        joining.open_own(index + 1, &part.sheet)?;
    }
    for wire in &wiring.wires {
        joining.connect(wire, wiring)?;
    }
    joining.finish(&guest, wiring)
}

/// The parts as `wac-graph` knows them.
#[derive(Default)]
struct Joining {
    graph: CompositionGraph,
    packages: Vec<PackageId>,
    instances: Vec<NodeId>,
    aliases: HashMap<(usize, String), NodeId>,
}

impl Joining {
    /// Adds the next part.
    fn add(&mut self, part: &Part) -> Result<(), LoadError> {
        let name = Part::name(self.instances.len());
        let package = Package::from_bytes(&name, None, part.bytes(), self.graph.types_mut())
            .map_err(compose_error)?;
        self.register(package)
    }

    fn register(&mut self, package: Package) -> Result<(), LoadError> {
        let package = self
            .graph
            .register_package(package)
            .map_err(compose_error)?;
        self.packages.push(package);
        self.instances.push(self.graph.instantiate(package));
        Ok(())
    }

    /// Leaves what each part has of its own to the host, under a name that says whose it is.
    fn open_own(&mut self, number: usize, part: &Sheet) -> Result<(), LoadError> {
        let instance = self.instances[number];
        let world = self.graph.types()[self.graph[self.packages[number]].ty()].clone();
        for import in part.imports.iter().filter(|import| import.has_own()) {
            let Some(kind) = world.imports.get(&import.name) else {
                continue;
            };
            let kind = own(self.graph.types_mut(), *kind);
            let node = self
                .graph
                .import(link::label(number, &import.name), kind)
                .map_err(compose_error)?;
            self.graph
                .set_instantiation_argument(instance, &import.name, node)
                .map_err(compose_error)?;
        }
        Ok(())
    }

    fn connect(&mut self, wire: &Wire, wiring: &Wiring<'_>) -> Result<(), LoadError> {
        let export = self.alias(wire.provider, &wire.export)?;
        let asker = self.instances[wire.asker];
        self.graph
            .set_instantiation_argument(asker, &wire.import, export)
            .map_err(|error| LoadError::DoesNotFit {
                import: wire.import.clone(),
                asker: wire
                    .asker
                    .checked_sub(1)
                    .map(|effect| wiring.chosen[effect].effect.path().to_owned()),
                path: wiring.chosen[wire.provider - 1].effect.path().to_owned(),
                source: error.into(),
            })
    }

    fn alias(&mut self, part: usize, export: &str) -> Result<NodeId, LoadError> {
        let key = (part, export.to_owned());
        if let Some(node) = self.aliases.get(&key) {
            return Ok(*node);
        }
        let node = self
            .graph
            .alias_instance_export(self.instances[part], export)
            .map_err(compose_error)?;
        self.aliases.insert(key, node);
        Ok(node)
    }

    /// Exports what the guest exports, and encodes.
    fn finish(mut self, guest: &Sheet, wiring: &Wiring<'_>) -> Result<Vec<u8>, LoadError> {
        for export in &guest.all_exports {
            let node = self.alias(0, export)?;
            self.graph.export(node, export).map_err(compose_error)?;
        }
        // The compiler validates what comes of it.
        let options = EncodeOptions {
            validate: false,
            ..EncodeOptions::default()
        };
        self.graph.encode(options).map_err(|error| match error {
            wac_graph::EncodeError::GraphContainsCycle { .. } => LoadError::Circle {
                paths: wiring
                    .effects()
                    .iter()
                    .map(|effect| effect.path().to_owned())
                    .collect(),
            },
            error => compose_error(error),
        })
    }
}

/// Returns the type of what a part has of its own. Resources stay those of the interface that defines them, which all
/// parts share, so that they mean the same by them.
fn own(types: &mut Types, kind: ItemKind) -> ItemKind {
    let ItemKind::Instance(shared) = kind else {
        return kind;
    };
    let mut own = types[shared].clone();
    let is_defined = |name: &String| !own.uses.contains_key(name);
    let defined = own.exports.iter().filter_map(|(name, kind)| match kind {
        ItemKind::Type(Type::Resource(resource)) if is_defined(name) => {
            Some((name.clone(), *resource))
        }
        _ => None,
    });
    let defined: Vec<_> = defined.collect();
    if defined.is_empty() {
        return kind;
    }
    for (name, source) in defined {
        let owner = Some(shared);
        let resource = types.add_resource(Resource {
            name: name.clone(),
            alias: Some(ResourceAlias { owner, source }),
        });
        let kind = ItemKind::Type(Type::Resource(resource));
        own.exports.insert(name.clone(), kind);
        let used = UsedType {
            interface: shared,
            name: None,
        };
        own.uses.insert(name, used);
    }
    // Those of one name are taken for the same interface.
    own.id = None;
    ItemKind::Instance(types.add_interface(own))
}

fn compose_error(error: impl Into<crate::error::Source>) -> LoadError {
    LoadError::Compose {
        source: error.into(),
    }
}
