//! Policies as they stand in tokens.

use std::fmt;

use thiserror::Error;

use super::glob::Glob;
use super::selector::{Selector, SelectorError};
use super::{MAX_DEPTH, MAX_STATEMENTS, Number, Order, Policy, Statement};
use crate::ipld::{Ipld, kind_of};

impl Policy {
    /// Reads a policy from its form in a token.
    pub fn from_ipld(value: &Ipld) -> Result<Self, PolicyError> {
        let mut left = MAX_STATEMENTS;
        let statements = list(value).map_err(PolicyError::top)?;
        Self::within_limits(all(statements, 0, &mut left)?)
    }

    /// Its form in a token.
    pub fn to_ipld(&self) -> Ipld {
        list_of(&self.0)
    }
}

fn list_of(statements: &[Statement]) -> Ipld {
    Ipld::List(statements.iter().map(Statement::to_ipld).collect())
}

impl Statement {
    fn to_ipld(&self) -> Ipld {
        let three = |operator: &str, at: &Selector, argument| {
            let at = Ipld::String(at.to_string());
            Ipld::List(vec![Ipld::String(operator.to_owned()), at, argument])
        };
        let two = |operator: &str, argument| {
            Ipld::List(vec![Ipld::String(operator.to_owned()), argument])
        };
        match self {
            Self::Equal { equal, at, value } => {
                three(if *equal { "==" } else { "!=" }, at, value.clone())
            }
            Self::Compare { order, at, with } => three(order.operator(), at, with.to_ipld()),
            Self::Like { at, glob } => three("like", at, Ipld::String(glob.to_string())),
            Self::Not(inner) => two("not", inner.to_ipld()),
            Self::And(all) => two("and", list_of(all)),
            Self::Or(any) => two("or", list_of(any)),
            Self::All { at, each } => three("all", at, each.to_ipld()),
            Self::Any { at, one } => three("any", at, one.to_ipld()),
        }
    }

    fn from_ipld(value: &Ipld, depth: usize, left: &mut usize) -> Result<Self, PolicyError> {
        *left = left
            .checked_sub(1)
            .ok_or(PolicyError::top(Problem::TooMany))?;
        if depth >= MAX_DEPTH {
            return Err(PolicyError::top(Problem::TooDeep));
        }
        let parts = list(value).map_err(PolicyError::top)?;
        let Some(Ipld::String(operator)) = parts.first() else {
            return Err(PolicyError::top(Problem::NoOperator));
        };
        match (operator.as_str(), &parts[1..]) {
            ("not", [inner]) => {
                let inner = Self::from_ipld(inner, depth + 1, left);
                Ok(Self::Not(Box::new(inner.map_err(|error| error.within(1))?)))
            }
            ("and", [inner]) => Ok(Self::And(inner_list(inner, depth, left)?)),
            ("or", [inner]) => Ok(Self::Or(inner_list(inner, depth, left)?)),
            (operator, [selector, argument]) => {
                Self::with_selector(operator, selector, argument, depth, left)
            }
            _ if is_known(operator) => Err(PolicyError::top(Problem::Parts(parts.len()))),
            _ => Err(PolicyError::top(Problem::Operator(operator.clone()))),
        }
    }

    fn with_selector(
        operator: &str,
        selector: &Ipld,
        argument: &Ipld,
        depth: usize,
        left: &mut usize,
    ) -> Result<Self, PolicyError> {
        if !is_known(operator) {
            return Err(PolicyError::top(Problem::Operator(operator.to_owned())));
        }
        if matches!(operator, "not" | "and" | "or") {
            return Err(PolicyError::top(Problem::Parts(3)));
        }
        let Ipld::String(selector) = selector else {
            return Err(PolicyError::top(Problem::Kind("text", kind_of(selector))).within(1));
        };
        let at = selector
            .parse()
            .map_err(|error| PolicyError::top(Problem::Selector(error)).within(1))?;
        let kind =
            |expected| PolicyError::top(Problem::Kind(expected, kind_of(argument))).within(2);
        let mut inner = || {
            let inner = Self::from_ipld(argument, depth + 1, left);
            Ok(Box::new(
                inner.map_err(|error: PolicyError| error.within(2))?,
            ))
        };
        match operator {
            "==" | "!=" => Ok(Self::Equal {
                equal: operator == "==",
                at,
                value: argument.clone(),
            }),
            "like" => match argument {
                Ipld::String(pattern) => Ok(Self::Like {
                    at,
                    glob: Glob::new(pattern),
                }),
                _ => Err(kind("text")),
            },
            "all" => Ok(Self::All { at, each: inner()? }),
            "any" => Ok(Self::Any { at, one: inner()? }),
            operator => {
                let order = Order::ALL
                    .into_iter()
                    .find(|order| order.operator() == operator)
                    .ok_or_else(|| PolicyError::top(Problem::Operator(operator.to_owned())))?;
                let with = Number::of(argument).ok_or_else(|| kind("number"))?;
                Ok(Self::Compare { order, at, with })
            }
        }
    }
}

fn is_known(operator: &str) -> bool {
    OPERATORS.contains(&operator)
}

const OPERATORS: [&str; 12] = [
    "==", "!=", "<", "<=", ">", ">=", "like", "not", "and", "or", "all", "any",
];

fn list(value: &Ipld) -> Result<&[Ipld], Problem> {
    match value {
        Ipld::List(items) => Ok(items),
        other => Err(Problem::Kind("list", kind_of(other))),
    }
}

fn inner_list(value: &Ipld, depth: usize, left: &mut usize) -> Result<Vec<Statement>, PolicyError> {
    let items = list(value).map_err(|problem| PolicyError::top(problem).within(1))?;
    all(items, depth + 1, left).map_err(|error| error.within(1))
}

fn all(items: &[Ipld], depth: usize, left: &mut usize) -> Result<Vec<Statement>, PolicyError> {
    let mut statements = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let statement = Statement::from_ipld(item, depth, left);
        statements.push(statement.map_err(|error| error.within(index))?);
    }
    Ok(statements)
}

/// Why something is not a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// Where, as indices from the outside in.
    path: Vec<usize>,
    problem: Problem,
}

impl PolicyError {
    pub(super) fn top(problem: Problem) -> Self {
        Self {
            path: Vec::new(),
            problem,
        }
    }

    fn within(mut self, index: usize) -> Self {
        self.path.insert(0, index);
        self
    }

    /// What is wrong.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }
}

impl std::error::Error for PolicyError {}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            f.write_str("pol")?;
            for index in &self.path {
                write!(f, "[{index}]")?;
            }
            f.write_str(": ")?;
        }
        self.problem.fmt(f)
    }
}

/// What is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// There are more statements than may be.
    #[error("a policy has at most {MAX_STATEMENTS} statements")]
    TooMany,
    /// Statements lie in each other deeper than they may.
    #[error("a policy's statements lie at most {MAX_DEPTH} deep in each other")]
    TooDeep,
    /// A statement that doesn't begin with an operator.
    #[error("a statement begins with an operator")]
    NoOperator,
    /// An operator that there isn't.
    #[error("unknown operator {0:?}; there are == != < <= > >= like not and or all any")]
    Operator(String),
    /// A statement with too few or too many parts.
    #[error("a statement of {0} parts; `not`, `and` and `or` have two, all others three")]
    Parts(usize),
    /// Another kind of value than belongs there.
    #[error("expected a {0}, not {1}")]
    Kind(&'static str, &'static str),
    /// A selector that isn't one.
    #[error(transparent)]
    Selector(SelectorError),
    /// A text that isn't in the short form.
    #[error("column {column}: {what}")]
    Syntax {
        /// Where, in characters from one.
        column: usize,
        /// What is wrong.
        what: String,
    },
    /// A text that begins like JSON and isn't DAG-JSON.
    #[error("{0}")]
    Json(String),
}
