//! TOML. It has no null, and its dates are no values of ours.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Node, Place, Places};
use crate::ipld::Ipld;
use crate::workflow::problem::{Fault, Problem};

pub(super) fn read(text: &str) -> Result<Node, Problem> {
    let places = Places::of(text);
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let words = error.message().lines().next().unwrap_or_default();
        Problem::at(places.at(at), Fault::Syntax(words.to_owned()))
    })?;
    let at = table.span().start;
    map(table.into_inner(), places.at(at), &places)
}

fn map(table: DeTable<'_>, place: Place, places: &Places<'_>) -> Result<Node, Problem> {
    let mut entries = super::Map::new();
    for (key, node) in table {
        let at = places.at(key.span().start);
        entries.insert(key.into_inner().into_owned(), (at, value(node, places)?));
    }
    Node::map(place, entries)
        .map_err(|problem| Problem::at(place, Fault::Syntax(problem.to_string())))
}

/// The parser bounds how deep it goes.
fn value(node: Spanned<DeValue<'_>>, places: &Places<'_>) -> Result<Node, Problem> {
    let place = places.at(node.span().start);
    let syntax = |words: &str| Problem::at(place, Fault::Syntax(words.to_owned()));
    let leaf = match node.into_inner() {
        DeValue::String(text) => Ipld::String(text.into_owned()),
        DeValue::Integer(integer) => i128::from_str_radix(integer.as_str(), integer.radix())
            .map(Ipld::Integer)
            .map_err(|_| syntax("an integer is too large"))?,
        DeValue::Float(float) => super::yaml::float(float.as_str()).map_err(syntax)?,
        DeValue::Boolean(boolean) => Ipld::Bool(boolean),
        DeValue::Datetime(_) => {
            return Err(syntax("a date is no value here; write it as a string"));
        }
        DeValue::Array(items) => {
            let items = items.into_iter().map(|item| value(item, places));
            return Ok(Node::list(place, items.collect::<Result<_, _>>()?));
        }
        DeValue::Table(table) => return map(table, place, places),
    };
    Ok(Node::leaf(place, leaf))
}
