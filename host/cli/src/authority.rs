//! What a task and its effects are granted.

use std::str::FromStr;

use homestar_core::grant::{Grant, GrantError, Grants};
use homestar_engine::{Effect, Effects};

use crate::error::CommandError;
use crate::settings::Settings;

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

/// Who provides an interface, as it is typed: `acme:weather/forecast=almanac`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pin {
    interface: String,
    /// Name or CID of the effect.
    effect: String,
}

impl FromStr for Pin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((interface, effect)) if !interface.is_empty() && !effect.is_empty() => Ok(Self {
                interface: interface.to_owned(),
                effect: effect.to_owned(),
            }),
            _ => Err("not a pin such as acme:weather/forecast=almanac"),
        }
    }
}

/// What a task and its effects are granted: what was typed and what the operator decided, but nothing beyond the
/// operator's ceiling. And who provides what, where a person chose.
#[derive(Debug)]
pub(crate) struct Authority {
    ceiling: Grants,
    /// The file that has a ceiling, if there is one.
    ceiling_in: Option<String>,
    task: Vec<Grant>,
    own: Vec<Own>,
    pins: Vec<Pin>,
    /// Whether effects were named that have to be there even if nobody asks them.
    is_typed: bool,
}

/// What an effect is granted by its name.
#[derive(Debug)]
struct Own {
    /// Name or CID.
    effect: String,
    grants: Vec<Grant>,
    /// Where that stands.
    said_in: String,
}

impl Default for Authority {
    /// Grants nothing.
    fn default() -> Self {
        Self::new(&Settings::default(), &[], &[])
    }
}

impl Authority {
    /// Returns what `settings`, `allow` and `pins` give. What was typed is looked at first.
    pub(crate) fn new(settings: &Settings, allow: &[Allow], pins: &[Pin]) -> Self {
        let file = settings.file();
        let typed = |allow: &Allow| {
            Some(Own {
                effect: allow.effect.clone()?,
                grants: vec![allow.grant.clone()],
                said_in: "--allow".to_owned(),
            })
        };
        let decided = file.effect.iter().map(|(effect, table)| Own {
            effect: effect.clone(),
            grants: table.grant.clone(),
            said_in: settings.name(),
        });
        let own: Vec<_> = allow.iter().filter_map(typed).chain(decided).collect();
        let for_task = allow.iter().filter(|allow| allow.effect.is_none());
        let for_task = for_task.map(|allow| &allow.grant);
        let decided = file.pin.iter().map(|(interface, effect)| Pin {
            interface: interface.clone(),
            effect: effect.clone(),
        });
        Self {
            ceiling: match &file.ceiling {
                Some(ceiling) => Grants::new(ceiling.clone()),
                None => Grants::everything(),
            },
            ceiling_in: file.ceiling.as_ref().map(|_| settings.name()),
            task: for_task.chain(&file.grant).cloned().collect(),
            is_typed: allow.iter().any(|allow| allow.effect.is_some()) || !pins.is_empty(),
            own,
            pins: pins.iter().cloned().chain(decided).collect(),
        }
    }

    /// Returns what the task is granted.
    pub(crate) fn task(&self) -> Grants {
        Grants::new(self.task.clone()).and(&self.ceiling)
    }

    /// Returns what a task is granted that a workflow grants `more`.
    pub(crate) fn task_with(&self, more: &[Grant]) -> Grants {
        let all = self.task.iter().chain(more).cloned();
        Grants::new(all.collect()).and(&self.ceiling)
    }

    /// Returns the most that may be granted to anybody.
    pub(crate) fn ceiling(&self) -> &Grants {
        &self.ceiling
    }

    /// Tells whether nothing is granted to anybody.
    pub(crate) fn is_closed(&self) -> bool {
        self.grants().next().is_none()
    }

    /// Tells whether anybody may send requests.
    pub(crate) fn sends(&self) -> bool {
        self.grants()
            .any(|grant| grant.to_string().starts_with("https="))
    }

    fn grants(&self) -> impl Iterator<Item = &Grant> {
        let own = self.own.iter().flat_map(|own| &own.grants);
        self.task.iter().chain(own)
    }

    /// Tells whether a person named effects just now, which have to be there whether or not anybody asks them.
    pub(crate) fn names_effects(&self) -> bool {
        self.is_typed
    }

    /// Returns the file that has a ceiling, if there is one.
    pub(crate) fn ceiling_in(&self) -> Option<&str> {
        self.ceiling_in.as_deref()
    }

    /// Gives effects what was granted to them by their name, and chooses who provides what was pinned.
    pub(crate) fn give(&self, effects: &mut Effects) -> Result<(), CommandError> {
        for Own {
            effect: name,
            said_in,
            ..
        } in &self.own
        {
            if !effects.iter().any(|effect| effect.is(name)) {
                let words =
                    format!("there is no effect {name}, to which {said_in} grants something");
                return Err(CommandError::input(words).hint(LIST));
            }
        }
        effects.grant_each(|effect| self.own(effect));
        for pin in &self.pins {
            let pinned = effects.pin(&pin.interface, &pin.effect);
            pinned.map_err(|error| CommandError::input(error).hint(LIST))?;
        }
        Ok(())
    }

    /// Returns what an effect is granted by its name, if it is.
    pub(crate) fn own(&self, effect: &Effect) -> Option<Grants> {
        let own: Vec<_> = self
            .own
            .iter()
            .filter(|own| effect.is(&own.effect))
            .collect();
        let grants = own.iter().flat_map(|own| &own.grants).cloned().collect();
        (!own.is_empty()).then(|| Grants::new(grants).and(&self.ceiling))
    }
}

/// Where effects are listed.
pub(crate) const LIST: &str = "`homestar effect list` shows those there are";

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
