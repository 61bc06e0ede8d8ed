//! Gets a page again and again over `wasi:http`.

use std::fmt::Debug;

use wasi::http::outgoing_handler;
use wasi::http::types::{Fields, IncomingBody, OutgoingRequest, Scheme};
use wasi::io::streams::StreamError;

wit_bindgen::generate!({
    path: [
        "../../python/web/wit/deps/io.wit",
        "../../python/web/wit/deps/clocks.wit",
        "../../python/web/wit/deps/http.wit",
        "wit",
    ],
    world: "homestar:getter/getter",
    generate_all,
});

/// How much is read at a time.
const CHUNK_BYTES: u64 = 64 * 1024;

struct Getter;

impl Guest for Getter {
    fn get(authority: String, times: u32) -> Result<u64, String> {
        (0..times).map(|_| page(&authority)).sum()
    }
}

fn page(authority: &str) -> Result<u64, String> {
    let request = OutgoingRequest::new(Fields::new());
    let set = request
        .set_scheme(Some(&Scheme::Http))
        .and_then(|()| request.set_authority(Some(authority)))
        .and_then(|()| request.set_path_with_query(Some("/")));
    set.map_err(|()| "a request that can't be made")?;
    let coming = outgoing_handler::handle(request, None).map_err(said)?;
    coming.subscribe().block();
    let response = coming.get().ok_or("no response")?;
    let response = response.map_err(|()| "a response that was taken")?.map_err(said)?;
    let body = response.consume().map_err(|()| "a body that was taken")?;
    let stream = body.stream().map_err(|()| "a stream that was taken")?;
    let mut length = 0;
    loop {
        match stream.blocking_read(CHUNK_BYTES) {
            Ok(bytes) => length += bytes.len() as u64,
            Err(StreamError::Closed) => break,
            Err(error) => return Err(said(error)),
        }
    }
    drop(stream);
    IncomingBody::finish(body);
    Ok(length)
}

/// An error as text.
fn said(error: impl Debug) -> String {
    format!("{error:?}")
}

export!(Getter);
