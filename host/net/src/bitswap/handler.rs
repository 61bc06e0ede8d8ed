//! One connection: streams on which messages come, and one on which they go.
//!
//! Some open a stream for each message and some keep one open, so all of a stream is read until it ends. Each connection
//! has a job of its own, in which this runs: messages are decoded there, and when whoever takes them is slow, the
//! connection is read no faster.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::futures::future::BoxFuture;
use libp2p::futures::stream::{self, BoxStream, SelectAll};
use libp2p::futures::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt};
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionHandler, ConnectionHandlerEvent, StreamUpgradeError, SubstreamProtocol,
};
use libp2p::{Stream, StreamProtocol};
use tokio::time::timeout;

use super::message::{MESSAGE_BYTES_MAX, Message};

const PROTOCOL: StreamProtocol = StreamProtocol::new("/ipfs/bitswap/1.2.0");

/// Streams that a peer may have open at one time. kubo opens one for each message, and has up to some dozens on the way.
const STREAMS_MAX: usize = 512;
/// Time in which a message that has begun has to end.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(60);
/// Messages that wait to be sent. Who sends them waits for [`FromHandler::Sent`], so there are a few at most.
const QUEUE_MAX: usize = 64;

/// A message to be sent, with its length before it.
pub(crate) struct Outgoing {
    pub(super) frame: Vec<u8>,
    pub(super) sender: Sender,
}

/// Whose message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    Seeker,
    Giver,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of {:?}", self.frame.len(), self.sender)
    }
}

/// What a connection tells.
#[derive(Debug)]
pub(crate) enum FromHandler {
    Received(Message),
    /// A message is on its way.
    Sent(Sender),
    /// What was to be sent is lost.
    Lost(Lost),
    /// What came is no message.
    Malformed(String),
}

/// Why messages can't be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The peer doesn't speak Bitswap.
    Unsupported,
    /// The stream broke.
    Broke(String),
}

/// See the module.
pub(crate) struct Handler {
    /// Whether the connection stays when nothing is to be done.
    stays: bool,
    streams: SelectAll<BoxStream<'static, io::Result<Message>>>,
    outbound: Outbound,
    queue: VecDeque<Outgoing>,
    /// What has still to be told.
    told: VecDeque<FromHandler>,
}

enum Outbound {
    None,
    Opening,
    Open(Stream),
    Writing(BoxFuture<'static, io::Result<Stream>>, Sender),
}

type Event = ConnectionHandlerEvent<ReadyUpgrade<StreamProtocol>, (), FromHandler>;

impl Handler {
    pub(super) fn new(stays: bool) -> Self {
        Self {
            stays,
            streams: SelectAll::new(),
            outbound: Outbound::None,
            queue: VecDeque::new(),
            told: VecDeque::new(),
        }
    }

    fn lose(&mut self, lost: Lost) {
        self.outbound = Outbound::None;
        self.queue.clear();
        self.told.push_back(FromHandler::Lost(lost));
    }

    /// Takes a stream of the peer's. Of one that has hundreds open and unfinished, no more are taken.
    fn read(&mut self, mut stream: Stream) {
        stream.ignore_for_keep_alive();
        if self.streams.len() < STREAMS_MAX {
            let messages = stream::unfold(Some(stream), |stream| async move {
                let mut stream = stream?;
                match read(&mut stream).await {
                    Ok(None) => None,
                    Ok(Some(message)) => Some((Ok(message), Some(stream))),
                    Err(error) => Some((Err(error), None)),
                }
            });
            self.streams.push(messages.boxed());
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<FromHandler> {
        while let Poll::Ready(Some(message)) = self.streams.poll_next_unpin(context) {
            match message {
                Ok(message) => return Poll::Ready(FromHandler::Received(message)),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Poll::Ready(FromHandler::Malformed(error.to_string()));
                }
                // A stream that breaks off takes its message with it. Whoever waits for it asks again.
                Err(_) => {}
            }
        }
        Poll::Pending
    }

    /// Sends what waits, as far as it goes.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        loop {
            match std::mem::replace(&mut self.outbound, Outbound::None) {
                Outbound::None if self.queue.is_empty() => return Poll::Pending,
                Outbound::None => {
                    self.outbound = Outbound::Opening;
                    let protocol = SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ());
                    return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                        protocol,
                    });
                }
                Outbound::Opening => {
                    self.outbound = Outbound::Opening;
                    return Poll::Pending;
                }
                Outbound::Open(stream) => match self.queue.pop_front() {
                    Some(Outgoing { frame, sender }) => {
                        self.outbound = Outbound::Writing(write(stream, frame).boxed(), sender);
                    }
                    None => {
                        self.outbound = Outbound::Open(stream);
                        return Poll::Pending;
                    }
                },
                Outbound::Writing(mut writing, sender) => match writing.poll_unpin(context) {
                    Poll::Pending => {
                        self.outbound = Outbound::Writing(writing, sender);
                        return Poll::Pending;
                    }
                    Poll::Ready(Ok(stream)) => {
                        self.outbound = Outbound::Open(stream);
                        let sent = FromHandler::Sent(sender);
                        return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(sent));
                    }
                    Poll::Ready(Err(error)) => {
                        self.lose(Lost::Broke(error.to_string()));
                        return Poll::Pending;
                    }
                },
            }
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Outgoing;
    type ToBehaviour = FromHandler;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<ReadyUpgrade<StreamProtocol>> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
    }

    fn connection_keep_alive(&self) -> bool {
        let is_sending = !matches!(self.outbound, Outbound::None | Outbound::Open(_));
        self.stays || is_sending || !self.queue.is_empty()
    }

    fn on_behaviour_event(&mut self, message: Outgoing) {
        match self.queue.len() < QUEUE_MAX {
            true => self.queue.push_back(message),
            false => self.lose(Lost::Broke("it takes nothing".to_owned())),
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        if let Poll::Ready(event) = self.poll_write(context) {
            return Poll::Ready(event);
        }
        if let Some(event) = self.told.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event));
        }
        let read = self.poll_read(context);
        read.map(ConnectionHandlerEvent::NotifyBehaviour)
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, ReadyUpgrade<StreamProtocol>, ReadyUpgrade<StreamProtocol>>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: stream,
                ..
            }) => self.read(stream),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: mut stream,
                ..
            }) => {
                stream.ignore_for_keep_alive();
                self.outbound = Outbound::Open(stream);
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => {
                self.lose(match error {
                    StreamUpgradeError::NegotiationFailed => Lost::Unsupported,
                    error => Lost::Broke(error.to_string()),
                });
            }
            _ => {}
        }
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler")
            .field("streams", &self.streams.len())
            .field("queue", &self.queue.len())
            .finish_non_exhaustive()
    }
}

/// Reads the next message of a stream. None if the stream ends before one begins.
///
/// What is kept grows with what comes, not with what is announced.
async fn read(stream: &mut Stream) -> io::Result<Option<Message>> {
    let mut first = [0];
    // A stream may wait as long as it likes before a message.
    if stream.read(&mut first).await? == 0 {
        return Ok(None);
    }
    let whole = timeout(MESSAGE_TIMEOUT, read_from(stream, first[0])).await;
    whole.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

async fn read_from(stream: &mut Stream, first: u8) -> io::Result<Option<Message>> {
    let length = read_length(stream, first).await?;
    let mut bytes = Vec::new();
    let read = stream.take(length).read_to_end(&mut bytes).await?;
    if read as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Message::read(&Bytes::from(bytes))
        .map(Some)
        .map_err(invalid)
}

async fn read_length(stream: &mut Stream, first: u8) -> io::Result<u64> {
    let (mut byte, mut length) = (first, 0u64);
    for shift in [0, 7, 14, 21] {
        length |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return match length <= MESSAGE_BYTES_MAX as u64 {
                true => Ok(length),
                false => break,
            };
        }
        let mut next = [0];
        stream.read_exact(&mut next).await?;
        byte = next[0];
    }
    let words = format!("it has more than {MESSAGE_BYTES_MAX} bytes");
    Err(io::Error::new(io::ErrorKind::InvalidData, words))
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

async fn write(mut stream: Stream, frame: Vec<u8>) -> io::Result<Stream> {
    let sending = async {
        stream.write_all(&frame).await?;
        stream.flush().await
    };
    let sent = timeout(MESSAGE_TIMEOUT, sending).await;
    sent.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok(stream)
}
