//! A CID that knows what it names.

use super::{Cid, CidError, parse_cid};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

/// The CID of a `T`.
///
/// On the wire it is the CID alone. The type is a promise of whoever made the link, kept from then on:
/// a link to an instruction can't be passed where a link to a receipt is asked for.
pub struct Link<T: ?Sized>(Cid, PhantomData<fn() -> T>);

impl<T: ?Sized> Link<T> {
    /// Says that a CID names a `T`.
    pub const fn new(cid: Cid) -> Self {
        Self(cid, PhantomData)
    }

    /// The CID.
    pub const fn cid(&self) -> &Cid {
        &self.0
    }
}

impl<T: ?Sized> Clone for Link<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Link<T> {}

impl<T: ?Sized> PartialEq for Link<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T: ?Sized> Eq for Link<T> {}

impl<T: ?Sized> PartialOrd for Link<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: ?Sized> Ord for Link<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl<T: ?Sized> Hash for Link<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Hash::hash(&self.0, state);
    }
}

impl<T: ?Sized> fmt::Debug for Link<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({})", self.0)
    }
}

impl<T: ?Sized> fmt::Display for Link<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: ?Sized> FromStr for Link<T> {
    type Err = CidError;

    fn from_str(text: &str) -> Result<Self, CidError> {
        parse_cid(text).map(Self::new)
    }
}

impl<T: ?Sized> From<Cid> for Link<T> {
    fn from(cid: Cid) -> Self {
        Self::new(cid)
    }
}

impl<T: ?Sized> From<Link<T>> for Cid {
    fn from(link: Link<T>) -> Self {
        link.0
    }
}

impl<T: ?Sized> Serialize for Link<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: ?Sized> Deserialize<'de> for Link<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cid::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{cid_of_raw, decode, encode};
    use super::*;

    /// A type without any trait: a link must not ask for one.
    struct Bare;

    #[test]
    fn is_its_cid_on_the_wire_and_in_text() {
        let cid = cid_of_raw(b"x");
        let link = Link::<Bare>::new(cid);
        let bytes = encode(&link).expect("encodes");
        assert_eq!(bytes, encode(&cid).expect("encodes"));
        assert_eq!(decode::<Link<Bare>>(&bytes), Ok(link));
        assert_eq!(link.to_string().parse(), Ok(link));
        assert_eq!(format!("{link:?}"), format!("Link({cid})"));
    }

    #[test]
    fn sorts_and_hashes_as_its_cid() {
        let links = [b"a", b"b", b"a"].map(|bytes| Link::<Bare>::new(cid_of_raw(bytes)));
        assert_eq!(std::collections::BTreeSet::from(links).len(), 2);
        assert_eq!(std::collections::HashSet::from(links).len(), 2);
    }

    #[test]
    fn bytes_are_not_a_link() {
        let bytes = serde_bytes::ByteBuf::from(cid_of_raw(b"x").to_bytes());
        let encoded = encode(&bytes).expect("encodes");
        assert!(decode::<Link<Bare>>(&encoded).is_err());
    }
}
