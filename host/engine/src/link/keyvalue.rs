//! `wasi:keyvalue` over the driver of state, within what was granted to the guest: buckets are resources, which all
//! parts of a composition share, so it can't be told who asks. Atomics aren't offered: buckets know no transactions.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_bytes::{ByteBuf, Bytes};
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Lower, Resource, ResourceType};

use super::state::{ask, joined, parted};
use super::{Instance, outside};
use crate::drivers::state::{self, State as Buckets};
use crate::instance::State;
use crate::outside::NOTHING;
use crate::world::GUEST;

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
            state::Error::Invalid(_) => Self::NoSuchStore,
            other => Self::Other(other.to_string()),
        }
    }
}

#[derive(Debug, ComponentType, Lift, Lower)]
#[component(record)]
struct KeyResponse {
    keys: Vec<String>,
    cursor: Option<u64>,
}

type Handle = Resource<Bucket>;
type Pairs = Vec<Option<(String, Vec<u8>)>>;

pub(super) fn add_store(instance: &mut Instance<'_>) -> wasmtime::Result<()> {
    instance.resource(
        "bucket",
        ResourceType::host::<Bucket>(),
        |mut store, number| {
            let table = store.data_mut().world.table();
            table.delete(Handle::new_own(number))?;
            Ok(())
        },
    )?;
    instance.func_wrap(
        "open",
        |mut store: StoreContextMut<'_, State>, (name,): (String,)| {
            let name = if name.is_empty() {
                DEFAULT.to_owned()
            } else {
                name
            };
            let allowed = outside(&store)?.grants(GUEST).state(&name);
            if allowed.is_err() {
                return Ok((Err(Error::AccessDenied),));
            }
            let bucket = store.data_mut().world.table().push(Bucket(name))?;
            Ok((Ok(bucket),))
        },
    )?;
    add_reading(instance)?;
    add_writing(instance)
}

fn add_reading(instance: &mut Instance<'_>) -> wasmtime::Result<()> {
    instance.func_wrap(
        "[method]bucket.get",
        |mut store: StoreContextMut<'_, State>, (bucket, key): (Handle, String)| {
            Ok((get(&mut store, &bucket, &key)?,))
        },
    )?;
    instance.func_wrap(
        "[method]bucket.exists",
        |mut store: StoreContextMut<'_, State>, (bucket, key): (Handle, String)| {
            let value = get(&mut store, &bucket, &key)?;
            Ok((value.map(|value| value.is_some()),))
        },
    )?;
    instance.func_wrap(
        "[method]bucket.list-keys",
        |mut store: StoreContextMut<'_, State>, (bucket, _): (Handle, Option<u64>)| {
            let name = "homestar:driver/state.list";
            let keys = within(
                &mut store,
                &bucket,
                name,
                &[] as &[&str],
                |buckets, bucket| Ok(ByteBuf::from(joined(&buckets.list(bucket)?))),
            )?;
            let response = |keys: ByteBuf| KeyResponse {
                keys: parted(&keys),
                cursor: None,
            };
            Ok((keys.map(response),))
        },
    )
}

fn add_writing(instance: &mut Instance<'_>) -> wasmtime::Result<()> {
    instance.func_wrap(
        "[method]bucket.set",
        |mut store: StoreContextMut<'_, State>, (bucket, key, value): (Handle, String, Vec<u8>)| {
            Ok((set(&mut store, &bucket, &key, &value)?,))
        },
    )?;
    instance.func_wrap(
        "[method]bucket.delete",
        |mut store: StoreContextMut<'_, State>, (bucket, key): (Handle, String)| {
            Ok((delete(&mut store, &bucket, &key)?,))
        },
    )
}

pub(super) fn add_batch(instance: &mut Instance<'_>) -> wasmtime::Result<()> {
    instance.func_wrap(
        "get-many",
        |mut store: StoreContextMut<'_, State>, (bucket, keys): (Handle, Vec<String>)| {
            let mut pairs: Pairs = Vec::new();
            for key in keys {
                match get(&mut store, &bucket, &key)? {
                    Ok(value) => pairs.push(value.map(|value| (key, value))),
                    Err(error) => return Ok((Err(error),)),
                }
            }
            Ok((Ok(pairs),))
        },
    )?;
    instance.func_wrap(
        "set-many",
        |mut store: StoreContextMut<'_, State>,
         (bucket, pairs): (Handle, Vec<(String, Vec<u8>)>)| {
            for (key, value) in pairs {
                if let Err(error) = set(&mut store, &bucket, &key, &value)? {
                    return Ok((Err(error),));
                }
            }
            Ok((Ok(()),))
        },
    )?;
    instance.func_wrap(
        "delete-many",
        |mut store: StoreContextMut<'_, State>, (bucket, keys): (Handle, Vec<String>)| {
            for key in keys {
                if let Err(error) = delete(&mut store, &bucket, &key)? {
                    return Ok((Err(error),));
                }
            }
            Ok((Ok(()),))
        },
    )
}

fn get(
    store: &mut StoreContextMut<'_, State>,
    bucket: &Handle,
    key: &str,
) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
    let name = "homestar:driver/state.get";
    let value = within(store, bucket, name, &[key], |buckets, bucket| {
        Ok(buckets.get(bucket, key)?.map(ByteBuf::from))
    })?;
    Ok(value.map(|value| value.map(ByteBuf::into_vec)))
}

fn set(
    store: &mut StoreContextMut<'_, State>,
    bucket: &Handle,
    key: &str,
    value: &[u8],
) -> wasmtime::Result<Result<(), Error>> {
    let name = "homestar:driver/state.set";
    let args = (key, Bytes::new(value));
    let set = within(store, bucket, name, &args, |buckets, bucket| {
        buckets.set(bucket, key, value).map(|()| NOTHING)
    })?;
    Ok(set.map(drop))
}

fn delete(
    store: &mut StoreContextMut<'_, State>,
    bucket: &Handle,
    key: &str,
) -> wasmtime::Result<Result<(), Error>> {
    let name = "homestar:driver/state.delete";
    let deleted = within(store, bucket, name, &[key], |buckets, bucket| {
        buckets.delete(bucket, key).map(|()| NOTHING)
    })?;
    Ok(deleted.map(drop))
}

fn within<R: Serialize + DeserializeOwned>(
    store: &mut StoreContextMut<'_, State>,
    bucket: &Handle,
    name: &'static str,
    args: &(impl Serialize + ?Sized),
    work: impl FnOnce(Buckets, &str) -> Result<R, state::Error>,
) -> wasmtime::Result<Result<R, Error>> {
    let bucket = store.data_mut().world.table().get(bucket)?.0.clone();
    let outside = outside(store)?;
    let answer = ask(outside, GUEST, name, &bucket, &(&bucket, args), |buckets| {
        work(buckets, &bucket)
    })?;
    Ok(answer.map_err(Error::from))
}
