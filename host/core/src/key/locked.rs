//! Keys under a passphrase: encrypted PKCS#8, as `openssl pkcs8 -topk8` writes and reads it.

use pkcs8::der::pem::PemLabel;
use pkcs8::der::{Decode, Document, SecretDocument};
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::{Kdf, Parameters};
use pkcs8::pkcs5::scrypt;
use pkcs8::{DecodePrivateKey, EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef};
use std::fmt;
use thiserror::Error;

use super::{KeyError, SigningKey};
use crate::ucan::did::Did;

/// Bytes of the salt and of the initialization vector.
pub const SALT_BYTES: usize = 16;

/// What scrypt costs for keys that are locked here: 16 MiB, which is the most that OpenSSL agrees to, five times.
const LOG_N: u8 = 14;
const BLOCK_SIZE: u32 = 8;
const PARALLEL: u32 = 5;

/// What opening a key that came from elsewhere may cost: memory and work of scrypt, in bytes, and rounds of PBKDF2.
/// Each takes a few seconds.
const MEMORY_MAX: u64 = 256 << 20;
const WORK_MAX: u64 = 2 << 30;
const ROUNDS_MAX: u32 = 10_000_000;

/// A private key that only a passphrase opens.
///
/// Who it is stands beside it, if it was locked here: a public key in PEM behind the encrypted one, which other
/// programs pass over. It is checked when the key is opened.
#[derive(Clone)]
pub struct LockedKey {
    document: Document,
    did: Option<Did>,
}

impl LockedKey {
    /// Reads the first such key of a text in PEM, if there is one.
    pub(super) fn parse(text: &str) -> Option<Result<Self, KeyError>> {
        let block = super::block(text, EncryptedPrivateKeyInfoRef::PEM_LABEL)?;
        let did = super::block(text, "PUBLIC KEY").and_then(|block| Did::from_pem(block).ok());
        // How it is encrypted is looked at when it is opened: then there is more to say of it.
        let read = Document::from_pem(block).map_err(|_| KeyError);
        Some(read.map(|(_, document)| Self { document, did }))
    }

    /// Locks a key. Salt and vector are random and never used again.
    pub(super) fn new(
        key: &SigningKey,
        passphrase: &[u8],
        salt: &[u8; SALT_BYTES],
        vector: &[u8; SALT_BYTES],
    ) -> Self {
        let document = SecretDocument::from_pem(&key.to_pem())
            .expect("what was written")
            .1;
        let info = PrivateKeyInfoRef::from_der(document.as_bytes()).expect("what was written");
        let cost = scrypt::Params::new(LOG_N, BLOCK_SIZE, PARALLEL).expect("within bounds");
        let parameters = Parameters::generate_scrypt_aes256cbc(cost, salt, *vector);
        let encrypted = info
            .encrypt_with_params(parameters.expect("a salt of 16 bytes"), passphrase)
            .expect("a key of some 100 bytes is encrypted");
        Self {
            document: Document::from_der(encrypted.as_bytes()).expect("what was written"),
            did: Some(key.did()),
        }
    }

    /// Who signs with it, as its file says; none if it doesn't.
    pub fn did(&self) -> Option<&Did> {
        self.did.as_ref()
    }

    /// The encrypted key in PEM, and nothing else.
    pub fn to_private_pem(&self) -> String {
        let label = EncryptedPrivateKeyInfoRef::PEM_LABEL;
        let pem = self.document.to_pem(label, LineEnding::LF);
        pem.expect("a document has a PEM form")
    }

    /// The encrypted key in PEM, and behind it who it is, if that is known.
    pub fn to_pem(&self) -> String {
        let public = self.did.as_ref().map(Did::to_pem).unwrap_or_default();
        self.to_private_pem() + &public
    }

    /// Opens it. That takes a tenth of a second and 16 MiB, as it must.
    pub fn unlock(&self, passphrase: &[u8]) -> Result<SigningKey, UnlockError> {
        let info = EncryptedPrivateKeyInfoRef::from_der(self.document.as_bytes())
            .map_err(|_| UnlockError::Unsupported)?;
        within_cost(&info.encryption_algorithm)?;
        let opened = info.decrypt(passphrase).map_err(|error| match error {
            pkcs8::Error::EncryptedPrivateKey(
                pkcs8::pkcs5::Error::UnsupportedAlgorithm { .. }
                | pkcs8::pkcs5::Error::NoPbes1CryptSupport,
            ) => UnlockError::Unsupported,
            _ => UnlockError::Passphrase,
        })?;
        let opened = opened.as_bytes();
        // A wrong passphrase rarely gives something that looks like a document, and never the document of a key.
        let key = of_document(opened).ok_or_else(|| match PrivateKeyInfoRef::from_der(opened) {
            Ok(_) => UnlockError::Foreign,
            Err(_) => UnlockError::Passphrase,
        })?;
        match &self.did {
            Some(did) if *did != key.did() => Err(UnlockError::Another),
            _ => Ok(key),
        }
    }
}

impl fmt::Debug for LockedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LockedKey").field(&self.did).finish()
    }
}

fn of_document(bytes: &[u8]) -> Option<SigningKey> {
    use super::Secret;
    let key = ed25519_dalek::SigningKey::from_pkcs8_der(bytes).map(Secret::Ed25519);
    let key = key.or_else(|_| p256::ecdsa::SigningKey::from_pkcs8_der(bytes).map(Secret::P256));
    let key =
        key.or_else(|_| k256::ecdsa::SigningKey::from_pkcs8_der(bytes).map(Secret::Secp256k1));
    key.ok().map(SigningKey::new)
}

/// Checks what opening would cost. The numbers stand in the file, and whoever wrote it may want to keep us busy.
fn within_cost(scheme: &EncryptionScheme) -> Result<(), UnlockError> {
    let EncryptionScheme::Pbes2(parameters) = scheme else {
        return Err(UnlockError::Unsupported);
    };
    let is_fine = match &parameters.kdf {
        Kdf::Pbkdf2(cost) => cost.iteration_count <= ROUNDS_MAX,
        Kdf::Scrypt(cost) => {
            let memory = cost
                .cost_parameter
                .saturating_mul(128 * u64::from(cost.block_size));
            let work = memory.saturating_mul(u64::from(cost.parallelization));
            cost.cost_parameter.is_power_of_two()
                && cost.cost_parameter > 1
                && memory <= MEMORY_MAX
                && work <= WORK_MAX
        }
        _ => false,
    };
    match is_fine {
        true => Ok(()),
        false => Err(UnlockError::Cost),
    }
}

/// Why a locked key doesn't open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UnlockError {
    /// Another passphrase.
    #[error("the passphrase isn't that of the key")]
    Passphrase,
    /// It opens, and is a key of another kind.
    #[error("it is no Ed25519, P-256 or secp256k1 key")]
    Foreign,
    /// It was locked in a way that we don't read, such as triple DES.
    #[error("it is encrypted in a way that isn't read: PBES2 with AES is")]
    Unsupported,
    /// It was locked at a cost that nobody needs.
    #[error("opening it takes more memory or time than any key should")]
    Cost,
    /// The public key beside it is another's.
    #[error("the public key in its file isn't that of the private one")]
    Another,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyFile;
    use crate::ucan::varsig::Algorithm;
    use pkcs8::pkcs5::pbes2::{Salt, ScryptParams};
    use proptest::prelude::*;

    fn keys() -> [SigningKey; 3] {
        Algorithm::ALL.map(|it| SigningKey::from_secret(it, &[7; 32]).expect("a key"))
    }

    fn locked(key: &SigningKey) -> LockedKey {
        key.lock(b"open sesame", &[1; SALT_BYTES], &[2; SALT_BYTES])
    }

    #[test]
    fn what_is_locked_opens_by_its_passphrase_alone() {
        for key in keys() {
            let locked = locked(&key);
            let text = locked.to_pem();
            let Ok(KeyFile::Locked(read)) = KeyFile::parse(&text) else {
                panic!("no locked key: {text}");
            };
            assert_eq!(read.did(), Some(&key.did()));
            assert_eq!(read.to_pem(), text);
            let opened = read.unlock(b"open sesame").expect("opens");
            assert_eq!(opened.did(), key.did());
            assert_eq!(*opened.to_pem(), *key.to_pem());
            for wrong in [&b"open sesam"[..], b"", b"open sesame\n"] {
                assert_eq!(read.unlock(wrong).err(), Some(UnlockError::Passphrase));
            }
            assert!(SigningKey::from_pem(&text).is_err());
            let shown = format!("{read:?}");
            assert_eq!(shown, format!("LockedKey(Some({:?}))", key.did()));
        }
    }

    #[test]
    fn salt_and_vector_matter() {
        let [key, ..] = keys();
        let one = key.lock(b"x", &[1; 16], &[2; 16]).to_pem();
        assert_ne!(one, key.lock(b"x", &[3; 16], &[2; 16]).to_pem());
        assert_ne!(one, key.lock(b"x", &[1; 16], &[3; 16]).to_pem());
    }

    #[test]
    fn the_public_key_beside_it_has_to_be_its_own() {
        let [key, other, _] = keys();
        let alone = locked(&key).to_private_pem();
        let Ok(KeyFile::Locked(read)) = KeyFile::parse(&alone) else {
            panic!("no locked key");
        };
        assert_eq!(read.did(), None);
        assert!(read.unlock(b"open sesame").is_ok());
        let Ok(KeyFile::Locked(read)) = KeyFile::parse(&(alone + &other.did().to_pem())) else {
            panic!("no locked key");
        };
        assert_eq!(
            read.unlock(b"open sesame").err(),
            Some(UnlockError::Another)
        );
    }

    #[test]
    fn costs_have_bounds() {
        let scrypt = |cost_parameter, block_size, parallelization| {
            let kdf = Kdf::Scrypt(ScryptParams {
                salt: Salt::new([1; 16]).expect("a salt"),
                cost_parameter,
                block_size,
                parallelization,
                key_length: None,
            });
            let encryption = pkcs8::pkcs5::pbes2::EncryptionScheme::Aes256Cbc { iv: [2; 16] };
            within_cost(&Parameters { kdf, encryption }.into())
        };
        assert_eq!(scrypt(1 << 14, 8, 5), Ok(()));
        assert_eq!(scrypt(1 << 17, 8, 1), Ok(()));
        for (n, r, p) in [
            (0, 8, 1),
            (1, 8, 1),
            (3, 8, 1),
            (1 << 19, 8, 1),
            (1 << 63, 8, 1),
            (1 << 14, u16::MAX, 1),
            (1 << 14, 8, u16::MAX),
        ] {
            assert_eq!(scrypt(n, r, p), Err(UnlockError::Cost), "{n} {r} {p}");
        }
        let pbkdf2 = |rounds| {
            let kdf = pkcs8::pkcs5::pbes2::Pbkdf2Params::hmac_sha256(rounds, &[1; 16]);
            let kdf = Kdf::Pbkdf2(kdf.expect("parameters"));
            let encryption = pkcs8::pkcs5::pbes2::EncryptionScheme::Aes256Cbc { iv: [2; 16] };
            within_cost(&Parameters { kdf, encryption }.into())
        };
        assert_eq!(pbkdf2(2048), Ok(()));
        assert_eq!(pbkdf2(ROUNDS_MAX + 1), Err(UnlockError::Cost));
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String, at: usize, byte: u8) {
            let _ = KeyFile::parse(&text);
            let [key, ..] = keys();
            let mut pem = key.to_pem().as_bytes().to_vec();
            let at = at % pem.len();
            pem[at] = byte;
            let _ = KeyFile::parse(&String::from_utf8_lossy(&pem));
        }

        #[test]
        fn no_document_panics(at: usize, byte: u8) {
            let [key, ..] = keys();
            // Not `locked`: deriving a key takes its time, and what is in front of it is what may panic.
            static LOCKED: std::sync::OnceLock<LockedKey> = std::sync::OnceLock::new();
            let locked = LOCKED.get_or_init(|| locked(&key));
            let mut bytes = locked.document.as_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(info) = EncryptedPrivateKeyInfoRef::from_der(&bytes) {
                let _ = within_cost(&info.encryption_algorithm);
            }
        }
    }
}
