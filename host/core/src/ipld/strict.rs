//! A walk over DAG-CBOR that takes only the one encoding of a value.
//!
//! The codec below checks most of this as it builds a value. The walk checks all of it first, says where
//! a rule is broken, and needs neither the stack nor memory in proportion to the input. What it adds:
//! a bound on depth, links whose bytes are exactly a CID, and rules for parts a type would skip.

use super::Cid;
use super::cid::cid_from_bytes;
use super::codec::MAX_DEPTH;
use thiserror::Error;

/// A rule of strict DAG-CBOR, as the text of its breach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Rule {
    /// The input ends inside a value.
    #[error("the input ends early")]
    EndsEarly,
    /// There is more after the value.
    #[error("more follows the value")]
    Trailing,
    /// Lists and maps lie in each other deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A number or length is written longer than needed.
    #[error("a number is not in its shortest form")]
    NotMinimal,
    /// A length is left open.
    #[error("a length is indefinite")]
    Indefinite,
    /// A head that CBOR reserves.
    #[error("a reserved head")]
    Reserved,
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    NotUtf8,
    /// A map key is not a text.
    #[error("a map key is not a text")]
    KeyNotText,
    /// A key comes after one it should precede. Shorter keys first, equal lengths by bytes.
    #[error("a map key is out of order")]
    KeyOrder,
    /// A key stands twice in a map.
    #[error("a map key stands twice")]
    KeyTwice,
    /// A tag other than 42.
    #[error("a tag other than 42")]
    Tag,
    /// Tag 42 on something that is not a CID behind a zero byte.
    #[error("a link is not a CID")]
    NotALink,
    /// A float of 16 or 32 bits.
    #[error("a float is not in 64 bits")]
    FloatWidth,
    /// NaN or an infinity.
    #[error("a float is not finite")]
    FloatNotFinite,
    /// Negative zero, which is written as zero.
    #[error("a float is negative zero")]
    NegativeZero,
    /// A simple value other than false, true and null.
    #[error("a simple value other than false, true and null")]
    Simple,
}

/// Where a rule is broken, and which.
pub(super) type Breach = (usize, Rule);

/// Checks that `bytes` are one value in its strict encoding.
pub(super) fn check(bytes: &[u8]) -> Result<(), Breach> {
    walk(bytes).map(|_| ())
}

/// How deep lists and maps lie in each other in an encoded value.
pub(crate) fn depth_of(bytes: &[u8]) -> Option<usize> {
    walk(bytes).ok()
}

/// The links in an encoded value, in the order in which they stand there. Nothing is built from the rest.
pub(crate) fn links_of(bytes: &[u8]) -> Result<Vec<Cid>, Breach> {
    let mut links = Vec::new();
    walk_with(bytes, |link| links.push(link))?;
    Ok(links)
}

fn walk(bytes: &[u8]) -> Result<usize, Breach> {
    walk_with(bytes, |_| {})
}

fn walk_with(bytes: &[u8], links: impl FnMut(Cid)) -> Result<usize, Breach> {
    let mut walk = Walk {
        bytes,
        at: 0,
        open: Vec::new(),
        deepest: 0,
        links,
    };
    walk.value()?;
    while walk.step()? {}
    if walk.at == bytes.len() {
        Ok(walk.deepest)
    } else {
        Err((walk.at, Rule::Trailing))
    }
}

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const LIST: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;

/// The tag of a link.
const LINK_TAG: u64 = 42;

struct Walk<'a, F> {
    bytes: &'a [u8],
    at: usize,
    open: Vec<Open<'a>>,
    deepest: usize,
    /// Is told of every link.
    links: F,
}

/// A list or map whose entries are being read.
struct Open<'a> {
    left: u64,
    is_map: bool,
    last_key: Option<&'a [u8]>,
}

/// The first byte of an item and the number that comes with it.
struct Head {
    at: usize,
    major: u8,
    number: u64,
}

impl<'a, F: FnMut(Cid)> Walk<'a, F> {
    /// Reads one more entry, or closes what has none left. False when all is closed.
    fn step(&mut self) -> Result<bool, Breach> {
        let Some(open) = self.open.last_mut() else {
            return Ok(false);
        };
        if open.left == 0 {
            self.open.pop();
            return Ok(true);
        }
        open.left -= 1;
        if open.is_map {
            self.key()?;
        }
        self.value()?;
        Ok(true)
    }

    fn value(&mut self) -> Result<(), Breach> {
        if self.peek()? >> 5 == 7 {
            return self.simple();
        }
        let head = self.head()?;
        match head.major {
            UNSIGNED | NEGATIVE => Ok(()),
            BYTES => self.take(head.number).map(|_| ()),
            TEXT => self.text(&head).map(|_| ()),
            LIST | MAP => self.enter(&head),
            TAG => self.link(&head),
            _ => Err((head.at, Rule::Reserved)),
        }
    }

    fn enter(&mut self, head: &Head) -> Result<(), Breach> {
        if self.open.len() == MAX_DEPTH {
            return Err((head.at, Rule::TooDeep));
        }
        self.open.push(Open {
            left: head.number,
            is_map: head.major == MAP,
            last_key: None,
        });
        self.deepest = self.deepest.max(self.open.len());
        Ok(())
    }

    fn key(&mut self) -> Result<(), Breach> {
        let head = self.head()?;
        if head.major != TEXT {
            return Err((head.at, Rule::KeyNotText));
        }
        let key = self.text(&head)?;
        let Some(open) = self.open.last_mut() else {
            return Ok(());
        };
        match open.last_key.replace(key) {
            Some(last) if last == key => Err((head.at, Rule::KeyTwice)),
            Some(last) if (last.len(), last) > (key.len(), key) => Err((head.at, Rule::KeyOrder)),
            _ => Ok(()),
        }
    }

    fn text(&mut self, head: &Head) -> Result<&'a [u8], Breach> {
        let text = self.take(head.number)?;
        match std::str::from_utf8(text) {
            Ok(_) => Ok(text),
            Err(_) => Err((head.at, Rule::NotUtf8)),
        }
    }

    fn link(&mut self, tag: &Head) -> Result<(), Breach> {
        if tag.number != LINK_TAG {
            return Err((tag.at, Rule::Tag));
        }
        let head = self.head()?;
        if head.major != BYTES {
            return Err((head.at, Rule::NotALink));
        }
        let not_a_link = (head.at, Rule::NotALink);
        let Some((0, cid)) = self.take(head.number)?.split_first() else {
            return Err(not_a_link);
        };
        let cid = cid_from_bytes(cid).map_err(|_| not_a_link)?;
        (self.links)(cid);
        Ok(())
    }

    fn simple(&mut self) -> Result<(), Breach> {
        let at = self.at;
        match self.byte()? {
            0xf4..=0xf6 => Ok(()),
            0xf9 | 0xfa => Err((at, Rule::FloatWidth)),
            0xfb => self.float(at),
            0xff => Err((at, Rule::Indefinite)),
            _ => Err((at, Rule::Simple)),
        }
    }

    fn float(&mut self, at: usize) -> Result<(), Breach> {
        let float = f64::from_bits(self.number(8)?);
        if !float.is_finite() {
            return Err((at, Rule::FloatNotFinite));
        }
        if float == 0.0 && float.is_sign_negative() {
            return Err((at, Rule::NegativeZero));
        }
        Ok(())
    }

    fn head(&mut self) -> Result<Head, Breach> {
        let at = self.at;
        let first = self.byte()?;
        let (number, least) = match first & 0x1f {
            short @ 0..=23 => (u64::from(short), 0),
            24 => (self.number(1)?, 24),
            25 => (self.number(2)?, 1 << 8),
            26 => (self.number(4)?, 1 << 16),
            27 => (self.number(8)?, 1 << 32),
            31 => return Err((at, Rule::Indefinite)),
            _ => return Err((at, Rule::Reserved)),
        };
        if number < least {
            return Err((at, Rule::NotMinimal));
        }
        let major = first >> 5;
        Ok(Head { at, major, number })
    }

    /// A big-endian number of `len` bytes, at most 8.
    fn number(&mut self, len: u64) -> Result<u64, Breach> {
        let bytes = self.take(len)?;
        Ok(bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn byte(&mut self) -> Result<u8, Breach> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    fn peek(&self) -> Result<u8, Breach> {
        self.bytes
            .get(self.at)
            .copied()
            .ok_or((self.at, Rule::EndsEarly))
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], Breach> {
        let rest = &self.bytes[self.at..];
        let ends_early = (self.bytes.len(), Rule::EndsEarly);
        let len = usize::try_from(len).map_err(|_| ends_early)?;
        let taken = rest.get(..len).ok_or(ends_early)?;
        self.at += len;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is refused, where, and why. Bytes in hex.
    const REFUSED: &[(&str, usize, Rule)] = &[
        ("", 0, Rule::EndsEarly),
        ("8101ff", 2, Rule::Trailing),
        ("0000", 1, Rule::Trailing),
        ("1800", 0, Rule::NotMinimal),
        ("1817", 0, Rule::NotMinimal),
        ("1900ff", 0, Rule::NotMinimal),
        ("1a0000ffff", 0, Rule::NotMinimal),
        ("1b00000000ffffffff", 0, Rule::NotMinimal),
        ("3800", 0, Rule::NotMinimal),
        ("580161", 0, Rule::NotMinimal),
        ("780161", 0, Rule::NotMinimal),
        ("980101", 0, Rule::NotMinimal),
        ("b801616101", 0, Rule::NotMinimal),
        ("d9002a4100", 0, Rule::NotMinimal),
        ("9f01ff", 0, Rule::Indefinite),
        ("bfff", 0, Rule::Indefinite),
        ("5f4101ff", 0, Rule::Indefinite),
        ("7f6161ff", 0, Rule::Indefinite),
        ("ff", 0, Rule::Indefinite),
        ("1c", 0, Rule::Reserved),
        ("61ff", 0, Rule::NotUtf8),
        ("a10101", 1, Rule::KeyNotText),
        ("a2616201616101", 4, Rule::KeyOrder),
        ("a26261610161620a", 5, Rule::KeyOrder),
        ("a2616101616102", 4, Rule::KeyTwice),
        ("c11a514b67b0", 0, Rule::Tag),
        ("c249010000000000000000", 0, Rule::Tag),
        ("d82a00", 2, Rule::NotALink),
        ("d82a4100", 2, Rule::NotALink),
        ("d82a450155000161", 2, Rule::NotALink),
        ("d82a47000155000161", 9, Rule::EndsEarly),
        ("d82a4700015500016100", 2, Rule::NotALink),
        ("f93c00", 0, Rule::FloatWidth),
        ("fa3f800000", 0, Rule::FloatWidth),
        ("fb7ff8000000000000", 0, Rule::FloatNotFinite),
        ("fb7ff0000000000000", 0, Rule::FloatNotFinite),
        ("fbfff0000000000000", 0, Rule::FloatNotFinite),
        ("fb8000000000000000", 0, Rule::NegativeZero),
        ("f7", 0, Rule::Simple),
        ("f820", 0, Rule::Simple),
        ("e0", 0, Rule::Simple),
        ("9bffffffffffffffff", 9, Rule::EndsEarly),
        ("5bffffffffffffffff", 9, Rule::EndsEarly),
        ("a1", 1, Rule::EndsEarly),
    ];

    #[test]
    fn every_breach_is_found_and_named() {
        for (hex, at, rule) in REFUSED {
            let bytes = crate::testing::unhex(hex);
            assert_eq!(check(&bytes), Err((*at, *rule)), "{hex}");
        }
    }

    #[test]
    fn plain_values_pass() {
        for hex in [
            "00",
            "1818",
            "3903e7",
            "f6",
            "f5",
            "80",
            "a0",
            "a1616101",
            "fb3ff0000000000000",
        ] {
            assert_eq!(check(&crate::testing::unhex(hex)), Ok(()), "{hex}");
        }
        let link = crate::testing::unhex("d82a46000155000161");
        assert_eq!(check(&link), Ok(()));
    }

    #[test]
    fn depth_counts_lists_and_maps() {
        assert_eq!(depth_of(&[0x00]), Some(0));
        assert_eq!(depth_of(&[0x81, 0xa0]), Some(2));
    }
}
