//! `wasi:http`, 0.2 and 0.3, over the same driver, grants and trace as `homestar:https`.

use std::fmt::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Limited};
use serde_bytes::ByteBuf;
use wasmtime::component::ResourceTable;
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiHttp, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, p2, p3,
};

use super::Instance;
use super::http::{Answer, Asker};
use crate::drivers::http::{self as driver, Head, Request};
use crate::instance::State;
use crate::world::stdio::Capture;

/// What the parts of a task that use `wasi:http` have.
#[derive(Default)]
pub(crate) struct Http {
    ctx: WasiHttpCtx,
    /// By the number of the part.
    doors: Vec<Option<Sending>>,
}

/// How one part sends.
struct Sending {
    /// None in a task that is wired to no driver.
    asker: Option<Asker>,
    log: Capture,
}

/// Most parts that may send.
const PARTS_MAX: usize = 8;

/// Largest body of a request, in bytes.
const REQUEST_BYTES_MAX: usize = 64 << 20;

type Sent = wasmtime_wasi_http::Result<(
    http::Response<UnsyncBoxBody<Bytes, Error>>,
    Box<dyn Future<Output = wasmtime_wasi_http::Result<()>> + Send>,
)>;

fn view<const PART: usize>(state: &mut State) -> WasiHttpCtxView<'_> {
    let asker = state.outside().map(|outside| Asker::of(outside, PART));
    let log = state.world.log().clone();
    let (http, table): (&mut Http, &mut ResourceTable) = state.http_and_table();
    if http.doors.len() <= PART {
        http.doors.resize_with(PART + 1, || None);
    }
    WasiHttpCtxView {
        hooks: http.doors[PART].get_or_insert(Sending { asker, log }),
        table,
        ctx: &mut http.ctx,
    }
}

/// Defines the types, which all parts share.
pub(super) fn add_types(instance: &mut Instance<'_>, interface: &str) -> wasmtime::Result<()> {
    if interface.contains("@0.3") {
        return p3::bindings::http::types::add_to_linker_instance::<_, WasiHttp>(
            instance, view::<0>,
        );
    }
    let options = p2::bindings::LinkOptions::default().into();
    p2::bindings::http::types::add_to_linker_instance::<_, WasiHttp>(instance, &options, view::<0>)
}

/// Defines what sends, for one part.
pub(super) fn add_sending(
    instance: &mut Instance<'_>,
    interface: &str,
    part: usize,
) -> wasmtime::Result<()> {
    macro_rules! parts {
        ($($number:literal)*) => {
            match part {
                $($number => add_for::<$number>(instance, interface),)*
                _ => Err(wasmtime::format_err!("more than {PARTS_MAX} components use wasi:http")),
            }
        };
    }
    parts!(0 1 2 3 4 5 6 7)
}

fn add_for<const PART: usize>(
    instance: &mut Instance<'_>,
    interface: &str,
) -> wasmtime::Result<()> {
    if interface.contains("@0.3") {
        return p3::bindings::http::client::add_to_linker_instance::<_, WasiHttp>(
            instance,
            view::<PART>,
        );
    }
    p2::bindings::http::outgoing_handler::add_to_linker_instance::<_, WasiHttp>(
        instance,
        view::<PART>,
    )
}

impl WasiHttpHooks for Sending {
    fn send_request(
        &mut self,
        request: http::Request<UnsyncBoxBody<Bytes, Error>>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = wasmtime_wasi_http::Result<()>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let (asker, log) = (self.asker.clone(), self.log.clone());
        Box::new(async move {
            let asker = asker.ok_or(Error::HttpRequestDenied)?;
            let request = whole(request, options.unwrap_or_default()).await?;
            let answer = asker.send(request).map_err(|error| broken(&error))?.await;
            let head = answer.map_err(|error| broken(&error))?;
            let head = head.map_err(|error| error_of(error, &log))?;
            let response = response(head, asker, log)?;
            let nothing_left: Box<dyn Future<Output = _> + Send> = Box::new(async { Ok(()) });
            Ok((response, nothing_left))
        })
    }
}

/// Returns the request as the driver takes it. Its body is taken whole, so that what the guest sees of sending it
/// doesn't depend on the network.
async fn whole(
    request: http::Request<UnsyncBoxBody<Bytes, Error>>,
    options: RequestOptions,
) -> wasmtime_wasi_http::Result<Request> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, REQUEST_BYTES_MAX).collect().await;
    let body = body.map_err(|error| match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(_) => Error::HttpRequestBodySize(Some(REQUEST_BYTES_MAX as u64)),
    })?;
    let headers = parts
        .headers
        .iter()
        .filter(|(name, _)| *name != http::header::HOST);
    let milliseconds = |time: Option<Duration>| {
        time.map(|time| u32::try_from(time.as_millis()).unwrap_or(u32::MAX).max(1))
    };
    Ok(Request {
        method: parts.method.to_string(),
        url: parts.uri.to_string(),
        headers: headers
            .map(|(name, value)| (name.to_string(), latin1(value)))
            .collect(),
        body: body.to_bytes().to_vec(),
        connect_timeout_ms: milliseconds(options.connect_timeout),
        timeout_ms: milliseconds(
            options
                .first_byte_timeout
                .max(options.between_bytes_timeout),
        ),
    })
}

/// Returns a value whose characters are its bytes.
fn latin1(value: &http::HeaderValue) -> String {
    value.as_bytes().iter().copied().map(char::from).collect()
}

fn response(
    head: Head,
    asker: Asker,
    log: Capture,
) -> wasmtime_wasi_http::Result<http::Response<UnsyncBoxBody<Bytes, Error>>> {
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
