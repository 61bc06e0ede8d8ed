//! What peers say besides blocks, and what follows from it.

use std::sync::Arc;
use std::time::Instant;

use libp2p::PeerId;
use libp2p::gossipsub::{self, MessageAcceptance, MessageId, PublishError};
use libp2p::request_response::{self, InboundFailure};

use super::super::jobs::{self, Done};
use super::super::outbox::{self, Letter};
use super::super::score::SHUNNED_BELOW;
use super::super::{PeersError, Topic, Verdict, direct, lookup};
use super::{Actor, NOT_ADMITTED, SHUNNED};

impl Actor {
    pub(super) fn tell(&mut self, id: PeerId, letter: Letter) {
        let refusal = match self.seeker.dropped(&id) {
            Some(what) => Some(format!("it isn't spoken to any more: it {what}")),
            None if !self.settings.admits(&id) => Some(NOT_ADMITTED.to_owned()),
            None => self.scores.is_shunned(&id).then(|| SHUNNED.to_owned()),
        };
        if let Some(cause) = refusal {
            let _ = letter.answer.send(Err(PeersError::Unreachable { cause }));
            return;
        }
        self.outbox.add(id, letter);
        if self.swarm.is_connected(&id) {
            let direct = &mut self.swarm.behaviour_mut().direct;
            self.outbox.go_on(direct, id);
        } else {
            self.dial(id, Vec::new());
        }
    }

    /// A message came, or something became of one that went.
    pub(super) fn written(&mut self, event: direct::Event, now: Instant) {
        match event {
            request_response::Event::Message {
                peer,
                message:
                    request_response::Message::Request {
                        request, channel, ..
                    },
                ..
            } => {
                let answer = self.take(peer, request, now);
                let direct = &mut self.swarm.behaviour_mut().direct;
                let _ = direct.send_response(channel, answer);
                self.judge(peer);
            }
            request_response::Event::Message {
                peer,
                message:
                    request_response::Message::Response {
                        request_id,
                        response,
                    },
                ..
            } => {
                self.outbox.answered(peer, request_id, response);
                let direct = &mut self.swarm.behaviour_mut().direct;
                self.outbox.go_on(direct, peer);
            }
            request_response::Event::OutboundFailure {
                peer,
                request_id,
                error,
                ..
            } => {
                self.outbox.failed(peer, request_id, &error);
                let direct = &mut self.swarm.behaviour_mut().direct;
                self.outbox.go_on(direct, peer);
            }
            request_response::Event::InboundFailure { peer, error, .. } => {
                self.garbled(peer, is_nonsense(&error), now);
            }
            request_response::Event::ResponseSent { .. } => {}
        }
    }

    /// A peer asks which receipts there are, or something became of what it was asked.
    pub(super) fn asked(&mut self, event: lookup::Event, now: Instant) {
        match event {
            request_response::Event::Message {
                peer,
                message:
                    request_response::Message::Request {
                        request, channel, ..
                    },
                ..
            } => {
                let permit = Arc::clone(&self.naming).try_acquire_owned();
                // Without an answer the stream ends, and the peer knows as much.
                if self.scores.may_ask(&peer, now)
                    && let Ok(permit) = permit
                {
                    self.counts.lookups += 1;
                    let source = self.source(&peer);
                    self.jobs.spawn_blocking(move || {
                        let _permit = permit;
                        jobs::name(channel, &request, &source)
                    });
                }
                self.judge(peer);
            }
            request_response::Event::Message {
                message:
                    request_response::Message::Response {
                        request_id,
                        response,
                    },
                ..
            } => {
                if let Some(answer) = self.lookups.remove(&request_id) {
                    let _ = answer.send(Ok(response));
                }
            }
            request_response::Event::OutboundFailure {
                peer,
                request_id,
                error,
                ..
            } => {
                self.garbled(peer, outbox::nonsense(&error), now);
                if let Some(answer) = self.lookups.remove(&request_id) {
                    let _ = answer.send(Err(outbox::error(&error)));
                }
            }
            request_response::Event::InboundFailure { peer, error, .. } => {
                self.garbled(peer, is_nonsense(&error), now);
            }
            request_response::Event::ResponseSent { .. } => {}
        }
    }

    /// Holds it against a peer if what came of it makes no sense.
    fn garbled(&mut self, id: PeerId, is_garbled: bool, now: Instant) {
        if is_garbled {
            self.scores.blame(&id, now);
            self.judge(id);
        }
    }

    fn take(&mut self, from: PeerId, message: Vec<u8>, now: Instant) -> direct::Answer {
        match &self.served.listener {
            Some(listener) if self.scores.may_tell(&from, now) => {
                self.counts.messages += 1;
                listener.told(from, message);
                direct::Answer::Taken
            }
            _ => direct::Answer::TooMany,
        }
    }

    pub(super) fn publish(&mut self, topic: Topic, message: Vec<u8>) -> Result<(), PeersError> {
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        match gossip.publish(topic.ident(), message) {
            Ok(_) | Err(PublishError::Duplicate) => Ok(()),
            Err(PublishError::NoPeersSubscribedToTopic) => Err(PeersError::NobodyFollows { topic }),
            Err(error) => Err(PeersError::undelivered(error)),
        }
    }

    /// Has gossip looked at, elsewhere.
    pub(super) fn gossiped(&mut self, event: gossipsub::Event, now: Instant) {
        let gossipsub::Event::Message {
            propagation_source: id,
            message_id,
            message,
        } = event
        else {
            return;
        };
        let hearing = Arc::clone(&self.hearing);
        let topic = Topic::of(&message.topic);
        let (Some(topic), Some(author), Some(listener)) =
            (topic, message.source, self.served.listener.clone())
        else {
            return self.heard(&id, &message_id, Verdict::Ignore);
        };
        let may = self.scores.may_pass_on(&id, &author, now);
        let Some(permit) = may.then(|| hearing.try_acquire_owned().ok()).flatten() else {
            return self.heard(&id, &message_id, Verdict::Ignore);
        };
        self.jobs.spawn_blocking(move || {
            let _permit = permit;
            Done::Heard(id, message_id, listener.heard(topic, author, &message.data))
        });
    }

    /// Passes gossip on, or doesn't.
    pub(super) fn heard(&mut self, id: &PeerId, message: &MessageId, verdict: Verdict) {
        let acceptance = match verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Reject => MessageAcceptance::Reject,
            Verdict::Ignore => MessageAcceptance::Ignore,
        };
        let count = match verdict {
            Verdict::Accept => &mut self.counts.accepted,
            Verdict::Reject => &mut self.counts.rejected,
            Verdict::Ignore => &mut self.counts.ignored,
        };
        *count += 1;
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        gossip.report_message_validation_result(message, id, acceptance);
        self.judge(*id);
    }

    /// How a peer behaves.
    pub(super) fn score(&mut self, id: &PeerId) -> f64 {
        let points = self.scores.points(id, Instant::now());
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        // Who has said nothing of gossip yet isn't known there.
        match gossip.set_application_score(id, points) {
            true => gossip.peer_score(id).unwrap_or(points),
            false => points,
        }
    }

    /// Cuts a peer off that did too much of what it shouldn't.
    pub(super) fn judge(&mut self, id: PeerId) {
        if self.score(&id) < SHUNNED_BELOW && self.scores.shun(id, Instant::now()) {
            self.giver.gone(&id);
            self.swarm.behaviour_mut().blocked.block_peer(id);
        }
    }

    /// Lets those begin anew who were cut off for long enough.
    pub(super) fn pardon(&mut self, now: Instant) {
        for id in self.scores.pardoned(now) {
            if self.seeker.dropped(&id).is_none() && !self.settings.blocked.contains(&id) {
                self.swarm.behaviour_mut().blocked.unblock_peer(id);
            }
        }
    }
}

/// Tells whether what a peer sent breaks the rules, and didn't just break off.
fn is_nonsense(failure: &InboundFailure) -> bool {
    matches!(failure, InboundFailure::Io(error) if error.kind() == std::io::ErrorKind::InvalidData)
}
