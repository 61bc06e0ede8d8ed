//! Why a block didn't come, and what each who was asked for it did.

use std::fmt;
use std::time::Duration;

use homestar_core::ipld::Cid;
use thiserror::Error;

use crate::WalkError;

/// Why a block didn't come.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FetchError {
    /// There is nobody to ask.
    #[error("there is nobody to ask for {cid}")]
    NoProvider {
        /// What was wanted.
        cid: Cid,
    },
    /// The CID uses a hash that isn't computed here, so whatever comes couldn't be verified.
    #[error("{cid} is named by hash 0x{code:x}, not by sha2-256")]
    Hash {
        /// What was wanted.
        cid: Cid,
        /// Its multihash code.
        code: u64,
    },
    /// All who were asked failed.
    #[error("nobody gave {cid}: {}", Faults(faults))]
    Nowhere {
        /// What was wanted.
        cid: Cid,
        /// Who was asked and what they did, in that order.
        faults: Vec<Fault>,
    },
    /// A DAG can't be followed.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// Who takes the blocks wanted no more.
    #[error("stopped by who asked")]
    Stopped,
    /// The machinery that fetches is gone, because the program ends.
    #[error("fetching has ended")]
    Closed,
}

/// Somebody who was asked, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{provider} {what}")]
pub struct Fault {
    /// Who: a gateway's URL, or a peer's id.
    pub provider: Box<str>,
    /// What it did.
    pub what: What,
}

struct Faults<'a>(&'a [Fault]);

impl fmt::Display for Faults<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.0.iter().enumerate() {
            let separator = if at > 0 { "; " } else { "" };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}

/// What somebody did who was asked for blocks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum What {
    /// No connection came about.
    #[error("can't be reached: {0}")]
    Unreachable(String),
    /// The connection ended before the answer did, or what came isn't HTTP.
    #[error("broke off after {bytes} bytes: {cause}")]
    BrokeOff {
        /// Bytes of the body that came.
        bytes: u64,
        /// Why.
        cause: String,
    },
    /// No answer came in time.
    #[error("didn't answer within {0:?}")]
    TimedOut(Duration),
    /// An answer began, and then nothing came.
    #[error("stalled after {bytes} bytes for {stall:?}")]
    Stalled {
        /// Bytes of the body that came.
        bytes: u64,
        /// For how long nothing came.
        stall: Duration,
    },
    /// An answer came too slowly to wait for its end.
    #[error("sends less than {rate_min} bytes a second")]
    TooSlow {
        /// What would have been enough.
        rate_min: u64,
    },
    /// Another status than 200. 404 says that it doesn't have the block.
    #[error("answered with status {status}")]
    Answered {
        /// The status.
        status: u16,
    },
    /// A node of this machine doesn't have it, and says why.
    #[error("says: {0}")]
    Says(String),
    /// A page or the like, where a block was asked for.
    #[error("answered with {content_type:?} instead of blocks")]
    ContentType {
        /// What it said it sends.
        content_type: String,
    },
    /// Bytes of another hash.
    #[error("sent other bytes than {cid}")]
    Lied {
        /// What was asked for.
        cid: Cid,
    },
    /// More bytes than a block may have.
    #[error("sent more than {bytes_max} bytes")]
    TooMuch {
        /// How many it may have.
        bytes_max: u64,
    },
    /// A CAR file that isn't one.
    #[error("sent no CAR file: {0}")]
    Malformed(String),
    /// Blocks of no interest in a CAR file.
    #[error("sent {blocks} blocks that nobody asked for")]
    Flooded {
        /// How many were looked at.
        blocks: usize,
    },
    /// The same blocks over and over in a CAR file. That may be right, but then asking for each once is cheaper.
    #[error("sent the same blocks over and over")]
    Repeated,
    /// A CAR file that ended too early.
    #[error("ended before {cid}")]
    Incomplete {
        /// What was to come next.
        cid: Cid,
    },
    /// A redirect to where it has no business.
    #[error("redirected to {to}, {why}")]
    Redirected {
        /// Where to.
        to: String,
        /// Why that isn't followed.
        why: String,
    },
    /// It says that it doesn't have it.
    #[error("doesn't have it")]
    Lacks,
    /// A peer that speaks no Bitswap.
    #[error("speaks no Bitswap")]
    Mute,
    /// A peer that sends what doesn't follow the rules of what it speaks.
    #[error("sent what can't be read: {0}")]
    Garbled(String),
    /// It wasn't asked, because of what it did before.
    #[error("isn't asked any more: it {0}")]
    Dropped(Box<Self>),
}

impl What {
    /// True for what no honest gateway does: it isn't asked again.
    pub fn is_a_lie(&self) -> bool {
        matches!(self, Self::Lied { .. })
    }
}

#[cfg(test)]
mod tests {
    use homestar_core::ipld::cid_of_raw;

    use super::*;

    #[test]
    fn an_error_says_who_did_what() {
        let cid = cid_of_raw(b"hello");
        let fault = |provider: &str, what| Fault {
            provider: provider.into(),
            what,
        };
        let error = FetchError::Nowhere {
            cid,
            faults: vec![
                fault(
                    "https://a.example/",
                    What::Dropped(Box::new(What::Lied { cid })),
                ),
                fault("https://b.example/", What::Answered { status: 404 }),
                fault(
                    "https://c.example/",
                    What::Stalled {
                        bytes: 7,
                        stall: Duration::from_secs(5),
                    },
                ),
            ],
        };
        let name = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq";
        let said = format!(
            "nobody gave {name}: https://a.example/ isn't asked any more: it sent other bytes than {name}; \
             https://b.example/ answered with status 404; https://c.example/ stalled after 7 bytes for 5s"
        );
        assert_eq!(error.to_string(), said);
    }
}
