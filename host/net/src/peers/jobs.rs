//! What takes time, done elsewhere than in the actor.

use std::sync::Arc;

use homestar_core::ipld::{Block, Cid, DAG_PB, MAX_BLOCK_BYTES, cid_of};
use libp2p::PeerId;
use libp2p::gossipsub::MessageId;
use libp2p::request_response::ResponseChannel;

use super::Verdict;
use super::dags::Gave;
use super::lookup::{Names, RECEIPTS_OF_ONE_MAX, Ran};
use crate::BlockSource;
use crate::bitswap::{Answer, Asked, Checked, Payload, Prefix};

/// What came of a job.
#[derive(Debug)]
pub(super) enum Done {
    Verified(PeerId, Vec<Checked>),
    Looked(PeerId, Vec<Asked>, Vec<Answer>),
    /// What is to become of gossip that a peer passed on.
    Heard(PeerId, MessageId, Verdict),
    /// A DAG was given to a peer.
    Gave(PeerId, Gave),
    /// Which receipts there are of what a peer asked for.
    Named(ResponseChannel<Names>, Names),
}

/// Hashes what a peer sent.
pub(super) fn verify(id: PeerId, payloads: Vec<Payload>) -> Done {
    Done::Verified(id, payloads.into_iter().map(check).collect())
}

fn check(payload: Payload) -> Checked {
    let codec = match payload.prefix {
        Prefix::V0 => DAG_PB,
        Prefix::V1 { codec } => codec,
        Prefix::Other => return Checked::Unknown,
    };
    let cid = cid_of(codec, &payload.data);
    let cid = match payload.prefix {
        Prefix::V0 => Cid::new_v0(*cid.hash()).unwrap_or(cid),
        _ => cid,
    };
    if payload.data.len() > MAX_BLOCK_BYTES {
        return Checked::TooLarge(cid);
    }
    Block::verify(cid, payload.data).map_or(Checked::Unknown, Checked::Block)
}

/// Looks up what a peer asked for. What can't be read isn't there, for others.
pub(super) fn look(id: PeerId, all: Vec<Asked>, source: &Arc<dyn BlockSource>) -> Done {
    let size = |cid: &Cid| source.size(cid).ok().flatten();
    let get = |cid: &Cid| source.get(cid).ok().flatten();
    let answers = Asked::look(&all, size, get);
    Done::Looked(id, all, answers)
}

/// Looks up which receipts there are for a peer.
pub(super) fn name(
    channel: ResponseChannel<Names>,
    ran: &Ran,
    source: &Arc<dyn BlockSource>,
) -> Done {
    let mut names = source.receipts_of(&ran.0).unwrap_or_default();
    names.truncate(ran.0.len());
    names
        .iter_mut()
        .for_each(|one| one.truncate(RECEIPTS_OF_ONE_MAX));
    Done::Named(channel, Names(names))
}

#[cfg(test)]
mod tests {
    use homestar_core::ipld::RAW;

    use super::*;

    fn checked(prefix: Prefix, data: &[u8]) -> Checked {
        let data = data.to_vec().into();
        check(Payload { prefix, data })
    }

    #[test]
    fn what_came_is_named_by_its_hash() {
        let block = Block::raw(b"hello".to_vec());
        let raw = Prefix::V1 { codec: RAW };
        assert_eq!(checked(raw, b"hello"), Checked::Block(block));
        let node = Block::new(DAG_PB, b"hello".to_vec());
        let v0 = Cid::new_v0(*node.cid().hash()).unwrap();
        let v0 = Block::verify(v0, b"hello".to_vec()).unwrap();
        assert_eq!(checked(Prefix::V0, b"hello"), Checked::Block(v0));
        assert_eq!(checked(Prefix::Other, b"hello"), Checked::Unknown);
        let large = vec![0; MAX_BLOCK_BYTES + 1];
        assert_eq!(checked(raw, &large), Checked::TooLarge(cid_of(RAW, &large)));
    }
}
