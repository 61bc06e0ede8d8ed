//! What a task heard from outside: every driver call with its answer, in the order in which the answers came.
//!
//! A guest and its effects are deterministic but for what drivers answer. So whoever has the instruction, the
//! components and the trace can run the task again, bit for bit, without the outside.
//!
//! A trace is a small block that names the parts and links segments: lists of events, each in a block of its
//! own. Long byte strings stand in the events as links to files ([`spill`]).

mod events;
mod spill;

pub use events::{Events, WrittenCall};
pub use spill::{SPILL_BYTES, SpillError, unspill, write};

use crate::ipld::{Block, Cid, DecodeError, EncodeError, FieldError, Fields, Ipld, Link};
use std::collections::BTreeMap;
use thiserror::Error;

/// Everything that a task heard.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// The components that may ask: the guest first, then its effects in the order of their numbers.
    pub parts: Vec<Part>,
    /// What happened.
    pub events: Events,
}

/// A component that may ask drivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The component.
    pub component: Cid,
    /// What was granted to it, as people write it: sets of grants that all had to agree.
    pub grants: Vec<Vec<String>>,
    /// Which part provides what it imports of other components, by the name of the import.
    pub imports: BTreeMap<String, u32>,
}

/// Something that entered a task.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all events are calls, and there are many"
)]
pub enum Event {
    /// A driver answered.
    Call(Call),
    /// While a driver was asked, time passed until something that slept was due, in nanoseconds since the task
    /// began.
    Time(u64),
}

/// A driver call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Its number: calls are numbered in the order in which they were made, from 0.
    pub number: u64,
    /// Who asked: an index into the trace's parts.
    pub by: u32,
    /// What was asked, such as `homestar:driver/http.send`.
    pub name: String,
    /// With which arguments.
    pub args: Ipld,
    /// The answer. There is none if the task ended before it came.
    pub answer: Option<Ipld>,
}

impl Call {
    /// The short name of the driver that was asked, such as `http`.
    pub fn driver(&self) -> &str {
        let interface = self.name.split('.').next().unwrap_or_default();
        interface.rsplit('/').next().unwrap_or_default()
    }
}

/// A trace as blocks.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The block that names it.
    pub root: Block,
    /// The segments.
    pub segments: Vec<Block>,
}

impl Trace {
    /// Writes the trace as blocks. The same trace gives the same blocks.
    pub fn encode(&self) -> Result<Encoded, TraceError> {
        let segments = self.events.segments()?;
        let links = segments.iter().map(|block| Ipld::Link(*block.cid()));
        let root = Ipld::Map(BTreeMap::from([
            (
                "parts".to_owned(),
                Ipld::List(self.parts.iter().map(Part::to_ipld).collect()),
            ),
            ("segments".to_owned(), Ipld::List(links.collect())),
        ]));
        Ok(Encoded {
            root: Block::of_dag_cbor(&root)?,
            segments,
        })
    }

    /// Reads a trace. `block` gives the bytes of a segment, checked against its CID.
    pub fn decode(
        root: &Block,
        mut block: impl FnMut(&Cid) -> Option<Block>,
    ) -> Result<Self, TraceError> {
        let mut fields = Fields::of("trace", root.decode::<Ipld>()?)?;
        let parts = fields.list("parts")?.into_iter().map(Part::from_ipld);
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        let count = parts.len();
        let mut providers = parts.iter().flat_map(|part: &Part| part.imports.values());
        if let Some(&by) = providers.find(|&&part| part as usize >= count) {
            return Err(TraceError::Part { by });
        }
        let links = fields.links("segments")?;
        fields.end()?;
        let mut events = Events::default();
        for link in links {
            let segment = block(&link).ok_or(TraceError::Missing(link.into()))?;
            let Ipld::List(items) = segment.decode::<Ipld>()? else {
                return Err(TraceError::Segment);
            };
            for item in items {
                let event = Event::from_ipld(item)?;
                if let Event::Call(Call { by, .. }) = event
                    && by as usize >= count
                {
                    return Err(TraceError::Part { by });
                }
                events.push(&event)?;
            }
        }
        Ok(Self { parts, events })
    }
}

impl Part {
    fn to_ipld(&self) -> Ipld {
        let set = |set: &Vec<String>| Ipld::List(set.iter().cloned().map(Ipld::String).collect());
        let grants = self.grants.iter().map(set);
        let imports = self.imports.iter();
        let imports = imports.map(|(name, part)| (name.clone(), Ipld::Integer((*part).into())));
        Ipld::Map(BTreeMap::from([
            ("component".to_owned(), Ipld::Link(self.component)),
            ("grants".to_owned(), Ipld::List(grants.collect())),
            ("imports".to_owned(), Ipld::Map(imports.collect())),
        ]))
    }

    fn from_ipld(value: Ipld) -> Result<Self, TraceError> {
        let mut fields = Fields::of("part", value)?;
        let component = fields.link("component")?;
        let grant = |item| match item {
            Ipld::String(text) => Ok(text),
            _ => Err(TraceError::Segment),
        };
        let set = |item| match item {
            Ipld::List(items) => items.into_iter().map(grant).collect(),
            _ => Err(TraceError::Segment),
        };
        let grants = fields.list("grants")?.into_iter().map(set);
        let grants = grants.collect::<Result<_, _>>()?;
        let imports = fields.map("imports")?.into_iter();
        let imports = imports.map(|(name, part)| match part {
            Ipld::Integer(part) => {
                Ok((name, u32::try_from(part).map_err(|_| TraceError::Segment)?))
            }
            _ => Err(TraceError::Segment),
        });
        let imports = imports.collect::<Result<_, TraceError>>()?;
        fields.end()?;
        Ok(Self {
            component,
            grants,
            imports,
        })
    }
}

impl Event {
    fn from_ipld(value: Ipld) -> Result<Self, TraceError> {
        let mut fields = Fields::of("event", value)?;
        if let Some(until) = fields.if_present("time", Fields::unsigned)? {
            fields.end()?;
            return Ok(Self::Time(until));
        }
        let call = Call {
            number: fields.unsigned("call")?,
            by: u32::try_from(fields.unsigned("by")?).unwrap_or(u32::MAX),
            name: fields.string("name")?,
            args: fields.take("args")?,
            answer: fields.if_present("answer", Fields::take)?,
        };
        fields.end()?;
        Ok(Self::Call(call))
    }
}

/// Why something is not a trace, or can't become one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TraceError {
    /// A field is missing, unknown or of another kind.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A block isn't DAG-CBOR.
    #[error("a block of the trace can't be read")]
    Decode(#[from] DecodeError),
    /// A value has no encoding, or one event doesn't fit a block.
    #[error("the trace can't be written")]
    Encode(#[from] EncodeError),
    /// A segment isn't there.
    #[error("the trace's segment {0} is not there")]
    Missing(Link<[Event]>),
    /// A segment isn't a list, a grant isn't text, or a provider isn't a number.
    #[error(
        "a segment of a trace is a list of events, a grant is text, and a provider is a number"
    )]
    Segment,
    /// A call is by nobody, or an import is provided by nobody.
    #[error("the trace speaks of part {by}, and there is none of that number")]
    Part {
        /// The number.
        by: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipld::{MAX_BLOCK_BYTES, cid_of_raw};
    use crate::testing::any_ipld;
    use proptest::prelude::*;

    fn trace(events: Vec<Event>) -> Trace {
        let part = Part {
            component: cid_of_raw(b"guest"),
            grants: vec![vec!["random".to_owned()], vec![]],
            imports: [("acme:weather/forecast@0.1.0".to_owned(), 0)].into(),
        };
        Trace {
            parts: vec![part],
            events: Events::of(events).unwrap(),
        }
    }

    fn call(number: u64, args: Ipld) -> Event {
        Event::Call(Call {
            number,
            by: 0,
            name: "homestar:driver/entropy.bytes".to_owned(),
            args,
            answer: Some(Ipld::Null),
        })
    }

    fn read(encoded: &Encoded) -> Result<Trace, TraceError> {
        Trace::decode(&encoded.root, |cid| {
            let found = encoded.segments.iter().find(|block| block.cid() == cid);
            found.cloned()
        })
    }

    #[test]
    fn long_traces_become_several_blocks() {
        let text = Ipld::String("x".repeat(100_000));
        let long = trace((0..30).map(|number| call(number, text.clone())).collect());
        let encoded = long.encode().unwrap();
        assert!(encoded.segments.len() > 3);
        let fits = |block: &Block| block.bytes().len() <= MAX_BLOCK_BYTES;
        assert!(encoded.segments.iter().all(fits));
        assert_eq!(read(&encoded).unwrap(), long);
    }

    #[test]
    fn a_call_names_its_driver() {
        let Event::Call(call) = call(0, Ipld::Null) else {
            panic!("a call");
        };
        assert_eq!(call.driver(), "entropy");
    }

    #[test]
    fn an_event_larger_than_a_block_is_refused() {
        let text = Ipld::String("x".repeat(MAX_BLOCK_BYTES));
        let error = trace(vec![call(0, text)]).encode().unwrap_err();
        assert!(matches!(error, TraceError::Encode(_)), "{error}");
    }

    #[test]
    fn a_missing_segment_is_named() {
        let encoded = trace(vec![Event::Time(3)]).encode().unwrap();
        let error = Trace::decode(&encoded.root, |_| None).unwrap_err();
        assert!(
            error
                .to_string()
                .contains(&encoded.segments[0].cid().to_string())
        );
    }

    #[test]
    fn nobody_asks_for_a_part_that_is_not_there() {
        let mut trace = trace(vec![call(0, Ipld::Null)]);
        trace.parts.clear();
        let error = read(&trace.encode().unwrap()).unwrap_err();
        assert_eq!(error, TraceError::Part { by: 0 });
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            args in any_ipld(),
            answer in proptest::option::of(any_ipld()),
            number: u64,
            until: u64,
        ) {
            let name = "x".to_owned();
            let call = Call { number, by: 0, name, args, answer };
            let trace = trace(vec![Event::Call(call), Event::Time(until)]);
            prop_assert_eq!(read(&trace.encode().unwrap()).unwrap(), trace);
        }
    }
}
