//! A node, as its owner's other programs ask it: that of this machine, and others that have an address.

use std::fmt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use rustls::RootCertStore;
use thiserror::Error;
use url::Url;

use crate::client::{Http, Patience};
use crate::fetch::wait_for;
use crate::threads::Threads;
use crate::{Gateway, What};

/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Time for an answer. What takes longer isn't asked over this.
const TIMEOUT: Duration = Duration::from_secs(60);
const PATIENCE: Patience = Patience {
    connect: TIMEOUT,
    answer: TIMEOUT,
    stall: TIMEOUT,
    rate_min: 0,
    rate_grace: TIMEOUT,
};

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The status, as in HTTP.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// The node that runs on this machine, as its owner's other programs see it.
pub struct LocalNode {
    socket: PathBuf,
    asker: Asker,
}

impl LocalNode {
    /// Returns the node that listens on this socket, if one does.
    pub fn find(socket: &Path) -> Option<Self> {
        UnixStream::connect(socket).ok()?;
        let http = Http::new(PATIENCE, 1, RootCertStore::empty()).over(socket);
        Some(Self {
            socket: socket.to_owned(),
            asker: Asker::new(http, Url::parse("http://localhost").ok()?),
        })
    }

    /// Asks for something under `/v1/`, and waits for the answer on this thread, which is none of an async runtime.
    pub fn ask(&self, method: &str, path: &str, body: Vec<u8>) -> Result<Said, What> {
        self.asker.ask(method, path, None, body)
    }

    /// The node as somebody from whom blocks come.
    pub fn gateway(&self) -> Gateway {
        Gateway::local(&self.socket)
    }
}

impl fmt::Debug for LocalNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalNode({})", self.socket.display())
    }
}

/// A node that has an address, and answers who shows leave for what they ask.
pub struct RemoteNode {
    url: Url,
    asker: Asker,
}

/// Why a text doesn't say where a node is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no URL of a node, such as http://127.0.0.1:4807")]
pub struct NodeUrlError(String);

impl RemoteNode {
    /// Returns the node at a URL, which has no path.
    pub fn at(url: &str) -> Result<Self, NodeUrlError> {
        let no = || NodeUrlError(url.to_owned());
        let url = Url::parse(url).map_err(|_| no())?;
        let is_plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let is_open = url.username().is_empty() && url.password().is_none();
        if !matches!(url.scheme(), "http" | "https") || !is_plain || !is_open {
            return Err(no());
        }
        let http = Http::new(PATIENCE, 1, RootCertStore::empty());
        Ok(Self {
            asker: Asker::new(http, url.clone()),
            url,
        })
    }

    /// Asks for something, by a token for just that, and waits for the answer on this thread, which is none of an async
    /// runtime.
    pub fn ask(&self, method: &str, path: &str, token: &str, body: Vec<u8>) -> Result<Said, What> {
        self.asker.ask(method, path, Some(token), body)
    }
}

impl fmt::Debug for RemoteNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteNode({})", self.url)
    }
}

/// Asks one server.
struct Asker {
    base: Url,
    http: Arc<Http>,
    threads: Threads,
}

impl Asker {
    fn new(http: Http, base: Url) -> Self {
        Self {
            base,
            http: Arc::new(http),
            threads: Threads::default(),
        }
    }

    fn ask(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Said, What> {
        let unsaid = |words: String| What::Unreachable(words);
        let mut head = http::Request::builder().method(method);
        if let Some(token) = token {
            let value = HeaderValue::from_str(&format!("Bearer {token}"));
            head = head.header(AUTHORIZATION, value.map_err(|it| unsaid(it.to_string()))?);
        }
        if !body.is_empty() {
            head = head.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let head = head.body(()).map_err(|error| unsaid(error.to_string()))?;
        let url = self.base.join(path);
        let url = url.map_err(|error| unsaid(error.to_string()))?;
        let (http, head) = (Arc::clone(&self.http), head.into_parts().0);
        let asked = async move {
            let sent = http.send_body(head, url, body.into(), ANSWER_BYTES_MAX);
            sent.await
        };
        let answer = wait_for(self.threads.spawn(asked))
            .unwrap_or_else(|| Err(unsaid("the program ends".to_owned())))?;
        Ok(Said {
            status: answer.status().as_u16(),
            body: answer.into_body().into(),
        })
    }
}
