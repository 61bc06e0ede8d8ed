//! Streams that can be read although the other side reads nothing.
//!
//! Who sends one message and expects no answer may say at once that it reads nothing. go-libp2p does so when it closes a
//! stream, which kubo does after each message. Over QUIC, what we write is refused then, even the words by which a
//! protocol is agreed on, and with those the message would be lost that has come already. So what is written to such a
//! stream counts as written.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::futures::{AsyncRead, AsyncWrite};

/// A connection on which streams of the other side's may be deaf.
#[derive(Debug)]
pub(super) struct Deaf<M>(pub(super) M);

/// A stream.
#[derive(Debug)]
pub(super) struct Stream<S> {
    stream: S,
    /// Whether the other side began it.
    is_inbound: bool,
    is_deaf: bool,
}

impl<M: StreamMuxer + Unpin> StreamMuxer for Deaf<M>
where
    M::Substream: Unpin,
{
    type Substream = Stream<M::Substream>;
    type Error = M::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, M::Error>> {
        let stream = ready!(Pin::new(&mut self.0).poll_inbound(context))?;
        Poll::Ready(Ok(Stream::new(stream, true)))
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, M::Error>> {
        let stream = ready!(Pin::new(&mut self.0).poll_outbound(context))?;
        Poll::Ready(Ok(Stream::new(stream, false)))
    }

    fn poll_close(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), M::Error>> {
        Pin::new(&mut self.0).poll_close(context)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, M::Error>> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<S> Stream<S> {
    fn new(stream: S, is_inbound: bool) -> Self {
        Self {
            stream,
            is_inbound,
            is_deaf: false,
        }
    }

    /// Takes it for done if the other side doesn't want it.
    fn forgive<T>(&mut self, written: Poll<io::Result<T>>, done: T) -> Poll<io::Result<T>> {
        match written {
            Poll::Ready(Err(error))
                if self.is_inbound && error.kind() == io::ErrorKind::ConnectionReset =>
            {
                self.is_deaf = true;
                Poll::Ready(Ok(done))
            }
            written => written,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_deaf {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.forgive(written, bytes.len())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_deaf {
            return Poll::Ready(Ok(()));
        }
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.forgive(flushed, ())
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_deaf {
            return Poll::Ready(Ok(()));
        }
        let closed = Pin::new(&mut self.stream).poll_close(context);
        self.forgive(closed, ())
    }
}
