//! The driver of HTTP: one exchange at a time, to where it was granted.
//!
//! ```text
//! Request ─ prepare ─→ granted? ─ Resolver ─→ addresses ─ granted? ─→ Clients ─→ head, Body
//!             secrets in ↑                                                secrets out ↑
//! ```
//!
//! A host's name is looked up once. Each address is checked, and the connection goes to those that passed, so that a
//! name that changes its mind in between gains nothing. Redirects are responses like others, bodies are bytes as they
//! come over the wire, nothing is kept between exchanges but connections, and no proxy is asked.
//!
//! Built on reqwest: it has connections that are kept, HTTP/2, and addresses that are tried side by side. What it
//! adds to a request is `accept: */*`, where there is no such header.

mod body;
mod clients;
mod fault;
mod prepare;
pub(super) mod settings;
mod types;

use std::error::Error as StdError;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::http::Method;
use ::http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use bytes::Bytes;
use homestar_core::grant::{Permit, Redactor, Secrets};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, timeout, timeout_at};
use url::{Host, Url};

pub use self::body::{Body, Pieces, PiecesSender};
pub use self::settings::{HttpError, HttpSettings};
pub use self::types::{Error, Head, Request};

use self::body::{Progress, Upload};
use self::clients::Clients;
use self::fault::fault;
use self::prepare::{HEADER_BYTES_MAX, HEADERS_MAX, Prepared, granted, prepare};
use super::resolver::Resolver;

/// The driver.
pub struct Http {
    trust: Arc<Trust>,
    resolver: Arc<Resolver>,
    clients: Clients,
}

/// Whom to trust.
struct Trust {
    /// The operator's own; the system's are read when they are first needed.
    roots: RootCertStore,
    tls: OnceLock<Result<ClientConfig, rustls::Error>>,
    /// For requests in the clear, which trust nobody.
    plain: OnceLock<Result<ClientConfig, rustls::Error>>,
}

/// A response: its head, and the body that is still to come.
#[derive(Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Names in lower case and values, in order. A value's characters are bytes.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
}

impl Http {
    /// Makes the driver. Of files, it reads those that the settings name.
    pub fn new(settings: &HttpSettings, resolver: Arc<Resolver>) -> Result<Self, HttpError> {
        let trust = Trust {
            roots: settings::roots(&settings.authorities)?,
            tls: OnceLock::new(),
            plain: OnceLock::new(),
        };
        Ok(Self {
            trust: Arc::new(trust),
            resolver,
            clients: Clients::default(),
        })
    }

    /// Returns one that trusts the same and has connections of its own.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self {
            trust: Arc::clone(&self.trust),
            resolver: Arc::clone(&self.resolver),
            clients: Clients::default(),
        }
    }

    /// Sends a request and returns the response, as soon as its head is there.
    pub async fn send(
        &self,
        permit: &Permit,
        secrets: &Secrets,
        mut request: Request,
    ) -> Result<Response, Error> {
        let body = std::mem::take(&mut request.body);
        let mut prepared = prepare(permit, secrets, &request)?;
        let is_empty = body.is_empty();
        if is_empty && matches!(prepared.method, Method::POST | Method::PUT | Method::PATCH) {
            // Servers wait for a body where such a request doesn't say that there is none (RFC 9110, 8.6).
            let none = HeaderValue::from_static("0");
            prepared.headers.insert(CONTENT_LENGTH, none);
        }
        let body = (!is_empty).then(|| body.into());
        self.exchange(permit, prepared, body, &Progress::now())
            .await
    }

    /// Sends a request with a body that is made meanwhile, instead of the one that it holds.
    ///
    /// If the request says how long its body is (`content-length`), the body has to be that long; if not, it is sent
    /// in chunks. The time for the head of the response starts anew with each piece that is sent.
    pub async fn send_streaming<B>(
        &self,
        permit: &Permit,
        secrets: &Secrets,
        request: &Request,
        body: B,
    ) -> Result<Response, Error>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let mut prepared = prepare(permit, secrets, request)?;
        if prepared.content_length.is_none()
            && matches!(prepared.method, Method::GET | Method::HEAD)
        {
            // By HTTP/1, hyper sends no body with these unless it is told that there is one.
            let chunked = HeaderValue::from_static("chunked");
            prepared.headers.insert(TRANSFER_ENCODING, chunked);
        }
        let progress = Progress::now();
        let upload = Upload::new(body, prepared.content_length, progress.clone());
        let body = reqwest::Body::wrap(upload);
        self.exchange(permit, prepared, Some(body), &progress).await
    }

    async fn exchange(
        &self,
        permit: &Permit,
        prepared: Prepared,
        body: Option<reqwest::Body>,
        progress: &Progress,
    ) -> Result<Response, Error> {
        let Prepared {
            method,
            url,
            headers,
            connect_timeout,
            timeout: response_timeout,
            redactor,
            ..
        } = prepared;
        let addresses = timeout(connect_timeout, self.addresses(&url)).await;
        let addresses = addresses.map_err(|_| Error::Timeout)??;
        let addresses = open(permit, method.as_str(), &url, addresses)?;
        let tls = self.tls(&url)?;
        let client = self
            .clients
            .get(url.scheme(), &addresses, connect_timeout, tls);
        let client = client.map_err(|error| fault(&error))?;
        let is_head = method == Method::HEAD;
        let mut request = reqwest::Request::new(method, url);
        *request.headers_mut() = headers;
        *request.body_mut() = body;
        let response = within(response_timeout, progress, client.execute(request)).await?;
        let headers = head(response.headers(), redactor.as_ref(), is_head)?;
        Ok(Response {
            status: response.status().as_u16(),
            headers,
            body: Body::new(response, redactor, response_timeout),
        })
    }

    /// The addresses of a URL's host.
    async fn addresses(&self, url: &Url) -> Result<Vec<IpAddr>, Error> {
        match url.host() {
            Some(Host::Ipv4(address)) => Ok(vec![address.into()]),
            Some(Host::Ipv6(address)) => Ok(vec![address.into()]),
            Some(Host::Domain(name)) => {
                let addresses = self.resolver.addresses(name).await;
                addresses.map_err(|error| Error::Name(format!("{name}: {error}")))
            }
            None => Err(Error::Invalid("its URL has no host".to_owned())),
        }
    }

    /// What TLS takes. Reading the system's authorities takes some milliseconds, and is left until it is needed.
    fn tls(&self, url: &Url) -> Result<&ClientConfig, Error> {
        let Trust { roots, tls, plain } = &*self.trust;
        let config = if url.scheme() == "https" {
            let roots = || settings::with_system(roots.clone());
            tls.get_or_init(|| settings::tls(roots()))
        } else {
            plain.get_or_init(|| settings::tls(RootCertStore::empty()))
        };
        config
            .as_ref()
            .map_err(|error| Error::Tls(error.to_string()))
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("authorities", &self.trust.roots.len())
            .field("resolver", &self.resolver)
            .finish_non_exhaustive()
    }
}

/// Returns the addresses that are open for the request. If none is, the first says why.
fn open(
    permit: &Permit,
    method: &str,
    url: &Url,
    addresses: Vec<IpAddr>,
) -> Result<Vec<IpAddr>, Error> {
    let mut denied = None;
    let mut open = Vec::new();
    for address in addresses {
        match granted(permit.address(method, url, address)) {
            Ok(()) => open.push(address),
            Err(error) => denied = denied.or(Some(error)),
        }
    }
    match denied {
        Some(denied) if open.is_empty() => Err(denied),
        None if open.is_empty() => {
            let name = url.host_str().unwrap_or_default();
            Err(Error::Name(format!("{name}: it has no address")))
        }
        _ => Ok(open),
    }
}

/// Waits for the head of a response, as long as something moved in time.
async fn within(
    timeout: Duration,
    progress: &Progress,
    response: impl Future<Output = reqwest::Result<reqwest::Response>>,
) -> Result<reqwest::Response, Error> {
    let mut response = std::pin::pin!(response);
    loop {
        let Some(deadline) = progress.last().checked_add(timeout) else {
            return response.await.map_err(|error| fault(&error));
        };
        match timeout_at(deadline, &mut response).await {
            Ok(response) => return response.map_err(|error| fault(&error)),
            Err(_) if progress.last() + timeout > Instant::now() => {}
            Err(_) => return Err(Error::Timeout),
        }
    }
}

/// The headers of a response, as a guest sees them.
///
/// A body without its secrets has another length, so the header for it is left out.
fn head(
    headers: &HeaderMap,
    redactor: Option<&Redactor>,
    is_head: bool,
) -> Result<Vec<(String, String)>, Error> {
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if bytes > HEADER_BYTES_MAX || headers.len() > HEADERS_MAX {
        let text = format!("more than {HEADERS_MAX} headers or {HEADER_BYTES_MAX} bytes of them");
        return Err(Error::Protocol(text));
    }
    let mut seen = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        if redactor.is_some() && name == CONTENT_LENGTH && !is_head {
            continue;
        }
        let text = match redactor {
            None => latin(value.as_bytes()),
            Some(redactor) => latin(&redactor.whole(value.as_bytes())),
        };
        seen.push((name.as_str().to_owned(), text));
    }
    Ok(seen)
}

/// Bytes as characters.
fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}
