//! `homestar:std/ipld`: values of any shape, held here for guests.
//!
//! What a guest gets is decided by what it gives, so nothing of this is recorded. Values weigh on the task's memory: by
//! their handles a guest could otherwise fill this machine's.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::str::FromStr;

use homestar_core::ipld::{
    self, Block, DecodeError, EncodeError, Ipld, MAX_BLOCK_BYTES, MAX_DEPTH,
};
use homestar_core::json;
use homestar_core::wit::{self, Type};
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Lower, Resource, ResourceType};

use super::Instance;
use crate::instance::State;

mod reading;

/// What a value is: `homestar:std/ipld.kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
enum Kind {
    #[component(name = "null")]
    Null,
    #[component(name = "bool")]
    Bool,
    #[component(name = "integer")]
    Integer,
    #[component(name = "float")]
    Float,
    #[component(name = "string")]
    String,
    #[component(name = "bytes")]
    Bytes,
    #[component(name = "list")]
    List,
    #[component(name = "map")]
    Map,
    #[component(name = "link")]
    Link,
}

impl From<&Ipld> for Kind {
    fn from(value: &Ipld) -> Self {
        match value {
            Ipld::Null => Self::Null,
            Ipld::Bool(_) => Self::Bool,
            Ipld::Integer(_) => Self::Integer,
            Ipld::Float(_) => Self::Float,
            Ipld::String(_) => Self::String,
            Ipld::Bytes(_) => Self::Bytes,
            Ipld::List(_) => Self::List,
            Ipld::Map(_) => Self::Map,
            Ipld::Link(_) => Self::Link,
        }
    }
}

/// Why not: `homestar:std/ipld.ipld-error`.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(variant)]
enum Error {
    #[component(name = "is")]
    Is(Kind),
    #[component(name = "overflow")]
    Overflow(String),
    #[component(name = "missing")]
    Missing(String),
    #[component(name = "invalid")]
    Invalid(String),
    #[component(name = "too-large")]
    TooLarge(u64),
}

/// A value that a guest has a handle on.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    value: Ipld,
    /// How deep lists and maps lie in each other.
    depth: usize,
    /// About how many bytes of memory it takes.
    weight: u64,
}

type Handle = Resource<Held>;
type Store<'a> = StoreContextMut<'a, State>;

/// What one value weighs beside its text or bytes: a little more than it takes here, and the same on every machine.
const VALUE_BYTES: u64 = 64;

impl Held {
    /// Returns `value`, if it can be written as DAG-CBOR.
    fn new(value: Ipld) -> Result<Self, Error> {
        let (depth, weight) = measure(&value, MAX_DEPTH)?;
        Ok(Self {
            value,
            depth,
            weight,
        })
    }

    /// Returns a copy of what lies in a value that is held.
    fn part(value: &Ipld) -> Self {
        Self::new(value.clone()).expect("a part of a value is one")
    }

    /// Returns a value that has no others in it, and is no integer that could be too large.
    fn leaf(value: Ipld) -> Self {
        let weight = own_weight(&value);
        Self {
            value,
            depth: 0,
            weight,
        }
    }
}

/// Returns how deep `value` is and what it weighs.
fn measure(value: &Ipld, depth_max: usize) -> Result<(usize, u64), Error> {
    let mut all = (0, own_weight(value));
    let mut add = |inner: &Ipld| {
        let depth_max = depth_max.checked_sub(1).ok_or_else(too_deep)?;
        let (depth, weight) = measure(inner, depth_max)?;
        all = (all.0.max(depth + 1), all.1 + weight);
        Ok(())
    };
    match value {
        Ipld::List(items) if items.is_empty() => all.0 = 1,
        Ipld::Map(entries) if entries.is_empty() => all.0 = 1,
        Ipld::List(items) => items.iter().try_for_each(&mut add)?,
        Ipld::Map(entries) => entries.values().try_for_each(&mut add)?,
        Ipld::Integer(integer) if !is_integer(*integer) => {
            return Err(Error::Overflow(integer.to_string()));
        }
        _ => {}
    }
    match all.0 > depth_max {
        true => Err(too_deep()),
        false => Ok(all),
    }
}

/// Returns what a value weighs that a guest gave away.
pub(crate) fn weight(value: &Ipld) -> u64 {
    measure(value, MAX_DEPTH).map_or(u64::MAX, |(_, weight)| weight)
}

fn own_weight(value: &Ipld) -> u64 {
    let bytes = match value {
        Ipld::String(text) => text.len() as u64,
        Ipld::Bytes(bytes) => bytes.len() as u64,
        Ipld::Map(entries) => entries
            .keys()
            .map(|key| VALUE_BYTES + key.len() as u64)
            .sum(),
        _ => 0,
    };
    VALUE_BYTES + bytes
}

/// Tells whether DAG-CBOR has a form for an integer.
fn is_integer(integer: i128) -> bool {
    (-(1 << 64)..1 << 64).contains(&integer)
}

fn too_deep() -> Error {
    Error::Invalid(format!("nested deeper than {MAX_DEPTH} levels"))
}

/// Gives the guest a handle on `held`, which ends the task if that is more than its memory.
fn give(store: &mut Store<'_>, held: Held) -> wasmtime::Result<Handle> {
    let state = store.data_mut();
    state.meter().hold(held.weight)?;
    Ok(state.world.table().push(held)?)
}

fn try_give(
    store: &mut Store<'_>,
    held: Result<Held, Error>,
) -> wasmtime::Result<Result<Handle, Error>> {
    Ok(match held {
        Ok(held) => Ok(give(store, held)?),
        Err(error) => Err(error),
    })
}

/// Holds a value that isn't the guest's own, and returns the number of its handle.
pub(crate) fn hold(store: &mut Store<'_>, value: Ipld) -> wasmtime::Result<u32> {
    let held = Held::new(value)
        .map_err(|error| wasmtime::format_err!("an argument is no value: {error:?}"))?;
    Ok(give(store, held)?.rep())
}

/// Returns the value that a guest gave away by the handle of this number.
pub(crate) fn let_go(store: &mut Store<'_>, number: u32) -> wasmtime::Result<Ipld> {
    Ok(take(store, Handle::new_own(number))?.value)
}

/// Takes the value back that `handle` stands for.
fn take(store: &mut Store<'_>, handle: Handle) -> wasmtime::Result<Held> {
    let state = store.data_mut();
    let held = state.world.table().delete(handle)?;
    state.meter().release(held.weight);
    Ok(held)
}

fn held<'a>(store: &'a mut Store<'_>, handle: &Handle) -> wasmtime::Result<&'a Held> {
    Ok(store.data_mut().world.table().get(handle)?)
}

/// Defines the resource under `name`.
pub(super) fn define(instance: &mut Instance<'_>, name: &str) -> wasmtime::Result<()> {
    let drop = |mut store: Store<'_>, number| take(&mut store, Handle::new_own(number)).map(drop);
    instance.resource(name, ResourceType::host::<Held>(), drop)
}

pub(super) fn add(instance: &mut Instance<'_>) -> wasmtime::Result<()> {
    define(instance, Type::VALUE)?;
    add_leaves(instance)?;
    add_composite(instance)?;
    add_texts(instance)?;
    reading::add(instance)
}

/// Adds what makes values that hold no others.
fn add_leaves(instance: &mut Instance<'_>) -> wasmtime::Result<()> {
    instance.func_wrap("[static]value.of-null", |mut store: Store<'_>, (): ()| {
        Ok((give(&mut store, Held::leaf(Ipld::Null))?,))
    })?;
    leaf(instance, "[static]value.of-bool", Ipld::Bool)?;
    leaf(instance, "[static]value.of-s64", |value: i64| {
        Ipld::Integer(value.into())
    })?;
    leaf(instance, "[static]value.of-u64", |value: u64| {
        Ipld::Integer(value.into())
    })?;
    leaf(instance, "[static]value.of-float", |value: f64| {
        wit::into_ipld(wit::Value::F64(value), &Type::F64).unwrap_or(Ipld::Null)
    })?;
    leaf(instance, "[static]value.of-string", Ipld::String)?;
    leaf(instance, "[static]value.of-bytes", Ipld::Bytes)?;
    fallible(instance, "[static]value.of-decimal", |text: String| {
        let integer = i128::from_str(&text).ok().filter(|&it| is_integer(it));
        let integer = integer.ok_or_else(|| Error::Invalid(NO_INTEGER.to_owned()))?;
        Ok(Held::leaf(Ipld::Integer(integer)))
    })?;
    fallible(instance, "[static]value.of-link", |cid: String| {
        let cid = ipld::parse_cid(&cid).map_err(|error| Error::Invalid(error.to_string()))?;
        Ok(Held::leaf(Ipld::Link(cid)))
    })
}

/// Why a text is no integer.
const NO_INTEGER: &str = "not a whole number from -18446744073709551616 to 18446744073709551615";

fn leaf<T>(instance: &mut Instance<'_>, name: &str, make: fn(T) -> Ipld) -> wasmtime::Result<()>
where
    T: 'static,
    (T,): wasmtime::component::ComponentNamedList + Lift,
{
    instance.func_wrap(name, move |mut store: Store<'_>, (value,): (T,)| {
        Ok((give(&mut store, Held::leaf(make(value)))?,))
    })
}

fn fallible<T>(
    instance: &mut Instance<'_>,
    name: &str,
    make: fn(T) -> Result<Held, Error>,
) -> wasmtime::Result<()>
where
    T: 'static,
    (T,): wasmtime::component::ComponentNamedList + Lift,
{
    instance.func_wrap(name, move |mut store: Store<'_>, (value,): (T,)| {
        Ok((try_give(&mut store, make(value))?,))
    })
}

/// Adds what makes values of others, which the guest gives away.
fn add_composite(instance: &mut Instance<'_>) -> wasmtime::Result<()> {
    instance.func_wrap(
        "[static]value.of-list",
        |mut store: Store<'_>, (items,): (Vec<Handle>,)| {
            let mut list = Composite::default();
            let mut values = Vec::with_capacity(items.len());
            for item in items {
                values.push(list.add(take(&mut store, item)?));
            }
            Ok((try_give(&mut store, list.finish(Ipld::List(values)))?,))
        },
    )?;
    instance.func_wrap(
        "[static]value.of-map",
        |mut store: Store<'_>, (entries,): (Vec<(String, Handle)>,)| {
            let mut map = Composite::default();
            let mut values = BTreeMap::new();
            let mut twice = None;
            for (key, value) in entries {
                let value = map.add(take(&mut store, value)?);
                match values.entry(key) {
                    Entry::Occupied(entry) => twice = Some(entry.key().clone()),
                    Entry::Vacant(entry) => {
                        entry.insert(value);
                    }
                }
            }
            let made = match twice {
                Some(key) => Err(Error::Invalid(format!("the key {key:?} stands twice"))),
                None => map.finish(Ipld::Map(values)),
            };
            Ok((try_give(&mut store, made)?,))
        },
    )
}

/// A value made of others.
#[derive(Default)]
struct Composite {
    depth: usize,
    weight: u64,
}

impl Composite {
    fn add(&mut self, held: Held) -> Ipld {
        self.depth = self.depth.max(held.depth);
        self.weight += held.weight;
        held.value
    }

    fn finish(self, value: Ipld) -> Result<Held, Error> {
        if self.depth >= MAX_DEPTH {
            return Err(too_deep());
        }
        Ok(Held {
            depth: self.depth + 1,
            weight: self.weight + own_weight(&value),
            value,
        })
    }
}

/// Adds the two encodings, both ways, and the CID.
fn add_texts(instance: &mut Instance<'_>) -> wasmtime::Result<()> {
    fallible(
        instance,
        "[static]value.of-dag-cbor",
        |bytes: Vec<u8>| match ipld::decode(&bytes) {
            Ok(value) => Held::new(value),
            Err(DecodeError::TooLarge { .. }) => Err(Error::TooLarge(MAX_BLOCK_BYTES as u64)),
            Err(error) => Err(Error::Invalid(error.to_string())),
        },
    )?;
    fallible(instance, "[static]value.of-dag-json", |text: String| {
        if text.len() > json::MAX_TEXT_BYTES {
            return Err(Error::TooLarge(json::MAX_TEXT_BYTES as u64));
        }
        let value = json::parse(&text).map_err(|error| Error::Invalid(error.to_string()))?;
        Held::new(value)
    })?;
    instance.func_wrap(
        "[method]value.to-dag-cbor",
        |mut store: Store<'_>, (value,): (Handle,)| {
            let encoded = ipld::encode(&held(&mut store, &value)?.value);
            Ok((encoded.map_err(wasmtime::Error::from)?,))
        },
    )?;
    instance.func_wrap(
        "[method]value.to-dag-json",
        |mut store: Store<'_>, (value,): (Handle,)| {
            let text = json::to_string(&held(&mut store, &value)?.value);
            Ok((text.map_err(|error| Error::Invalid(error.to_string())),))
        },
    )?;
    instance.func_wrap(
        "[method]value.cid",
        |mut store: Store<'_>, (value,): (Handle,)| {
            let block = Block::of_dag_cbor(&held(&mut store, &value)?.value);
            let cid = block.map(|block| block.cid().to_string());
            Ok((cid.map_err(|error| match error {
                EncodeError::TooLarge { .. } => Error::TooLarge(MAX_BLOCK_BYTES as u64),
                error => Error::Invalid(error.to_string()),
            }),))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> Ipld {
        (0..levels).fold(Ipld::Null, |inner, _| Ipld::List(vec![inner]))
    }

    #[test]
    fn depth_is_that_of_dag_cbor() {
        let deepest = Held::new(nested(MAX_DEPTH)).expect("as deep as may be");
        assert_eq!(deepest.depth, MAX_DEPTH);
        assert_eq!(Held::new(nested(MAX_DEPTH + 1)).err(), Some(too_deep()));

        let mut list = Composite::default();
        let value = list.add(deepest);
        assert_eq!(list.finish(Ipld::List(vec![value])).err(), Some(too_deep()));
    }

    #[test]
    fn a_value_weighs_the_same_however_it_was_made() {
        let value = Ipld::Map([("key".into(), Ipld::List(vec![Ipld::Null]))].into());
        let whole = Held::new(value.clone()).expect("a value");

        let mut list = Composite::default();
        let null = list.add(Held::leaf(Ipld::Null));
        let list = list.finish(Ipld::List(vec![null])).expect("a list");
        let mut map = Composite::default();
        map.add(list);
        let made = map.finish(value).expect("a map");
        assert_eq!((made.depth, made.weight), (whole.depth, whole.weight));
    }

    #[test]
    fn integers_are_those_of_dag_cbor() {
        for integer in [(1 << 64) - 1, -(1 << 64)] {
            let held = Held::new(Ipld::Integer(integer)).expect("fits");
            assert!(ipld::encode(&held.value).is_ok());
        }
        assert!(Held::new(Ipld::Integer(1 << 64)).is_err());
        assert!(Held::new(Ipld::Integer(-(1 << 64) - 1)).is_err());
    }
}
