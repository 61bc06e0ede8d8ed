//! Peers and signers: the key of a node is the key of its owner.

use homestar_core::ucan::Did;
use homestar_core::ucan::varsig::Algorithm;
use libp2p::PeerId;
use libp2p::identity::{PublicKey, ecdsa, ed25519, secp256k1};

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
        }
    }
}
