//! A signed request to do something, or a signed statement that something is so.

use super::command::{Command, CommandError};
use super::did::{Did, DidError};
use super::envelope::{self, Envelope, EnvelopeError, Kind, Version};
use crate::ipld::{Block, Cid, DAG_CBOR, EncodeError, FieldError, Fields, Ipld};
use crate::key::SigningKey;
use std::collections::BTreeMap;
use thiserror::Error;

/// The largest time, and its negative the smallest: what a JavaScript number holds exactly.
pub const MAX_TIME: i64 = (1 << 53) - 1;

/// The fields that release candidates write as null where they have none.
const OPTIONAL: [&str; 4] = ["aud", "meta", "iat", "cause"];

/// What an invocation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// Who signs.
    pub issuer: Did,
    /// Who is to act, if not the subject.
    pub audience: Option<Did>,
    /// Whose authority is used.
    pub subject: Did,
    /// What is to be done.
    pub command: Command,
    /// With what.
    pub arguments: BTreeMap<String, Ipld>,
    /// The delegations that lead from the subject to the issuer, in that order.
    pub proofs: Vec<Cid>,
    /// What sets apart invocations that are otherwise the same; empty for what may be done twice.
    pub nonce: Vec<u8>,
    /// Further facts, which give no authority.
    pub meta: Option<BTreeMap<String, Ipld>>,
    /// Until when it holds, in seconds since 1970; none for ever.
    pub expiration: Option<i64>,
    /// When it was made, as the issuer says.
    pub issued_at: Option<i64>,
    /// The receipt that led to it.
    pub cause: Option<Cid>,
}

impl Payload {
    /// A statement that holds for ever and asks nobody for anything: issuer and subject are one.
    pub fn statement(issuer: Did, command: Command, arguments: BTreeMap<String, Ipld>) -> Self {
        Self {
            issuer,
            audience: None,
            subject: issuer,
            command,
            arguments,
            proofs: Vec::new(),
            nonce: Vec::new(),
            meta: None,
            expiration: None,
            issued_at: None,
            cause: None,
        }
    }

    fn to_ipld(&self) -> Ipld {
        let did = |did: &Did| Ipld::String(did.to_string());
        let time = |seconds: i64| Ipld::Integer(seconds.into());
        let required = [
            ("iss", did(&self.issuer)),
            ("sub", did(&self.subject)),
            ("cmd", Ipld::String(self.command.to_string())),
            ("args", Ipld::Map(self.arguments.clone())),
            (
                "prf",
                Ipld::List(self.proofs.iter().copied().map(Ipld::Link).collect()),
            ),
            ("nonce", Ipld::Bytes(self.nonce.clone())),
            ("exp", self.expiration.map_or(Ipld::Null, time)),
        ];
        let optional = [
            ("aud", self.audience.as_ref().map(did)),
            ("meta", self.meta.clone().map(Ipld::Map)),
            ("iat", self.issued_at.map(time)),
            ("cause", self.cause.map(Ipld::Link)),
        ];
        let present = optional
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)));
        Ipld::Map(
            required
                .into_iter()
                .chain(present)
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        )
    }

    fn from_ipld(value: Ipld, version: Version) -> Result<Self, InvocationError> {
        let mut fields = Fields::of("invocation", value)?;
        if version == Version::Rc1 {
            fields.drop_nulls(&OPTIONAL);
        }
        let payload = Self {
            issuer: principal(&mut fields, "iss")?,
            audience: fields.if_present("aud", principal)?,
            subject: principal(&mut fields, "sub")?,
            command: fields.string("cmd")?.parse()?,
            arguments: fields.map("args")?,
            proofs: fields.links("prf")?,
            nonce: fields.bytes("nonce")?,
            meta: fields.if_present("meta", Fields::map)?,
            expiration: time_or_null(&mut fields, "exp")?,
            issued_at: fields.if_present("iat", time)?,
            cause: fields.if_present("cause", Fields::link)?,
        };
        fields.end()?;
        Ok(payload)
    }

    fn times(&self) -> impl Iterator<Item = (&'static str, i64)> {
        let times = [("exp", self.expiration), ("iat", self.issued_at)];
        times
            .into_iter()
            .filter_map(|(field, time)| Some((field, time?)))
    }
}

fn principal(fields: &mut Fields, field: &'static str) -> Result<Did, InvocationError> {
    let text = fields.string(field)?;
    text.parse()
        .map_err(|source| InvocationError::Did { field, source })
}

fn time(fields: &mut Fields, field: &'static str) -> Result<i64, InvocationError> {
    match time_or_null(fields, field)? {
        Some(time) => Ok(time),
        None => Err(fields.kind(field, "an integer", &Ipld::Null).into()),
    }
}

fn time_or_null(fields: &mut Fields, field: &'static str) -> Result<Option<i64>, InvocationError> {
    match fields.take(field)? {
        Ipld::Null => Ok(None),
        Ipld::Integer(seconds) => checked_time(field, seconds).map(Some),
        other => Err(fields.kind(field, "an integer or null", &other).into()),
    }
}

fn checked_time(field: &'static str, seconds: i128) -> Result<i64, InvocationError> {
    match i64::try_from(seconds) {
        Ok(seconds) if (-MAX_TIME..=MAX_TIME).contains(&seconds) => Ok(seconds),
        _ => Err(InvocationError::Time { field }),
    }
}

/// An invocation whose signature was checked, or made here.
///
/// That its issuer *may* do this is another question, for its proofs to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    payload: Payload,
    version: Version,
    block: Block,
}

impl Invocation {
    /// Signs a payload with its issuer's key.
    pub fn sign(payload: Payload, key: &SigningKey) -> Result<Self, InvocationError> {
        if payload.issuer != key.did() {
            return Err(InvocationError::Issuer);
        }
        for (field, seconds) in payload.times() {
            checked_time(field, seconds.into())?;
        }
        let bytes = envelope::seal(Kind::Invocation, payload.to_ipld(), key)?;
        Ok(Self {
            payload,
            version: Version::V1,
            block: Block::new(DAG_CBOR, bytes),
        })
    }

    /// Reads an invocation and checks its signature.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvocationError> {
        let envelope = Envelope::decode(bytes)?;
        let tag = envelope.tag();
        if tag.kind != Kind::Invocation {
            return Err(InvocationError::Kind);
        }
        let payload = Payload::from_ipld(envelope.payload().clone(), tag.version)?;
        envelope.verify(&payload.issuer)?;
        Ok(Self {
            payload,
            version: tag.version,
            block: Block::new(DAG_CBOR, bytes.to_vec()),
        })
    }

    /// What it says.
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// Which version it says it follows.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Its name.
    pub fn cid(&self) -> &Cid {
        self.block.cid()
    }

    /// Its bytes, as they were signed.
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// Its bytes, as they were signed.
    pub fn into_block(self) -> Block {
        self.block
    }
}

/// Why something is not an invocation, or can't become one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvocationError {
    /// The envelope breaks a rule, the signature among them.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// A token of another kind.
    #[error("a delegation is not an invocation")]
    Kind,
    /// A field is missing, unknown or of another kind.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A principal is not a DID we know.
    #[error("invocation.{field} is no principal")]
    Did {
        /// The field's name on the wire.
        field: &'static str,
        /// What is wrong with it.
        source: DidError,
    },
    /// The command breaks a rule.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A time is outside ±(2⁵³−1).
    #[error("invocation.{field} is outside of ±(2^53-1) seconds")]
    Time {
        /// The field's name on the wire.
        field: &'static str,
    },
    /// The key that should sign is not the issuer's.
    #[error("an invocation is signed by its issuer")]
    Issuer,
    /// The payload has no encoding, or is too large.
    #[error("an invocation has no encoding")]
    Encode(#[from] EncodeError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipld::cid_of_raw;
    use crate::json;
    use crate::testing::any_ipld;
    use proptest::prelude::*;

    fn key() -> SigningKey {
        SigningKey::from_seed(&[1; 32])
    }

    fn statement() -> Payload {
        let command = "/test".parse().expect("a command");
        Payload::statement(key().did(), command, BTreeMap::new())
    }

    /// Seals whatever the text says, with the test key.
    fn sealed(text: &str) -> Vec<u8> {
        let text = text.replace("DID", &key().did().to_string());
        let payload = json::parse(&text).expect("DAG-JSON");
        envelope::seal(Kind::Invocation, payload, &key()).expect("seals")
    }

    #[test]
    fn all_fields_come_back() {
        let payload = Payload {
            audience: Some(SigningKey::from_seed(&[2; 32]).did()),
            arguments: BTreeMap::from([("a".into(), Ipld::Integer(1 << 63))]),
            proofs: vec![cid_of_raw(b"p")],
            nonce: vec![1; 12],
            meta: Some(BTreeMap::new()),
            expiration: Some(MAX_TIME),
            issued_at: Some(-MAX_TIME),
            cause: Some(cid_of_raw(b"c")),
            ..statement()
        };
        let signed = Invocation::sign(payload, &key()).expect("signs");
        assert_eq!(Invocation::decode(signed.block().bytes()), Ok(signed));
    }

    #[test]
    fn the_key_is_the_issuers_and_times_are_bounded() {
        let other = SigningKey::from_seed(&[2; 32]);
        assert_eq!(
            Invocation::sign(statement(), &other),
            Err(InvocationError::Issuer)
        );
        let late = Payload {
            expiration: Some(MAX_TIME + 1),
            ..statement()
        };
        assert_eq!(
            Invocation::sign(late, &key()),
            Err(InvocationError::Time { field: "exp" })
        );
    }

    #[test]
    fn refusals_name_the_rule() {
        let b = r#"{"/":{"bytes":""}}"#;
        let with = |more: &str| {
            format!(
                r#"{{"iss":"DID","sub":"DID","cmd":"/a","args":{{}},"prf":[],"nonce":{b},"exp":null{more}}}"#
            )
        };
        for (text, words) in [
            (
                with("").replace(r#","exp":null"#, ""),
                "invocation has no exp",
            ),
            (
                with("").replace(r#""exp":null"#, r#""exp":9007199254740992"#),
                "invocation.exp is outside of ±(2^53-1) seconds",
            ),
            (
                with("").replace(r#""exp":null"#, r#""exp":1.5"#),
                "invocation.exp should be an integer or null, not a float",
            ),
            (
                with("").replace(b, r#""""#),
                "invocation.nonce should be bytes, not a string",
            ),
            (
                with("").replace(r#""/a""#, r#""/a/""#),
                "a command does not end with a slash",
            ),
            (
                with("").replace("[]", "[1]"),
                "invocation.prf should be a list of links, not an integer",
            ),
            (
                with("").replace(r#""sub":"DID""#, r#""sub":"did:web:x""#),
                "invocation.sub is no principal",
            ),
            (
                with(r#","aud":null"#),
                "invocation.aud should be a string, not null",
            ),
            (
                with(r#","iat":null"#),
                "invocation.iat should be an integer, not null",
            ),
            (
                with(r#","nbf":1"#),
                "invocation has an unknown field \"nbf\"",
            ),
            ("[]".into(), "invocation should be a map, not a list"),
        ] {
            let error = Invocation::decode(&sealed(&text)).expect_err(words);
            assert_eq!(error.to_string(), words);
        }
        assert!(Invocation::decode(&sealed(&with(""))).is_ok());
    }

    #[test]
    fn release_candidates_write_null_for_nothing() {
        let nulls = OPTIONAL.map(|field| (field.to_owned(), Ipld::Null));
        let Ipld::Map(mut entries) = statement().to_ipld() else {
            panic!("a payload is a map");
        };
        entries.extend(nulls);
        let candidate = Payload::from_ipld(Ipld::Map(entries.clone()), Version::Rc1);
        assert_eq!(candidate, Ok(statement()));
        assert!(Payload::from_ipld(Ipld::Map(entries.clone()), Version::V1).is_err());

        entries.insert("prf".to_owned(), Ipld::Null);
        assert!(Payload::from_ipld(Ipld::Map(entries), Version::Rc1).is_err());
    }

    #[test]
    fn a_delegation_is_not_taken() {
        let bytes = envelope::seal(Kind::Delegation, statement().to_ipld(), &key()).expect("seals");
        assert_eq!(Invocation::decode(&bytes), Err(InvocationError::Kind));
    }

    #[test]
    fn another_issuer_than_the_signer_is_refused() {
        let mut payload = statement();
        payload.issuer = SigningKey::from_seed(&[2; 32]).did();
        let bytes = envelope::seal(Kind::Invocation, payload.to_ipld(), &key()).expect("seals");
        let error = InvocationError::Envelope(EnvelopeError::Signature);
        assert_eq!(Invocation::decode(&bytes), Err(error));
    }

    proptest! {
        #[test]
        fn arguments_come_back(value in any_ipld()) {
            let mut payload = statement();
            payload.arguments.insert("value".into(), value);
            let signed = Invocation::sign(payload, &key()).expect("signs");
            prop_assert_eq!(Invocation::decode(signed.block().bytes()), Ok(signed));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            prop_assert!(Invocation::decode(&bytes).is_err());
        }
    }
}
