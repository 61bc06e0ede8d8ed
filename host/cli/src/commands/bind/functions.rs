//! The functions of a component, each with a name of its own.

use std::collections::{HashMap, HashSet};

use homestar_engine::wit::{Exports, Kind, Ty};

/// What is written of a component.
pub(super) struct Functions {
    /// The component, as a workflow names it.
    pub(super) component: String,
    /// Its types, each after those that it is made of.
    pub(super) types: Vec<Type>,
    pub(super) list: Vec<Function>,
    /// What can't be called, each with why.
    pub(super) left_out: Vec<(String, String)>,
}

/// A type that has a name.
pub(super) struct Type {
    /// In kebab case, and another than that of every other type.
    pub(super) name: String,
    pub(super) kind: Kind,
}

pub(super) struct Function {
    /// In kebab case, and another than that of every other function.
    pub(super) name: String,
    /// What a workflow calls it: the shortest name that tells it apart.
    pub(super) call: String,
    /// It as WIT.
    pub(super) text: String,
    pub(super) params: Vec<(String, Ty)>,
    /// What it gives where it succeeds, if anything.
    pub(super) gives: Option<Ty>,
}

impl Functions {
    pub(super) fn new(component: &str, exports: Exports) -> Self {
        let left_out = exports.left_out.iter().map(|(name, _)| {
            let (interface, name) = name.rsplit_once('#').unwrap_or(("", name));
            (Some(interface), name)
        });
        let functions = exports.functions.iter().map(|function| {
            let signature = &function.signature;
            (signature.interface.as_deref(), &*signature.name)
        });
        // A name has to tell it apart from those that are left out, too.
        let calls: Vec<_> = functions.chain(left_out).collect();
        let names = unique(&calls);
        let types = exports.types.iter();
        let types: Vec<_> = types
            .map(|ty| (ty.interface.as_deref(), &*ty.name))
            .collect();
        let type_names = unique(&types);
        let is_short = |name: &str| calls.iter().filter(|(_, other)| *other == name).count() == 1;
        let list = exports.functions.iter().zip(names).map(|(function, name)| {
            let signature = &function.signature;
            Function {
                name,
                call: match is_short(&signature.name) {
                    true => signature.name.clone(),
                    false => signature.full_name(),
                },
                text: signature.text.clone(),
                params: function.params.clone(),
                gives: function.gives.clone(),
            }
        });
        let list = list.collect();
        let types = exports.types.into_iter().zip(type_names);
        Self {
            component: component.to_owned(),
            types: types
                .map(|(ty, name)| Type {
                    name,
                    kind: ty.kind,
                })
                .collect(),
            list,
            left_out: exports.left_out,
        }
    }
}

/// Returns a name for each of what lies in interfaces: its own, or with as much of the interface before it as tells it apart.
fn unique(all: &[(Option<&str>, &str)]) -> Vec<String> {
    const FORMS: [fn(Option<&str>, &str) -> String; 3] = [
        |_, name| name.to_owned(),
        |interface, name| with(last_word(interface), name),
        |interface, name| with(interface.map(spelled), name),
    ];
    let count = |form: fn(Option<&str>, &str) -> String| {
        let mut counts = HashMap::<String, usize>::new();
        for (interface, name) in all {
            *counts.entry(form(*interface, name)).or_default() += 1;
        }
        counts
    };
    let counts = FORMS.map(count);
    let mut taken = HashSet::new();
    let one = |(interface, name): &(Option<&str>, &str)| {
        let forms = FORMS.iter().zip(&counts);
        let mut forms = forms.map(|(form, counts)| (form(*interface, name), counts));
        let told = forms.find(|(form, counts)| counts[form] == 1 && !taken.contains(form));
        let whole = with(interface.map(spelled), name);
        let mut found = told.map_or(whole, |(form, _)| form);
        while !taken.insert(found.clone()) {
            found += "-too";
        }
        found
    };
    all.iter().map(one).collect()
}

fn with(interface: Option<String>, name: &str) -> String {
    match interface {
        Some(interface) if !interface.is_empty() => format!("{interface}-{name}"),
        _ => name.to_owned(),
    }
}

/// `ops` of `acme:math/ops@0.1.0`.
fn last_word(interface: Option<&str>) -> Option<String> {
    let name = interface?.split('@').next()?;
    name.rsplit('/').next().map(str::to_owned)
}

/// `acme-math-ops-0-1-0` of `acme:math/ops@0.1.0`.
fn spelled(interface: &str) -> String {
    interface.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_one_name_is_told_apart_by_its_interface() {
        let all = [
            (Some("acme:math/ops@0.1.0"), "add"),
            (Some("acme:math/ops@0.1.0"), "half"),
            (Some("acme:text/ops@0.1.0"), "add"),
            (Some("acme:text/words@0.1.0"), "add"),
            (None, "words-add"),
        ];
        let names = [
            "acme-math-ops-0-1-0-add",
            "half",
            "acme-text-ops-0-1-0-add",
            "acme-text-words-0-1-0-add",
            "words-add",
        ];
        assert_eq!(unique(&all), names);
        assert_eq!(unique(&[(None, "a"), (Some("n:p/i"), "a")]), ["a", "i-a"]);
    }
}
