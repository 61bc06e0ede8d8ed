//! A signed request to do something, or a signed statement that something is so.

use super::command::Command;
use super::did::Did;
use super::envelope::{Kind, Version};
use super::token::{self, Dids, Reader, Seal, TokenError, checked_time};
use crate::ipld::{Block, Cid, Ipld};
use crate::key::SigningKey;
use std::collections::BTreeMap;

/// The fields that release candidates write as null where they have none.
const OPTIONAL: [&str; 5] = ["aud", "meta", "nbf", "iat", "cause"];

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
    /// From when it holds, in seconds since 1970. Invocations of the specification have none; we heed it.
    pub not_before: Option<i64>,
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
            not_before: None,
            expiration: None,
            issued_at: None,
            cause: None,
        }
    }

    /// The value that is signed; `issuer` is how the issuer is written.
    fn into_ipld(self, issuer: &str) -> Ipld {
        // Who issues is often whom it is about, and base58 takes a fifth of a signature.
        let did = |did: &Did| {
            Ipld::String(match *did == self.issuer {
                true => issuer.to_owned(),
                false => did.to_string(),
            })
        };
        let time = |seconds: i64| Ipld::Integer(seconds.into());
        token::map(
            [
                ("iss", did(&self.issuer)),
                ("sub", did(&self.subject)),
                ("cmd", Ipld::String(self.command.to_string())),
                ("args", Ipld::Map(self.arguments)),
                (
                    "prf",
                    Ipld::List(self.proofs.into_iter().map(Ipld::Link).collect()),
                ),
                ("nonce", Ipld::Bytes(self.nonce)),
                ("exp", self.expiration.map_or(Ipld::Null, time)),
            ],
            [
                ("aud", self.audience.as_ref().map(did)),
                ("meta", self.meta.map(Ipld::Map)),
                ("nbf", self.not_before.map(time)),
                ("iat", self.issued_at.map(time)),
                ("cause", self.cause.map(Ipld::Link)),
            ],
        )
    }

    fn from_ipld(value: Ipld, version: Version, dids: &mut Dids) -> Result<Self, TokenError> {
        let mut reader = Reader::new("invocation", value, version, &OPTIONAL, dids)?;
        let payload = Self {
            issuer: reader.principal("iss")?,
            audience: reader.if_present("aud", Reader::principal)?,
            subject: reader.principal("sub")?,
            command: reader.fields.string("cmd")?.parse()?,
            arguments: reader.fields.map("args")?,
            proofs: reader.fields.links("prf")?,
            nonce: reader.fields.bytes("nonce")?,
            meta: reader.if_present("meta", |reader, field| Ok(reader.fields.map(field)?))?,
            not_before: reader.if_present("nbf", Reader::time)?,
            expiration: reader.time_or_null("exp")?,
            issued_at: reader.if_present("iat", Reader::time)?,
            cause: reader.if_present("cause", |reader, field| Ok(reader.fields.link(field)?))?,
        };
        reader.fields.end()?;
        Ok(payload)
    }

    fn times(&self) -> impl Iterator<Item = (&'static str, i64)> {
        let times = [
            ("nbf", self.not_before),
            ("exp", self.expiration),
            ("iat", self.issued_at),
        ];
        times
            .into_iter()
            .filter_map(|(field, time)| Some((field, time?)))
    }

    /// Who is to act: the audience, or else the subject.
    pub fn executor(&self) -> &Did {
        self.audience.as_ref().unwrap_or(&self.subject)
    }
}

fn seal(payload: Payload, key: &SigningKey) -> Result<Seal, TokenError> {
    if payload.issuer != key.did() {
        return Err(TokenError::Issuer);
    }
    for (field, seconds) in payload.times() {
        checked_time("invocation", field, seconds.into())?;
    }
    let value = payload.into_ipld(key.issuer());
    Ok(Seal::sign(Kind::Invocation, value, key)?)
}

/// An invocation whose signature was checked, or made here.
///
/// That its issuer *may* do this is another question, for its proofs to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    payload: Payload,
    seal: Seal,
}

impl Invocation {
    /// Signs a payload with its issuer's key.
    pub fn sign(payload: Payload, key: &SigningKey) -> Result<Self, TokenError> {
        let seal = seal(payload.clone(), key)?;
        Ok(Self { payload, seal })
    }

    /// Signs a payload with its issuer's key, for whom its bytes are all that is wanted.
    pub(crate) fn sign_block(payload: Payload, key: &SigningKey) -> Result<Block, TokenError> {
        Ok(seal(payload, key)?.into_block())
    }

    /// Reads an invocation and checks its signature.
    pub fn decode(bytes: &[u8]) -> Result<Self, TokenError> {
        let invocation = Self::decode_unchecked(bytes, &mut Dids::default())?;
        invocation.check_signature()?;
        Ok(invocation)
    }

    /// Reads an invocation. It must not leave this module before its signature is checked.
    pub(super) fn decode_unchecked(bytes: &[u8], dids: &mut Dids) -> Result<Self, TokenError> {
        let (payload, seal) = Seal::open(Kind::Invocation, bytes.to_vec())?;
        let payload = Payload::from_ipld(payload, seal.version(), dids)?;
        Ok(Self { payload, seal })
    }

    pub(super) fn check_signature(&self) -> Result<(), TokenError> {
        Ok(self.seal.check(&self.payload.issuer)?)
    }

    /// What it says.
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// Which version it says it follows.
    pub fn version(&self) -> Version {
        self.seal.version()
    }

    /// Its name.
    pub fn cid(&self) -> &Cid {
        self.seal.block().cid()
    }

    /// What tells it from all other invocations: the SHA2-256 of what is signed.
    ///
    /// The CID doesn't: anybody can turn a signature of P-256 into a second one that is as good.
    pub fn identity(&self) -> [u8; 32] {
        self.seal.identity()
    }

    /// Its bytes, as they were signed.
    pub fn block(&self) -> &Block {
        self.seal.block()
    }

    /// Its bytes, as they were signed.
    pub fn into_block(self) -> Block {
        self.seal.into_block()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipld::cid_of_raw;
    use crate::json;
    use crate::testing::any_ipld;
    use crate::ucan::envelope::{self, EnvelopeError};
    use crate::ucan::token::MAX_TIME;
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
        envelope::seal(Kind::Invocation, payload, &key())
            .expect("seals")
            .0
    }

    #[test]
    fn all_fields_come_back() {
        let payload = Payload {
            audience: Some(SigningKey::from_seed(&[2; 32]).did()),
            arguments: BTreeMap::from([("a".into(), Ipld::Integer(1 << 63))]),
            proofs: vec![cid_of_raw(b"p")],
            nonce: vec![1; 12],
            meta: Some(BTreeMap::new()),
            not_before: Some(-1),
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
            Err(TokenError::Issuer)
        );
        let late = Payload {
            expiration: Some(MAX_TIME + 1),
            ..statement()
        };
        assert_eq!(
            Invocation::sign(late, &key()),
            Err(TokenError::Time {
                of: "invocation",
                field: "exp"
            })
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
                with(r#","pol":[]"#),
                "invocation has an unknown field \"pol\"",
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
        let Ipld::Map(mut entries) = statement().into_ipld(key().issuer()) else {
            panic!("a payload is a map");
        };
        entries.extend(nulls);
        let candidate = Payload::from_ipld(
            Ipld::Map(entries.clone()),
            Version::Rc1,
            &mut Dids::default(),
        );
        assert_eq!(candidate, Ok(statement()));
        assert!(
            Payload::from_ipld(
                Ipld::Map(entries.clone()),
                Version::V1,
                &mut Dids::default()
            )
            .is_err()
        );

        entries.insert("prf".to_owned(), Ipld::Null);
        assert!(
            Payload::from_ipld(Ipld::Map(entries), Version::Rc1, &mut Dids::default()).is_err()
        );
    }

    #[test]
    fn a_delegation_is_not_taken() {
        let value = statement().into_ipld(key().issuer());
        let (bytes, _) = envelope::seal(Kind::Delegation, value, &key()).expect("seals");
        let expected = Kind::Invocation;
        assert_eq!(
            Invocation::decode(&bytes),
            Err(TokenError::Kind { expected })
        );
    }

    #[test]
    fn another_issuer_than_the_signer_is_refused() {
        let other = SigningKey::from_seed(&[2; 32]);
        let mut payload = statement();
        payload.issuer = other.did();
        let value = payload.into_ipld(other.issuer());
        let (bytes, _) = envelope::seal(Kind::Invocation, value, &key()).expect("seals");
        let error = TokenError::Envelope(EnvelopeError::Signature);
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
