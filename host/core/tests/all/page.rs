//! Holds `docs/values.md` to what the code does: every example on the page is tried here.

use homestar_core::wit::wave::{Arg, Call};
use homestar_core::wit::{Type, Value, from_ipld, into_ipld, wave};
use ipld_core::ipld::Ipld;

const PAGE: &str = include_str!("../../../../docs/values.md");

/// The rows of the table that starts with this heading, each as its cells.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let rows = PAGE.lines().skip_while(|line| !line.starts_with(heading));
    rows.skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

/// What stands in the first pair of backticks.
fn code(cell: &str) -> &str {
    cell.split('`').nth(1).expect("a cell with code")
}

fn decode(json: &str) -> Ipld {
    serde_ipld_dagjson::from_slice(json.as_bytes()).expect("DAG-JSON")
}

/// The types of the table, with the value that its example stands for.
fn examples() -> Vec<(Type, Value)> {
    let some = |value| Value::Option(Some(Box::new(value)));
    let text = |text: &str| Value::String(text.into());
    let pair = |key: &str, value| Value::Tuple(vec![text(key), Value::U8(value)]);
    vec![
        (Type::Bool, Value::Bool(true)),
        (Type::U8, Value::U8(255)),
        (Type::F32, Value::F32(0.5)),
        (Type::F64, Value::F64(0.1)),
        (Type::Char, Value::Char('é')),
        (Type::String, text("null")),
        (Type::list(Type::U8), Value::Bytes(vec![1, 2, 3])),
        (
            Type::list(Type::String),
            Value::List(vec![text("a"), text("b")]),
        ),
        (
            Type::list(Type::tuple([Type::String, Type::U8])),
            Value::List(vec![pair("b", 1), pair("a", 2)]),
        ),
        (
            Type::tuple([Type::U8, Type::String]),
            Value::Tuple(vec![Value::U8(1), text("a")]),
        ),
        (
            Type::record([("x", Type::U8), ("label", Type::option(Type::String))]),
            Value::Record(vec![Value::U8(1), Value::Option(None)]),
        ),
        (
            Type::variant([("none", None), ("circle", Some(Type::F64))]),
            Value::Variant(1, Some(Box::new(Value::F64(1.5)))),
        ),
        (Type::enumeration(["red", "green"]), Value::Enum(1)),
        (Type::option(Type::U8), some(Value::U8(7))),
        (
            Type::option(Type::option(Type::U8)),
            some(Value::Option(None)),
        ),
        (
            Type::result(Some(Type::U8), Some(Type::String)),
            Value::Result(Ok(Some(Box::new(Value::U8(1))))),
        ),
        (Type::flags(["read", "write"]), Value::Flags(vec![3])),
    ]
}

#[test]
fn every_type_has_the_form_of_its_example() {
    let mut rows = table("| WIT type");
    // A link is of content, which no example has; what takes any value has no form of its own.
    rows.retain(|row| !row[2].contains('…') && !row[0].contains("homestar:std/ipld"));
    let examples = examples();
    assert_eq!(rows.len(), examples.len());
    for (row, (ty, value)) in rows.iter().zip(examples) {
        let json = code(row[2]);
        assert_eq!(code(row[0]), ty.to_string());
        assert_eq!(from_ipld(decode(json), &ty), Ok(value.clone()), "{json}");

        let ipld = into_ipld(value, &ty).unwrap();
        let encoded = serde_ipld_dagjson::to_vec(&ipld).unwrap();
        assert_eq!(String::from_utf8(encoded).unwrap(), json);
    }
}

#[test]
fn the_four_floats_have_their_names() {
    let rows = table("| float");
    let floats = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0];
    assert_eq!(rows.len(), floats.len());
    for (row, float) in rows.iter().zip(floats) {
        let name = decode(code(row[1]));
        assert_eq!(into_ipld(Value::F64(float), &Type::F64), Ok(name));
    }
}

#[test]
fn the_messages_are_the_ones_that_are_shown() {
    let float = from_ipld(decode("0.1"), &Type::F32)
        .unwrap_err()
        .to_string();
    let points = Type::record([("points", Type::list(Type::record([("x", Type::U8)])))]);
    let json = r#"{"points": [{"x": 0}, {"x": 0}, {"x": 0}, {"x": 300}]}"#;
    let point = from_ipld(decode(json), &points).unwrap_err().to_string();
    for message in [float, point] {
        assert!(PAGE.contains(&format!("\n    {message}\n")), "{message}");
    }
    assert_eq!(wave::parse("0.1", &Type::F32), Ok(Value::F32(0.1)));
}

#[test]
fn the_calls_are_calls() {
    let (_, section) = PAGE.split_once("## Calls").expect("the section on calls");
    let lines = section.lines().filter_map(|line| line.strip_prefix("    "));
    let args: Vec<Vec<Arg>> = lines
        .map(|line| Call::parse(line).unwrap().args.unwrap())
        .collect();
    assert_eq!(args.len(), 6);
    assert_eq!(args[2][0], Arg::Wave("{x: 1, label: \"a, b\"}".into()));
    assert_eq!(args[3][0], Arg::File("photo.png".into()));
    assert_eq!(args[4], [Arg::File("a, b.txt".into())]);
    assert_eq!(args[5], [Arg::File("-".into())]);
}
