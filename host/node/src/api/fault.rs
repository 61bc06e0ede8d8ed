//! What is answered when something can't be.

use homestar_core::ipld::Ipld;
use homestar_core::json;
use homestar_core::workflow::Problem;
use homestar_net::Answer;

use crate::facts::{map, number, or_null, text};

/// Why a request isn't answered as it should be. In JSON it is as the command's: `{"error": {"kind", "message"}}`, with
/// `problems` if it is more than one thing, and `hint` if there is something to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Whose it is.
    pub kind: FaultKind,
    /// What happened.
    pub message: String,
    /// What is wrong in detail.
    pub problems: Vec<Ipld>,
    /// What to do about it.
    pub hint: Option<String>,
    status: u16,
    allow: Option<String>,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The request is not understood.
    Usage,
    /// What it names isn't there, or isn't what it should be.
    Input,
    /// Who asks may not.
    Denied,
    /// This host failed.
    Host,
}

impl FaultKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Input => "input",
            Self::Denied => "denied",
            Self::Host => "host",
        }
    }

    fn status(self) -> u16 {
        match self {
            Self::Usage | Self::Input => 400,
            Self::Denied => 403,
            Self::Host => 500,
        }
    }
}

impl Fault {
    /// Says what happened, and whose fault it is.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            problems: Vec::new(),
            hint: None,
            status: kind.status(),
            allow: None,
        }
    }

    /// Says all that is wrong with a workflow, as the command does: each problem with its place.
    pub fn of_problems(problems: &[Problem]) -> Self {
        let count = match problems.len() {
            1 => "1 problem".to_owned(),
            count => format!("{count} problems"),
        };
        let mut fault = Self::new(FaultKind::Input, format!("the workflow has {count}"));
        fault.problems = problems.iter().map(facts).collect();
        fault
    }

    /// This host failed.
    pub(crate) fn host(error: impl ToString) -> Self {
        Self::new(FaultKind::Host, error.to_string())
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Usage, message)
    }

    pub(crate) fn denied(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Denied, message)
    }

    /// What is named isn't there.
    pub(crate) fn nothing(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Input, message).status(404)
    }

    /// Nobody may without leave, and there is none.
    pub(crate) fn without_leave() -> Self {
        let fault = Self::denied("this needs a token").status(401);
        fault.hint(
            "`homestar node token METHOD PATH` signs one, for the header `Authorization: Bearer …`",
        )
    }

    /// There is something of that name, for these methods.
    pub(crate) fn method(allowed: String) -> Self {
        let mut fault = Self::usage(format!("this answers {allowed}")).status(405);
        fault.allow = Some(allowed);
        fault
    }

    /// It may go well later.
    pub(crate) fn busy(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Host, message).status(503)
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// With what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn answer(self) -> Answer {
        let mut error = vec![
            ("kind".to_owned(), text(self.kind.as_str())),
            ("message".to_owned(), text(self.message)),
        ];
        error.extend(self.hint.map(|hint| ("hint".to_owned(), text(hint))));
        if !self.problems.is_empty() {
            error.push(("problems".to_owned(), Ipld::List(self.problems)));
        }
        let said = map([("error", Ipld::Map(error.into_iter().collect()))]);
        let answer = Answer::json(self.status, json::to_string(&said).unwrap_or_default());
        match (self.status, self.allow) {
            (401, _) => answer.with("www-authenticate", "Bearer"),
            (429 | 503, _) => answer.with("retry-after", "1"),
            (_, Some(allow)) => answer.with("allow", allow),
            _ => answer,
        }
    }
}

fn facts(problem: &Problem) -> Ipld {
    let place = problem.place.filter(|place| place.line > 0);
    map([
        (
            "column",
            or_null(place, |place| number(place.column.into())),
        ),
        ("line", or_null(place, |place| number(place.line.into()))),
        ("message", text(problem.fault.to_string())),
        ("task", or_null(problem.task.clone(), Ipld::String)),
    ])
}
