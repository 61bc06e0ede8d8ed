//! wasmtime's types as ours.

use homestar_core::wit::{Case, Field, Function, Type};
use wasmtime::component::types::{self, ComponentFunc};
use wasmtime::component::{Component, ResourceType};

use crate::error::LoadError;
use crate::link::blocks::Known;

/// Most parts that the types of all functions of a component may have together. Types may name others many times
/// over, so a few lines can stand for more parts than there is memory.
const NODES_MAX: usize = 1_000_000;

/// Translates types, up to [`NODES_MAX`] parts in all.
pub(crate) struct Translator<'a> {
    nodes: usize,
    compiled: &'a Component,
}

/// A component uses a type of the component model that is not switched on.
const NOT_ON: &str = "maps and lists of fixed length are not part of WASI 0.3's component model";

impl<'a> Translator<'a> {
    pub(crate) fn new(compiled: &'a Component) -> Self {
        Self { nodes: 0, compiled }
    }

    fn resource(&self, ty: &ResourceType) -> &'static str {
        match Known::of(self.compiled, ty) {
            Some(Known::Blob) => Type::BLOB,
            Some(Known::Value) => Type::VALUE,
            _ => "resource",
        }
    }

    /// Translates the signature of the function `name` of `interface`.
    pub(crate) fn function(
        &mut self,
        interface: Option<&str>,
        name: &str,
        ty: &ComponentFunc,
    ) -> Result<Function, LoadError> {
        let params = ty
            .params()
            .map(|(name, ty)| Ok((name.to_owned(), self.ty(&ty)?)));
        let params = params.collect::<Result<_, LoadError>>()?;
        let result = ty.results().next().map(|ty| self.ty(&ty)).transpose()?;
        Ok(Function {
            interface: interface.map(str::to_owned),
            name: name.to_owned(),
            params,
            result,
            is_async: ty.async_(),
        })
    }

    fn ty(&mut self, ty: &types::Type) -> Result<Type, LoadError> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(LoadError::TypesTooLarge {
                nodes_max: NODES_MAX,
            });
        }
        Ok(match ty {
            types::Type::Bool => Type::Bool,
            types::Type::S8 => Type::S8,
            types::Type::U8 => Type::U8,
            types::Type::S16 => Type::S16,
            types::Type::U16 => Type::U16,
            types::Type::S32 => Type::S32,
            types::Type::U32 => Type::U32,
            types::Type::S64 => Type::S64,
            types::Type::U64 => Type::U64,
            types::Type::Float32 => Type::F32,
            types::Type::Float64 => Type::F64,
            types::Type::Char => Type::Char,
            types::Type::String => Type::String,
            types::Type::List(list) => Type::list(self.ty(&list.ty())?),
            types::Type::Record(record) => Type::Record(self.fields(record)?),
            types::Type::Tuple(tuple) => {
                let types = tuple.types().map(|ty| self.ty(&ty));
                Type::Tuple(types.collect::<Result<_, _>>()?)
            }
            types::Type::Variant(variant) => Type::Variant(self.cases(variant)?),
            types::Type::Enum(names) => Type::enumeration(names.names()),
            types::Type::Option(option) => Type::option(self.ty(&option.ty())?),
            types::Type::Result(result) => {
                Type::result(self.maybe(result.ok())?, self.maybe(result.err())?)
            }
            types::Type::Flags(flags) => Type::flags(flags.names()),
            types::Type::Own(ty) => Type::Own(self.resource(ty).into()),
            types::Type::Borrow(ty) => Type::Borrow(self.resource(ty).into()),
            types::Type::Future(future) => Type::Future(self.maybe(future.ty())?.map(Into::into)),
            types::Type::Stream(stream) => Type::Stream(self.maybe(stream.ty())?.map(Into::into)),
            types::Type::ErrorContext => Type::ErrorContext,
            types::Type::Map(_) | types::Type::FixedLengthList(_) => {
                return Err(LoadError::Invalid {
                    source: NOT_ON.into(),
                });
            }
        })
    }

    fn maybe(&mut self, ty: Option<types::Type>) -> Result<Option<Type>, LoadError> {
        ty.map(|ty| self.ty(&ty)).transpose()
    }

    fn fields(&mut self, record: &types::Record) -> Result<std::sync::Arc<[Field]>, LoadError> {
        record
            .fields()
            .map(|field| {
                Ok(Field {
                    name: field.name.into(),
                    ty: self.ty(&field.ty)?,
                })
            })
            .collect()
    }

    fn cases(&mut self, variant: &types::Variant) -> Result<std::sync::Arc<[Case]>, LoadError> {
        variant
            .cases()
            .map(|case| {
                Ok(Case {
                    name: case.name.into(),
                    ty: self.maybe(case.ty)?,
                })
            })
            .collect()
    }
}
