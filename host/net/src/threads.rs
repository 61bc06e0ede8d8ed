//! Threads for requests, so that what is asked for can be waited for on any other thread.

use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// Threads for requests. Most of their work is to decrypt and to verify what came.
const THREADS: usize = 2;

/// Threads for requests, which start with the first job.
#[derive(Debug, Default)]
pub(crate) struct Threads(OnceLock<Runtime>);

impl Threads {
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        job: impl Future<Output = T> + Send + 'static,
    ) -> Job<T> {
        let runtime = self.0.get_or_init(|| {
            Builder::new_multi_thread()
                .worker_threads(THREADS)
                .thread_name("homestar-net")
                .enable_io()
                .enable_time()
                .build()
                .expect("threads can be started")
        });
        Job(runtime.spawn(job))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Requests that are under way end here. Waiting for them would not be allowed on every thread.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// A job on such threads, which ends when it is dropped. Gives nothing if the threads ended before it did.
#[derive(Debug)]
pub(crate) struct Job<T>(JoinHandle<T>);

impl<T> Job<T> {
    /// A job on other threads.
    pub(crate) fn of(handle: JoinHandle<T>) -> Self {
        Self(handle)
    }
}

impl<T> Future for Job<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready(ended.ok())
    }
}

impl<T> Drop for Job<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
