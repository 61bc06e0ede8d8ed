//! Bodies: those that come back, and those that are sent while they are made.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use homestar_core::grant::Redactor;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::fault::fault;
use super::types::Error;

/// Largest piece of a body that is given out at once: what a guest may ask for.
const PIECE_BYTES_MAX: usize = 1 << 20;

/// The body of a response, piece by piece. Dropped before its end, it takes its connection with it.
pub struct Body {
    /// None at its end.
    response: Option<reqwest::Response>,
    redactor: Option<Redactor>,
    timeout: Duration,
    /// What came and was not given out yet.
    rest: Bytes,
}

impl Body {
    pub(super) fn new(
        response: reqwest::Response,
        redactor: Option<Redactor>,
        timeout: Duration,
    ) -> Self {
        Self {
            response: Some(response),
            redactor,
            timeout,
            rest: Bytes::new(),
        }
    }

    /// Returns the next piece, which isn't empty and has 1 MiB at most, or none at the end. After an error there are
    /// no more.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        while self.rest.is_empty() {
            if self.response.is_none() {
                return Ok(None);
            }
            self.rest = self.receive().await.inspect_err(|_| self.response = None)?;
        }
        let bytes = self.rest.len().min(PIECE_BYTES_MAX);
        Ok(Some(self.rest.split_to(bytes)))
    }

    /// Waits for more, which may be nothing if it is held back as the start of a secret.
    async fn receive(&mut self) -> Result<Bytes, Error> {
        let Some(response) = &mut self.response else {
            return Ok(Bytes::new());
        };
        let piece = tokio::time::timeout(self.timeout, response.chunk()).await;
        let piece = piece
            .map_err(|_| Error::Timeout)?
            .map_err(|error| fault(&error))?;
        if piece.is_none() {
            self.response = None;
        }
        Ok(match (&mut self.redactor, piece) {
            (None, piece) => piece.unwrap_or_default(),
            (Some(redactor), Some(piece)) => redactor.push(&piece).into(),
            (Some(redactor), None) => redactor.finish().into(),
        })
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("is_open", &self.response.is_some())
            .field("rest", &self.rest.len())
            .finish_non_exhaustive()
    }
}

/// When something last moved, so that an upload that takes long isn't taken for a server that is silent.
#[derive(Clone)]
pub(super) struct Progress(Arc<Mutex<Instant>>);

impl Progress {
    pub(super) fn now() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    pub(super) fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn move_on(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// A body that is sent while it is made.
pub(super) struct Upload<B> {
    /// A lock that is never locked: the library wants to share what it only ever moves.
    body: Mutex<Pin<Box<B>>>,
    progress: Progress,
    /// Bytes that are to come, if that was said.
    left: Option<u64>,
}

impl<B> Upload<B> {
    pub(super) fn new(body: B, length: Option<u64>, progress: Progress) -> Self {
        Self {
            body: Mutex::new(Box::pin(body)),
            progress,
            left: length,
        }
    }

    /// Counts a piece against the length that was said.
    fn count(&mut self, bytes: usize) -> Result<(), Error> {
        if let Some(left) = &mut self.left {
            let bytes = bytes as u64;
            *left = left
                .checked_sub(bytes)
                .ok_or_else(|| wrong_length("longer"))?;
        }
        Ok(())
    }
}

fn wrong_length(how: &str) -> Error {
    Error::Invalid(format!("its body is {how} than `content-length` says"))
}

impl<B> http_body::Body for Upload<B>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn StdError + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let body = self.body.get_mut().unwrap_or_else(PoisonError::into_inner);
        let frame = std::task::ready!(body.as_mut().poll_frame(context));
        self.progress.move_on();
        Poll::Ready(match frame {
            None if self.left.is_some_and(|left| left > 0) => {
                Some(Err(wrong_length("shorter").into()))
            }
            None => None,
            Some(Err(error)) => Some(Err(error.into())),
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                Some(self.count(bytes).map(|()| frame).map_err(Into::into))
            }
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// A body for [`Http::send_streaming`](super::Http::send_streaming) that another part of the program fills.
///
/// It ends when the sender is dropped, and fails if the sender was told to.
#[derive(Debug)]
pub struct Pieces {
    pieces: mpsc::Receiver<Bytes>,
    failure: Arc<OnceLock<Error>>,
}

/// Fills [`Pieces`].
#[derive(Clone, Debug)]
pub struct PiecesSender {
    pieces: mpsc::Sender<Bytes>,
    failure: Arc<OnceLock<Error>>,
}

impl Pieces {
    /// Returns a body, and what fills it. The sender waits while `pieces_max` pieces weren't sent on yet.
    pub fn channel(pieces_max: usize) -> (PiecesSender, Self) {
        let (sender, pieces) = mpsc::channel(pieces_max.max(1));
        let failure = Arc::<OnceLock<_>>::default();
        let sender = PiecesSender {
            pieces: sender,
            failure: Arc::clone(&failure),
        };
        (sender, Self { pieces, failure })
    }
}

impl PiecesSender {
    /// Adds a piece. Waits until there is room, and tells whether anybody reads on.
    pub async fn send(&self, piece: Bytes) -> bool {
        self.pieces.send(piece).await.is_ok()
    }

    /// Lets the body fail after the pieces that were sent, instead of ending.
    pub fn fail(self, error: Error) {
        // The first failure is the one that counts.
        let _ = self.failure.set(error);
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let piece = std::task::ready!(self.pieces.poll_recv(context));
        Poll::Ready(match (piece, self.failure.get()) {
            (Some(piece), _) => Some(Ok(Frame::data(piece))),
            (None, Some(error)) => Some(Err(error.clone())),
            (None, None) => None,
        })
    }
}
