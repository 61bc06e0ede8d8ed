//! The common table: who provides what.

use std::collections::HashSet;
use std::time::Instant;

use homestar_core::ipld::Cid;
use libp2p::kad::{GetProvidersOk, InboundRequest, QueryResult};
use libp2p::{PeerId, kad};
use tokio::sync::oneshot;

use super::{Actor, key};

/// Providers of a block to which connections are made.
const PROVIDERS_MAX: usize = 8;

impl Actor {
    pub(super) fn looked_around(&mut self, event: kad::Event, now: Instant) {
        match event {
            kad::Event::OutboundQueryProgressed {
                id,
                result: QueryResult::GetProviders(result),
                step,
                ..
            } => {
                if let Ok(GetProvidersOk::FoundProviders { mut providers, .. }) = result {
                    providers.remove(self.swarm.local_peer_id());
                    providers.retain(|id| self.seeker.dropped(id).is_none());
                    providers.retain(|id| !self.scores.is_shunned(id));
                    if self.providers.found(&id, &providers)
                        && let Some(mut query) = self.swarm.behaviour_mut().kad.query_mut(&id)
                    {
                        query.finish();
                    }
                    self.found(providers);
                }
                if step.last {
                    self.providers.end(&id);
                    if let Some(cid) = self.searches.remove(&id) {
                        self.seeker.searched(cid, now);
                    }
                }
            }
            kad::Event::OutboundQueryProgressed {
                id,
                result: QueryResult::StartProviding(_),
                stats,
                ..
            } => self
                .telling
                .told(&mut self.swarm.behaviour_mut().kad, &id, &stats),
            kad::Event::RoutingUpdated {
                is_new_peer: true, ..
            } => self
                .telling
                .somebody_new(&mut self.swarm.behaviour_mut().kad),
            kad::Event::InboundRequest {
                request:
                    InboundRequest::AddProvider {
                        record: Some(record),
                    },
            } => {
                let store = self.swarm.behaviour_mut().kad.store_mut();
                self.others.take(store, record, now);
            }
            _ => {}
        }
    }

    /// Connects to them. Where they are is known as long as the search goes on.
    fn found(&mut self, providers: HashSet<PeerId>) {
        for id in providers.into_iter().take(PROVIDERS_MAX) {
            if !self.swarm.is_connected(&id) {
                self.dial(id, Vec::new());
            }
        }
    }

    pub(super) fn look_for(&mut self, cid: &Cid, max: usize, answer: oneshot::Sender<Vec<PeerId>>) {
        let query = self.swarm.behaviour_mut().kad.get_providers(key(cid));
        self.providers.begin(query, max, answer);
    }
}
