//! Content at the doors of a task: links among its arguments become bytes, streams and blobs, and streams and blobs in
//! its result become links.
//!
//! A handle stands in a [`Value`] as a number, where its type says that there is a handle: that of a stream in the list
//! beside the value, or that by which wasmtime knows a resource.

use homestar_core::ipld::{Cid, Ipld};
use homestar_core::wit::{Type, Value};
use tokio::sync::oneshot;
use wasmtime::component::StreamReader;
use wasmtime::{AsContextMut, StoreContextMut};

use super::streams::{Incoming, Outgoing};
use super::{BLOBS_MAX, Content, Ended, Error, Fault, File};
use crate::end::LimitReached;
use crate::instance::State;
use crate::link::blocks::{Blob, close_blob};
use crate::link::ipld;

/// Streams beside values.
pub(crate) type Streams = Vec<StreamReader<u8>>;

/// Returns the links in a value: the content that a task reaches at first.
pub(crate) fn links(args: &[Ipld]) -> Vec<Cid> {
    let mut links = Vec::new();
    args.iter().for_each(|arg| add_links(arg, &mut links));
    links
}

fn add_links(value: &Ipld, links: &mut Vec<Cid>) {
    match value {
        Ipld::Link(cid) => links.push(*cid),
        Ipld::List(items) => items.iter().for_each(|item| add_links(item, links)),
        Ipld::Map(entries) => entries.values().for_each(|item| add_links(item, links)),
        _ => {}
    }
}

/// Replaces every value of a type that takes links, or anything.
fn replace(
    value: Value,
    ty: &Type,
    with: &mut impl FnMut(Value, &Type) -> wasmtime::Result<Value>,
) -> wasmtime::Result<Value> {
    if ty.takes_link() || ty.takes_any() {
        return with(value, ty);
    }
    let mut each = |values: Vec<Value>, types: &mut dyn Iterator<Item = &Type>| {
        let replaced = values.into_iter().zip(types);
        let replaced = replaced.map(|(value, ty)| replace(value, ty, with));
        replaced.collect::<wasmtime::Result<Vec<_>>>()
    };
    Ok(match (value, ty) {
        (Value::List(values), Type::List(ty)) => {
            Value::List(each(values, &mut std::iter::repeat(&**ty))?)
        }
        (Value::Record(values), Type::Record(fields)) => {
            Value::Record(each(values, &mut fields.iter().map(|field| &field.ty))?)
        }
        (Value::Tuple(values), Type::Tuple(types)) => {
            Value::Tuple(each(values, &mut types.iter())?)
        }
        (Value::Option(Some(value)), Type::Option(ty)) => {
            Value::Option(Some(Box::new(replace(*value, ty, with)?)))
        }
        (Value::Variant(case, payload), Type::Variant(cases)) => {
            let ty = cases.get(case as usize).and_then(|case| case.ty.as_ref());
            Value::Variant(case, payload_with(payload, ty, with)?)
        }
        (Value::Result(Ok(payload)), Type::Result { ok, .. }) => {
            Value::Result(Ok(payload_with(payload, ok.as_deref(), with)?))
        }
        (Value::Result(Err(payload)), Type::Result { err, .. }) => {
            Value::Result(Err(payload_with(payload, err.as_deref(), with)?))
        }
        (value, _) => value,
    })
}

fn payload_with(
    payload: Option<Box<Value>>,
    ty: Option<&Type>,
    with: &mut impl FnMut(Value, &Type) -> wasmtime::Result<Value>,
) -> wasmtime::Result<Option<Box<Value>>> {
    match (payload, ty) {
        (Some(value), Some(ty)) => Ok(Some(Box::new(replace(*value, ty, with)?))),
        (payload, _) => Ok(payload),
    }
}

/// Says of what is wrong with an argument that the task can't be given it.
fn of_input(cid: &Cid, fault: Fault) -> wasmtime::Error {
    match fault {
        Fault::Guest(error) => Ended::input(*cid, error).into(),
        Fault::Task(error) => error,
    }
}

impl Ended {
    /// Says why an argument of a task is none.
    pub(super) fn input(cid: Cid, error: Error) -> Self {
        let reason = match error {
            Error::OtherKind(kind) => format!("it is {kind}, not a file"),
            Error::Malformed(reason) | Error::Other(reason) => reason,
            error => format!("{error:?}"),
        };
        Self::Input { cid, reason }
    }
}

/// Fetches what arguments link to as far as it is needed before the call: whole if it is passed as a list, and else
/// what says that it is a file.
pub(crate) fn fetch(
    content: &Content,
    args: Vec<Value>,
    params: &[(String, Type)],
    memory_bytes: u64,
) -> wasmtime::Result<Vec<Value>> {
    let mut fetch = |value, ty: &Type| match value {
        Value::Link(cid) => {
            // A blob may be anything.
            let size = match ty {
                Type::Own(_) | Type::Borrow(_) => content.size(&cid),
                _ => content.file(&cid),
            };
            let bytes = size.map_err(|fault| of_input(&cid, fault))?;
            if !ty.is_bytes() {
                return Ok(value);
            }
            if bytes > memory_bytes {
                return Err(LimitReached::Memory(memory_bytes).into());
            }
            let whole = content.read_whole(&cid, bytes);
            whole
                .map(Value::Bytes)
                .map_err(|fault| of_input(&cid, fault))
        }
        value => Ok(value),
    };
    let args = args.into_iter().zip(params);
    args.map(|(value, (_, ty))| replace(value, ty, &mut fetch))
        .collect()
}

/// Arguments with handles in them.
pub(crate) struct Opened {
    pub(crate) values: Vec<Value>,
    pub(crate) streams: Streams,
    /// Blobs that are only lent.
    pub(crate) lent: Vec<u32>,
}

impl Opened {
    /// Returns arguments without handles.
    pub(crate) fn plain(values: Vec<Value>) -> Self {
        Self {
            values,
            streams: Streams::new(),
            lent: Vec::new(),
        }
    }
}

/// Opens what arguments link to, and puts its handles in their places.
pub(crate) fn open(
    mut store: impl AsContextMut<Data = State>,
    args: Vec<Value>,
    params: &[(String, Type)],
) -> wasmtime::Result<Opened> {
    let mut streams = Vec::new();
    let mut lent = Vec::new();
    let mut open = |value, ty: &Type| {
        if ty.is_bytes() {
            return Ok(value);
        }
        let mut store = store.as_context_mut();
        if let Value::Any(any) = value {
            return ipld::hold(&mut store, any).map(Value::U32);
        }
        let content = store.data().content.clone();
        if let Type::Stream(_) = ty {
            let incoming = match value {
                Value::Link(cid) => Incoming::argument(&content, cid),
                Value::Bytes(bytes) => Incoming::bytes(&content, bytes),
                _ => return Err(no_content()),
            };
            streams.push(StreamReader::new(store, incoming)?);
            return Ok(Value::U32(streams.len() as u32 - 1));
        }
        let cid = match value {
            Value::Link(cid) => cid,
            Value::Bytes(bytes) => {
                let cid = content.write_whole(&bytes)?.cid;
                content
                    .reach([&cid])
                    .map_err(|error| of_input(&cid, error.into()))?;
                cid
            }
            _ => return Err(no_content()),
        };
        let blob = open_blob(&mut store, cid)?;
        if let Type::Borrow(_) = ty {
            lent.push(blob);
        }
        Ok(Value::U32(blob))
    };
    let args = args.into_iter().zip(params);
    let args = args.map(|(value, (_, ty))| replace(value, ty, &mut open));
    let values = args.collect::<wasmtime::Result<_>>()?;
    Ok(Opened {
        values,
        streams,
        lent,
    })
}

/// Closes blobs that were lent.
pub(crate) fn take_back(
    mut store: StoreContextMut<'_, State>,
    lent: &[u32],
) -> wasmtime::Result<()> {
    lent.iter()
        .try_for_each(|blob| close_blob(&mut store, *blob).map(drop))
}

fn open_blob(store: &mut StoreContextMut<'_, State>, cid: Cid) -> wasmtime::Result<u32> {
    let content = store.data().content.clone();
    let opened = content.open(|open| &mut open.blobs, BLOBS_MAX);
    opened.map_err(|error| of_input(&cid, error.into()))?;
    let size = content.size(&cid).map_err(|fault| of_input(&cid, fault))?;
    let blob = store.data_mut().world.table().push(Blob { cid, size })?;
    Ok(blob.rep())
}

fn no_content() -> wasmtime::Error {
    wasmtime::format_err!("a value that doesn't fit its type")
}

/// Writes what streams out of a result to files, and returns what gives them back when they are whole.
pub(crate) fn pipe(
    mut store: impl AsContextMut<Data = State>,
    streams: Streams,
) -> wasmtime::Result<Vec<oneshot::Receiver<File>>> {
    let content = store.as_context().data().content.clone();
    let pipe = |stream: StreamReader<u8>| {
        let (outgoing, whole) = Outgoing::new(content.begin()?);
        stream.pipe(&mut store, outgoing)?;
        Ok(whole)
    };
    streams.into_iter().map(pipe).collect()
}

/// Puts links into the places of handles: of those in `files`, which were streams, and of blobs.
pub(crate) fn close(
    mut store: StoreContextMut<'_, State>,
    value: Value,
    ty: &Type,
    files: &[Cid],
) -> wasmtime::Result<Value> {
    let mut close = |value, ty: &Type| match (value, ty) {
        (Value::U32(number), Type::Stream(_)) => {
            let file = files.get(number as usize).copied();
            file.map(Value::Link).ok_or_else(no_content)
        }
        (Value::U32(number), ty) if ty.takes_any() => {
            ipld::let_go(&mut store, number).map(Value::Any)
        }
        (Value::U32(number), Type::Own(_)) => {
            let blob = close_blob(&mut store, number)?;
            Ok(Value::Link(blob.cid))
        }
        (value, _) => Ok(value),
    };
    replace(value, ty, &mut close)
}

/// Waits until a file is whole, ends it, and returns its CID.
pub(crate) async fn finish(whole: oneshot::Receiver<File>) -> wasmtime::Result<Cid> {
    let file = whole
        .await
        .map_err(|_| wasmtime::format_err!("a stream ended without its file"))?;
    Ok(file.finish()?.cid)
}
