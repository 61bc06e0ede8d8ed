//! What all tasks share, and what may go on though its task has ended: on a thread of its own.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, JoinHandle};

/// The thread, which is started when it is first needed.
pub(super) struct Background {
    name: &'static str,
    runtime: Mutex<Option<Runtime>>,
}

impl Background {
    pub(super) const fn new(name: &'static str) -> Self {
        Self {
            name,
            runtime: Mutex::new(None),
        }
    }

    /// Begins something there. It is stopped when nobody waits for it any more.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> io::Result<Running<T>> {
        let mut runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        let runtime = match &mut *runtime {
            Some(runtime) => runtime,
            none => none.insert(
                Builder::new_multi_thread()
                    .worker_threads(1)
                    .thread_name(self.name)
                    .enable_all()
                    .build()?,
            ),
        };
        Ok(Running(runtime.spawn(work)))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Nobody waits any more.
        let runtime = self
            .runtime
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What goes on in the background, until it ends or nobody waits for it.
pub(crate) struct Running<T>(JoinHandle<T>);

impl<T> Future for Running<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
