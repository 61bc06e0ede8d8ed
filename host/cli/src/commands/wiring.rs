//! Which doors a component reaches, by itself and through its effects.

use homestar_core::ipld::Ipld;
use homestar_engine::wit::{self, Import};
use homestar_engine::{Effect, LoadError};

use crate::print;

/// A driver that is reached.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Door {
    /// Such as `homestar:driver/http`.
    driver: &'static str,
    /// File of the effect that asks it; none for the component itself.
    through: Option<String>,
}

/// Everything that may enter a component, as it is wired.
#[derive(Debug, Default)]
pub(super) struct Doors {
    doors: Vec<Door>,
    /// Grants with which parts of the deterministic world become real.
    if_granted: Vec<&'static str>,
}

impl Doors {
    /// Finds those of a component with these imports that is wired to these effects.
    pub(super) fn of(imports: &[Import], wired: &[&Effect]) -> Result<Self, LoadError> {
        let mut doors = Self::default();
        doors.add(imports, None);
        for effect in wired {
            let imports = wit::describe(effect.bytes())?.imports;
            doors.add(&imports, Some(effect));
        }
        doors.if_granted.sort_unstable();
        Ok(doors)
    }

    fn add(&mut self, imports: &[Import], effect: Option<&Effect>) {
        for import in imports {
            if let Some(driver) = import.driver {
                let through = effect.map(|effect| effect.path().display().to_string());
                let door = Door { driver, through };
                if !self.doors.contains(&door) {
                    self.doors.push(door);
                }
            }
            if let Some(grant) = grant_for(&import.name)
                && !self.if_granted.contains(&grant)
            {
                self.if_granted.push(grant);
            }
        }
    }

    /// Tells whether nothing can enter that isn't granted.
    pub(super) fn are_none(&self) -> bool {
        self.doors.is_empty()
    }

    /// Returns the doors as people read them.
    pub(super) fn texts(&self) -> Vec<String> {
        let text = |door: &Door| match &door.through {
            Some(effect) => format!("{} through {effect}", door.driver),
            None => door.driver.to_owned(),
        };
        self.doors.iter().map(text).collect()
    }

    /// Returns what would make parts of the deterministic world real: `random`, `random or clock`.
    pub(super) fn if_granted(&self) -> Option<String> {
        match self.if_granted.is_empty() {
            true => None,
            false => Some(self.if_granted.join(" or ")),
        }
    }

    /// Returns them for programs.
    pub(super) fn to_ipld(&self) -> Ipld {
        let doors = self.doors.iter().map(|door| {
            let through = door.through.clone().map_or(Ipld::Null, Ipld::String);
            print::map([
                ("driver", Ipld::String(door.driver.to_owned())),
                ("through", through),
            ])
        });
        Ipld::List(doors.collect())
    }

    /// Returns the grants for programs.
    pub(super) fn grants_to_ipld(&self) -> Ipld {
        print::texts(self.if_granted.iter().map(|&grant| grant.to_owned()))
    }
}

/// Returns the grant with which an interface of the deterministic world becomes real.
pub(super) fn grant_for(import: &str) -> Option<&'static str> {
    if import.starts_with("wasi:random/random@") {
        Some("random")
    } else if import.starts_with("wasi:clocks/") {
        Some("clock")
    } else {
        None
    }
}
