use ipld_core::{cid::Cid, ipld};
use proptest::prelude::*;

use super::super::arbitrary;
use super::*;

proptest! {
    #[test]
    fn a_value_comes_back_from_ipld_and_from_dag_cbor((ty, value) in arbitrary::ty_and_value()) {
        prop_assert!(value.fits(&ty));
        let ipld = into_ipld(value.clone(), &ty).unwrap();
        prop_assert_eq!(&from_ipld(ipld.clone(), &ty).unwrap(), &value);

        let encoded = serde_ipld_dagcbor::to_vec(&ipld).unwrap();
        let decoded: Ipld = serde_ipld_dagcbor::from_slice(&encoded).unwrap();
        prop_assert_eq!(&decoded, &ipld);
        prop_assert_eq!(into_ipld(from_ipld(decoded, &ty).unwrap(), &ty).unwrap(), ipld);
    }

    #[test]
    fn whatever_is_read_has_one_form_from_then_on(ty in arbitrary::ty(), ipld in arbitrary::ipld()) {
        if let Ok(value) = from_ipld(ipld, &ty) {
            prop_assert!(value.fits(&ty));
            let ipld = into_ipld(value.clone(), &ty).unwrap();
            prop_assert_eq!(from_ipld(ipld, &ty).unwrap(), value);
        }
    }

    #[test]
    fn a_value_of_another_type_is_refused_and_nothing_else(
        ty in arbitrary::ty(),
        (_, value) in arbitrary::ty_and_value(),
    ) {
        prop_assert_eq!(value.fits(&ty), into_ipld(value, &ty).is_ok());
    }
}

fn point() -> Type {
    Type::record([("x", Type::U8), ("label", Type::option(Type::String))])
}

fn shape() -> Type {
    Type::variant([
        ("none", None),
        ("circle", Some(Type::U8)),
        ("maybe", Some(maybe())),
    ])
}

fn maybe() -> Type {
    Type::option(Type::U8)
}

fn some(value: Value) -> Value {
    Value::Option(Some(Box::new(value)))
}

/// Forms that are read besides the one that is written.
#[test]
fn other_forms_are_read_too() {
    let x = Value::U8(1);
    let ok = |value: Value| Value::Result(Ok(Some(Box::new(value))));
    let result = Type::result(Some(Type::U8), Some(Type::String));
    let pairs = Type::list(Type::tuple([Type::String, Type::U8]));
    let pair = |key: &str, value| Value::Tuple(vec![Value::String(key.into()), Value::U8(value)]);
    let cases = [
        (
            ipld!([1, 2]),
            Type::list(Type::U8),
            Value::Bytes(vec![1, 2]),
        ),
        (ipld!([]), Type::list(Type::U8), Value::Bytes(vec![])),
        (ipld!(16_777_216), Type::F32, Value::F32(16_777_216.0)),
        (ipld!(-3), Type::F64, Value::F64(-3.0)),
        (
            ipld!({"x": 1}),
            point(),
            Value::Record(vec![x.clone(), Value::Option(None)]),
        ),
        (ipld!("none"), shape(), Value::Variant(0, None)),
        (ipld!([1, null]), result.clone(), ok(x)),
        (
            ipld!([null, "no"]),
            result,
            Value::Result(Err(Some(Box::new(Value::String("no".into()))))),
        ),
        (
            ipld!(["b", "a"]),
            Type::flags(["a", "b"]),
            Value::Flags(vec![3]),
        ),
        (
            ipld!({"bb": 1, "c": 2, "a": 3}),
            pairs,
            Value::List(vec![pair("a", 3), pair("c", 2), pair("bb", 1)]),
        ),
    ];
    for (ipld, ty, expected) in cases {
        assert_eq!(from_ipld(ipld, &ty), Ok(expected), "{ty}");
    }
}

#[test]
fn nothing_is_guessed_from_how_a_string_looks() {
    for text in ["null", "1", "true", "nan", &Cid::default().to_string()] {
        let value = from_ipld(ipld!(text), &Type::String).unwrap();
        assert_eq!(value, Value::String(text.into()));
        let value = from_ipld(ipld!(text), &Type::option(Type::String)).unwrap();
        assert_eq!(value, some(Value::String(text.into())));
        assert!(from_ipld(ipld!(text), &Type::U8).is_err());
        assert!(from_ipld(ipld!(text), &Type::Bool).is_err());
    }
}

#[test]
fn every_depth_of_options_has_its_own_form() {
    let ty = Type::option(Type::option(maybe()));
    let none = Value::Option(None);
    let cases = [
        (none.clone(), ipld!(null)),
        (some(none.clone()), ipld!([null])),
        (some(some(none)), ipld!([[null]])),
        (some(some(some(Value::U8(7)))), ipld!([[7]])),
    ];
    for (value, expected) in cases {
        assert_eq!(into_ipld(value.clone(), &ty).unwrap(), expected);
        assert_eq!(from_ipld(expected, &ty).unwrap(), value);
    }
}

#[test]
fn floats_that_dag_cbor_lacks_are_strings() {
    for (float, name) in [
        (f64::NAN, "nan"),
        (f64::INFINITY, "inf"),
        (-f64::INFINITY, "-inf"),
        (-0.0, "-0"),
    ] {
        assert_eq!(
            into_ipld(Value::F64(float), &Type::F64).unwrap(),
            ipld!(name)
        );
        assert_eq!(
            from_ipld(ipld!(name), &Type::F64).unwrap(),
            Value::F64(float)
        );
        assert_eq!(
            from_ipld(ipld!(name), &Type::F32).unwrap(),
            Value::F32(float as f32)
        );
        let error = from_ipld(Ipld::Float(float), &Type::F64).unwrap_err();
        assert_eq!(
            error.hint,
            Some(format!("this float is written \"{name}\""))
        );
    }
}

#[test]
fn integers_become_floats_only_where_exact() {
    let exact = |integer: i128, ty: &Type| from_ipld(Ipld::Integer(integer), ty).is_ok();
    assert!(exact(1 << 53, &Type::F64) && exact(-(1 << 53), &Type::F64));
    assert!(!exact((1 << 53) + 1, &Type::F64) && !exact(i128::MAX, &Type::F64));
    assert!(exact(i128::MIN, &Type::F64) && exact(1 << 100, &Type::F32));
    assert!(exact(1 << 24, &Type::F32) && !exact((1 << 24) + 1, &Type::F32));
}

#[test]
fn bytes_move_and_are_not_copied() {
    let ty = Type::list(Type::U8);
    let bytes = vec![7; 1 << 20];
    let address = bytes.as_ptr();
    let Value::Bytes(read) = from_ipld(Ipld::Bytes(bytes), &ty).unwrap() else {
        panic!("a list<u8> is bytes");
    };
    assert_eq!(read.as_ptr(), address);
    let Ipld::Bytes(written) = into_ipld(Value::Bytes(read), &ty).unwrap() else {
        panic!("a list<u8> is bytes");
    };
    assert_eq!(written.as_ptr(), address);
}

#[test]
fn a_mismatch_says_where_what_and_why() {
    let link = || Ipld::Link(Cid::default());
    let pairs = Type::list(Type::tuple([Type::String, Type::U8]));
    let result = Type::result(Some(Type::U8), None);
    let cases = [
        (ipld!(300), Type::U8, "expected `u8`, found integer 300"),
        (ipld!(1.0), Type::U8, "expected `u8`, found float 1.0"),
        (
            ipld!("ab"),
            Type::Char,
            "expected `char`, found string \"ab\"",
        ),
        (ipld!(""), Type::Char, "expected `char`, found string \"\""),
        (
            ipld!(0.1),
            Type::F32,
            "expected `f32`, found float 0.1; the nearest `f32` is 0.10000000149011612",
        ),
        (
            ipld!(1e300),
            Type::F32,
            "expected `f32`, found float 1e300; no `f32` is that large",
        ),
        (
            ipld!(16_777_217),
            Type::F32,
            "expected `f32`, found integer 16777217; no `f32` is exactly that",
        ),
        (
            ipld!("NaN"),
            Type::F64,
            "expected `f64`, found string \"NaN\"",
        ),
        (
            ipld!([1, 2, 256]),
            Type::list(Type::U8),
            "expected `u8` at `[2]`, found integer 256",
        ),
        (
            ipld!([[1], [2, null]]),
            Type::list(Type::list(Type::S8)),
            "expected `s8` at `[1][1]`, found null",
        ),
        (
            ipld!([1]),
            Type::tuple([Type::U8, Type::U8]),
            "expected `tuple<u8, u8>`, found list of 1 item",
        ),
        (
            ipld!({"x": 1, "labl": "a"}),
            point(),
            "expected `record { x: u8, label: option<string> }`, found unknown key \"labl\"; did you mean `label`?",
        ),
        (
            ipld!({"label": "a"}),
            point(),
            "expected `record { x: u8, label: option<string> }`, found no key \"x\"",
        ),
        (
            ipld!({"x": -1}),
            point(),
            "expected `u8` at `x`, found integer -1",
        ),
        (
            ipld!({"circel": 1}),
            shape(),
            "expected `variant { none, circle(u8), maybe(option<u8>) }`, found unknown case \"circel\"; did you mean `circle`?",
        ),
        (
            ipld!("circle"),
            shape(),
            "expected `variant { none, circle(u8), maybe(option<u8>) }`, found case \"circle\" alone; its payload is a `u8`: {\"circle\": …}",
        ),
        (
            ipld!({"none": 1}),
            shape(),
            "expected `null` at `none`, found integer 1",
        ),
        (
            ipld!({"circle": null}),
            shape(),
            "expected `u8` at `circle`, found null",
        ),
        (
            ipld!({"a": 1, "b": 2}),
            shape(),
            "expected `variant { none, circle(u8), maybe(option<u8>) }`, found map of 2 keys",
        ),
        (
            ipld!("Red"),
            Type::enumeration(["red", "green"]),
            "expected `enum { red, green }`, found unknown case \"Red\"; did you mean `red`?",
        ),
        (
            ipld!(["read", "read"]),
            Type::flags(["read", "write"]),
            "expected `flags { read, write }` at `[1]`, found \"read\" again",
        ),
        (
            ipld!(["wirte"]),
            Type::flags(["read", "write"]),
            "expected `flags { read, write }` at `[0]`, found unknown flag \"wirte\"; did you mean `write`?",
        ),
        (
            ipld!(1),
            Type::option(maybe()),
            "expected `option<option<u8>>`, found integer 1; an option in an option is null or a list of one",
        ),
        (
            ipld!({"ok": "a"}),
            result.clone(),
            "expected `u8` at `ok`, found string \"a\"",
        ),
        (
            ipld!({"error": 1}),
            result.clone(),
            "expected `null` at `error`, found integer 1",
        ),
        (
            ipld!({"err": 1}),
            result.clone(),
            "expected `result<u8>`, found unknown key \"err\"; a result is {\"ok\": …} or {\"error\": …}",
        ),
        (
            ipld!([null, null]),
            result.clone(),
            "expected `result<u8>`, found [null, null], which is either; write {\"ok\": null} or {\"error\": null}",
        ),
        (
            ipld!([1, 2]),
            result,
            "expected `result<u8>`, found a list of integer 1 and integer 2",
        ),
        (
            ipld!({"a b": 300}),
            pairs.clone(),
            "expected `u8` at `\"a b\"`, found integer 300",
        ),
        (
            ipld!([["a", 1], ["b", 300]]),
            pairs,
            "expected `u8` at `[1][1]`, found integer 300",
        ),
        (
            ipld!(1),
            Type::Own("file".into()),
            "expected `own<file>`, found integer 1; a handle means something only between components and can't be passed as data",
        ),
        (
            link(),
            Type::String,
            "expected `string`, found link baeaaaaa; a link stands for bytes: a `list<u8>`, a `stream<u8>` or a blob",
        ),
        (
            link(),
            Type::Stream(None),
            "expected `stream`, found link baeaaaaa; a handle means something only between components and can't be passed as data",
        ),
        (
            ipld!("a"),
            Type::list(Type::U8),
            "expected `list<u8>`, found string \"a\"; it takes a link or bytes",
        ),
        (
            ipld!([1]),
            Type::stream(Type::U8),
            "expected `stream<u8>`, found list of 1 item; it takes a link or bytes",
        ),
    ];
    for (ipld, ty, message) in cases {
        assert_eq!(from_ipld(ipld, &ty).unwrap_err().to_string(), message);
    }
}

#[test]
fn a_value_that_does_not_fit_is_named() {
    let ty = Type::record([("a", Type::list(Type::U16))]);
    let value = Value::Record(vec![Value::List(vec![Value::U16(1), Value::Bool(true)])]);
    assert_eq!(
        into_ipld(value, &ty).unwrap_err().to_string(),
        "expected `u16` at `a[1]`, found a value of another `bool`"
    );
}

#[test]
fn arguments_are_counted_and_named() {
    let function = Function {
        interface: None,
        name: "draw".into(),
        params: vec![
            ("points".into(), Type::list(point())),
            ("size".into(), Type::U8),
        ],
        result: None,
        is_async: false,
    };
    let args = vec![ipld!([{"x": 1}]), ipld!(2)];
    let values = args_from_ipld(&function, args).unwrap();
    assert_eq!(values[1], Value::U8(2));

    let message = |args| args_from_ipld(&function, args).unwrap_err().to_string();
    assert_eq!(
        message(vec![ipld!([{"x": 1}, {"x": 300}]), ipld!(2)]),
        "expected `u8` at `points[1].x`, found integer 300"
    );
    assert_eq!(
        message(vec![ipld!([]), ipld!(null)]),
        "expected `u8` at `size`, found null"
    );
    assert_eq!(
        message(vec![ipld!(1)]),
        "`draw: func(points: list<record { x: u8, label: option<string> }>, size: u8)` takes 2 arguments, found 1"
    );
}
