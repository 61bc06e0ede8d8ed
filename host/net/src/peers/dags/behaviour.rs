//! Streams for DAGs as part of a swarm: in and out, and no more.

use std::collections::{HashMap, VecDeque};
use std::task::{Context, Poll, Waker};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler,
    THandlerInEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, Stream};

use super::handler::{Handler, NoStream, Waiting};

/// A stream that was opened, or why it wasn't.
pub(crate) type Opened = Result<Stream, NoStream>;

/// A peer has opened a stream, and asks on it.
#[derive(Debug)]
pub(crate) struct Event(pub(crate) PeerId, pub(crate) Stream);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Behaviour {
    /// The connections there are, and whether each goes through a relay.
    connections: HashMap<PeerId, Vec<(ConnectionId, bool)>>,
    steps: VecDeque<ToSwarm<Event, Waiting>>,
    waker: Option<Waker>,
}

impl Behaviour {
    /// Opens a stream to a peer, by the shortest way there is.
    pub(crate) fn open(&mut self, peer: PeerId, waiting: Waiting) {
        let connections = self.connections.get(&peer);
        let shortest = connections.and_then(|all| all.iter().min_by_key(|(_, relayed)| *relayed));
        let Some((connection, _)) = shortest else {
            let _ = waiting.send(Err(NoStream::Broke));
            return;
        };
        self.step(ToSwarm::NotifyHandler {
            peer_id: peer,
            handler: NotifyHandler::One(*connection),
            event: waiting,
        });
    }

    fn step(&mut self, step: ToSwarm<Event, Waiting>) {
        self.steps.push_back(step);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(Handler::default())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(Handler::default())
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(established) => {
                let connections = self.connections.entry(established.peer_id).or_default();
                let is_relayed = established.endpoint.is_relayed();
                connections.push((established.connection_id, is_relayed));
            }
            FromSwarm::ConnectionClosed(ConnectionClosed {
                peer_id,
                connection_id,
                ..
            }) => {
                if let Some(connections) = self.connections.get_mut(&peer_id) {
                    connections.retain(|(id, _)| *id != connection_id);
                    if connections.is_empty() {
                        self.connections.remove(&peer_id);
                    }
                }
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, _: ConnectionId, stream: Stream) {
        self.step(ToSwarm::GenerateEvent(Event(peer, stream)));
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        match self.steps.pop_front() {
            Some(step) => Poll::Ready(step),
            None => {
                self.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
