//! Gossip: how libp2p's gossipsub is set up, so that nobody passes on what wasn't looked at.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use homestar_core::ipld::cid_of_raw;
use libp2p::gossipsub::{
    self, ConfigBuilder, DataTransform, MaxCountSubscriptionFilter, MessageAuthenticity, MessageId,
    PeerScoreParams, PeerScoreThresholds, RawMessage, TopicHash, TopicScoreParams, ValidationMode,
    WhitelistSubscriptionFilter, score_parameter_decay,
};
use libp2p::identity::Keypair;

use super::PeersError;
use super::listener::{GOSSIP_BYTES_MAX, Topic};
use super::score::{SHUNNED_BELOW, SHUNNED_FOR};

/// Bytes that a message may have with its topic, author, number and signature: those of an RSA key have some 1,000.
const WITH_ENVELOPE_BYTES_MAX: usize = GOSSIP_BYTES_MAX + 1_500;
/// Bytes that come in one go. js-libp2p answers with several messages at once.
const FRAME_BYTES_MAX: usize = 64 << 10;
/// Messages that come in one go.
const FRAME_MESSAGES_MAX: usize = 64;
/// Frames that wait to be sent to one peer. What finds no room is lost: somebody else passes it on.
const QUEUE_MAX: usize = 64;
/// Topics that a peer may say it follows, in one go or in all. There are two; names of others are looked at and forgotten.
const TOPICS_MAX: usize = 16;
/// How long a message is known again.
const KNOWN_AGAIN: Duration = Duration::from_secs(60);
/// How long what a peer sent that was rejected counts against it.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);
/// Peers of one address that aren't suspected to be one. Whole offices are behind one address.
const PEERS_PER_ADDRESS: f64 = 20.0;

/// Gossip as part of a swarm.
pub(super) type Behaviour =
    gossipsub::Behaviour<Known, MaxCountSubscriptionFilter<WhitelistSubscriptionFilter>>;

/// Takes nothing of topics that nobody here knows: such messages would be kept for a while, and for nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known;

impl DataTransform for Known {
    fn inbound_transform(&self, raw: RawMessage) -> Result<gossipsub::Message, io::Error> {
        if Topic::of(&raw.topic).is_none() || raw.data.len() > GOSSIP_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(gossipsub::Message {
            source: raw.source,
            data: raw.data,
            sequence_number: raw.sequence_number,
            topic: raw.topic,
        })
    }

    fn outbound_transform(&self, _: &TopicHash, data: Vec<u8>) -> Result<Vec<u8>, io::Error> {
        Ok(data)
    }
}

/// Makes it. What comes is asked about before it is passed on.
pub(super) fn behaviour(keypair: &Keypair) -> Result<Behaviour, PeersError> {
    let mut config = ConfigBuilder::default();
    config
        .validation_mode(ValidationMode::Strict)
        .validate_messages()
        .message_id_fn(id)
        .max_transmit_size(FRAME_BYTES_MAX)
        .max_publish_messages(FRAME_MESSAGES_MAX)
        .connection_handler_queue_len(QUEUE_MAX)
        .duplicate_cache_time(KNOWN_AGAIN);
    let mut topics = HashMap::new();
    for topic in Topic::ALL {
        let hash = topic.ident().hash();
        config.max_transmit_size_for_topic(WITH_ENVELOPE_BYTES_MAX, hash.clone());
        topics.insert(hash, topic_score());
    }
    let filter = MaxCountSubscriptionFilter {
        filter: WhitelistSubscriptionFilter(topics.keys().cloned().collect()),
        max_subscribed_topics: TOPICS_MAX,
        max_subscriptions_per_request: TOPICS_MAX,
    };
    let config = config
        .build()
        .map_err(|error| PeersError::Gossip(error.to_string()))?;
    let signed = MessageAuthenticity::Signed(keypair.clone());
    let mut behaviour =
        Behaviour::new_with_subscription_filter_and_transform(signed, config, filter, Known)
            .map_err(|error| PeersError::Gossip(error.to_owned()))?;
    behaviour
        .with_peer_score(score(topics), thresholds())
        .map_err(PeersError::Gossip)?;
    Ok(behaviour)
}

/// What a message is known again by: what it says, where, and who wrote it. Sent again, it is the same. The author belongs to
/// it, or else whoever sends a message first under their own name would have the author's own taken for a repetition.
fn id(message: &gossipsub::Message) -> MessageId {
    let mut all = message
        .source
        .map_or_else(Vec::new, |source| source.to_bytes());
    for part in [message.topic.as_str().as_bytes(), &message.data] {
        all.extend_from_slice(&(part.len() as u64).to_be_bytes());
        all.extend_from_slice(part);
    }
    MessageId::new(cid_of_raw(&all).hash().digest())
}

/// Nonsense weighs more than anything else, and what is good about a peer can't outweigh it: one message that nobody should
/// have passed on, and it gets no more gossip of us for a while; with three it is shunned.
fn topic_score() -> TopicScoreParams {
    TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: 0.01,
        time_in_mesh_quantum: Duration::from_secs(1),
        time_in_mesh_cap: 300.0,
        first_message_deliveries_weight: 0.1,
        first_message_deliveries_decay: score_parameter_decay(REMEMBERED),
        first_message_deliveries_cap: 20.0,
        // There are hours in which nothing is said, so silence is no fault.
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: -20.0,
        invalid_message_deliveries_decay: score_parameter_decay(REMEMBERED),
        ..TopicScoreParams::default()
    }
}

fn score(topics: HashMap<TopicHash, TopicScoreParams>) -> PeerScoreParams {
    PeerScoreParams {
        topics,
        topic_score_cap: 10.0,
        app_specific_weight: 1.0,
        ip_colocation_factor_threshold: PEERS_PER_ADDRESS,
        ip_colocation_factor_whitelist: [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
            .into(),
        // Who loses its connection and comes back has done nothing wrong by it.
        behaviour_penalty_threshold: 6.0,
        retain_score: SHUNNED_FOR,
        ..PeerScoreParams::default()
    }
}

fn thresholds() -> PeerScoreThresholds {
    PeerScoreThresholds {
        gossip_threshold: -10.0,
        publish_threshold: -50.0,
        graylist_threshold: SHUNNED_BELOW,
        accept_px_threshold: 10.0,
        opportunistic_graft_threshold: 1.0,
    }
}

#[cfg(test)]
mod tests {
    use libp2p::PeerId;

    use super::*;

    #[test]
    fn a_message_is_the_same_if_author_topic_and_words_are() {
        let message = |source: PeerId, topic: Topic, data: &[u8], number: u64| {
            id(&gossipsub::Message {
                source: Some(source),
                data: data.to_vec(),
                sequence_number: Some(number),
                topic: topic.ident().hash(),
            })
        };
        let (alice, bob) = (PeerId::random(), PeerId::random());
        let said = message(alice, Topic::Receipts, b"words", 1);
        assert_eq!(said, message(alice, Topic::Receipts, b"words", 2));
        for other in [
            message(bob, Topic::Receipts, b"words", 1),
            message(alice, Topic::Announcements, b"words", 1),
            message(alice, Topic::Receipts, b"other words", 1),
        ] {
            assert_ne!(said, other);
        }
    }

    #[test]
    fn what_is_of_no_topic_or_too_large_is_not_kept() {
        let raw = |topic: &str, bytes: usize| RawMessage {
            source: None,
            data: vec![0; bytes],
            sequence_number: None,
            topic: TopicHash::from_raw(topic),
            signature: None,
            key: None,
            validated: false,
        };
        let known = Topic::Receipts.name();
        assert!(
            Known
                .inbound_transform(raw(known, GOSSIP_BYTES_MAX))
                .is_ok()
        );
        for raw in [raw(known, GOSSIP_BYTES_MAX + 1), raw("weather", 1)] {
            assert!(Known.inbound_transform(raw).is_err());
        }
    }
}
