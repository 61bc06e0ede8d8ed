//! Does a policy hold?

use std::cmp::Ordering;
use std::collections::BTreeMap;

use thiserror::Error;

use super::selector::Found;
use super::{Number, Order, Policy, Statement};
use crate::ipld::Ipld;

/// How many statements are asked at most, counting one again for each item that it is asked about.
/// The largest policy over the largest arguments would come to millions.
const MAX_ASKED: u32 = 100_000;

impl Policy {
    /// Checks that all statements hold for these arguments.
    ///
    /// A selector that leads nowhere and a value of another kind make a statement false, never an error.
    pub fn check(&self, arguments: &BTreeMap<String, Ipld>) -> Result<(), Unmet> {
        let mut asked = Asked { left: MAX_ASKED };
        for (index, statement) in self.0.iter().enumerate() {
            match asked.holds(statement, &Found::Map(arguments)) {
                Ok(true) => {}
                Ok(false) => {
                    let statement = statement.to_string();
                    return Err(Unmet::Statement { index, statement });
                }
                Err(TooMuch) => return Err(Unmet::TooMuch),
            }
        }
        Ok(())
    }

    /// True if all statements hold for these arguments.
    pub fn holds(&self, arguments: &BTreeMap<String, Ipld>) -> bool {
        let mut asked = Asked { left: MAX_ASKED };
        let at = Found::Map(arguments);
        self.0
            .iter()
            .all(|statement| matches!(asked.holds(statement, &at), Ok(true)))
    }
}

/// Why a policy doesn't hold.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Unmet {
    /// A statement is false.
    #[error("the arguments don't meet `{statement}`")]
    Statement {
        /// Which one of the policy, counted from zero.
        index: usize,
        /// The statement in its short form.
        statement: String,
    },
    /// Policy and arguments together are too large to be checked.
    #[error("the policy asks more than {MAX_ASKED} things of these arguments")]
    TooMuch,
}

/// More was asked than may be.
struct TooMuch;

/// Counts what is asked.
struct Asked {
    left: u32,
}

impl Asked {
    fn holds(&mut self, statement: &Statement, from: &Found<'_>) -> Result<bool, TooMuch> {
        self.left = self.left.checked_sub(1).ok_or(TooMuch)?;
        Ok(match statement {
            Statement::Equal { equal, at, value } => at
                .find(from.clone())
                .is_some_and(|found| is(&found, value) == *equal),
            Statement::Compare { order, at, with } => at
                .find(from.clone())
                .and_then(|found| number(&found))
                .is_some_and(|number| order.holds(number, *with)),
            Statement::Like { at, glob } => match at.find(from.clone()) {
                Some(Found::Value(Ipld::String(text))) => glob.matches(text),
                _ => false,
            },
            Statement::Not(inner) => !self.holds(inner, from)?,
            Statement::And(all) => {
                for statement in all {
                    if !self.holds(statement, from)? {
                        return Ok(false);
                    }
                }
                true
            }
            Statement::Or(any) => {
                for statement in any {
                    if self.holds(statement, from)? {
                        return Ok(true);
                    }
                }
                any.is_empty()
            }
            Statement::All { at, each } => {
                let Some(found) = at.find(from.clone()) else {
                    return Ok(false);
                };
                let Some(items) = Items::of(&found) else {
                    return Ok(false);
                };
                for item in items {
                    if !self.holds(each, &Found::Value(item))? {
                        return Ok(false);
                    }
                }
                true
            }
            Statement::Any { at, one } => {
                let items = at.find(from.clone());
                let items = items.as_ref().and_then(Items::of);
                for item in items.into_iter().flatten() {
                    if self.holds(one, &Found::Value(item))? {
                        return Ok(true);
                    }
                }
                false
            }
        })
    }
}

/// The items of a list, or the values of a map.
enum Items<'a> {
    List(std::slice::Iter<'a, Ipld>),
    Values(std::slice::Iter<'a, &'a Ipld>),
    Map(std::collections::btree_map::Values<'a, String, Ipld>),
}

impl<'a> Items<'a> {
    /// None if it is neither.
    fn of(found: &'a Found<'a>) -> Option<Self> {
        match found {
            Found::List(items) => Some(Self::List(items.iter())),
            Found::Value(Ipld::List(items)) => Some(Self::List(items.iter())),
            Found::Values(items) => Some(Self::Values(items.iter())),
            Found::Map(entries) => Some(Self::Map(entries.values())),
            Found::Value(Ipld::Map(entries)) => Some(Self::Map(entries.values())),
            Found::Null | Found::Value(_) | Found::Bytes(_) | Found::Byte(_) => None,
        }
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a Ipld;

    fn next(&mut self) -> Option<&'a Ipld> {
        match self {
            Self::List(items) => items.next(),
            Self::Values(items) => items.next().copied(),
            Self::Map(values) => values.next(),
        }
    }
}

impl Order {
    fn holds(self, one: Number, other: Number) -> bool {
        one.compare(other).is_some_and(|order| match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        })
    }
}

impl Number {
    /// Compares exactly, also an integer with a float.
    fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(one), Self::Integer(other)) => Some(one.cmp(&other)),
            (Self::Float(one), Self::Float(other)) => one.partial_cmp(&other),
            (Self::Integer(one), Self::Float(other)) => compare(one, other),
            (Self::Float(one), Self::Integer(other)) => compare(other, one).map(Ordering::reverse),
        }
    }
}

fn compare(integer: i128, float: f64) -> Option<Ordering> {
    /// 2¹²⁷, the first float beyond all integers.
    const BEYOND: f64 = -(i128::MIN as f64);
    if float.is_nan() {
        return None;
    }
    if float >= BEYOND {
        return Some(Ordering::Less);
    }
    if float < -BEYOND {
        return Some(Ordering::Greater);
    }
    // A float of that size has no part behind the point that a cast could lose unnoticed.
    let whole = float.trunc();
    let order = integer.cmp(&(whole as i128));
    Some(order.then(0.0_f64.partial_cmp(&(float - whole))?))
}

fn number(found: &Found<'_>) -> Option<Number> {
    match found {
        Found::Value(value) => Number::of(value),
        Found::Byte(byte) => Some(Number::Integer((*byte).into())),
        _ => None,
    }
}

/// True if what was found is this value.
fn is(found: &Found<'_>, value: &Ipld) -> bool {
    match (found, value) {
        (Found::Value(found), value) => same(found, value),
        (Found::Null, Ipld::Null) => true,
        (Found::Map(found), Ipld::Map(value)) => same_entries(found, value),
        (Found::List(found), Ipld::List(value)) => same_items(found, value),
        (Found::Values(found), Ipld::List(value)) => {
            found.len() == value.len()
                && found
                    .iter()
                    .zip(value)
                    .all(|(found, value)| same(found, value))
        }
        (Found::Bytes(found), Ipld::Bytes(value)) => found == value,
        (Found::Byte(_), value) => match (number(found), Number::of(value)) {
            (Some(one), Some(other)) => one.compare(other) == Some(Ordering::Equal),
            _ => false,
        },
        _ => false,
    }
}

/// Deep equality, in which numbers are equal that are equal as numbers.
fn same(one: &Ipld, other: &Ipld) -> bool {
    match (one, other) {
        (Ipld::List(one), Ipld::List(other)) => same_items(one, other),
        (Ipld::Map(one), Ipld::Map(other)) => same_entries(one, other),
        (Ipld::Integer(one), Ipld::Float(other)) | (Ipld::Float(other), Ipld::Integer(one)) => {
            compare(*one, *other) == Some(Ordering::Equal)
        }
        (one, other) => one == other,
    }
}

fn same_items(one: &[Ipld], other: &[Ipld]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
}

fn same_entries(one: &BTreeMap<String, Ipld>, other: &BTreeMap<String, Ipld>) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .all(|(one, other)| one.0 == other.0 && same(one.1, other.1))
}
