//! Keys on curves and their signatures.
//!
//! - Ed25519 is checked as RFC 8032 says, without the cofactor: s below the order, R and the key in their one
//!   encoding. A key of low order is a key by that standard, though everybody can sign for it; who takes keys from
//!   strangers as names should refuse those.
//! - P-256 takes s and its negative, as FIPS 186 does: a signature has a second form that anyone can compute.
//! - secp256k1 takes only the lower s, and signs so, with the nonces of RFC 6979.

use curve25519_dalek::edwards::CompressedEdwardsY;
use ed25519_dalek::Signer;
use k256::ecdsa::signature::Verifier;
use p256::elliptic_curve::sec1::ToSec1Point;
use ring::rand::SecureRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    UnparsedPublicKey,
};
use zeroize::Zeroizing;

use super::key::{Key, no_random};
use super::types::{Algorithm, Error};

/// Length of a signature, of every algorithm.
const SIGNATURE_BYTES: usize = 64;

/// Signs a message. Only P-256 needs `random`: the others sign a message the same each time.
pub(super) fn sign(key: &Key, message: &[u8], random: &dyn SecureRandom) -> Result<Vec<u8>, Error> {
    match key.algorithm() {
        Algorithm::Ed25519 => Ok(ed25519(key.private())?.sign(message).to_vec()),
        Algorithm::P256 => p256_sign(key, message, random),
        Algorithm::Secp256k1 => {
            let signature: k256::ecdsa::Signature = secp256k1(key.private())?.sign(message);
            Ok(signature.to_bytes().to_vec())
        }
        other => Err(Error::WrongAlgorithm(other)),
    }
}

/// Tells whether a signature is that of a message under a public key.
pub(super) fn verify(
    algorithm: Algorithm,
    public: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<bool, Error> {
    let check = match algorithm {
        Algorithm::Ed25519 => ed25519_verify,
        Algorithm::P256 => p256_verify,
        Algorithm::Secp256k1 => secp256k1_verify,
        other => return Err(Error::WrongAlgorithm(other)),
    };
    if signature.len() != SIGNATURE_BYTES {
        let bytes = signature.len();
        return Err(Error::size("a signature", bytes, SIGNATURE_BYTES));
    }
    check(public, message, signature)
}

pub(super) fn ed25519_public(seed: &[u8]) -> Result<Vec<u8>, Error> {
    Ok(ed25519(seed)?.verifying_key().to_bytes().to_vec())
}

fn ed25519(seed: &[u8]) -> Result<ed25519_dalek::SigningKey, Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    if seed.len() != bytes.len() {
        return Err(Error::InvalidKey);
    }
    bytes.copy_from_slice(seed);
    Ok(ed25519_dalek::SigningKey::from_bytes(&bytes))
}

fn ed25519_verify(public: &[u8], message: &[u8], signature: &[u8]) -> Result<bool, Error> {
    let bytes: [u8; 32] = public
        .try_into()
        .map_err(|_| Error::size("a public key of ed25519", public.len(), 32))?;
    // ring takes other encodings of a point too, which RFC 8032 (5.1.3) doesn't.
    let point = CompressedEdwardsY(bytes).decompress();
    if point.is_none_or(|point| point.compress().to_bytes() != bytes) {
        return Err(Error::InvalidKey);
    }
    let key = UnparsedPublicKey::new(&ED25519, public);
    Ok(key.verify(message, signature).is_ok())
}

/// The public key, compressed.
pub(super) fn p256_public(scalar: &[u8]) -> Result<Vec<u8>, Error> {
    let key = p256::SecretKey::from_slice(scalar).map_err(|_| Error::InvalidKey)?;
    Ok(key.public_key().to_sec1_point(true).as_bytes().to_vec())
}

fn p256_sign(key: &Key, message: &[u8], random: &dyn SecureRandom) -> Result<Vec<u8>, Error> {
    let public = p256_point(key.public()?)?;
    EcdsaKeyPair::from_private_key_and_public_key(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        key.private(),
        &public,
        random,
    )
    .map_err(|_| Error::InvalidKey)?
    .sign(random, message)
    .map(|signature| signature.as_ref().to_vec())
    .map_err(|_| no_random())
}

fn p256_verify(public: &[u8], message: &[u8], signature: &[u8]) -> Result<bool, Error> {
    let point = p256_point(public)?;
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    Ok(key.verify(message, signature).is_ok())
}

/// The uncompressed form, which ring wants, of a point on the curve.
fn p256_point(public: &[u8]) -> Result<Vec<u8>, Error> {
    check_point(Algorithm::P256, public)?;
    let key = p256::PublicKey::from_sec1_bytes(public).map_err(|_| Error::InvalidKey)?;
    Ok(key.to_sec1_point(false).as_bytes().to_vec())
}

/// The public key, compressed.
pub(super) fn secp256k1_public(scalar: &[u8]) -> Result<Vec<u8>, Error> {
    let key = secp256k1(scalar)?;
    let point = key.verifying_key().to_sec1_point(true);
    Ok(point.as_bytes().to_vec())
}

fn secp256k1(scalar: &[u8]) -> Result<k256::ecdsa::SigningKey, Error> {
    k256::ecdsa::SigningKey::from_slice(scalar).map_err(|_| Error::InvalidKey)
}

fn secp256k1_verify(public: &[u8], message: &[u8], signature: &[u8]) -> Result<bool, Error> {
    check_point(Algorithm::Secp256k1, public)?;
    let key = k256::ecdsa::VerifyingKey::from_sec1_bytes(public).map_err(|_| Error::InvalidKey)?;
    // Zero and what is not below the order is no number of a signature.
    let Ok(signature) = k256::ecdsa::Signature::from_slice(signature) else {
        return Ok(false);
    };
    let is_low = signature.normalize_s() == signature;
    Ok(is_low && key.verify(message, &signature).is_ok())
}

/// Refuses what can't be a point, compressed or not. SEC 1 has more forms, which nobody uses.
fn check_point(algorithm: Algorithm, public: &[u8]) -> Result<(), Error> {
    match (public.len(), public.first()) {
        (33, Some(2 | 3)) | (65, Some(4)) => Ok(()),
        (33 | 65, _) => Err(Error::InvalidKey),
        (bytes, _) => Err(Error::size(
            format!("a public key of {algorithm}"),
            bytes,
            "33, or 65 if it is not compressed",
        )),
    }
}
