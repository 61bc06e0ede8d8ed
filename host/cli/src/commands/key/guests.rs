//! Keys that guests keep, as far as a person may see them.

use homestar_core::key::SigningKey;
use homestar_core::ucan::Did;
use homestar_core::ucan::varsig::Algorithm;
use homestar_engine::drivers::keys::{Algorithm as Purpose, Kept, Key};
use zeroize::Zeroizing;

use crate::error::CommandError;
use crate::{keyring, paths};

/// Returns the folder of these keys.
pub(super) fn kept() -> Result<Kept, CommandError> {
    Ok(Kept::new(paths::keys().map_err(CommandError::input)?))
}

/// Returns the key of that name.
pub(super) fn open(name: &str) -> Result<Key, CommandError> {
    let key = kept()?.load(name).map_err(CommandError::input)?;
    key.ok_or_else(|| keyring::missing(&format!("crypto={name}")))
}

/// Returns who signs with it, if anybody can.
pub(super) fn did(key: &Key) -> Option<Did> {
    let algorithm = match key.algorithm() {
        Purpose::Ed25519 => Algorithm::Ed25519,
        Purpose::P256 => Algorithm::P256,
        Purpose::Secp256k1 => Algorithm::Secp256k1,
        _ => return None,
    };
    Did::from_key(algorithm, key.public().ok()?).ok()
}

/// Lets guests use a key that signs, under a name that no other of theirs has.
pub(super) fn keep(name: &str, key: &SigningKey) -> Result<(), CommandError> {
    let purpose = match key.algorithm() {
        Algorithm::P256 => Purpose::P256,
        Algorithm::Secp256k1 => Purpose::Secp256k1,
        _ => Purpose::Ed25519,
    };
    let secret = Zeroizing::new(key.secret().to_vec());
    let key = Key::new(purpose, secret).map_err(CommandError::host)?;
    let kept = kept()?;
    // Who makes a key doesn't mean to find that it is there already, and the same.
    if kept.load(name).map_err(CommandError::input)?.is_some() {
        return Err(CommandError::input(format!(
            "there is a key crypto={name} already"
        )));
    }
    kept.keep(name, &key).map_err(CommandError::input)
}
