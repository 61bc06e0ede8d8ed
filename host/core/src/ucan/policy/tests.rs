use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::json;

fn arguments(json: &str) -> BTreeMap<String, Ipld> {
    match json::parse(json).expect(json) {
        Ipld::Map(entries) => entries,
        other => panic!("{other:?}"),
    }
}

fn policy(text: &str) -> Policy {
    Policy::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn operators() {
    let value = r#"{"n":5,"f":2.5,"t":"text","l":[1,2],"m":{"a":1},"b":true,"z":null,"e":[]}"#;
    for (text, holds) in [
        (".n == 5", true),
        (".n == 5.0", true),
        (".n != 5.0", false),
        (".f == 2.5", true),
        (".n == \"5\"", false),
        (".n != \"5\"", true),
        (".l == [1.0,2]", true),
        (".l == [1]", false),
        (".m == {\"a\":1}", true),
        (".m == {\"a\":1,\"b\":2}", false),
        (".b == true", true),
        (".z == null", true),
        (".n < 6", true),
        (".n < 5", false),
        (".n <= 5.0", true),
        (".n > 4.9", true),
        (".n >= 5.1", false),
        (".t < 6", false),
        (".t >= 6", false),
        (".z < 1", false),
        (".t like \"te*\"", true),
        (".n like \"5\"", false),
        ("not .n like \"5\"", true),
        ("all .l (. > 0)", true),
        ("all .l (. > 1)", false),
        ("any .l (. > 1)", true),
        ("all .m (. == 1)", true),
        ("all .e (. == 1)", true),
        ("any .e (. == 1)", false),
        ("all .t (. == 1)", false),
        ("any .t (. == 1)", false),
        ("all .z (. == 1)", false),
        ("and()", true),
        ("or()", true),
        ("not or()", false),
        (".n == 5 and .t == \"x\" or .b == true", true),
        (".n == 5 and (.t == \"x\" or .b == true)", true),
        ("not (.n == 5 and .b == true)", false),
    ] {
        assert_eq!(policy(text).holds(&arguments(value)), holds, "{text}");
    }
}

#[test]
fn large_numbers_are_compared_exactly() {
    for (text, json, holds) in [
        (
            ".n == 9007199254740993",
            r#"{"n":9007199254740992.0}"#,
            false,
        ),
        (".n < 9007199254740993", r#"{"n":9007199254740992.0}"#, true),
        (".n > 1e300", r#"{"n":18446744073709551615}"#, false),
        (".n > -1e300", r#"{"n":-18446744073709551616}"#, true),
        (
            ".n == 18446744073709551615",
            r#"{"n":18446744073709551615}"#,
            true,
        ),
        (
            ".n == 18446744073709551616.0",
            r#"{"n":18446744073709551615}"#,
            false,
        ),
        (".n > -2", r#"{"n":-1.5}"#, true),
        (".n < -1", r#"{"n":-1.5}"#, true),
    ] {
        assert_eq!(policy(text).holds(&arguments(json)), holds, "{text} {json}");
    }
    let nan = BTreeMap::from([("n".to_owned(), Ipld::Float(f64::NAN))]);
    for text in [".n == 1", ".n < 1", ".n >= 1", ".n == 1.5", ".n > 1.5"] {
        assert!(!policy(text).holds(&nan), "{text}");
    }
}

/// Where implementations differ, or the specification contradicts itself: what we do.
#[test]
fn the_table_of_divergences() {
    for (json, text, holds) in [
        ("{}", r#"[["==",".x",null]]"#, true),
        ("{}", r#"[["!=",".x",1]]"#, true),
        (r#"{"x":[1]}"#, r#"[["!=",".x[9]",1]]"#, false),
        (r#"{"x":[1]}"#, r#"[["not",["==",".x[9]",1]]]"#, true),
        (r#"{"x":[]}"#, r#"[["any",".x",["==",".",1]]]"#, false),
        (r#"{"x":[]}"#, r#"[["any",".x",["==",".",null]]]"#, false),
        (r#"{"x":{}}"#, r#"[["any",".x",["or",[]]]]"#, false),
        (r#"{"x":"Hi"}"#, r#"[["==",".x[0]","H"]]"#, false),
        (r#"{"x":"Hi"}"#, r#"[["==",".x[0:1]","H"]]"#, false),
        (r#"{"a":{"b-c":1}}"#, r#"[["==",".a[\"b-c\"]",1]]"#, true),
        (
            r#"{"n":[{"r":[1,2]},{"r":[2,3]}]}"#,
            r#"[["all",".n",["any",".r",["==",".",2]]]]"#,
            true,
        ),
        (
            r#"{"n":[{"r":[1,2]},{"r":[1,3]}]}"#,
            r#"[["all",".n",["any",".r",["==",".",2]]]]"#,
            false,
        ),
    ] {
        assert_eq!(policy(text).holds(&arguments(json)), holds, "{text} {json}");
    }
    let error = Policy::parse(r#"[["==","[0]",1]]"#).expect_err("no dot");
    assert_eq!(
        error.to_string(),
        "pol[0][1]: byte 0 of the selector: a selector begins with a dot"
    );
}

#[test]
fn the_statement_that_fails_is_named() {
    let policy = policy(".n == 1 and .host like \"*.example.com\"");
    let error = policy.check(&arguments(r#"{"n":1,"host":"example.org"}"#));
    assert_eq!(
        error.expect_err("another host").to_string(),
        "the arguments don't meet `.host like \"*.example.com\"`"
    );
}

#[test]
fn what_is_asked_is_bounded() {
    let many = Ipld::List(vec![Ipld::Integer(1); 2000]);
    let arguments = BTreeMap::from([("l".to_owned(), many)]);
    let each = format!("all .l ({})", vec![". == 1"; 100].join(" and "));
    assert_eq!(policy(&each).check(&arguments), Err(Unmet::TooMuch));
    assert!(!policy(&each).holds(&arguments));
    // Not to be turned into a yes.
    assert_eq!(
        policy(&format!("not {each}")).check(&arguments),
        Err(Unmet::TooMuch)
    );
}

#[test]
fn refusals_name_place_and_rule() {
    for (text, words) in [
        (
            r#"{"a":1}"#,
            "column 1: expected a selector such as `.host`",
        ),
        (r#"["==",".a",1]"#, "pol[0]: expected a list, not a string"),
        (r#"[[]]"#, "pol[0]: a statement begins with an operator"),
        (
            r#"[["match",".a","x"]]"#,
            "pol[0]: unknown operator \"match\"; there are == != < <= > >= like not and or all any",
        ),
        (
            r#"[["==",".a"]]"#,
            "pol[0]: a statement of 2 parts; `not`, `and` and `or` have two, all others three",
        ),
        (
            r#"[["and",".a",[]]]"#,
            "pol[0]: a statement of 3 parts; `not`, `and` and `or` have two, all others three",
        ),
        (
            r#"[["or",[["<",".a","x"]]]]"#,
            "pol[0][1][0][2]: expected a number, not a string",
        ),
        (
            r#"[["like",".a",1]]"#,
            "pol[0][2]: expected a text, not an integer",
        ),
        (
            r#"[["all",".a",["not",["==",1,1]]]]"#,
            "pol[0][2][1][1]: expected a text, not an integer",
        ),
        (
            r#"[["not",[["==",".a",1]]]]"#,
            "pol[0][1]: a statement begins with an operator",
        ),
        ("", "column 1: expected a selector such as `.host`"),
        (".a = 1", "column 4: `==` says equal"),
        (
            ".a == 1 .b == 2",
            "column 9: expected `and`, `or` or the end",
        ),
        (
            ".a == 'x'",
            "column 7: not a value in JSON (line 1, column 1: expected a value): 'x'; texts stand in double quotes",
        ),
        (
            ".a like 1",
            "column 10: `like` takes a text, not an integer",
        ),
        (".a < \"x\"", "column 9: `<` takes a number, not a string"),
        (
            ".é == 1",
            "column 2: a name of other than ASCII letters, digits and `_`, or that begins with a digit, stands in `[\"…\"]`",
        ),
        ("(.a == 1", "column 9: expected `)`"),
        ("and(.a == 1 .b == 2)", "column 13: expected `,`"),
        (
            ".a ==",
            "column 6: expected a value in JSON, such as \"text\" or 12",
        ),
        ("[1", "line 1, column 3: "),
    ] {
        let error = Policy::parse(text).expect_err(text).to_string();
        assert!(error.starts_with(words), "{text}\n{error}\n{words}");
    }
}

#[test]
fn size_and_depth_are_bounded() {
    let one = || policy(".a == 1").0.remove(0);
    let nested =
        |levels: usize| (0..levels).fold(one(), |inner, _| Statement::Not(Box::new(inner)));
    let deepest = Policy(vec![nested(MAX_DEPTH - 1)]);
    assert_eq!(Policy::from_ipld(&deepest.to_ipld()), Ok(deepest.clone()));
    assert_eq!(policy(&deepest.to_string()), deepest);
    let deeper = Policy(vec![nested(MAX_DEPTH)]);
    let error = Policy::from_ipld(&deeper.to_ipld()).expect_err("too deep");
    assert_eq!(error.problem(), &Problem::TooDeep);
    let error = Policy::parse(&deeper.to_string()).expect_err("too deep");
    assert_eq!(error.problem(), &Problem::TooDeep);
    for text in ["(", "not ", "all . ", "and("] {
        assert!(Policy::parse(&text.repeat(16_000)).is_err());
    }

    let most = Policy(vec![one(); MAX_STATEMENTS]);
    assert_eq!(Policy::from_ipld(&most.to_ipld()), Ok(most.clone()));
    assert!(most.clone().and(policy(".a == 1")).is_err());
    let more = Policy(vec![one(), Statement::And(most.0)]);
    let error = Policy::from_ipld(&more.to_ipld()).expect_err("too many");
    assert_eq!(error.problem(), &Problem::TooMany);
    assert!(Policy::parse(&more.to_string()).is_err());
    assert!(Policy::parse(&" ".repeat(100_000)).is_err());
}

/// Values small enough that what a policy says of them is sometimes true.
fn any_value() -> impl Strategy<Value = Ipld> {
    let leaf = prop_oneof![
        Just(Ipld::Null),
        any::<bool>().prop_map(Ipld::Bool),
        (-2..3_i128).prop_map(Ipld::Integer),
        (-3..4_i8).prop_map(|halves| Ipld::Float(f64::from(halves) / 2.0)),
        "[ab*]{0,3}".prop_map(Ipld::String),
        proptest::collection::vec(0..3_u8, 0..4).prop_map(Ipld::Bytes),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Ipld::List),
            proptest::collection::btree_map("[abc]", inner, 0..4).prop_map(Ipld::Map),
        ]
    })
}

fn any_arguments() -> impl Strategy<Value = BTreeMap<String, Ipld>> {
    proptest::collection::btree_map("[abc]", any_value(), 0..4)
}

fn any_selector() -> impl Strategy<Value = String> {
    r#"\.|(\.[abc]|\.\["[abc]"\])((\.[abc]|\["[abc]"\]|\[\]|\[-?[0-3]\]|\[([0-2]|-[12])?:([1-3]|-[12])?\])\??){0,2}"#
        .prop_filter("`-0` is no number", |text| !text.contains("-0"))
}

fn any_statement() -> impl Strategy<Value = Ipld> {
    let text = |text: &str| Ipld::String(text.to_owned());
    let three = move |(operator, at, value): (&str, String, Ipld)| {
        Ipld::List(vec![text(operator), Ipld::String(at), value])
    };
    let number = prop_oneof![
        (-2..3_i128).prop_map(Ipld::Integer),
        (-3..4_i8).prop_map(|halves| Ipld::Float(f64::from(halves) / 2.0)),
    ];
    let orders = prop_oneof![Just("<"), Just("<="), Just(">"), Just(">=")];
    let equals = prop_oneof![Just("=="), Just("!=")];
    let glob = r"[ab*\\]{0,3}".prop_map(Ipld::String);
    let leaf = prop_oneof![
        (equals, any_selector(), any_value()).prop_map(three),
        (orders, any_selector(), number).prop_map(three),
        (Just("like"), any_selector(), glob).prop_map(three),
    ];
    leaf.prop_recursive(3, 12, 3, move |inner| {
        let several = proptest::collection::vec(inner.clone(), 0..4).prop_map(Ipld::List);
        let two = move |(operator, value): (&str, Ipld)| Ipld::List(vec![text(operator), value]);
        prop_oneof![
            (Just("not"), inner.clone()).prop_map(two),
            (prop_oneof![Just("and"), Just("or")], several).prop_map(two),
            (prop_oneof![Just("all"), Just("any")], any_selector(), inner).prop_map(three),
        ]
    })
}

fn any_policy() -> impl Strategy<Value = Ipld> {
    proptest::collection::vec(any_statement(), 0..3).prop_map(Ipld::List)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_second_evaluator_agrees(value in any_policy(), arguments in any_arguments()) {
        let policy = Policy::from_ipld(&value).expect("a policy");
        let holds = brute::holds(&value, &arguments);
        prop_assert_eq!(policy.holds(&arguments), holds);
        prop_assert_eq!(policy.check(&arguments).is_ok(), holds);
    }

    #[test]
    fn both_forms_come_back(value in any_policy()) {
        let policy = Policy::from_ipld(&value).expect("a policy");
        prop_assert_eq!(Policy::from_ipld(&policy.to_ipld()), Ok(policy.clone()));
        if !policy.is_empty() {
            let text = policy.to_string();
            prop_assert_eq!(Policy::parse(&text), Ok(policy.clone()), "{}", text);
            let json = json::to_string(&policy.to_ipld()).expect("prints");
            prop_assert_eq!(Policy::parse(&json), Ok(policy));
        }
    }

    #[test]
    fn no_text_panics(text: String, words in r#"((and|or|not|all|any|like|\.a|\(|\)|,|==|<|"x"|1|\[) ?){0,12}"#) {
        for text in [text, words] {
            if let Ok(policy) = Policy::parse(&text) {
                prop_assert_eq!(Policy::parse(&policy.to_string()), Ok(policy));
            }
        }
    }

    #[test]
    fn no_value_panics(value in crate::testing::any_ipld()) {
        let _ = Policy::from_ipld(&value);
        let _ = Policy::from_ipld(&Ipld::List(vec![value]));
    }
}
