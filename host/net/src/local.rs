//! A node, as its owner's other programs ask it: that of this machine, and others that have an address.

use std::fmt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use libp2p::futures::StreamExt;
use reqwest::Upgraded;
use rustls::RootCertStore;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use url::Url;

use crate::client::{Http, Patience};
use crate::fetch::wait_for;
use crate::threads::{Job, Threads};
use crate::{Gateway, What};

/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Time for an answer. What takes longer isn't asked over this.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Events that wait for whoever listens.
const TOLD_MAX: usize = 64;
const JSON: &str = "application/json";
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
        self.asker.ask(method, path, None, body, JSON)
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
    /// runtime. The body is of that media type.
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Vec<u8>,
        media_type: &'static str,
    ) -> Result<Said, What> {
        self.asker.ask(method, path, Some(token), body, media_type)
    }

    /// Follows what is told by WebSocket, by a token for just that, or returns what is answered instead.
    pub fn follow(&self, path: &str, token: &str) -> Result<Result<Told<'_>, Said>, What> {
        self.asker.follow(path, token)
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

impl fmt::Debug for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Asker({})", self.base)
    }
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
        media_type: &'static str,
    ) -> Result<Said, What> {
        let mut head = http::Request::builder().method(method);
        if let Some(token) = token {
            head = head.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if !body.is_empty() {
            head = head.header(CONTENT_TYPE, HeaderValue::from_static(media_type));
        }
        let (head, url) = self.request(head, path)?;
        let http = Arc::clone(&self.http);
        let asked = async move {
            let sent = http.send_body(head, url, body.into(), ANSWER_BYTES_MAX);
            sent.await
        };
        Ok(said(self.wait(asked)?))
    }

    fn follow(&self, path: &str, token: &str) -> Result<Result<Told<'_>, Said>, What> {
        let key = generate_key();
        let accept = derive_accept_key(key.as_bytes());
        let head = http::Request::builder()
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .header(CONNECTION, "upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, key);
        let (head, url) = self.request(head, path)?;
        let http = Arc::clone(&self.http);
        let asked = async move { http.upgrade(head, url, ANSWER_BYTES_MAX).await };
        let (answer, connection) = self.wait(asked)?;
        let Some(connection) = connection else {
            return Ok(Err(said(answer)));
        };
        let agreed = answer.headers().get(SEC_WEBSOCKET_ACCEPT);
        if agreed.is_none_or(|it| it.as_bytes() != accept.as_bytes()) {
            let cause = "what answers speaks no WebSocket".to_owned();
            return Err(What::BrokeOff { bytes: 0, cause });
        }
        let (sender, receiver) = mpsc::channel(TOLD_MAX);
        let job = self.threads.spawn(listen(connection, sender));
        Ok(Ok(Told {
            receiver,
            _job: job,
            _asker: self,
        }))
    }

    fn request(
        &self,
        head: http::request::Builder,
        path: &str,
    ) -> Result<(http::request::Parts, Url), What> {
        let head = head.body(());
        let head = head.map_err(|error| What::Unreachable(error.to_string()))?;
        let url = self.base.join(path);
        let url = url.map_err(|error| What::Unreachable(error.to_string()))?;
        Ok((head.into_parts().0, url))
    }

    fn wait<T: Send + 'static>(
        &self,
        asked: impl Future<Output = Result<T, What>> + Send + 'static,
    ) -> Result<T, What> {
        let answered = wait_for(self.threads.spawn(asked));
        answered.unwrap_or_else(|| Err(What::Unreachable("the program ends".to_owned())))
    }
}

fn said(answer: http::Response<Bytes>) -> Said {
    Said {
        status: answer.status().as_u16(),
        body: answer.into_body().into(),
    }
}

/// What is told, as it comes. It ends when all was told.
#[derive(Debug)]
pub struct Told<'a> {
    receiver: mpsc::Receiver<Result<String, What>>,
    _job: Job<()>,
    /// Whose threads do it.
    _asker: &'a Asker,
}

impl Iterator for Told<'_> {
    type Item = Result<String, What>;

    fn next(&mut self) -> Option<Self::Item> {
        self.receiver.blocking_recv()
    }
}

/// Passes on what is told until it is over, or nobody listens.
async fn listen(connection: Upgraded, sender: mpsc::Sender<Result<String, What>>) {
    let mut socket = WebSocketStream::from_raw_socket(connection, Role::Client, None).await;
    let end = loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                if sender.send(Ok(text.to_string())).await.is_err() {
                    return;
                }
            }
            Some(Ok(Message::Close(Some(close)))) if close.code == CloseCode::Normal => return,
            Some(Ok(Message::Close(_))) | None => break "the other side left".to_owned(),
            Some(Ok(_)) => {}
            Some(Err(error)) => break error.to_string(),
        }
    };
    let broken = What::BrokeOff {
        bytes: 0,
        cause: end,
    };
    let _ = sender.send(Err(broken)).await;
}
