//! `wasi:http`, 0.2 and 0.3, over the same driver, grants and trace as `homestar:https`.

mod outgoing;

use std::fmt::Write as _;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use serde_bytes::ByteBuf;
use wasmtime::component::{Accessor, Resource, ResourceTable};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttp, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, p2, p3,
};

use super::Instance;
use super::http::{Answer, Asker, PIECE_BYTES_MAX};
use crate::drivers::http::{self as driver, Head, Request};
use crate::instance::State;
use crate::world::stdio::Capture;

/// What the parts of a task that use `wasi:http` have.
#[derive(Default)]
pub(crate) struct Http {
    ctx: WasiHttpCtx,
    /// By the number of the part.
    doors: Vec<Option<Sending>>,
    /// Number of the part that is sending.
    part: usize,
}

/// How one part sends.
struct Sending {
    /// None in a task that is wired to no driver.
    asker: Option<Asker>,
    log: Capture,
}

/// Most pieces of a request's body that wait for room, and most bytes of one. So a body that isn't sent yet takes no
/// more of our memory than a piece that is: see [`PIECE_BYTES_MAX`].
const BODY_PIECES_MAX: usize = 3;
const BODY_PIECE_BYTES_MAX: usize = PIECE_BYTES_MAX / (BODY_PIECES_MAX + 1);

type Sent = wasmtime_wasi_http::Result<(http::Response<WasiBody>, Box<Io>)>;

/// What goes on while a response is read.
type Io = dyn Future<Output = wasmtime_wasi_http::Result<()>> + Send;

fn view(state: &mut State) -> WasiHttpCtxView<'_> {
    let part = state.http_and_table().0.part;
    let asker = state.outside().map(|outside| Asker::of(outside, part));
    let log = state.world.log().clone();
    let (http, table): (&mut Http, &mut ResourceTable) = state.http_and_table();
    if http.doors.len() <= part {
        http.doors.resize_with(part + 1, || None);
    }
    WasiHttpCtxView {
        hooks: http.doors[part].get_or_insert(Sending { asker, log }),
        table,
        ctx: &mut http.ctx,
    }
}

/// Defines the types, which all parts share.
pub(super) fn add_types(instance: &mut Instance<'_>, interface: &str) -> wasmtime::Result<()> {
    if interface.contains("@0.3") {
        return p3::bindings::http::types::add_to_linker_instance::<_, WasiHttp>(instance, view);
    }
    let options = p2::bindings::LinkOptions::default().into();
    p2::bindings::http::types::add_to_linker_instance::<_, WasiHttp>(instance, &options, view)
}

/// Defines what sends, for one part.
pub(super) fn add_sending(
    instance: &mut Instance<'_>,
    interface: &str,
    part: usize,
) -> wasmtime::Result<()> {
    if interface.contains("@0.3") {
        return add_send(instance, part);
    }
    add_handle(instance, part)
}

/// Defines `wasi:http/outgoing-handler.handle` of 0.2.
fn add_handle(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()> {
    use p2::bindings::http::outgoing_handler::{Host, OutgoingRequest, RequestOptions};
    type Args = (Resource<OutgoingRequest>, Option<Resource<RequestOptions>>);
    instance.func_wrap("handle", move |mut store, (request, options): Args| {
        let state: &mut State = store.data_mut();
        state.http_and_table().0.part = part;
        match view(state).handle(request, options) {
            Ok(response) => Ok((Ok(response),)),
            Err(error) => Ok((Err(error.downcast()?),)),
        }
    })
}

/// Defines `wasi:http/client.send` of 0.3.
fn add_send(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()> {
    use p3::bindings::http::client::HostWithStore;
    use p3::bindings::http::types::Request;
    instance.func_wrap_concurrent(
        "send",
        move |accessor: &Accessor<State>, (request,): (Resource<Request>,)| {
            Box::pin(async move {
                let of_http = accessor.with_getter::<WasiHttp>(view);
                let mut sending = pin!(WasiHttp::send(&of_http, request));
                let sent = poll_fn(|cx| {
                    // Whatever it asks, it asks as this part.
                    accessor.with(|mut access| access.data_mut().http_and_table().0.part = part);
                    sending.as_mut().poll(cx)
                });
                match sent.await {
                    Ok(response) => Ok((Ok(response),)),
                    Err(error) => Ok((Err(error.downcast()?),)),
                }
            })
        },
    )
}

impl WasiHttpHooks for Sending {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<Io>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let (asker, log) = (self.asker.clone(), self.log.clone());
        Box::new(async move {
            let asker = asker.ok_or(Error::HttpRequestDenied)?;
            let (parts, body) = request.into_parts();
            let request = request_of(&parts, options.unwrap_or_default());
            let (head, rest) = outgoing::send(&asker, request, body, &log).await?;
            let rest: Box<Io> = match rest {
                Some(rest) => Box::new(rest.finish()),
                None => Box::new(async { Ok(()) }),
            };
            Ok((response(head, asker, log)?, rest))
        })
    }

    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        BODY_PIECES_MAX
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_PIECE_BYTES_MAX
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        PIECE_BYTES_MAX
    }
}

/// Returns a request without its body as the driver takes it.
fn request_of(parts: &http::request::Parts, options: RequestOptions) -> Request {
    let headers = parts
        .headers
        .iter()
        .filter(|(name, _)| *name != http::header::HOST);
    let milliseconds = |time: Option<Duration>| {
        time.map(|time| u32::try_from(time.as_millis()).unwrap_or(u32::MAX).max(1))
    };
    Request {
        method: parts.method.to_string(),
        url: parts.uri.to_string(),
        headers: headers
            .map(|(name, value)| (name.to_string(), latin1(value)))
            .collect(),
        body: Vec::new(),
        connect_timeout_ms: milliseconds(options.connect_timeout),
        timeout_ms: milliseconds(
            options
                .first_byte_timeout
                .max(options.between_bytes_timeout),
        ),
    }
}

/// Returns a value whose characters are its bytes.
fn latin1(value: &http::HeaderValue) -> String {
    value.as_bytes().iter().copied().map(char::from).collect()
}

fn response(
    head: Head,
    asker: Asker,
    log: Capture,
) -> wasmtime_wasi_http::Result<http::Response<WasiBody>> {
    let mut response = http::Response::builder().status(head.status);
    for (name, value) in head.headers {
        let value: Vec<u8> = value
            .chars()
            .map(|c| u8::try_from(c).unwrap_or(b'?'))
            .collect();
        response = response.header(name, value);
    }
    let body = Incoming {
        asker,
        body: head.body,
        answer: None,
        log,
    };
    response
        .body(body.boxed_unsync())
        .map_err(|_| Error::HttpProtocolError)
}

/// The body of a response, piece by piece through the door.
struct Incoming {
    asker: Asker,
    body: u32,
    answer: Option<Answer<Option<ByteBuf>>>,
    log: Capture,
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.answer.is_none() {
            match self.asker.next(self.body) {
                Ok(answer) => self.answer = Some(answer),
                Err(error) => return Poll::Ready(Some(Err(broken(&error)))),
            }
        }
        let Some(answer) = &mut self.answer else {
            return Poll::Ready(None);
        };
        let piece = ready!(Pin::new(answer).poll(cx));
        self.answer = None;
        Poll::Ready(match piece {
            Ok(Ok(piece)) => piece.map(|piece| Ok(Frame::data(Bytes::from(piece.into_vec())))),
            Ok(Err(driver::Error::Closed)) => None,
            Ok(Err(error)) => Some(Err(error_of(error, &self.log))),
            Err(error) => Some(Err(broken(&error))),
        })
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.asker.close(self.body);
    }
}

/// The door itself failed: the task is over as soon as it comes back to us.
fn broken(error: &wasmtime::Error) -> Error {
    Error::InternalError(Some(format!("{error:#}")))
}

/// Returns the error of `wasi:http` that says most. What it can't say goes to the log.
fn error_of(error: driver::Error, log: &Capture) -> Error {
    let mut line = String::new();
    let _ = writeln!(line, "wasi:http: {error}");
    // A log that is full ends the task at its next line.
    let _ = log.put(line.as_bytes());
    match error {
        driver::Error::Denied(_) | driver::Error::Budget(_) => Error::HttpRequestDenied,
        driver::Error::Invalid(_) => Error::HttpRequestUriInvalid,
        driver::Error::Name(text) => Error::DnsError {
            rcode: Some(text),
            info_code: None,
        },
        driver::Error::Connection(_) => Error::ConnectionRefused,
        driver::Error::Tls(_) => Error::TlsCertificateError,
        driver::Error::Timeout => Error::HttpResponseTimeout,
        driver::Error::Protocol(_) => Error::HttpProtocolError,
        driver::Error::Closed => Error::HttpResponseIncomplete,
    }
}
