//! Types of `wit-parser` as ours.

use homestar_core::wit::{Case, Field, Type};
use wit_parser::{Handle, Resolve, TypeDefKind, TypeId};

use crate::error::LoadError;
use crate::types::{NODES_MAX, NOT_ON};

/// Translates types, up to [`NODES_MAX`] parts in all.
pub(super) struct Translator<'a> {
    resolve: &'a Resolve,
    nodes: usize,
}

impl<'a> Translator<'a> {
    pub(super) fn new(resolve: &'a Resolve) -> Self {
        Self { resolve, nodes: 0 }
    }

    pub(super) fn ty(&mut self, ty: &wit_parser::Type) -> Result<Type, LoadError> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(LoadError::TypesTooLarge {
                nodes_max: NODES_MAX,
            });
        }
        Ok(match ty {
            wit_parser::Type::Bool => Type::Bool,
            wit_parser::Type::S8 => Type::S8,
            wit_parser::Type::U8 => Type::U8,
            wit_parser::Type::S16 => Type::S16,
            wit_parser::Type::U16 => Type::U16,
            wit_parser::Type::S32 => Type::S32,
            wit_parser::Type::U32 => Type::U32,
            wit_parser::Type::S64 => Type::S64,
            wit_parser::Type::U64 => Type::U64,
            wit_parser::Type::F32 => Type::F32,
            wit_parser::Type::F64 => Type::F64,
            wit_parser::Type::Char => Type::Char,
            wit_parser::Type::String => Type::String,
            wit_parser::Type::ErrorContext => Type::ErrorContext,
            wit_parser::Type::Id(id) => self.defined(*id)?,
        })
    }

    fn defined(&mut self, id: TypeId) -> Result<Type, LoadError> {
        let resolve = self.resolve;
        Ok(match &resolve.types[id].kind {
            TypeDefKind::Record(record) => {
                let fields = record.fields.iter().map(|field| {
                    let ty = self.ty(&field.ty)?;
                    Ok(Field::new(&field.name, ty))
                });
                Type::Record(fields.collect::<Result<_, LoadError>>()?)
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter().map(|case| {
                    let ty = self.maybe(case.ty.as_ref())?;
                    Ok(Case::new(&case.name, ty))
                });
                Type::Variant(cases.collect::<Result<_, LoadError>>()?)
            }
            TypeDefKind::Tuple(tuple) => {
                let types = tuple.types.iter().map(|ty| self.ty(ty));
                Type::Tuple(types.collect::<Result<_, _>>()?)
            }
            TypeDefKind::Flags(flags) => {
                Type::flags(flags.flags.iter().map(|flag| flag.name.as_str()))
            }
            TypeDefKind::Enum(names) => {
                Type::enumeration(names.cases.iter().map(|case| case.name.as_str()))
            }
            TypeDefKind::Option(ty) => Type::option(self.ty(ty)?),
            TypeDefKind::List(ty) => Type::list(self.ty(ty)?),
            TypeDefKind::Result(result) => Type::result(
                self.maybe(result.ok.as_ref())?,
                self.maybe(result.err.as_ref())?,
            ),
            TypeDefKind::Future(ty) => {
                Type::Future(self.maybe(ty.as_ref())?.map(std::sync::Arc::new))
            }
            TypeDefKind::Stream(ty) => {
                Type::Stream(self.maybe(ty.as_ref())?.map(std::sync::Arc::new))
            }
            TypeDefKind::Handle(Handle::Own(id)) => Type::Own(self.name(*id)),
            TypeDefKind::Handle(Handle::Borrow(id)) => Type::Borrow(self.name(*id)),
            TypeDefKind::Resource => Type::Own(self.name(id)),
            TypeDefKind::Type(ty) => self.ty(ty)?,
            TypeDefKind::Map(..) | TypeDefKind::FixedLengthList(..) | TypeDefKind::Unknown => {
                return Err(LoadError::Invalid {
                    source: NOT_ON.into(),
                });
            }
        })
    }

    fn maybe(&mut self, ty: Option<&wit_parser::Type>) -> Result<Option<Type>, LoadError> {
        ty.map(|ty| self.ty(ty)).transpose()
    }

    fn name(&self, resource: TypeId) -> std::sync::Arc<str> {
        let name = self.resolve.types[resource].name.as_deref();
        name.unwrap_or("resource").into()
    }
}
