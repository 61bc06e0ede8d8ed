//! Effects: components that offer interfaces to others, found in folders.
//!
//! An effect has no manifest. What it offers and what it asks for is read from its own type.

mod live;
mod tracked;
mod watch;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use homestar_core::grant::Grants;
use homestar_core::ipld::{Cid, cid_of_raw};

use crate::compose;
use crate::error::LoadError;
use crate::parts::Part;

pub use live::{Live, Snapshot};
pub use tracked::{Change, What};

/// Components that offer interfaces, in the order in which they are asked: those of a folder that was added
/// earlier first, and inside a folder by file name.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    /// The folders that were added, by the path that tells them apart.
    folders: Vec<PathBuf>,
    effects: Vec<Effect>,
}

/// One component that offers interfaces.
#[derive(Clone, Debug)]
pub struct Effect {
    path: PathBuf,
    folder: usize,
    cid: Cid,
    part: Arc<Part>,
    grants: Option<Grants>,
}

impl Effect {
    /// Reads the effect in the file at `path`.
    pub fn open(path: &Path, bytes_max: u64) -> Result<Self, EffectError> {
        read(path.to_owned(), 0, bytes_max)
    }

    /// Returns the file it lies in.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the CID of the file.
    pub fn cid(&self) -> &Cid {
        &self.cid
    }

    /// Returns the name of its file without the ending: the name by which people know it.
    pub fn name(&self) -> &str {
        self.path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default()
    }

    /// Returns what was granted to it, if it has grants of its own.
    pub fn grants(&self) -> Option<&Grants> {
        self.grants.as_ref()
    }

    /// Returns the interfaces it imports that lead outside.
    pub fn drivers(&self) -> impl Iterator<Item = &str> {
        self.part.sheet.drivers()
    }

    /// Returns the interfaces it offers.
    pub fn offers(&self) -> impl Iterator<Item = &str> {
        self.part.sheet.exports.iter().map(String::as_str)
    }

    /// Returns what it asks for and the deterministic world doesn't offer.
    pub fn asks(&self) -> impl Iterator<Item = &str> {
        self.part.sheet.asks().map(|import| import.name.as_str())
    }

    pub(crate) fn folder(&self) -> usize {
        self.folder
    }

    pub(crate) fn part(&self) -> &Part {
        &self.part
    }
}

/// A file in a folder of effects that is none. The others are not touched by it.
#[derive(Debug, thiserror::Error)]
pub enum EffectError {
    /// The folder can't be read.
    #[error("can't read the folder {}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file isn't a component.
    #[error("{} can't be used as an effect", path.display())]
    Load {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: LoadError,
    },
    /// The component offers no interface.
    #[error("{} offers no interface, so nothing can import it", path.display())]
    NoInterface {
        /// The file.
        path: PathBuf,
    },
}

impl EffectError {
    /// Returns the file or folder it is about.
    pub fn path(&self) -> &Path {
        match self {
            Self::Folder { folder: path, .. }
            | Self::Load { path, .. }
            | Self::NoInterface { path } => path,
        }
    }
}

impl Effects {
    /// Returns no effects.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the effects in `folder`: its files that end in `.wasm`. A file that is none is returned as an error, and
    /// a folder that doesn't exist has no effects. A folder that was added before is not added again.
    pub fn add_folder(&mut self, folder: &Path, bytes_max: u64) -> Vec<EffectError> {
        let paths = match files(folder) {
            Ok(paths) => paths,
            Err(source) => {
                return vec![EffectError::Folder {
                    folder: folder.to_owned(),
                    source,
                }];
            }
        };
        let Some(number) = self.number(folder) else {
            return Vec::new();
        };
        let mut errors = Vec::new();
        for path in paths {
            match read(path, number, bytes_max) {
                Ok(effect) => self.effects.push(effect),
                Err(error) => errors.push(error),
            }
        }
        errors
    }

    /// Returns the number of a new `folder`, or nothing if it was added before.
    fn number(&mut self, folder: &Path) -> Option<usize> {
        // The path as it is will do where the folder isn't there or can't be resolved.
        let whole = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        if self.folders.contains(&whole) {
            return None;
        }
        self.folders.push(whole);
        Some(self.folders.len() - 1)
    }

    /// Adds all of `others`, to be asked after those added before.
    pub fn add(&mut self, others: &Self) {
        let before = self.folders.len();
        self.folders.extend(others.folders.iter().cloned());
        self.effects
            .extend(others.effects.iter().map(|effect| Effect {
                folder: effect.folder + before,
                ..effect.clone()
            }));
    }

    /// Gives the effects of the name or CID `which` grants of their own. Others act within the grants of who asks
    /// them. Returns false if there is none.
    pub fn grant(&mut self, which: &str, grants: &Grants) -> bool {
        let mut found = false;
        for effect in &mut self.effects {
            if effect.name() == which || effect.cid.to_string() == which {
                effect.grants = Some(grants.clone());
                found = true;
            }
        }
        found
    }

    /// Adds effects that come with the program, as a folder of their own that is asked after those added before.
    /// Their paths say so: `built-in/https.wasm`.
    pub fn add_built_in<'a>(
        &mut self,
        effects: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<(), LoadError> {
        let number = self.folders.len();
        self.folders.push(PathBuf::from(BUILT_IN));
        for (name, bytes) in effects {
            self.effects.push(Effect {
                path: Path::new(BUILT_IN).join(format!("{name}.wasm")),
                folder: number,
                cid: cid_of_raw(bytes),
                part: Arc::new(Part::read(bytes)?),
                grants: None,
            });
        }
        Ok(())
    }

    /// Returns the effects, in the order in which they are asked.
    pub fn iter(&self) -> impl Iterator<Item = &Effect> {
        self.effects.iter()
    }

    /// Returns who provides `interface` to `asker`, or to a guest if there is none.
    pub fn provider(
        &self,
        asker: Option<&Effect>,
        interface: &str,
    ) -> Result<Option<&Effect>, LoadError> {
        let provider = compose::provider(self, asker, interface)?;
        Ok(provider.map(|(effect, _)| effect))
    }

    /// Returns the effects that the guest in `bytes` would be wired to.
    pub fn wired_to(&self, bytes: &[u8]) -> Result<Vec<&Effect>, LoadError> {
        Ok(compose::wire(&Part::read(bytes)?.sheet, self)?.effects())
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.effects.is_empty()
    }
}

/// Where effects lie that come with the program.
const BUILT_IN: &str = "built-in";

/// Returns the components in `folder`, by name.
fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if is_component(&path) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Tells by its name whether a file in a folder of effects counts.
fn is_component(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "wasm")
}

fn read(path: PathBuf, folder: usize, bytes_max: u64) -> Result<Effect, EffectError> {
    match crate::engine::read(&path, bytes_max) {
        Ok(bytes) => effect(path, folder, &bytes, cid_of_raw(&bytes)),
        Err(source) => Err(EffectError::Load { path, source }),
    }
}

/// Returns the effect of these bytes, whose CID is `cid`.
fn effect(path: PathBuf, folder: usize, bytes: &[u8], cid: Cid) -> Result<Effect, EffectError> {
    let part = match Part::read(bytes) {
        Ok(part) => part,
        Err(source) => return Err(EffectError::Load { path, source }),
    };
    if part.sheet.exports.is_empty() {
        return Err(EffectError::NoInterface { path });
    }
    Ok(Effect {
        path,
        folder,
        cid,
        part: Arc::new(part),
        grants: None,
    })
}
