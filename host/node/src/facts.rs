//! Facts for programs, as DAG-JSON.

use std::collections::BTreeMap;

use homestar_core::ipld::Ipld;

/// Returns a map of these entries.
pub(crate) fn map<const COUNT: usize>(entries: [(&str, Ipld); COUNT]) -> Ipld {
    let entries = entries.map(|(key, value)| (key.to_owned(), value));
    Ipld::Map(BTreeMap::from(entries))
}

pub(crate) fn number(number: u64) -> Ipld {
    Ipld::Integer(number.into())
}

pub(crate) fn text(text: impl Into<String>) -> Ipld {
    Ipld::String(text.into())
}

pub(crate) fn texts(texts: impl IntoIterator<Item = String>) -> Ipld {
    Ipld::List(texts.into_iter().map(Ipld::String).collect())
}

/// Returns what a value is, or null if there is none.
pub(crate) fn or_null<T>(value: Option<T>, facts: impl FnOnce(T) -> Ipld) -> Ipld {
    value.map_or(Ipld::Null, facts)
}
