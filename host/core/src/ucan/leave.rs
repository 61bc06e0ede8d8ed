//! What a task may do of the outside, by the delegations that whoever asked for it shows.

use std::collections::BTreeMap;
use std::fmt;

use super::command::Command;
use super::verify::{Authority, Error};
use crate::ipld::Ipld;

/// The leave of one task: chains of delegations, each of which was proven.
///
/// A call is let through if one of the chains lets it through, now. A task without any chain does nothing of the outside.
///
/// ```
/// use homestar_core::ucan::Leave;
///
/// let leave = Leave::new(Vec::new(), 60);
/// let denied = leave.allows(&"/random/bytes".parse()?, &Default::default(), 1_800_000_000);
/// assert_eq!(denied.unwrap_err().to_string(), "no delegation that was shown covers it");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Leave {
    chains: Vec<Authority>,
    leeway: i64,
}

impl Leave {
    /// What these chains allow. `leeway` is how far clocks may be apart, in seconds.
    pub fn new(chains: Vec<Authority>, leeway: i64) -> Self {
        Self { chains, leeway }
    }

    /// The chains.
    pub fn chains(&self) -> &[Authority] {
        &self.chains
    }

    /// True if something at or beneath a command may be allowed, with some arguments, at some time.
    pub fn touches(&self, command: &Command) -> bool {
        let touches = |own: &Command| own.covers(command) || command.covers(own);
        self.chains.iter().any(|chain| touches(chain.command()))
    }

    /// Checks that this may be done with these arguments at the time `now`, in seconds since 1970.
    ///
    /// Of the chains that cover the command, the last one says why not.
    pub fn allows(
        &self,
        command: &Command,
        arguments: &BTreeMap<String, Ipld>,
        now: i64,
    ) -> Result<(), NoLeave> {
        let mut why = NoLeave(None);
        for chain in &self.chains {
            if !chain.command().covers(command) {
                continue;
            }
            let allowed = chain.holds_at(now, self.leeway);
            match allowed.and_then(|()| chain.allows(command, arguments)) {
                Ok(()) => return Ok(()),
                Err(error) => why = NoLeave(Some(error)),
            }
        }
        Err(why)
    }
}

/// Why a task may not do something: which rule of which delegation, or that none is about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoLeave(Option<Error>);

impl NoLeave {
    /// The rule that is broken, where a delegation is about this at all.
    pub fn rule(&self) -> Option<&Error> {
        self.0.as_ref()
    }
}

impl fmt::Display for NoLeave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(error) => write!(f, "{}: {error}", error.name()),
            None => f.write_str("no delegation that was shown covers it"),
        }
    }
}

impl std::error::Error for NoLeave {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.as_ref().and_then(std::error::Error::source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, proven as chain};

    fn command(text: &str) -> Command {
        text.parse().expect("a command")
    }

    fn host(name: &str) -> BTreeMap<String, Ipld> {
        [("host".to_owned(), Ipld::String(name.to_owned()))].into()
    }

    #[test]
    fn one_chain_that_allows_it_is_enough() {
        let leave = Leave::new(
            vec![
                chain("/https/get", r#".host == "a.example""#, None),
                chain("/https", r#".host == "b.example""#, None),
            ],
            60,
        );
        let allows = |of: &str, name: &str| leave.allows(&command(of), &host(name), NOW);
        assert_eq!(allows("/https/get", "a.example"), Ok(()));
        assert_eq!(allows("/https/get", "b.example"), Ok(()));
        assert_eq!(allows("/https/put", "b.example"), Ok(()));
        let denied = allows("/https/put", "a.example").expect_err("not that");
        assert_eq!(denied.rule().map(Error::name), Some("MatchError"));
        let none = allows("/dns/resolve", "a.example").expect_err("not that");
        assert_eq!(none.rule(), None);
        assert!(allows("/httpsx/get", "b.example").is_err());
    }

    #[test]
    fn time_is_looked_at_for_each_call() {
        let leave = Leave::new(vec![chain("/https/get", "[]", Some(NOW + 10))], 60);
        let at = |now| leave.allows(&command("/https/get"), &host("a.example"), now);
        assert_eq!(at(NOW), Ok(()));
        assert_eq!(at(NOW + 70), Ok(()));
        let late = at(NOW + 71).expect_err("it expired");
        assert_eq!(late.rule().map(Error::name), Some("Expired"));
    }

    #[test]
    fn what_is_touched_lies_above_or_beneath() {
        let leave = Leave::new(vec![chain("/https/get", "[]", None)], 60);
        for (of, touches) in [
            ("/", true),
            ("/https", true),
            ("/https/get", true),
            ("/https/get/x", true),
            ("/https/put", false),
            ("/http", false),
        ] {
            assert_eq!(leave.touches(&command(of)), touches, "{of}");
        }
        assert!(!Leave::default().touches(&command("/")));
    }
}
