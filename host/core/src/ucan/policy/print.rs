//! Policies in their short form.

use std::fmt;

use super::selector::in_quotes;
use super::{Policy, Statement};
use crate::json;

/// What stands around a statement, and so whether it needs parentheses.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Within {
    Nothing,
    Or,
    AndOrNot,
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            [one @ Statement::And(_)] => one.print(f, Within::AndOrNot),
            [one] => one.print(f, Within::Nothing),
            many => joined(f, many, " and ", Within::AndOrNot),
        }
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f, Within::Nothing)
    }
}

impl Statement {
    fn print(&self, f: &mut fmt::Formatter<'_>, within: Within) -> fmt::Result {
        match self {
            Self::Equal { equal, at, value } => {
                let operator = if *equal { "==" } else { "!=" };
                let value = json::to_string(value).map_err(|_| fmt::Error)?;
                write!(f, "{at} {operator} {value}")
            }
            Self::Compare { order, at, with } => {
                let with = json::to_string(&with.to_ipld()).map_err(|_| fmt::Error)?;
                write!(f, "{at} {} {with}", order.operator())
            }
            Self::Like { at, glob } => write!(f, "{at} like {}", in_quotes(&glob.to_string())),
            Self::Not(inner) => {
                f.write_str("not ")?;
                inner.print(f, Within::AndOrNot)
            }
            Self::And(all) => chain(f, all, "and", within > Within::Or, Within::AndOrNot),
            Self::Or(any) => chain(f, any, "or", within > Within::Nothing, Within::Or),
            Self::All { at, each } => write!(f, "all {at} ({each})"),
            Self::Any { at, one } => write!(f, "any {at} ({one})"),
        }
    }
}

fn chain(
    f: &mut fmt::Formatter<'_>,
    statements: &[Statement],
    word: &str,
    in_parentheses: bool,
    within: Within,
) -> fmt::Result {
    if statements.len() < 2 {
        write!(f, "{word}(")?;
        joined(f, statements, ", ", Within::Nothing)?;
        return f.write_str(")");
    }
    if in_parentheses {
        f.write_str("(")?;
    }
    joined(f, statements, &format!(" {word} "), within)?;
    if in_parentheses {
        f.write_str(")")?;
    }
    Ok(())
}

fn joined(
    f: &mut fmt::Formatter<'_>,
    statements: &[Statement],
    between: &str,
    within: Within,
) -> fmt::Result {
    for (index, statement) in statements.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        statement.print(f, within)?;
    }
    Ok(())
}
