//! One request, through all its redirects, to its response.

use redirects::Request as Hop;

use crate::Driver;
use crate::bindings::homestar::driver::http as driver;
use crate::bindings::homestar::https::types::{Error, Options, Request, Response};
use crate::body::{Body, Encoding};

/// Redirects that are followed if the guest doesn't say.
const REDIRECTS: u32 = 10;

/// Most bytes of body that are taken if the guest doesn't say.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// What the encodings that are undone here are called.
const ACCEPTED: &str = "gzip, deflate";

/// Sends a request and follows redirects.
pub(crate) fn send(driver: &impl Driver, request: Request) -> Result<Response, Error> {
    let options = request.options.unwrap_or(Options {
        connect_timeout_ms: None,
        timeout_ms: None,
        redirects: None,
        max_bytes: None,
    });
    let max_redirects = options.redirects.unwrap_or(REDIRECTS);
    let max_bytes = options.max_bytes.unwrap_or(MAX_BYTES);

    let mut hop = Hop::new(request.method, &request.url, request.headers, request.body)
        .map_err(Error::Invalid)?;
    // A part of an encoded body can't be decoded.
    if !has(&hop.headers, "accept-encoding") && !has(&hop.headers, "range") {
        hop.headers
            .push(("accept-encoding".into(), ACCEPTED.into()));
    }
    let mut followed = 0;
    loop {
        let request = driver::Request {
            method: hop.method,
            url: hop.url.to_string(),
            headers: hop.headers,
            body: hop.body,
            connect_timeout_ms: options.connect_timeout_ms,
            timeout_ms: options.timeout_ms,
        };
        let response = driver.send(&request)?;
        let body = Body::new(driver, response.body);
        let is_head = request.method == "HEAD";
        hop = Hop {
            method: request.method,
            url: hop.url,
            headers: request.headers,
            body: request.body,
        };
        let redirected = max_redirects > 0
            && hop
                .follow(response.status, &response.headers)
                .map_err(Error::Protocol)?;
        if !redirected {
            let (status, headers) = (response.status, response.headers);
            let body_max = if is_head || matches!(status, 204 | 304) {
                None
            } else {
                Some(max_bytes)
            };
            return receive(status, headers, body, request.url, body_max);
        }
        if followed == max_redirects {
            return Err(Error::Redirects(max_redirects));
        }
        followed += 1;
    }
}

/// Takes the body of the last response, if it has one.
fn receive(
    status: u16,
    mut headers: Vec<(String, String)>,
    body: Body<impl Driver>,
    url: String,
    max_bytes: Option<u64>,
) -> Result<Response, Error> {
    let Some(max_bytes) = max_bytes else {
        // The headers are about a body that isn't sent.
        return Ok(Response {
            status,
            headers,
            body: Vec::new(),
            url,
        });
    };
    let encodings = match status {
        206 => Vec::new(),
        _ => Encoding::of(&headers)?,
    };
    let body = if encodings.is_empty() {
        if length(&headers).is_some_and(|length| length > max_bytes) {
            return Err(Error::TooLarge(max_bytes));
        }
        body.whole(max_bytes)?
    } else {
        headers.retain(|(name, _)| name != "content-encoding" && name != "content-length");
        body.decoded(&encodings, max_bytes)?
    };
    Ok(Response {
        status,
        headers,
        body,
        url,
    })
}

fn has(headers: &[(String, String)], name: &str) -> bool {
    headers
        .iter()
        .any(|(other, _)| other.eq_ignore_ascii_case(name))
}

/// How long the body is, if the server says so.
fn length(headers: &[(String, String)]) -> Option<u64> {
    let header = headers.iter().find(|(name, _)| name == "content-length");
    header.and_then(|(_, value)| value.parse().ok())
}
