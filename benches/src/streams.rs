//! What a stream costs that goes out to the host through an effect, straight, and through an effect in a store of its
//! own.

use std::fs;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, mpsc, oneshot};
use wasmtime::component::{
    Accessor, Component, Destination, Instance, Linker, Source, StreamConsumer, StreamProducer,
    StreamReader, StreamResult, TypedFunc, VecBuffer,
};
use wasmtime::{Engine, Store, StoreContextMut};

use crate::Error;
use crate::effects::composed;
use crate::measure::{Effort, Measurement, Repeated, repeated};
use crate::peers::{Settings, config};

const PIPE: &str = "acme:pipe/pipe@0.1.0";

/// Bytes in each stream.
const BYTES: u64 = 1 << 20;

/// Streams for each call of ours.
const STREAMS: u64 = 100;

pub(crate) fn stream(effort: Effort) -> Result<Vec<Measurement>, Error> {
    let engine = engine()?;
    let runtime = Arc::new(Builder::new_current_thread().build()?);
    let host = || drained_by_host(&engine);
    let composed = composed(homestar_guests::pour(), homestar_guests::funnel(), PIPE)?;
    let alone = fs::read(homestar_guests::pour())?;
    let mut through = poured(&runtime, &host()?, &composed)?;
    let mut straight = poured(&runtime, &host()?, &alone)?;
    let other = Other::start(&runtime, &host()?)?;
    let mut forwarded = poured(&runtime, &forwarded_to(&engine, other)?, &alone)?;
    let name = "stream: 1 MiB in 16 pieces, handed to the host";
    let measured = repeated(
        name,
        effort,
        vec![
            Repeated::new("through a composed effect", &mut through).of(STREAMS),
            Repeated::new("straight", &mut straight).of(STREAMS),
            Repeated::new("through the effect in a store of its own", &mut forwarded).of(STREAMS),
        ],
    )?;
    Ok(vec![measured.goal("as fast as straight")])
}

/// Returns wasmtime as our engine sets it for components with streams.
fn engine() -> Result<Engine, Error> {
    let mut config = config(Settings::Ours);
    config
        .wasm_component_model_async(true)
        .wasm_component_model_more_async_builtins(true)
        .concurrency_support(true);
    Ok(Engine::new(&config)?)
}

/// Offers what takes streams and looks at no byte.
fn drained_by_host(engine: &Engine) -> Result<Linker<()>, Error> {
    let mut linker = Linker::new(engine);
    let mut pipe = linker.instance(PIPE)?;
    pipe.func_wrap_concurrent("drain", |accessor, (bytes,): (StreamReader<u8>,)| {
        Box::pin(drain(accessor, bytes))
    })?;
    Ok(linker)
}

fn start(
    runtime: &Runtime,
    linker: &Linker<()>,
    bytes: &[u8],
) -> Result<(Store<()>, Instance), Error> {
    let component = Component::from_binary(linker.engine(), bytes)?;
    let mut store = Store::new(linker.engine(), ());
    store.set_fuel(u64::MAX)?;
    store.set_epoch_deadline(1);
    let instance = runtime.block_on(linker.instantiate_async(&mut store, &component))?;
    Ok((store, instance))
}

/// Returns what pours streams out of the component in `bytes`.
fn poured(
    runtime: &Arc<Runtime>,
    linker: &Linker<()>,
    bytes: &[u8],
) -> Result<impl FnMut() -> Result<(), Error> + use<>, Error> {
    let (mut store, instance) = start(runtime, linker, bytes)?;
    let pour = instance.get_typed_func(&mut store, "pour")?;
    let runtime = runtime.clone();
    Ok(move || pour_once(&runtime, &mut store, pour))
}

fn pour_once(
    runtime: &Runtime,
    store: &mut Store<()>,
    pour: TypedFunc<(u64, u64), (u64,)>,
) -> Result<(), Error> {
    let poured = store
        .run_concurrent(async |accessor| pour.call_concurrent(accessor, (BYTES, STREAMS)).await);
    let (drained,) = runtime.block_on(poured)??;
    match drained == BYTES * STREAMS {
        true => Ok(()),
        false => Err(format!("only {drained} bytes were drained").into()),
    }
}

async fn drain(accessor: &Accessor<()>, bytes: StreamReader<u8>) -> wasmtime::Result<(u64,)> {
    let (sender, drained) = oneshot::channel();
    let drain = Drain {
        bytes: 0,
        sender: Some(sender),
    };
    accessor.with(|access| bytes.pipe(access, drain))?;
    Ok((drained.await?,))
}

/// Looks at no byte: what is measured is the handing over.
struct Drain {
    bytes: u64,
    sender: Option<oneshot::Sender<u64>>,
}

impl StreamConsumer<()> for Drain {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        store: StoreContextMut<'_, ()>,
        source: Source<'_, u8>,
        _: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let mut source = source.as_direct(store);
        let length = source.remaining().len();
        source.mark_read(length);
        self.bytes += length as u64;
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take() {
            // Nobody may wait for it any more.
            let _ = sender.send(self.bytes);
        }
    }
}

/// The effect in a store of its own.
struct Other {
    store: Store<()>,
    drain: TypedFunc<(StreamReader<u8>,), (u64,)>,
}

impl Other {
    fn start(runtime: &Runtime, linker: &Linker<()>) -> Result<Self, Error> {
        let bytes = fs::read(homestar_guests::funnel())?;
        let (mut store, instance) = start(runtime, linker, &bytes)?;
        let pipe = instance.get_export_index(&mut store, None, PIPE);
        let drain = instance.get_export_index(&mut store, pipe.as_ref(), "drain");
        let drain = drain.ok_or("the effect doesn't offer what it should")?;
        Ok(Self {
            drain: instance.get_typed_func(&mut store, drain)?,
            store,
        })
    }

    async fn drain(
        &mut self,
        pieces: mpsc::UnboundedReceiver<Vec<u8>>,
    ) -> wasmtime::Result<(u64,)> {
        let arriving = StreamReader::new(&mut self.store, Arriving(pieces))?;
        let drain = self.drain;
        let drained = self
            .store
            .run_concurrent(async |accessor| drain.call_concurrent(accessor, (arriving,)).await);
        drained.await?
    }
}

/// Offers what takes streams to the effect in the other store. A handle can't go there, so the bytes do.
fn forwarded_to(engine: &Engine, other: Other) -> Result<Linker<()>, Error> {
    let other = Arc::new(Mutex::new(other));
    let mut linker = Linker::new(engine);
    let mut pipe = linker.instance(PIPE)?;
    pipe.func_wrap_concurrent(
        "drain",
        move |accessor: &Accessor<()>, (bytes,): (StreamReader<u8>,)| {
            let other = other.clone();
            Box::pin(async move {
                let (sender, pieces) = mpsc::unbounded_channel();
                accessor.with(|access| bytes.pipe(access, Leaving(sender)))?;
                // wasmtime runs no store within another.
                tokio::spawn(async move { other.lock().await.drain(pieces).await }).await?
            })
        },
    )?;
    Ok(linker)
}

/// A stream on its way out of one store.
struct Leaving(mpsc::UnboundedSender<Vec<u8>>);

impl StreamConsumer<()> for Leaving {
    type Item = u8;

    fn poll_consume(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        store: StoreContextMut<'_, ()>,
        source: Source<'_, u8>,
        _: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let mut source = source.as_direct(store);
        let piece = source.remaining().to_vec();
        source.mark_read(piece.len());
        Poll::Ready(Ok(match self.0.send(piece) {
            Ok(()) => StreamResult::Completed,
            Err(_) => StreamResult::Dropped,
        }))
    }
}

/// The same on its way into the other.
struct Arriving(mpsc::UnboundedReceiver<Vec<u8>>);

impl StreamProducer<()> for Arriving {
    type Item = u8;
    type Buffer = VecBuffer<u8>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _: StoreContextMut<'a, ()>,
        mut destination: Destination<'a, u8, VecBuffer<u8>>,
        _: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let piece = ready!(self.0.poll_recv(cx));
        Poll::Ready(Ok(match piece {
            Some(piece) => {
                destination.set_buffer(VecBuffer::from(piece));
                StreamResult::Completed
            }
            None => StreamResult::Dropped,
        }))
    }
}
