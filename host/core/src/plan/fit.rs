//! Whether what one task gives fits what another takes, by their types alone.
//!
//! The question is what [`from_ipld`](crate::wit::from_ipld) would say of every value that
//! [`into_ipld`](crate::wit::into_ipld) writes. What fits for some values only is let pass, with a note.

use std::sync::Arc;

use crate::wit::{Case, Type};

/// How much of what is given fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// Every value.
    Always,
    /// Some values; this says which don't.
    Sometimes(Why),
    /// No value, or none but by accident.
    Never(Why),
}

/// What doesn't fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Why {
    /// Where, from the outside in.
    pub(super) path: String,
    /// What would have to stand there.
    pub(super) expected: String,
    /// What does.
    pub(super) given: String,
    pub(super) words: String,
}

impl Fit {
    fn never(given: &Type, expected: &Type, words: impl Into<String>) -> Self {
        Self::Never(Why::new(given, expected, words))
    }

    fn sometimes(given: &Type, expected: &Type, words: impl Into<String>) -> Self {
        Self::Sometimes(Why::new(given, expected, words))
    }

    fn inside(self, step: &str) -> Self {
        let within = |mut why: Why| {
            let dot = if why.path.is_empty() || why.path.starts_with('[') {
                ""
            } else {
                "."
            };
            why.path = format!("{step}{dot}{}", why.path);
            why
        };
        match self {
            Self::Always => Self::Always,
            Self::Sometimes(why) => Self::Sometimes(within(why)),
            Self::Never(why) => Self::Never(within(why)),
        }
    }

    /// Of parts that all have to fit: the worst of them.
    fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut worst = Self::Always;
        for part in parts {
            match (&worst, part) {
                (_, never @ Self::Never(_)) => return never,
                (Self::Always, part) => worst = part,
                _ => {}
            }
        }
        worst
    }

    /// Of cases of which one is given: never only if none fits.
    fn any(cases: impl IntoIterator<Item = Self>) -> Self {
        let (mut fits, mut never, mut sometimes) = (0, None, None);
        for case in cases {
            match case {
                Self::Always => fits += 1,
                Self::Sometimes(why) => {
                    fits += 1;
                    sometimes = sometimes.or(Some(why));
                }
                Self::Never(why) => never = never.or(Some(why)),
            }
        }
        match (fits, never, sometimes) {
            (0, Some(why), _) => Self::Never(why),
            (_, Some(why), _) | (_, None, Some(why)) => Self::Sometimes(why),
            (_, None, None) => Self::Always,
        }
    }
}

impl Why {
    pub(super) fn new(given: &Type, expected: &Type, words: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            expected: crate::wit::brief::brief(expected, 200),
            given: crate::wit::brief::brief(given, 200),
            words: words.into(),
        }
    }
}

/// True if a link to bytes is taken for a value of this type: a stream of bytes, a blob, a list of bytes.
pub(super) fn takes_link(ty: &Type) -> bool {
    match ty {
        Type::Option(some) => !is_wrapped(some) && takes_link(some),
        ty => ty.is_bytes() || is_link(ty),
    }
}

/// True if values of this type are links wherever they are written down.
fn is_link(ty: &Type) -> bool {
    match ty {
        Type::Stream(Some(element)) => **element == Type::U8,
        Type::Own(name) | Type::Borrow(name) => **name == *"blob",
        _ => false,
    }
}

/// Whether what is of one type fits another.
pub(super) fn fit(given: &Type, expected: &Type) -> Fit {
    if expected.takes_any() {
        return Fit::Always;
    }
    if given.takes_any() {
        return Fit::sometimes(given, expected, "it may be anything");
    }
    if is_link(expected) {
        // Bytes are streamed as well as a file is.
        return match is_link(given) || given.is_bytes() {
            true => Fit::Always,
            false => Fit::never(given, expected, "only a file or bytes can be passed there"),
        };
    }
    if is_link(given) && takes_link(expected) {
        return Fit::Always;
    }
    match (given, expected) {
        (given, expected) if given == expected && given.handle().is_none() => Fit::Always,
        (Type::Option(inner), Type::Option(some)) => match is_wrapped(inner) == is_wrapped(some) {
            true => fit(inner, some),
            false => Fit::sometimes(given, expected, "only none is written alike"),
        },
        (given, Type::Option(some)) => match is_wrapped(some) {
            true => Fit::never(
                given,
                expected,
                "an option in an option is null or a list of one",
            ),
            false => fit(given, some),
        },
        (Type::Option(some), expected) => match fit(some, expected) {
            Fit::Always => Fit::sometimes(given, expected, "there may be none"),
            other => other,
        },
        (Type::F32, Type::F64) | (Type::Char | Type::Enum(_), Type::String) => Fit::Always,
        (Type::F64, Type::F32) => {
            Fit::sometimes(given, expected, "an `f32` may not hold it exactly")
        }
        (Type::String, Type::Char) => {
            Fit::sometimes(given, expected, "it may not be one character")
        }
        (Type::String, Type::Enum(_)) => Fit::sometimes(given, expected, "it may be no case"),
        (Type::Enum(given_names), Type::Enum(names)) => {
            Fit::any(given_names.iter().map(|name| match names.contains(name) {
                true => Fit::Always,
                false => Fit::never(given, expected, format!("there is no case `{name}`")),
            }))
        }
        (Type::Enum(_) | Type::String, Type::Variant(cases)) => bare_cases(given, expected, cases),
        (Type::Flags(given_names), Type::Flags(names)) => {
            let unknown = given_names.iter().find(|name| !names.contains(name));
            unknown.map_or(Fit::Always, |name| {
                Fit::sometimes(given, expected, format!("there is no flag `{name}`"))
            })
        }
        (Type::Flags(_), Type::List(element)) if !expected.is_bytes() => {
            fit(&Type::String, element).inside("[]")
        }
        (Type::List(element), Type::Flags(_)) if **element == Type::String => {
            Fit::sometimes(given, expected, "it may be no flag")
        }
        (Type::List(_), Type::List(element)) if given.is_bytes() && **element != Type::U8 => {
            Fit::never(given, expected, "bytes are no list of other numbers")
        }
        (Type::List(inner), Type::List(element)) => fit(inner, element).inside("[]"),
        (Type::List(inner), Type::Tuple(types)) if !given.is_bytes() => {
            let parts = types.iter().enumerate();
            match Fit::all(parts.map(|(index, ty)| fit(inner, ty).inside(&format!("[{index}]")))) {
                Fit::Always => Fit::sometimes(given, expected, "it may be longer or shorter"),
                other => other,
            }
        }
        (Type::Tuple(types), Type::List(element)) => {
            let parts = types.iter().enumerate();
            Fit::all(parts.map(|(index, ty)| fit(ty, element).inside(&format!("[{index}]"))))
        }
        (Type::Tuple(given_types), Type::Tuple(types)) => {
            if given_types.len() != types.len() {
                return Fit::never(given, expected, "they differ in length");
            }
            let parts = given_types.iter().zip(types.iter()).enumerate();
            Fit::all(parts.map(|(index, (given, ty))| fit(given, ty).inside(&format!("[{index}]"))))
        }
        (Type::Record(_), Type::Record(_)) => records(given, expected),
        (Type::Record(fields), Type::List(_)) => match expected.pair_value() {
            Some(value) => Fit::all(
                fields
                    .iter()
                    .map(|field| fit(&field.ty, value).inside(&field.name)),
            ),
            None => other(given, expected),
        },
        (Type::Variant(_) | Type::Result { .. }, Type::Variant(_) | Type::Result { .. }) => {
            variants(given, expected)
        }
        _ => numbers(given, expected),
    }
}

fn other(given: &Type, expected: &Type) -> Fit {
    let is_handle = |ty: &&Type| ty.handle() == Some(*ty);
    match [expected, given].into_iter().find(is_handle) {
        Some(handle) => Fit::never(
            given,
            expected,
            format!("a `{handle}` can't be passed as data"),
        ),
        None => Fit::never(given, expected, "that is another type"),
    }
}

fn numbers(given: &Type, expected: &Type) -> Fit {
    match (range(given), range(expected)) {
        (Some((least, most)), Some((from, to))) => match from <= least && most <= to {
            true => Fit::Always,
            false => Fit::sometimes(
                given,
                expected,
                format!("not every `{given}` is a `{expected}`"),
            ),
        },
        (Some((least, most)), None) if matches!(expected, Type::F32 | Type::F64) => {
            let bits = if *expected == Type::F32 { 24 } else { 53 };
            let widest = most.unsigned_abs().max(least.unsigned_abs());
            match widest <= 1 << bits {
                true => Fit::Always,
                false => Fit::sometimes(
                    given,
                    expected,
                    format!("an `{expected}` may not hold it exactly"),
                ),
            }
        }
        _ => other(given, expected),
    }
}

/// True for what an option holds as a list of one, since it may be null itself.
fn is_wrapped(ty: &Type) -> bool {
    ty.is_option() || ty.takes_any()
}

fn range(ty: &Type) -> Option<(i128, i128)> {
    Some(match ty {
        Type::S8 => (i8::MIN.into(), i8::MAX.into()),
        Type::U8 => (0, u8::MAX.into()),
        Type::S16 => (i16::MIN.into(), i16::MAX.into()),
        Type::U16 => (0, u16::MAX.into()),
        Type::S32 => (i32::MIN.into(), i32::MAX.into()),
        Type::U32 => (0, u32::MAX.into()),
        Type::S64 => (i64::MIN.into(), i64::MAX.into()),
        Type::U64 => (0, u64::MAX.into()),
        _ => return None,
    })
}

fn records(given: &Type, expected: &Type) -> Fit {
    let (Type::Record(given_fields), Type::Record(fields)) = (given, expected) else {
        return other(given, expected);
    };
    let is_known = |name: &str| fields.iter().any(|field| &*field.name == name);
    if let Some(field) = given_fields.iter().find(|field| !is_known(&field.name)) {
        return Fit::never(
            given,
            expected,
            format!("there is no field `{}` to take it", field.name),
        );
    }
    Fit::all(fields.iter().map(|field| {
        let found = given_fields.iter().find(|given| given.name == field.name);
        match found {
            Some(found) => fit(&found.ty, &field.ty).inside(&field.name),
            None if field.ty.is_option() => Fit::Always,
            None => Fit::never(
                given,
                expected,
                format!("the field `{}` is missing", field.name),
            ),
        }
    }))
}

/// Names without payload.
fn bare_cases(given: &Type, expected: &Type, cases: &[Case]) -> Fit {
    let is_bare = |name: &Arc<str>| {
        cases
            .iter()
            .any(|case| case.name == *name && case.ty.is_none())
    };
    match given {
        Type::Enum(names) => Fit::any(names.iter().map(|name| match is_bare(name) {
            true => Fit::Always,
            false => Fit::never(
                given,
                expected,
                format!("there is no case `{name}` without payload"),
            ),
        })),
        _ if cases.iter().any(|case| case.ty.is_none()) => {
            Fit::sometimes(given, expected, "it may be no case")
        }
        _ => other(given, expected),
    }
}

/// Results are written as variants of `ok` and `error` would be.
fn variants(given: &Type, expected: &Type) -> Fit {
    let (given_cases, cases) = (cases(given), cases(expected));
    Fit::any(given_cases.iter().map(|(name, payload)| {
        let case = cases.iter().find(|(known, _)| known == name);
        match (payload, case) {
            (_, None) => Fit::never(given, expected, format!("there is no case `{name}`")),
            (None, Some((_, None))) => Fit::Always,
            (None, Some((_, Some(ty)))) if ty.is_option() => Fit::Always,
            (Some(payload), Some((_, Some(ty)))) => fit(payload, ty).inside(name),
            (_, Some(_)) => Fit::never(given, expected, format!("the payloads of `{name}` differ")),
        }
    }))
}

fn cases(ty: &Type) -> Vec<(&str, Option<&Type>)> {
    match ty {
        Type::Variant(cases) => cases
            .iter()
            .map(|case| (&*case.name, case.ty.as_ref()))
            .collect(),
        Type::Result { ok, err } => vec![("ok", ok.as_deref()), ("error", err.as_deref())],
        _ => Vec::new(),
    }
}
