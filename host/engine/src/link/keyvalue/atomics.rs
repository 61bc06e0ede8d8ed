//! `wasi:keyvalue/atomics`: sums, and values that are replaced only if they are still the same.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteBuf, Bytes};
use wasmtime::component::{ComponentType, Lift, Lower, Resource, ResourceType};

use super::{Answer, Error, Handle, Instance, Place, Store, asked, get_of, name_of};
use crate::drivers::state::{self, Digest, Swap};

/// A value as it was when it was looked at: of which key, and its digest, if there was any.
struct Cas {
    bucket: String,
    key: String,
    seen: Option<Digest>,
}

#[derive(Debug, ComponentType, Lift, Lower)]
#[component(variant)]
enum CasError {
    #[component(name = "store-error")]
    Store(Error),
    /// Holds a handle that has seen what is there now.
    #[component(name = "cas-failed")]
    Failed(Resource<Cas>),
}

/// What came of a swap, as it stands in a trace.
#[derive(Serialize, Deserialize)]
struct Swapped {
    done: bool,
    /// Digest of what was found instead.
    found: Option<ByteBuf>,
}

impl From<Swap> for Swapped {
    fn from(swap: Swap) -> Self {
        let (done, found) = match swap {
            Swap::Done => (true, None),
            Swap::Found(found) => (false, found),
        };
        let found = found.map(|digest| ByteBuf::from(digest.to_vec()));
        Self { done, found }
    }
}

/// Defines `increment`, on numbers of type `N`.
pub(super) fn add_increment<N>(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()>
where
    N: ComponentType + Lift + Lower + Number,
{
    instance.func_wrap(
        "increment",
        move |mut store: Store<'_>, (bucket, key, delta): (Handle, String, N)| {
            let name = "homestar:driver/state.increment";
            let by = delta.into();
            let bucket = name_of(&mut store, &bucket)?;
            let args = (&bucket, &key, &delta);
            let sum = asked(
                &store,
                part,
                name,
                Place::of(&bucket, &key),
                &args,
                |buckets| {
                    let sum = buckets.increment(&bucket, &key, by, N::MIN..=N::MAX)?;
                    N::try_from(sum)
                        .map_err(|_| state::Error::Failed(format!("{sum} is out of range")))
                },
            )?;
            Ok((sum,))
        },
    )
}

/// A number that guests count with.
pub(super) trait Number:
    Copy + Into<i128> + TryFrom<i128> + Serialize + DeserializeOwned + Send + Sync + 'static
{
    const MIN: i128;
    const MAX: i128;
}

impl Number for u64 {
    const MIN: i128 = Self::MIN as i128;
    const MAX: i128 = Self::MAX as i128;
}

impl Number for i64 {
    const MIN: i128 = Self::MIN as i128;
    const MAX: i128 = Self::MAX as i128;
}

/// Defines compare-and-swap.
pub(super) fn add_swap(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()> {
    instance.resource("cas", ResourceType::host::<Cas>(), |mut store, number| {
        let table = store.data_mut().world.table();
        table.delete(Resource::<Cas>::new_own(number))?;
        Ok(())
    })?;
    instance.func_wrap(
        "[static]cas.new",
        move |mut store: Store<'_>, (bucket, key): (Handle, String)| {
            let bucket = name_of(&mut store, &bucket)?;
            let value = match get_of(&store, part, &bucket, &key)? {
                Ok(value) => value,
                Err(error) => return Ok((Err(error),)),
            };
            let table = store.data_mut().world.table();
            let seen = value.as_deref().map(state::digest);
            let cas = table.push(Cas { bucket, key, seen })?;
            Ok((Ok(cas),))
        },
    )?;
    instance.func_wrap(
        "[method]cas.current",
        move |mut store: Store<'_>, (cas,): (Resource<Cas>,)| {
            Ok((current(&mut store, part, &cas)?,))
        },
    )?;
    instance.func_wrap(
        "swap",
        move |mut store: Store<'_>, (cas, value): (Resource<Cas>, Vec<u8>)| {
            let cas = store.data_mut().world.table().delete(cas)?;
            Ok((swap(&mut store, part, cas, &value)?,))
        },
    )
}

/// Reads what is there now. A swap still compares with what was seen before.
fn current(store: &mut Store<'_>, part: usize, cas: &Resource<Cas>) -> Answer<Option<Vec<u8>>> {
    let Cas { bucket, key, .. } = store.data_mut().world.table().get(cas)?;
    let (bucket, key) = (bucket.clone(), key.clone());
    get_of(store, part, &bucket, &key)
}

fn swap(
    store: &mut Store<'_>,
    part: usize,
    cas: Cas,
    value: &[u8],
) -> wasmtime::Result<Result<(), CasError>> {
    let Cas { bucket, key, seen } = cas;
    let name = "homestar:driver/state.swap";
    let expected = seen.as_ref().map(|digest| Bytes::new(digest));
    let args = (&bucket, &key, expected, Bytes::new(value));
    let swapped = asked(
        store,
        part,
        name,
        Place::of(&bucket, &key).sized(value),
        &args,
        |buckets| buckets.swap(&bucket, &key, seen, value).map(Swapped::from),
    )?;
    let found = match swapped {
        Ok(Swapped { done: true, .. }) => return Ok(Ok(())),
        Ok(Swapped { found, .. }) => found,
        Err(error) => return Ok(Err(CasError::Store(error))),
    };
    let seen = match found.map(|digest| Digest::try_from(digest.into_vec())) {
        Some(Ok(digest)) => Some(digest),
        Some(Err(_)) => return Err(wasmtime::format_err!("a digest in the trace is none")),
        None => None,
    };
    let table = store.data_mut().world.table();
    let cas = table.push(Cas { bucket, key, seen })?;
    Ok(Err(CasError::Failed(cas)))
}
