//! What requesters and executors say to each other: strict DAG-CBOR, of at most 64 KiB.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use thiserror::Error;

use crate::ipld::{self, Cid, DecodeError, EncodeError};
use crate::ucan::Did;

/// Bytes of a message. A receipt that doesn't fit is named, and fetched as a block.
pub const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Characters of what is said for people.
const WORDS_CHARS_MAX: usize = 400;
/// Roots of content that one task is said to need.
const CONTENT_MAX: usize = 64;
/// Leases in one message.
const LEASES_MAX: usize = 1024;
/// Others that may be better.
const BETTER_MAX: usize = 8;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Message {
    /// Would you run this?
    Ask(Ask),
    /// Yes, on these terms.
    Bid(Bid),
    /// No.
    Refuse {
        /// Which question this answers.
        ask: u64,
        /// Why, and what else to do.
        refusal: Refusal,
    },
    /// Run it.
    Award(Award),
    /// It will be run here.
    Lease {
        /// Which bid was taken.
        bid: u64,
        /// For how long nothing need be heard, in milliseconds.
        lasts_ms: u64,
    },
    /// It isn't run here any more.
    Gone(Gone),
    /// These are waiting or at work here.
    Heartbeat {
        /// By their bids.
        leases: Vec<u64>,
    },
    /// Go on with these.
    Renew {
        /// By their bids.
        leases: Vec<u64>,
    },
    /// Nobody waits for these any more.
    Cancel {
        /// By their bids.
        leases: Vec<u64>,
    },
    /// This came of it.
    Answer(Answer),
    /// The answer is here.
    Ack {
        /// Of which lease.
        bid: u64,
    },
    /// What came of it?
    Query {
        /// Which bid was taken, or was to be.
        bid: u64,
        /// What was to be run.
        instruction: Cid,
    },
}

/// Asks whether somebody would run a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Any number, which the answer repeats.
    pub ask: u64,
    /// What is to be run.
    pub instruction: Cid,
    /// For whom. It is proven with the award.
    #[serde(with = "as_text")]
    pub requester: Did,
    /// Whether the requester knows that it is pure, so that it may be run twice.
    pub pure: bool,
    /// Bytes of memory that it may use.
    pub memory: u64,
    /// Milliseconds that it may take.
    pub time: u64,
    /// What it reads, component included.
    pub content: Vec<Content>,
}

/// Something that a task reads, with all that it links to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Its root.
    pub cid: Cid,
    /// How many bytes that are, as far as the requester knows.
    pub bytes: u64,
}

/// Says that one would run a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bid {
    /// Which question this answers.
    pub ask: u64,
    /// The bid's number, which is good once.
    pub bid: u64,
    /// In how many milliseconds it would begin.
    pub start_ms: u64,
    /// Bytes that would have to be fetched.
    pub missing: u64,
    /// In whatever both sides count prices.
    pub price: u64,
}

/// Takes a bid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Award {
    /// Which.
    pub bid: u64,
    /// What is to be run.
    pub instruction: Cid,
    /// The invocation that asks for it, addressed to who is given it, with what it rests on: a container.
    pub tokens: ByteBuf,
}

/// Says no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// Why, for people.
    pub words: String,
    /// In how many milliseconds one may ask again; none for never.
    pub retry_ms: Option<u64>,
    /// Who may be better.
    #[serde(with = "as_texts")]
    pub better: Vec<Did>,
}

/// Why a task isn't run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Reason {
    /// It doesn't work for that requester.
    Stranger,
    /// The task may use more than is allowed there.
    Limits,
    /// There is too much to do already.
    Busy,
    /// The invocation doesn't hold.
    Denied,
    /// No such bid, or not any more.
    Unknown,
    /// It can't be run there.
    Failed,
    /// It was begun, and nobody knows how it ended.
    Lost,
    /// Whoever wanted it doesn't any more, or wasn't heard of.
    Cancelled,
}

/// Says that a task isn't run any more, and no receipt comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gone {
    /// Which bid this was about.
    pub bid: u64,
    /// Whether it may have reached the outside.
    pub begun: bool,
    /// Why.
    pub refusal: Refusal,
}

/// What came of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// By which lease it was run.
    pub bid: u64,
    /// What was run.
    pub instruction: Cid,
    /// The receipt.
    pub receipt: Cid,
    /// The receipt itself, if it is small.
    pub bytes: Option<ByteBuf>,
}

impl Refusal {
    /// Says no, for ever.
    pub fn new(reason: Reason, words: impl Into<String>) -> Self {
        let words = words.into();
        Self {
            reason,
            words: words.chars().take(WORDS_CHARS_MAX).collect(),
            retry_ms: None,
            better: Vec::new(),
        }
    }
}

impl Message {
    /// Writes it.
    pub fn encode(&self) -> Result<Vec<u8>, MessageError> {
        let bytes = ipld::encode(self)?;
        match bytes.len() <= MESSAGE_BYTES_MAX {
            true => Ok(bytes),
            false => Err(MessageError::TooLarge { len: bytes.len() }),
        }
    }

    /// Reads one of anybody.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(MessageError::TooLarge { len: bytes.len() });
        }
        let message: Self = ipld::decode(bytes)?;
        message.check()?;
        Ok(message)
    }

    fn check(&self) -> Result<(), MessageError> {
        let (what, len, max) = match self {
            Self::Ask(ask) => ("content", ask.content.len(), CONTENT_MAX),
            Self::Heartbeat { leases } | Self::Renew { leases } | Self::Cancel { leases } => {
                ("leases", leases.len(), LEASES_MAX)
            }
            Self::Refuse { refusal, .. } | Self::Gone(Gone { refusal, .. }) => {
                let chars = refusal.words.chars().count();
                if chars > WORDS_CHARS_MAX {
                    ("words", chars, WORDS_CHARS_MAX)
                } else {
                    ("better", refusal.better.len(), BETTER_MAX)
                }
            }
            _ => return Ok(()),
        };
        match len <= max {
            true => Ok(()),
            false => Err(MessageError::TooMany { what, len, max }),
        }
    }
}

/// Why bytes are no message, or a message can't be written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MessageError {
    /// It isn't one.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It can't be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// It has too many bytes.
    #[error("a message of {len} bytes is larger than {MESSAGE_BYTES_MAX}")]
    TooLarge {
        /// How many.
        len: usize,
    },
    /// It has too much of something.
    #[error("a message holds {len} of {what}, and at most {max} are read")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        len: usize,
        /// How many may be.
        max: usize,
    },
}

/// Principals as they are written.
mod as_text {
    use super::Did;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(did: &Did, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(did)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Did, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(D::Error::custom)
    }
}

mod as_texts {
    use super::{BETTER_MAX, Did};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(dids: &[Did], to: S) -> Result<S::Ok, S::Error> {
        let texts: Vec<String> = dids.iter().map(ToString::to_string).collect();
        texts.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Did>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        if texts.len() > BETTER_MAX {
            return Err(D::Error::custom("too many principals"));
        }
        let dids = texts.iter().map(|text| text.parse());
        dids.collect::<Result<_, _>>().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipld::{Ipld, cid_of_raw};
    use crate::key::SigningKey;
    use crate::testing::any_ipld;
    use proptest::prelude::*;

    fn did() -> Did {
        SigningKey::from_seed(&[1; 32]).did()
    }

    fn refusal() -> Refusal {
        Refusal {
            retry_ms: Some(7),
            better: vec![did()],
            ..Refusal::new(Reason::Busy, "too much to do")
        }
    }

    fn all() -> Vec<Message> {
        let instruction = cid_of_raw(b"instruction");
        let leases = vec![1, u64::MAX];
        let answer = |bytes| Answer {
            bid: 3,
            instruction,
            receipt: cid_of_raw(b"receipt"),
            bytes,
        };
        vec![
            Message::Ask(Ask {
                ask: 1,
                instruction,
                requester: did(),
                pure: true,
                memory: 1 << 30,
                time: 60_000,
                content: vec![Content {
                    cid: cid_of_raw(b"component"),
                    bytes: 9,
                }],
            }),
            Message::Bid(Bid {
                ask: 1,
                bid: 2,
                start_ms: 0,
                missing: 9,
                price: 0,
            }),
            Message::Refuse {
                ask: 1,
                refusal: refusal(),
            },
            Message::Award(Award {
                bid: 2,
                instruction,
                tokens: ByteBuf::from(b"tokens".to_vec()),
            }),
            Message::Lease {
                bid: 2,
                lasts_ms: 15_000,
            },
            Message::Gone(Gone {
                bid: 2,
                begun: true,
                refusal: Refusal::new(Reason::Lost, "it crashed"),
            }),
            Message::Heartbeat {
                leases: leases.clone(),
            },
            Message::Renew {
                leases: leases.clone(),
            },
            Message::Cancel { leases },
            Message::Answer(answer(None)),
            Message::Answer(answer(Some(ByteBuf::from(vec![1, 2])))),
            Message::Ack { bid: 2 },
            Message::Query {
                bid: 2,
                instruction,
            },
        ]
    }

    #[test]
    fn each_comes_back() {
        for message in all() {
            let bytes = message.encode().expect("encodes");
            assert_eq!(Message::decode(&bytes), Ok(message));
        }
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let many = Message::Heartbeat {
            leases: vec![1; LEASES_MAX + 1],
        };
        let read = Message::decode(&many.encode().expect("encodes"));
        assert!(matches!(
            read,
            Err(MessageError::TooMany { what: "leases", .. })
        ));
        let large = Message::Award(Award {
            bid: 1,
            instruction: cid_of_raw(b"i"),
            tokens: ByteBuf::from(vec![0; MESSAGE_BYTES_MAX]),
        });
        assert!(matches!(large.encode(), Err(MessageError::TooLarge { .. })));
        let long = Refusal::new(Reason::Busy, "x".repeat(10_000));
        assert_eq!(long.words.len(), WORDS_CHARS_MAX);
        let long = Refusal {
            words: "x".repeat(WORDS_CHARS_MAX + 1),
            ..long
        };
        let refuse = Message::Refuse {
            ask: 1,
            refusal: long,
        };
        let read = Message::decode(&refuse.encode().expect("encodes"));
        assert!(matches!(
            read,
            Err(MessageError::TooMany { what: "words", .. })
        ));
    }

    #[test]
    fn fields_of_others_are_refused() {
        for message in all() {
            let Ok(Ipld::Map(mut map)) = ipld::decode(&message.encode().expect("encodes")) else {
                panic!("a map");
            };
            for fields in map.values_mut() {
                let Ipld::Map(fields) = fields else {
                    panic!("a map")
                };
                fields.insert("more".to_owned(), Ipld::Null);
            }
            let bytes = ipld::encode(&Ipld::Map(map)).expect("encodes");
            assert!(Message::decode(&bytes).is_err(), "{message:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            prop_assert!(Message::decode(&bytes).is_err());
        }

        #[test]
        fn what_is_read_is_what_is_written(
            at in any::<prop::sample::Index>(), field in "[a-z]{1,9}", value in any_ipld(), replace: bool,
        ) {
            let all = all();
            let message = at.get(&all);
            let Ok(Ipld::Map(mut map)) = ipld::decode(&message.encode().expect("encodes")) else {
                panic!("a map");
            };
            for fields in map.values_mut() {
                let Ipld::Map(fields) = fields else { panic!("a map") };
                match fields.keys().nth(field.len() % fields.len().max(1)).cloned() {
                    Some(known) if replace => fields.insert(known, value.clone()),
                    _ => fields.insert(field.clone(), value.clone()),
                };
            }
            let bytes = ipld::encode(&Ipld::Map(map)).expect("encodes");
            if let Ok(read) = Message::decode(&bytes) {
                prop_assert_eq!(read.encode(), Ok(bytes));
            }
        }

        #[test]
        fn no_splice_panics(at in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>(), splice: Vec<u8>) {
            let all = all();
            let mut bytes = at.get(&all).encode().expect("encodes");
            let cut = cut.index(bytes.len());
            bytes.splice(cut..cut, splice);
            let _ = Message::decode(&bytes);
        }
    }
}
