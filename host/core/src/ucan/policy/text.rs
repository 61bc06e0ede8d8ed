//! The short form of policies: `.host == "api.example.com" and not .path like "/private/*"`.
//!
//! ```text
//! either    = all-of *("or" all-of)
//! all-of    = one *("and" one)
//! one       = "not" one / "(" either ")" / ("all" / "any") selector one
//!           / ("and" / "or") "(" [either *("," either)] ")"
//!           / selector ("==" / "!=" / "<" / "<=" / ">" / ">=" / "like") DAG-JSON
//! ```

use super::glob::Glob;
use super::selector::{self, SelectorError};
use super::wire::{PolicyError, Problem};
use super::{MAX_DEPTH, Number, Order, Policy, Statement};
use crate::ipld::{Ipld, kind_of};
use crate::json;

/// The longest text read as a policy, in bytes.
const MAX_TEXT_BYTES: usize = 64 << 10;
/// How deep the text may nest: a statement may stand in parentheses of its own.
const MAX_NESTING: usize = 2 * MAX_DEPTH + 2;

impl Policy {
    /// Reads a policy as people write it, in the short form or as DAG-JSON.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > MAX_TEXT_BYTES {
            let what = format!("a policy's text has at most {MAX_TEXT_BYTES} bytes");
            return Err(PolicyError::top(Problem::Syntax { column: 1, what }));
        }
        if text.trim_start().starts_with('[') {
            let value = json::parse(text)
                .map_err(|error| PolicyError::top(Problem::Json(error.to_string())))?;
            return Self::from_ipld(&value);
        }
        let mut parser = Parser {
            text,
            at: 0,
            nesting: 0,
        };
        let statements = parser.whole().map_err(|what| {
            let column = text[..parser.at].chars().count() + 1;
            PolicyError::top(Problem::Syntax { column, what })
        })?;
        Self::within_limits(statements)
    }
}

/// What is wrong where the parser stands.
type Wrong = String;

struct Parser<'a> {
    text: &'a str,
    /// In bytes.
    at: usize,
    nesting: usize,
}

impl<'a> Parser<'a> {
    fn whole(&mut self) -> Result<Vec<Statement>, Wrong> {
        let mut any = self.alternatives()?;
        if !self.rest().is_empty() {
            return Err("expected `and`, `or` or the end".to_owned());
        }
        match any.len() {
            // The policy itself is an `and`.
            1 => Ok(any.remove(0)),
            _ => Ok(vec![Statement::Or(
                any.into_iter().map(one_of_all).collect(),
            )]),
        }
    }

    fn either(&mut self) -> Result<Statement, Wrong> {
        let mut any: Vec<_> = self.alternatives()?.into_iter().map(one_of_all).collect();
        Ok(match any.len() {
            1 => any.remove(0),
            _ => Statement::Or(any),
        })
    }

    fn alternatives(&mut self) -> Result<Vec<Vec<Statement>>, Wrong> {
        let mut any = vec![self.all_of()?];
        while self.word("or") {
            any.push(self.all_of()?);
        }
        Ok(any)
    }

    fn all_of(&mut self) -> Result<Vec<Statement>, Wrong> {
        let mut all = vec![self.one()?];
        while self.word("and") {
            all.push(self.one()?);
        }
        Ok(all)
    }

    fn one(&mut self) -> Result<Statement, Wrong> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(format!("nested deeper than {MAX_NESTING} levels"));
        }
        let statement = self.within_limits();
        self.nesting -= 1;
        statement
    }

    fn within_limits(&mut self) -> Result<Statement, Wrong> {
        if self.sign("(") {
            let inner = self.either()?;
            self.expect(")")?;
            Ok(inner)
        } else if self.word("not") {
            Ok(Statement::Not(Box::new(self.one()?)))
        } else if self.word("and") {
            Ok(Statement::And(self.arguments()?))
        } else if self.word("or") {
            Ok(Statement::Or(self.arguments()?))
        } else if self.word("all") {
            let (at, each) = (self.selector()?, Box::new(self.one()?));
            Ok(Statement::All { at, each })
        } else if self.word("any") {
            let (at, one) = (self.selector()?, Box::new(self.one()?));
            Ok(Statement::Any { at, one })
        } else {
            self.comparison()
        }
    }

    fn arguments(&mut self) -> Result<Vec<Statement>, Wrong> {
        self.expect("(")?;
        let mut statements = Vec::new();
        while !self.sign(")") {
            if !statements.is_empty() {
                self.expect(",")?;
            }
            statements.push(self.either()?);
        }
        Ok(statements)
    }

    fn comparison(&mut self) -> Result<Statement, Wrong> {
        let at = self.selector()?;
        if self.word("like") {
            return match self.value()? {
                Ipld::String(pattern) => Ok(Statement::Like {
                    at,
                    glob: Glob::new(&pattern),
                }),
                other => Err(format!("`like` takes a text, not {}", kind_of(&other))),
            };
        }
        for (operator, equal) in [("==", true), ("!=", false)] {
            if self.sign(operator) {
                let value = self.value()?;
                return Ok(Statement::Equal { equal, at, value });
            }
        }
        // Of two that begin alike, the longer one first.
        let [less, less_or_equal, greater, greater_or_equal] = Order::ALL;
        for order in [less_or_equal, greater_or_equal, less, greater] {
            if self.sign(order.operator()) {
                let value = self.value()?;
                let with = Number::of(&value).ok_or_else(|| {
                    format!(
                        "`{}` takes a number, not {}",
                        order.operator(),
                        kind_of(&value)
                    )
                })?;
                return Ok(Statement::Compare { order, at, with });
            }
        }
        Err(if self.rest().starts_with('=') {
            "`==` says equal".to_owned()
        } else {
            "expected == != < <= > >= or like".to_owned()
        })
    }

    fn selector(&mut self) -> Result<super::Selector, Wrong> {
        let rest = self.rest();
        if !rest.starts_with('.') {
            return Err("expected a selector such as `.host`".to_owned());
        }
        match selector::prefix(rest) {
            Ok((selector, behind)) => {
                self.at = self.text.len() - behind.len();
                Ok(selector)
            }
            Err(SelectorError::Syntax { at, what }) => {
                self.at += at;
                Err(what.to_owned())
            }
            Err(error @ SelectorError::TooLong) => Err(error.to_string()),
        }
    }

    fn value(&mut self) -> Result<Ipld, Wrong> {
        let rest = self.rest();
        let len = value_len(rest);
        if len == 0 {
            return Err("expected a value in JSON, such as \"text\" or 12".to_owned());
        }
        let value = json::parse(&rest[..len]).map_err(|error| {
            let text: String = rest[..len].chars().take(40).collect();
            format!("not a value in JSON ({error}): {text}; texts stand in double quotes")
        })?;
        self.at += len;
        Ok(value)
    }

    /// What is left, from the next thing on.
    fn rest(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        trimmed
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = self.rest().starts_with(sign);
        if found {
            self.at += sign.len();
        }
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), Wrong> {
        if self.sign(sign) {
            Ok(())
        } else {
            Err(format!("expected `{sign}`"))
        }
    }

    fn word(&mut self, word: &str) -> bool {
        let rest = self.rest().strip_prefix(word);
        let found = rest.is_some_and(|rest| {
            !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-')
        });
        if found {
            self.at += word.len();
        }
        found
    }
}

fn one_of_all(mut all: Vec<Statement>) -> Statement {
    match all.len() {
        1 => all.remove(0),
        _ => Statement::And(all),
    }
}

/// How long the value is that a text begins with. What is inside is not looked at.
fn value_len(text: &str) -> usize {
    let (mut open, mut in_text, mut escaped) = (0_usize, false, false);
    for (at, c) in text.char_indices() {
        if in_text {
            in_text = c != '"' || escaped;
            escaped = c == '\\' && !escaped;
            if !in_text && open == 0 {
                return at + 1;
            }
            continue;
        }
        match c {
            '"' if open == 0 && at > 0 => return at,
            '"' => (in_text, escaped) = (true, false),
            '[' | '{' => open += 1,
            ']' | '}' if open > 0 => {
                open -= 1;
                if open == 0 {
                    return at + 1;
                }
            }
            c if open == 0 && (c.is_whitespace() || "()],}".contains(c)) => return at,
            _ => {}
        }
    }
    text.len()
}
