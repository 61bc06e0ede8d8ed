//! Which doors a component reaches, by itself and through its effects.

use homestar_core::grant::Grants;
use homestar_core::ipld::Ipld;
use homestar_engine::wit::{self, Import};
use homestar_engine::{Effect, Effects, LoadError};

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
    /// Finds those of a component with these imports, which is granted `grants`, and of the effects that it asks.
    /// `itself` is the component if it is one of them.
    pub(super) fn of(
        imports: &[Import],
        itself: Option<&Effect>,
        grants: &Grants,
        effects: &Effects,
    ) -> Result<Self, LoadError> {
        let mut finding = Finding {
            doors: Self::default(),
            effects,
            seen: Vec::new(),
        };
        finding.add(imports, itself, None, grants)?;
        let mut doors = finding.doors;
        doors.if_granted.sort_unstable();
        Ok(doors)
    }

    fn add(&mut self, import: &Import, through: Option<&Effect>, grants: &Grants) {
        let mut driver = import.driver;
        if let Some(world) = world_of(&import.name) {
            if (world.is_real)(grants) {
                driver = Some(world.driver);
            } else if !self.if_granted.contains(&world.grant) {
                self.if_granted.push(world.grant);
            }
        }
        let Some(driver) = driver else { return };
        let through = through.map(|effect| effect.path().display().to_string());
        let door = Door { driver, through };
        if !self.doors.contains(&door) {
            self.doors.push(door);
        }
    }

    /// Tells whether nothing can enter.
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

/// A component's doors, while they are found.
struct Finding<'a> {
    doors: Doors,
    effects: &'a Effects,
    /// Effects that were looked at, each with what was granted to it.
    seen: Vec<(&'a Effect, Grants)>,
}

impl<'a> Finding<'a> {
    /// Adds those of a component with these imports and of who provides them. An effect acts within its own grants,
    /// or within those of who asks it.
    fn add(
        &mut self,
        imports: &[Import],
        asker: Option<&Effect>,
        through: Option<&Effect>,
        grants: &Grants,
    ) -> Result<(), LoadError> {
        for import in imports {
            self.doors.add(import, through, grants);
        }
        for import in imports.iter().filter(|import| !import.is_offered) {
            let Some(effect) = self.effects.provider(asker, &import.name)? else {
                continue;
            };
            let grants = effect.grants().unwrap_or(grants).clone();
            let is_same = |(seen, of_seen): &(&Effect, Grants)| {
                seen.path() == effect.path() && *of_seen == grants
            };
            if self.seen.iter().any(is_same) {
                continue;
            }
            self.seen.push((effect, grants.clone()));
            let imports = wit::describe(effect.bytes())?.imports;
            self.add(&imports, Some(effect), Some(effect), &grants)?;
        }
        Ok(())
    }
}

/// A part of the deterministic world that becomes real if it is granted.
struct World {
    grant: &'static str,
    driver: &'static str,
    is_real: fn(&Grants) -> bool,
}

fn world_of(import: &str) -> Option<World> {
    if import.starts_with("wasi:random/random@") {
        Some(World {
            grant: "random",
            driver: "homestar:driver/entropy",
            is_real: |grants| grants.random().is_ok(),
        })
    } else if import.starts_with("wasi:clocks/") {
        Some(World {
            grant: "clock",
            driver: "homestar:driver/clock",
            is_real: |grants| grants.clock().is_ok(),
        })
    } else {
        None
    }
}

/// Returns the grant with which an interface of the deterministic world becomes real.
pub(super) fn grant_for(import: &str) -> Option<&'static str> {
    world_of(import).map(|world| world.grant)
}
