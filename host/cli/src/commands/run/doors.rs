//! Why a task may have found a door closed, where its own words don't tell all.

use homestar_core::outcome::{Failure, Outcome};
use homestar_engine::Done;

use super::super::load::Loaded;
use crate::authority::Authority;

/// Returns what a person may do about a task that failed.
pub(super) fn hints(authority: &Authority, loaded: &Loaded, done: &Done) -> Vec<String> {
    let Outcome::Error(failure) = &done.outcome else {
        return Vec::new();
    };
    match was_denied(failure) {
        true => limited(authority, loaded),
        false => closed(authority, loaded, failure).into_iter().collect(),
    }
}

fn was_denied(failure: &Failure) -> bool {
    failure.message.contains("is not granted")
}

/// Who is denied something is told the grant that it takes. It doesn't help everybody.
fn limited(authority: &Authority, loaded: &Loaded) -> Vec<String> {
    let own = loaded.wired().filter(|effect| effect.grants().is_some());
    let mut hints: Vec<_> = own
        .map(|effect| {
            let name = effect.name();
            format!("the effect {name} has grants of its own: `--allow {name}:GRANT` gives it one")
        })
        .collect();
    if let Some(file) = authority.ceiling_in() {
        hints.push(format!("nothing is granted beyond the ceiling in {file}"));
    }
    hints
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
