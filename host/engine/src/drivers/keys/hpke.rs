//! A text sealed to the owner of a key: HPKE (RFC 9180) in base mode, one message, with DHKEM(X25519, HKDF-SHA256),
//! HKDF-SHA256 and ChaCha20-Poly1305.
//!
//! All that is ever expanded fits into one block of HKDF, so that HMAC is all that is needed.

use ring::hmac;
use ring::rand::SecureRandom;
use zeroize::Zeroizing;

use super::key::Key;
use super::types::{Algorithm, Error};
use super::{aead, agree};

/// `suite_id` of the KEM: its number is 0x0020.
const KEM_SUITE: &[u8] = b"KEM\x00\x20";
/// `suite_id` of the whole: KEM 0x0020, KDF 0x0001, AEAD 0x0003.
const SUITE: &[u8] = b"HPKE\x00\x20\x00\x01\x00\x03";
/// The mode without a pre-shared key or an authenticated sender.
const MODE_BASE: u8 = 0;
/// Length of an AEAD key, and of a hash.
const HASH_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;

/// Seals a text. The encapsulated key comes first.
pub(super) fn seal(
    public: &[u8],
    info: &[u8],
    additional: &[u8],
    plaintext: &[u8],
    random: &dyn SecureRandom,
) -> Result<Vec<u8>, Error> {
    let ephemeral = Key::generate(Algorithm::X25519, random)?;
    seal_with(&ephemeral, public, info, additional, plaintext)
}

pub(super) fn seal_with(
    ephemeral: &Key,
    public: &[u8],
    info: &[u8],
    additional: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    let shared = agree::shared(ephemeral.private(), public)?;
    let encapsulated = ephemeral.public()?;
    let message = Message::new(&shared, encapsulated, public, info)?;
    let ciphertext = aead::encrypt(&message.key, &message.nonce, additional, plaintext)?;
    Ok([encapsulated, &ciphertext].concat())
}

/// Opens what [`seal`] gave to the owner of `key`.
pub(super) fn open(
    key: &Key,
    info: &[u8],
    additional: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, Error> {
    const OVERHEAD: usize = agree::BYTES + aead::TAG_BYTES;
    let private = key.private_of(&[Algorithm::X25519])?;
    if sealed.len() < OVERHEAD {
        let right = format!("at least {OVERHEAD}, those of the encapsulated key and the tag");
        return Err(Error::size("a sealed text", sealed.len(), right));
    }
    let (encapsulated, ciphertext) = sealed.split_at(agree::BYTES);
    let shared = agree::shared(private, encapsulated)?;
    let message = Message::new(&shared, encapsulated, key.public()?, info)?;
    aead::decrypt(&message.key, &message.nonce, additional, ciphertext)
}

/// With what the one message is encrypted.
struct Message {
    key: Key,
    nonce: Zeroizing<Vec<u8>>,
}

impl Message {
    /// `ExtractAndExpand`, then `KeySchedule` (RFC 9180, 4.1 and 5.1).
    fn new(shared: &[u8], encapsulated: &[u8], public: &[u8], info: &[u8]) -> Result<Self, Error> {
        let prk = extract(KEM_SUITE, &[], b"eae_prk", shared);
        let kem_context = [encapsulated, public].concat();
        let secret = expand(KEM_SUITE, &prk, b"shared_secret", &kem_context, HASH_BYTES);

        let psk_id_hash = extract(SUITE, &[], b"psk_id_hash", &[]);
        let info_hash = extract(SUITE, &[], b"info_hash", info);
        let context = [&[MODE_BASE], &**psk_id_hash, &**info_hash].concat();
        let secret = extract(SUITE, &secret, b"secret", &[]);
        let key = expand(SUITE, &secret, b"key", &context, HASH_BYTES);
        Ok(Self {
            key: Key::new(Algorithm::Chacha20Poly1305, key)?,
            nonce: expand(SUITE, &secret, b"base_nonce", &context, NONCE_BYTES),
        })
    }
}

/// `LabeledExtract`.
fn extract(suite: &[u8], salt: &[u8], label: &[u8], text: &[u8]) -> Zeroizing<Vec<u8>> {
    hmac_of(salt, &[b"HPKE-v1", suite, label, text])
}

/// `LabeledExpand`, to no more bytes than a hash has.
fn expand(suite: &[u8], prk: &[u8], label: &[u8], info: &[u8], bytes: usize) -> Zeroizing<Vec<u8>> {
    debug_assert!(bytes <= HASH_BYTES, "one block is enough");
    let length = (bytes as u16).to_be_bytes();
    let mut key = hmac_of(prk, &[&length, b"HPKE-v1", suite, label, info, &[1]]);
    key.truncate(bytes);
    key
}

fn hmac_of(key: &[u8], parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut context = hmac::Context::with_key(&key);
    for part in parts {
        context.update(part);
    }
    Zeroizing::new(context.sign().as_ref().to_vec())
}
