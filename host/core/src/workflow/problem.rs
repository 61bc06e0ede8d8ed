//! What is wrong with a workflow.

use std::fmt;

use thiserror::Error;

use super::text::{MAX_TEXT_BYTES, Place};
use crate::grant::GrantError;
use crate::task::{NonceError, ResourceError};
use crate::wit::{ArgumentError, NameError};

/// The most problems that are told of one workflow. What follows from the first ones would bury them.
pub(crate) const MAX_PROBLEMS: usize = 1000;

/// One thing that is wrong, with where it stands and the task it stands in.
///
/// Printed as a line: ``line 4, column 11: task `gray`: no task `corp`; did you mean `crop`?``
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands, if the workflow was read from a text.
    pub place: Option<Place>,
    /// The label of the task it stands in.
    pub task: Option<String>,
    /// What is wrong.
    pub fault: Box<Fault>,
}

impl Problem {
    pub(crate) fn at(place: Place, fault: Fault) -> Self {
        Self {
            place: (!place.is_nowhere()).then_some(place),
            task: None,
            fault: Box::new(fault),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if let Some(task) = &self.task {
            write!(f, "task `{task}`: ")?;
        }
        write!(f, "{}", self.fault)
    }
}

impl std::error::Error for Problem {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.fault.source()
    }
}

/// What can be wrong with a workflow.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// The text is longer than [`MAX_TEXT_BYTES`].
    #[error("the text is longer than {MAX_TEXT_BYTES} bytes")]
    TooLong,
    /// The text is not in its language.
    #[error("{0}")]
    Syntax(String),
    /// A field that we don't know.
    #[error("no field `{field}` here; {}", Known(nearest, known))]
    UnknownField {
        /// The field as it is written.
        field: String,
        /// The field that was perhaps meant.
        nearest: Option<String>,
        /// The fields that there are, as "are `a`, `b`".
        known: String,
    },
    /// A field that has to be there.
    #[error("there is no `{0}`")]
    Missing(&'static str),
    /// Another kind of value should stand here.
    #[error("`{what}` should be {expected}, not {found}")]
    Kind {
        /// The field.
        what: String,
        /// What should stand there.
        expected: &'static str,
        /// What does.
        found: String,
    },
    /// A text with nothing in it.
    #[error("`{0}` is empty")]
    Empty(String),
    /// An amount with its unit is not one.
    #[error("`{what}` is {words}")]
    Amount {
        /// The field.
        what: &'static str,
        /// What is wrong with it.
        words: String,
    },
    /// A text is too short, too long or has something in it that may not be in it.
    #[error("{what} {text:?} {rule}")]
    Name {
        /// What it should name.
        what: &'static str,
        /// The text.
        text: String,
        /// The rule that is broken.
        rule: &'static str,
    },
    /// Two fields that exclude each other.
    #[error("{0}")]
    Rule(&'static str),
    /// A text is no grant.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// A nonce is none.
    #[error(transparent)]
    Nonce(#[from] NonceError),
    /// A component is not named.
    #[error(transparent)]
    Resource(#[from] ResourceError),
    /// A value has no DAG-CBOR form.
    #[error("{0}")]
    Encode(#[from] crate::ipld::EncodeError),

    /// An await, a rewire or something else names a task that isn't there.
    #[error("no task `{label}`{}", DidYouMean(nearest))]
    UnknownTask {
        /// What is written.
        label: String,
        /// The label that was perhaps meant.
        nearest: Option<String>,
    },
    /// An await names an instruction that no task of the workflow has.
    #[error("awaits {0}, which is the instruction of no task here")]
    Dangling(crate::ipld::Cid),
    /// Tasks that wait for each other.
    #[error("tasks wait for each other: {}", .0.join(" → "))]
    Cycle(
        /// Their labels; the last is the first again.
        Vec<String>,
    ),
    /// Two tasks compute the same.
    #[error("computes the same as task `{0}`; a `nonce` would make it another")]
    Duplicate(String),
    /// The name of a component or of data did not become a CID.
    #[error("`{0}` was not found")]
    Unresolved(String),
    /// Nothing is known about what a component exports.
    #[error("component {0} is not described")]
    Undescribed(crate::ipld::Cid),
    /// The component has no such function.
    #[error(transparent)]
    Function(#[from] NameError),
    /// A literal doesn't fit its parameter, or there are more or fewer than the function takes.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// What an await gives doesn't fit where it flows.
    #[error(
        "parameter `{parameter}` of `{function}` takes `{expected}`{}, but {from} gives `{given}`: {words}",
        At(path)
    )]
    Flow {
        /// The function that takes it.
        function: String,
        /// The parameter.
        parameter: String,
        /// Where in the parameter; empty for the whole.
        path: String,
        /// The type there.
        expected: String,
        /// What gives the value, such as "`await/ok` of task `crop`".
        from: String,
        /// The type of the value.
        given: String,
        /// Why not.
        words: String,
    },
    /// Something that only commands, or only functions, take.
    #[error("{0}")]
    Command(String),
    /// A list for `for-each` is none.
    #[error("`for-each` takes a list or a folder, but {0}")]
    Each(String),
    /// `{"@each": …}` outside of a task with `for-each`.
    #[error("`@each` stands in a task without `for-each`")]
    NoEach,
    /// A limit above what the operator allows.
    #[error("`{limit}` is {asked}, more than the {max} that the operator allows")]
    Limit {
        /// Which.
        limit: &'static str,
        /// What is asked for.
        asked: String,
        /// The most.
        max: String,
    },
    /// A grant beyond the operator's ceiling.
    #[error("`{0}` is beyond what the operator allows")]
    Ceiling(String),
    /// More problems than are told.
    #[error("and more; the first {MAX_PROBLEMS} are told")]
    More,
}

struct DidYouMean<'a>(&'a Option<String>);

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, "; did you mean `{name}`?"),
            None => Ok(()),
        }
    }
}

/// The field that was meant, or all that there are.
struct Known<'a>(&'a Option<String>, &'a str);

impl fmt::Display for Known<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, "did you mean `{name}`?"),
            None => write!(f, "there {}", self.1),
        }
    }
}

struct At<'a>(&'a str);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => Ok(()),
            path => write!(f, " at `{path}`"),
        }
    }
}
