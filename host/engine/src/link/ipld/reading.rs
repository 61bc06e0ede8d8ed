//! What a guest asks a value.

use std::collections::BTreeMap;

use homestar_core::ipld::Ipld;
use homestar_core::wit::{self, Type};
use wasmtime::component::{ComponentNamedList, Lower};

use super::{Error, Handle, Held, Instance, Kind, Store, give, held, try_give};

pub(super) fn add(instance: &mut Instance<'_>) -> wasmtime::Result<()> {
    add_leaves(instance)?;
    add_composite(instance)?;
    add_paths(instance)?;
    instance.func_wrap(
        "[method]value.equals",
        |mut store: Store<'_>, (value, other): (Handle, Handle)| {
            let table = store.data_mut().world.table();
            Ok((table.get(&value)?.value == table.get(&other)?.value,))
        },
    )?;
    instance.func_wrap(
        "[method]value.copy",
        |mut store: Store<'_>, (value,): (Handle,)| {
            let copy = room(&mut store, &value)?.clone();
            Ok((give(&mut store, copy)?,))
        },
    )
}

fn add_leaves(instance: &mut Instance<'_>) -> wasmtime::Result<()> {
    reader(instance, "[method]value.kind", |value| Kind::from(value))?;
    reader(instance, "[method]value.as-bool", |value| match value {
        Ipld::Bool(value) => Ok(*value),
        other => Err(is(other)),
    })?;
    reader(instance, "[method]value.as-s64", |value| {
        let integer = integer(value)?;
        i64::try_from(integer).map_err(|_| Error::Overflow(integer.to_string()))
    })?;
    reader(instance, "[method]value.as-u64", |value| {
        let integer = integer(value)?;
        u64::try_from(integer).map_err(|_| Error::Overflow(integer.to_string()))
    })?;
    reader(instance, "[method]value.as-decimal", |value| {
        integer(value).map(|integer| integer.to_string())
    })?;
    reader(instance, "[method]value.as-float", float)?;
    reader(instance, "[method]value.as-string", |value| match value {
        Ipld::String(text) => Ok(text.clone()),
        other => Err(is(other)),
    })?;
    reader(instance, "[method]value.as-bytes", |value| match value {
        Ipld::Bytes(bytes) => Ok(bytes.clone()),
        other => Err(is(other)),
    })?;
    reader(instance, "[method]value.as-link", |value| match value {
        Ipld::Link(cid) => Ok(cid.to_string()),
        other => Err(is(other)),
    })
}

/// Adds a function that reads one value.
fn reader<R>(instance: &mut Instance<'_>, name: &str, read: fn(&Ipld) -> R) -> wasmtime::Result<()>
where
    R: 'static,
    (R,): ComponentNamedList + Lower,
{
    instance.func_wrap(name, move |mut store: Store<'_>, (value,): (Handle,)| {
        Ok((read(&held(&mut store, &value)?.value),))
    })
}

fn is(value: &Ipld) -> Error {
    Error::Is(Kind::from(value))
}

fn integer(value: &Ipld) -> Result<i128, Error> {
    match value {
        Ipld::Integer(integer) => Ok(*integer),
        other => Err(is(other)),
    }
}

/// A float, or what the mapping of arguments takes for one.
fn float(value: &Ipld) -> Result<f64, Error> {
    if let Ipld::Float(float) = value {
        return Ok(*float);
    }
    match wit::from_ipld(value.clone(), &Type::F64) {
        Ok(wit::Value::F64(float)) => Ok(float),
        _ => Err(match value {
            Ipld::Integer(integer) => Error::Overflow(integer.to_string()),
            other => is(other),
        }),
    }
}

fn add_composite(instance: &mut Instance<'_>) -> wasmtime::Result<()> {
    instance.func_wrap(
        "[method]value.as-list",
        |mut store: Store<'_>, (value,): (Handle,)| {
            let items: Vec<_> = match &room(&mut store, &value)?.value {
                Ipld::List(items) => items.iter().map(Held::part).collect(),
                other => return Ok((Err(is(other)),)),
            };
            let items = items.into_iter().map(|item| give(&mut store, item));
            Ok((Ok(items.collect::<wasmtime::Result<Vec<_>>>()?),))
        },
    )?;
    instance.func_wrap(
        "[method]value.as-map",
        |mut store: Store<'_>, (value,): (Handle,)| {
            let entries: Vec<_> = match &room(&mut store, &value)?.value {
                Ipld::Map(entries) => in_order(entries)
                    .map(|(key, value)| (key.clone(), Held::part(value)))
                    .collect(),
                other => return Ok((Err(is(other)),)),
            };
            let mut handles = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                handles.push((key, give(&mut store, value)?));
            }
            Ok((Ok(handles),))
        },
    )?;
    reader(instance, "[method]value.length", |value| {
        let length = match value {
            Ipld::List(items) => items.len(),
            Ipld::Map(entries) => entries.len(),
            other => return Err(is(other)),
        };
        Ok(u32::try_from(length).unwrap_or(u32::MAX))
    })?;
    reader(instance, "[method]value.keys", |value| match value {
        Ipld::Map(entries) => Ok(in_order(entries)
            .map(|(key, _)| key.clone())
            .collect::<Vec<_>>()),
        other => Err(is(other)),
    })
}

/// Returns a value if the task has room for as much again, so that no copy is made only to be refused.
fn room<'a>(store: &'a mut Store<'_>, handle: &Handle) -> wasmtime::Result<&'a Held> {
    let weight = held(store, handle)?.weight;
    let meter = store.data_mut().meter();
    meter.hold(weight)?;
    meter.release(weight);
    held(store, handle)
}

/// Returns the entries of a map in the order of DAG-CBOR: shorter keys first, then by their bytes.
fn in_order(entries: &BTreeMap<String, Ipld>) -> impl Iterator<Item = (&String, &Ipld)> {
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by_key(|(key, _)| key.len());
    entries.into_iter()
}

fn add_paths(instance: &mut Instance<'_>) -> wasmtime::Result<()> {
    finder(instance, "[method]value.at", |value, path| {
        let mut found = value;
        for segment in path.split('/').filter(|_| !path.is_empty()) {
            found = step(found, segment).ok_or_else(|| Error::Missing(missing(path, segment)))?;
        }
        Ok(found)
    })?;
    finder(instance, "[method]value.get", |value, key| match value {
        Ipld::Map(entries) => entries
            .get(key)
            .ok_or_else(|| Error::Missing(format!("{key:?}"))),
        other => Err(is(other)),
    })
}

/// Adds a function that finds something in a value.
fn finder(
    instance: &mut Instance<'_>,
    name: &str,
    find: for<'a> fn(&'a Ipld, &str) -> Result<&'a Ipld, Error>,
) -> wasmtime::Result<()> {
    instance.func_wrap(
        name,
        move |mut store: Store<'_>, (value, text): (Handle, String)| {
            let found = find(&room(&mut store, &value)?.value, &text).map(Held::part);
            Ok((try_give(&mut store, found)?,))
        },
    )
}

/// Returns what lies in `value` under one segment of a path. A position is written as it is counted, without zeros
/// before it, so that nothing has two paths.
fn step<'a>(value: &'a Ipld, segment: &str) -> Option<&'a Ipld> {
    match value {
        Ipld::Map(entries) => entries.get(segment),
        Ipld::List(items) => {
            let index: usize = segment.parse().ok()?;
            items.get(index).filter(|_| index.to_string() == segment)
        }
        _ => None,
    }
}

fn missing(path: &str, segment: &str) -> String {
    match path == segment {
        true => format!("{segment:?}"),
        false => format!("{segment:?} of {path:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_has_one_spelling() {
        let list = Ipld::List(vec![Ipld::Null, Ipld::Bool(true)]);
        assert_eq!(step(&list, "1"), Some(&Ipld::Bool(true)));
        for segment in ["01", "+1", "-1", " 1", "", "2", "99999999999999999999"] {
            assert_eq!(step(&list, segment), None, "{segment:?}");
        }
    }

    #[test]
    fn floats_are_what_arguments_take_for_them() {
        assert_eq!(float(&Ipld::Integer(3)), Ok(3.0));
        assert_eq!(float(&Ipld::String("-inf".into())), Ok(f64::NEG_INFINITY));
        let odd = (1 << 53) + 1;
        assert_eq!(
            float(&Ipld::Integer(odd)),
            Err(Error::Overflow(odd.to_string()))
        );
        assert_eq!(
            float(&Ipld::String("3".into())),
            Err(Error::Is(Kind::String))
        );
    }
}
