//! Bodies of requests and responses that stream, of any size.

use std::fmt::Debug;

use homestar::crypto::digest::{Algorithm, Hasher};
use homestar::https::streams;
use homestar::https::types::{Error, Head, Request};
use wit_bindgen::{FutureReader, StreamReader, StreamResult, spawn_local};

wit_bindgen::generate!({
    path: ["../../../wit", "wit"],
    world: "homestar:streaming/streaming",
    generate_all,
});

/// How much of a stream is held at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// A response: its head, its body, and how that ended.
type Response = (Head, StreamReader<u8>, FutureReader<Result<(), Error>>);

struct Stream;

impl Guest for Stream {
    async fn get(url: String) -> Result<StreamReader<u8>, String> {
        let response = streams::send(request("GET", url), None).await;
        let (head, mut body, end) = page(response.map_err(said)?)?;
        let (mut writer, page) = wit_stream::new();
        spawn_local(async move {
            while let Some(chunk) = next_chunk(&mut body).await {
                if !writer.write_all(chunk).await.is_empty() {
                    return; // nobody reads on
                }
            }
            if let Err(error) = end.await {
                panic!("{} broke off: {error:?}", head.url);
            }
        });
        Ok(page)
    }

    async fn measure(url: String) -> Result<Summary, String> {
        let response = streams::send(request("GET", url), None).await;
        summary(response.map_err(said)?).await
    }

    async fn send(url: String, body: StreamReader<u8>) -> Result<Summary, String> {
        let response = streams::send(request("POST", url), Some(body)).await;
        summary(response.map_err(said)?).await
    }

    async fn send_count(url: String, length: u64) -> Result<Summary, String> {
        let (mut writer, body) = wit_stream::new();
        spawn_local(async move {
            let mut next = 0;
            while next < length {
                let end = length.min(next + CHUNK_BYTES as u64);
                let chunk = (next..end).map(|byte| byte as u8).collect();
                if !writer.write_all(chunk).await.is_empty() {
                    return; // nobody reads on
                }
                next = end;
            }
        });
        Self::send(url, body).await
    }

    async fn relay(source: String, url: String) -> Result<Summary, String> {
        let response = streams::send(request("GET", source), None).await;
        let (_, body, end) = page(response.map_err(said)?)?;
        let summary = Self::send(url, body).await?;
        end.await.map_err(said)?;
        Ok(summary)
    }
}

fn request(method: &str, url: String) -> Request {
    Request {
        method: method.into(),
        url,
        headers: Vec::new(),
        body: Vec::new(),
        options: None,
    }
}

/// Returns a response that is a page.
fn page(response: Response) -> Result<Response, String> {
    let (Head { status, url, .. }, ..) = &response;
    match status {
        200 => Ok(response),
        _ => Err(format!("{url} answered with status {status}")),
    }
}

/// Reads a body to its end. A body that broke off has no digest.
async fn summary((head, mut body, end): Response) -> Result<Summary, String> {
    let hasher = Hasher::new(Algorithm::Sha256);
    let mut length = 0;
    while let Some(chunk) = next_chunk(&mut body).await {
        length += chunk.len() as u64;
        hasher.update(&chunk);
    }
    end.await.map_err(said)?;
    Ok(Summary {
        status: head.status,
        length,
        sha256: hasher.finish(),
    })
}

/// What comes next, or nothing at the end.
async fn next_chunk(stream: &mut StreamReader<u8>) -> Option<Vec<u8>> {
    let (result, chunk) = stream.read(Vec::with_capacity(CHUNK_BYTES)).await;
    match result {
        StreamResult::Complete(_) => Some(chunk),
        StreamResult::Dropped | StreamResult::Cancelled => (!chunk.is_empty()).then_some(chunk),
    }
}

/// An error as text: its name, and what it says.
fn said(error: impl Debug) -> String {
    format!("{error:?}")
}

export!(Stream);
