//! Types, values and IPLD for property tests.

use std::collections::BTreeSet;

use ipld_core::ipld::Ipld;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use super::{Type, Value};
use crate::json;
use crate::testing::any_ipld;

/// Any type that has values, to a depth of four.
pub(crate) fn ty() -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![
        primitive(),
        proptest::sample::select(vec![
            Type::list(Type::U8),
            Type::stream(Type::U8),
            Type::Own(Type::BLOB.into()),
            Type::Own(Type::VALUE.into()),
        ]),
        names().prop_map(|names| Type::enumeration(names.iter().map(String::as_str))),
        flag_names().prop_map(|names| Type::flags(names.iter().map(String::as_str))),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let maybe = option::of(inner.clone());
        prop_oneof![
            inner.clone().prop_map(Type::list),
            inner
                .clone()
                .prop_map(|value| Type::list(Type::tuple([Type::String, value]))),
            inner.clone().prop_map(Type::option),
            inner
                .clone()
                .prop_map(|some| Type::option(Type::option(some))),
            vec(inner.clone(), 1..4).prop_map(Type::tuple),
            (maybe.clone(), maybe.clone()).prop_map(|(ok, err)| Type::result(ok, err)),
            named(inner).prop_map(|fields| Type::record(borrowed(&fields))),
            named(maybe).prop_map(|cases| Type::variant(borrowed(&cases))),
        ]
    })
}

fn primitive() -> impl Strategy<Value = Type> {
    proptest::sample::select(vec![
        Type::Bool,
        Type::S8,
        Type::U8,
        Type::S16,
        Type::U16,
        Type::S32,
        Type::U32,
        Type::S64,
        Type::U64,
        Type::F32,
        Type::F64,
        Type::Char,
        Type::String,
    ])
}

/// Names as WIT allows them, the keywords of WAVE among them.
fn name() -> impl Strategy<Value = String> {
    let keyword = proptest::sample::select(vec![
        "true", "false", "some", "none", "ok", "err", "inf", "nan", "error",
    ]);
    prop_oneof![3 => "[a-z][a-z0-9]{0,3}(-[a-z0-9]{1,3})?", 1 => keyword.prop_map(str::to_owned)]
}

fn names() -> impl Strategy<Value = BTreeSet<String>> {
    btree_set(name(), 1..5)
}

fn flag_names() -> impl Strategy<Value = BTreeSet<String>> {
    prop_oneof![9 => btree_set(name(), 1..5), 1 => btree_set(name(), 30..70)]
}

/// Distinct names, each with one of these, in an order that is not that of the names.
fn named<T: std::fmt::Debug>(
    of: impl Strategy<Value = T>,
) -> impl Strategy<Value = Vec<(String, T)>> {
    let distinct = btree_map(name(), of, 1..4);
    distinct.prop_map(|map| map.into_iter().rev().collect())
}

fn borrowed<T: Clone>(named: &[(String, T)]) -> impl Iterator<Item = (&str, T)> {
    named.iter().map(|(name, item)| (&name[..], item.clone()))
}

/// Any type with a value of it.
pub(crate) fn ty_and_value() -> impl Strategy<Value = (Type, Value)> {
    ty().prop_flat_map(|ty| {
        let value = value(&ty);
        (Just(ty), value)
    })
}

/// Any value of this type.
pub(crate) fn value(ty: &Type) -> BoxedStrategy<Value> {
    match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::S8 => any::<i8>().prop_map(Value::S8).boxed(),
        Type::U8 => any::<u8>().prop_map(Value::U8).boxed(),
        Type::S16 => any::<i16>().prop_map(Value::S16).boxed(),
        Type::U16 => any::<u16>().prop_map(Value::U16).boxed(),
        Type::S32 => any::<i32>().prop_map(Value::S32).boxed(),
        Type::U32 => any::<u32>().prop_map(Value::U32).boxed(),
        Type::S64 => any::<i64>().prop_map(Value::S64).boxed(),
        Type::U64 => any::<u64>().prop_map(Value::U64).boxed(),
        Type::F32 => any::<u32>()
            .prop_map(|bits| Value::F32(f32::from_bits(bits)))
            .boxed(),
        Type::F64 => float().prop_map(Value::F64).boxed(),
        Type::Char => any::<char>().prop_map(Value::Char).boxed(),
        Type::String => text().prop_map(Value::String).boxed(),
        ty if ty.takes_link() => prop_oneof![
            3 => vec(any::<u8>(), 0..9).prop_map(Value::Bytes),
            1 => Just(Value::Link(cid::Cid::default())),
        ]
        .boxed(),
        ty if ty.takes_any() => any_ipld()
            .prop_filter("it has a text", |any| json::to_string(any).is_ok())
            .prop_map(Value::Any)
            .boxed(),
        Type::List(element) => vec(value(element), 0..4).prop_map(Value::List).boxed(),
        Type::Record(fields) => all(fields.iter().map(|field| &field.ty))
            .prop_map(Value::Record)
            .boxed(),
        Type::Tuple(types) => all(types.iter()).prop_map(Value::Tuple).boxed(),
        Type::Variant(cases) => {
            let case = |(index, case): (usize, &super::Case)| {
                payload(case.ty.as_ref())
                    .prop_map(move |payload| Value::Variant(index as u32, payload))
                    .boxed()
            };
            let cases: Vec<_> = cases.iter().enumerate().map(case).collect();
            proptest::strategy::Union::new(cases).boxed()
        }
        Type::Enum(names) => (0..names.len() as u32).prop_map(Value::Enum).boxed(),
        Type::Option(some) => option::of(value(some).prop_map(Box::new))
            .prop_map(Value::Option)
            .boxed(),
        Type::Result { ok, err } => prop_oneof![
            payload(ok.as_deref()).prop_map(|value| Value::Result(Ok(value))),
            payload(err.as_deref()).prop_map(|value| Value::Result(Err(value))),
        ]
        .boxed(),
        Type::Flags(names) => {
            let count = names.len();
            vec(any::<u32>(), count.div_ceil(32))
                .prop_map(move |mut words| {
                    if let Some(last) = words.last_mut().filter(|_| count % 32 != 0) {
                        *last &= (1 << (count % 32)) - 1;
                    }
                    Value::Flags(words)
                })
                .boxed()
        }
        handle => panic!("{handle} has no values"),
    }
}

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        proptest::sample::select(vec![0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
        any::<i32>().prop_map(f64::from),
    ]
}

/// Text with all that has a meaning in WAVE, and the names of floats.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-c\"'\\\\,()\n\r\t @{}:/]{0,8}",
        name(),
        Just("-0".into())
    ]
}

fn all<'a>(types: impl Iterator<Item = &'a Type>) -> BoxedStrategy<Vec<Value>> {
    types.map(value).collect::<Vec<_>>().boxed()
}

fn payload(ty: Option<&Type>) -> BoxedStrategy<Option<Box<Value>>> {
    match ty {
        Some(ty) => value(ty).prop_map(|value| Some(Box::new(value))).boxed(),
        None => Just(None).boxed(),
    }
}

/// Any IPLD, more often than not of a kind that some type would take.
pub(crate) fn ipld() -> impl Strategy<Value = Ipld> {
    let leaf = prop_oneof![
        Just(Ipld::Null),
        any::<bool>().prop_map(Ipld::Bool),
        any::<i128>().prop_map(Ipld::Integer),
        (-300_i128..300).prop_map(Ipld::Integer),
        float().prop_map(Ipld::Float),
        text().prop_map(Ipld::String),
        vec(any::<u8>(), 0..5).prop_map(Ipld::Bytes),
        Just(Ipld::Link(cid::Cid::default())),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Ipld::List),
            btree_map(name(), inner, 0..3).prop_map(Ipld::Map),
        ]
    })
}
