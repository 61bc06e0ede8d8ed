//! Which rule is broken, and where.

use std::fmt;

use thiserror::Error as ThisError;

use crate::ipld::Cid;
use crate::ucan::command::Command;
use crate::ucan::did::Did;
use crate::ucan::policy::Unmet;
use crate::ucan::revocation::LookupFailed;
use crate::ucan::token::TokenError;
use crate::ucan::words::time;
use crate::workflow::Branch;

/// Why something may not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    place: Place,
    count: usize,
    rule: Box<Rule>,
    reversed: bool,
}

/// Where a rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the invocation, or in what was asked for.
    Invocation,
    /// In a delegation, counted from the root, which is 0.
    Proof(usize),
}

impl Error {
    pub(super) fn new(place: Place, count: usize, rule: Rule) -> Self {
        Self {
            place,
            count,
            rule: Box::new(rule),
            reversed: false,
        }
    }

    pub(super) fn reversed(mut self, reversed: bool) -> Self {
        self.reversed = reversed;
        self
    }

    /// Where.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Which rule.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The rule's name, as the specification's vectors have it, where they do.
    pub fn name(&self) -> &'static str {
        self.rule.name()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&*self.rule)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::Invocation => f.write_str("the invocation: ")?,
            Place::Proof(index) => write!(f, "proof {} of {}: ", index + 1, self.count)?,
        }
        self.rule.fmt(f)?;
        if self.reversed {
            f.write_str("; the proofs stand in reverse order, the subject's own comes first")?;
        }
        Ok(())
    }
}

/// A rule, as the text of its breach.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Rule {
    /// The bytes are not a token of the right kind.
    #[error("not a token that can be read")]
    Malformed(#[source] Box<TokenError>),
    /// There are more proofs than may be.
    #[error("a chain has at most {} proofs", super::MAX_PROOFS)]
    TooManyProofs,
    /// The invocation is addressed to somebody else.
    #[error("it is for {addressed} to carry out, not for {executor}")]
    AnotherExecutor {
        /// Who we are.
        executor: Did,
        /// Whom it is for.
        addressed: Did,
    },
    /// A proof is not there, or its bytes have another CID.
    #[error("the delegation {cid} is not there")]
    UnavailableProof {
        /// Its name.
        cid: Cid,
    },
    /// There are no proofs, and somebody else's resources are asked for.
    #[error("{holder} shows no delegation from {subject}")]
    NoProofs {
        /// Whose resources they are.
        subject: Did,
        /// Who asks.
        holder: Did,
    },
    /// A powerline stands at the root.
    #[error("a chain doesn't begin with a delegation about nobody in particular")]
    PowerlineRoot,
    /// The first delegation is not by the subject.
    #[error("it is issued by {issuer}, but the resources are of {subject}")]
    RootIssuer {
        /// Who issued it.
        issuer: Did,
        /// Whose resources they are.
        subject: Did,
    },
    /// A delegation is about somebody else's resources.
    #[error("it is about {found}, not about {expected}")]
    InvalidSubject {
        /// Whom it is about.
        found: Did,
        /// Whom the invocation is about.
        expected: Did,
    },
    /// A delegation was given to somebody else than who passes it on or uses it.
    #[error("it was given to {audience}, but {next} uses it")]
    InvalidAudience {
        /// Who has it.
        audience: Did,
        /// Who uses it.
        next: Did,
    },
    /// A command is wider than the one before, or beside it.
    #[error("the command {special} is not within {general}, which was given")]
    CommandNotCovered {
        /// What was given.
        general: Command,
        /// What is asked for or passed on.
        special: Command,
    },
    /// It doesn't hold yet.
    #[error("it holds from {} on, and now it is {}", time(*.not_before), time(*.now))]
    TooEarly {
        /// From when, in seconds since 1970.
        not_before: i64,
        /// The time.
        now: i64,
    },
    /// It doesn't hold any longer.
    #[error("it expired at {}, and now it is {}", time(*.expiration), time(*.now))]
    Expired {
        /// Until when, in seconds since 1970.
        expiration: i64,
        /// The time.
        now: i64,
    },
    /// There is no time at which all of the chain up to here holds.
    #[error(
        "with it, the chain holds from {} on and until {}, so never",
        time(*.not_before),
        time(*.expiration)
    )]
    EmptyWindow {
        /// The latest beginning.
        not_before: i64,
        /// The earliest end.
        expiration: i64,
    },
    /// Somebody who may has revoked it.
    #[error("it was revoked by {by}")]
    Revoked {
        /// Who did.
        by: Did,
    },
    /// It isn't known whether it was revoked.
    #[error(transparent)]
    RevocationsUnknown(LookupFailed),
    /// The signature is not the issuer's.
    #[error("its signature is not that of its issuer")]
    InvalidSignature,
    /// An argument is what another task gives, and isn't known yet.
    #[error("an argument waits for `{}` of the task {task}", branch.key())]
    WaitingOnPromise {
        /// What is waited for.
        branch: Branch,
        /// Whose.
        task: Cid,
    },
    /// A condition is not met.
    #[error(transparent)]
    MatchError(Unmet),
}

impl Rule {
    /// All names.
    pub const NAMES: [&str; 13] = [
        "Malformed",
        "InvalidAudience",
        "UnavailableProof",
        "InvalidClaim",
        "InvalidSubject",
        "CommandNotCovered",
        "TooEarly",
        "Expired",
        "Revoked",
        "RevocationsUnknown",
        "InvalidSignature",
        "WaitingOnPromise",
        "MatchError",
    ];

    /// Its name, as the specification's vectors have it, where they do.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Malformed(_) | Self::TooManyProofs => "Malformed",
            Self::AnotherExecutor { .. } | Self::InvalidAudience { .. } => "InvalidAudience",
            Self::UnavailableProof { .. } => "UnavailableProof",
            Self::NoProofs { .. } | Self::PowerlineRoot | Self::RootIssuer { .. } => "InvalidClaim",
            Self::InvalidSubject { .. } => "InvalidSubject",
            Self::CommandNotCovered { .. } => "CommandNotCovered",
            Self::TooEarly { .. } => "TooEarly",
            Self::Expired { .. } | Self::EmptyWindow { .. } => "Expired",
            Self::Revoked { .. } => "Revoked",
            Self::RevocationsUnknown(_) => "RevocationsUnknown",
            Self::InvalidSignature => "InvalidSignature",
            Self::WaitingOnPromise { .. } => "WaitingOnPromise",
            Self::MatchError(_) => "MatchError",
        }
    }
}
