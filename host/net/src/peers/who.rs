//! Peers and signers: the key of a node is the key of its owner.

use homestar_core::ipld::IDENTITY;
use homestar_core::ucan::Did;
use homestar_core::ucan::varsig::Algorithm;
use libp2p::PeerId;
use libp2p::identity::{KeyType, PublicKey, ecdsa, ed25519, secp256k1};

/// Returns the peer that a signer is, if it runs a node.
pub fn peer_of(did: &Did) -> Option<PeerId> {
    let bytes = did.as_bytes();
    let key: PublicKey = match did.algorithm() {
        Algorithm::Ed25519 => ed25519::PublicKey::try_from_bytes(bytes).ok()?.into(),
        Algorithm::P256 => ecdsa::PublicKey::try_from_bytes(bytes).ok()?.into(),
        Algorithm::Secp256k1 => secp256k1::PublicKey::try_from_bytes(bytes).ok()?.into(),
        _ => return None,
    };
    Some(key.to_peer_id())
}

/// Returns the signer that a peer is, as far as its id says that: ids of keys of P-256 are hashes.
pub fn did_of(peer: &PeerId) -> Option<Did> {
    let hash = peer.as_ref();
    if hash.code() != IDENTITY {
        return None;
    }
    let key = PublicKey::try_decode_protobuf(hash.digest()).ok()?;
    let (algorithm, bytes) = match key.key_type() {
        KeyType::Ed25519 => (
            Algorithm::Ed25519,
            key.try_into_ed25519().ok()?.to_bytes().to_vec(),
        ),
        KeyType::Secp256k1 => (
            Algorithm::Secp256k1,
            key.try_into_secp256k1().ok()?.to_bytes().to_vec(),
        ),
        _ => return None,
    };
    Did::from_key(algorithm, &bytes).ok()
}

#[cfg(test)]
mod tests {
    use homestar_core::key::SigningKey;

    use super::super::network::Network;
    use super::*;

    #[test]
    fn a_node_is_known_by_its_owners_name() {
        for algorithm in Algorithm::ALL {
            let key = SigningKey::from_secret(algorithm, &[7; 32]).unwrap();
            let id = Network::new(&key).unwrap().id();
            assert_eq!(peer_of(&key.did()), Some(id));
            let said = (algorithm != Algorithm::P256).then(|| key.did());
            assert_eq!(did_of(&id), said);
        }
    }
}
