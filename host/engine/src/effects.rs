//! Effects: components that offer interfaces to others, found in folders.
//!
//! An effect has no manifest. What it offers and what it asks for is read from its own type.

mod live;
mod tracked;
mod watch;

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use homestar_core::grant::Grants;
use homestar_core::ipld::Cid;
use homestar_core::unixfs::cid_of_file;

use crate::compose;
use crate::error::LoadError;
use crate::parts::Part;
use crate::scan;

pub use live::{Live, Snapshot};
pub use tracked::{Change, What};

/// Components that offer interfaces, in the order in which they are asked: those of a folder that was added
/// earlier first, and inside a folder by file name.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    /// The folders that were added, by the path that tells them apart.
    folders: Vec<PathBuf>,
    effects: Vec<Effect>,
    pins: Vec<Pin>,
}

/// A choice of who provides an interface.
#[derive(Clone, Debug)]
struct Pin {
    /// The interface, with its version or without.
    interface: String,
    /// The file of the effect.
    path: PathBuf,
}

impl Pin {
    /// How exactly it is about `import`; none if it isn't.
    fn fit(&self, import: &str) -> Option<bool> {
        if self.interface.contains('@') {
            return compose::fits(&self.interface, import).then_some(true);
        }
        let base = import.split('@').next();
        (base == Some(&self.interface)).then_some(false)
    }
}

/// An effect that can't be the one to provide an interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// There is none of that name or CID.
    #[error("there is no effect {which} to provide `{interface}`")]
    NoEffect {
        /// The name or CID.
        which: String,
        /// The interface.
        interface: String,
    },
    /// It doesn't offer the interface.
    #[error("the effect {which} doesn't offer `{interface}`; it offers {}", listed(.offers))]
    NotOffered {
        /// The name or CID.
        which: String,
        /// The interface.
        interface: String,
        /// What it offers.
        offers: Vec<String>,
    },
}

fn listed(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// One component that offers interfaces.
#[derive(Clone, Debug)]
pub struct Effect {
    path: PathBuf,
    folder: usize,
    content: Arc<Content>,
    is_built_in: bool,
    grants: Option<Grants>,
}

/// What is in an effect's file. Its name and its type are found out when they are asked for, since most effects are
/// looked at only to see that they offer something else.
#[derive(Debug)]
struct Content {
    bytes: Cow<'static, [u8]>,
    /// Names of the interfaces that it exports.
    exports: Vec<String>,
    cid: OnceLock<Cid>,
    part: OnceLock<Part>,
}

impl Content {
    /// Takes a first look.
    fn new(bytes: Cow<'static, [u8]>) -> Result<Self, LoadError> {
        let exports = scan::exported_interfaces(&scan::component(&bytes)?)?;
        Ok(Self {
            bytes,
            exports,
            cid: OnceLock::new(),
            part: OnceLock::new(),
        })
    }

    fn part(&self) -> Result<&Part, LoadError> {
        if let Some(part) = self.part.get() {
            return Ok(part);
        }
        let part = Part::read(&self.bytes)?;
        Ok(self.part.get_or_init(|| part))
    }
}

impl Effect {
    /// Reads the effect in the file at `path`.
    pub fn open(path: &Path, bytes_max: u64) -> Result<Self, EffectError> {
        opened(path.to_owned(), 0, crate::engine::read(path, bytes_max))
    }

    /// Returns the file it lies in.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the CID of the file.
    pub fn cid(&self) -> &Cid {
        let content = &self.content;
        content.cid.get_or_init(|| cid_of_file(&content.bytes))
    }

    /// Returns the bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.content.bytes
    }

    /// Tells whether it comes with the program, and lies in no folder.
    pub fn is_built_in(&self) -> bool {
        self.is_built_in
    }

    /// Returns the name of its file without the ending: the name by which people know it.
    pub fn name(&self) -> &str {
        self.path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default()
    }

    /// Tells whether `which` is its name or its CID.
    pub fn is(&self, which: &str) -> bool {
        self.name() == which || (looks_like_cid(which) && self.cid().to_string() == which)
    }

    /// Returns what was granted to it, if it has grants of its own.
    pub fn grants(&self) -> Option<&Grants> {
        self.grants.as_ref()
    }

    /// Returns the interfaces it imports that lead outside.
    pub fn drivers(&self) -> impl Iterator<Item = &str> {
        let part = self.part().into_iter();
        part.flat_map(|part| part.sheet.drivers())
    }

    /// Returns the interfaces it offers.
    pub fn offers(&self) -> impl Iterator<Item = &str> {
        self.content.exports.iter().map(String::as_str)
    }

    /// Returns what it asks for and the deterministic world doesn't offer.
    pub fn asks(&self) -> impl Iterator<Item = &str> {
        let part = self.part().into_iter();
        let asks = part.flat_map(|part| part.sheet.asks());
        asks.map(|import| import.name.as_str())
    }

    pub(crate) fn folder(&self) -> usize {
        self.folder
    }

    /// Returns its type. One that was added without being read may turn out to have none.
    pub(crate) fn part(&self) -> Result<&Part, LoadError> {
        self.content.part()
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
            let bytes = crate::engine::read_file(&path, bytes_max);
            match opened(path, number, bytes) {
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

    /// Returns these effects and no others, each before all that follow, without pins and without grants of their own.
    pub(crate) fn in_order(&self, effects: &[&Effect]) -> Self {
        let effects = effects.iter().enumerate().map(|(folder, effect)| Effect {
            folder,
            grants: None,
            ..(*effect).clone()
        });
        let effects: Vec<_> = effects.collect();
        Self {
            folders: effects.iter().map(|effect| effect.path.clone()).collect(),
            effects,
            pins: Vec::new(),
        }
    }

    /// Gives the effects of the name or CID `which` grants of their own. Others act within the grants of who asks
    /// them. Returns false if there is none.
    pub fn grant(&mut self, which: &str, grants: &Grants) -> bool {
        let mut found = false;
        for effect in &mut self.effects {
            if effect.is(which) {
                effect.grants = Some(grants.clone());
                found = true;
            }
        }
        found
    }

    /// Gives each effect the grants that `own` returns for it, if it does.
    pub fn grant_each(&mut self, own: impl Fn(&Effect) -> Option<Grants>) {
        for effect in &mut self.effects {
            if let Some(grants) = own(effect) {
                effect.grants = Some(grants);
            }
        }
    }

    /// Adds effects that come with the program, as a folder of their own that is asked after those added before.
    /// Their paths say so: `built-in/https.wasm`. They are read when they are needed.
    pub fn add_built_in<'a, B: Into<Cow<'static, [u8]>>>(
        &mut self,
        effects: impl IntoIterator<Item = (&'a str, B)>,
    ) -> Result<(), LoadError> {
        let number = self.folders.len();
        self.folders.push(PathBuf::from(BUILT_IN));
        for (name, bytes) in effects {
            self.effects.push(Effect {
                path: Path::new(BUILT_IN).join(format!("{name}.wasm")),
                folder: number,
                content: Arc::new(Content::new(bytes.into())?),
                is_built_in: true,
                grants: None,
            });
        }
        Ok(())
    }

    /// Chooses who provides `interface`, named with its version or without, where several do: the effect of the name
    /// or CID `which`. A pin counts for more than the order of folders, one with a version for more than one without,
    /// and an earlier one for more than a later one. Effects that stand in front of others still do; to pin one of
    /// those makes it the first.
    pub fn pin(&mut self, interface: &str, which: &str) -> Result<(), PinError> {
        let mut pin = Pin {
            interface: interface.to_owned(),
            path: PathBuf::new(),
        };
        let mut offers = None;
        for effect in self.effects.iter().filter(|effect| effect.is(which)) {
            if effect.offers().any(|export| pin.fit(export).is_some()) {
                pin.path = effect.path.clone();
                self.pins.push(pin);
                return Ok(());
            }
            offers.get_or_insert_with(|| effect.offers().map(str::to_owned).collect());
        }
        let (which, interface) = (which.to_owned(), pin.interface);
        Err(match offers {
            None => PinError::NoEffect { which, interface },
            Some(offers) => PinError::NotOffered {
                which,
                interface,
                offers,
            },
        })
    }

    /// Tells whether `effect` is the one chosen to provide `import`.
    pub(crate) fn is_pinned(&self, effect: &Effect, import: &str) -> bool {
        let fits = self
            .pins
            .iter()
            .filter_map(|pin| Some((pin, pin.fit(import)?)));
        // Of those that fit alike the first is taken.
        let pin = fits.rev().max_by_key(|(_, is_exact)| *is_exact);
        pin.is_some_and(|(pin, _)| pin.path == effect.path)
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

    /// Checks that what these provide to a component has the types that it asks for.
    pub fn fit(&self, bytes: &[u8]) -> Result<(), LoadError> {
        let part = Part::read(bytes)?;
        let wiring = compose::wire(&part.sheet, self)?;
        compose::compose(part, &wiring).map(drop)
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

fn opened(
    path: PathBuf,
    folder: usize,
    bytes: Result<Vec<u8>, LoadError>,
) -> Result<Effect, EffectError> {
    match bytes {
        Ok(bytes) => effect(path, folder, bytes),
        Err(source) => Err(EffectError::Load { path, source }),
    }
}

/// Returns the effect of these bytes. A file from anywhere is read whole, so that a bad one is named before anybody
/// needs it.
fn effect(path: PathBuf, folder: usize, bytes: Vec<u8>) -> Result<Effect, EffectError> {
    let content = Content::new(bytes.into()).and_then(|content| {
        content.part()?;
        Ok(content)
    });
    match content {
        Ok(content) if content.exports.is_empty() => Err(EffectError::NoInterface { path }),
        Ok(content) => Ok(Effect {
            path,
            folder,
            content: Arc::new(content),
            is_built_in: false,
            grants: None,
        }),
        Err(source) => Err(EffectError::Load { path, source }),
    }
}

/// Tells whether a text may be a CID, so that nothing is hashed to find that it is none.
fn looks_like_cid(text: &str) -> bool {
    text.starts_with("baf")
}
