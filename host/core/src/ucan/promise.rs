//! Arguments that are what another task gives: `{"await/ok": &Task}`.
//!
//! A map with one of the three keys and a link, and nothing else, is a promise, so no value of that shape can
//! be said in arguments.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::ipld::{Cid, Ipld};
use crate::outcome::Outcome;
use crate::workflow::Branch;

/// The first promise in arguments, if there is one.
pub fn first(arguments: &BTreeMap<String, Ipld>) -> Option<(Branch, Cid)> {
    arguments.values().find_map(first_within)
}

fn first_within(value: &Ipld) -> Option<(Branch, Cid)> {
    match value {
        Ipld::List(items) => items.iter().find_map(first_within),
        Ipld::Map(entries) => promise(entries).or_else(|| first(entries)),
        _ => None,
    }
}

/// Puts the values in that tasks gave. `outcomes` says how a task ended, and None if that isn't known.
///
/// `await/ok` becomes the value, `await/error` the failure, and `await/*` the whole outcome, `{ok: …}` or
/// `{error: …}`. What is put in is not looked through again.
pub fn resolve(
    arguments: &BTreeMap<String, Ipld>,
    outcomes: &mut dyn FnMut(&Cid) -> Option<Outcome>,
) -> Result<BTreeMap<String, Ipld>, PromiseError> {
    let resolved = arguments
        .iter()
        .map(|(key, value)| Ok((key.clone(), resolve_within(value, outcomes)?)));
    resolved.collect()
}

fn resolve_within(
    value: &Ipld,
    outcomes: &mut dyn FnMut(&Cid) -> Option<Outcome>,
) -> Result<Ipld, PromiseError> {
    match value {
        Ipld::List(items) => {
            let items = items.iter().map(|item| resolve_within(item, outcomes));
            Ok(Ipld::List(items.collect::<Result<_, _>>()?))
        }
        Ipld::Map(entries) => match promise(entries) {
            Some((branch, task)) => {
                let outcome = outcomes(&task).ok_or(PromiseError::Waiting { branch, task })?;
                take(branch, task, outcome)
            }
            None => Ok(Ipld::Map(resolve(entries, outcomes)?)),
        },
        other => Ok(other.clone()),
    }
}

fn promise(entries: &BTreeMap<String, Ipld>) -> Option<(Branch, Cid)> {
    let mut entries = entries.iter();
    let (Some((key, Ipld::Link(task))), None) = (entries.next(), entries.next()) else {
        return None;
    };
    let branches = [Branch::Ok, Branch::Error, Branch::Any];
    let branch = branches.into_iter().find(|branch| branch.key() == key)?;
    Some((branch, *task))
}

fn take(branch: Branch, task: Cid, outcome: Outcome) -> Result<Ipld, PromiseError> {
    let whole = outcome.to_ipld();
    let wanted = match branch {
        Branch::Any => return Ok(whole),
        Branch::Ok => "ok",
        Branch::Error => "error",
    };
    let inner = match whole {
        Ipld::Map(mut entries) => entries.remove(wanted),
        _ => None,
    };
    inner.ok_or(PromiseError::Branch { branch, task })
}

/// Why arguments are not all known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PromiseError {
    /// A task has not ended, or nobody told how.
    #[error("the arguments wait for `{}` of the task {task}", branch.key())]
    Waiting {
        /// What is waited for.
        branch: Branch,
        /// Whose.
        task: Cid,
    },
    /// A task ended the other way than was waited for.
    #[error("the arguments wait for `{}` of the task {task}, which ended the other way", branch.key())]
    Branch {
        /// What is waited for.
        branch: Branch,
        /// Whose.
        task: Cid,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipld::cid_of_raw;
    use crate::json;
    use crate::outcome::Kind;

    fn arguments(text: &str) -> BTreeMap<String, Ipld> {
        let link = format!(r#"{{"/":"{}"}}"#, cid_of_raw(b"task"));
        match json::parse(&text.replace("TASK", &link)).expect(text) {
            Ipld::Map(entries) => entries,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_branch_of_each_end() {
        let value = Outcome::Ok(Ipld::Integer(7));
        let failure = Outcome::error(Kind::Guest, "no");
        for (text, outcome, resolved) in [
            (r#"{"a":[{"await/ok":TASK}]}"#, &value, Some(r#"{"a":[7]}"#)),
            (
                r#"{"a":{"await/*":TASK}}"#,
                &value,
                Some(r#"{"a":{"ok":7}}"#),
            ),
            (r#"{"a":{"b":{"await/ok":TASK}}}"#, &failure, None),
            (r#"{"a":{"await/error":TASK}}"#, &value, None),
        ] {
            let read = arguments(text);
            assert!(first(&read).is_some());
            let ours = resolve(&read, &mut |_| Some(outcome.clone()));
            assert_eq!(ours.ok(), resolved.map(arguments), "{text}");
            let (branch, task) = first(&read).expect("one");
            assert_eq!(
                resolve(&read, &mut |_| None),
                Err(PromiseError::Waiting { branch, task })
            );
        }
        let read = arguments(r#"{"a":{"await/error":TASK}}"#);
        let resolved = resolve(&read, &mut |_| Some(failure.clone())).expect("ended so");
        assert!(matches!(resolved["a"], Ipld::Map(_)));
    }

    #[test]
    fn what_only_looks_like_one_stays() {
        for text in [
            r#"{"await/ok":TASK}"#,
            r#"{"a":{"await/ok":TASK,"b":1}}"#,
            r#"{"a":{"await/ok":"x"}}"#,
            r#"{"a":{"await/no":TASK}}"#,
            r#"{"a":{"ucan/await/ok":TASK}}"#,
        ] {
            let read = arguments(text);
            assert_eq!(first(&read), None, "{text}");
            assert_eq!(resolve(&read, &mut |_| None), Ok(read));
        }
    }

    #[test]
    fn what_is_put_in_is_not_looked_through() {
        let read = arguments(r#"{"a":{"await/ok":TASK}}"#);
        let inner = Ipld::Map(read.clone());
        let mut asked = 0;
        let resolved = resolve(&read, &mut |_| {
            asked += 1;
            Some(Outcome::Ok(inner.clone()))
        });
        assert_eq!(resolved.expect("ended")["a"], inner);
        assert_eq!(asked, 1);
    }
}
