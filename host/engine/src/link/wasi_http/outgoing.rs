//! The body of a request, on its way from the guest to the driver.
//!
//! A short one that is there at once goes with the request. Any other follows it piece by piece, in constant memory:
//! the guest goes on writing when the driver has taken a piece. The trace holds a digest of each.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use http_body::Body;
use wasmtime_wasi_http::WasiBody;

use super::{broken, error_of};
use crate::drivers::http::{Head, Request};
use crate::link::http::{Answer, Asker, PIECE_BYTES_MAX};
use crate::world::stdio::Capture;

type Result<T> = wasmtime_wasi_http::Result<T>;

/// Sends a request and returns the head of the response, with the rest of the body if that isn't all sent by then.
pub(super) async fn send(
    asker: &Asker,
    mut request: Request,
    mut body: WasiBody,
    log: &Capture,
) -> Result<(Head, Option<Rest>)> {
    let mut start = BytesMut::new();
    let is_whole = poll_fn(|cx| match fill(&mut body, &mut start, cx) {
        Poll::Pending if !start.is_empty() => Poll::Ready(Ok(false)),
        filled => filled,
    });
    if is_whole.await? {
        request.body = start.to_vec();
        let head = asker.send(request).map_err(|error| broken(&error))?;
        return Ok((answered(head.await, log)?, None));
    }
    let (upload, mut head) = asker
        .send_streaming(request)
        .map_err(|error| broken(&error))?;
    let mut rest = Rest {
        asker: asker.clone(),
        log: log.clone(),
        upload,
        body,
        piece: start,
        is_whole: false,
        written: None,
        is_ended: false,
        is_over: false,
    };
    let head = poll_fn(|cx| {
        if let Poll::Ready(head) = Pin::new(&mut head).poll(cx) {
            return Poll::Ready(answered(head, &rest.log));
        }
        match rest.poll(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // What was written last may have been all that the head waited for.
            _ => Poll::Pending,
        }
    });
    let head = head.await?;
    Ok((head, (!rest.is_over).then_some(rest)))
}

fn answered(
    answer: wasmtime::Result<std::result::Result<Head, crate::drivers::http::Error>>,
    log: &Capture,
) -> Result<Head> {
    let head = answer.map_err(|error| broken(&error))?;
    head.map_err(|error| error_of(error, log))
}

/// Takes of a body what is there, up to a piece. Tells whether that was the last of it.
fn fill(body: &mut WasiBody, piece: &mut BytesMut, cx: &mut Context<'_>) -> Poll<Result<bool>> {
    while piece.len() < PIECE_BYTES_MAX {
        let frame = match Pin::new(&mut *body).poll_frame(cx)? {
            Poll::Ready(Some(frame)) => frame,
            Poll::Ready(None) => return Poll::Ready(Ok(true)),
            Poll::Pending => return Poll::Pending,
        };
        // Trailers are dropped.
        if let Ok(bytes) = frame.into_data() {
            piece.extend_from_slice(&bytes);
        }
    }
    Poll::Ready(Ok(false))
}

/// What is left of a body. Dropped before its end, it takes its request with it.
pub(super) struct Rest {
    asker: Asker,
    log: Capture,
    upload: u64,
    body: WasiBody,
    /// What came and was not written yet.
    piece: BytesMut,
    /// Whether nothing comes after it.
    is_whole: bool,
    written: Option<Answer<bool>>,
    /// Whether it was said that nothing comes any more.
    is_ended: bool,
    is_over: bool,
}

impl Rest {
    /// Sends the rest.
    pub(super) async fn finish(mut self) -> Result<()> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while !self.is_over {
            if let Some(written) = &mut self.written {
                let Poll::Ready(written) = Pin::new(written).poll(cx) else {
                    return Poll::Pending;
                };
                self.written = None;
                let goes_on = written.map_err(|error| broken(&error))?;
                let goes_on = goes_on.map_err(|error| error_of(error, &self.log))?;
                // Nobody may read on: the response may be there without.
                self.is_over = !goes_on || self.is_ended;
                continue;
            }
            if !self.is_whole {
                match fill(&mut self.body, &mut self.piece, cx)? {
                    Poll::Ready(is_whole) => self.is_whole = is_whole,
                    Poll::Pending if self.piece.is_empty() => return Poll::Pending,
                    Poll::Pending => {}
                }
            }
            let length = self.piece.len().min(PIECE_BYTES_MAX);
            let piece = (length > 0).then(|| self.piece.split_to(length).freeze());
            self.is_ended = piece.is_none();
            let written = self.asker.write(self.upload, piece);
            self.written = Some(written.map_err(|error| broken(&error))?);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        if !self.is_over {
            self.asker.fail(self.upload);
        }
    }
}
