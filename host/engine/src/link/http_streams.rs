//! `homestar:driver/http-streams`.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use serde_bytes::ByteBuf;
use tokio::sync::oneshot;
use wasmtime::component::{
    Access, Accessor, Destination, FutureReader, Source, StreamConsumer, StreamProducer,
    StreamReader, StreamResult,
};
use wasmtime::{AsContextMut as _, StoreContextMut};

use super::http::{Answer, Asker, PIECE_BYTES_MAX};
use super::{Instance, outside};
use crate::drivers::http::{Error, Head, Request};
use crate::instance::State;

/// What an exchange gives to who asked: the head, the body, and how the body ended.
type Exchange = (Head, StreamReader<u8>, FutureReader<Result<(), Error>>);

pub(super) fn add(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()> {
    instance.func_wrap_concurrent(
        "send",
        move |accessor, (request, body): (Request, Option<StreamReader<u8>>)| {
            Box::pin(async move { Ok((exchange(accessor, part, request, body).await?,)) })
        },
    )
}

async fn exchange(
    accessor: &Accessor<State>,
    part: usize,
    request: Request,
    body: Option<StreamReader<u8>>,
) -> wasmtime::Result<Result<Exchange, Error>> {
    let (head, asker) = accessor.with(|access| start(access, part, request, body))?;
    let head = match head.await? {
        Ok(head) => head,
        Err(error) => return Ok(Err(error)),
    };
    accessor.with(|access| respond(access, asker, head)).map(Ok)
}

/// Begins to send a request, with what the guest writes as its body if it does.
fn start(
    mut access: Access<'_, State>,
    part: usize,
    request: Request,
    body: Option<StreamReader<u8>>,
) -> wasmtime::Result<(Answer<Head>, Asker)> {
    let asker = Asker::of(outside(&access.as_context_mut())?, part);
    let Some(body) = body else {
        return Ok((asker.send(request)?, asker));
    };
    let (upload, head) = asker.send_streaming(request)?;
    let outgoing = Outgoing {
        asker: asker.clone(),
        upload,
        written: None,
    };
    body.pipe(&mut access, outgoing)?;
    Ok((head, asker))
}

/// Gives the guest a response whose body is still to come.
fn respond(mut access: Access<'_, State>, asker: Asker, head: Head) -> wasmtime::Result<Exchange> {
    let (sender, receiver) = oneshot::channel();
    let incoming = Incoming {
        asker,
        body: head.body,
        piece: None,
        end: Some(sender),
    };
    let body = StreamReader::new(&mut access, incoming)?;
    // Who drops the body before its end doesn't learn how it would have ended.
    let end = async { Ok::<_, wasmtime::Error>(receiver.await.unwrap_or(Ok(()))) };
    let end = FutureReader::new(&mut access, Box::pin(end))?;
    Ok((head, body, end))
}

/// The body of a response, on its way into the guest.
struct Incoming {
    asker: Asker,
    body: u32,
    piece: Option<Answer<Option<ByteBuf>>>,
    end: Option<oneshot::Sender<Result<(), Error>>>,
}

impl StreamProducer<State> for Incoming {
    type Item = u8;
    type Buffer = Bytes;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _: StoreContextMut<'a, State>,
        mut destination: Destination<'a, u8, Bytes>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if self.piece.is_none() {
            if finish {
                return Poll::Ready(Ok(StreamResult::Cancelled));
            }
            self.piece = Some(self.asker.next(self.body)?);
        }
        let Some(piece) = &mut self.piece else {
            return Poll::Pending;
        };
        let piece = match Pin::new(piece).poll(cx) {
            Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => return Poll::Pending,
            Poll::Ready(piece) => piece?,
        };
        self.piece = None;
        let end = match piece {
            Ok(Some(piece)) => {
                destination.set_buffer(Bytes::from(piece.into_vec()));
                return Poll::Ready(Ok(StreamResult::Completed));
            }
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Some(sender) = self.end.take() {
            // Nobody may want to know.
            let _ = sender.send(end);
        }
        Poll::Ready(Ok(StreamResult::Dropped))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.asker.close(self.body);
    }
}

/// The body of a request, on its way out.
struct Outgoing {
    asker: Asker,
    upload: u64,
    written: Option<Answer<bool>>,
}

impl StreamConsumer<State> for Outgoing {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'_, State>,
        source: Source<'_, u8>,
        _: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if self.written.is_none() {
            let mut source = source.as_direct(store);
            let bytes = source.remaining();
            let length = bytes.len().min(PIECE_BYTES_MAX);
            if length == 0 {
                return Poll::Ready(Ok(StreamResult::Completed));
            }
            let piece = Bytes::copy_from_slice(&bytes[..length]);
            source.mark_read(length);
            self.written = Some(self.asker.write(self.upload, Some(piece))?);
        }
        let Some(written) = &mut self.written else {
            return Poll::Pending;
        };
        // What was taken is finished even if the guest would rather cancel it.
        let written = ready!(Pin::new(written).poll(cx))?;
        self.written = None;
        Poll::Ready(Ok(match written {
            Ok(true) => StreamResult::Completed,
            _ => StreamResult::Dropped,
        }))
    }
}

/// The guest has nothing more to send.
impl Drop for Outgoing {
    fn drop(&mut self) {
        // Nobody waits for the answer. If the door is closed, the request ends with it.
        let _ = self.asker.write(self.upload, None);
    }
}
