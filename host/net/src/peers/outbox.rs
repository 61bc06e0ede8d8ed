//! Messages to single peers that are on their way, or wait for that.

use std::collections::{HashMap, VecDeque};

use libp2p::PeerId;
use libp2p::request_response::{OutboundFailure, OutboundRequestId};
use tokio::sync::oneshot;

use super::PeersError;
use super::direct::{Answer, Behaviour, TO_ONE_MAX};

/// A message, and who waits for it to be delivered.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) message: Vec<u8>,
    pub(super) answer: oneshot::Sender<Result<(), PeersError>>,
}

/// See the module. Whoever sends has to wait, so there are only as many as may wait at one time.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: HashMap<PeerId, VecDeque<Letter>>,
    under_way: HashMap<OutboundRequestId, oneshot::Sender<Result<(), PeersError>>>,
    /// How many are under way to each.
    counts: HashMap<PeerId, usize>,
}

impl Outbox {
    pub(super) fn add(&mut self, id: PeerId, letter: Letter) {
        self.waiting.entry(id).or_default().push_back(letter);
    }

    /// Sends what waits for a peer that is connected, as far as it is its turn.
    pub(super) fn go_on(&mut self, behaviour: &mut Behaviour, id: PeerId) {
        let Some(waiting) = self.waiting.get_mut(&id) else {
            return;
        };
        let count = self.counts.entry(id).or_default();
        while *count < TO_ONE_MAX
            && let Some(letter) = waiting.pop_front()
        {
            // Nobody waits for it any more.
            if letter.answer.is_closed() {
                continue;
            }
            let request = behaviour.send_request(&id, letter.message);
            self.under_way.insert(request, letter.answer);
            *count += 1;
        }
        if waiting.is_empty() {
            self.waiting.remove(&id);
        }
        if self.counts.get(&id) == Some(&0) {
            self.counts.remove(&id);
        }
    }

    /// A peer has answered.
    pub(super) fn answered(&mut self, id: PeerId, request: OutboundRequestId, answer: Answer) {
        let told = match answer {
            Answer::Taken => Ok(()),
            Answer::TooMany => Err(PeersError::Busy),
        };
        self.end(id, request, told);
    }

    /// A message didn't arrive, or it isn't known whether it did.
    pub(super) fn failed(
        &mut self,
        id: PeerId,
        request: OutboundRequestId,
        failure: &OutboundFailure,
    ) {
        self.end(id, request, Err(error(failure)));
    }

    /// There is no way to a peer.
    pub(super) fn unreachable(&mut self, id: &PeerId, cause: &str) {
        for letter in self.waiting.remove(id).unwrap_or_default() {
            let cause = cause.to_owned();
            let _ = letter.answer.send(Err(PeersError::Unreachable { cause }));
        }
    }

    fn end(&mut self, id: PeerId, request: OutboundRequestId, told: Result<(), PeersError>) {
        let Some(answer) = self.under_way.remove(&request) else {
            return;
        };
        if let Some(count) = self.counts.get_mut(&id) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&id);
            }
        }
        let _ = answer.send(told);
    }
}

/// Why a request came to nothing.
pub(super) fn error(failure: &OutboundFailure) -> PeersError {
    match failure {
        OutboundFailure::UnsupportedProtocols => PeersError::Deaf,
        OutboundFailure::Timeout => PeersError::undelivered("it didn't answer in time"),
        OutboundFailure::ConnectionClosed => PeersError::undelivered("the connection ended"),
        OutboundFailure::DialFailure => PeersError::undelivered("there is no connection"),
        OutboundFailure::Io(error) => PeersError::undelivered(error),
    }
}

/// Tells whether an answer breaks the rules, and didn't just break off.
pub(super) fn nonsense(failure: &OutboundFailure) -> bool {
    matches!(failure, OutboundFailure::Io(error) if error.kind() == std::io::ErrorKind::InvalidData)
}
