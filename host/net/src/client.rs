//! One request, within time, size and reach.

use std::error::Error as StdError;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use homestar_core::grant::address::class;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder, Response, StatusCode, Upgraded, redirect};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, timeout};
use url::Url;

use crate::What;

/// Redirects that are followed for one request. A gateway that has a name for each CID makes one, a place where
/// releases are kept two.
const REDIRECTS_MAX: usize = 4;
/// Headers of a response.
const HEADERS_MAX: usize = 100;
/// How long a connection waits to be used again.
const IDLE: Duration = Duration::from_secs(60);

/// How long one waits for an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) connect: Duration,
    /// Until an answer begins, connecting included.
    pub(crate) answer: Duration,
    /// Between two pieces of it.
    pub(crate) stall: Duration,
    /// Bytes a second that it has to come with.
    pub(crate) rate_min: u64,
    /// Time that a sender is waited for before its rate is looked at.
    pub(crate) rate_grace: Duration,
}

/// Whose address is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redirect {
    /// Where a person said, whatever address that has.
    Own,
    /// Public addresses only: where a redirect leads to is decided by who owns the name.
    Public,
}

/// Sends requests. Connections are kept.
pub(crate) struct Http {
    roots: RootCertStore,
    patience: Patience,
    /// Connections to one host that are kept while nothing is asked.
    idle_max: usize,
    /// Where requests go instead of where their URLs say.
    socket: Option<PathBuf>,
    /// For what a person named.
    own: OnceLock<Result<Client, String>>,
    /// For where that redirects to: of any name, it knows public addresses only.
    public: OnceLock<Result<Client, String>>,
}

/// Bytes of what a node of this machine says of why it has no block: a line for each who was asked.
const WORDS_BYTES_MAX: usize = 16 << 10;

impl Http {
    pub(crate) fn new(patience: Patience, idle_max: usize, roots: RootCertStore) -> Self {
        Self {
            roots,
            patience,
            idle_max,
            socket: None,
            own: OnceLock::new(),
            public: OnceLock::new(),
        }
    }

    /// Asks on a socket in the file system, whatever URLs say.
    pub(crate) fn over(mut self, socket: &Path) -> Self {
        self.socket = Some(socket.to_owned());
        self
    }

    fn client(&self, redirect: Redirect) -> Result<&Client, What> {
        let client = match redirect {
            Redirect::Own => self.own.get_or_init(|| self.build(|builder| builder)),
            Redirect::Public => self
                .public
                .get_or_init(|| self.build(|builder| builder.dns_resolver(Arc::new(PublicOnly)))),
        };
        client
            .as_ref()
            .map_err(|error| What::Unreachable(error.clone()))
    }

    /// Sends a request to go on by another protocol, and returns the answer, with the connection if that is agreed to.
    pub(crate) async fn upgrade(
        &self,
        head: http::request::Parts,
        url: Url,
        bytes_max: usize,
    ) -> Result<(http::Response<Bytes>, Option<Upgraded>), What> {
        let client = self.build_for(&[b"http/1.1"], ClientBuilder::http1_only);
        let client = client.map_err(What::Unreachable)?;
        let request = client.request(head.method, url).headers(head.headers);
        let response = self.wait(request.send()).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok((self.whole(response, bytes_max).await?, None));
        }
        let mut answered = http::Response::new(Bytes::new());
        *answered.headers_mut() = response.headers().clone();
        let upgraded = response.upgrade().await.map_err(|error| What::BrokeOff {
            bytes: 0,
            cause: root(&error),
        });
        Ok((answered, Some(upgraded?)))
    }

    async fn whole(
        &self,
        response: Response,
        bytes_max: usize,
    ) -> Result<http::Response<Bytes>, What> {
        let mut answered = http::Response::new(Bytes::new());
        *answered.status_mut() = response.status();
        *answered.headers_mut() = response.headers().clone();
        let answer = Answer::new(response, &self.patience);
        *answered.body_mut() = answer.whole(bytes_max).await?.into();
        Ok(answered)
    }

    fn build(&self, with: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Result<Client, String> {
        self.build_for(&[b"h2", b"http/1.1"], with)
    }

    /// Makes a client that speaks these protocols.
    fn build_for(
        &self,
        protocols: &[&[u8]],
        with: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Result<Client, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let mut tls = tls
            .with_root_certificates(match self.socket {
                Some(_) => self.roots.clone(),
                None => with_system(self.roots.clone()),
            })
            .with_no_client_auth();
        tls.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let builder = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .user_agent(concat!("homestar/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.patience.connect)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(self.idle_max)
            .http1_max_headers(HEADERS_MAX);
        let builder = match &self.socket {
            Some(socket) => builder.unix_socket(socket.as_path()),
            None => builder,
        };
        with(builder).build().map_err(|error| root(&error))
    }

    /// Sends a request and returns the answer, if it is one with status 200. `judge` says which redirects are followed,
    /// and why others aren't.
    pub(crate) async fn get(
        &self,
        mut url: Url,
        accept: &str,
        judge: impl Fn(&Url) -> Result<Redirect, &'static str>,
    ) -> Result<Answer, Refused> {
        let mut redirect = Redirect::Own;
        for _ in 0..=REDIRECTS_MAX {
            let response = match self.send(redirect, &url, accept).await {
                // A connection that was kept may have been closed meanwhile, which only asking shows.
                Err(What::BrokeOff { .. }) => self.send(redirect, &url, accept).await?,
                sent => sent?,
            };
            let status = response.status();
            match status.as_u16() {
                200 => return Ok(Answer::new(response, &self.patience)),
                301 | 302 | 303 | 307 | 308 => {
                    url = target(&url, &response)?;
                    redirect = judge(&url).map_err(|why| redirected(&url, why))?;
                }
                404 if self.socket.is_some() => {
                    // A program of the same person tells more than others do.
                    let words = Answer::new(response, &self.patience).whole(WORDS_BYTES_MAX);
                    let words = String::from_utf8_lossy(&words.await?).trim().to_owned();
                    return Err(What::Says(words).into());
                }
                status => {
                    return Err(Refused {
                        retry_after: retry_after(&response),
                        what: What::Answered { status },
                    });
                }
            }
        }
        Err(redirected(&url, "and on and on").into())
    }

    async fn send(&self, redirect: Redirect, url: &Url, accept: &str) -> Result<Response, What> {
        let request = self.client(redirect)?.get(url.clone());
        self.wait(request.header(ACCEPT, accept).send()).await
    }

    /// Sends a request with a body, and returns the answer with whatever status, if it has at most `bytes_max`.
    pub(crate) async fn send_body(
        &self,
        head: http::request::Parts,
        url: Url,
        body: Bytes,
        bytes_max: usize,
    ) -> Result<http::Response<Bytes>, What> {
        let client = self.client(Redirect::Own)?;
        let request = client.request(head.method, url).headers(head.headers);
        let response = self.wait(request.body(body).send()).await?;
        self.whole(response, bytes_max).await
    }

    async fn wait(
        &self,
        sent: impl Future<Output = Result<Response, reqwest::Error>>,
    ) -> Result<Response, What> {
        let time = self.patience.answer;
        let response = timeout(time, sent)
            .await
            .map_err(|_| What::TimedOut(time))?;
        response.map_err(|error| {
            let cause = root(&error);
            match error.is_connect() {
                true if error.is_timeout() => What::TimedOut(self.patience.connect),
                true => What::Unreachable(cause),
                false => What::BrokeOff { bytes: 0, cause },
            }
        })
    }
}

/// No answer to be used, and how long its server wants to be left alone, if it says.
pub(crate) struct Refused {
    pub(crate) what: What,
    pub(crate) retry_after: Option<Duration>,
}

impl From<What> for Refused {
    fn from(what: What) -> Self {
        Self {
            what,
            retry_after: None,
        }
    }
}

fn redirected(to: &Url, why: &str) -> What {
    let mut to = to.to_string();
    to.truncate(to.floor_char_boundary(200));
    What::Redirected {
        to,
        why: why.to_owned(),
    }
}

fn target(from: &Url, response: &Response) -> Result<Url, What> {
    let location = text(response, &LOCATION).unwrap_or_default();
    from.join(location).map_err(|_| What::Redirected {
        to: location.chars().take(200).collect(),
        why: "which is no URL".to_owned(),
    })
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = text(response, &RETRY_AFTER)?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn text<'a>(response: &'a Response, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// An answer with status 200: what it says it is, and the body that is still to come.
pub(crate) struct Answer {
    response: Response,
    /// Without parameters, in lower case.
    pub(crate) content_type: Option<String>,
    patience: Patience,
    bytes: u64,
    /// Time spent waiting for it; what we take ourselves doesn't count.
    waited: Duration,
}

impl Answer {
    fn new(response: Response, patience: &Patience) -> Self {
        let content_type = text(&response, &CONTENT_TYPE)
            .and_then(|text| text.split(';').next())
            .map(|text| text.trim().to_ascii_lowercase());
        Self {
            content_type,
            response,
            patience: *patience,
            bytes: 0,
            waited: Duration::ZERO,
        }
    }

    /// The next piece, or none at the end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, What> {
        let bytes = self.bytes;
        let Patience {
            stall,
            rate_min,
            rate_grace,
            ..
        } = self.patience;
        let start = Instant::now();
        let chunk = timeout(stall, self.response.chunk()).await;
        self.waited += start.elapsed();
        let chunk = chunk.map_err(|_| What::Stalled { bytes, stall })?;
        let chunk = chunk.map_err(|error| What::BrokeOff {
            bytes,
            cause: root(&error),
        })?;
        self.bytes += chunk.as_ref().map_or(0, Bytes::len) as u64;
        let is_slow = (self.bytes as f64) < rate_min as f64 * self.waited.as_secs_f64();
        match chunk {
            Some(_) if is_slow && self.waited > rate_grace => Err(What::TooSlow { rate_min }),
            chunk => Ok(chunk),
        }
    }

    /// How many bytes it says that it has.
    pub(crate) fn length(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// All of it, if it has at most `bytes_max`.
    pub(crate) async fn whole(mut self, bytes_max: usize) -> Result<Vec<u8>, What> {
        let too_much = || What::TooMuch {
            bytes_max: bytes_max as u64,
        };
        let length = self.length().unwrap_or(0);
        if length > bytes_max as u64 {
            return Err(too_much());
        }
        let mut whole = Vec::with_capacity(length as usize);
        while let Some(chunk) = self.chunk().await? {
            if whole.len() + chunk.len() > bytes_max {
                return Err(too_much());
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole)
    }
}

/// Adds the system's authorities, or Mozilla's if the system has none. This reads files, some milliseconds long.
fn with_system(mut roots: RootCertStore) -> RootCertStore {
    let found = rustls_native_certs::load_native_certs().certs;
    let (added, _) = roots.add_parsable_certificates(found);
    if added == 0 {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

/// The cause of all causes. The library's own texts repeat the URL.
fn root(error: &(dyn StdError + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Knows of any name the public addresses only. A connection goes to exactly these.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|at| class(at.ip()).is_public()).collect();
            match public.is_empty() {
                true => Err("the name has no public address".into()),
                false => Ok(Box::new(public.into_iter()) as Addrs),
            }
        })
    }
}
