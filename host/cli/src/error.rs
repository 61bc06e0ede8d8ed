//! What went wrong, in words, with an exit code and with hints.

use std::error::Error;
use std::fmt::Display;
use std::io;

use homestar_core::ipld::Ipld;
use homestar_core::outcome::{Failure, Kind as Ended};

/// A command that didn't do what was asked.
#[derive(Debug)]
pub(crate) struct CommandError {
    /// Whose fault it is.
    pub(crate) kind: Kind,
    /// What happened. Its sources are printed too.
    pub(crate) error: Box<dyn Error + Send + Sync>,
    /// What is wrong in detail, if it is more than one thing.
    pub(crate) listed: Vec<Listed>,
    /// What to do about it, a sentence each.
    pub(crate) hints: Vec<String>,
}

/// One of several things that are wrong.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// For people, on a line.
    pub(crate) text: String,
    /// For programs.
    pub(crate) facts: Ipld,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The command was not understood.
    Usage,
    /// A file, an argument or a component is not what it should be.
    Input,
    /// Who asks may not.
    Denied,
    /// This host failed.
    Host,
    /// Nobody reads standard output any more; nothing needs to be said.
    Silent,
}

impl Kind {
    /// Returns the exit code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Input | Self::Denied => 4,
            Self::Host => 5,
            // As of a program that ended by SIGPIPE.
            Self::Silent => 141,
        }
    }

    /// Returns its word in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Input => "input",
            Self::Denied => "denied",
            Self::Host | Self::Silent => "host",
        }
    }
}

impl CommandError {
    fn new(kind: Kind, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            kind,
            error: error.into(),
            listed: Vec::new(),
            hints: Vec::new(),
        }
    }

    pub(crate) fn usage(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Kind::Usage, error)
    }

    pub(crate) fn input(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Kind::Input, error)
    }

    pub(crate) fn denied(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Kind::Denied, error)
    }

    pub(crate) fn host(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Kind::Host, error)
    }

    /// A write to standard output that failed. A closed pipe is no failure of ours.
    pub(crate) fn stdout(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Kind::Silent, error),
            _ => Self::host(Caused::new("can't write to standard output", error)),
        }
    }

    /// Returns the same error once more, for whoever asks again.
    pub(crate) fn again(&self) -> Self {
        Self {
            kind: self.kind,
            error: self.message().into(),
            listed: self.listed.clone(),
            hints: self.hints.clone(),
        }
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Returns the words of the error and its causes on one line, for programs.
    pub(crate) fn message(&self) -> String {
        let mut message = self.error.to_string();
        for cause in causes(&*self.error) {
            message.push_str(": ");
            message.push_str(&cause);
        }
        message
    }
}

/// Returns the words of what caused `error`, the nearest first. A cause that says what was said is left out.
pub(crate) fn causes(error: &dyn Error) -> Vec<String> {
    let mut said = error.to_string();
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !said.contains(&words) {
            causes.push(words.clone());
        }
        said = words;
        next = cause.source();
    }
    causes
}

/// Words of ours with the error that caused them.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub(crate) struct Caused {
    words: String,
    #[source]
    cause: Box<dyn Error + Send + Sync>,
}

impl Caused {
    pub(crate) fn new(words: impl Display, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            words: words.to_string(),
            cause: cause.into(),
        }
    }
}

/// Returns the exit code of a task that ended with `failure`; of a command, its own.
pub(crate) fn code_of(failure: &Failure) -> u8 {
    match failure.kind {
        Ended::Guest => 1,
        Ended::Exit => status_of(failure),
        Ended::Input | Ended::Unavailable | Ended::Denied | Ended::Await => Kind::Input.code(),
        _ => 3,
    }
}

/// Exit codes have eight bits. One that would seem to be success is 1.
fn status_of(failure: &Failure) -> u8 {
    let status = match &failure.value {
        Some(Ipld::Map(fields)) => fields.get("status"),
        _ => None,
    };
    match status {
        Some(Ipld::Integer(status)) if status & 0xff != 0 => (status & 0xff) as u8,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_its_exit_code() {
        let codes = Ended::ALL.map(|kind| code_of(&Failure::new(kind, "")));
        assert_eq!(codes, [1, 1, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4]);
    }

    #[test]
    fn a_command_passes_on_its_status_but_never_seems_to_succeed() {
        for (status, code) in [(1, 1), (42, 42), (255, 255), (256, 1), (-1, 255), (257, 1)] {
            let value = Ipld::Map([("status".to_owned(), Ipld::Integer(status))].into());
            let failure = Failure::new(Ended::Exit, "").with_value(value);
            assert_eq!(code_of(&failure), code, "{status}");
        }
    }

    #[test]
    fn a_cause_is_not_said_twice() {
        let inner = io::Error::other("disk on fire");
        let outer = Caused::new("can't read: disk on fire", inner);
        let error = CommandError::input(Caused::new("no key", outer));
        assert_eq!(error.message(), "no key: can't read: disk on fire");
    }
}
