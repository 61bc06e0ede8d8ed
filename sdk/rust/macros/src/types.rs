//! Types: from Rust to WIT, and the expressions that turn values of one into those of the other.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, GenericArgument, Ident, PathArguments, Type};

use crate::names::Name;

/// A type that WIT has too.
#[derive(Clone, Debug)]
pub(crate) enum Ty {
    /// The same on both sides: numbers, texts, and what is made of them alone.
    Plain(String),
    List(Box<Ty>),
    Option(Box<Ty>),
    Result(Option<Box<Ty>>, Option<Box<Ty>>),
    Tuple(Vec<Ty>),
    /// A map with texts as keys.
    Map(Box<Ty>),
    /// A struct or enum of the module, by its name in WIT.
    Own(Name),
}

/// Which way a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the bindings to a person's function.
    In,
    /// And what it returns back.
    Out,
}

impl Ty {
    /// Returns the type that `ty` stands for, or nothing for `()`. `own` knows the types of the module.
    pub(crate) fn new(
        ty: &Type,
        own: &mut dyn FnMut(&Ident) -> Result<Option<Name>, Error>,
    ) -> Result<Option<Self>, Error> {
        match ty {
            Type::Tuple(tuple) if tuple.elems.is_empty() => Ok(None),
            Type::Tuple(tuple) => {
                let types = tuple.elems.iter().map(|ty| Self::some(ty, own));
                Ok(Some(Self::Tuple(types.collect::<Result<_, _>>()?)))
            }
            Type::Paren(inner) => Self::new(&inner.elem, own),
            Type::Group(inner) => Self::new(&inner.elem, own),
            Type::Path(path) if path.qself.is_none() => {
                let last = path.path.segments.last().expect("a path has segments");
                let arguments = types_of(&last.arguments);
                Self::named(ty, &last.ident, &arguments, own).map(Some)
            }
            _ => Err(unknown(ty)),
        }
    }

    /// As [`Ty::new`], where `()` stands for nothing in WIT.
    pub(crate) fn some(
        ty: &Type,
        own: &mut dyn FnMut(&Ident) -> Result<Option<Name>, Error>,
    ) -> Result<Self, Error> {
        Self::new(ty, own)?.ok_or_else(|| Error::new_spanned(ty, "`()` has no form in WIT here"))
    }

    fn named(
        ty: &Type,
        name: &Ident,
        arguments: &[&Type],
        own: &mut dyn FnMut(&Ident) -> Result<Option<Name>, Error>,
    ) -> Result<Self, Error> {
        let text = name.to_string();
        if let ([], Some(plain)) = (arguments, plain(&text)) {
            return Ok(Self::Plain(plain.to_owned()));
        }
        match (&*text, arguments) {
            ("Vec", [item]) => Ok(Self::some(item, own)?.listed()),
            ("Option", [some]) => Ok(Self::Option(Box::new(Self::some(some, own)?))),
            ("Result", [ok, error]) => {
                let ok = Self::new(ok, own)?.map(Box::new);
                let error = Self::new(error, own)?.map(Box::new);
                Ok(Self::Result(ok, error))
            }
            ("HashMap" | "BTreeMap", [key, value]) => match Self::some(key, own)? {
                Self::Plain(key) if key == "string" => {
                    Ok(Self::Map(Box::new(Self::some(value, own)?)))
                }
                _ => Err(Error::new_spanned(
                    key,
                    "a map has a `String` for its keys; a `Vec` of tuples may have any",
                )),
            },
            (_, []) => match own(name)? {
                Some(wit) => Ok(Self::Own(wit)),
                None => Err(unknown(ty)),
            },
            _ => Err(unknown(ty)),
        }
    }

    pub(crate) fn listed(self) -> Self {
        match self {
            // Moved as a whole.
            Self::Plain(item) => Self::Plain(format!("list<{item}>")),
            item => Self::List(Box::new(item)),
        }
    }

    /// Returns it as WIT writes it.
    pub(crate) fn wit(&self) -> String {
        match self {
            Self::Plain(text) => text.clone(),
            Self::List(item) => format!("list<{}>", item.wit()),
            Self::Option(some) => format!("option<{}>", some.wit()),
            Self::Tuple(types) => {
                let types: Vec<_> = types.iter().map(Self::wit).collect();
                format!("tuple<{}>", types.join(", "))
            }
            Self::Map(value) => format!("list<tuple<string, {}>>", value.wit()),
            Self::Own(name) => name.wit(),
            Self::Result(None, None) => "result".to_owned(),
            Self::Result(Some(ok), None) => format!("result<{}>", ok.wit()),
            Self::Result(ok, Some(error)) => {
                let ok = ok.as_ref().map_or("_".to_owned(), |ok| ok.wit());
                format!("result<{ok}, {}>", error.wit())
            }
        }
    }

    /// Tells whether values are the same on both sides.
    fn is_same(&self) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::List(inner) | Self::Option(inner) => inner.is_same(),
            Self::Result(ok, error) => [ok, error]
                .into_iter()
                .flatten()
                .all(|inner| inner.is_same()),
            Self::Tuple(types) => types.iter().all(Self::is_same),
            Self::Map(_) | Self::Own(_) => false,
        }
    }

    /// Returns the expression that turns `value` into what stands on the other side.
    pub(crate) fn turned(&self, way: Way, value: &TokenStream) -> TokenStream {
        if self.is_same() {
            return value.clone();
        }
        match self {
            Self::Plain(_) => value.clone(),
            Self::List(item) => {
                let item = item.turned(way, &quote!(item));
                quote!(#value.into_iter().map(|item| #item).collect::<::std::vec::Vec<_>>())
            }
            Self::Map(item) => {
                let item = item.turned(way, &quote!(item));
                quote!(#value.into_iter().map(|(key, item)| (key, #item)).collect())
            }
            Self::Option(some) => {
                let some = some.turned(way, &quote!(some));
                quote!(#value.map(|some| #some))
            }
            Self::Tuple(types) => {
                let parts = types.iter().enumerate().map(|(at, ty)| {
                    let at = syn::Index::from(at);
                    ty.turned(way, &quote!(parts.#at))
                });
                quote!({ let parts = #value; (#(#parts,)*) })
            }
            Self::Result(ok, error) => {
                let side = |ty: &Option<Box<Self>>, value| match ty {
                    Some(ty) => ty.turned(way, &value),
                    None => value,
                };
                let (ok, error) = (side(ok, quote!(ok)), side(error, quote!(error)));
                quote!(match #value {
                    ::std::result::Result::Ok(ok) => ::std::result::Result::Ok(#ok),
                    ::std::result::Result::Err(error) => ::std::result::Result::Err(#error),
                })
            }
            Self::Own(name) => {
                let function = turner(way, name);
                quote!(#function(#value))
            }
        }
    }
}

/// Returns the name of the function that turns values of a type of the module.
pub(crate) fn turner(way: Way, name: &Name) -> Ident {
    match way {
        Way::In => quote::format_ident!("in_{}", name.snake()),
        Way::Out => quote::format_ident!("out_{}", name.snake()),
    }
}

fn plain(name: &str) -> Option<&'static str> {
    Some(match name {
        "bool" => "bool",
        "char" => "char",
        "String" => "string",
        "f32" => "f32",
        "f64" => "f64",
        "i8" => "s8",
        "i16" => "s16",
        "i32" => "s32",
        "i64" => "s64",
        "u8" => "u8",
        "u16" => "u16",
        "u32" => "u32",
        "u64" => "u64",
        _ => return None,
    })
}

fn types_of(arguments: &PathArguments) -> Vec<&Type> {
    match arguments {
        PathArguments::AngleBracketed(arguments) => {
            let types = arguments.args.iter().filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            });
            types.collect()
        }
        _ => Vec::new(),
    }
}

fn unknown(ty: &Type) -> Error {
    let words = match ty {
        Type::Path(path) if path.path.is_ident("usize") => {
            "`usize` differs between machines; `u32` or `u64` don't"
        }
        Type::Path(path) if path.path.is_ident("isize") => {
            "`isize` differs between machines; `i32` or `i64` don't"
        }
        Type::Reference(_) => {
            "of references, a parameter may be `&str` or `&[T]`, and nothing else may be one"
        }
        _ => {
            "WIT has no type for this: there are bool, char, numbers, String, Vec, Option, Result, tuples, HashMap and \
             BTreeMap, and the structs and enums of this module"
        }
    };
    Error::new_spanned(ty, words)
}
