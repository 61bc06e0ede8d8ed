//! Workflows as Homestar had them in 2024: a list of tasks without labels.
//!
//! They run as they are. What nobody read then (unknown fields, proofs, causes) is not read now, and `nnc` may be
//! missing. An await is a link to an instruction, by whichever hash the link has.

use super::fields::{Fields, Problems};
use super::problem::Fault;
use super::settings::{Component, LimitTable, Settings};
use super::task::{Task, arguments, nonce};
use super::text::{Kind, Node};
use super::value::Style;
use crate::ipld::Ipld;
use crate::task::{Nonce, WASM_RUN};

pub(super) fn tasks(items: Vec<Node>, problems: &mut Problems) -> Vec<Task> {
    let mut tasks = Vec::with_capacity(items.len());
    for (index, node) in items.into_iter().enumerate() {
        let label = format!("task-{}", index + 1);
        problems.enter(&label);
        tasks.extend(task(label, node, problems));
        problems.leave();
    }
    tasks
}

fn task(label: String, node: Node, problems: &mut Problems) -> Option<Task> {
    let place = node.place;
    let written = written(&node);
    let mut fields = Fields::of("a task", node, problems);
    let (meta, run) = (fields.take("meta"), fields.needed("run")?);
    let limits = meta.map(limits).unwrap_or_default();
    if run.as_link().is_some() {
        let rule = Fault::Rule("`run` is a link; the instruction itself should stand there");
        problems.at(run.place, rule);
        return None;
    }
    let mut run = Fields::of("run", run, problems);
    if let Some((op, place)) = run.text("op").filter(|(op, _)| op != WASM_RUN) {
        run.problems.at(
            place,
            Fault::Name {
                what: "the operation",
                text: op,
                rule: "is not \"wasm/run\"",
            },
        );
    }
    let component = run
        .needed("rsc")
        .and_then(|node| Component::read("rsc", &node, run.problems));
    let nonce = run
        .take("nnc")
        .map_or(Nonce::EMPTY, |node| match node.kind {
            Kind::Leaf(Ipld::Null) => Nonce::EMPTY,
            _ => nonce(node, run.problems),
        });
    let input = run.needed("input")?;
    let mut input = Fields::of("input", input, problems);
    let call = input.needed("func").and_then(|node| {
        let call = input.problems.text("func", &node)?;
        Some((call, node.place))
    });
    let args = input
        .needed("args")
        .map(|node| arguments(node, Style::Of2024, input.problems));
    Some(Task {
        label,
        place,
        call: call?,
        args: args.unwrap_or_default(),
        stdin: None,
        nonce,
        for_each: None,
        settings: Settings {
            component,
            limits,
            ..Settings::default()
        },
        of_2024: Some(written),
    })
}

/// `fuel` and `memory` as numbers, `time` in milliseconds. They had no effect, so what is no number is let be.
///
/// Files say 18446744073709552000 for all the fuel there is, which is more than 64 bits hold.
fn limits(meta: Node) -> LimitTable {
    let place = meta.place;
    let Kind::Map(entries) = meta.kind else {
        return LimitTable::default();
    };
    let amount = |key: &str| match entries.get(key).map(|(_, node)| &node.kind) {
        Some(Kind::Leaf(Ipld::Integer(integer))) => {
            Some(u64::try_from(*integer).unwrap_or(if *integer < 0 { 0 } else { u64::MAX }))
        }
        // A whole number beyond 2⁵³, as JavaScript writes it.
        Some(Kind::Leaf(Ipld::Float(float))) => Some(*float as u64),
        _ => None,
    };
    LimitTable {
        fuel: amount("fuel"),
        memory: amount("memory"),
        time: amount("time").map(std::time::Duration::from_millis),
        place,
        ..LimitTable::default()
    }
}

/// The task with its four fields, as its CID has them: numbers beyond 64 bits are floats.
fn written(node: &Node) -> Ipld {
    let Kind::Map(entries) = &node.kind else {
        return Ipld::Null;
    };
    let field = |key: &str| Some((key.to_owned(), narrowed(entries.get(key)?.1.to_ipld())));
    let fields = ["run", "meta", "prf", "cause"]
        .into_iter()
        .filter_map(field);
    Ipld::Map(fields.collect())
}

fn narrowed(value: Ipld) -> Ipld {
    match value {
        Ipld::Integer(integer) if integer > u64::MAX.into() || integer < -(1 << 64) => {
            Ipld::Float(integer as f64)
        }
        Ipld::List(items) => Ipld::List(items.into_iter().map(narrowed).collect()),
        Ipld::Map(entries) => {
            let entries = entries
                .into_iter()
                .map(|(key, value)| (key, narrowed(value)));
            Ipld::Map(entries.collect())
        }
        value => value,
    }
}
