//! Functions as Rust.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use homestar_engine::wit::{Kind, Ty};

use super::functions::{Function, Functions};
use super::names::{self, Taken};
use super::{MADE, listed, quoted};

/// Names that mean something to Rust and can be no others, not even marked.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "union", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Names of types that are used.
const USED: &[&str] = &[
    "Arg",
    "BTreeSet",
    "Component",
    "Content",
    "Data",
    "Into",
    "Link",
    "Option",
    "Result",
    "Self",
    "String",
    "Task",
    "Vec",
];

/// Returns the module.
pub(super) fn text(functions: &Functions) -> String {
    let mut writer = Writer {
        functions,
        values: Taken::new(KEYWORDS.iter().copied()),
        names: Taken::new(USED.iter().copied()),
        types: Vec::new(),
        used: BTreeSet::from(["Component", "Task"]),
        body: String::new(),
    };
    for at in 0..functions.types.len() {
        writer.define(at);
    }
    for function in &functions.list {
        writer.function(function);
    }
    writer.whole()
}

struct Writer<'a> {
    functions: &'a Functions,
    /// Names of functions, and of types.
    values: Taken,
    names: Taken,
    /// What each type is called.
    types: Vec<String>,
    /// Names that have to be imported.
    used: BTreeSet<&'static str>,
    body: String,
}

impl Writer<'_> {
    fn whole(mut self) -> String {
        let component = &self.functions.component;
        let mut text = format!(
            "//! The functions of {component}, for workflows: {MADE}.\n\n\
             #![allow(dead_code, reason = \"a workflow calls what it needs\")]\n\n"
        );
        if self.used.remove("BTreeSet") {
            text += "use std::collections::BTreeSet;\n\n";
        }
        let used: Vec<_> = self.used.into_iter().collect();
        let _ = write!(
            text,
            "use homestar_sdk::flow::{{{}}};\n\nconst COMPONENT: Component = Component::new({});\n",
            used.join(", "),
            quoted(component),
        );
        text + &self.body
    }

    fn use_(&mut self, name: &'static str) -> String {
        self.used.insert(name);
        name.to_owned()
    }

    fn ty(&mut self, ty: &Ty, is_in: bool) -> String {
        match ty {
            Ty::Plain(name) => plain(name).to_owned(),
            Ty::Bytes | Ty::Content if is_in => self.use_("Content"),
            Ty::Bytes => "Vec<u8>".to_owned(),
            Ty::Content => self.use_("Link"),
            Ty::Any => self.use_("Data"),
            Ty::List(item) => format!("Vec<{}>", self.ty(item, is_in)),
            Ty::Option(some) => format!("Option<{}>", self.ty(some, is_in)),
            Ty::Tuple(items) => {
                let items: Vec<_> = items.iter().map(|item| self.ty(item, is_in)).collect();
                match &items[..] {
                    [only] => format!("({only},)"),
                    items => format!("({})", items.join(", ")),
                }
            }
            Ty::Result(ok, err) => {
                let mut part = |ty: &Option<Box<Ty>>| match ty {
                    Some(ty) => self.ty(ty, is_in),
                    None => "()".to_owned(),
                };
                let (ok, err) = (part(ok), part(err));
                format!("Result<{ok}, {err}>")
            }
            Ty::Defined(at) => {
                let name = self.types[*at].clone();
                match self.functions.types[*at].kind {
                    Kind::Flags(_) => format!("{}<{name}>", self.use_("BTreeSet")),
                    _ => name,
                }
            }
        }
    }

    fn define(&mut self, at: usize) {
        let functions = self.functions;
        let ty = &functions.types[at];
        let name = self.names.take(names::camel(&ty.name));
        let macro_ = match &ty.kind {
            Kind::Record(_) => "record",
            Kind::Variant(_) => "variant",
            Kind::Enum(_) | Kind::Flags(_) => "words",
        };
        let _ = write!(
            self.body,
            "\nhomestar_sdk::flow::{macro_}! {{\n    /// `{}`\n    {name} {{\n",
            ty.name
        );
        match &ty.kind {
            Kind::Record(fields) => self.record(fields),
            Kind::Variant(cases) => self.variant(cases),
            Kind::Enum(cases) | Kind::Flags(cases) => {
                let mut taken = Taken::new(["Self"]);
                for case in cases {
                    let own = taken.take(names::camel(case));
                    let _ = writeln!(self.body, "        {own} = {},", quoted(case));
                }
            }
        }
        self.body.push_str("    }\n}\n");
        self.types.push(name);
    }

    fn record(&mut self, fields: &[(String, Ty)]) {
        let mut taken = Taken::new(KEYWORDS.iter().copied());
        for (field, ty) in fields {
            let field = taken.take(names::snake(field));
            let (own, arg) = (self.ty(ty, false), self.ty(ty, true));
            let _ = writeln!(self.body, "        {field}: {own} as {arg},");
        }
    }

    fn variant(&mut self, cases: &[(String, Option<Ty>)]) {
        let mut taken = Taken::new(["Self"]);
        let mut makers = Taken::new(KEYWORDS.iter().copied().chain(["write", "read"]));
        for (case, ty) in cases {
            let own = taken.take(names::camel(case));
            let held = ty.as_ref().map_or(String::new(), |ty| {
                let (own, arg) = (self.ty(ty, false), self.ty(ty, true));
                let make = makers.take(names::snake(case));
                format!("({own} as {arg}, {make})")
            });
            let _ = writeln!(self.body, "        {own}{held} = {},", quoted(case));
        }
    }

    fn function(&mut self, function: &Function) {
        let name = self.values.take(names::snake(&function.name));
        let mut taken = Taken::new(KEYWORDS.iter().copied());
        let (mut params, mut passed) = (Vec::new(), Vec::new());
        for (param, ty) in &function.params {
            let param = taken.take(names::snake(param));
            let inner = self.ty(ty, true);
            self.used.insert("Arg");
            params.push(format!("{param}: impl Into<Arg<{inner}>>"));
            passed.push(format!("{param}.into().into_node()"));
        }
        let gives = match &function.gives {
            Some(ty) => self.ty(ty, false),
            None => "()".to_owned(),
        };
        let many = match params.len() {
            0..=7 => "",
            _ => "#[allow(clippy::too_many_arguments, reason = \"it has so many\")]\n",
        };
        let (params, passed) = (listed(&params, 60, "    "), listed(&passed, 60, "        "));
        let _ = write!(
            self.body,
            "\n/// `{}`\n{many}#[track_caller]\npub fn {name}({params}) -> Task<{gives}> {{\n    \
             COMPONENT.call({}, [{passed}])\n}}\n",
            function.text,
            quoted(&function.call),
        );
    }
}

fn plain(name: &str) -> &str {
    match name {
        "string" => "String",
        "s8" => "i8",
        "s16" => "i16",
        "s32" => "i32",
        "s64" => "i64",
        name => name,
    }
}
