//! Sends bytes to where whoever runs this said.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use rustls::RootCertStore;
use url::Url;

use crate::What;
use crate::client::{Http, Patience};
use crate::fetch::wait_for;
use crate::threads::Threads;

/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Sends requests with bodies, without following redirects. It starts its threads when it is first asked.
pub struct Poster {
    http: Arc<Http>,
    threads: Threads,
}

impl Poster {
    /// Makes one that waits so long for an answer.
    pub fn new(timeout: Duration) -> Self {
        let patience = Patience {
            connect: timeout,
            answer: timeout,
            stall: timeout,
            rate_min: 0,
            rate_grace: timeout,
        };
        let http = Http::new(patience, 1, RootCertStore::empty());
        Self {
            http: Arc::new(http),
            threads: Threads::default(),
        }
    }

    /// Sends a request, and returns the answer, whatever its status.
    ///
    /// This waits, and isn't for threads of an async runtime.
    pub fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, What> {
        let http = self.http.clone();
        let sent = self.threads.spawn(async move {
            let (head, body) = request.into_parts();
            let url = Url::parse(&head.uri.to_string());
            let url = url.map_err(|error| What::Unreachable(error.to_string()))?;
            http.send_body(head, url, body, ANSWER_BYTES_MAX).await
        });
        let ended = || What::Unreachable("the threads for requests have ended".to_owned());
        wait_for(sent).ok_or_else(ended)?
    }
}

impl fmt::Debug for Poster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poster").finish_non_exhaustive()
    }
}
