//! The contracts in `wit/`: one path that a bindings tool can take, documented to the last case, and without a way from
//! a guest to a driver.

use std::path::{Path, PathBuf};

use wit_parser::{
    Docs, Function, Interface, PackageId, Resolve, TypeDef, TypeDefKind, TypeOwner, World,
    WorldItem, WorldKey,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")
}

fn parse() -> (Resolve, PackageId) {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(folder()).expect("wit/ parses as one path");
    (resolve, package)
}

#[test]
fn every_package_has_the_one_version() {
    let (resolve, _) = parse();
    let mut names: Vec<_> = resolve
        .packages
        .iter()
        .map(|(_, package)| package.name.to_string())
        .collect();
    names.sort();
    let expected = [
        "all", "blocks", "crypto", "dns", "driver", "https", "random", "std",
    ];
    let expected = expected.map(|name| format!("homestar:{name}@0.1.0"));
    assert_eq!(names, expected);
}

#[test]
fn everything_is_documented() {
    let (resolve, _) = parse();
    let mut bare = Bare::default();
    for (_, package) in &resolve.packages {
        bare.check(&package.docs, || package.name.to_string());
    }
    for (_, interface) in &resolve.interfaces {
        bare.interface(&resolve, interface);
    }
    for (_, world) in &resolve.worlds {
        bare.world(&resolve, world);
    }
    assert!(bare.0.is_empty(), "without a doc comment: {:#?}", bare.0);
}

/// A guest that is given `homestar:all`, or a package that is meant for guests, meets no driver.
#[test]
fn guests_reach_no_driver() {
    let (resolve, package) = parse();
    for name in ["everything", "everything-async"] {
        let world = resolve
            .select_world(&[package], Some(name))
            .expect("a world for guests");
        let world = &resolve.worlds[world];
        assert!(!world.imports.is_empty());
        for key in world.imports.keys() {
            let import = resolve.name_world_key(key);
            assert!(!import.starts_with("homestar:driver/"), "{name}: {import}");
        }
    }
    for (_, interface) in &resolve.interfaces {
        if is_driver(&resolve, interface) {
            continue;
        }
        for used in interface.types.values() {
            let TypeDefKind::Type(wit_parser::Type::Id(used)) = resolve.types[*used].kind else {
                continue;
            };
            let TypeOwner::Interface(owner) = resolve.types[used].owner else {
                continue;
            };
            let owner = &resolve.interfaces[owner];
            assert!(
                !is_driver(&resolve, owner),
                "{:?} uses a type of the driver {:?}",
                interface.name,
                owner.name
            );
        }
    }
}

/// Plain functions for guests with plain functions: one of those could not wait for an async one.
#[test]
fn async_functions_stand_apart() {
    let (resolve, package) = parse();
    let world = resolve
        .select_world(&[package], Some("everything"))
        .expect("a world for guests");
    for (key, item) in &resolve.worlds[world].imports {
        let WorldItem::Interface { id, .. } = item else {
            continue;
        };
        for function in resolve.interfaces[*id].functions.values() {
            let import = resolve.name_world_key(key);
            assert!(!function.kind.is_async(), "{import}: {}", function.name);
        }
    }
}

/// An effect offers an interface for guests, and what it asks is a driver or such an interface.
#[test]
fn every_provider_offers_what_guests_may_import() {
    let (resolve, package) = parse();
    let world = resolve
        .select_world(&[package], Some("everything-async"))
        .expect("a world for guests");
    let offered: Vec<_> = resolve.worlds[world]
        .imports
        .keys()
        .map(|key| resolve.name_world_key(key))
        .collect();
    let mut providers = 0;
    for (_, world) in &resolve.worlds {
        for key in world.exports.keys() {
            let export = resolve.name_world_key(key);
            assert!(offered.contains(&export), "{}: {export}", world.name);
            providers += 1;
        }
    }
    // All but those that the host itself offers, and the types.
    let hosts = ["blocks/", "std/ipld@", "std/log@", "std/task@"];
    let is_of_the_host = |name: &str| hosts.iter().any(|host| name.contains(host));
    let others = offered
        .iter()
        .filter(|name| !is_of_the_host(name) && !name.contains("/types@"));
    assert!(providers >= others.count());
}

fn is_driver(resolve: &Resolve, interface: &Interface) -> bool {
    interface
        .package
        .is_some_and(|package| resolve.packages[package].name.name == "driver")
}

/// The names of what has no doc comment.
#[derive(Default)]
struct Bare(Vec<String>);

impl Bare {
    fn check(&mut self, docs: &Docs, name: impl FnOnce() -> String) {
        if docs
            .contents
            .as_ref()
            .is_none_or(|text| text.trim().is_empty())
        {
            self.0.push(name());
        }
    }

    fn interface(&mut self, resolve: &Resolve, interface: &Interface) {
        let name = interface.name.clone().unwrap_or_default();
        let package = interface.package.expect("an interface of a package");
        let name = format!("{}/{name}", resolve.packages[package].name);
        self.check(&interface.docs, || name.clone());
        for function in interface.functions.values() {
            self.function(&name, function);
        }
        for id in interface.types.values() {
            self.type_def(&name, &resolve.types[*id]);
        }
    }

    fn world(&mut self, resolve: &Resolve, world: &World) {
        self.check(&world.docs, || format!("world {}", world.name));
        let items = world.imports.iter().chain(&world.exports);
        for (key, item) in items {
            match (key, item) {
                (WorldKey::Name(_), WorldItem::Function(function)) => {
                    self.function(&world.name, function);
                }
                (WorldKey::Name(_), WorldItem::Type { id, .. }) => {
                    self.type_def(&world.name, &resolve.types[*id]);
                }
                _ => {}
            }
        }
    }

    fn function(&mut self, owner: &str, function: &Function) {
        self.check(&function.docs, || format!("{owner} {}", function.name));
    }

    fn type_def(&mut self, owner: &str, def: &TypeDef) {
        let name = def.name.as_deref().unwrap_or_default();
        // What is taken over with `use` is documented where it comes from.
        if let TypeDefKind::Type(wit_parser::Type::Id(_)) = def.kind {
            return;
        }
        self.check(&def.docs, || format!("{owner} {name}"));
        let parts: Vec<(&str, &Docs)> = match &def.kind {
            TypeDefKind::Record(record) => {
                let fields = record.fields.iter();
                fields.map(|field| (&*field.name, &field.docs)).collect()
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter();
                cases.map(|case| (&*case.name, &case.docs)).collect()
            }
            TypeDefKind::Enum(cases) => {
                let cases = cases.cases.iter();
                cases.map(|case| (&*case.name, &case.docs)).collect()
            }
            TypeDefKind::Flags(flags) => {
                let flags = flags.flags.iter();
                flags.map(|flag| (&*flag.name, &flag.docs)).collect()
            }
            _ => Vec::new(),
        };
        for (part, docs) in parts {
            self.check(docs, || format!("{owner} {name}.{part}"));
        }
    }
}
