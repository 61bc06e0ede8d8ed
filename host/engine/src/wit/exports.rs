//! The functions of a component with the names that its types have, for those who write bindings.

use std::collections::HashMap;

use wit_component::DecodedWasm;
use wit_parser::{Function, Handle, Resolve, Type, TypeDefKind, TypeId, TypeOwner, WorldItem};

use super::{Signature, decode, signature};
use crate::error::LoadError;
use crate::link::blocks::{FILES, VALUES};
use crate::scan;

/// Most parts that the types of all functions of a component may have together. Types without a name may lie in each
/// other many times over.
const NODES_MAX: usize = 100_000;

/// What a component exports.
#[derive(Clone, Debug, Default)]
pub struct Exports {
    /// The types that have a name, each after those that it is made of.
    pub types: Vec<Defined>,
    /// The functions whose arguments and results can be data.
    pub functions: Vec<Exported>,
    /// The others, each with why it can't be called.
    pub left_out: Vec<(String, String)>,
}

/// A function.
#[derive(Clone, Debug)]
pub struct Exported {
    /// How it is called, and what its WIT says.
    pub signature: Signature,
    /// Its parameters, in order.
    pub params: Vec<(String, Ty)>,
    /// What it gives where it succeeds, if anything: of a `result`, the `ok`.
    pub gives: Option<Ty>,
}

/// A type that has a name.
#[derive(Clone, Debug)]
pub struct Defined {
    /// The interface it is in; none if it is the world's own.
    pub interface: Option<String>,
    /// Its name, in kebab case.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// What a type is that has a name.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Fields.
    Record(Vec<(String, Ty)>),
    /// Cases, some with a payload.
    Variant(Vec<(String, Option<Ty>)>),
    /// Cases without a payload.
    Enum(Vec<String>),
    /// Names, of which any may be set.
    Flags(Vec<String>),
}

/// A type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ty {
    /// `bool`, a number, `char` or `string`, by its word in WIT.
    Plain(&'static str),
    /// `list<u8>`
    Bytes,
    /// `stream<u8>`, or a blob of `homestar:blocks`
    Content,
    /// A `value` of `homestar:std/ipld`: any data.
    Any,
    /// `list<T>`
    List(Box<Self>),
    /// `option<T>`
    Option(Box<Self>),
    /// `tuple<T, ..>`
    Tuple(Vec<Self>),
    /// `result<T, E>`, where either may be absent
    Result(Option<Box<Self>>, Option<Box<Self>>),
    /// One of [`Exports::types`], by its place there.
    Defined(usize),
}

/// Returns what the component in `bytes` exports.
pub fn exports(bytes: &[u8]) -> Result<Exports, LoadError> {
    let component = scan::component(bytes)?;
    let DecodedWasm::Component(resolve, world) = decode(&component)? else {
        return Err(LoadError::Invalid {
            source: "it holds a WIT package and no code".into(),
        });
    };
    let mut reader = Reader::new(&resolve);
    let exports = &resolve.worlds[world].exports;
    for (key, item) in exports {
        if let WorldItem::Function(function) = item {
            reader.function(None, function)?;
        } else if let WorldItem::Interface { id, .. } = item {
            let name = resolve.name_world_key(key);
            for function in resolve.interfaces[*id].functions.values() {
                reader.function(Some(&name), function)?;
            }
        }
    }
    Ok(reader.exports)
}

/// Tells whether a function is there for the builder of the component, and for nobody else: those of Python and JavaScript
/// leave one.
fn is_of_the_builder(signature: &Signature) -> bool {
    let is_of_python = signature.interface.as_deref() == Some("exports");
    let is_of_javascript = signature
        .text
        .starts_with("init: func(shim: string, script: string, ");
    is_of_python || is_of_javascript
}

/// Why a type is not read.
enum Fault {
    /// Its values are no data.
    Handle(String),
    /// There is too much of it.
    TooLarge,
}

struct Reader<'a> {
    resolve: &'a Resolve,
    nodes: usize,
    exports: Exports,
    /// Where types are that were read before.
    known: HashMap<TypeId, usize>,
}

impl<'a> Reader<'a> {
    fn new(resolve: &'a Resolve) -> Self {
        Self {
            resolve,
            nodes: 0,
            exports: Exports::default(),
            known: HashMap::new(),
        }
    }

    fn function(&mut self, interface: Option<&str>, function: &Function) -> Result<(), LoadError> {
        let signature = Signature {
            interface: interface.map(str::to_owned),
            name: function.name.clone(),
            text: signature::of(self.resolve, function)?,
        };
        if is_of_the_builder(&signature) {
            return Ok(());
        }
        if signature.is_command() {
            let why = "it is the entry of a command, which takes words and no values";
            let left_out = (signature.full_name(), why.to_owned());
            self.exports.left_out.push(left_out);
            return Ok(());
        }
        let types = self.exports.types.len();
        match self.types(function) {
            Ok((params, gives)) => self.exports.functions.push(Exported {
                signature,
                params,
                gives,
            }),
            Err(Fault::Handle(name)) => {
                // Types that only it would have needed go with it.
                self.exports.types.truncate(types);
                self.known.retain(|_, at| *at < types);
                let why = format!("`{name}` means something only between components");
                self.exports.left_out.push((signature.full_name(), why));
            }
            Err(Fault::TooLarge) => {
                return Err(LoadError::TypesTooLarge {
                    nodes_max: NODES_MAX,
                });
            }
        }
        Ok(())
    }

    #[expect(clippy::type_complexity, reason = "parameters and what is given")]
    fn types(&mut self, function: &Function) -> Result<(Vec<(String, Ty)>, Option<Ty>), Fault> {
        let params = function.params.iter();
        let params = params.map(|param| Ok((param.name.clone(), self.ty(&param.ty)?)));
        let params = params.collect::<Result<_, Fault>>()?;
        let result = function.result.as_ref();
        let gives = match result.map(|ty| self.ty(ty)).transpose()? {
            // It says by it whether it succeeded.
            Some(Ty::Result(ok, _)) => ok.map(|ok| *ok),
            gives => gives,
        };
        Ok((params, gives))
    }

    fn ty(&mut self, ty: &Type) -> Result<Ty, Fault> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(Fault::TooLarge);
        }
        Ok(Ty::Plain(match ty {
            Type::Bool => "bool",
            Type::S8 => "s8",
            Type::U8 => "u8",
            Type::S16 => "s16",
            Type::U16 => "u16",
            Type::S32 => "s32",
            Type::U32 => "u32",
            Type::S64 => "s64",
            Type::U64 => "u64",
            Type::F32 => "f32",
            Type::F64 => "f64",
            Type::Char => "char",
            Type::String => "string",
            Type::ErrorContext => return Err(Fault::Handle("error-context".to_owned())),
            Type::Id(id) => return self.defined(*id),
        }))
    }

    fn boxed(&mut self, ty: &Type) -> Result<Box<Ty>, Fault> {
        self.ty(ty).map(Box::new)
    }

    fn perhaps(&mut self, ty: Option<&Type>) -> Result<Option<Box<Ty>>, Fault> {
        ty.map(|ty| self.boxed(ty)).transpose()
    }

    fn defined(&mut self, id: TypeId) -> Result<Ty, Fault> {
        if let Some(at) = self.known.get(&id) {
            return Ok(Ty::Defined(*at));
        }
        let resolve = self.resolve;
        match &resolve.types[id].kind {
            TypeDefKind::Type(ty) => self.ty(ty),
            TypeDefKind::List(element) => Ok(match self.ty(element)? {
                Ty::Plain("u8") => Ty::Bytes,
                element => Ty::List(Box::new(element)),
            }),
            TypeDefKind::Option(ty) => Ok(Ty::Option(self.boxed(ty)?)),
            TypeDefKind::Tuple(tuple) => {
                let types = tuple.types.iter().map(|ty| self.ty(ty));
                Ok(Ty::Tuple(types.collect::<Result<_, _>>()?))
            }
            TypeDefKind::Result(result) => Ok(Ty::Result(
                self.perhaps(result.ok.as_ref())?,
                self.perhaps(result.err.as_ref())?,
            )),
            TypeDefKind::Stream(Some(Type::U8)) => Ok(Ty::Content),
            TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => self.handle(*id),
            TypeDefKind::Record(record) => {
                let fields = record.fields.iter();
                let fields = fields.map(|field| Ok((field.name.clone(), self.ty(&field.ty)?)));
                let fields = fields.collect::<Result<_, Fault>>()?;
                Ok(self.define(id, Kind::Record(fields)))
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter().map(|case| {
                    let ty = case.ty.as_ref().map(|ty| self.ty(ty));
                    Ok((case.name.clone(), ty.transpose()?))
                });
                let cases = cases.collect::<Result<_, Fault>>()?;
                Ok(self.define(id, Kind::Variant(cases)))
            }
            TypeDefKind::Enum(cases) => {
                let cases = cases.cases.iter().map(|case| case.name.clone());
                let cases = cases.collect();
                Ok(self.define(id, Kind::Enum(cases)))
            }
            TypeDefKind::Flags(flags) => {
                let names = flags.flags.iter().map(|flag| flag.name.clone());
                let names = names.collect();
                Ok(self.define(id, Kind::Flags(names)))
            }
            other => Err(Fault::Handle(other.as_str().to_owned())),
        }
    }

    fn define(&mut self, id: TypeId, kind: Kind) -> Ty {
        let ty = &self.resolve.types[id];
        let at = self.exports.types.len();
        self.exports.types.push(Defined {
            interface: self.owner(id),
            name: ty.name.clone().unwrap_or_default(),
            kind,
        });
        self.known.insert(id, at);
        Ty::Defined(at)
    }

    /// Returns the interface that a type is in.
    fn owner(&self, id: TypeId) -> Option<String> {
        match self.resolve.types[id].owner {
            TypeOwner::Interface(id) => self
                .resolve
                .id_of(id)
                .or_else(|| self.resolve.interfaces[id].name.clone()),
            _ => None,
        }
    }

    /// Of all resources, two have a form.
    fn handle(&self, id: TypeId) -> Result<Ty, Fault> {
        let mut id = id;
        while let TypeDefKind::Type(Type::Id(of)) = self.resolve.types[id].kind {
            id = of;
        }
        let interface = self.owner(id).unwrap_or_default();
        let name = self.resolve.types[id].name.clone().unwrap_or_default();
        match &*name {
            "blob" if interface.starts_with(FILES) => Ok(Ty::Content),
            "value" if interface.starts_with(VALUES) => Ok(Ty::Any),
            _ => Err(Fault::Handle(name)),
        }
    }
}
