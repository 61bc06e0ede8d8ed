//! Holds `docs/workflows.md` to what the code does: every block on it is read, and every field is on it.

use homestar_core::workflow::{Format, Workflow};
use serde_json::Value;

use crate::workflows::plan;

const PAGE: &str = include_str!("../../../../docs/workflows.md");
const SCHEMA: &str = include_str!("../../../../docs/workflow.schema.json");

/// The blocks of the page, each with its language.
fn blocks() -> Vec<(Format, &'static str)> {
    let mut blocks = Vec::new();
    for (word, format) in [
        ("yaml", Format::Yaml),
        ("toml", Format::Toml),
        ("json", Format::Json),
    ] {
        let begin = format!("```{word}\n");
        let rests = PAGE
            .match_indices(&begin)
            .map(|(at, begin)| &PAGE[at + begin.len()..]);
        blocks.extend(rests.filter_map(|rest| Some((format, rest.split_once("```")?.0))));
    }
    blocks
}

#[test]
fn each_block_is_a_workflow() {
    let blocks = blocks();
    assert!(blocks.len() >= 8);
    for (format, text) in blocks {
        if let Err(problems) = Workflow::parse(text, format) {
            panic!("{text}\n{problems:#?}");
        }
    }
}

#[test]
fn the_first_three_are_one() {
    let first = |format| {
        let (_, text) = blocks()
            .into_iter()
            .find(|(of, _)| *of == format)
            .expect("a block");
        *Workflow::parse(text, format).expect("fine").cid()
    };
    assert_eq!(first(Format::Yaml), first(Format::Toml));
    assert_eq!(first(Format::Yaml), first(Format::Json));
}

#[test]
fn what_uses_the_functions_of_the_tables_has_a_plan() {
    let planned = blocks().into_iter().filter(|(_, text)| {
        Workflow::parse(text, Format::Yaml).is_ok_and(|workflow| {
            let plan = plan(&workflow);
            // The one that grants is about a component that isn't there.
            assert!(
                plan.is_ok() || text.contains("grant") || text.contains("rsc"),
                "{text}\n{plan:#?}"
            );
            plan.is_ok()
        })
    });
    assert!(planned.count() >= 5);
}

#[test]
fn each_field_is_on_the_page() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let tables = [
        &schema["properties"],
        &schema["$defs"]["task"]["properties"],
    ];
    for field in tables
        .iter()
        .flat_map(|table| table.as_object().expect("a map").keys())
    {
        assert!(PAGE.contains(&format!("\n| `{field}` |")), "{field}");
    }
    for limit in schema["$defs"]["limits"]["properties"]
        .as_object()
        .expect("a map")
        .keys()
    {
        assert!(PAGE.contains(&format!("`{limit}`")), "{limit}");
    }
}

#[test]
fn the_message_is_the_one_that_is_shown() {
    let flows = include_str!("../workflow/fail/flows.yaml.txt");
    let shown = PAGE
        .lines()
        .find_map(|line| line.strip_prefix("    line "))
        .expect("a message");
    assert!(
        flows
            .lines()
            .any(|line| line.strip_prefix("line ") == Some(shown)),
        "{shown}"
    );
}
