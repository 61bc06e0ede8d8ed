//! Agreement by X25519 (RFC 7748).
//!
//! Public keys are taken in every encoding, as the RFC demands; a shared secret of zeros, to which keys of low order
//! lead, is refused (6.1).

use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::types::Error;

/// Length of keys and shared secrets.
pub(super) const BYTES: usize = 32;

/// The public key that goes with a private one.
pub(super) fn public(private: &[u8]) -> Result<Vec<u8>, Error> {
    Ok(PublicKey::from(&secret(private)?).to_bytes().to_vec())
}

/// The secret shared by the owners of a private key and of a public one.
pub(super) fn shared(private: &[u8], public: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let public: [u8; BYTES] = public
        .try_into()
        .map_err(|_| Error::size("a public key of x25519", public.len(), BYTES))?;
    let shared = secret(private)?.diffie_hellman(&PublicKey::from(public));
    if shared.was_contributory() {
        Ok(Zeroizing::new(shared.as_bytes().to_vec()))
    } else {
        Err(Error::InvalidKey)
    }
}

fn secret(private: &[u8]) -> Result<StaticSecret, Error> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    if private.len() != BYTES {
        return Err(Error::InvalidKey);
    }
    bytes.copy_from_slice(private);
    Ok(StaticSecret::from(*bytes))
}
