//! The effect `homestar:https/streams`: requests and responses whose bodies stream. The streams
//! themselves are handed through, so their bytes don't pass here.

use bindings::exports::homestar::https::streams::Guest;
use bindings::homestar::driver::{http as driver, http_streams};
use bindings::homestar::https::types::{Error, Head, Options, Request};
use redirects::Request as Hop;
use wit_bindgen::{FutureReader, StreamReader, spawn_local};

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        world: "homestar:driver/https-streams-provider",
        generate_all,
    });

    #[cfg(target_family = "wasm")]
    export!(Effect with_types_in self);

    #[cfg(target_family = "wasm")]
    use super::Effect;
}

/// Redirects that are followed if the guest doesn't say.
const REDIRECTS: u32 = 10;

/// How a body ended, once it has.
type End<E> = FutureReader<Result<(), E>>;

struct Effect;

impl Guest for Effect {
    async fn send(
        request: Request,
        body: Option<StreamReader<u8>>,
    ) -> Result<(Head, StreamReader<u8>, End<Error>), Error> {
        let options = request.options;
        let hop = Hop::new(request.method, &request.url, request.headers, request.body)
            .map_err(Error::Invalid)?;
        let (url, (response, body, end)) = match body {
            Some(_) if !hop.body.is_empty() => {
                return Err(Error::Invalid(
                    "the request has a body and a stream for one; it can have one of them".into(),
                ));
            }
            // What was streamed is gone, so it can't be sent to another place.
            Some(body) => {
                let url = hop.url.to_string();
                let request = exchange(hop, options);
                (url, http_streams::send(request, Some(body)).await?)
            }
            None => follow(hop, options).await?,
        };
        let head = Head {
            status: response.status,
            headers: response.headers,
            url,
        };
        Ok((head, body, translate(end)))
    }
}

/// A response of the driver, with its body.
type Answer = (driver::Response, StreamReader<u8>, End<driver::Error>);

/// Sends a request and follows redirects, to a response and where it came from.
async fn follow(mut hop: Hop, options: Option<Options>) -> Result<(String, Answer), Error> {
    let max_redirects = options
        .and_then(|options| options.redirects)
        .unwrap_or(REDIRECTS);
    let mut followed = 0;
    loop {
        let request = exchange(hop.clone(), options);
        let url = request.url.clone();
        let answer = http_streams::send(request, None).await?;
        let response = &answer.0;
        if max_redirects == 0
            || !hop
                .follow(response.status, &response.headers)
                .map_err(Error::Protocol)?
        {
            return Ok((url, answer));
        }
        if followed == max_redirects {
            return Err(Error::Redirects(max_redirects));
        }
        followed += 1;
    }
}

/// The request as the driver takes it.
fn exchange(hop: Hop, options: Option<Options>) -> driver::Request {
    driver::Request {
        method: hop.method,
        url: hop.url.into(),
        headers: hop.headers,
        body: hop.body,
        connect_timeout_ms: options.and_then(|options| options.connect_timeout_ms),
        timeout_ms: options.and_then(|options| options.timeout_ms),
    }
}

/// The same end with the guest's kind of error. It is awaited after the call has returned.
fn translate(end: End<driver::Error>) -> End<Error> {
    let (writer, reader) = bindings::wit_future::new(|| Ok(()));
    spawn_local(async move {
        // The guest need not read it.
        let _ = writer.write(end.await.map_err(Error::from)).await;
    });
    reader
}

impl From<driver::Error> for Error {
    fn from(error: driver::Error) -> Self {
        use driver::Error as Driver;
        match error {
            Driver::Denied(text) => Self::Denied(text),
            Driver::Budget(text) => Self::Budget(text),
            Driver::Invalid(text) => Self::Invalid(text),
            Driver::Name(text) => Self::Name(text),
            Driver::Connection(text) => Self::Connection(text),
            Driver::Tls(text) => Self::Tls(text),
            Driver::Timeout => Self::Timeout,
            Driver::Protocol(text) => Self::Protocol(text),
            Driver::Closed => Self::Connection("the body is closed".into()),
        }
    }
}
