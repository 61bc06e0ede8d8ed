//! Folders of effects: where they are, and what is in them.

use std::path::PathBuf;

use homestar_engine::{Config, Effects, Live};

use crate::paths::{self, NoHome};
use crate::print;

/// The folder that belongs to the directory one is in.
pub(crate) const LOCAL: &str = "effects";

/// Largest effect, in bytes: as large as any component may be.
pub(crate) const EFFECT_BYTES_MAX: u64 = Config::COMPONENT_BYTES_MAX;

/// Returns the user's folder of effects.
pub(crate) fn users() -> Result<PathBuf, NoHome> {
    paths::effects()
}

/// Returns the folders, in the order in which they are asked: those given, that of the directory, the user's.
pub(crate) fn all(given: &[PathBuf]) -> Vec<PathBuf> {
    let mut folders = given.to_vec();
    folders.push(PathBuf::from(LOCAL));
    folders.extend(users().ok());
    folders
}

/// Returns the effects in all folders, and those that come with the program as the last. A file that is none is warned
/// of, and the others work.
pub(crate) fn effects(given: &[PathBuf]) -> Effects {
    let mut effects = Effects::new();
    for folder in all(given) {
        for error in effects.add_folder(&folder, EFFECT_BYTES_MAX) {
            print::warning_of(&error);
        }
    }
    add_built_in(&mut effects);
    effects
}

/// Watches all folders. Each snapshot has the effects that come with the program as the last.
pub(crate) fn live(given: &[PathBuf]) -> Live {
    Live::open_with(&all(given), EFFECT_BYTES_MAX, add_built_in)
}

fn add_built_in(effects: &mut Effects) {
    let built_in = homestar_effects::all().iter();
    if let Err(error) = effects.add_built_in(built_in.map(|effect| (effect.name, effect.bytes))) {
        print::warning_of(&error);
    }
}
