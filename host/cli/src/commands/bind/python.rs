//! Functions as Python: a module that type checkers read.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use homestar_engine::wit::{Kind, Ty};

use super::MADE;
use super::functions::{Function, Functions};
use super::names::{self, Taken};
use super::{listed, quoted};

/// Names that mean something to Python.
const KEYWORDS: &[&str] = &[
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif",
    "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda",
    "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// Names that annotations use.
const USED: &[&str] = &[
    "Any",
    "Arg",
    "Case",
    "Component",
    "Content",
    "Err",
    "Link",
    "None",
    "Ok",
    "Optional",
    "Record",
    "Sequence",
    "Set",
    "Task",
    "Union",
    "bool",
    "bytes",
    "char",
    "enum",
    "f32",
    "float",
    "int",
    "list",
    "s16",
    "s32",
    "s8",
    "set",
    "str",
    "super",
    "tuple",
    "u16",
    "u32",
    "u64",
    "u8",
];

/// Returns the module.
pub(super) fn text(functions: &Functions) -> String {
    let mut writer = Writer {
        functions,
        taken: Taken::new(KEYWORDS.iter().chain(USED).copied()),
        types: Vec::new(),
        used: BTreeSet::new(),
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

/// Where a type stands.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    /// It is passed to a task.
    In,
    /// It comes from one, or a record has it.
    Out,
}

struct Writer<'a> {
    functions: &'a Functions,
    /// Names of the module.
    taken: Taken,
    /// What each type is called.
    types: Vec<String>,
    /// Names that have to be imported.
    used: BTreeSet<&'static str>,
    body: String,
}

impl Writer<'_> {
    fn whole(mut self) -> String {
        self.used.insert("Component");
        let component = &self.functions.component;
        let mut text = format!(
            "\"\"\"The functions of {}, for workflows: {MADE}.\"\"\"\n\n",
            component.replace(['\\', '"'], "_")
        );
        let of = |names: &[&'static str]| {
            let names = names.iter().filter(|name| self.used.contains(*name));
            names.copied().collect::<Vec<_>>().join(", ")
        };
        if self.used.contains("enum") {
            text += "import enum\n";
        }
        for (module, names) in [
            ("collections.abc", &["Sequence", "Set"][..]),
            ("typing", &["Any", "Optional", "Union"]),
        ] {
            let names = of(names);
            if !names.is_empty() {
                let _ = writeln!(text, "from {module} import {names}");
            }
        }
        if !text.ends_with("\n\n") {
            text += "\n";
        }
        let ours = [
            "Arg",
            "Case",
            "Component",
            "Content",
            "Err",
            "Link",
            "Ok",
            "Record",
            "Task",
            "char",
            "f32",
            "s16",
            "s32",
            "s8",
            "u16",
            "u32",
            "u64",
            "u8",
        ];
        let _ = writeln!(text, "from homestar.flow import {}\n", of(&ours));
        let _ = writeln!(text, "_component = Component({})", quoted(component));
        text + &self.body
    }

    fn use_(&mut self, name: &'static str) -> String {
        self.used.insert(name);
        name.to_owned()
    }

    fn ty(&mut self, ty: &Ty, side: Side) -> String {
        match ty {
            Ty::Plain("s64") => "int".to_owned(),
            Ty::Plain("f64") => "float".to_owned(),
            Ty::Plain("string") => "str".to_owned(),
            Ty::Plain("bool") => "bool".to_owned(),
            Ty::Plain(name) => self.use_(name),
            Ty::Bytes | Ty::Content if side == Side::In => self.use_("Content"),
            Ty::Bytes => "bytes".to_owned(),
            Ty::Content => self.use_("Link"),
            Ty::Any => self.use_("Any"),
            Ty::List(item) if side == Side::In => {
                format!("{}[{}]", self.use_("Sequence"), self.arg(item))
            }
            Ty::List(item) => format!("list[{}]", self.ty(item, side)),
            Ty::Option(some) => {
                let inner = self.ty(some, side);
                let inner = match **some {
                    // Two that say nothing have to be told apart.
                    Ty::Option(_) | Ty::Any => format!("tuple[{inner}]"),
                    _ => inner,
                };
                format!("{}[{inner}]", self.use_("Optional"))
            }
            Ty::Tuple(items) => {
                let items = items.iter().map(|item| match side {
                    Side::In => self.arg(item),
                    Side::Out => self.ty(item, side),
                });
                let items: Vec<_> = items.collect();
                format!("tuple[{}]", items.join(", "))
            }
            Ty::Result(ok, err) => {
                let mut part = |ty: &Option<Box<Ty>>| match ty {
                    Some(ty) => self.ty(ty, side),
                    None => "None".to_owned(),
                };
                let (ok, err) = (part(ok), part(err));
                self.used.extend(["Ok", "Err"]);
                format!("{}[Ok[{ok}], Err[{err}]]", self.use_("Union"))
            }
            Ty::Defined(at) => {
                let name = self.types[*at].clone();
                match (&self.functions.types[*at].kind, side) {
                    (Kind::Flags(_), Side::In) => format!("{}[{name}]", self.use_("Set")),
                    (Kind::Flags(_), Side::Out) => format!("set[{name}]"),
                    _ => name,
                }
            }
        }
    }

    /// A type, or what stands for a value of it.
    fn arg(&mut self, ty: &Ty) -> String {
        let inner = self.ty(ty, Side::In);
        format!("{}[{inner}]", self.use_("Arg"))
    }

    fn define(&mut self, at: usize) {
        let functions = self.functions;
        let ty = &functions.types[at];
        let name = self.taken.take(names::camel(&ty.name));
        self.types.push(name.clone());
        match &ty.kind {
            Kind::Enum(cases) | Kind::Flags(cases) => {
                self.used.insert("enum");
                let _ = write!(self.body, "\n\nclass {name}(enum.Enum):\n");
                for case in cases {
                    let _ = writeln!(
                        self.body,
                        "    {} = {}",
                        names::constant(case),
                        quoted(case)
                    );
                }
            }
            Kind::Record(fields) => {
                self.used.insert("Record");
                let _ = write!(self.body, "\n\nclass {name}(Record):\n");
                self.fields(fields);
            }
            Kind::Variant(cases) => self.variant(&name, cases),
        }
    }

    fn variant(&mut self, name: &str, cases: &[(String, Option<Ty>)]) {
        self.used.insert("Case");
        let mut classes = Vec::new();
        for (case, ty) in cases {
            let class = self.taken.take(format!("{name}{}", names::camel(case)));
            let _ = write!(
                self.body,
                "\n\nclass {class}(Case):\n    case = {}\n",
                quoted(case)
            );
            let value = ty.iter().map(|ty| ("value".to_owned(), ty.clone()));
            self.fields(&value.collect::<Vec<_>>());
            classes.push(class);
        }
        let union = match &classes[..] {
            [only] => only.clone(),
            _ => format!("{}[{}]", self.use_("Union"), classes.join(", ")),
        };
        let _ = write!(self.body, "\n\n{name} = {union}\n");
    }

    /// The annotations of a class, and its constructor, which takes what stands for values too.
    fn fields(&mut self, fields: &[(String, Ty)]) {
        let mut taken = Taken::new(KEYWORDS.iter().copied().chain(["self"]));
        let mut params = vec!["self".to_owned()];
        let mut passed = Vec::new();
        for (field, ty) in fields {
            let field = taken.take(names::snake(field));
            let own = self.ty(ty, Side::Out);
            let _ = writeln!(self.body, "    {field}: {own}");
            params.push(format!("{field}: {}", self.arg(ty)));
            passed.push(format!("{field}={field}"));
        }
        let params = listed(&params, 90, "        ");
        let passed = listed(&passed, 90, "            ");
        let _ = write!(
            self.body,
            "\n    def __init__({params}) -> None:\n        super().__init__({passed})\n"
        );
    }

    fn function(&mut self, function: &Function) {
        let name = self.taken.take(names::snake(&function.name));
        let mut taken = Taken::new(KEYWORDS.iter().copied().chain([&*name]));
        let optional = function.params.iter().rev();
        let optional = optional
            .take_while(|(_, ty)| matches!(ty, Ty::Option(_)))
            .count();
        let needed = function.params.len() - optional;
        let mut params = Vec::new();
        let mut passed = vec![quoted(&function.call), name.clone()];
        for (at, (param, ty)) in function.params.iter().enumerate() {
            let param = taken.take(names::snake(param));
            let default = if at < needed { "" } else { " = None" };
            params.push(format!("{param}: {}{default}", self.arg(ty)));
            passed.push(param);
        }
        let gives = match &function.gives {
            Some(ty) => self.ty(ty, Side::Out),
            None => "None".to_owned(),
        };
        self.used.insert("Task");
        let _ = write!(
            self.body,
            "\n\ndef {name}({}) -> Task[{gives}]:\n    \"\"\"`{}`\"\"\"\n    return _component.call({})\n",
            listed(&params, 90, "    "),
            function.text,
            listed(&passed, 90, "        "),
        );
    }
}
