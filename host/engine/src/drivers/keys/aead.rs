//! Encryption with authentication: AES-GCM (NIST SP 800-38D) and ChaCha20-Poly1305 (RFC 8439).

use ring::aead::{
    AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey,
};

use super::key::Key;
use super::types::{Algorithm, Error};

/// Length of a tag, of every algorithm.
pub(super) const TAG_BYTES: usize = 16;

/// Encrypts; the tag comes last.
pub(super) fn encrypt(
    key: &Key,
    nonce: &[u8],
    additional: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    let (key, nonce) = (cipher(key)?, checked(nonce)?);
    let mut text = Vec::with_capacity(plaintext.len() + TAG_BYTES);
    text.extend_from_slice(plaintext);
    key.seal_in_place_append_tag(nonce, Aad::from(additional), &mut text)
        .map_err(|_| Error::Size("a text is longer than one nonce can encrypt".into()))?;
    Ok(text)
}

/// Decrypts what [`encrypt`] gave.
pub(super) fn decrypt(
    key: &Key,
    nonce: &[u8],
    additional: &[u8],
    ciphertext: &[u8],
) -> Result<Vec<u8>, Error> {
    let (key, nonce) = (cipher(key)?, checked(nonce)?);
    let Some(bytes) = ciphertext.len().checked_sub(TAG_BYTES) else {
        return Err(shorter_than_tag(ciphertext));
    };
    let mut text = ciphertext.to_vec();
    key.open_in_place(nonce, Aad::from(additional), &mut text)
        .map_err(|_| Error::Tampered)?;
    text.truncate(bytes);
    Ok(text)
}

fn shorter_than_tag(ciphertext: &[u8]) -> Error {
    let right = format!("at least {TAG_BYTES}, the length of the tag");
    Error::size("a ciphertext", ciphertext.len(), right)
}

fn cipher(key: &Key) -> Result<LessSafeKey, Error> {
    let algorithm = match key.algorithm() {
        Algorithm::Aes128Gcm => &AES_128_GCM,
        Algorithm::Aes256Gcm => &AES_256_GCM,
        Algorithm::Chacha20Poly1305 => &CHACHA20_POLY1305,
        other => return Err(Error::WrongAlgorithm(other)),
    };
    let key = UnboundKey::new(algorithm, key.private()).map_err(|_| Error::InvalidKey)?;
    Ok(LessSafeKey::new(key))
}

fn checked(nonce: &[u8]) -> Result<Nonce, Error> {
    Nonce::try_assume_unique_for_key(nonce)
        .map_err(|_| Error::size("a nonce", nonce.len(), NONCE_LEN))
}
