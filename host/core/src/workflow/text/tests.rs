use proptest::prelude::*;

use super::*;

fn value(text: &str, format: Format) -> Ipld {
    match read(text, format) {
        Ok(node) => node.to_ipld(),
        Err(problem) => panic!("{text}\n{problem}"),
    }
}

#[test]
fn plain_words_mean_what_the_core_schema_says() {
    let string = |text: &str| Ipld::String(text.into());
    for (word, expected) in [
        ("", Ipld::Null),
        ("~", Ipld::Null),
        ("null", Ipld::Null),
        ("nUll", string("nUll")),
        ("true", Ipld::Bool(true)),
        ("FALSE", Ipld::Bool(false)),
        // Not since YAML 1.2.
        ("yes", string("yes")),
        ("no", string("no")),
        ("on", string("on")),
        ("0o17", Ipld::Integer(15)),
        ("0x1F", Ipld::Integer(31)),
        ("017", Ipld::Integer(17)),
        ("-12", Ipld::Integer(-12)),
        ("+12", Ipld::Integer(12)),
        ("1_000", string("1_000")),
        ("0b1", string("0b1")),
        ("12:30:45", string("12:30:45")),
        ("1.5", Ipld::Float(1.5)),
        (".5", Ipld::Float(0.5)),
        ("5.", Ipld::Float(5.0)),
        ("1e3", Ipld::Float(1000.0)),
        ("-1.5E-3", Ipld::Float(-0.0015)),
        (".", string(".")),
        ("1e", string("1e")),
        ("e3", string("e3")),
        ("1.2.3", string("1.2.3")),
        ("2026-01-01", string("2026-01-01")),
        ("'5'", string("5")),
        ("\"5\"", string("5")),
        ("!!str 5", string("5")),
        ("!!float 5", Ipld::Float(5.0)),
        ("! 5", string("5")),
    ] {
        assert_eq!(value(word, Format::Yaml), expected, "{word}");
    }
    for word in [
        ".inf",
        "-.inf",
        ".nan",
        "!!int x",
        "!new x",
        "1e999",
        "99999999999999999999999999999999999999999",
    ] {
        assert!(read(word, Format::Yaml).is_err(), "{word}");
    }
}

#[test]
fn three_languages_one_value() {
    let json = r#"{"a": [1, 2.5, "x"], "b": {"c": true}, "d": {"/": {"bytes": "AQI"}}}"#;
    let yaml = "a: [1, 2.5, x]\nb: {c: true}\nd:\n  /: {bytes: AQI}\n";
    let toml = "a = [1, 2.5, \"x\"]\nd = {\"/\" = {bytes = \"AQI\"}}\n[b]\nc = true\n";
    let expected = value(json, Format::Json);
    assert_eq!(value(yaml, Format::Yaml), expected);
    assert_eq!(value(toml, Format::Toml), expected);
    // Most JSON is YAML.
    assert_eq!(value(json, Format::Yaml), expected);
}

#[test]
fn aliases_say_the_same_again_and_are_bounded() {
    let text = "a: &x {k: [1, 2]}\nb: *x\nc: &y five\nd: *y";
    let expected = value(
        r#"{"a": {"k": [1, 2]}, "b": {"k": [1, 2]}, "c": "five", "d": "five"}"#,
        Format::Json,
    );
    assert_eq!(value(text, Format::Yaml), expected);
    for text in ["a: *x", "a: &x [*x]", "*x : 1\n"] {
        assert!(read(text, Format::Yaml).is_err(), "{text}");
    }
}

#[test]
fn depth_is_bounded_in_each_language() {
    for (format, open) in [
        (Format::Json, "["),
        (Format::Yaml, "["),
        (Format::Yaml, "- "),
        (Format::Yaml, "{a: "),
    ] {
        let error = read(&open.repeat(100_000), format).expect_err("too deep");
        let error = error.to_string();
        // The library gives up by itself on some.
        let is_told = error.contains("nested deeper") || error.contains("recursion limit");
        assert!(is_told, "{error}");
    }
    assert!(read(&format!("a = {}", "[".repeat(100_000)), Format::Toml).is_err());
}

#[test]
fn places_are_lines_and_columns_of_characters() {
    let long = format!("{}é\n{}", "ü".repeat(700), "ab".repeat(300));
    let places = Places::of(&long);
    let (mut line, mut column) = (1, 1);
    for (at, character) in long.char_indices() {
        assert_eq!(places.at(at), Place::new(line, column), "{at}");
        (line, column) = after(character, line, column);
    }
    assert_eq!(places.at(long.len() + 10), Place::new(2, 601));
    assert_eq!(Places::of("").at(0), Place::new(1, 1));
    let error = read("a: ü\nb: [é, }", Format::Yaml).expect_err("not YAML");
    assert_eq!(error.place, Some(Place::new(2, 8)), "{error}");
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>(), almost in "[\\[\\]{}:,\"'&*!|>#%@?\\-a0.~ \\n\\t/]{0,60}") {
        for format in [Format::Json, Format::Yaml, Format::Toml] {
            for text in [&text, &almost] {
                let _ = read(text, format);
            }
        }
    }

    #[test]
    fn places_lie_in_the_text(text in "[a-zé: \\n\\[\\]{}\"-]{0,80}") {
        let lines: Vec<&str> = text.split('\n').collect();
        for format in [Format::Json, Format::Yaml, Format::Toml] {
            if let Err(problem) = read(&text, format) {
                let place = problem.place.expect("a place");
                prop_assert!(place.line >= 1 && place.line as usize <= lines.len() + 1, "{}", problem);
            }
        }
    }
}
