//! Bitswap as part of a swarm: messages in and out, and no more.

use std::collections::{HashMap, HashSet, VecDeque};
use std::task::{Context, Poll, Waker};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler,
    THandlerInEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use super::handler::{FromHandler, Handler, Lost, Outgoing, Sender};
use super::message::Message;

/// See the module.
#[derive(Debug)]
pub(crate) struct Behaviour {
    /// Whose connections stay when there is nothing to do.
    kept: HashSet<PeerId>,
    /// On which connection messages go, of those that there are: the first one.
    connections: HashMap<PeerId, Vec<ConnectionId>>,
    steps: VecDeque<ToSwarm<Event, Outgoing>>,
    waker: Option<Waker>,
}

/// What happened with a peer.
#[derive(Debug)]
pub(crate) enum Event {
    Received(PeerId, Message),
    /// A message is on its way.
    Sent(PeerId, Sender),
    /// Messages can't be sent, and those that were to be are lost.
    Lost(PeerId, Lost),
    /// What came is no message.
    Malformed(PeerId, String),
}

impl Behaviour {
    pub(crate) fn new(kept: HashSet<PeerId>) -> Self {
        Self {
            kept,
            connections: HashMap::new(),
            steps: VecDeque::new(),
            waker: None,
        }
    }

    /// Sends a message. What became of it is told by [`Event::Sent`] or [`Event::Lost`], or by the connection's end.
    pub(crate) fn send(&mut self, peer: PeerId, message: &Message, sender: Sender) {
        let connections = self.connections.get(&peer);
        let Some(connection) = connections.and_then(|all| all.first()) else {
            return;
        };
        self.step(ToSwarm::NotifyHandler {
            peer_id: peer,
            handler: NotifyHandler::One(*connection),
            event: Outgoing {
                frame: message.to_frame(),
                sender,
            },
        });
    }

    fn step(&mut self, step: ToSwarm<Event, Outgoing>) {
        self.steps.push_back(step);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn forget(&mut self, peer: PeerId, connection: ConnectionId, remaining: usize) {
        let Some(connections) = self.connections.get_mut(&peer) else {
            return;
        };
        let was_used = connections.first() == Some(&connection);
        connections.retain(|other| *other != connection);
        if connections.is_empty() {
            self.connections.remove(&peer);
        }
        if was_used && remaining > 0 {
            let lost = Lost::Broke("the connection ended".to_owned());
            self.step(ToSwarm::GenerateEvent(Event::Lost(peer, lost)));
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(Handler::new(self.kept.contains(&peer)))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(Handler::new(self.kept.contains(&peer)))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(established) => {
                let connections = self.connections.entry(established.peer_id).or_default();
                connections.push(established.connection_id);
            }
            FromSwarm::ConnectionClosed(ConnectionClosed {
                peer_id,
                connection_id,
                remaining_established,
                ..
            }) => self.forget(peer_id, connection_id, remaining_established),
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, _: ConnectionId, event: FromHandler) {
        let event = match event {
            FromHandler::Received(message) => Event::Received(peer, message),
            FromHandler::Sent(sender) => Event::Sent(peer, sender),
            FromHandler::Lost(lost) => Event::Lost(peer, lost),
            FromHandler::Malformed(words) => Event::Malformed(peer, words),
        };
        self.step(ToSwarm::GenerateEvent(event));
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
