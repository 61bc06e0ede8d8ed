//! Requests that aren't for blocks, where the server answers any, and who may make them.
//!
//! ```text
//! request ─→ Door: host, origin, rate ─→ Api::admit ─→ body ─→ Api::answer ─→ Answer
//!                                             │                     └─→ Feed, by WebSocket
//!                                             └─→ blocks, as of a gateway
//! ```
//!
//! Nothing of a body is read before the request was admitted.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use homestar_core::ipld::Cid;
use homestar_core::ucan::Did;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::Service;
use super::answer;
use super::door::Refused;
use super::feed::Feed;
use super::follow::{Following, Upgrade};
use super::stream::Body;

/// Where an [`Api`] begins. All else is blocks.
const PREFIX: &str = "/v1/";
/// Bytes of all bodies that are there at one time. Others wait.
pub(super) const BODIES_BYTES_MAX: u32 = 256 << 20;
/// Time for a body to come.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// What a server answers besides giving blocks, everything under `/v1/`, and whom it gives them.
pub trait Api: Send + Sync + fmt::Debug {
    /// Looks at a request before its body is read. Called on threads that may wait.
    fn admit(&self, head: &ApiHead) -> Result<Ticket, Answer>;

    /// Answers a request that was admitted. Called on threads that may wait.
    fn answer(&self, request: &ApiRequest) -> ApiAnswer;
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The person whose server this is, by a socket that nobody else can open.
    Owner,
    /// Anybody.
    Somebody {
        /// What stands behind `Bearer` in the header `Authorization`.
        bearer: Option<String>,
    },
}

/// What of a request comes before its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiHead {
    /// Who asks.
    pub caller: Caller,
    /// `GET`, `POST`.
    pub method: String,
    /// The path, with its `/` at the beginning, as it came.
    pub path: String,
    /// What stands behind `?`, as it came.
    pub query: Option<String>,
    /// What the body says that it is, without parameters, in lower case.
    pub media_type: Option<String>,
}

impl ApiHead {
    /// The path and the query, as they came.
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }
}

/// Leave for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Who has it; nobody for the owner, and for what everybody may ask.
    pub by: Option<Did>,
    /// Bytes of its body.
    pub bytes_max: usize,
    /// What the body has to be.
    pub body: Option<Cid>,
}

/// A request to an [`Api`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRequest {
    /// What came first.
    pub head: ApiHead,
    /// By which leave.
    pub ticket: Ticket,
    /// What came with it.
    pub body: Vec<u8>,
}

/// What an [`Api`] answers.
#[derive(Clone, Debug)]
pub enum ApiAnswer {
    /// This.
    Whole(Answer),
    /// What happens, as it does, by WebSocket: all but so many events from the beginning.
    Follow(Arc<Feed>, u64),
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status, as in HTTP.
    pub status: u16,
    /// What the body is.
    pub media_type: &'static str,
    /// Further headers, in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// An answer in JSON.
    pub fn json(status: u16, text: String) -> Self {
        Self {
            status,
            media_type: "application/json",
            headers: Vec::new(),
            body: text.into_bytes(),
        }
    }

    /// Says what went wrong. Neither of the texts needs to be escaped: they are the server's own.
    pub(super) fn error(status: u16, kind: &str, message: &str) -> Self {
        let text = format!(r#"{{"error":{{"kind":"{kind}","message":"{message}"}}}}"#);
        Self::json(status, text)
    }

    /// With a header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// Answers a request. If it is to be followed by events, they are left in `following`.
pub(super) async fn answer(
    mut request: Request<Incoming>,
    from: Option<IpAddr>,
    service: Service,
    following: &Following,
) -> Response<Body> {
    let Some(api) = service.api else {
        return answer::answer(&request, service.reader).await;
    };
    let is_content = !request.uri().path().starts_with(PREFIX);
    let caller = match &service.door {
        None if is_content => return answer::answer(&request, service.reader).await,
        None => Caller::Owner,
        Some(door) => match door.enter(&request, from, Instant::now()) {
            Ok(()) => Caller::Somebody {
                bearer: bearer(request.headers()),
            },
            Err(refused) => return response(said(refused)),
        },
    };
    let head = ApiHead {
        caller,
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().map(str::to_owned),
        media_type: media_type(request.headers()),
    };
    let (admits, asked) = (Arc::clone(&api), head.clone());
    let ticket = match on_thread(move || admits.admit(&asked)).await {
        Ok(Ok(ticket)) => ticket,
        Ok(Err(answer)) | Err(answer) => return response(answer),
    };
    if is_content {
        return answer::answer(&request, service.reader).await;
    }
    let upgrade = Upgrade::of(&mut request);
    let read = read(request.into_body(), ticket.bytes_max, &service.bodies).await;
    let (body, _room) = match read {
        Ok(read) => read,
        Err(answer) => return response(answer),
    };
    let request = ApiRequest { head, ticket, body };
    match on_thread(move || api.answer(&request)).await {
        Ok(ApiAnswer::Whole(answer)) | Err(answer) => response(answer),
        Ok(ApiAnswer::Follow(feed, after)) => match upgrade {
            Some(upgrade) => upgrade.begin(feed.follow(after), following),
            None => response(
                Answer::error(426, "usage", "this is followed by WebSocket")
                    .with("upgrade", "websocket"),
            ),
        },
    }
}

async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Answer> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Answer::error(500, "host", "it went wrong"))
}

/// Reads a body, when there is room for it beside those that are there.
async fn read(
    body: Incoming,
    bytes_max: usize,
    bodies: &Semaphore,
) -> Result<(Vec<u8>, Option<SemaphorePermit<'_>>), Answer> {
    let too_large = || {
        let words = format!("the body has to come whole, with at most {bytes_max} bytes");
        Answer::error(413, "input", &words)
    };
    let bytes = body.size_hint().upper().unwrap_or(bytes_max as u64);
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large());
    }
    let room = u32::try_from(bytes).unwrap_or(u32::MAX);
    let whole = async {
        // It is never closed.
        let room = bodies.acquire_many(room.min(BODIES_BYTES_MAX)).await.ok();
        let whole = Limited::new(body, bytes_max).collect().await;
        let whole = whole.map_err(|_| too_large())?;
        Ok((whole.to_bytes().to_vec(), room))
    };
    let read = timeout(BODY_TIMEOUT, whole).await;
    read.unwrap_or_else(|_| Err(Answer::error(408, "input", "the body takes too long")))
}

fn said(refused: Refused) -> Answer {
    match refused {
        Refused::Host => Answer::error(
            403,
            "denied",
            "the request is for another host; `hosts` under [api] in homestar.toml names those there are",
        ),
        Refused::Origin => Answer::error(403, "denied", "pages of browsers are not answered"),
        Refused::Rate => Answer::error(429, "denied", "too many requests").with("retry-after", "1"),
    }
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| token.trim().to_owned())
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let name = text.split(';').next().unwrap_or_default();
    Some(name.trim().to_ascii_lowercase())
}

fn response(answer: Answer) -> Response<Body> {
    let mut response = Response::new(Body::whole(answer.body.into()));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}
