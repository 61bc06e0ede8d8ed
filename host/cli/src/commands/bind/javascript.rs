//! Functions as JavaScript with declarations beside it, or as TypeScript.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use homestar_engine::wit::{Kind, Ty};

use super::MADE;
use super::functions::{Function, Functions};
use super::names::{self, Taken};
use super::quoted;

/// Names that mean something to JavaScript or TypeScript, or to what is written.
const USED: &[&str] = &[
    "Component",
    "arguments",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "component",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "eval",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "null",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "types",
    "typeof",
    "undefined",
    "var",
    "void",
    "while",
    "with",
    "yield",
];

/// Names of types that declarations use.
const USED_TYPES: &[&str] = &[
    "Arg",
    "Array",
    "Content",
    "Link",
    "Result",
    "Task",
    "Uint8Array",
    "bigint",
    "boolean",
    "char",
    "f32",
    "f64",
    "number",
    "s16",
    "s32",
    "s64",
    "s8",
    "string",
    "u16",
    "u32",
    "u64",
    "u8",
];

/// A module: what it is in JavaScript, its declarations, and it in TypeScript.
pub(super) struct Texts {
    pub(super) program: String,
    pub(super) declared: String,
    pub(super) typed: String,
}

/// Returns the module.
pub(super) fn texts(functions: &Functions) -> Texts {
    let mut writer = Writer {
        functions,
        values: Taken::new(USED.iter().copied()),
        names: Taken::new(USED.iter().chain(USED_TYPES).copied()),
        types: Vec::new(),
        used: BTreeSet::from(["Task"]),
        program: String::new(),
        declared: String::new(),
        typed: String::new(),
    };
    for at in 0..functions.types.len() {
        writer.define(at);
    }
    for function in &functions.list {
        writer.function(function);
    }
    writer.whole()
}

/// A type that has a name.
struct Named {
    /// What declarations call it.
    name: String,
    /// What the program calls it.
    constant: String,
}

struct Writer<'a> {
    functions: &'a Functions,
    /// Names of the program, and of its types.
    values: Taken,
    names: Taken,
    types: Vec<Named>,
    /// Names that declarations have to import.
    used: BTreeSet<&'static str>,
    program: String,
    declared: String,
    typed: String,
}

impl Writer<'_> {
    fn whole(self) -> Texts {
        let component = &self.functions.component;
        let title = format!("// The functions of {component}, for workflows: {MADE}.\n\n");
        let program = "import { Component, types as t } from '@homestar/sdk/flow';\n";
        let constant = format!("const component = new Component({});\n", quoted(component));
        let used: Vec<_> = self.used.into_iter().collect();
        let types = format!(
            "import type {{ {} }} from '@homestar/sdk/flow';\n",
            used.join(", ")
        );
        Texts {
            program: format!("{title}{program}\n{constant}{}", self.program),
            declared: format!("{title}{types}{}", self.declared),
            typed: format!("{title}{program}{types}\n{constant}{}", self.typed),
        }
    }

    /// A type as the program has it.
    fn value(&self, ty: &Ty) -> String {
        let part = |ty: &Option<Box<Ty>>| match ty {
            Some(ty) => self.value(ty),
            None => "t.nothing".to_owned(),
        };
        match ty {
            Ty::Plain(name) => format!("t.{name}"),
            Ty::Bytes | Ty::Content => "t.content".to_owned(),
            Ty::Any => "t.any".to_owned(),
            Ty::List(item) => format!("t.list({})", self.value(item)),
            Ty::Option(some) if is_doubtful(some) => {
                format!("t.option(t.tuple({}))", self.value(some))
            }
            Ty::Option(some) => format!("t.option({})", self.value(some)),
            Ty::Tuple(items) => {
                let items: Vec<_> = items.iter().map(|item| self.value(item)).collect();
                format!("t.tuple({})", items.join(", "))
            }
            Ty::Result(ok, err) => format!("t.result({}, {})", part(ok), part(err)),
            Ty::Defined(at) => self.types[*at].constant.clone(),
        }
    }

    /// A type as TypeScript has it.
    fn ty(&mut self, ty: &Ty, is_in: bool) -> String {
        match ty {
            Ty::Plain("bool") => "boolean".to_owned(),
            Ty::Plain("string") => "string".to_owned(),
            Ty::Plain(name) => self.use_(name),
            Ty::Bytes | Ty::Content if is_in => self.use_("Content"),
            Ty::Bytes => "Uint8Array".to_owned(),
            Ty::Content => self.use_("Link"),
            Ty::Any => "any".to_owned(),
            Ty::List(item) => format!("Array<{}>", self.ty(item, is_in)),
            Ty::Option(some) => {
                let inner = self.ty(some, is_in);
                match is_doubtful(some) {
                    true => format!("[{inner}] | undefined"),
                    false => format!("{inner} | undefined"),
                }
            }
            Ty::Tuple(items) => {
                let items: Vec<_> = items.iter().map(|item| self.ty(item, is_in)).collect();
                format!("[{}]", items.join(", "))
            }
            Ty::Result(ok, err) => {
                let mut part = |ty: &Option<Box<Ty>>| match ty {
                    Some(ty) => self.ty(ty, is_in),
                    None => "undefined".to_owned(),
                };
                let (ok, err) = (part(ok), part(err));
                format!("{}<{ok}, {err}>", self.use_("Result"))
            }
            Ty::Defined(at) => {
                let name = self.types[*at].name.clone();
                match self.functions.types[*at].kind {
                    Kind::Flags(_) => format!("Array<{name}>"),
                    _ => name,
                }
            }
        }
    }

    fn use_(&mut self, name: &'static str) -> String {
        self.used.insert(name);
        name.to_owned()
    }

    fn define(&mut self, at: usize) {
        let functions = self.functions;
        let ty = &functions.types[at];
        let name = self.names.take(names::camel(&ty.name));
        let constant = self.values.take(names::camel(&ty.name));
        let (value, declared) = match &ty.kind {
            Kind::Record(fields) => self.record(&name, fields),
            Kind::Variant(cases) => self.variant(&name, cases),
            Kind::Enum(cases) => (
                format!("t.enumeration({}, {})", quoted(&name), array(cases)),
                format!("export type {name} = {};", union(cases)),
            ),
            Kind::Flags(flags) => (
                format!("t.flags({}, {})", quoted(&name), array(flags)),
                format!("export type {name} = {};", union(flags)),
            ),
        };
        let _ = write!(self.program, "\nconst {constant} = {value};\n");
        let _ = write!(self.declared, "\n{declared}\n");
        let _ = write!(self.typed, "\n{declared}\n\nconst {constant} = {value};\n");
        self.types.push(Named { name, constant });
    }

    fn record(&mut self, name: &str, fields: &[(String, Ty)]) -> (String, String) {
        let mut values = String::new();
        let mut declared = format!("export interface {name} {{\n");
        for (field, ty) in fields {
            let _ = writeln!(values, "  {}: {},", quoted(field), self.value(ty));
            let optional = if matches!(ty, Ty::Option(_)) { "?" } else { "" };
            let own = names::lower_camel(field);
            let _ = writeln!(declared, "  {own}{optional}: {};", self.ty(ty, false));
        }
        let value = format!("t.record({}, {{\n{values}}})", quoted(name));
        (value, declared + "}")
    }

    fn variant(&mut self, name: &str, cases: &[(String, Option<Ty>)]) -> (String, String) {
        let mut values = String::new();
        let mut declared = Vec::new();
        for (case, ty) in cases {
            let value = ty.as_ref().map_or("null".to_owned(), |ty| self.value(ty));
            let _ = writeln!(values, "  {}: {value},", quoted(case));
            declared.push(match ty {
                Some(ty) => format!("{{ tag: '{case}'; val: {} }}", self.ty(ty, false)),
                None => format!("{{ tag: '{case}' }}"),
            });
        }
        let value = format!("t.variant({}, {{\n{values}}})", quoted(name));
        let declared = format!("export type {name} =\n  | {};", declared.join("\n  | "));
        (value, declared)
    }

    fn function(&mut self, function: &Function) {
        let name = self.values.take(names::lower_camel(&function.name));
        let mut taken = Taken::new(USED.iter().copied());
        let trailing = function.params.iter().rev();
        let optional = trailing
            .take_while(|(_, ty)| matches!(ty, Ty::Option(_)))
            .count();
        let needed = function.params.len() - optional;
        let (mut values, mut declared) = (Vec::new(), Vec::new());
        for (at, (param, ty)) in function.params.iter().enumerate() {
            let param = taken.take(names::lower_camel(param));
            values.push(format!("[{}, {}]", quoted(&param), self.value(ty)));
            let mark = if at < needed { "" } else { "?" };
            let inner = self.ty(ty, true);
            self.used.insert("Arg");
            declared.push(format!("{param}{mark}: Arg<{inner}>"));
        }
        let (value, gives) = match &function.gives {
            Some(ty) => (self.value(ty), self.ty(ty, false)),
            None => ("t.nothing".to_owned(), "undefined".to_owned()),
        };
        let (values, params) = (values.join(", "), declared.join(", "));
        let made = format!(
            "component.function({}, {}, [{values}], {optional}, {value})",
            quoted(&name),
            quoted(&function.call),
        );
        let text = &function.text;
        let _ = write!(self.program, "\nexport const {name} = {made};\n");
        let _ = write!(
            self.declared,
            "\n/** `{text}` */\nexport function {name}({params}): Task<{gives}>;\n"
        );
        let _ = write!(
            self.typed,
            "\n/** `{text}` */\nexport const {name}: ({params}) => Task<{gives}> =\n  {made};\n"
        );
    }
}

/// Whether two of its values that say nothing have to be told apart.
fn is_doubtful(some: &Ty) -> bool {
    matches!(some, Ty::Option(_) | Ty::Any)
}

fn array(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| quoted(name)).collect();
    format!("[{}]", names.join(", "))
}

fn union(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
    names.join(" | ")
}
