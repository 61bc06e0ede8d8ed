//! Sends bodies over `wasi:http`.

use std::fmt::Debug;

use wasi::http::outgoing_handler;
use wasi::http::types::{
    Fields, IncomingBody, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use wasi::io::streams::StreamError;

wit_bindgen::generate!({
    path: [
        "../../python/web/wit/deps/io.wit",
        "../../python/web/wit/deps/clocks.wit",
        "../../python/web/wit/deps/http.wit",
        "wit",
    ],
    world: "homestar:sender/sender",
    generate_all,
});

/// How much is read at a time.
const CHUNK_BYTES: u64 = 64 * 1024;

/// How long an impatient one waits.
const STEP_NANOSECONDS: u64 = 1_000_000_000;

struct Sender;

impl Guest for Sender {
    fn send(
        method: String,
        authority: String,
        piece_bytes: u32,
        pieces: u32,
        how: How,
    ) -> Result<String, String> {
        let headers = Fields::new();
        if matches!(how, How::Sized | How::Impatient) {
            let length = u64::from(piece_bytes) * u64::from(pieces);
            let length = length.to_string().into_bytes();
            headers.append("content-length", &length).map_err(said)?;
        }
        let request = OutgoingRequest::new(headers);
        let set = request
            .set_method(&Method::Other(method))
            .and_then(|()| request.set_scheme(Some(&Scheme::Http)))
            .and_then(|()| request.set_authority(Some(&authority)))
            .and_then(|()| request.set_path_with_query(Some("/")));
        set.map_err(|()| "a request that can't be made")?;
        let body = request.body().map_err(|()| "a body that was taken")?;
        let options = RequestOptions::new();
        if how == How::Impatient {
            let set = options.set_first_byte_timeout(Some(STEP_NANOSECONDS));
            let set = set.and_then(|()| options.set_between_bytes_timeout(Some(STEP_NANOSECONDS)));
            set.map_err(|()| "a time that can't be set")?;
        }
        let coming = outgoing_handler::handle(request, Some(options)).map_err(said)?;
        let is_read = write(&body, &vec![b'x'; piece_bytes as usize], pieces)?;
        match how {
            How::Broken => drop(body),
            _ if is_read => OutgoingBody::finish(body, None).map_err(said)?,
            // The server has said all that it has to say.
            _ => drop(body),
        }
        coming.subscribe().block();
        let response = coming.get().ok_or("no response")?;
        let response = response.map_err(|()| "a response that was taken")?.map_err(said)?;
        let body = response.consume().map_err(|()| "a body that was taken")?;
        let length = read(body)?;
        Ok(format!("{} {length}", response.status()))
    }
}

/// Writes a body, and tells whether somebody reads it to its end.
fn write(body: &OutgoingBody, piece: &[u8], pieces: u32) -> Result<bool, String> {
    let stream = body.write().map_err(|()| "a stream that was taken")?;
    let ready = stream.subscribe();
    for _ in 0..pieces {
        let mut left = piece;
        while !left.is_empty() {
            let room = match stream.check_write() {
                Ok(room) => left.len().min(room as usize),
                Err(StreamError::Closed) => return Ok(false),
                Err(error) => return Err(said(error)),
            };
            if room == 0 {
                ready.block();
                continue;
            }
            stream.write(&left[..room]).map_err(said)?;
            left = &left[room..];
        }
    }
    Ok(true)
}

fn read(body: IncomingBody) -> Result<u64, String> {
    let stream = body.stream().map_err(|()| "a stream that was taken")?;
    let mut length = 0;
    loop {
        match stream.blocking_read(CHUNK_BYTES) {
            Ok(bytes) => length += bytes.len() as u64,
            Err(StreamError::Closed) => return Ok(length),
            Err(error) => return Err(said(error)),
        }
    }
}

/// An error as text.
fn said(error: impl Debug) -> String {
    format!("{error:?}")
}

export!(Sender);
