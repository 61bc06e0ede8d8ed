//! Where a guest's standard output and error go: a buffer with a limit, and whoever listens.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::end::LimitReached;

/// Told of output while it is written.
pub type Listener = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// Keeps what is written to it, up to a limit. Clones write to the same buffer.
#[derive(Clone)]
pub(crate) struct Capture(Arc<Mutex<Buffer>>);

struct Buffer {
    bytes: Vec<u8>,
    bytes_max: u64,
    /// Which limit that is.
    limit: fn(u64) -> LimitReached,
    is_exceeded: bool,
    listener: Option<Listener>,
}

/// How much a guest may hand over in one write. Nothing waits here, so it only bounds the size of a copy.
const WRITE_BYTES_MAX: usize = 64 << 10;

impl Capture {
    pub(crate) fn new(
        bytes_max: u64,
        limit: fn(u64) -> LimitReached,
        listener: Option<Listener>,
    ) -> Self {
        let buffer = Buffer {
            bytes: Vec::new(),
            bytes_max,
            limit,
            is_exceeded: false,
            listener,
        };
        Self(Arc::new(Mutex::new(buffer)))
    }

    /// Takes what was written so far.
    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.lock().bytes)
    }

    /// Returns the limit if more was written than it allows.
    pub(crate) fn exceeded(&self) -> Option<LimitReached> {
        let buffer = self.lock();
        buffer.is_exceeded.then(|| (buffer.limit)(buffer.bytes_max))
    }

    /// Adds `bytes`, as far as they fit.
    pub(crate) fn put(&self, bytes: &[u8]) -> Result<(), LimitReached> {
        let mut buffer = self.lock();
        let room = buffer.bytes_max.saturating_sub(buffer.bytes.len() as u64);
        let fits = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        buffer.bytes.extend_from_slice(&bytes[..fits]);
        buffer.is_exceeded |= fits < bytes.len();
        let listener = buffer.listener.clone();
        drop(buffer);
        if let Some(listener) = listener {
            listener(&bytes[..fits]);
        }
        self.exceeded().map_or(Ok(()), Err)
    }

    /// The buffer is consistent between any two statements, so a panic while it was locked does not matter.
    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let buffer = self.lock();
        f.debug_struct("Capture")
            .field("bytes", &buffer.bytes.len())
            .finish_non_exhaustive()
    }
}

impl IsTerminal for Capture {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Capture {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Capture {
    async fn ready(&mut self) {}
}

impl OutputStream for Capture {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.put(&bytes)
            .map_err(|limit| StreamError::Trap(limit.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

/// WASI 0.3 writes through this. It has no way to trap, so the guest sees an error and the end of the call
/// asks [`Capture::exceeded`].
impl AsyncWrite for Capture {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(
            self.put(bytes)
                .map(|()| bytes.len())
                .map_err(io::Error::other),
        )
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_fits_and_says_what_does_not() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let copy = heard.clone();
        let listener: Listener =
            Arc::new(move |bytes| copy.lock().unwrap().extend_from_slice(bytes));
        let capture = Capture::new(5, LimitReached::Log, Some(listener));
        assert_eq!(capture.put(b"abc"), Ok(()));
        assert_eq!(capture.put(b"def"), Err(LimitReached::Log(5)));
        assert_eq!(capture.take(), b"abcde");
        assert_eq!(*heard.lock().unwrap(), b"abcde");
    }
}
