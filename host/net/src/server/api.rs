//! Requests that aren't for blocks, where the server answers any.

use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use super::Service;
use super::answer;
use super::local::{Api, ApiAnswer, ApiRequest};
use super::stream::Body;

/// Where an [`Api`] begins.
const PREFIX: &str = "/v1/";
/// Bytes of what comes with a request.
const BODY_BYTES_MAX: usize = 64 << 10;

/// Answers a request.
pub(super) async fn answer(request: Request<Incoming>, service: Service) -> Response<Body> {
    match service.api {
        Some(api) if request.uri().path().starts_with(PREFIX) => ask(request, api).await,
        _ => answer::answer(&request, service.reader).await,
    }
}

async fn ask(request: Request<Incoming>, api: Arc<dyn Api>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
        let body = format!("{{\"error\":\"more than {BODY_BYTES_MAX} bytes came\"}}");
        return response(ApiAnswer {
            status: 413,
            body: body.into_bytes(),
        });
    };
    let request = ApiRequest {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        body: body.to_bytes().to_vec(),
    };
    let answered = tokio::task::spawn_blocking(move || api.answer(&request)).await;
    response(answered.unwrap_or_else(|_| ApiAnswer {
        status: 500,
        body: b"{\"error\":\"it went wrong\"}".to_vec(),
    }))
}

fn response(answer: ApiAnswer) -> Response<Body> {
    let mut response = Response::new(Body::whole(answer.body.into()));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
