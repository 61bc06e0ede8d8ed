//! What delegations and invocations have in common.

use thiserror::Error;

use super::command::CommandError;
use super::did::{self, Did, DidError};
use super::envelope::{self, Envelope, EnvelopeError, Kind, Version};
use super::policy::PolicyError;
use super::varsig::Algorithm;
use crate::ipld::{Block, Cid, DAG_CBOR, EncodeError, FieldError, Fields, Ipld, cid_of_dag_cbor};
use crate::key::SigningKey;
use sha2::{Digest, Sha256};

/// The largest time, and its negative the smallest: what a JavaScript number holds exactly.
pub const MAX_TIME: i64 = (1 << 53) - 1;

/// The bytes of a token, and where its signature is in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    block: Block,
    version: Version,
    algorithm: Algorithm,
    signature_len: usize,
    signed_len: usize,
}

impl Seal {
    /// Takes a token of this kind apart. Nothing of it is true before [`check`](Self::check).
    pub(super) fn open(kind: Kind, bytes: Vec<u8>) -> Result<(Ipld, Self), TokenError> {
        let envelope = Envelope::decode(&bytes)?;
        if envelope.tag().kind != kind {
            return Err(TokenError::Kind { expected: kind });
        }
        let version = envelope.tag().version;
        let (algorithm, signature, signed) = envelope.signature();
        let (signature_len, signed_len) = (signature.len(), signed.len());
        let payload = envelope.into_payload();
        let seal = Self {
            block: Block::new(DAG_CBOR, bytes),
            version,
            algorithm,
            signature_len,
            signed_len,
        };
        Ok((payload, seal))
    }

    /// Signs a payload.
    pub(super) fn sign(kind: Kind, payload: Ipld, key: &SigningKey) -> Result<Self, EncodeError> {
        let (bytes, signed_len) = envelope::seal(kind, payload, key)?;
        Ok(Self {
            block: Block::new(DAG_CBOR, bytes),
            version: Version::V1,
            algorithm: key.algorithm(),
            signature_len: crate::key::SIGNATURE_BYTES,
            signed_len,
        })
    }

    /// Checks that the issuer signed the bytes that came, with the algorithm of its key.
    pub(super) fn check(&self, issuer: &Did) -> Result<(), EnvelopeError> {
        envelope::check(issuer, self.algorithm, self.signature(), self.signed())
    }

    /// What the token is of, whichever of its signatures it has: the SHA2-256 of what is signed.
    pub(super) fn identity(&self) -> [u8; 32] {
        let digest = Sha256::digest(self.signed());
        std::array::from_fn(|at| digest[at])
    }

    /// The CID of the same token under the other signature that P-256 has.
    pub(super) fn twin(&self) -> Option<Cid> {
        if self.algorithm != Algorithm::P256 {
            return None;
        }
        let other = did::flipped(self.signature())?;
        let mut bytes = self.block.bytes().to_vec();
        let end = bytes.len() - self.signed_len;
        bytes[end - other.len()..end].copy_from_slice(&other);
        Some(cid_of_dag_cbor(&bytes))
    }

    pub(super) fn version(&self) -> Version {
        self.version
    }

    pub(super) fn block(&self) -> &Block {
        &self.block
    }

    pub(super) fn into_block(self) -> Block {
        self.block
    }

    fn signature(&self) -> &[u8] {
        let end = self.block.bytes().len() - self.signed_len;
        &self.block.bytes()[end - self.signature_len..end]
    }

    fn signed(&self) -> &[u8] {
        let bytes = self.block.bytes();
        &bytes[bytes.len() - self.signed_len..]
    }
}

/// Principals that were read before. One chain names few principals many times, and to read one takes
/// a fifteenth of checking a signature.
#[derive(Debug, Default)]
pub(super) struct Dids(Vec<(String, Did)>);

impl Dids {
    /// How many are kept: those of the longest chain.
    const MAX: usize = 128;

    /// Puts in one that is known already.
    pub(super) fn know(&mut self, did: &Did) {
        self.0.push((did.to_string(), *did));
    }

    fn read(&mut self, text: String) -> Result<Did, DidError> {
        if let Some((_, did)) = self.0.iter().find(|(known, _)| *known == text) {
            return Ok(*did);
        }
        let did = text.parse()?;
        if self.0.len() < Self::MAX {
            self.0.push((text, did));
        }
        Ok(did)
    }
}

/// The fields of a payload, read one by one.
pub(super) struct Reader<'a> {
    pub(super) fields: Fields,
    of: &'static str,
    dids: &'a mut Dids,
}

impl<'a> Reader<'a> {
    /// `optional` are the fields that release candidates write as null where they have none.
    pub(super) fn new(
        of: &'static str,
        payload: Ipld,
        version: Version,
        optional: &[&str],
        dids: &'a mut Dids,
    ) -> Result<Self, TokenError> {
        let mut fields = Fields::of(of, payload)?;
        if version == Version::Rc1 {
            fields.drop_nulls(optional);
        }
        Ok(Self { fields, of, dids })
    }

    pub(super) fn principal(&mut self, field: &'static str) -> Result<Did, TokenError> {
        let text = self.fields.string(field)?;
        self.read_did(field, text)
    }

    pub(super) fn principal_or_null(
        &mut self,
        field: &'static str,
    ) -> Result<Option<Did>, TokenError> {
        match self.fields.take(field)? {
            Ipld::Null => Ok(None),
            Ipld::String(text) => self.read_did(field, text).map(Some),
            other => Err(self.fields.kind(field, "a string or null", &other).into()),
        }
    }

    fn read_did(&mut self, field: &'static str, text: String) -> Result<Did, TokenError> {
        let of = self.of;
        self.dids
            .read(text)
            .map_err(|source| TokenError::Did { of, field, source })
    }

    pub(super) fn time(&mut self, field: &'static str) -> Result<i64, TokenError> {
        match self.time_or_null(field)? {
            Some(time) => Ok(time),
            None => Err(self.fields.kind(field, "an integer", &Ipld::Null).into()),
        }
    }

    pub(super) fn time_or_null(&mut self, field: &'static str) -> Result<Option<i64>, TokenError> {
        match self.fields.take(field)? {
            Ipld::Null => Ok(None),
            Ipld::Integer(seconds) => checked_time(self.of, field, seconds).map(Some),
            other => Err(self.fields.kind(field, "an integer or null", &other).into()),
        }
    }

    /// Reads a field that may be missing.
    pub(super) fn if_present<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&mut Self, &'static str) -> Result<T, TokenError>,
    ) -> Result<Option<T>, TokenError> {
        if self.fields.has(field) {
            read(self, field).map(Some)
        } else {
            Ok(None)
        }
    }
}

pub(super) fn checked_time(
    of: &'static str,
    field: &'static str,
    seconds: i128,
) -> Result<i64, TokenError> {
    match i64::try_from(seconds) {
        Ok(seconds) if (-MAX_TIME..=MAX_TIME).contains(&seconds) => Ok(seconds),
        _ => Err(TokenError::Time { of, field }),
    }
}

/// A payload's map: what is there, and what is there only sometimes.
pub(super) fn map<const N: usize, const M: usize>(
    required: [(&str, Ipld); N],
    optional: [(&str, Option<Ipld>); M],
) -> Ipld {
    let present = optional
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)));
    let entries = required.into_iter().chain(present);
    Ipld::Map(
        entries
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

/// Why something is not a token, or can't become one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The envelope breaks a rule, the signature among them.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// A token of another kind.
    #[error("the token is not {expected}")]
    Kind {
        /// What was asked for.
        expected: Kind,
    },
    /// A field is missing, unknown or of another kind.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A principal is not a DID we know.
    #[error("{of}.{field} is no principal")]
    Did {
        /// Which kind of token.
        of: &'static str,
        /// The field's name on the wire.
        field: &'static str,
        /// What is wrong with it.
        source: DidError,
    },
    /// The command breaks a rule.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The policy breaks a rule.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A time is outside ±(2⁵³−1).
    #[error("{of}.{field} is outside of ±(2^53-1) seconds")]
    Time {
        /// Which kind of token.
        of: &'static str,
        /// The field's name on the wire.
        field: &'static str,
    },
    /// More bytes than such a token may have.
    #[error("{of} of {len} bytes is larger than {max}")]
    TooLarge {
        /// Which kind of token.
        of: &'static str,
        /// How many it has.
        len: usize,
        /// How many it may have.
        max: usize,
    },
    /// The key that should sign is not the issuer's.
    #[error("a token is signed by its issuer")]
    Issuer,
    /// The payload has no encoding, or is too large.
    #[error("a token has no encoding")]
    Encode(#[from] EncodeError),
}
