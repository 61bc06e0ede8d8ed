//! What a requester is told, and what it says.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::announcement::Announcement;
use super::super::message::{Content, Message, Refusal};
use crate::ipld::Cid;
use crate::receipt::Receipt;
use crate::ucan::Did;

/// Reads receipts, which come from anybody.
pub trait Judge {
    /// Returns what a receipt says, if its signature is that of its issuer.
    fn receipt(&self, bytes: &[u8]) -> Option<Said>;
}

/// What counts of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its name.
    pub receipt: Cid,
    /// The instruction that was run.
    pub ran: Cid,
    /// Who signed it.
    pub issuer: Did,
}

/// Checks signatures.
#[derive(Clone, Copy, Debug)]
pub struct Signatures;

impl Judge for Signatures {
    fn receipt(&self, bytes: &[u8]) -> Option<Said> {
        let receipt = Receipt::decode(bytes).ok()?;
        Some(Said {
            receipt: *receipt.link().cid(),
            ran: *receipt.ran().cid(),
            issuer: *receipt.issuer(),
        })
    }
}

/// A task that somebody else is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What is to be run.
    pub instruction: Cid,
    /// Who asks for it.
    pub requester: Did,
    /// Who may run it; anybody, if none is named.
    pub on: Vec<Did>,
    /// Whether it is pure, and so may be run twice.
    pub pure: bool,
    /// Bytes of memory that it may use.
    pub memory: u64,
    /// How long it may take.
    pub time: Duration,
    /// What it reads, component included.
    pub content: Vec<Content>,
    /// The interfaces that effects have to provide.
    pub effects: Vec<String>,
    /// For how long somebody is looked for who runs it.
    pub patience: Duration,
    /// To whom it was given, and by which bid, if whoever gave it has crashed since and doesn't know what came of it.
    pub given: Option<(Did, u64)>,
}

impl Offer {
    /// A pure task for anybody.
    pub fn new(instruction: Cid, requester: Did) -> Self {
        Self {
            instruction,
            requester,
            on: Vec::new(),
            pure: true,
            memory: 1 << 30,
            time: Duration::from_secs(60),
            content: Vec::new(),
            effects: Vec::new(),
            patience: Duration::from_secs(60),
            given: None,
        }
    }
}

/// How long a requester waits, and for what.
#[derive(Clone, Debug)]
pub struct RequesterSettings {
    /// Whose receipts are used, whoever was chosen.
    pub trusted: BTreeSet<Did>,
    /// How many are asked at once.
    pub asked_at_once: usize,
    /// How long an answer may take.
    pub answer_within: Duration,
    /// How long others are waited for when there is a bid.
    pub bids_within: Duration,
    /// How often an award is sent that isn't answered.
    pub awards_max: u32,
    /// To how many one task is given, one after the other.
    pub given_max: usize,
    /// How long a lease lasts that nothing is heard of.
    pub lease: Duration,
    /// How long a task may wait where it was given to, beside the time that it may take.
    pub queue: Duration,
    /// After which silence a task that reaches the outside is lost.
    pub lost_after: Duration,
    /// What random numbers follow from.
    pub seed: u64,
}

impl Default for RequesterSettings {
    fn default() -> Self {
        Self {
            trusted: BTreeSet::new(),
            asked_at_once: 3,
            answer_within: Duration::from_secs(2),
            bids_within: Duration::from_millis(100),
            awards_max: 3,
            given_max: 8,
            lease: Duration::from_secs(15),
            queue: Duration::from_secs(600),
            lost_after: Duration::from_secs(60),
            seed: 0,
        }
    }
}

/// What a requester is told.
#[derive(Debug)]
pub enum RequesterInput {
    /// A task is to be run. The ticket is any number; several may want the same.
    Want(u64, Box<Offer>),
    /// Nobody waits for it any more.
    Unwant(u64),
    /// Somebody said what it can do, and signed that; for how long it is believed.
    Heard(Announcement, Duration),
    /// Somebody may be asked.
    Know(Did),
    /// A message came.
    Received(Did, Message),
    /// A message didn't arrive, or nothing can be said to somebody any more.
    Unreached(Did),
    /// A receipt was fetched from somebody, or couldn't be.
    Fetched {
        /// From whom.
        from: Did,
        /// What it is about.
        instruction: Cid,
        /// Which one.
        receipt: Cid,
        /// Its bytes.
        bytes: Option<Vec<u8>>,
    },
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum RequesterStep {
    /// Say something to somebody.
    Tell(Did, Message),
    /// Sign the invocation for somebody and send it with the award.
    Award {
        /// To whom.
        to: Did,
        /// Which bid is taken.
        bid: u64,
        /// What is to be run.
        instruction: Cid,
    },
    /// Get a receipt from somebody, and say so by [`RequesterInput::Fetched`].
    Fetch {
        /// From whom.
        from: Did,
        /// What it is about.
        instruction: Cid,
        /// Which one.
        receipt: Cid,
    },
    /// This is the answer.
    Answered {
        /// Who waited.
        tickets: Vec<u64>,
        /// Who ran it.
        from: Did,
        /// What the receipt says.
        said: Said,
        /// The receipt.
        receipt: Vec<u8>,
    },
    /// A receipt of a task that was answered by somebody else before. It is as good.
    Late {
        /// Who ran it.
        from: Did,
        /// What the receipt says.
        said: Said,
        /// The receipt.
        receipt: Vec<u8>,
    },
    /// Nobody runs it.
    Unrun {
        /// Who waited.
        tickets: Vec<u64>,
        /// What was to be run.
        instruction: Cid,
        /// Why.
        why: Unrun,
        /// What those said that were asked.
        refusals: Vec<(Did, Refusal)>,
    },
    /// Somebody gave a receipt that isn't one, or not of what it was to run.
    Lied(Did),
}

/// Why a task wasn't run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrun {
    /// All who may run it refused for good.
    Refused,
    /// Nobody was found in time.
    Nobody,
    /// It was given to many, and came back from none.
    TooOften,
    /// It reaches the outside, and may have begun where nothing is heard of any more.
    Lost,
    /// It was called back by who wanted it.
    Recalled,
}
