//! Where the driver calls of one task go on.
//!
//! A call that has to wait goes on while the whole guest waits, on the guest's own thread. So nobody has to be woken for
//! an answer, tasks don't wait for each other's, and a task that asks nobody starts no threads.

use std::future::Future;
use std::sync::Arc;

use tokio::runtime::{Builder, EnterGuard, Handle, Runtime};
use tokio::task::{AbortHandle, yield_now};

use super::http::Http;

/// What one task has of the drivers. Once the task has ended another one may have it, with the connections that are kept.
pub(crate) struct Lane {
    /// None only once it is dropped.
    runtime: Option<Runtime>,
    http: Result<Arc<Http>, String>,
}

impl Lane {
    /// Opens one, with connections of its own.
    pub(super) fn open(http: Result<Http, String>) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self {
            runtime: Some(runtime),
            http: http.map(Arc::new),
        })
    }

    /// Returns HTTP.
    pub(crate) fn http(&self) -> Result<Arc<Http>, String> {
        self.http.clone()
    }

    /// Lets what is polled meanwhile wait for what happens here.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.runtime().enter()
    }

    /// Begins what goes on whenever something is waited for here.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.runtime().spawn(work).abort_handle()
    }

    /// Waits for something, on this thread.
    pub(crate) fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime().block_on(future)
    }

    /// Lets what was stopped end, and what was let go of be closed. Returns whether that could be waited for.
    pub(super) fn settle(&self) -> bool {
        let is_free = Handle::try_current().is_err();
        if is_free {
            self.wait(async {
                for _ in 0..ROUNDS {
                    yield_now().await;
                }
            });
        }
        is_free
    }

    fn runtime(&self) -> &Runtime {
        // It is taken where this is dropped, and nowhere else.
        self.runtime.as_ref().expect("a lane that is open")
    }
}

/// Turns that all there is gets to end: what was stopped, then what that let go of, then its connection.
const ROUNDS: usize = 8;

impl Drop for Lane {
    fn drop(&mut self) {
        // Nothing that still runs is worth waiting for: its task has ended.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
