//! Kademlia, with addresses looked at.
//!
//! Who is asked for something tells where others are, and Kademlia connects to them. What is near us, in our network or on
//! our machine, isn't for those to say who are far away. Who told what isn't known any more when a connection is made,
//! so an address is taken if some peer that is connected is as near.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::kad;
use libp2p::kad::store::MemoryStore;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use super::address::Reach;

/// See the module.
pub(super) struct Judged {
    kad: kad::Behaviour<MemoryStore>,
    /// From how far away those are who are connected, and how many there are of each kind.
    connected: HashMap<Reach, usize>,
}

impl Judged {
    pub(super) fn new(kad: kad::Behaviour<MemoryStore>) -> Self {
        Self {
            kad,
            connected: HashMap::new(),
        }
    }

    /// Whether it may be that somebody who may say so has told of that address.
    fn may_be(&self, address: &Multiaddr) -> bool {
        let nearest = self.connected.keys().max();
        match (nearest, Reach::of(address)) {
            (Some(nearest), Some(told)) => told <= *nearest,
            _ => false,
        }
    }

    fn count(&mut self, event: &FromSwarm<'_>) {
        let (address, has_come) = match event {
            FromSwarm::ConnectionEstablished(it) => (it.endpoint.get_remote_address(), true),
            FromSwarm::ConnectionClosed(it) => (it.endpoint.get_remote_address(), false),
            _ => return,
        };
        let Some(reach) = Reach::of(address) else {
            return;
        };
        let count = self.connected.entry(reach).or_default();
        *count = match has_come {
            true => *count + 1,
            false => count.saturating_sub(1),
        };
        if *count == 0 {
            self.connected.remove(&reach);
        }
    }
}

impl Deref for Judged {
    type Target = kad::Behaviour<MemoryStore>;

    fn deref(&self) -> &Self::Target {
        &self.kad
    }
}

impl DerefMut for Judged {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.kad
    }
}

type Handler = THandler<kad::Behaviour<MemoryStore>>;

impl NetworkBehaviour for Judged {
    type ConnectionHandler = Handler;
    type ToSwarm = kad::Event;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.kad
            .handle_pending_inbound_connection(connection, local, remote)
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        self.kad
            .handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        let mut more = self
            .kad
            .handle_pending_outbound_connection(connection, peer, addresses, role)?;
        more.retain(|address| self.may_be(address));
        Ok(more)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        self.kad
            .handle_established_outbound_connection(connection, peer, address, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.count(&event);
        self.kad.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        self.kad
            .on_connection_handler_event(peer, connection, event);
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ToSwarm<kad::Event, THandlerInEvent<Self>>> {
        self.kad.poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(connected: &[Reach]) -> Judged {
        let id = PeerId::random();
        let kad = kad::Behaviour::new(id, MemoryStore::new(id));
        Judged {
            connected: connected.iter().map(|reach| (*reach, 1)).collect(),
            ..Judged::new(kad)
        }
    }

    #[test]
    fn what_is_near_is_taken_only_where_somebody_near_may_have_said_so() {
        let (far, near) = ("/ip4/9.9.9.9/tcp/1", "/ip4/10.0.0.1/tcp/1");
        let (here, name) = ("/ip4/127.0.0.1/tcp/1", "/dns4/node.example/tcp/1");
        for (connected, taken) in [
            (&[][..], &[][..]),
            (&[Reach::Everywhere], &[far]),
            (&[Reach::Everywhere, Reach::Network], &[far, near]),
            (&[Reach::Machine], &[far, near, here]),
        ] {
            let judged = judged(connected);
            for address in [far, near, here, name] {
                let may = judged.may_be(&address.parse().unwrap());
                assert_eq!(may, taken.contains(&address), "{connected:?} {address}");
            }
        }
    }
}
