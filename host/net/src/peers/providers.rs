//! Searches for those who provide something.

use std::collections::{HashMap, HashSet};

use libp2p::PeerId;
use libp2p::kad::QueryId;
use tokio::sync::oneshot;

/// Searches that somebody waits for.
#[derive(Debug, Default)]
pub(super) struct Providers(HashMap<QueryId, Search>);

#[derive(Debug)]
struct Search {
    found: Vec<PeerId>,
    max: usize,
    answer: oneshot::Sender<Vec<PeerId>>,
}

impl Providers {
    pub(super) fn begin(
        &mut self,
        query: QueryId,
        max: usize,
        answer: oneshot::Sender<Vec<PeerId>>,
    ) {
        let search = Search {
            found: Vec::new(),
            max,
            answer,
        };
        self.0.insert(query, search);
    }

    /// Some were found. Tells whether there are enough, or nobody waits for them any more.
    pub(super) fn found(&mut self, query: &QueryId, providers: &HashSet<PeerId>) -> bool {
        let Some(search) = self.0.get_mut(query) else {
            return false;
        };
        for id in providers {
            if search.found.len() < search.max && !search.found.contains(id) {
                search.found.push(*id);
            }
        }
        search.found.len() >= search.max || search.answer.is_closed()
    }

    /// No more will be found.
    pub(super) fn end(&mut self, query: &QueryId) {
        if let Some(search) = self.0.remove(query) {
            let _ = search.answer.send(search.found);
        }
    }
}
