//! The node that runs on this machine.

use std::fmt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use url::Url;

use crate::client::{Http, Patience};
use crate::fetch::wait_for;
use crate::threads::Threads;
use crate::{ApiAnswer, Gateway, What};

/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Time for an answer. What takes longer isn't asked over this.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The node that runs on this machine, as its owner's other programs see it.
pub struct LocalNode {
    socket: PathBuf,
    http: Arc<Http>,
    threads: Threads,
}

impl LocalNode {
    /// Returns the node that listens on this socket, if one does.
    pub fn find(socket: &Path) -> Option<Self> {
        UnixStream::connect(socket).ok()?;
        let patience = Patience {
            connect: TIMEOUT,
            answer: TIMEOUT,
            stall: TIMEOUT,
            rate_min: 0,
            rate_grace: TIMEOUT,
        };
        Some(Self {
            socket: socket.to_owned(),
            http: Arc::new(Http::new(patience, 1, RootCertStore::empty()).over(socket)),
            threads: Threads::default(),
        })
    }

    /// Asks for something under `/v1/`, and waits for the answer on this thread, which is none of an async runtime.
    pub fn ask(&self, method: &str, path: &str, body: Vec<u8>) -> Result<ApiAnswer, What> {
        let unsaid = |words: String| What::Unreachable(words);
        let head = http::Request::builder().method(method).body(());
        let head = head.map_err(|error| unsaid(error.to_string()))?;
        let url = Url::parse("http://localhost").and_then(|base| base.join(path));
        let url = url.map_err(|error| unsaid(error.to_string()))?;
        let (http, head) = (Arc::clone(&self.http), head.into_parts().0);
        let asked = async move {
            let sent = http.send_body(head, url, body.into(), ANSWER_BYTES_MAX);
            sent.await
        };
        let answer = wait_for(self.threads.spawn(asked))
            .unwrap_or_else(|| Err(unsaid("the program ends".to_owned())))?;
        Ok(ApiAnswer {
            status: answer.status().as_u16(),
            body: answer.into_body().into(),
        })
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
