//! Under which conditions: statements about an invocation's arguments, all of which must hold.
//!
//! On the wire a policy is a list of statements, each a list that begins with an operator. People write the
//! same shorter:
//!
//! ```
//! use homestar_core::ucan::Policy;
//!
//! let short = Policy::parse(r#".host == "api.example.com" and .size <= 1000"#)?;
//! let wire = Policy::parse(r#"[["==", ".host", "api.example.com"], ["<=", ".size", 1000]]"#)?;
//! assert_eq!(short, wire);
//! # Ok::<(), homestar_core::ucan::policy::PolicyError>(())
//! ```
//!
//! `docs/ucan.md` has the whole language. Where the specification leaves a choice, or contradicts itself, a
//! statement doesn't hold: `any` of nothing, and `!=` of what isn't there.

mod evaluate;
mod glob;
mod print;
mod selector;
mod text;
mod wire;

#[cfg(test)]
mod brute;
#[cfg(test)]
mod tests;

pub use self::evaluate::Unmet;
pub use self::selector::{Selector, SelectorError};
pub use self::wire::{PolicyError, Problem};

use self::glob::Glob;
use crate::ipld::Ipld;

/// How many statements a policy may have, with those inside others.
pub const MAX_STATEMENTS: usize = 256;
/// How deep statements may lie in each other.
pub const MAX_DEPTH: usize = 32;

/// Conditions on arguments. A policy without statements holds for all.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Policy(Vec<Statement>);

#[derive(Clone, Debug, PartialEq)]
enum Statement {
    /// `==`, and `!=` if not `equal`.
    Equal {
        equal: bool,
        at: Selector,
        value: Ipld,
    },
    Compare {
        order: Order,
        at: Selector,
        with: Number,
    },
    Like {
        at: Selector,
        glob: Glob,
    },
    Not(Box<Self>),
    And(Vec<Self>),
    Or(Vec<Self>),
    All {
        at: Selector,
        each: Box<Self>,
    },
    Any {
        at: Selector,
        one: Box<Self>,
    },
}

/// How a number stands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    const ALL: [Self; 4] = [
        Self::Less,
        Self::LessOrEqual,
        Self::Greater,
        Self::GreaterOrEqual,
    ];

    fn operator(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

/// A number of either kind.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Number {
    Integer(i128),
    Float(f64),
}

impl Number {
    fn of(value: &Ipld) -> Option<Self> {
        match value {
            Ipld::Integer(integer) => Some(Self::Integer(*integer)),
            Ipld::Float(float) => Some(Self::Float(*float)),
            _ => None,
        }
    }

    fn to_ipld(self) -> Ipld {
        match self {
            Self::Integer(integer) => Ipld::Integer(integer),
            Self::Float(float) => Ipld::Float(float),
        }
    }
}

impl Policy {
    /// True if it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many statements it has at the top.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// This policy, and another one as well.
    pub fn and(mut self, other: Self) -> Result<Self, PolicyError> {
        self.0.extend(other.0);
        Self::within_limits(self.0)
    }

    fn within_limits(statements: Vec<Statement>) -> Result<Self, PolicyError> {
        let (count, depth) = extent(&statements);
        if count > MAX_STATEMENTS {
            return Err(PolicyError::top(Problem::TooMany));
        }
        if depth > MAX_DEPTH {
            return Err(PolicyError::top(Problem::TooDeep));
        }
        Ok(Self(statements))
    }
}

/// How many statements there are, and how deep they lie.
fn extent<'a>(statements: impl IntoIterator<Item = &'a Statement>) -> (usize, usize) {
    let mut whole = (0, 0);
    for statement in statements {
        let (count, depth) = match statement {
            Statement::And(inner) | Statement::Or(inner) => extent(inner),
            Statement::Not(inner)
            | Statement::All { each: inner, .. }
            | Statement::Any { one: inner, .. } => extent([&**inner]),
            Statement::Equal { .. } | Statement::Compare { .. } | Statement::Like { .. } => (0, 0),
        };
        whole = (whole.0 + count + 1, whole.1.max(depth + 1));
    }
    whole
}
