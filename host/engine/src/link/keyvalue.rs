//! `wasi:keyvalue` over the driver of state. Each part of a composition has its own, with its own grants; buckets are
//! the same resource for all of them, so one may lend another a bucket, which then needs a grant of its own to use it.
//!
//! Two drafts are served: that of wasmtime, and the second one, which is Spin's and has compare-and-swap.

mod atomics;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_bytes::{ByteBuf, Bytes};
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Lower, Resource, ResourceType};

use super::state::{Place, ask, joined, parted};
use super::{Instance, outside};
use crate::drivers::state::{self, State as Buckets};
use crate::instance::State;
use crate::outside::NOTHING;

/// The versions that are served.
pub(super) const FIRST: &str = "0.2.0-draft";
pub(super) const SECOND: &str = "0.2.0-draft2";

/// A bucket that is open: its name.
struct Bucket(String);

/// The bucket of those who name none.
const DEFAULT: &str = "default";

#[derive(Debug, ComponentType, Lift, Lower)]
#[component(variant)]
enum Error {
    #[component(name = "no-such-store")]
    NoSuchStore,
    #[component(name = "access-denied")]
    AccessDenied,
    #[component(name = "other")]
    Other(String),
}

impl From<state::Error> for Error {
    fn from(error: state::Error) -> Self {
        match error {
            state::Error::Denied(_) => Self::AccessDenied,
            other => Self::Other(other.to_string()),
        }
    }
}

#[derive(Debug, ComponentType, Lift, Lower)]
#[component(record)]
struct KeyResponse<C> {
    keys: Vec<String>,
    /// Always none: all keys come at once.
    cursor: Option<C>,
}

type Store<'a> = StoreContextMut<'a, State>;
type Handle = Resource<Bucket>;
type Answer<T> = wasmtime::Result<Result<T, Error>>;

/// Defines `interface` of the package for a part.
pub(super) fn add(
    instance: &mut Instance<'_>,
    interface: &str,
    part: usize,
) -> wasmtime::Result<()> {
    let is_first = interface.ends_with(&format!("@{FIRST}"));
    match interface
        .split_once('@')
        .map_or(interface, |(base, _)| base)
    {
        "wasi:keyvalue/store" => {
            add_store(instance, part)?;
            match is_first {
                true => add_keys::<u64>(instance, part),
                false => add_keys::<String>(instance, part),
            }
        }
        "wasi:keyvalue/batch" => {
            add_batch(instance, part)?;
            match is_first {
                true => add_first_get_many(instance, part),
                false => add_get_many(instance, part),
            }
        }
        _ => match is_first {
            true => atomics::add_increment::<u64>(instance, part),
            false => {
                atomics::add_increment::<i64>(instance, part)?;
                atomics::add_swap(instance, part)
            }
        },
    }
}

fn add_store(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()> {
    instance.resource(
        "bucket",
        ResourceType::host::<Bucket>(),
        |mut store, number| {
            let table = store.data_mut().world.table();
            table.delete(Handle::new_own(number))?;
            Ok(())
        },
    )?;
    instance.func_wrap("open", move |mut store: Store<'_>, (name,): (String,)| {
        let name = match name.is_empty() {
            true => DEFAULT.to_owned(),
            false => name,
        };
        if outside(&store)?.grants(part).state(&name).is_err() {
            // Asked only to have the trace say what was denied.
            let opened = "homestar:driver/state.open";
            let denied = asked(&store, part, opened, Place::all(&name), &(&name,), |_| {
                Ok(NOTHING)
            })?;
            return Ok((Err(denied.err().unwrap_or(Error::AccessDenied)),));
        }
        if !Buckets::names_bucket(&name) {
            return Ok((Err(Error::NoSuchStore),));
        }
        let bucket = store.data_mut().world.table().push(Bucket(name))?;
        Ok((Ok(bucket),))
    })?;
    instance.func_wrap(
        "[method]bucket.get",
        move |mut store: Store<'_>, (bucket, key): (Handle, String)| {
            Ok((get(&mut store, part, &bucket, &key)?,))
        },
    )?;
    instance.func_wrap(
        "[method]bucket.exists",
        move |mut store: Store<'_>, (bucket, key): (Handle, String)| {
            let value = get(&mut store, part, &bucket, &key)?;
            Ok((value.map(|value| value.is_some()),))
        },
    )?;
    instance.func_wrap(
        "[method]bucket.set",
        move |mut store: Store<'_>, (bucket, key, value): (Handle, String, Vec<u8>)| {
            Ok((set(&mut store, part, &bucket, &key, &value)?,))
        },
    )?;
    instance.func_wrap(
        "[method]bucket.delete",
        move |mut store: Store<'_>, (bucket, key): (Handle, String)| {
            Ok((delete(&mut store, part, &bucket, &key)?,))
        },
    )
}

/// Defines `list-keys`, whose cursors are of type `C`.
fn add_keys<C>(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()>
where
    C: ComponentType + Lift + Lower + Send + Sync + 'static,
{
    instance.func_wrap(
        "[method]bucket.list-keys",
        move |mut store: Store<'_>, (bucket, _): (Handle, Option<C>)| {
            let name = "homestar:driver/state.list";
            let bucket = name_of(&mut store, &bucket)?;
            let keys = asked(
                &store,
                part,
                name,
                Place::all(&bucket),
                &(&bucket,),
                |buckets| Ok(ByteBuf::from(joined(&buckets.list(&bucket)?))),
            )?;
            let response = |keys: ByteBuf| KeyResponse {
                keys: parted(&keys),
                cursor: None::<C>,
            };
            Ok((keys.map(response),))
        },
    )
}

fn add_batch(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()> {
    type Pairs = Vec<(String, Vec<u8>)>;
    instance.func_wrap(
        "set-many",
        move |mut store: Store<'_>, (bucket, pairs): (Handle, Pairs)| {
            for (key, value) in pairs {
                if let Err(error) = set(&mut store, part, &bucket, &key, &value)? {
                    return Ok((Err(error),));
                }
            }
            Ok((Ok(()),))
        },
    )?;
    instance.func_wrap(
        "delete-many",
        move |mut store: Store<'_>, (bucket, keys): (Handle, Vec<String>)| {
            for key in keys {
                if let Err(error) = delete(&mut store, part, &bucket, &key)? {
                    return Ok((Err(error),));
                }
            }
            Ok((Ok(()),))
        },
    )
}

fn add_get_many(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()> {
    instance.func_wrap(
        "get-many",
        move |mut store: Store<'_>, (bucket, keys): (Handle, Vec<String>)| {
            Ok((get_many(&mut store, part, &bucket, keys)?,))
        },
    )
}

/// In the first draft, a key without a value is left out of its place.
fn add_first_get_many(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()> {
    instance.func_wrap(
        "get-many",
        move |mut store: Store<'_>, (bucket, keys): (Handle, Vec<String>)| {
            let pairs = get_many(&mut store, part, &bucket, keys)?;
            let pair = |(key, value): (String, Option<Vec<u8>>)| value.map(|value| (key, value));
            Ok((pairs.map(|pairs| pairs.into_iter().map(pair).collect::<Vec<_>>()),))
        },
    )
}

fn get_many(
    store: &mut Store<'_>,
    part: usize,
    bucket: &Handle,
    keys: Vec<String>,
) -> Answer<Vec<(String, Option<Vec<u8>>)>> {
    let mut pairs = Vec::new();
    for key in keys {
        match get(store, part, bucket, &key)? {
            Ok(value) => pairs.push((key, value)),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(pairs))
}

fn get(store: &mut Store<'_>, part: usize, bucket: &Handle, key: &str) -> Answer<Option<Vec<u8>>> {
    let bucket = name_of(store, bucket)?;
    get_of(store, part, &bucket, key)
}

fn get_of(store: &Store<'_>, part: usize, bucket: &str, key: &str) -> Answer<Option<Vec<u8>>> {
    let name = "homestar:driver/state.get";
    let value = asked(
        store,
        part,
        name,
        Place::of(bucket, key),
        &(bucket, key),
        |buckets| Ok(buckets.get(bucket, key)?.map(ByteBuf::from)),
    )?;
    Ok(value.map(|value| value.map(ByteBuf::into_vec)))
}

fn set(store: &mut Store<'_>, part: usize, bucket: &Handle, key: &str, value: &[u8]) -> Answer<()> {
    let bucket = name_of(store, bucket)?;
    let name = "homestar:driver/state.set";
    let args = (&bucket, key, Bytes::new(value));
    let set = asked(
        store,
        part,
        name,
        Place::of(&bucket, key).sized(value),
        &args,
        |buckets| buckets.set(&bucket, key, value).map(|()| NOTHING),
    )?;
    Ok(set.map(drop))
}

fn delete(store: &mut Store<'_>, part: usize, bucket: &Handle, key: &str) -> Answer<()> {
    let bucket = name_of(store, bucket)?;
    let name = "homestar:driver/state.delete";
    let deleted = asked(
        store,
        part,
        name,
        Place::of(&bucket, key),
        &(&bucket, key),
        |buckets| buckets.delete(&bucket, key).map(|()| NOTHING),
    )?;
    Ok(deleted.map(drop))
}

/// Returns the name of a bucket that is open.
fn name_of(store: &mut Store<'_>, bucket: &Handle) -> wasmtime::Result<String> {
    Ok(store.data_mut().world.table().get(bucket)?.0.clone())
}

/// Asks the driver, as `homestar:driver/state` does.
fn asked<R: Serialize + DeserializeOwned>(
    store: &Store<'_>,
    part: usize,
    name: &'static str,
    place: Place<'_>,
    args: &impl Serialize,
    work: impl FnOnce(Buckets) -> Result<R, state::Error>,
) -> Answer<R> {
    let answer = ask(outside(store)?, part, name, place, args, work)?;
    Ok(answer.map_err(Error::from))
}
