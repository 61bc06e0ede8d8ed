//! Tokens in one piece, as they travel: a byte that names the encoding, and `{"ctn-v1": [token, …]}` in it.
//!
//! ```
//! use homestar_core::ucan::container::{Container, Encoding};
//! use homestar_core::ipld::Block;
//!
//! let container = Container::new([Block::of_dag_cbor(&"a token")?])?;
//! let text = container.encode(Encoding::Base64Url);
//! assert!(text.starts_with(b"C"));
//! assert_eq!(Container::decode(&text)?, container);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeMap;
use std::io::{Read, Write};

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use thiserror::Error;

use super::token::TokenError;
use super::verify::Proofs;
use super::{Delegation, Invocation};
use crate::ipld::{
    Block, Cid, DAG_CBOR, DecodeError, Ipld, MAX_BLOCK_BYTES, decode_within, encode,
};

/// The most bytes of a container, in its encoding and without.
pub const MAX_BYTES: usize = 4 << 20;
/// The most tokens in a container.
pub const MAX_TOKENS: usize = 1024;

/// The only key of the map.
const KEY: &str = "ctn-v1";

/// How a container is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// `@`: as it is.
    Bytes,
    /// `B`: in base64 with padding.
    Base64,
    /// `C`: in base64 for URLs, without padding.
    Base64Url,
    /// `M`: compressed.
    BytesGzip,
    /// `O`: compressed, in base64 with padding.
    Base64Gzip,
    /// `P`: compressed, in base64 for URLs, without padding.
    Base64UrlGzip,
}

impl Encoding {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Bytes,
        Self::Base64,
        Self::Base64Url,
        Self::BytesGzip,
        Self::Base64Gzip,
        Self::Base64UrlGzip,
    ];

    /// The byte in front.
    pub const fn header(self) -> u8 {
        match self {
            Self::Bytes => b'@',
            Self::Base64 => b'B',
            Self::Base64Url => b'C',
            Self::BytesGzip => b'M',
            Self::Base64Gzip => b'O',
            Self::Base64UrlGzip => b'P',
        }
    }

    /// Reads the byte in front. Of compressed containers, another implementation writes other ones.
    fn from_header(header: u8) -> Option<Self> {
        match header {
            b'D' => Some(Self::BytesGzip),
            b'E' => Some(Self::Base64Gzip),
            b'F' => Some(Self::Base64UrlGzip),
            header => Self::ALL.into_iter().find(|one| one.header() == header),
        }
    }

    fn alphabet(self) -> Option<Alphabet> {
        match self {
            Self::Bytes | Self::BytesGzip => None,
            Self::Base64 | Self::Base64Gzip => Some(Alphabet::Padded),
            Self::Base64Url | Self::Base64UrlGzip => Some(Alphabet::Url),
        }
    }

    fn is_compressed(self) -> bool {
        matches!(
            self,
            Self::BytesGzip | Self::Base64Gzip | Self::Base64UrlGzip
        )
    }
}

enum Alphabet {
    Padded,
    Url,
}

/// Tokens, each once, by their bytes in order. Nothing is known of them yet.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Container {
    tokens: Vec<Block>,
    by_cid: BTreeMap<Cid, usize>,
}

impl Container {
    /// Puts tokens together.
    pub fn new(tokens: impl IntoIterator<Item = Block>) -> Result<Self, ContainerError> {
        let mut tokens: Vec<Block> = tokens.into_iter().collect();
        tokens.sort_by(|one, other| one.bytes().cmp(other.bytes()));
        tokens.dedup();
        if tokens.len() > MAX_TOKENS {
            return Err(ContainerError::TooMany);
        }
        // Each token comes with a head of at most five bytes.
        let bytes: usize = tokens.iter().map(|token| token.bytes().len() + 5).sum();
        if bytes + 16 > MAX_BYTES / 4 * 3 {
            return Err(ContainerError::TooLarge);
        }
        let by_cid = tokens
            .iter()
            .enumerate()
            .map(|(index, token)| (*token.cid(), index))
            .collect();
        Ok(Self { tokens, by_cid })
    }

    /// The tokens.
    pub fn tokens(&self) -> &[Block] {
        &self.tokens
    }

    /// Writes it.
    pub fn encode(&self, encoding: Encoding) -> Vec<u8> {
        let tokens = self
            .tokens
            .iter()
            .map(|token| Ipld::Bytes(token.bytes().to_vec()));
        let map = Ipld::Map([(KEY.to_owned(), Ipld::List(tokens.collect()))].into());
        let mut bytes = encode(&map).expect("bytes in a list in a map have an encoding");
        if encoding.is_compressed() {
            bytes = compressed(&bytes);
        }
        match encoding.alphabet() {
            None => {}
            Some(Alphabet::Padded) => bytes = Base64::encode_string(&bytes).into_bytes(),
            Some(Alphabet::Url) => bytes = Base64UrlUnpadded::encode_string(&bytes).into_bytes(),
        }
        bytes.insert(0, encoding.header());
        bytes
    }

    /// Reads one in any encoding, also the map alone, without a byte in front. White space behind text is
    /// passed over. The order of the tokens doesn't matter.
    pub fn decode(bytes: &[u8]) -> Result<Self, ContainerError> {
        if bytes.len() > MAX_BYTES {
            return Err(ContainerError::TooLarge);
        }
        let Some((header, rest)) = bytes.split_first() else {
            return Err(ContainerError::Empty);
        };
        // The head of a map with one entry.
        if *header == 0xa1 {
            return Self::from_map(bytes);
        }
        let encoding = Encoding::from_header(*header).ok_or(ContainerError::Header(*header))?;
        let text = rest.trim_ascii_end();
        let mut decoded = match encoding.alphabet() {
            None => rest.to_vec(),
            Some(Alphabet::Padded) => Base64::decode_vec(text_of(text)?).map_err(not_base64)?,
            Some(Alphabet::Url) => {
                Base64UrlUnpadded::decode_vec(text_of(text)?).map_err(not_base64)?
            }
        };
        if encoding.is_compressed() {
            decoded = decompressed(&decoded)?;
        }
        Self::from_map(&decoded)
    }

    fn from_map(bytes: &[u8]) -> Result<Self, ContainerError> {
        let Ipld::Map(mut entries) = decode_within(bytes, MAX_BYTES)? else {
            return Err(ContainerError::Shape);
        };
        let (Some(Ipld::List(items)), true) = (entries.remove(KEY), entries.is_empty()) else {
            return Err(ContainerError::Shape);
        };
        if items.len() > MAX_TOKENS {
            return Err(ContainerError::TooMany);
        }
        let count = items.len();
        let tokens = items.into_iter().map(|item| match item {
            Ipld::Bytes(bytes) if bytes.len() <= MAX_BLOCK_BYTES => Ok(Block::new(DAG_CBOR, bytes)),
            _ => Err(ContainerError::Shape),
        });
        let container = Self::new(tokens.collect::<Result<Vec<_>, _>>()?)?;
        if container.tokens.len() != count {
            return Err(ContainerError::Twice);
        }
        Ok(container)
    }
}

/// The tokens of a container, read, with their signatures checked.
#[derive(Debug, Default)]
pub struct Contents {
    /// What is asked for.
    pub invocations: Vec<Invocation>,
    /// Leave that was given.
    pub delegations: Vec<Delegation>,
    /// What can't be read or isn't signed by its issuer, and why.
    pub broken: Vec<(Cid, TokenError)>,
}

impl Container {
    /// Reads all tokens, to show them. [`verify`](super::verify()) needs only their bytes.
    pub fn contents(&self) -> Contents {
        let mut contents = Contents::default();
        for token in &self.tokens {
            match Delegation::decode(token.bytes()) {
                Ok(delegation) => contents.delegations.push(delegation),
                Err(TokenError::Kind { .. } | TokenError::TooLarge { .. }) => {
                    match Invocation::decode(token.bytes()) {
                        Ok(invocation) => contents.invocations.push(invocation),
                        Err(error) => contents.broken.push((*token.cid(), error)),
                    }
                }
                Err(error) => contents.broken.push((*token.cid(), error)),
            }
        }
        contents
    }
}

impl Proofs for Container {
    fn proof(&self, cid: &Cid) -> Option<&[u8]> {
        let index = self.by_cid.get(cid)?;
        Some(self.tokens[*index].bytes())
    }
}

fn text_of(bytes: &[u8]) -> Result<&str, ContainerError> {
    std::str::from_utf8(bytes).map_err(|_| ContainerError::Base64)
}

fn not_base64(_: base64ct::Error) -> ContainerError {
    ContainerError::Base64
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("a Vec takes all");
    encoder.finish().expect("a Vec takes all")
}

fn decompressed(bytes: &[u8]) -> Result<Vec<u8>, ContainerError> {
    let mut decoder = GzDecoder::new(bytes);
    let mut decompressed = Vec::new();
    // One byte more than may be, to know of it.
    let read = (&mut decoder)
        .take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut decompressed)
        .map_err(|_| ContainerError::Gzip)?;
    if read > MAX_BYTES {
        return Err(ContainerError::TooLarge);
    }
    if !decoder.into_inner().is_empty() {
        return Err(ContainerError::Gzip);
    }
    Ok(decompressed)
}

/// Why something is not a container.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ContainerError {
    /// There are no bytes.
    #[error("a container is not empty")]
    Empty,
    /// It begins with a byte that names no encoding.
    #[error("a container begins with one of @ B C M O P, not with the byte 0x{0:02x}")]
    Header(u8),
    /// What follows is not the base64 that the first byte says.
    #[error("a container is not in the base64 that its first byte says")]
    Base64,
    /// What follows is not compressed as the first byte says.
    #[error("a container is not compressed as its first byte says")]
    Gzip,
    /// It has more bytes than it may have, in its encoding or without.
    #[error("a container has at most {MAX_BYTES} bytes")]
    TooLarge,
    /// It has more tokens than it may have.
    #[error("a container has at most {MAX_TOKENS} tokens")]
    TooMany,
    /// The bytes are not strict DAG-CBOR.
    #[error("a container is not strict DAG-CBOR")]
    Decode(#[from] DecodeError),
    /// Not a map with the one key and a list of bytes.
    #[error("a container is a map of {KEY:?} to a list of tokens, as bytes")]
    Shape,
    /// A token stands twice.
    #[error("a token stands twice in a container")]
    Twice,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipld::cid_of_dag_cbor;
    use crate::key::SigningKey;
    use crate::ucan::{Command, Policy, delegation, invocation};
    use proptest::prelude::*;

    fn container(tokens: &[&[u8]]) -> Container {
        let blocks = tokens
            .iter()
            .map(|bytes| Block::new(DAG_CBOR, bytes.to_vec()));
        Container::new(blocks).expect("a container")
    }

    #[test]
    fn tokens_are_sorted_and_found() {
        let container = container(&[b"bb", b"a", b"bb", b"ab"]);
        let bytes: Vec<_> = container.tokens().iter().map(Block::bytes).collect();
        assert_eq!(bytes, [&b"a"[..], b"ab", b"bb"]);
        assert_eq!(container.proof(&cid_of_dag_cbor(b"ab")), Some(&b"ab"[..]));
        assert_eq!(container.proof(&cid_of_dag_cbor(b"x")), None);
    }

    #[test]
    fn what_is_in_it() {
        let key = SigningKey::from_seed(&[1; 32]);
        let payload = delegation::Payload {
            issuer: key.did(),
            audience: key.did(),
            subject: None,
            command: Command::top(),
            policy: Policy::default(),
            nonce: vec![],
            meta: None,
            not_before: None,
            expiration: None,
        };
        let delegation = Delegation::sign(payload, &key).expect("signs");
        // Larger than a delegation may be.
        let arguments = BTreeMap::from([("a".to_owned(), Ipld::Bytes(vec![0; 100_000]))]);
        let statement = invocation::Payload::statement(key.did(), Command::top(), arguments);
        let invocation = Invocation::sign(statement, &key).expect("signs");
        let broken = Block::new(DAG_CBOR, b"x".to_vec());
        let container = Container::new([
            delegation.block().clone(),
            invocation.block().clone(),
            broken.clone(),
        ]);
        let contents = container.expect("a container").contents();
        assert_eq!(contents.delegations, [delegation]);
        assert_eq!(contents.invocations, [invocation]);
        let cids: Vec<_> = contents.broken.iter().map(|(cid, _)| cid).collect();
        assert_eq!(cids, [broken.cid()]);
    }

    #[test]
    fn other_forms_are_read() {
        let container = container(&[b"a", b"b"]);
        let bytes = container.encode(Encoding::Bytes);
        assert_eq!(Container::decode(&bytes[1..]), Ok(container.clone()));
        let mut text = container.encode(Encoding::Base64Gzip);
        text.extend(b"\r\n");
        assert_eq!(Container::decode(&text), Ok(container.clone()));
        for (ours, theirs) in [
            (Encoding::BytesGzip, b'D'),
            (Encoding::Base64Gzip, b'E'),
            (Encoding::Base64UrlGzip, b'F'),
        ] {
            let mut bytes = container.encode(ours);
            bytes[0] = theirs;
            assert_eq!(Container::decode(&bytes), Ok(container.clone()));
        }
        // In another order.
        let map = crate::json::parse(r#"{"ctn-v1":[{"/":{"bytes":"Yg"}},{"/":{"bytes":"YQ"}}]}"#);
        let bytes = encode(&map.expect("DAG-JSON")).expect("encodes");
        assert_eq!(Container::decode(&bytes), Ok(container));
    }

    #[test]
    fn refusals_name_the_rule() {
        let of = |json: &str| {
            let map = crate::json::parse(json).expect(json);
            [b"@", &encode(&map).expect("encodes")[..]].concat()
        };
        let mut trailing = container(&[b"a"]).encode(Encoding::BytesGzip);
        trailing.push(0);
        let token = r#"{"/":{"bytes":"Yg"}}"#;
        for (bytes, error) in [
            (vec![], ContainerError::Empty),
            (vec![0x82], ContainerError::Header(0x82)),
            (b"B!".to_vec(), ContainerError::Base64),
            (b"CoA==".to_vec(), ContainerError::Base64),
            (b"Mxx".to_vec(), ContainerError::Gzip),
            (trailing, ContainerError::Gzip),
            (of("{}"), ContainerError::Shape),
            (of("[]"), ContainerError::Shape),
            (of(r#"{"ctn-v1":1}"#), ContainerError::Shape),
            (of(r#"{"ctn-v1":["a"]}"#), ContainerError::Shape),
            (of(r#"{"ctn-v1":[],"ctn-v2":[]}"#), ContainerError::Shape),
            (
                of(&format!(r#"{{"ctn-v1":[{token},{token}]}}"#)),
                ContainerError::Twice,
            ),
            (vec![b'@'; MAX_BYTES + 1], ContainerError::TooLarge),
        ] {
            assert_eq!(Container::decode(&bytes), Err(error));
        }
        assert!(matches!(
            Container::decode(b"@\xa1"),
            Err(ContainerError::Decode(_))
        ));
    }

    #[test]
    fn what_is_compressed_does_not_grow_without_end() {
        // Four gigabytes would come of a few megabytes; a hundred megabytes come of these.
        let bomb = [b"M", &compressed(&vec![0; 100 << 20])[..]].concat();
        assert!(bomb.len() < MAX_BYTES);
        assert_eq!(Container::decode(&bomb), Err(ContainerError::TooLarge));
        let many = (0..=MAX_TOKENS as u32).map(|n| Block::new(DAG_CBOR, n.to_be_bytes().to_vec()));
        assert_eq!(Container::new(many), Err(ContainerError::TooMany));
        let large = (0..4).map(|n| Block::new(DAG_CBOR, vec![n; 1 << 20]));
        assert_eq!(Container::new(large), Err(ContainerError::TooLarge));
    }

    proptest! {
        #[test]
        fn each_encoding_comes_back(tokens in proptest::collection::vec(any::<Vec<u8>>(), 0..6)) {
            let blocks = tokens.into_iter().map(|bytes| Block::new(DAG_CBOR, bytes));
            let container = Container::new(blocks).expect("a container");
            for encoding in Encoding::ALL {
                let bytes = container.encode(encoding);
                prop_assert_eq!(Container::decode(&bytes), Ok(container.clone()));
            }
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, header in "[@BCMOPDEF]") {
            let _ = Container::decode(&bytes);
            let _ = Container::decode(&[header.as_bytes(), &bytes].concat());
        }
    }
}
