//! The files in folders of effects, read again where they changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt;
use std::path::{self, Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use homestar_core::ipld::Cid;
use homestar_core::unixfs::cid_of_file;

use super::watch::Interest;
use super::{Effect, EffectError, Effects, effect, files};
use crate::config::Config;
use crate::error::LoadError;

/// Something that happened to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The file, as its folder was given.
    pub path: PathBuf,
    /// What happened.
    pub what: What,
}

/// What happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It is new.
    Added,
    /// It has another content.
    Changed,
    /// It is gone.
    Removed,
    /// It can't be used as it is now; what was there before still counts.
    Broken,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.what {
            What::Added => "is new",
            What::Changed => "changed",
            What::Removed => "was removed",
            What::Broken => "can't be used as it is now",
        };
        write!(f, "{} {what}", self.path.display())
    }
}

/// Folders of effects and single files, with what was last read from them.
#[derive(Debug)]
pub(super) struct Tracked {
    bytes_max: u64,
    folders: Vec<Folder>,
    /// By absolute path, so by folder and name.
    files: BTreeMap<PathBuf, File>,
    followed: BTreeMap<PathBuf, Followed>,
    changes: Vec<Change>,
}

#[derive(Debug)]
struct Folder {
    given: PathBuf,
    absolute: PathBuf,
    error: Option<Arc<EffectError>>,
}

/// A component in a folder.
#[derive(Debug)]
struct File {
    path: PathBuf,
    seen: Option<Seen>,
    /// The last that could be used.
    effect: Option<Effect>,
    error: Option<Arc<EffectError>>,
    /// The file that it leads to, if it is a link.
    target: Option<PathBuf>,
}

/// Any other file.
#[derive(Debug)]
struct Followed {
    path: PathBuf,
    content: Option<Cid>,
    target: Option<PathBuf>,
}

/// What a file looked like when it was read.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    place: (u64, u64),
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    /// Whether it was changed so shortly before that another change may not show.
    is_young: bool,
}

/// Clocks of file systems are as coarse as this.
const YOUNG: Duration = Duration::from_secs(2);

impl Seen {
    fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        // A time to come is as good as none.
        let age = SystemTime::now().duration_since(modified);
        Self {
            place: (metadata.dev(), metadata.ino()),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            is_young: age.unwrap_or_default() < YOUNG,
        }
    }

    fn is_still(&self, now: &Self) -> bool {
        !self.is_young && !now.is_young && self == now
    }

    /// Whether somebody is about to write: nothing is in it, and it was made a moment ago.
    fn is_begun(&self) -> bool {
        self.bytes == 0 && self.is_young
    }
}

impl Tracked {
    pub(super) fn new(folders: &[PathBuf], bytes_max: u64) -> Self {
        let folders = folders.iter().map(|given| Folder {
            given: given.clone(),
            absolute: absolute(given),
            error: None,
        });
        Self {
            bytes_max,
            folders: folders.collect(),
            files: BTreeMap::new(),
            followed: BTreeMap::new(),
            changes: Vec::new(),
        }
    }

    /// Follows the file at `path` too, whatever it is.
    pub(super) fn follow(&mut self, path: &Path) {
        let followed = Followed {
            path: path.to_owned(),
            content: content(path),
            target: target(path),
        };
        self.followed.insert(absolute(path), followed);
    }

    /// Returns what has to be heard of.
    pub(super) fn interest(&self) -> Interest {
        let mut links: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
        let files = self.files.iter().map(|(path, file)| (path, &file.target));
        let followed = self.followed.iter().map(|(path, it)| (path, &it.target));
        for (path, target) in files.chain(followed) {
            if let Some(target) = target {
                links
                    .entry(target.clone())
                    .or_default()
                    .insert(path.clone());
            }
        }
        Interest {
            folders: self.folders.iter().map(|it| it.absolute.clone()).collect(),
            files: self.followed.keys().cloned().collect(),
            links,
        }
    }

    /// Looks at everything. Returns the files that are not there any more, or that somebody is about to write; they
    /// count as they did until [`Self::look_at`].
    pub(super) fn look(&mut self) -> BTreeSet<PathBuf> {
        let mut gone: BTreeSet<_> = self.files.keys().cloned().collect();
        let mut found = Vec::new();
        for folder in &mut self.folders {
            match files(&folder.given) {
                Ok(paths) => {
                    folder.error = None;
                    found.extend(paths.iter().map(|path| absolute(path)));
                }
                Err(source) => {
                    // What was in it still counts.
                    gone.retain(|path| path.parent() != Some(&folder.absolute));
                    let folder_path = folder.given.clone();
                    folder.error = Some(Arc::new(EffectError::Folder {
                        folder: folder_path,
                        source,
                    }));
                }
            }
        }
        for path in found {
            gone.remove(&path);
            let seen = fs::metadata(&path).ok().map(|it| Seen::of(&it));
            let known = self.files.get(&path).and_then(|file| file.seen.as_ref());
            let is_still =
                matches!((known, &seen), (Some(known), Some(seen)) if known.is_still(seen));
            let is_begun = seen.is_some_and(|seen| seen.is_begun());
            if is_begun || (!is_still && !self.look_at(&path)) {
                gone.insert(path);
            }
        }
        let followed: Vec<_> = self.followed.keys().cloned().collect();
        for path in followed {
            self.look_at(&path);
        }
        gone
    }

    /// Looks at the file at the absolute `path`. Returns false if it isn't there.
    pub(super) fn look_at(&mut self, path: &Path) -> bool {
        let is_there = self.take_in(path);
        if !is_there {
            self.remove(path);
        }
        is_there
    }

    /// Reads a file anew, if it is there. Returns whether it is.
    pub(super) fn take_in(&mut self, path: &Path) -> bool {
        let is_there = self.look_at_followed(path);
        let folder = self
            .folders
            .iter()
            .find(|folder| path.parent() == Some(&folder.absolute) && super::is_component(path));
        let (Some(folder), Some(name)) = (folder, path.file_name()) else {
            return is_there;
        };
        let shown = folder.given.join(name);
        let seen = fs::metadata(path).ok().map(|it| Seen::of(&it));
        let read = crate::engine::read_file(path, self.bytes_max);
        let is_gone = |error: &LoadError| matches!(error, LoadError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound);
        if read.as_ref().is_err_and(is_gone) {
            return false;
        }
        let file = self.files.entry(path.to_owned()).or_insert_with(|| File {
            path: shown,
            seen: None,
            effect: None,
            error: None,
            target: None,
        });
        file.seen = seen;
        file.target = target(path);
        self.changes.extend(file.take(read));
        true
    }

    fn look_at_followed(&mut self, path: &Path) -> bool {
        let Some(followed) = self.followed.get_mut(path) else {
            return false;
        };
        let before = followed.content.take();
        followed.content = content(path);
        followed.target = target(path);
        let what = match (before, followed.content) {
            (None, Some(_)) => Some(What::Added),
            (Some(_), None) => Some(What::Removed),
            (before, now) if before != now => Some(What::Changed),
            _ => None,
        };
        let path = followed.path.clone();
        self.changes.extend(what.map(|what| Change { path, what }));
        followed.content.is_some()
    }

    fn remove(&mut self, path: &Path) {
        if let Some(file) = self.files.remove(path) {
            self.changes.push(Change {
                path: file.path,
                what: What::Removed,
            });
        }
    }

    /// Returns what happened since this was last asked.
    pub(super) fn changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Returns the effects that count now.
    pub(super) fn effects(&self) -> Effects {
        let mut effects = Effects::new();
        for folder in &self.folders {
            let Some(number) = effects.number(&folder.given) else {
                continue;
            };
            let in_it = |path: &Path| path.parent() == Some(&folder.absolute);
            let files = self.files.iter().filter(|(path, _)| in_it(path));
            let found = files.filter_map(|(_, file)| file.effect.clone());
            effects.effects.extend(found.map(|effect| Effect {
                folder: number,
                ..effect
            }));
        }
        effects
    }

    /// Returns what is wrong now.
    pub(super) fn errors(&self) -> Vec<Arc<EffectError>> {
        let folders = self
            .folders
            .iter()
            .filter_map(|folder| folder.error.clone());
        let files = self.files.values().filter_map(|file| file.error.clone());
        folders.chain(files).collect()
    }
}

impl File {
    /// Takes what was read. What can't be used leaves the last that could in its place.
    fn take(&mut self, read: Result<Vec<u8>, LoadError>) -> Option<Change> {
        let path = self.path.clone();
        let change = |what| Some(Change { path, what });
        let read = match read {
            Ok(bytes) => {
                let cid = cid_of_file(&bytes);
                if self
                    .effect
                    .as_ref()
                    .is_some_and(|effect| *effect.cid() == cid)
                {
                    // It may have been broken meanwhile.
                    return self.error.take().and_then(|_| change(What::Changed));
                }
                effect(self.path.clone(), 0, bytes)
            }
            Err(source) => Err(EffectError::Load {
                path: self.path.clone(),
                source,
            }),
        };
        match read {
            Ok(effect) => {
                self.error = None;
                match self.effect.replace(effect) {
                    Some(_) => change(What::Changed),
                    None => change(What::Added),
                }
            }
            Err(error) => match self.error.replace(Arc::new(error)) {
                Some(_) => None,
                None => change(What::Broken),
            },
        }
    }
}

/// The path as it is has to do where the working directory can't be told.
fn absolute(path: &Path) -> PathBuf {
    path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Returns the name of what is in a file, as far as a component may reach: nobody takes one that is longer.
fn content(path: &Path) -> Option<Cid> {
    // A pipe would wait for somebody to write.
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    let mut file = fs::File::open(path).ok()?.take(Config::COMPONENT_BYTES_MAX);
    file.read_to_end(&mut bytes).ok()?;
    Some(cid_of_file(&bytes))
}

/// Tells whether somebody is about to write the file at `path`.
pub(super) fn is_begun(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| Seen::of(&metadata).is_begun())
}

/// Returns the file that the link at `path` leads to, if it is one.
fn target(path: &Path) -> Option<PathBuf> {
    let is_link = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
    is_link.then(|| fs::canonicalize(path).ok()).flatten()
}
