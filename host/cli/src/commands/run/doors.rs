//! Why a task may have found a door closed, where its own words don't tell all.

use std::collections::BTreeSet;

use homestar_core::ipld::Ipld;
use homestar_core::outcome::{Failure, Outcome};
use homestar_core::trace::{Event, Trace};
use homestar_engine::{Done, Effect};

use super::super::load::Loaded;
use crate::authority::Authority;

/// Returns what a person may do about a task that failed.
pub(super) fn hints(authority: &Authority, loaded: &Loaded, done: &Done) -> Vec<String> {
    let Outcome::Error(failure) = &done.outcome else {
        return Vec::new();
    };
    let trace = done.recording.as_ref().map(|heard| &heard.trace);
    let taken = trace.map_or_else(Vec::new, |trace| takes(loaded, trace));
    let ceiling = authority.ceiling_in();
    if !taken.is_empty() {
        let hint = |option| match ceiling {
            Some(file) => format!("{option} allows it as far as the ceiling in {file} does"),
            None => format!("{option} allows it"),
        };
        return taken.into_iter().map(hint).collect();
    }
    if let Some(option) = trace.and_then(|trace| used_up(trace, failure)) {
        return vec![format!("`{option}` allows more")];
    }
    if !was_denied(failure) {
        return closed(authority, loaded, failure).into_iter().collect();
    }
    let ceiling = ceiling.map(|file| format!("nothing is granted beyond the ceiling in {file}"));
    limited(loaded).into_iter().chain(ceiling).collect()
}

/// Most grants that are suggested: a guest may ask for any number of things.
const GRANTS_SHOWN_MAX: usize = 3;

/// Returns which options would allow what drivers denied. It is read from what they answered, as a driver wrote it: the
/// guest's own words may say anything, and a terminal shows them escaped.
fn takes(loaded: &Loaded, trace: &Trace) -> Vec<String> {
    let mut options = Vec::new();
    for event in trace.events.iter() {
        let Event::Call(call) = event else { continue };
        let Some(grant) = call.answer.as_ref().and_then(denied).and_then(grant_in) else {
            continue;
        };
        let option = match owner(loaded, trace, call.by) {
            Some(effect) => format!("`--allow {}`", of_effect(&effect, grant)),
            None => format!("`--allow {grant}`"),
        };
        if !options.contains(&option) && options.len() < GRANTS_SHOWN_MAX {
            options.push(option);
        }
    }
    options
}

/// Returns the text of a denial in a driver's answer.
fn denied(answer: &Ipld) -> Option<&str> {
    error(answer, "denied")
}

/// Returns the text of an error in a driver's answer.
fn error<'a>(answer: &'a Ipld, case: &str) -> Option<&'a str> {
    let Ipld::Map(fields) = answer else {
        return None;
    };
    match fields.get(case) {
        Some(Ipld::String(text)) => Some(text),
        _ => fields.get("Err").and_then(|found| error(found, case)),
    }
}

/// Returns the option that allows more calls, if they were used up and the guest doesn't say so itself.
fn used_up(trace: &Trace, failure: &Failure) -> Option<&'static str> {
    if failure.message.contains(" are used up") {
        return None;
    }
    let mut answers = trace.events.iter().filter_map(|event| match event {
        Event::Call(call) => call.answer,
        Event::Time(_) => None,
    });
    answers.find_map(|answer| {
        let text = error(&answer, "budget")?;
        Some(match text.contains(" bytes of ") {
            true => "--call-bytes",
            false => "--calls",
        })
    })
}

/// Returns the grant that a denial names, quoted as a shell takes it.
fn grant_in(text: &str) -> Option<&str> {
    let (_, grant) = text.split_once("; it takes `--allow ")?;
    grant.strip_suffix('`')
}

/// Returns the name of the effect within whose own grants part number `part` acted; none if it was the task's.
fn owner(loaded: &Loaded, trace: &Trace, part: u32) -> Option<String> {
    let mut part = part;
    let mut seen = BTreeSet::new();
    while part != 0 && seen.insert(part) {
        let cid = &trace.parts.get(part as usize)?.component;
        let mut wired = loaded.wired();
        let own = wired.find(|effect| effect.cid() == cid && effect.grants().is_some());
        if let Some(effect) = own {
            return Some(effect.name().to_owned());
        }
        let mut parts = trace.parts.iter();
        let asker = parts.position(|asker| asker.imports.values().any(|asked| *asked == part))?;
        part = u32::try_from(asker).ok()?;
    }
    None
}

/// Writes a grant that is for one effect. It may be in quotes, and then stays so.
fn of_effect(effect: &str, grant: &str) -> String {
    match grant.strip_prefix('\'') {
        Some(rest) => format!("'{effect}:{rest}"),
        None => format!("{effect}:{grant}"),
    }
}

fn was_denied(failure: &Failure) -> bool {
    failure.message.contains("is not granted")
}

/// Who is denied something is told the grant that it takes. It doesn't help everybody.
fn limited(loaded: &Loaded) -> Vec<String> {
    let own = loaded.wired().filter(|effect| effect.grants().is_some());
    let hint = |effect: &Effect| {
        let name = effect.name();
        format!("the effect {name} has grants of its own: `--allow {name}:GRANT` gives it one")
    };
    own.map(hint).collect()
}

/// Returns what to say of a task for which no door was opened, if it came to an end of its own.
fn closed(authority: &Authority, loaded: &Loaded, failure: &Failure) -> Option<String> {
    let drivers = loaded.component.drivers_wired();
    if drivers.is_empty() || !authority.is_closed() || failure.kind.is_limit() {
        return None;
    }
    let drivers = drivers.join(" and ");
    Some(format!(
        "it asks {drivers}, and nothing was allowed; `--allow GRANT` opens a door"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_for_one_effect_is_one_word() {
        for (grant, shown) in [
            ("random", "dice:random"),
            ("'https=GET a.example'", "'dice:https=GET a.example'"),
        ] {
            assert_eq!(of_effect("dice", grant), shown);
        }
    }

    #[test]
    fn only_a_denial_names_a_grant() {
        let text =
            "GET https://a.example/ is not granted; it takes `--allow 'https=GET a.example'`";
        let map = |key: &str, value| Ipld::Map([(key.to_owned(), value)].into());
        let answer = map("Err", map("denied", Ipld::String(text.into())));
        assert_eq!(
            denied(&answer).and_then(grant_in),
            Some("'https=GET a.example'")
        );
        for other in [
            map("Ok", map("denied", Ipld::String(text.into()))),
            map("Err", map("failed", Ipld::String(text.into()))),
            map("Err", map("denied", Ipld::String("no grant helps".into()))),
            Ipld::String(text.into()),
        ] {
            assert_eq!(denied(&other).and_then(grant_in), None, "{other:?}");
        }
    }
}
