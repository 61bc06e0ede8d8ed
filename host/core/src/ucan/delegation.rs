//! Signed leave to do something: from its issuer, to its audience, about its subject.

use std::collections::BTreeMap;

use super::command::Command;
use super::did::Did;
use super::envelope::{Kind, Version};
use super::policy::Policy;
use super::token::{self, Dids, Reader, Seal, TokenError, checked_time};
use crate::ipld::{Block, Cid, Ipld};
use crate::key::SigningKey;

/// The most bytes of a delegation.
pub const MAX_BYTES: usize = 64 << 10;

/// The fields that release candidates write as null where they have none.
const OPTIONAL: [&str; 2] = ["meta", "nbf"];

/// What a delegation says.
#[derive(Clone, Debug, PartialEq)]
pub struct Payload {
    /// Who gives, and signs.
    pub issuer: Did,
    /// Who is given.
    pub audience: Did,
    /// About whose resources. None for a powerline: all that the issuer has or will have from others.
    pub subject: Option<Did>,
    /// What may be done.
    pub command: Command,
    /// With which arguments.
    pub policy: Policy,
    /// What sets apart delegations that are otherwise the same.
    pub nonce: Vec<u8>,
    /// Further facts, which give no authority.
    pub meta: Option<BTreeMap<String, Ipld>>,
    /// From when, in seconds since 1970.
    pub not_before: Option<i64>,
    /// Until when, in seconds since 1970; none for ever.
    pub expiration: Option<i64>,
}

impl Payload {
    /// The value that is signed; `issuer` is how the issuer is written.
    fn to_ipld(&self, issuer: &str) -> Ipld {
        let did = |did: &Did| Ipld::String(did.to_string());
        let time = |seconds: i64| Ipld::Integer(seconds.into());
        token::map(
            [
                ("iss", Ipld::String(issuer.to_owned())),
                ("aud", did(&self.audience)),
                ("sub", self.subject.as_ref().map_or(Ipld::Null, did)),
                ("cmd", Ipld::String(self.command.to_string())),
                ("pol", self.policy.to_ipld()),
                ("nonce", Ipld::Bytes(self.nonce.clone())),
                ("exp", self.expiration.map_or(Ipld::Null, time)),
            ],
            [
                ("meta", self.meta.clone().map(Ipld::Map)),
                ("nbf", self.not_before.map(time)),
            ],
        )
    }

    fn from_ipld(value: Ipld, version: Version, dids: &mut Dids) -> Result<Self, TokenError> {
        let mut reader = Reader::new("delegation", value, version, &OPTIONAL, dids)?;
        let payload = Self {
            issuer: reader.principal("iss")?,
            audience: reader.principal("aud")?,
            subject: reader.principal_or_null("sub")?,
            command: reader.fields.string("cmd")?.parse()?,
            policy: Policy::from_ipld(&reader.fields.take("pol")?)?,
            nonce: reader.fields.bytes("nonce")?,
            meta: reader.if_present("meta", |reader, field| Ok(reader.fields.map(field)?))?,
            not_before: reader.if_present("nbf", Reader::time)?,
            expiration: reader.time_or_null("exp")?,
        };
        reader.fields.end()?;
        Ok(payload)
    }
}

/// A delegation whose signature was checked, or made here.
///
/// That its issuer *had* this to give is another question, for the delegations before it to answer.
///
/// ```
/// use homestar_core::key::SigningKey;
/// use homestar_core::ucan::delegation::Payload;
/// use homestar_core::ucan::{Delegation, Policy};
///
/// let (alice, bob) = (SigningKey::from_seed(&[1; 32]), SigningKey::from_seed(&[2; 32]));
/// let payload = Payload {
///     issuer: alice.did(),
///     audience: bob.did(),
///     subject: Some(alice.did()),
///     command: "/https/get".parse()?,
///     policy: Policy::parse(r#".host == "api.example.com""#)?,
///     nonce: vec![7; 12],
///     meta: None,
///     not_before: None,
///     expiration: Some(1_800_000_000),
/// };
/// let delegation = Delegation::sign(payload, &alice)?;
/// assert_eq!(Delegation::decode(delegation.block().bytes())?, delegation);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Delegation {
    payload: Payload,
    seal: Seal,
    twin: Option<Cid>,
}

impl Delegation {
    /// Signs a payload with its issuer's key.
    pub fn sign(payload: Payload, key: &SigningKey) -> Result<Self, TokenError> {
        if payload.issuer != key.did() {
            return Err(TokenError::Issuer);
        }
        for (field, time) in [("nbf", payload.not_before), ("exp", payload.expiration)] {
            if let Some(seconds) = time {
                checked_time("delegation", field, seconds.into())?;
            }
        }
        let seal = Seal::sign(Kind::Delegation, payload.to_ipld(key.issuer()), key)?;
        within_size(seal.block().bytes().len())?;
        Ok(Self::new(payload, seal))
    }

    /// Reads a delegation and checks its signature.
    pub fn decode(bytes: &[u8]) -> Result<Self, TokenError> {
        let delegation = Self::decode_unchecked(bytes, &mut Dids::default())?;
        delegation.check_signature()?;
        Ok(delegation)
    }

    /// Reads a delegation. It must not leave this module before its signature is checked.
    pub(super) fn decode_unchecked(bytes: &[u8], dids: &mut Dids) -> Result<Self, TokenError> {
        within_size(bytes.len())?;
        let (payload, seal) = Seal::open(Kind::Delegation, bytes.to_vec())?;
        let payload = Payload::from_ipld(payload, seal.version(), dids)?;
        Ok(Self::new(payload, seal))
    }

    pub(super) fn check_signature(&self) -> Result<(), TokenError> {
        Ok(self.seal.check(&self.payload.issuer)?)
    }

    fn new(payload: Payload, seal: Seal) -> Self {
        let twin = seal.twin();
        Self {
            payload,
            seal,
            twin,
        }
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

    /// The names under which it may be known.
    ///
    /// A signature of P-256 can be turned, by anybody, into a second one that is as good, and the delegation
    /// with that one has another CID. Who revokes one of them means both.
    pub fn cids(&self) -> impl Iterator<Item = &Cid> {
        std::iter::once(self.cid()).chain(&self.twin)
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

fn within_size(len: usize) -> Result<(), TokenError> {
    if len > MAX_BYTES {
        return Err(TokenError::TooLarge {
            of: "a delegation",
            len,
            max: MAX_BYTES,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use crate::ucan::envelope::{self, EnvelopeError};
    use crate::ucan::token::MAX_TIME;
    use crate::ucan::varsig::Algorithm;
    use proptest::prelude::*;

    fn key() -> SigningKey {
        SigningKey::from_seed(&[1; 32])
    }

    fn other() -> SigningKey {
        SigningKey::from_seed(&[2; 32])
    }

    fn payload() -> Payload {
        Payload {
            issuer: key().did(),
            audience: other().did(),
            subject: Some(key().did()),
            command: "/wasm/run".parse().expect("a command"),
            policy: Policy::parse(".func == \"add\"").expect("a policy"),
            nonce: vec![1; 12],
            meta: None,
            not_before: None,
            expiration: None,
        }
    }

    /// Seals whatever the text says, with the test key.
    fn sealed(text: &str) -> Vec<u8> {
        let text = text.replace("DID", &key().did().to_string());
        let payload = json::parse(&text).expect("DAG-JSON");
        let sealed = envelope::seal(Kind::Delegation, payload, &key()).expect("seals");
        sealed.0
    }

    #[test]
    fn all_fields_come_back() {
        for payload in [
            payload(),
            Payload {
                subject: None,
                policy: Policy::default(),
                nonce: vec![],
                meta: Some(BTreeMap::from([("a".into(), Ipld::Null)])),
                not_before: Some(-MAX_TIME),
                expiration: Some(MAX_TIME),
                ..payload()
            },
        ] {
            let signed = Delegation::sign(payload, &key()).expect("signs");
            assert_eq!(Delegation::decode(signed.block().bytes()), Ok(signed));
        }
    }

    #[test]
    fn refusals_name_the_rule() {
        let whole = r#"{"iss":"DID","aud":"DID","sub":"DID","cmd":"/a","pol":[],"nonce":{"/":{"bytes":""}},"exp":null}"#;
        assert!(Delegation::decode(&sealed(whole)).is_ok());
        for (from, to, words) in [
            (r#""pol":[],"#, "", "delegation has no pol"),
            (r#""sub":"DID","#, "", "delegation has no sub"),
            (
                r#""exp":null"#,
                r#""exp":9007199254740992"#,
                "delegation.exp is outside of ±(2^53-1) seconds",
            ),
            (
                r#""exp":null"#,
                r#""exp":null,"nbf":null"#,
                "delegation.nbf should be an integer, not null",
            ),
            (
                r#""exp":null"#,
                r#""exp":null,"args":{}"#,
                "delegation has an unknown field \"args\"",
            ),
            (
                r#""aud":"DID""#,
                r#""aud":null"#,
                "delegation.aud should be a string, not null",
            ),
            (
                r#""aud":"DID""#,
                r#""aud":"did:web:x""#,
                "delegation.aud is no principal",
            ),
            (
                r#""sub":"DID""#,
                r#""sub":1"#,
                "delegation.sub should be a string or null, not an integer",
            ),
            (
                r#""pol":[]"#,
                r#""pol":[["==","a",1]]"#,
                "pol[0][1]: byte 0 of the selector: a selector begins with a dot",
            ),
            (r#""/a""#, r#""a""#, "a command begins with a slash"),
        ] {
            let error = Delegation::decode(&sealed(&whole.replace(from, to))).expect_err(words);
            assert_eq!(error.to_string(), words);
        }
    }

    #[test]
    fn another_kind_or_issuer_is_refused() {
        let (bytes, _) =
            envelope::seal(Kind::Invocation, payload().to_ipld(key().issuer()), &key())
                .expect("seals");
        let error = Delegation::decode(&bytes).expect_err("another kind");
        assert_eq!(error.to_string(), "the token is not a delegation");
        assert_eq!(
            Delegation::sign(payload(), &other()),
            Err(TokenError::Issuer)
        );
        let (bytes, _) = envelope::seal(
            Kind::Delegation,
            payload().to_ipld(key().issuer()),
            &other(),
        )
        .expect("seals");
        let error = TokenError::Envelope(EnvelopeError::Signature);
        assert_eq!(Delegation::decode(&bytes), Err(error));
    }

    #[test]
    fn size_is_bounded() {
        let meta = BTreeMap::from([("a".to_owned(), Ipld::Bytes(vec![0; MAX_BYTES]))]);
        let large = Payload {
            meta: Some(meta),
            ..payload()
        };
        assert!(matches!(
            Delegation::sign(large, &key()),
            Err(TokenError::TooLarge { .. })
        ));
        assert!(matches!(
            Delegation::decode(&vec![0; MAX_BYTES + 1]),
            Err(TokenError::TooLarge { .. })
        ));
    }

    #[test]
    fn a_delegation_under_the_other_signature_is_known_by_both_names() {
        let signer = SigningKey::from_secret(Algorithm::P256, &[1; 32]).expect("a key");
        let payload = Payload {
            issuer: signer.did(),
            ..payload()
        };
        let signed = Delegation::sign(payload, &signer).expect("signs");
        let mut bytes = signed.block().bytes().to_vec();
        let flipped = did_flipped(&bytes[3..67]);
        bytes[3..67].copy_from_slice(&flipped);
        let twin = Delegation::decode(&bytes).expect("as good");
        assert_ne!(signed.cid(), twin.cid());
        let both = |one: &Delegation| {
            one.cids()
                .copied()
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(both(&signed).len(), 2);
        assert_eq!(both(&signed), both(&twin));
        assert_eq!(signed.seal.identity(), twin.seal.identity());

        for algorithm in [Algorithm::Ed25519, Algorithm::Secp256k1] {
            let signer = SigningKey::from_secret(algorithm, &[1; 32]).expect("a key");
            let payload = Payload {
                issuer: signer.did(),
                ..signed.payload().clone()
            };
            let one = Delegation::sign(payload, &signer).expect("signs");
            assert_eq!(both(&one).len(), 1);
        }
    }

    fn did_flipped(signature: &[u8]) -> [u8; 64] {
        crate::ucan::did::flipped(signature).expect("a signature")
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            prop_assert!(Delegation::decode(&bytes).is_err());
        }

        #[test]
        fn a_changed_byte_is_refused(at in any::<prop::sample::Index>(), bit in 0..8u8) {
            let signed = Delegation::sign(payload(), &key()).expect("signs");
            let mut bytes = signed.block().bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(Delegation::decode(&bytes).is_err());
        }
    }
}
