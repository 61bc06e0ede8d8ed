//! Asks for pages and sends bodies by the HTTP of WASI 0.3.

use wasi::http::client;
use wasi::http::types::{Fields, Method, Request, Response, Scheme};
use wit_bindgen::{StreamReader, StreamResult, spawn_local};

wit_bindgen::generate!({ generate_all });

/// How much of a page is held at a time.
const CHUNK_BYTES: usize = 64 * 1024;

struct Web3;

impl Guest for Web3 {
    async fn page(authority: String, path: String, plain: bool) -> Result<String, String> {
        let scheme = if plain { Scheme::Http } else { Scheme::Https };
        exchange(Method::Get, scheme, authority, path, None).await
    }

    async fn send(authority: String, path: String, length: u64) -> Result<String, String> {
        let (mut writer, body) = wit_stream::new();
        spawn_local(async move {
            let mut left = length;
            while left > 0 {
                let piece = left.min(CHUNK_BYTES as u64);
                if !writer.write_all(vec![b'x'; piece as usize]).await.is_empty() {
                    return; // nobody reads on
                }
                left -= piece;
            }
        });
        exchange(Method::Post, Scheme::Http, authority, path, Some(body)).await
    }
}

async fn exchange(
    method: Method,
    scheme: Scheme,
    authority: String,
    path: String,
    body: Option<StreamReader<u8>>,
) -> Result<String, String> {
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (request, _) = Request::new(Fields::new(), body, trailers, None);
    let set = [
        request.set_method(&method),
        request.set_scheme(Some(&scheme)),
        request.set_authority(Some(&authority)),
        request.set_path_with_query(Some(&path)),
    ];
    if set.contains(&Err(())) {
        return Err(format!("{authority}{path} is no address of a page"));
    }
    let response = client::send(request).await;
    let response = response.map_err(|error| format!("{error:?}"))?;
    let status = response.get_status_code();
    let (_, received) = wit_future::new(|| Ok(()));
    let (mut body, _) = Response::consume_body(response, received);
    let mut length = 0;
    while let Some(chunk) = next(&mut body).await {
        length += chunk.len();
    }
    Ok(format!("{status} {length}"))
}

async fn next(body: &mut StreamReader<u8>) -> Option<Vec<u8>> {
    let (result, chunk) = body.read(Vec::with_capacity(CHUNK_BYTES)).await;
    match result {
        StreamResult::Complete(_) => Some(chunk),
        _ => None,
    }
}

export!(Web3);
