//! What a task and its effects are granted.

use std::str::FromStr;

use homestar_core::grant::{Grant, GrantError, Grants};
use homestar_engine::{Effect, Effects};

use crate::error::CommandError;

/// A grant as it is typed: for the task, or for one effect (`weather:https=api.weather.example`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allow {
    /// Name or CID of the effect.
    pub(crate) effect: Option<String>,
    pub(crate) grant: Grant,
}

impl FromStr for Allow {
    type Err = GrantError;

    /// An effect's name ends at the first colon, unless that belongs to what follows a `=`.
    fn from_str(text: &str) -> Result<Self, GrantError> {
        let kind = text.split('=').next().unwrap_or_default();
        let (effect, grant) = match kind.split_once(':') {
            Some((effect, _)) => (Some(effect.to_owned()), &text[effect.len() + 1..]),
            None => (None, text),
        };
        Ok(Self {
            effect,
            grant: Grant::parse(grant)?,
        })
    }
}

/// What a task and its effects are granted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Authority {
    task: Vec<Grant>,
    /// By name or CID of an effect.
    own: Vec<(String, Grant)>,
}

impl Authority {
    /// Returns what `allow` grants, and nothing else.
    pub(crate) fn new(allow: &[Allow]) -> Self {
        let mut authority = Self::default();
        for Allow { effect, grant } in allow {
            match effect {
                Some(effect) => authority.own.push((effect.clone(), grant.clone())),
                None => authority.task.push(grant.clone()),
            }
        }
        authority
    }

    /// Returns what the task is granted.
    pub(crate) fn task(&self) -> Grants {
        Grants::new(self.task.clone())
    }

    /// Tells whether nothing is granted to anybody.
    pub(crate) fn is_closed(&self) -> bool {
        self.task.is_empty() && self.own.is_empty()
    }

    /// Tells whether effects are named that have to be there.
    pub(crate) fn names_effects(&self) -> bool {
        !self.own.is_empty()
    }

    /// Gives effects what was granted to them by their name.
    pub(crate) fn give(&self, effects: &mut Effects) -> Result<(), CommandError> {
        for (name, _) in &self.own {
            if !effects.iter().any(|effect| effect.is(name)) {
                let error = CommandError::input(format!(
                    "there is no effect {name}, to which something is granted"
                ));
                return Err(error.hint("`homestar effect list` shows those there are"));
            }
        }
        effects.grant_each(|effect| self.own(effect));
        Ok(())
    }

    /// Returns what an effect is granted by its name, if it is.
    fn own(&self, effect: &Effect) -> Option<Grants> {
        let own = self.own.iter().filter(|(name, _)| effect.is(name));
        let grants: Vec<_> = own.map(|(_, grant)| grant.clone()).collect();
        (!grants.is_empty()).then(|| Grants::new(grants))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(Option<String>, String)> {
        let allow: Allow = text.parse().ok()?;
        Some((allow.effect, allow.grant.to_string()))
    }

    #[test]
    fn an_effect_stands_before_its_grant() {
        for (text, effect, grant) in [
            ("random", None, "random"),
            ("dice:random", Some("dice"), "random"),
            (
                "https=http://localhost:8080",
                None,
                "https=http://localhost:8080",
            ),
            (
                "a-b_c:https=GET example.com:8443",
                Some("a-b_c"),
                "https=GET example.com:8443",
            ),
        ] {
            let expected = (effect.map(str::to_owned), grant.to_owned());
            assert_eq!(parts(text), Some(expected), "{text}");
        }
        for text in ["", "dice:", "dice", "a:b:random", "https"] {
            assert_eq!(parts(text), None, "{text}");
        }
    }
}
