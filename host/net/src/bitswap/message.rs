//! Messages, as bytes.
//!
//! ```text
//! Message { 1: Wantlist { 1: Entry …, 2: full }, 3: Payload …, 4: Presence … }
//! Entry { 1: CID, 2: priority, 3: cancel, 4: block or have, 5: say if you don't }
//! Payload { 1: prefix, 2: data }      Presence { 1: CID, 2: has or hasn't }
//! ```
//!
//! They come from strangers: of lists longer than anybody needs the rest is skipped, and what isn't understood is too.

use std::ops::Range;

use bytes::Bytes;
use homestar_core::ipld::{Cid, DAG_PB, SHA2_256};
use thiserror::Error;

/// Most bytes of a message. Others send up to 4 MiB.
pub(super) const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Entries of a want list that are read. Others keep up to 1,024 of each peer.
const ENTRIES_MAX: usize = 4096;
/// Blocks of a message that are read.
const PAYLOADS_MAX: usize = 8192;
/// Bytes of a CID. One of sha2-256 has 36.
const CID_BYTES_MAX: usize = 128;

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) entries: Vec<Entry>,
    /// The entries are all that is wanted, and what was wanted before isn't any more.
    pub(crate) is_full: bool,
    pub(crate) payloads: Vec<Payload>,
    pub(crate) presences: Vec<Presence>,
}

/// Something that is wanted, or isn't any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) cid: Cid,
    pub(crate) want: Want,
}

/// What is wanted of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// Its bytes.
    Block {
        /// Whether it should be said that it isn't there.
        tell: bool,
    },
    /// To know whether it is there. If it is small, its bytes may come instead.
    Have {
        /// Whether it should be said that it isn't there.
        tell: bool,
    },
    /// Nothing any more.
    Cancel,
}

/// The bytes of a block, and what its CID is but for the hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) prefix: Prefix,
    pub(crate) data: Bytes,
}

/// What a CID is but for the hash. Only those of sha2-256 are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prefix {
    V0,
    V1 { codec: u64 },
    Other,
}

/// Whether a block is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Presence {
    pub(crate) cid: Cid,
    pub(crate) has: bool,
}

impl Prefix {
    pub(crate) fn of(cid: &Cid) -> Self {
        match u64::from(cid.version()) {
            _ if cid.hash().code() != SHA2_256 => Self::Other,
            0 => Self::V0,
            _ => Self::V1 { codec: cid.codec() },
        }
    }
}

impl Message {
    /// One in which a block is wanted.
    #[cfg(test)]
    pub(crate) fn wanting(cid: Cid) -> Self {
        let want = Want::Block { tell: true };
        Self {
            entries: vec![Entry { cid, want }],
            ..Self::default()
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.payloads.is_empty() && self.presences.is_empty()
    }

    /// Writes it, with its length before it.
    pub(crate) fn to_frame(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.payloads.iter().map(|p| p.data.len() + 32).sum());
        if !self.entries.is_empty() || self.is_full {
            let mut list = Vec::new();
            for entry in &self.entries {
                write_bytes(&mut list, 1, &entry.to_bytes());
            }
            write_number(&mut list, 2, self.is_full.into());
            write_bytes(&mut body, 1, &list);
        }
        for payload in &self.payloads {
            let prefix = payload.prefix.to_bytes();
            let length = bytes_bytes(prefix.len()) + bytes_bytes(payload.data.len());
            varint(&mut body, key(3, BYTES));
            varint(&mut body, length as u64);
            write_bytes(&mut body, 1, &prefix);
            write_bytes(&mut body, 2, &payload.data);
        }
        for presence in &self.presences {
            let mut bytes = Vec::new();
            write_bytes(&mut bytes, 1, &presence.cid.to_bytes());
            write_number(&mut bytes, 2, (!presence.has).into());
            write_bytes(&mut body, 4, &bytes);
        }
        let mut frame = Vec::with_capacity(body.len() + 4);
        varint(&mut frame, body.len() as u64);
        frame.append(&mut body);
        frame
    }

    /// Reads one, without its length. Of a block, the bytes aren't copied.
    pub(crate) fn read(bytes: &Bytes) -> Result<Self, Malformed> {
        let mut message = Self::default();
        let mut fields = Fields::of(bytes, 0..bytes.len());
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Bytes(list)) => message.read_list(bytes, list)?,
                (3, Value::Bytes(payload)) if message.payloads.len() < PAYLOADS_MAX => {
                    message.payloads.push(Payload::read(bytes, payload)?);
                }
                (4, Value::Bytes(presence)) if message.presences.len() < ENTRIES_MAX => {
                    message.presences.push(Presence::read(bytes, presence)?);
                }
                _ => {}
            }
        }
        Ok(message)
    }

    fn read_list(&mut self, bytes: &Bytes, within: Range<usize>) -> Result<(), Malformed> {
        let mut fields = Fields::of(bytes, within);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Bytes(entry)) if self.entries.len() < ENTRIES_MAX => {
                    self.entries.push(Entry::read(bytes, entry)?);
                }
                (2, Value::Number(number)) => self.is_full = number != 0,
                _ => {}
            }
        }
        Ok(())
    }
}

impl Entry {
    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(48);
        write_bytes(&mut bytes, 1, &self.cid.to_bytes());
        let (cancel, kind, tell) = match self.want {
            Want::Block { tell } => (false, 0, tell),
            Want::Have { tell } => (false, 1, tell),
            Want::Cancel => (true, 0, false),
        };
        // Others sort by it, and let those of no priority go first.
        write_number(&mut bytes, 2, 1);
        write_number(&mut bytes, 3, cancel.into());
        write_number(&mut bytes, 4, kind);
        write_number(&mut bytes, 5, tell.into());
        bytes
    }

    fn read(bytes: &Bytes, within: Range<usize>) -> Result<Self, Malformed> {
        let mut fields = Fields::of(bytes, within);
        let (mut cid, mut cancel, mut kind, mut tell) = (None, false, 0, false);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Bytes(range)) => cid = Some(read_cid(&bytes[range])?),
                (3, Value::Number(number)) => cancel = number != 0,
                (4, Value::Number(number)) => kind = number,
                (5, Value::Number(number)) => tell = number != 0,
                _ => {}
            }
        }
        let want = match kind {
            _ if cancel => Want::Cancel,
            0 => Want::Block { tell },
            _ => Want::Have { tell },
        };
        let cid = cid.ok_or(Malformed("an entry has no CID"))?;
        Ok(Self { cid, want })
    }
}

impl Prefix {
    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8);
        let (version, codec) = match self {
            Self::V1 { codec } => (1, codec),
            Self::V0 | Self::Other => (0, DAG_PB),
        };
        for number in [version, codec, SHA2_256, 32] {
            varint(&mut bytes, number);
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Self {
        let mut at = 0;
        let mut number = || read_varint(bytes, &mut at).ok();
        match [number(), number(), number(), number()] {
            [Some(0), Some(DAG_PB), Some(SHA2_256), Some(32)] => Self::V0,
            [Some(1), Some(codec), Some(SHA2_256), Some(32)] => Self::V1 { codec },
            _ => Self::Other,
        }
    }
}

impl Payload {
    fn read(bytes: &Bytes, within: Range<usize>) -> Result<Self, Malformed> {
        let mut fields = Fields::of(bytes, within);
        let mut payload = Self {
            prefix: Prefix::Other,
            data: Bytes::new(),
        };
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Bytes(range)) => payload.prefix = Prefix::read(&bytes[range]),
                (2, Value::Bytes(range)) => payload.data = bytes.slice(range),
                _ => {}
            }
        }
        Ok(payload)
    }
}

impl Presence {
    fn read(bytes: &Bytes, within: Range<usize>) -> Result<Self, Malformed> {
        let mut fields = Fields::of(bytes, within);
        let (mut cid, mut has) = (None, true);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Bytes(range)) => cid = Some(read_cid(&bytes[range])?),
                (2, Value::Number(number)) => has = number == 0,
                _ => {}
            }
        }
        let cid = cid.ok_or(Malformed("a presence has no CID"))?;
        Ok(Self { cid, has })
    }
}

fn read_cid(bytes: &[u8]) -> Result<Cid, Malformed> {
    if bytes.len() > CID_BYTES_MAX {
        return Err(Malformed("a CID is too long"));
    }
    let cid = Cid::try_from(bytes).map_err(|_| Malformed("what should be a CID is none"))?;
    // A CID has one form, so that there aren't many names for one want.
    match cid.to_bytes() == bytes {
        true => Ok(cid),
        false => Err(Malformed("a CID isn't in its shortest form")),
    }
}

/// Bytes that are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub(crate) struct Malformed(&'static str);

const NUMBER: u64 = 0;
const BYTES: u64 = 2;

fn key(number: u64, kind: u64) -> u64 {
    number << 3 | kind
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint_bytes(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// How many bytes a field of so many bytes takes.
fn bytes_bytes(length: usize) -> usize {
    1 + varint_bytes(length as u64) + length
}

fn write_bytes(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    varint(out, key(number, BYTES));
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Nothing is written for 0.
fn write_number(out: &mut Vec<u8>, number: u64, value: u64) {
    if value != 0 {
        varint(out, key(number, NUMBER));
        varint(out, value);
    }
}

fn read_varint(bytes: &[u8], at: &mut usize) -> Result<u64, Malformed> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at).ok_or(Malformed("it ends within a number"))?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Malformed("a number has too many bytes"))
}

enum Value {
    Number(u64),
    /// Where they are.
    Bytes(Range<usize>),
    /// Of a kind that messages don't use.
    Other,
}

/// The fields of a message, one after the other.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    fn of(bytes: &'a [u8], within: Range<usize>) -> Self {
        Self {
            bytes: &bytes[..within.end],
            at: within.start,
        }
    }

    fn next(&mut self) -> Result<Option<(u64, Value)>, Malformed> {
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        let key = read_varint(self.bytes, &mut self.at)?;
        let value = match key & 7 {
            NUMBER => Value::Number(read_varint(self.bytes, &mut self.at)?),
            BYTES => {
                let length = read_varint(self.bytes, &mut self.at)?;
                let start = self.at;
                self.skip(length)?;
                Value::Bytes(start..self.at)
            }
            1 => self.skip(8).map(|()| Value::Other)?,
            5 => self.skip(4).map(|()| Value::Other)?,
            _ => return Err(Malformed("a field is of no known kind")),
        };
        Ok(Some((key >> 3, value)))
    }

    fn skip(&mut self, length: u64) -> Result<(), Malformed> {
        let left = self.bytes.len() - self.at;
        match usize::try_from(length) {
            Ok(length) if length <= left => {
                self.at += length;
                Ok(())
            }
            _ => Err(Malformed("it ends within a field")),
        }
    }
}

#[cfg(test)]
mod tests {
    use homestar_core::ipld::{Block, RAW};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;

    /// The same messages, as a library writes and reads them.
    mod theirs {
        #[derive(Clone, PartialEq, prost::Message)]
        pub(super) struct Message {
            #[prost(message, optional, tag = "1")]
            pub(super) wantlist: Option<Wantlist>,
            #[prost(message, repeated, tag = "3")]
            pub(super) payload: Vec<Payload>,
            #[prost(message, repeated, tag = "4")]
            pub(super) presences: Vec<Presence>,
            #[prost(int32, tag = "5")]
            pub(super) pending_bytes: i32,
        }

        #[derive(Clone, PartialEq, prost::Message)]
        pub(super) struct Wantlist {
            #[prost(message, repeated, tag = "1")]
            pub(super) entries: Vec<Entry>,
            #[prost(bool, tag = "2")]
            pub(super) full: bool,
        }

        #[derive(Clone, PartialEq, prost::Message)]
        pub(super) struct Entry {
            #[prost(bytes = "vec", tag = "1")]
            pub(super) block: Vec<u8>,
            #[prost(int32, tag = "2")]
            pub(super) priority: i32,
            #[prost(bool, tag = "3")]
            pub(super) cancel: bool,
            #[prost(int32, tag = "4")]
            pub(super) want_type: i32,
            #[prost(bool, tag = "5")]
            pub(super) send_dont_have: bool,
        }

        #[derive(Clone, PartialEq, prost::Message)]
        pub(super) struct Payload {
            #[prost(bytes = "vec", tag = "1")]
            pub(super) prefix: Vec<u8>,
            #[prost(bytes = "vec", tag = "2")]
            pub(super) data: Vec<u8>,
        }

        #[derive(Clone, PartialEq, prost::Message)]
        pub(super) struct Presence {
            #[prost(bytes = "vec", tag = "1")]
            pub(super) cid: Vec<u8>,
            #[prost(int32, tag = "2")]
            pub(super) kind: i32,
        }
    }

    fn body(message: &Message) -> Bytes {
        let frame = Bytes::from(message.to_frame());
        let mut at = 0;
        let length = read_varint(&frame, &mut at).unwrap();
        assert_eq!(frame.len() - at, length as usize);
        frame.slice(at..)
    }

    fn cids() -> impl Strategy<Value = Cid> {
        (any::<Vec<u8>>(), 0..3).prop_map(|(bytes, kind)| {
            let block = Block::new([RAW, DAG_PB, 0x129][kind as usize], bytes);
            match kind {
                1 => Cid::new_v0(*block.cid().hash()).unwrap(),
                _ => *block.cid(),
            }
        })
    }

    fn messages() -> impl Strategy<Value = Message> {
        let want = (0..3, any::<bool>()).prop_map(|(kind, tell)| match kind {
            0 => Want::Block { tell },
            1 => Want::Have { tell },
            _ => Want::Cancel,
        });
        let entry = (cids(), want).prop_map(|(cid, want)| Entry { cid, want });
        let payload = (cids(), any::<Vec<u8>>()).prop_map(|(cid, data)| Payload {
            prefix: Prefix::of(&cid),
            data: data.into(),
        });
        let presence = (cids(), any::<bool>()).prop_map(|(cid, has)| Presence { cid, has });
        (
            vec(entry, 0..9),
            any::<bool>(),
            vec(payload, 0..9),
            vec(presence, 0..9),
        )
            .prop_map(|(entries, is_full, payloads, presences)| Message {
                entries,
                is_full,
                payloads,
                presences,
            })
    }

    proptest! {
        #[test]
        fn messages_come_back(message in messages()) {
            prop_assert_eq!(Message::read(&body(&message)), Ok(message));
        }

        #[test]
        fn a_library_reads_ours_and_we_read_its(message in messages(), pending: i32, priority: i32) {
            let mut theirs = theirs::Message::decode(body(&message)).unwrap();
            let entries = theirs.wantlist.clone().unwrap_or_default().entries;
            prop_assert_eq!(entries.len(), message.entries.len());
            for (theirs, ours) in entries.iter().zip(&message.entries) {
                prop_assert_eq!(&theirs.block, &ours.cid.to_bytes());
                prop_assert_eq!(theirs.cancel, ours.want == Want::Cancel);
            }
            theirs.pending_bytes = pending;
            if let Some(list) = &mut theirs.wantlist {
                list.entries.iter_mut().for_each(|entry| entry.priority = priority);
            }
            prop_assert_eq!(Message::read(&theirs.encode_to_vec().into()), Ok(message));
        }

        #[test]
        fn nothing_makes_it_panic(bytes: Vec<u8>) {
            let _ = Message::read(&bytes.into());
        }

        #[test]
        fn nor_does_what_was_damaged(message in messages(), at: usize, byte: u8) {
            let mut bytes = body(&message).to_vec();
            if !bytes.is_empty() {
                let at = at % bytes.len();
                bytes[at] = byte;
                let _ = Message::read(&bytes.into());
            }
        }
    }

    #[test]
    fn long_lists_are_cut() {
        let cid = *Block::raw(vec![]).cid();
        let want = Want::Have { tell: true };
        let message = Message {
            entries: vec![Entry { cid, want }; ENTRIES_MAX + 1],
            presences: vec![Presence { cid, has: true }; ENTRIES_MAX + 1],
            ..Message::default()
        };
        let read = Message::read(&body(&message)).unwrap();
        assert_eq!(read.entries.len(), ENTRIES_MAX);
        assert_eq!(read.presences.len(), ENTRIES_MAX);
        // Two bytes for each, of which thousands fit.
        let empty = [[0x1a, 0x00]; PAYLOADS_MAX + 1].concat();
        let read = Message::read(&empty.into()).unwrap();
        assert_eq!(read.payloads.len(), PAYLOADS_MAX);
    }

    #[test]
    fn what_is_no_message_is_said() {
        for (bytes, words) in [
            (&b"\x0a"[..], "it ends within a number"),
            (b"\x0a\x05abc", "it ends within a field"),
            (b"\x0b", "a field is of no known kind"),
            (b"\x0a\x02\x0a\x00", "an entry has no CID"),
            (b"\x0a\x05\x0a\x03\x0a\x01x", "what should be a CID is none"),
            (b"\x22\x00", "a presence has no CID"),
            (&[0x80; 11], "a number has too many bytes"),
        ] {
            let read = Message::read(&Bytes::from(bytes.to_vec()));
            assert_eq!(read, Err(Malformed(words)), "{bytes:?}");
        }
    }
}
