//! `homestar:blocks/streams`.

use tokio::sync::oneshot;
use wasmtime::AsContextMut as _;
use wasmtime::component::{Access, Accessor, FutureReader, Resource, StreamReader};

use super::Instance;
use super::blocks::{Blob, content, finish};
use crate::content::streams::{Incoming, Outgoing};
use crate::content::{Error, SINKS_MAX};
use crate::instance::State;

pub(super) fn add(instance: &mut Instance<'_>) -> wasmtime::Result<()> {
    instance.func_wrap(
        "read",
        |mut store: wasmtime::StoreContextMut<'_, State>, (blob, offset): (Resource<Blob>, u64)| {
            let cid = store.data_mut().world.table().get(&blob)?.cid;
            let (sender, receiver) = oneshot::channel();
            let incoming = Incoming::opened(&content(&store), cid, offset, sender);
            let bytes = StreamReader::new(&mut store, incoming)?;
            // Who drops the stream before its end doesn't learn how it would have ended.
            let end = async { Ok::<_, wasmtime::Error>(receiver.await.unwrap_or(Ok(()))) };
            let end: FutureReader<Result<(), Error>> =
                FutureReader::new(&mut store, Box::pin(end))?;
            Ok(((bytes, end),))
        },
    )?;
    instance.func_wrap_concurrent("write", |accessor, (bytes,): (StreamReader<u8>,)| {
        Box::pin(async move { Ok((write(accessor, bytes).await?,)) })
    })
}

async fn write(
    accessor: &Accessor<State>,
    bytes: StreamReader<u8>,
) -> wasmtime::Result<Result<Resource<Blob>, Error>> {
    let whole = match accessor.with(|access| begin(access, bytes))? {
        Ok(whole) => whole,
        Err(error) => return Ok(Err(error)),
    };
    let file = whole.await;
    let file = file.map_err(|_| wasmtime::format_err!("a stream ended without its file"))?;
    accessor.with(|mut access| {
        let mut store = access.as_context_mut();
        content(&store).close(|open| &mut open.sinks);
        finish(&mut store, file)
    })
}

type Whole = oneshot::Receiver<crate::content::File>;

/// Begins to write a stream to a file.
fn begin(
    mut access: Access<'_, State>,
    mut bytes: StreamReader<u8>,
) -> wasmtime::Result<Result<Whole, Error>> {
    let content = content(&access.as_context_mut());
    if let Err(error) = content.open(|open| &mut open.sinks, SINKS_MAX) {
        bytes.close(&mut access)?;
        return Ok(Err(error));
    }
    let (outgoing, whole) = Outgoing::new(content.begin()?);
    bytes.pipe(&mut access, outgoing)?;
    Ok(Ok(whole))
}
