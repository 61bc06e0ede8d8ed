//! What a stream costs that goes out to the host through an effect, and straight.

use std::fs;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use wasmtime::component::{
    Accessor, Component, Linker, Source, StreamConsumer, StreamReader, StreamResult, TypedFunc,
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
    let mut through = poured(&composed(
        homestar_guests::pour(),
        homestar_guests::funnel(),
        PIPE,
    )?)?;
    let mut straight = poured(&fs::read(homestar_guests::pour())?)?;
    let name = "stream: 1 MiB in 16 pieces, handed to the host";
    let measured = repeated(
        name,
        effort,
        vec![
            Repeated::new("through a composed effect", &mut through).of(STREAMS),
            Repeated::new("straight", &mut straight).of(STREAMS),
        ],
    )?;
    Ok(vec![measured.goal("as fast")])
}

/// Returns what pours streams out of the component in `bytes`, on wasmtime as our engine sets it for components with
/// streams.
fn poured(bytes: &[u8]) -> Result<impl FnMut() -> Result<(), Error> + use<>, Error> {
    let mut config = config(Settings::Ours);
    config
        .wasm_component_model_async(true)
        .wasm_component_model_more_async_builtins(true)
        .concurrency_support(true);
    let engine = Engine::new(&config)?;
    let mut linker = Linker::new(&engine);
    let mut pipe = linker.instance(PIPE)?;
    pipe.func_wrap_concurrent("drain", |accessor, (bytes,): (StreamReader<u8>,)| {
        Box::pin(drain(accessor, bytes))
    })?;
    let component = Component::from_binary(&engine, bytes)?;
    let mut store = Store::new(&engine, ());
    store.set_fuel(u64::MAX)?;
    store.set_epoch_deadline(1);
    let runtime = Builder::new_current_thread().build()?;
    let instance = runtime.block_on(linker.instantiate_async(&mut store, &component))?;
    let pour = instance.get_typed_func(&mut store, "pour")?;
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
