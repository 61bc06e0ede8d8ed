//! Files as streams: into a guest's memory, and out of it.
//!
//! A read is filled as far as the file goes before it returns, and a write is taken as a whole. So a guest never hears
//! that it has to wait, and what it does next doesn't depend on where blocks lie.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use homestar_core::ipld::Cid;
use tokio::sync::oneshot;
use wasmtime::StoreContextMut;
use wasmtime::component::{Destination, Source, StreamConsumer, StreamProducer, StreamResult};

use super::read::Reader;
use super::{Content, Ended, Error, Fault, File};
use crate::instance::State;

/// A file that flows into a guest.
pub(crate) struct Incoming {
    content: Arc<Content>,
    from: From,
    /// Who wants to know how it ended, if that isn't the task.
    end: Option<oneshot::Sender<Result<(), Error>>>,
    /// Whether it is counted among the streams that a guest opened.
    is_counted: bool,
}

enum From {
    File {
        cid: Cid,
        reader: Box<Reader>,
    },
    Bytes(Bytes),
    /// There is nothing, for this reason.
    Nothing(Error),
}

/// Bytes that pass at once where no guest says how many it takes: from a stream that is handed on as it is.
const PIECE_BYTES: usize = 256 << 10;

impl Incoming {
    /// Returns a file that is an argument of a task. It can't be told what is wrong with it, so the task ends by that.
    pub(super) fn argument(content: &Arc<Content>, cid: Cid) -> Self {
        let reader = Box::new(Reader::new(cid, 0, true));
        Self {
            content: content.clone(),
            from: From::File { cid, reader },
            end: None,
            is_counted: false,
        }
    }

    /// Returns bytes that are an argument of a task.
    pub(super) fn bytes(content: &Arc<Content>, bytes: Vec<u8>) -> Self {
        Self {
            content: content.clone(),
            from: From::Bytes(bytes.into()),
            end: None,
            is_counted: false,
        }
    }

    /// Returns a file that a guest asked for, from `offset` on, and tells `end` how it ended.
    pub(crate) fn opened(
        content: &Arc<Content>,
        cid: Cid,
        offset: u64,
        end: oneshot::Sender<Result<(), Error>>,
    ) -> Self {
        let opened = content.open(|open| &mut open.streams, super::STREAMS_MAX);
        let is_counted = opened.is_ok();
        let from = match opened {
            Ok(()) => From::File {
                cid,
                reader: Box::new(Reader::new(cid, offset, true)),
            },
            Err(error) => From::Nothing(error),
        };
        Self {
            content: content.clone(),
            from,
            end: Some(end),
            is_counted,
        }
    }

    /// Fills `out` as far as there are bytes.
    fn read(&mut self, out: &mut [u8]) -> Result<usize, Fault> {
        match &mut self.from {
            From::File { reader, .. } => reader.read(&self.content, out),
            From::Bytes(bytes) => {
                let piece = bytes.split_to(bytes.len().min(out.len()));
                out[..piece.len()].copy_from_slice(&piece);
                Ok(piece.len())
            }
            From::Nothing(error) => Err(error.clone().into()),
        }
    }

    /// Says how the stream ended, to who asked or to the task.
    fn end(&mut self, end: Result<(), Error>) -> wasmtime::Result<()> {
        match (self.end.take(), end, &self.from) {
            (Some(sender), end, _) => {
                // Nobody may want to know.
                let _ = sender.send(end);
                Ok(())
            }
            (None, Err(error), From::File { cid, .. }) => {
                let ended = Ended::input(*cid, error);
                Err(ended.into())
            }
            _ => Ok(()),
        }
    }
}

impl StreamProducer<State> for Incoming {
    type Item = u8;
    type Buffer = Bytes;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut store: StoreContextMut<'a, State>,
        destination: Destination<'a, u8, Bytes>,
        _: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if destination.remaining(&mut store) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        let mut direct = destination.as_direct(store, PIECE_BYTES);
        let out = direct.remaining();
        let room = out.len();
        let end = match self.read(out) {
            Ok(length) => {
                direct.mark_written(length);
                if length == room {
                    return Poll::Ready(Ok(StreamResult::Completed));
                }
                Ok(())
            }
            Err(Fault::Guest(error)) => Err(error),
            Err(Fault::Task(error)) => return Poll::Ready(Err(error)),
        };
        Poll::Ready(self.end(end).map(|()| StreamResult::Dropped))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if self.is_counted {
            self.content.close(|open| &mut open.streams);
        }
    }
}

/// A file that flows out of a guest.
pub(crate) struct Outgoing {
    file: Option<File>,
    whole: Option<oneshot::Sender<File>>,
}

impl Outgoing {
    /// Returns what writes a stream to `file`, and what gives that back when the stream has ended.
    pub(crate) fn new(file: File) -> (Self, oneshot::Receiver<File>) {
        let (sender, receiver) = oneshot::channel();
        let outgoing = Self {
            file: Some(file),
            whole: Some(sender),
        };
        (outgoing, receiver)
    }
}

impl StreamConsumer<State> for Outgoing {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        store: StoreContextMut<'_, State>,
        source: Source<'_, u8>,
        _: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let mut source = source.as_direct(store);
        let bytes = source.remaining();
        let length = bytes.len();
        if let Some(file) = &mut self.file {
            file.write(bytes)?;
        }
        source.mark_read(length);
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

/// The guest has nothing more to write.
impl Drop for Outgoing {
    fn drop(&mut self) {
        if let (Some(file), Some(whole)) = (self.file.take(), self.whole.take()) {
            // If nobody waits for the file, it is forgotten.
            let _ = whole.send(file);
        }
    }
}
