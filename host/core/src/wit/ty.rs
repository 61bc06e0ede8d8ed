//! WIT types.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

/// A type of the component model, as a component states it for a parameter or a result.
///
/// Cheap to clone: everything below the top is shared. Printed as WIT would have it if types could
/// be written in place: `list<u8>`, `record { x: u32, y: option<string> }`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// `bool`
    Bool,
    /// `s8`
    S8,
    /// `u8`
    U8,
    /// `s16`
    S16,
    /// `u16`
    U16,
    /// `s32`
    S32,
    /// `u32`
    U32,
    /// `s64`
    S64,
    /// `u64`
    U64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `char`, a Unicode scalar value
    Char,
    /// `string`
    String,
    /// `list<T>`
    List(Arc<Self>),
    /// `record { name: T, .. }`
    Record(Arc<[Field]>),
    /// `tuple<T, ..>`
    Tuple(Arc<[Self]>),
    /// `variant { name, name(T), .. }`
    Variant(Arc<[Case]>),
    /// `enum { name, .. }`
    Enum(Arc<[Arc<str>]>),
    /// `option<T>`
    Option(Arc<Self>),
    /// `result<T, E>`, where either may be absent
    Result {
        /// What comes with success, if anything.
        ok: Option<Arc<Self>>,
        /// What comes with failure, if anything.
        err: Option<Arc<Self>>,
    },
    /// `flags { name, .. }`
    Flags(Arc<[Arc<str>]>),
    /// `own<resource>`
    Own(Arc<str>),
    /// `borrow<resource>`
    Borrow(Arc<str>),
    /// `stream<T>`, or `stream` of nothing but events
    Stream(Option<Arc<Self>>),
    /// `future<T>`, or `future` of nothing but an event
    Future(Option<Arc<Self>>),
    /// `error-context`
    ErrorContext,
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// Its name, in kebab case as the component has it.
    pub name: Arc<str>,
    /// The type of its value.
    pub ty: Type,
}

impl Field {
    /// Returns a field.
    pub fn new(name: &str, ty: Type) -> Self {
        Self {
            name: name.into(),
            ty,
        }
    }
}

/// A case of a variant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Case {
    /// Its name, in kebab case as the component has it.
    pub name: Arc<str>,
    /// The type of its payload, if it has one.
    pub ty: Option<Type>,
}

impl Case {
    /// Returns a case.
    pub fn new(name: &str, ty: Option<Type>) -> Self {
        Self {
            name: name.into(),
            ty,
        }
    }
}

impl Type {
    /// The name of the resource `blob` of `homestar:blocks`, the one resource that has a form outside of components.
    /// No other is given this name.
    pub const BLOB: &'static str = "blob";

    /// The name of the resource `value` of `homestar:std/ipld`, which stands for any IPLD. No other is given this name.
    pub const VALUE: &'static str = "value";

    /// Returns `stream<element>`.
    pub fn stream(element: Self) -> Self {
        Self::Stream(Some(Arc::new(element)))
    }

    /// Returns `list<element>`.
    pub fn list(element: Self) -> Self {
        Self::List(Arc::new(element))
    }

    /// Returns `record { name: type, .. }`.
    pub fn record<'a>(fields: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        let field = |(name, ty)| Field::new(name, ty);
        Self::Record(fields.into_iter().map(field).collect())
    }

    /// Returns `tuple<type, ..>`.
    pub fn tuple(types: impl IntoIterator<Item = Self>) -> Self {
        Self::Tuple(types.into_iter().collect())
    }

    /// Returns `variant { name, name(type), .. }`.
    pub fn variant<'a>(cases: impl IntoIterator<Item = (&'a str, Option<Self>)>) -> Self {
        let case = |(name, ty)| Case::new(name, ty);
        Self::Variant(cases.into_iter().map(case).collect())
    }

    /// Returns `enum { name, .. }`. (`enum` is a word of Rust.)
    pub fn enumeration<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Enum(names.into_iter().map(Arc::from).collect())
    }

    /// Returns `option<some>`.
    pub fn option(some: Self) -> Self {
        Self::Option(Arc::new(some))
    }

    /// Returns `result<ok, err>`.
    pub fn result(ok: Option<Self>, err: Option<Self>) -> Self {
        Self::Result {
            ok: ok.map(Arc::new),
            err: err.map(Arc::new),
        }
    }

    /// Returns `flags { name, .. }`.
    pub fn flags<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Flags(names.into_iter().map(Arc::from).collect())
    }

    /// Whether this is `list<u8>`, whose values are [`Value::Bytes`](super::Value::Bytes).
    pub fn is_bytes(&self) -> bool {
        matches!(self, Self::List(element) if **element == Self::U8)
    }

    /// Whether a link is a value of this: it is `list<u8>`, `stream<u8>`, or a blob.
    pub fn takes_link(&self) -> bool {
        match self {
            Self::Stream(Some(element)) => **element == Self::U8,
            Self::Own(name) | Self::Borrow(name) => **name == *Self::BLOB,
            _ => self.is_bytes(),
        }
    }

    /// Whether any IPLD is a value of this: it is a `value` of `homestar:std/ipld`.
    pub fn takes_any(&self) -> bool {
        matches!(self, Self::Own(name) | Self::Borrow(name) if **name == *Self::VALUE)
    }

    /// Whether null is a value of this, so that an option of it has to tell two nulls apart.
    pub(super) fn takes_null(&self) -> bool {
        self.is_option() || self.takes_any()
    }

    /// Whether this has a `stream<u8>` or a blob in it, at any depth: content that isn't held in memory.
    pub fn has_content(&self) -> bool {
        self.any(&|ty| ty.takes_link() && !ty.is_bytes())
    }

    /// Whether this or a type in it is such a one.
    pub fn any(&self, is_one: &impl Fn(&Self) -> bool) -> bool {
        is_one(self)
            || match self {
                Self::List(ty) | Self::Option(ty) => ty.any(is_one),
                Self::Record(fields) => fields.iter().any(|field| field.ty.any(is_one)),
                Self::Tuple(types) => types.iter().any(|ty| ty.any(is_one)),
                Self::Variant(cases) => cases
                    .iter()
                    .filter_map(|case| case.ty.as_ref())
                    .any(|ty| ty.any(is_one)),
                Self::Result { ok, err } => {
                    [ok, err].into_iter().flatten().any(|ty| ty.any(is_one))
                }
                Self::Stream(Some(ty)) | Self::Future(Some(ty)) => ty.any(is_one),
                _ => false,
            }
    }

    /// Whether this is `option<_>`.
    pub fn is_option(&self) -> bool {
        matches!(self, Self::Option(_))
    }

    /// Returns the type of the values in a `list<tuple<string, T>>`, which is how WIT spells a map.
    pub fn pair_value(&self) -> Option<&Self> {
        let Self::List(element) = self else {
            return None;
        };
        match &**element {
            Self::Tuple(types) => match &types[..] {
                [Self::String, value] => Some(value),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns the first handle in this type that has no form: a resource, stream, future or error context.
    ///
    /// A handle means something only between the components that pass it, so it has no [`Value`]
    /// and no form in IPLD. Callers ask this first, to refuse with a clear error. A `stream<u8>` and a
    /// blob are content, whose form is a link, and a `value` is its own form.
    ///
    /// [`Value`]: super::Value
    pub fn handle(&self) -> Option<&Self> {
        match self {
            ty if ty.takes_link() || ty.takes_any() => None,
            Self::Own(_)
            | Self::Borrow(_)
            | Self::Stream(_)
            | Self::Future(_)
            | Self::ErrorContext => Some(self),
            Self::List(ty) | Self::Option(ty) => ty.handle(),
            Self::Record(fields) => fields.iter().find_map(|field| field.ty.handle()),
            Self::Tuple(types) => types.iter().find_map(Self::handle),
            Self::Variant(cases) => cases.iter().find_map(|case| case.ty.as_ref()?.handle()),
            Self::Result { ok, err } => [ok, err].into_iter().find_map(|ty| ty.as_ref()?.handle()),
            _ => None,
        }
    }
}

impl Display for Type {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::S8 => f.write_str("s8"),
            Self::U8 => f.write_str("u8"),
            Self::S16 => f.write_str("s16"),
            Self::U16 => f.write_str("u16"),
            Self::S32 => f.write_str("s32"),
            Self::U32 => f.write_str("u32"),
            Self::S64 => f.write_str("s64"),
            Self::U64 => f.write_str("u64"),
            Self::F32 => f.write_str("f32"),
            Self::F64 => f.write_str("f64"),
            Self::Char => f.write_str("char"),
            Self::String => f.write_str("string"),
            Self::List(element) => write!(f, "list<{element}>"),
            Self::Record(fields) => braced(f, "record", fields),
            Self::Tuple(types) => {
                f.write_str("tuple<")?;
                separated(f, types)?;
                f.write_str(">")
            }
            Self::Variant(cases) => braced(f, "variant", cases),
            Self::Enum(names) => braced(f, "enum", names),
            Self::Option(some) => write!(f, "option<{some}>"),
            Self::Result { ok, err } => result(f, ok.as_deref(), err.as_deref()),
            Self::Flags(names) => braced(f, "flags", names),
            Self::Own(resource) => write!(f, "own<{resource}>"),
            Self::Borrow(resource) => write!(f, "borrow<{resource}>"),
            Self::Stream(element) => maybe_of(f, "stream", element.as_deref()),
            Self::Future(element) => maybe_of(f, "future", element.as_deref()),
            Self::ErrorContext => f.write_str("error-context"),
        }
    }
}

impl Display for Field {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.ty)
    }
}

impl Display for Case {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.ty {
            Some(ty) => write!(f, "{}({ty})", self.name),
            None => f.write_str(&self.name),
        }
    }
}

fn braced(f: &mut Formatter<'_>, keyword: &str, items: &[impl Display]) -> fmt::Result {
    write!(f, "{keyword} {{ ")?;
    separated(f, items)?;
    f.write_str(" }")
}

fn separated(f: &mut Formatter<'_>, items: &[impl Display]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        item.fmt(f)?;
    }
    Ok(())
}

fn result(f: &mut Formatter<'_>, ok: Option<&Type>, err: Option<&Type>) -> fmt::Result {
    match (ok, err) {
        (None, None) => f.write_str("result"),
        (Some(ok), None) => write!(f, "result<{ok}>"),
        (None, Some(err)) => write!(f, "result<_, {err}>"),
        (Some(ok), Some(err)) => write!(f, "result<{ok}, {err}>"),
    }
}

fn maybe_of(f: &mut Formatter<'_>, name: &str, element: Option<&Type>) -> fmt::Result {
    match element {
        Some(element) => write!(f, "{name}<{element}>"),
        None => f.write_str(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_print_as_wit() {
        let point = [("x", Type::U32), ("y", Type::option(Type::String))];
        let cases = [
            (Type::list(Type::U8), "list<u8>"),
            (Type::record(point), "record { x: u32, y: option<string> }"),
            (Type::tuple([Type::S8, Type::F64]), "tuple<s8, f64>"),
            (
                Type::variant([("none", None), ("some", Some(Type::U8))]),
                "variant { none, some(u8) }",
            ),
            (Type::enumeration(["red", "green"]), "enum { red, green }"),
            (Type::flags(["read", "write"]), "flags { read, write }"),
            (Type::result(None, None), "result"),
            (Type::result(Some(Type::U8), None), "result<u8>"),
            (Type::result(None, Some(Type::String)), "result<_, string>"),
            (
                Type::result(Some(Type::Char), Some(Type::Bool)),
                "result<char, bool>",
            ),
            (Type::Own("file".into()), "own<file>"),
            (Type::Borrow("file".into()), "borrow<file>"),
            (Type::Stream(None), "stream"),
            (Type::Stream(Some(Arc::new(Type::U8))), "stream<u8>"),
            (Type::Future(Some(Arc::new(Type::U8))), "future<u8>"),
            (Type::ErrorContext, "error-context"),
        ];
        for (ty, expected) in cases {
            assert_eq!(ty.to_string(), expected);
        }
    }

    #[test]
    fn handles_are_found_at_any_depth() {
        let file = Type::Borrow("file".into());
        for ty in [
            file.clone(),
            Type::list(file.clone()),
            Type::option(Type::tuple([Type::U8, file.clone()])),
            Type::record([("a", Type::U8), ("b", file.clone())]),
            Type::variant([("a", None), ("b", Some(file.clone()))]),
            Type::result(None, Some(file.clone())),
        ] {
            assert_eq!(ty.handle(), Some(&file), "{ty}");
        }
        let plain = Type::result(Some(Type::list(Type::U8)), Some(Type::flags(["a"])));
        assert_eq!(plain.handle(), None);
    }

    #[test]
    fn content_is_no_handle() {
        let blob = Type::Own(Type::BLOB.into());
        for ty in [blob, Type::stream(Type::U8)] {
            let ty = Type::result(Some(Type::list(ty)), None);
            assert!(ty.handle().is_none() && ty.has_content(), "{ty}");
        }
        assert!(!Type::list(Type::list(Type::U8)).has_content());
        let numbers = Type::stream(Type::U16);
        assert_eq!(numbers.handle(), Some(&numbers));
    }

    #[test]
    fn only_a_list_of_pairs_with_string_first_is_a_map() {
        let pairs = Type::list(Type::tuple([Type::String, Type::U8]));
        assert_eq!(pairs.pair_value(), Some(&Type::U8));
        let triples = Type::list(Type::tuple([Type::String, Type::U8, Type::U8]));
        assert_eq!(triples.pair_value(), None);
        let numbered = Type::list(Type::tuple([Type::U8, Type::String]));
        assert_eq!(numbered.pair_value(), None);
    }
}
