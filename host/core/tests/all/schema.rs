//! `docs/workflow.schema.json` takes what the parser takes, on every file of the tables and of the examples.
//!
//! The validator is this page: the published ones bring some thirty crates with them. It knows the words that the
//! schema uses and panics on any other, so that none is overlooked.

use std::fs;
use std::path::Path;

use homestar_core::quantity;
use homestar_core::workflow::{Format, Workflow};
use serde_json::Value;

use crate::workflows::{files, parse};

const SCHEMA: &str = include_str!("../../../../docs/workflow.schema.json");

/// What only the parser knows: the grammar of grants.
const BEYOND_THE_SCHEMA: &[&str] = &["grants.json"];

struct Schema(Value);

impl Schema {
    fn new() -> Self {
        Self(serde_json::from_str(SCHEMA).expect("JSON"))
    }

    fn takes(&self, value: &Value) -> bool {
        self.fits(&self.0, value)
    }

    fn fits(&self, schema: &Value, value: &Value) -> bool {
        if let Value::Bool(all) = schema {
            return *all;
        }
        let words = schema.as_object().expect("a schema");
        words
            .iter()
            .all(|(word, rule)| self.word(words, word, rule, value))
    }

    fn word(
        &self,
        words: &serde_json::Map<String, Value>,
        word: &str,
        rule: &Value,
        value: &Value,
    ) -> bool {
        let list = |rule: &Value| rule.as_array().expect("a list").clone();
        match word {
            "$schema" | "title" | "description" | "$defs" => true,
            "$ref" => {
                let name = rule.as_str().and_then(|at| at.strip_prefix("#/$defs/"));
                self.fits(&self.0["$defs"][name.expect("a definition")], value)
            }
            "anyOf" => list(rule).iter().any(|schema| self.fits(schema, value)),
            "not" => !self.fits(rule, value),
            "enum" => list(rule).contains(value),
            "type" => match rule {
                Value::Array(types) => types.iter().any(|ty| is_of(ty, value)),
                ty => is_of(ty, value),
            },
            "minimum" => value
                .as_f64()
                .is_none_or(|number| Some(number) >= rule.as_f64()),
            "maximum" => value
                .as_f64()
                .is_none_or(|number| Some(number) <= rule.as_f64()),
            "minLength" => value
                .as_str()
                .is_none_or(|text| Some(text.chars().count() as u64) >= rule.as_u64()),
            "maxLength" => value
                .as_str()
                .is_none_or(|text| Some(text.chars().count() as u64) <= rule.as_u64()),
            "pattern" => value
                .as_str()
                .is_none_or(|text| matches(rule.as_str().expect("a pattern"), text)),
            "required" => value.as_object().is_none_or(|entries| {
                let keys = list(rule);
                keys.iter()
                    .all(|key| entries.contains_key(key.as_str().expect("a key")))
            }),
            "properties" => value.as_object().is_none_or(|entries| {
                let known = |(key, value): (&String, &Value)| {
                    rule.get(key).is_none_or(|schema| self.fits(schema, value))
                };
                entries.iter().all(known)
            }),
            "additionalProperties" => value.as_object().is_none_or(|entries| {
                let known = words.get("properties").and_then(Value::as_object);
                let mut more = entries
                    .iter()
                    .filter(|(key, _)| known.is_none_or(|known| !known.contains_key(*key)));
                more.all(|(_, value)| self.fits(rule, value))
            }),
            "propertyNames" => value.as_object().is_none_or(|entries| {
                entries
                    .keys()
                    .all(|key| self.fits(rule, &Value::String(key.clone())))
            }),
            "items" => value
                .as_array()
                .is_none_or(|items| items.iter().all(|item| self.fits(rule, item))),
            other => panic!("{other} is not known here"),
        }
    }
}

fn is_of(ty: &Value, value: &Value) -> bool {
    match ty.as_str().expect("a type") {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    }
}

/// The patterns of the schema, each by what it should say.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern {
        "^ *[0-9][0-9_]* *(B|KiB|MiB|GiB|KB|MB|GB)? *$" => quantity::bytes(text).is_ok(),
        "^ *[0-9][0-9_]* *(k|M|G|T)? *$" => quantity::count(text).is_ok(),
        "^ *[0-9_]*\\.?[0-9_]+ *(ms|s|m|h) *$" => quantity::time(text).is_ok(),
        "^[^\\s!-,/:-@\\[-^`{-~.-][^\\s!-,/:-@\\[-^`{-~]*$" => {
            let is_fine =
                |character: char| character.is_alphanumeric() || "-_.".contains(character);
            text.chars().all(is_fine) && !text.is_empty() && !text.starts_with(['-', '.'])
        }
        other => panic!("{other} is not known here"),
    }
}

#[test]
fn the_schema_takes_what_the_parser_takes() {
    let schema = Schema::new();
    for (folder, is_fine) in [("good", true), ("fail", false)] {
        for (name, path) in files(folder)
            .into_iter()
            .filter(|(name, _)| name.ends_with(".json"))
        {
            let Ok(value) = serde_json::from_str(&fs::read_to_string(&path).expect("a text"))
            else {
                continue;
            };
            let is_parsed = parse(&path).is_ok();
            assert!(is_parsed || !is_fine, "{name}");
            let is_told_apart = !BEYOND_THE_SCHEMA.contains(&&*name);
            assert_eq!(
                schema.takes(&value),
                is_parsed || !is_told_apart,
                "{folder}/{name}"
            );
        }
    }
}

#[test]
fn the_schema_takes_what_is_written_back() {
    let schema = Schema::new();
    for (name, path) in files("good") {
        let workflow = parse(&path).expect("fine");
        let value = homestar_core::ipld::decode(workflow.block().bytes()).expect("DAG-CBOR");
        let text = homestar_core::json::to_string(&value).expect("prints");
        assert!(
            schema.takes(&serde_json::from_str(&text).expect("JSON")),
            "{name}\n{text}"
        );
    }
}

/// One change to a workflow that is fine: both take it, or neither does.
#[test]
fn schema_and_parser_agree_on_each_field() {
    let schema = Schema::new();
    let values = [
        "null",
        "true",
        "5",
        "-1",
        "1.5",
        "\"\"",
        "\"text\"",
        "\"5s\"",
        "\"5MiB\"",
        "[]",
        "[1]",
        "[\"random\"]",
        "{}",
        r#"{"ok": 1}"#,
        r#"{"msg": ""}"#,
        r#"{"msg": "no"}"#,
        r#"{"rewire": "a"}"#,
        r#"{"call": "f", "rewire": ["a"]}"#,
        r#"{"ok": 1, "msg": "no"}"#,
        r#"{"times": 3}"#,
        r#"{"times": 101}"#,
        r#"{"time": "5s", "memory": 1}"#,
        r#"{"time": 5}"#,
        r#"{"key": "text"}"#,
        r#"{"key": ""}"#,
        r#"{"await/ok": "a"}"#,
        r#"{"await/ok": ""}"#,
        r#"{"await/ok": 1}"#,
        r#"{"@": "a"}"#,
        r#"{"@": 1}"#,
        r#"{"@each": "key"}"#,
        r#"{"@each": "keys"}"#,
        r#"{"/": "bafkreibddp4j24tie2eryflyvd76a2wytdtq5swuvwyhm2gc3g7mu42lbq"}"#,
        r#"{"/": {"bytes": "AQI"}}"#,
    ];
    let fields = [
        "component",
        "call",
        "args",
        "stdin",
        "nonce",
        "for-each",
        "limits",
        "grant",
        "pin",
        "retry",
        "secret",
        "catch",
        "reuse",
        "meta",
    ];
    let mut taken = 0;
    for field in fields {
        for value in values {
            let mut task = format!(r#"{{"call": "f", "{field}": {value}}}"#);
            if field == "call" {
                task = format!(r#"{{"{field}": {value}}}"#);
            }
            for text in [
                format!(r#"{{"tasks": {{"t": {task}}}}}"#),
                format!(r#"{{"tasks": {{}}, "defaults": {{"{field}": {value}}}}}"#),
                format!(r#"{{"tasks": {{"t": {{"call": "f", "args": [[{value}]]}}}}}}"#),
            ] {
                let parsed = Workflow::parse(&text, Format::Json);
                let value = serde_json::from_str(&text).expect("JSON");
                assert_eq!(schema.takes(&value), parsed.is_ok(), "{text}\n{parsed:?}");
                taken += usize::from(parsed.is_ok());
            }
        }
    }
    assert!(taken > 100);
}

#[test]
fn each_example_is_taken() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let schema = Schema::new();
    let mut folders = vec![examples];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.to_string_lossy().into_owned();
            if path.is_dir() && !name.ends_with("/target") && !name.ends_with("/node_modules") {
                folders.push(path);
            } else if name.ends_with("workflow.json") {
                parse(&path).unwrap_or_else(|problems| panic!("{name}\n{problems:?}"));
                let text = fs::read_to_string(&path).expect("a text");
                assert!(
                    schema.takes(&serde_json::from_str(&text).expect("JSON")),
                    "{name}"
                );
            } else if name.ends_with("workflow.yaml") || name.ends_with("workflow.toml") {
                parse(&path).unwrap_or_else(|problems| panic!("{name}\n{problems:?}"));
            }
        }
    }
}
