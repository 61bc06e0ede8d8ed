//! `homestar:driver/state`.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_bytes::{ByteBuf, Bytes};

use super::{Instance, drivers_of, function_of, outside, permitted};
use crate::drivers::state::{Error, State};
use crate::outside::{NOTHING, Outside, number};

pub(super) fn add(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()> {
    instance.func_wrap("get", move |store, (bucket, key): (String, String)| {
        let outside = outside(&store)?;
        let name = "homestar:driver/state.get";
        let value = ask(
            outside,
            part,
            name,
            Place::of(&bucket, &key),
            &(&bucket, &key),
            |state| Ok(state.get(&bucket, &key)?.map(ByteBuf::from)),
        )?;
        Ok((value.map(|value| value.map(ByteBuf::into_vec)),))
    })?;
    instance.func_wrap(
        "set",
        move |store, (bucket, key, value): (String, String, Vec<u8>)| {
            let outside = outside(&store)?;
            let name = "homestar:driver/state.set";
            let args = (&bucket, &key, Bytes::new(&value));
            let set = |state: State| state.set(&bucket, &key, &value).map(|()| NOTHING);
            let set = ask(
                outside,
                part,
                name,
                Place::of(&bucket, &key).sized(&value),
                &args,
                set,
            )?;
            Ok((set.map(drop),))
        },
    )?;
    instance.func_wrap("delete", move |store, (bucket, key): (String, String)| {
        let outside = outside(&store)?;
        let name = "homestar:driver/state.delete";
        let delete = |state: State| state.delete(&bucket, &key).map(|()| NOTHING);
        let deleted = ask(
            outside,
            part,
            name,
            Place::of(&bucket, &key),
            &(&bucket, &key),
            delete,
        )?;
        Ok((deleted.map(drop),))
    })?;
    instance.func_wrap("list", move |store, (bucket,): (String,)| {
        let outside = outside(&store)?;
        let name = "homestar:driver/state.list";
        let keys = ask(
            outside,
            part,
            name,
            Place::all(&bucket),
            &(&bucket,),
            |state| Ok(ByteBuf::from(joined(&state.list(&bucket)?))),
        )?;
        Ok((keys.map(|keys| parted(&keys)),))
    })
}

/// Where values are, and how large the one is that comes there.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) bucket: &'a str,
    key: Option<&'a str>,
    size: Option<usize>,
}

impl<'a> Place<'a> {
    /// A whole bucket.
    pub(super) fn all(bucket: &'a str) -> Self {
        Self {
            bucket,
            key: None,
            size: None,
        }
    }

    /// A key.
    pub(super) fn of(bucket: &'a str, key: &'a str) -> Self {
        Self {
            key: Some(key),
            ..Self::all(bucket)
        }
    }

    /// The same where a value is to come.
    pub(super) fn sized(self, value: &[u8]) -> Self {
        Self {
            size: Some(value.len()),
            ..self
        }
    }
}

pub(super) fn ask<R: Serialize + DeserializeOwned>(
    outside: &Outside,
    part: usize,
    name: &'static str,
    place: Place<'_>,
    args: &impl Serialize,
    work: impl FnOnce(State) -> Result<R, Error>,
) -> wasmtime::Result<Result<R, Error>> {
    let Place { bucket, key, size } = place;
    let permit = outside.permit(part);
    let allowed = permit.state(function_of(name), bucket, key, size);
    let allowed = permitted(&outside.door, allowed);
    outside.door.ask_now(number(part), name, args, || {
        allowed?;
        let state = drivers_of(outside).state();
        work(state.ok_or_else(|| Error::Failed("this engine keeps no state".to_owned()))?)
    })
}

/// Returns all keys as one byte string, since a hundred thousand of them don't fit one event of a trace: each with
/// its length before it, as four bytes in little-endian order.
pub(super) fn joined(keys: &[String]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for key in keys {
        let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(key.as_bytes());
    }
    bytes
}

pub(super) fn parted(mut bytes: &[u8]) -> Vec<String> {
    let mut keys = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (key, rest) = rest.split_at(length.min(rest.len()));
        keys.push(String::from_utf8_lossy(key).into_owned());
        bytes = rest;
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_joined_and_parted() {
        for keys in [
            vec![],
            vec![String::new()],
            vec!["a\n".to_owned(), "ü".to_owned()],
        ] {
            assert_eq!(parted(&joined(&keys)), keys);
        }
    }
}
