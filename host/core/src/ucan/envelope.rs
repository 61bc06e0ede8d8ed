//! A payload under a signature: `[signature, {h: header, "ucan/<kind>@<version>": payload}]`.

use super::did::Did;
use super::varsig::{Algorithm, UnknownHeader};
use crate::ipld::{
    self, DecodeError, EncodeError, Ipld, MAX_BLOCK_BYTES, decode_within, depth_of, kind_of,
};
use crate::key::SigningKey;
use std::collections::BTreeMap;
use std::fmt;
use thiserror::Error;

/// The key of the signature header.
const HEADER_KEY: &str = "h";

/// What a token is. Kinds never stand in for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// `dlg`: leave given.
    Delegation,
    /// `inv`: leave used, or a fact stated.
    Invocation,
}

/// Which version of the specification a token says it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Version {
    /// `1.0.0`, which we write.
    V1,
    /// `1.0.0-rc.1`, which most others still write.
    Rc1,
}

/// Kind and version: the key of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    /// What the token is.
    pub kind: Kind,
    /// What it follows.
    pub version: Version,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Delegation => "a delegation",
            Self::Invocation => "an invocation",
        })
    }
}

impl Tag {
    fn parse(text: &str) -> Option<Self> {
        let (kind, version) = text.strip_prefix("ucan/")?.split_once('@')?;
        let kind = match kind {
            "dlg" => Kind::Delegation,
            "inv" => Kind::Invocation,
            _ => return None,
        };
        let version = match version {
            "1.0.0" => Version::V1,
            "1.0.0-rc.1" => Version::Rc1,
            _ => return None,
        };
        Some(Self { kind, version })
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Delegation => "dlg",
            Kind::Invocation => "inv",
        };
        let version = match self.version {
            Version::V1 => "1.0.0",
            Version::Rc1 => "1.0.0-rc.1",
        };
        write!(f, "ucan/{kind}@{version}")
    }
}

/// A token taken apart, its signature not yet checked.
#[derive(Debug)]
pub struct Envelope<'a> {
    algorithm: Algorithm,
    tag: Tag,
    payload: Ipld,
    signature: &'a [u8],
    signed: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Takes a token apart. Nothing in it is true before [`verify`](Self::verify).
    pub fn decode(bytes: &'a [u8]) -> Result<Self, EnvelopeError> {
        let (signature_len, entries) = parts(decode_within(bytes, MAX_BLOCK_BYTES)?)?;
        let (algorithm, tag, payload) = contents(entries)?;
        // The bytes are in their one encoding, so the signature's length says where it stands.
        let start = 1 + head_len(signature_len);
        let (signature, signed) = bytes[start..].split_at(signature_len);
        Ok(Self {
            algorithm,
            tag,
            payload,
            signature,
            signed,
        })
    }

    /// Kind and version.
    pub fn tag(&self) -> Tag {
        self.tag
    }

    /// What is signed, as it says of itself.
    pub fn payload(&self) -> &Ipld {
        &self.payload
    }

    /// Checks that the issuer signed the bytes that came, with the algorithm of its key.
    pub fn verify(&self, issuer: &Did) -> Result<(), EnvelopeError> {
        check(issuer, self.algorithm, self.signature, self.signed)
    }

    /// The algorithm, the signature, and what is signed.
    pub(super) fn signature(&self) -> (Algorithm, &'a [u8], &'a [u8]) {
        (self.algorithm, self.signature, self.signed)
    }

    pub(super) fn into_payload(self) -> Ipld {
        self.payload
    }
}

pub(super) fn check(
    issuer: &Did,
    algorithm: Algorithm,
    signature: &[u8],
    signed: &[u8],
) -> Result<(), EnvelopeError> {
    if algorithm != issuer.algorithm() {
        return Err(EnvelopeError::Algorithm);
    }
    if !issuer.has_signed(signed, signature) {
        return Err(EnvelopeError::Signature);
    }
    Ok(())
}

/// Signs a payload and returns the token's bytes, and how many of them, at the end, are signed.
pub(super) fn seal(
    kind: Kind,
    payload: Ipld,
    key: &SigningKey,
) -> Result<(Vec<u8>, usize), EncodeError> {
    let header = key.algorithm().header().to_vec();
    let version = Version::V1;
    let signed = ipld::encode_value(&Ipld::Map(BTreeMap::from([
        (HEADER_KEY.to_owned(), Ipld::Bytes(header)),
        (Tag { kind, version }.to_string(), payload),
    ])))?;
    let signature = key.sign(&signed);
    // An array of two, and bytes with a length of one byte.
    let head = [0x82, 0x58, signature.len() as u8];
    let bytes = [&head[..], &signature, &signed].concat();
    match bytes.len() {
        len if len > MAX_BLOCK_BYTES => Err(EncodeError::TooLarge { len }),
        _ if depth_of(&bytes).is_none() => Err(EncodeError::TooDeep),
        _ => Ok((bytes, signed.len())),
    }
}

type Entries = BTreeMap<String, Ipld>;

fn parts(token: Ipld) -> Result<(usize, Entries), EnvelopeError> {
    let Ipld::List(parts) = token else {
        return Err(EnvelopeError::NotAPair);
    };
    let Ok([signature, signed]) = <[Ipld; 2]>::try_from(parts) else {
        return Err(EnvelopeError::NotAPair);
    };
    match (signature, signed) {
        (Ipld::Bytes(signature), Ipld::Map(entries)) => Ok((signature.len(), entries)),
        _ => Err(EnvelopeError::NotAPair),
    }
}

fn contents(mut entries: Entries) -> Result<(Algorithm, Tag, Ipld), EnvelopeError> {
    let algorithm = match entries.remove(HEADER_KEY) {
        Some(Ipld::Bytes(header)) => Algorithm::from_header(&header)?,
        Some(other) => return Err(EnvelopeError::Header(kind_of(&other))),
        None => return Err(EnvelopeError::Keys),
    };
    let mut rest = entries.into_iter();
    let (Some((key, payload)), None) = (rest.next(), rest.next()) else {
        return Err(EnvelopeError::Keys);
    };
    let tag = Tag::parse(&key).ok_or(EnvelopeError::Tag(key))?;
    Ok((algorithm, tag, payload))
}

/// How many bytes the head of a byte string of this length has.
fn head_len(len: usize) -> usize {
    match len {
        0..24 => 1,
        24..0x100 => 2,
        0x100..0x1_0000 => 3,
        _ => 5,
    }
}

/// Which rule of the envelope a token breaks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The bytes are not strict DAG-CBOR.
    #[error("a token is not strict DAG-CBOR")]
    Decode(#[from] DecodeError),
    /// Not a list of bytes and a map.
    #[error("a token is not a signature and a map")]
    NotAPair,
    /// Other keys than the header and one payload.
    #[error("a token's map does not have exactly a header and a payload")]
    Keys,
    /// The header is not bytes.
    #[error("a token's signature header should be bytes, not {0}")]
    Header(&'static str),
    /// The header names another algorithm or encoding.
    #[error(transparent)]
    Varsig(#[from] UnknownHeader),
    /// The payload's key is not one we know.
    #[error("unknown payload tag {0:?}")]
    Tag(String),
    /// The header's algorithm is not that of the issuer's key.
    #[error("a token's signature header does not fit its issuer's key")]
    Algorithm,
    /// The issuer did not sign these bytes.
    #[error("a token's signature is not its issuer's")]
    Signature,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_seed(&[1; 32])
    }

    fn header() -> Ipld {
        Ipld::Bytes(Algorithm::Ed25519.header().to_vec())
    }

    /// A token with these keys in its map, signed over whatever they are.
    fn token(entries: &[(&str, Ipld)]) -> Vec<u8> {
        let entries = entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()));
        let signed = ipld::encode(&Ipld::Map(entries.collect())).expect("encodes");
        let signature = key().sign(&signed);
        [&[0x82, 0x58, 0x40][..], &signature, &signed].concat()
    }

    #[test]
    fn a_sealed_payload_verifies() {
        let payload = Ipld::Map(BTreeMap::new());
        let keys = Algorithm::ALL
            .map(|algorithm| SigningKey::from_secret(algorithm, &[1; 32]).expect("a key"));
        for key in &keys {
            let (bytes, _) = seal(Kind::Invocation, payload.clone(), key).expect("seals");
            let envelope = Envelope::decode(&bytes).expect("a token");
            assert_eq!(envelope.tag().to_string(), "ucan/inv@1.0.0");
            assert_eq!(envelope.payload(), &payload);
            for other in &keys {
                let error = match (other.did() == key.did(), other.algorithm()) {
                    (true, _) => Ok(()),
                    (false, of) if of == key.algorithm() => Err(EnvelopeError::Signature),
                    (false, _) => Err(EnvelopeError::Algorithm),
                };
                assert_eq!(envelope.verify(&other.did()), error);
            }
            let other = SigningKey::from_secret(key.algorithm(), &[2; 32]).expect("a key");
            assert_eq!(envelope.verify(&other.did()), Err(EnvelopeError::Signature));
        }
    }

    #[test]
    fn known_tags() {
        for tag in [
            "ucan/inv@1.0.0",
            "ucan/inv@1.0.0-rc.1",
            "ucan/dlg@1.0.0",
            "ucan/dlg@1.0.0-rc.1",
        ] {
            let bytes = token(&[("h", header()), (tag, Ipld::Null)]);
            let envelope = Envelope::decode(&bytes).expect(tag);
            assert_eq!(envelope.tag().to_string(), tag);
            assert_eq!(envelope.verify(&key().did()), Ok(()));
        }
        for tag in [
            "ucan/i/1.0.0-rc.1",
            "ucan/inv@1.0.1",
            "ucan/rev@1.0.0",
            "inv@1.0.0",
            "ucan/inv",
        ] {
            let bytes = token(&[("h", header()), (tag, Ipld::Null)]);
            assert_eq!(
                Envelope::decode(&bytes).err(),
                Some(EnvelopeError::Tag(tag.into()))
            );
        }
    }

    #[test]
    fn the_map_has_two_keys() {
        let payload = ("ucan/inv@1.0.0", Ipld::Null);
        for entries in [
            vec![("h", header())],
            vec![payload.clone()],
            vec![
                ("h", header()),
                payload.clone(),
                ("ucan/dlg@1.0.0", Ipld::Null),
            ],
            vec![],
        ] {
            assert_eq!(
                Envelope::decode(&token(&entries)).err(),
                Some(EnvelopeError::Keys)
            );
        }
        let error = Envelope::decode(&token(&[("h", Ipld::Null), payload])).err();
        assert_eq!(error, Some(EnvelopeError::Header("null")));
    }

    #[test]
    fn the_token_is_a_pair() {
        for hex in ["80", "8140", "8340a0a0", "8260a0", "824080", "a0", "f6"] {
            let bytes = crate::testing::unhex(hex);
            assert_eq!(
                Envelope::decode(&bytes).err(),
                Some(EnvelopeError::NotAPair),
                "{hex}"
            );
        }
    }

    #[test]
    fn signatures_of_other_lengths_are_found_and_refused() {
        let bytes = token(&[("h", header()), ("ucan/inv@1.0.0", Ipld::Null)]);
        let signed = &bytes[67..];
        for (head, len) in [
            (vec![0x40], 0),
            (vec![0x57], 23),
            (vec![0x58, 63], 63),
            (vec![0x59, 1, 0], 256),
        ] {
            let token = [&[0x82], &head[..], &vec![7; len], signed].concat();
            let envelope = Envelope::decode(&token).expect("well formed");
            assert_eq!(envelope.signed, signed);
            assert_eq!(envelope.verify(&key().did()), Err(EnvelopeError::Signature));
        }
    }
}
