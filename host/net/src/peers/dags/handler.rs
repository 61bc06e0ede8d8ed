//! One connection: streams that are opened for questions, and those that peers open for theirs.

use std::collections::VecDeque;
use std::fmt;
use std::task::{Context, Poll};

use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionHandler, ConnectionHandlerEvent, StreamUpgradeError, SubstreamProtocol,
};
use libp2p::{Stream, StreamProtocol};
use tokio::sync::oneshot;

/// What is spoken on a stream. A node says by it that it can be asked.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/homestar/dag/1");

/// Streams of a peer that nobody took yet. They are taken at once, so more come only from somebody who floods us.
const UNTAKEN_MAX: usize = 8;
/// Streams that are to be opened. Who waits for one opens no second.
const WANTED_MAX: usize = 64;

/// Who waits for a stream.
pub(super) type Waiting = oneshot::Sender<Result<Stream, NoStream>>;

/// Why there is no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoStream {
    /// The peer doesn't speak this.
    Unsupported,
    /// There is no connection, or not any more, or no room on it.
    Broke,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Handler {
    wanted: VecDeque<Waiting>,
    came: VecDeque<Stream>,
}

impl Handler {
    fn take(&mut self, stream: Stream) {
        if self.came.len() < UNTAKEN_MAX {
            self.came.push_back(stream);
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Waiting;
    type ToBehaviour = Stream;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Waiting;

    fn listen_protocol(&self) -> SubstreamProtocol<ReadyUpgrade<StreamProtocol>> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
    }

    fn connection_keep_alive(&self) -> bool {
        // Streams keep it, as long as there are any.
        !self.wanted.is_empty()
    }

    fn on_behaviour_event(&mut self, waiting: Waiting) {
        match self.wanted.len() < WANTED_MAX {
            true => self.wanted.push_back(waiting),
            false => drop(waiting.send(Err(NoStream::Broke))),
        }
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<ReadyUpgrade<StreamProtocol>, Waiting, Stream>> {
        if let Some(waiting) = self.wanted.pop_front() {
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), waiting);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        match self.came.pop_front() {
            Some(stream) => Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(stream)),
            // Whatever else there is to do begins with an event.
            None => Poll::Pending,
        }
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<
            '_,
            ReadyUpgrade<StreamProtocol>,
            ReadyUpgrade<StreamProtocol>,
            (),
            Waiting,
        >,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: stream,
                ..
            }) => self.take(stream),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                info: waiting,
            }) => {
                let _ = waiting.send(Ok(stream));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError {
                info: waiting,
                error,
            }) => {
                let _ = waiting.send(Err(match error {
                    StreamUpgradeError::NegotiationFailed => NoStream::Unsupported,
                    _ => NoStream::Broke,
                }));
            }
            _ => {}
        }
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler")
            .field("wanted", &self.wanted.len())
            .field("came", &self.came.len())
            .finish_non_exhaustive()
    }
}
