//! Events, written down as they come.
//!
//! A task may make many driver calls, and each is written while the guest waits. So what is kept of an event is its
//! encoding, some tens of bytes at the end of a long run of them, and nothing is built from it until somebody asks.

use std::{fmt, vec};

use bytes::Bytes;

use super::Event;
use crate::ipld::{Block, DAG_CBOR, EncodeError, Ipld, MAX_BLOCK_BYTES, decode_within, encode};

/// Bytes of events after which a segment is closed: half of what a block may have.
const SEGMENT_BYTES: usize = MAX_BLOCK_BYTES / 2;

/// What happened, one after the other.
#[derive(Clone, Default, PartialEq)]
pub struct Events {
    /// Segments that are full.
    closed: Vec<Block>,
    open: Open,
    len: usize,
}

/// A list that is being written: its items.
#[derive(Clone, Debug, Default, PartialEq)]
struct Open {
    items: Vec<u8>,
    count: u64,
}

/// A driver call whose arguments and answer are encoded already, as [`write`](super::write) does it.
#[derive(Clone, Copy, Debug)]
pub struct WrittenCall<'a> {
    /// Its number.
    pub number: u64,
    /// Who asked.
    pub by: u32,
    /// What was asked.
    pub name: &'a str,
    /// With which arguments.
    pub args: &'a [u8],
    /// The answer, if there was one.
    pub answer: Option<&'a [u8]>,
}

impl Events {
    /// Writes these events.
    pub fn of(events: impl IntoIterator<Item = Event>) -> Result<Self, EncodeError> {
        let mut written = Self::default();
        for event in events {
            written.push(&event)?;
        }
        Ok(written)
    }

    /// Writes an event.
    pub fn push(&mut self, event: &Event) -> Result<(), EncodeError> {
        let call = match event {
            Event::Time(until) => {
                self.time(*until);
                return Ok(());
            }
            Event::Call(call) => call,
        };
        let args = encode(&call.args)?;
        let answer = call.answer.as_ref().map(encode).transpose()?;
        self.call(WrittenCall {
            number: call.number,
            by: call.by,
            name: &call.name,
            args: &args,
            answer: answer.as_deref(),
        });
        Ok(())
    }

    /// Writes a driver call.
    pub fn call(&mut self, call: WrittenCall<'_>) {
        let begin = self.open.items.len();
        let into = &mut self.open.items;
        // Keys in the order of DAG-CBOR: shorter ones first.
        head(MAP, 4 + u64::from(call.answer.is_some()), into);
        text("by", into);
        head(UNSIGNED, call.by.into(), into);
        text("args", into);
        into.extend_from_slice(call.args);
        text("call", into);
        head(UNSIGNED, call.number, into);
        text("name", into);
        text(call.name, into);
        if let Some(answer) = call.answer {
            text("answer", into);
            into.extend_from_slice(answer);
        }
        self.end(begin);
    }

    /// Writes that time passed until so many nanoseconds since the task began.
    pub fn time(&mut self, until: u64) {
        let begin = self.open.items.len();
        head(MAP, 1, &mut self.open.items);
        text("time", &mut self.open.items);
        head(UNSIGNED, until, &mut self.open.items);
        self.end(begin);
    }

    /// Ends the event that began there.
    fn end(&mut self, begin: usize) {
        if self.open.items.len() > SEGMENT_BYTES && begin > 0 {
            let last = self.open.items.split_off(begin);
            self.closed.push(self.open.segment());
            self.open = Open {
                items: last,
                count: 0,
            };
        }
        self.open.count += 1;
        self.len += 1;
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Reads them, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        let closed = self.closed.iter().map(|block| items(block.bytes()));
        let open = (self.open.count > 0).then(|| items(&self.open.list()));
        closed.chain(open).flatten().map(read)
    }

    /// Writes them as blocks, each a list.
    pub(super) fn segments(&self) -> Result<Vec<Block>, EncodeError> {
        let mut segments = self.closed.clone();
        if self.open.count > 0 {
            segments.push(self.open.segment());
        }
        let too_large = |block: &&Block| block.bytes().len() > MAX_BLOCK_BYTES;
        match segments.iter().find(too_large) {
            Some(block) => Err(EncodeError::TooLarge {
                len: block.bytes().len(),
            }),
            None => Ok(segments),
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl IntoIterator for Events {
    type Item = Event;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        let lists = self.closed.into_iter().map(|block| block.into_parts().1);
        let open = (self.open.count > 0).then(|| self.open.list().into());
        IntoIter {
            lists: lists.chain(open).collect::<Vec<_>>().into_iter(),
            items: Vec::new().into_iter(),
        }
    }
}

/// Events that are read one after the other. Of one segment at a time there is more than bytes.
#[derive(Debug)]
pub struct IntoIter {
    lists: vec::IntoIter<Bytes>,
    items: vec::IntoIter<Ipld>,
}

impl Iterator for IntoIter {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(item) = self.items.next() {
                return Some(read(item));
            }
            self.items = items(&self.lists.next()?).into_iter();
        }
    }
}

impl Open {
    fn list(&self) -> Vec<u8> {
        let mut list = Vec::with_capacity(self.items.len() + HEAD_BYTES_MAX);
        head(LIST, self.count, &mut list);
        list.extend_from_slice(&self.items);
        list
    }

    fn segment(&self) -> Block {
        Block::new(DAG_CBOR, self.list())
    }
}

/// Reads a list that was written here. One event may be larger than a block; then there is no trace, but the list can be read.
fn items(list: &[u8]) -> Vec<Ipld> {
    match decode_within(list, usize::MAX) {
        Ok(Ipld::List(items)) => items,
        other => unreachable!("events are written as a list, and this is {other:?}"),
    }
}

fn read(item: Ipld) -> Event {
    Event::from_ipld(item).expect("what was written as an event is one")
}

const UNSIGNED: u8 = 0;
const TEXT: u8 = 3;
const LIST: u8 = 4;
const MAP: u8 = 5;

/// Most bytes of the beginning of an item.
const HEAD_BYTES_MAX: usize = 9;

/// Writes the beginning of an item, in its shortest form.
fn head(major: u8, number: u64, into: &mut Vec<u8>) {
    let major = major << 5;
    let bytes = number.to_be_bytes();
    match number {
        0..=23 => into.push(major | bytes[7]),
        24..=0xff => into.extend_from_slice(&[major | 24, bytes[7]]),
        0x100..=0xffff => {
            into.push(major | 25);
            into.extend_from_slice(&bytes[6..]);
        }
        0x1_0000..=0xffff_ffff => {
            into.push(major | 26);
            into.extend_from_slice(&bytes[4..]);
        }
        _ => {
            into.push(major | 27);
            into.extend_from_slice(&bytes);
        }
    }
}

fn text(text: &str, into: &mut Vec<u8>) {
    head(TEXT, text.len() as u64, into);
    into.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::{Call, Event};
    use super::*;
    use crate::testing::any_ipld;
    use proptest::prelude::*;

    fn any_event() -> impl Strategy<Value = Event> {
        let call = (any::<u64>(), any::<u32>(), ".{0,30}", any_ipld());
        let call = (call, proptest::option::of(any_ipld()));
        let call = call.prop_map(|((number, by, name, args), answer)| {
            Event::Call(Call {
                number,
                by,
                name,
                args,
                answer,
            })
        });
        prop_oneof![call, any::<u64>().prop_map(Event::Time)]
    }

    proptest! {
        #[test]
        fn what_is_written_is_strict_and_read(events in proptest::collection::vec(any_event(), 0..40)) {
            let written = Events::of(events.clone()).unwrap();
            prop_assert_eq!(written.len(), events.len());
            prop_assert_eq!(written.iter().collect::<Vec<_>>(), events.clone());
            prop_assert_eq!(written.clone().into_iter().collect::<Vec<_>>(), events);
            for segment in written.segments().unwrap() {
                prop_assert!(segment.decode::<Ipld>().is_ok());
            }
        }
    }

    #[test]
    fn long_records_are_read_from_many_segments() {
        let count = 30_000;
        let events = (0..count).map(Event::Time);
        let long = Event::Call(Call {
            number: 0,
            by: 0,
            name: "n".repeat(SEGMENT_BYTES / 2),
            args: Ipld::Null,
            answer: None,
        });
        let mixed: Vec<_> = events.chain([long.clone(), long.clone(), long]).collect();
        let written = Events::of(mixed.clone()).unwrap();
        assert_eq!(written.segments().unwrap().len(), 4);
        assert!(written.iter().eq(mixed.iter().cloned()));
        assert!(written.into_iter().eq(mixed));
    }
}
