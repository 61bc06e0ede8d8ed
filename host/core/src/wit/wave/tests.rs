use proptest::prelude::*;

use super::super::arbitrary;
use super::*;

/// Text that is likely to get far in a parser.
fn text() -> impl Strategy<Value = String> {
    let token = proptest::sample::select(vec![
        "(", ")", "[", "]", "{", "}", ",", ":", "\"", "\"\"\"", "'", "\\", "\\u{41}", "\n", "\r",
        " ", "  ", "//", "@", "-", "%", "a", "add", "1", "-1", "1e999", "0.5", "nan", "inf",
        "-inf", "some", "none", "ok", "err", "true", "é", "𝄞", "\u{301}",
    ]);
    prop_oneof![
        any::<String>(),
        proptest::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat()),
    ]
}

proptest! {
    #[test]
    fn a_value_comes_back_from_its_text((ty, value) in arbitrary::ty_and_value()) {
        let text = print(&value, &ty);
        prop_assert!(!text.contains('\n'));
        prop_assert_eq!(parse(&text, &ty), Ok(value.clone()), "{}", text);

        let call = Call::parse(&format!("f({text}, {text})")).unwrap();
        prop_assert_eq!(call.args, Some(vec![Arg::Wave(text.clone()), Arg::Wave(text.clone())]));

        let brief = print_brief(&value, &ty, 10);
        let cut = brief.strip_suffix('…').unwrap_or(&brief);
        prop_assert!(text.starts_with(cut) && brief.chars().count() <= 11);
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in text(), ty in arbitrary::ty()) {
        for ty in [&ty, &Type::String, &Type::Char, &Type::F32, &Type::list(Type::String)] {
            if let Ok(value) = parse(&text, ty) {
                prop_assert_eq!(parse(&print(&value, ty), ty), Ok(value));
            }
        }
        let _ = Call::parse(&text);
        let _ = Call::parse(&format!("f({text})"));
    }

    #[test]
    fn printing_a_value_of_another_type_says_so(
        ty in arbitrary::ty(),
        (_, value) in arbitrary::ty_and_value(),
    ) {
        prop_assert_eq!(print(&value, &ty).starts_with("<a `"), !value.fits(&ty));
    }
}

#[test]
fn a_list_of_bytes_is_bytes() {
    let ty = Type::list(Type::U8);
    assert_eq!(parse("[1, 2, 3]", &ty), Ok(Value::Bytes(vec![1, 2, 3])));
    assert_eq!(parse("[]", &ty), Ok(Value::Bytes(vec![])));
    assert_eq!(print(&Value::Bytes(vec![1, 2, 3]), &ty), "[1, 2, 3]");
    assert_eq!(
        print_brief(&Value::Bytes(vec![7; 1 << 20]), &ty, 9),
        "[7, 7, 7,…"
    );
}

#[test]
fn floats_have_words_for_what_is_no_number() {
    for (text, float) in [
        ("nan", f64::NAN),
        ("inf", f64::INFINITY),
        ("-inf", f64::NEG_INFINITY),
        ("-0", -0.0),
        ("1.5", 1.5),
    ] {
        assert_eq!(parse(text, &Type::F64), Ok(Value::F64(float)));
        assert_eq!(print(&Value::F64(float), &Type::F64), text);
        assert_eq!(parse(text, &Type::F32), Ok(Value::F32(float as f32)));
    }
}

#[test]
fn text_that_is_no_value_of_the_type_is_explained() {
    let point = || Type::record([("x", Type::S32), ("label", Type::option(Type::String))]);
    let shape = || Type::variant([("none", None), ("circle", Some(Type::F32))]);
    let cases = [
        ("300", Type::U8, "expected `u8`, found `300` at column 1"),
        (
            "[1, 2, -3]",
            Type::list(Type::U8),
            "expected `u8`, found `-3` at column 8",
        ),
        (
            "{x: 1, labl: \"a\"}",
            point(),
            "unknown field `labl`, did you mean `label`? at column 14",
        ),
        ("{label: \"a\"}", point(), "no field `x` at column 1"),
        (
            "{x: 1, label: 7}",
            point(),
            "expected `string`, found `7` at column 15",
        ),
        (
            "{x: 1,\n label: 7}",
            point(),
            "expected `string`, found `7` at line 2, column 9",
        ),
        (
            "circel(1)",
            shape(),
            "unknown case `circel`, did you mean `circle`? at column 1",
        ),
        (
            "circle",
            shape(),
            "`circle` has a payload, write `circle(…)` with a `f32` at column 1",
        ),
        ("%none(1)", shape(), "`none` has no payload at column 1"),
        (
            "none",
            shape(),
            "the case `none` is written `%none` at column 1",
        ),
        (
            "circle(1e99)",
            shape(),
            "expected `f32`, found `1e99` at column 8",
        ),
        (
            "(1)",
            Type::tuple([Type::U8, Type::U8]),
            "expected `tuple<u8, u8>`, found `(1)` at column 1",
        ),
        ("{a}", Type::flags(["read"]), "unknown flag `a` at column 1"),
        (
            "{a, a}",
            Type::flags(["a"]),
            "duplicate flag: \"a\" at column 5",
        ),
        ("'ab'", Type::Char, "unexpected `'ab'` at column 1"),
        ("\"a", Type::String, "unexpected `\"a` at column 1"),
        (
            "\"\\u{d800}\"",
            Type::String,
            "invalid character escape at column 2",
        ),
        (
            "\"\"\"a\"\"\"",
            Type::String,
            "invalid multiline string: closing \"\"\" must be on a line preceded only by spaces at column 2",
        ),
        ("[1, 2", Type::list(Type::U8), "unexpected end at column 6"),
        (
            "1 2",
            Type::U8,
            "trailing characters after value at column 3",
        ),
        ("", Type::U8, "unexpected end at column 1"),
        (
            "1",
            Type::ErrorContext,
            "a `error-context` can't be written at column 1",
        ),
    ];
    for (text, ty, message) in cases {
        assert_eq!(parse(text, &ty).unwrap_err().to_string(), message, "{text}");
    }
}

#[test]
fn names_of_flags_may_be_marked_as_such() {
    let ty = Type::flags(["a", "true"]);
    assert_eq!(parse("{%true, a}", &ty), Ok(Value::Flags(vec![3])));
}

#[test]
fn calls_are_split_where_wave_would_split_them() {
    let wave = |text: &str| Arg::Wave(text.into());
    let file = |path: &str| Arg::File(path.into());
    let long = "\"\"\"\n a, \\\"\n \"\"\"";
    let cases = [
        ("add", "add", None),
        (" add ", "add", None),
        ("add()", "add", Some(vec![])),
        ("add(1, 2)", "add", Some(vec![wave("1"), wave("2")])),
        ("add(1, 2,)", "add", Some(vec![wave("1"), wave("2")])),
        (
            "acme:math/ops@0.1.0#add( 1 )",
            "acme:math/ops@0.1.0#add",
            Some(vec![wave("1")]),
        ),
        (
            "[method]counter.add(1)",
            "[method]counter.add",
            Some(vec![wave("1")]),
        ),
        (
            r#"f("a, b)", "\"", '\'', ',', ('"', [1, {x: 2}]))"#,
            "f",
            Some(vec![
                wave(r#""a, b)""#),
                wave(r#""\"""#),
                wave(r"'\''"),
                wave("','"),
                wave(r#"('"', [1, {x: 2}])"#),
            ]),
        ),
        (
            &format!("f({long}, 1)"),
            "f",
            Some(vec![wave(long), wave("1")]),
        ),
        (
            "f( // one, \"\n 1, // two)\n @x, [// ]\n])",
            "f",
            Some(vec![wave("1"), file("x"), wave("[// ]\n]")]),
        ),
        (
            r#"f(@a b (1).png, @-, @"a, \"b\"", @"x" , @./y )"#,
            "f",
            Some(vec![
                file("a b (1).png"),
                file("-"),
                file("a, \"b\""),
                file("x"),
                file("./y"),
            ]),
        ),
    ];
    for (text, name, args) in cases {
        let name = name.to_owned();
        assert_eq!(Call::parse(text), Ok(Call { name, args }), "{text}");
    }
}

#[test]
fn text_that_is_no_call_is_explained() {
    let cases = [
        ("", "expected the name of a function at column 1"),
        ("(1)", "expected the name of a function at column 1"),
        (
            "add 1",
            "unexpected character in a function's name at column 4",
        ),
        ("add(1", "expected `,` or `)` at column 6"),
        ("add(", "expected `,` or `)` at column 5"),
        ("add(,)", "expected an argument at column 5"),
        ("add(1,,2)", "expected an argument at column 7"),
        ("add(1]", "unexpected `]` at column 6"),
        ("add([1)", "expected `]`, found `)` at column 7"),
        ("add([1", "no `]` for what opens at column 5"),
        ("add(\"a)", "a string has no end at column 5"),
        ("add('a)", "a character has no end at column 5"),
        ("add(\"\"\"a)", "a string has no end at column 5"),
        ("add(@)", "expected a path after `@` at column 5"),
        ("add(@\"\")", "expected a path after `@` at column 5"),
        ("add(@\"a\" b)", "expected `,` or `)` at column 10"),
        ("add(@\"\\q\")", "invalid string at column 6"),
        ("add(1) 2", "expected nothing after the call at column 8"),
        ("f(1,\n ,)", "expected an argument at line 2, column 2"),
        ("f(\"é\" ]", "unexpected `]` at column 7"),
    ];
    for (text, message) in cases {
        assert_eq!(
            Call::parse(text).unwrap_err().to_string(),
            message,
            "{text}"
        );
    }
}
