//! How a task ended.

mod linked;

pub(crate) use self::linked::in_a_file;
pub use self::linked::{LinkedError, read_linked};

use crate::ipld::{Block, EncodeError, FieldError, Fields, Ipld, depth_of, encode_value};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// The most bytes an encoded outcome has in a receipt: 256 KiB. A larger one is linked.
///
/// A receipt is read to know *that* something was computed, by whom, and is kept and sent around for
/// that; a quarter of a block leaves room for the rest and keeps thousands of receipts in memory cheap.
pub const MAX_INLINE_BYTES: usize = 256 << 10;

/// The deepest nesting of an outcome in a receipt. A deeper one is linked, since the receipt around it
/// is nested too and has the same bound.
const MAX_INLINE_DEPTH: usize = 64;

/// The most bytes of a failure's message that [`Failure::new`] keeps: room for a backtrace.
const MAX_MESSAGE_BYTES: usize = 16 << 10;

/// What came of an instruction. `{"ok": value}` or `{"error": failure}` on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What the guest returned.
    Ok(Ipld),
    /// The guest's own error, or what ended it.
    Error(Failure),
}

/// Why there is no value: `{kind, message, value?}` on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What ended the task; stable, for programs.
    pub kind: Kind,
    /// The same for people. Not compared when a run is verified by another engine.
    pub message: String,
    /// For [`Kind::Guest`] the guest's error as it returned it, for [`Kind::Exit`] status and output.
    pub value: Option<Ipld>,
}

impl Outcome {
    /// An error outcome without a value.
    pub fn error(kind: Kind, message: impl Into<String>) -> Self {
        Self::Error(Failure::new(kind, message))
    }

    /// True if the instruction alone decided this outcome, so that it answers for all who ask the same.
    ///
    /// That holds for what the guest said (a value, its own error, an exit) and for a trap. It doesn't for
    /// an end by limit, nor for what was missing, refused or not understood around the guest. Whether the
    /// task was wired to a driver, which takes this away too, is not known here.
    pub fn is_reusable(&self) -> bool {
        match self {
            Self::Ok(_) => true,
            Self::Error(failure) => matches!(failure.kind, Kind::Guest | Kind::Exit | Kind::Trap),
        }
    }

    /// The outcome as it stands in a receipt, and the blocks of the value if it is linked instead.
    ///
    /// Bytes become a file, so that the link is its name; any other value becomes a block of DAG-CBOR, or if that were
    /// too large, a file of it. [`read_linked`] undoes it. The block that is linked is the last.
    pub fn inline_or_link(&self) -> Result<(Self, Vec<Block>), EncodeError> {
        let encoded = encode_value(&self.to_ipld())?;
        let is_flat = depth_of(&encoded).is_some_and(|depth| depth <= MAX_INLINE_DEPTH);
        if is_flat && encoded.len() <= MAX_INLINE_BYTES {
            return Ok((self.clone(), Vec::new()));
        }
        match self {
            Self::Ok(value) => {
                let (cid, blocks) = linked::link(value)?;
                Ok((Self::Ok(Ipld::Link(cid)), blocks))
            }
            Self::Error(failure) => failure.linked(),
        }
    }

    /// The value that is encoded.
    pub fn to_ipld(&self) -> Ipld {
        let (key, value) = match self {
            Self::Ok(value) => ("ok", value.clone()),
            Self::Error(failure) => ("error", failure.to_ipld()),
        };
        Ipld::Map(BTreeMap::from([(key.to_owned(), value)]))
    }

    /// Reads an outcome from a value: one key, nothing beside.
    pub fn from_ipld(value: Ipld) -> Result<Self, OutcomeError> {
        let mut fields = Fields::of("outcome", value)?;
        let outcome = match fields.if_present("ok", Fields::take)? {
            Some(value) => Self::Ok(value),
            None => Self::Error(Failure::from_ipld(fields.take("error")?)?),
        };
        fields.end()?;
        Ok(outcome)
    }
}

impl Failure {
    /// A failure without a value. A long message is cut.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        let mut message = message.into();
        message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
        Self {
            kind,
            message,
            value: None,
        }
    }

    /// The same failure with a value.
    #[must_use]
    pub fn with_value(mut self, value: Ipld) -> Self {
        self.value = Some(value);
        self
    }

    fn linked(&self) -> Result<(Outcome, Vec<Block>), EncodeError> {
        let mut linked = Self::new(self.kind, self.message.clone());
        let mut blocks = Vec::new();
        if let Some(value) = &self.value {
            let (cid, of_value) = linked::link(value)?;
            linked.value = Some(Ipld::Link(cid));
            blocks = of_value;
        }
        Ok((Outcome::Error(linked), blocks))
    }

    fn to_ipld(&self) -> Ipld {
        let mut entries = BTreeMap::from([
            ("kind".to_owned(), Ipld::String(self.kind.to_string())),
            ("message".to_owned(), Ipld::String(self.message.clone())),
        ]);
        if let Some(value) = &self.value {
            entries.insert("value".to_owned(), value.clone());
        }
        Ipld::Map(entries)
    }

    fn from_ipld(value: Ipld) -> Result<Self, OutcomeError> {
        let mut fields = Fields::of("outcome.error", value)?;
        let failure = Self {
            kind: fields.string("kind")?.parse()?,
            message: fields.string("message")?,
            value: fields.if_present("value", Fields::take)?,
        };
        fields.end()?;
        Ok(failure)
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_ipld().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Outcome {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Ipld::deserialize(deserializer)?;
        Self::from_ipld(value).map_err(serde::de::Error::custom)
    }
}

/// What ended a task that has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// The guest returned an error of its own; the failure's value holds it.
    Guest,
    /// A command ended with a status other than zero; the value is `{status, stdout}`.
    Exit,
    /// The guest did what WebAssembly forbids, or gave up on purpose.
    Trap,
    /// Calls lay too deep in each other.
    Stack,
    /// The fuel was used up.
    Fuel,
    /// More memory or table elements were asked for than allowed.
    Memory,
    /// The time was used up.
    Time,
    /// The output was larger than allowed.
    Output,
    /// The log was longer than allowed.
    Log,
    /// More was written to storage than allowed.
    Storage,
    /// More driver calls were made, or more bytes moved by them, than allowed.
    Calls,
    /// Something was asked for that was not granted.
    Denied,
    /// An awaited task did not end in the way that was asked for.
    Await,
    /// The arguments don't fit the function, or there is no such function.
    Input,
    /// A component or a block could not be had.
    Unavailable,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 15] = [
        Self::Guest,
        Self::Exit,
        Self::Trap,
        Self::Stack,
        Self::Fuel,
        Self::Memory,
        Self::Time,
        Self::Output,
        Self::Log,
        Self::Storage,
        Self::Calls,
        Self::Denied,
        Self::Await,
        Self::Input,
        Self::Unavailable,
    ];

    /// The kind's word on the wire. It never changes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Exit => "exit",
            Self::Trap => "trap",
            Self::Stack => "stack",
            Self::Fuel => "fuel",
            Self::Memory => "memory",
            Self::Time => "time",
            Self::Output => "output",
            Self::Log => "log",
            Self::Storage => "storage",
            Self::Calls => "calls",
            Self::Denied => "denied",
            Self::Await => "await",
            Self::Input => "input",
            Self::Unavailable => "unavailable",
        }
    }

    /// True if a limit ended the task: with more of something it might have gone on.
    pub const fn is_limit(self) -> bool {
        match self {
            Self::Stack
            | Self::Fuel
            | Self::Memory
            | Self::Time
            | Self::Output
            | Self::Log
            | Self::Storage
            | Self::Calls => true,
            Self::Guest
            | Self::Exit
            | Self::Trap
            | Self::Denied
            | Self::Await
            | Self::Input
            | Self::Unavailable => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(word: &str) -> Result<Self, UnknownKind> {
        let kind = Self::ALL.into_iter().find(|kind| kind.as_str() == word);
        kind.ok_or_else(|| UnknownKind(word.to_owned()))
    }
}

/// A word that is no [`Kind`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a kind of failure")]
pub struct UnknownKind(pub String);

/// Why a value is not an outcome.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OutcomeError {
    /// A field is missing, unknown or of another kind.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The failure's kind is unknown.
    #[error(transparent)]
    Kind(#[from] UnknownKind),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipld::{Cid, MAX_BLOCK_BYTES, decode, encode};
    use crate::json;
    use crate::unixfs::cid_of_file;

    #[test]
    fn the_wire_form() {
        let exit = Failure::new(Kind::Exit, "exit status 2").with_value(Ipld::Null);
        for (outcome, text) in [
            (Outcome::Ok(Ipld::Null), r#"{"ok":null}"#),
            (
                Outcome::error(Kind::Trap, "unreachable"),
                r#"{"error":{"kind":"trap","message":"unreachable"}}"#,
            ),
            (
                Outcome::Error(exit),
                r#"{"error":{"kind":"exit","message":"exit status 2","value":null}}"#,
            ),
        ] {
            assert_eq!(json::to_string(&outcome.to_ipld()).as_deref(), Ok(text));
            let bytes = encode(&outcome).expect("encodes");
            assert_eq!(decode::<Outcome>(&bytes), Ok(outcome));
        }
    }

    #[test]
    fn refusals() {
        for text in [
            "{}",
            "null",
            r#"{"ok":1,"error":{"kind":"trap","message":""}}"#,
            r#"{"ok":1,"x":1}"#,
            r#"{"error":"trap"}"#,
            r#"{"error":{"kind":"tripped","message":""}}"#,
            r#"{"error":{"kind":"trap"}}"#,
            r#"{"error":{"kind":"trap","message":"","at":1}}"#,
        ] {
            let value = json::parse(text).expect("DAG-JSON");
            assert!(Outcome::from_ipld(value).is_err(), "{text}");
        }
    }

    #[test]
    fn each_kind_has_its_word() {
        for kind in Kind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert!("Trap".parse::<Kind>().is_err());
    }

    #[test]
    fn only_what_the_instruction_decides_is_reused() {
        let reusable = Kind::ALL
            .into_iter()
            .filter(|kind| Outcome::error(*kind, "").is_reusable());
        assert_eq!(
            reusable.collect::<Vec<_>>(),
            [Kind::Guest, Kind::Exit, Kind::Trap]
        );
        assert!(Outcome::Ok(Ipld::Null).is_reusable());
        for kind in Kind::ALL.into_iter().filter(|kind| kind.is_limit()) {
            assert!(!Outcome::error(kind, "").is_reusable());
        }
    }

    #[test]
    fn small_outcomes_stay_inline() {
        let outcome = Outcome::Ok(Ipld::Bytes(vec![0; 1000]));
        assert_eq!(outcome.inline_or_link(), Ok((outcome, vec![])));
    }

    /// Links an outcome of this value, checks its blocks, and reads it back.
    fn there_and_back(value: &Ipld) -> Vec<Block> {
        let (linked, blocks) = Outcome::Ok(value.clone())
            .inline_or_link()
            .expect("encodes");
        let root = *blocks.last().expect("linked").cid();
        assert_eq!(linked, Outcome::Ok(Ipld::Link(root)));
        assert!(
            blocks
                .iter()
                .all(|block| block.bytes().len() <= MAX_BLOCK_BYTES)
        );
        let get = |cid: &Cid| blocks.iter().find(|block| block.cid() == cid).cloned();
        assert_eq!(read_linked(&root, 1 << 30, get).as_ref(), Ok(value));
        assert!(read_linked(&root, 1 << 30, |_| None).is_err());

        let failure = Failure::new(Kind::Guest, "no").with_value(value.clone());
        let (linked, same) = Outcome::Error(failure).inline_or_link().expect("encodes");
        let failure = Failure::new(Kind::Guest, "no").with_value(Ipld::Link(root));
        assert_eq!((linked, &same), (Outcome::Error(failure), &blocks));
        blocks
    }

    #[test]
    fn large_bytes_become_a_file() {
        for bytes in [vec![7; MAX_INLINE_BYTES], vec![7; 3 << 20]] {
            let blocks = there_and_back(&Ipld::Bytes(bytes.clone()));
            assert_eq!(*blocks.last().unwrap().cid(), cid_of_file(&bytes));
        }
    }

    #[test]
    fn large_values_become_a_block_or_a_file_of_it() {
        let list = |bytes| Ipld::List(vec![Ipld::String("x".repeat(bytes))]);
        let blocks = there_and_back(&list(MAX_INLINE_BYTES));
        assert_eq!(blocks[0].decode(), Ok(list(MAX_INLINE_BYTES)));
        assert_eq!(blocks.len(), 1);

        let large = list(MAX_BLOCK_BYTES);
        let blocks = there_and_back(&large);
        let file = cid_of_file(&encode(&large).unwrap());
        let root: Ipld = blocks.last().unwrap().decode().unwrap();
        assert_eq!(
            json::to_string(&root).unwrap(),
            format!(r#"{{"dag-cbor":{{"/":"{file}"}}}}"#)
        );
        let get = |cid: &Cid| blocks.iter().find(|block| block.cid() == cid).cloned();
        let short = read_linked(blocks.last().unwrap().cid(), 1 << 20, get);
        assert!(matches!(short, Err(LinkedError::File(_))), "{short:?}");
    }

    #[test]
    fn deep_outcomes_are_linked() {
        let deep = (0..80).fold(Ipld::Null, |inner, _| Ipld::List(vec![inner]));
        assert_eq!(there_and_back(&deep).len(), 1);
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let failure = Failure::new(Kind::Trap, "é".repeat(MAX_MESSAGE_BYTES));
        assert!(failure.message.len() <= MAX_MESSAGE_BYTES);
    }
}
