//! Hears of what happens to files, also in folders that don't exist yet.
//!
//! The system tells about the entries of a folder. So the folders themselves are watched, the ones they lie in (for
//! when they are made, replaced or removed), and those to which links lead. What it tells is sorted here into what is
//! of interest; who reads the files is in `live.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// What is to be heard of. All paths are absolute.
#[derive(Debug, Default)]
pub(super) struct Interest {
    /// Folders whose components count.
    pub(super) folders: BTreeSet<PathBuf>,
    /// Files that count.
    pub(super) files: BTreeSet<PathBuf>,
    /// Links among them, by the file that they lead to.
    pub(super) links: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
}

/// What was heard.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Files that are as somebody wanted them.
    pub(super) settled: BTreeSet<PathBuf>,
    /// Files that came or went, and may be about to be written or replaced.
    pub(super) doubtful: BTreeSet<PathBuf>,
    /// Whether a folder came or went, or the system has lost count.
    pub(super) folders: bool,
    /// Whether nobody wants to hear more.
    pub(super) end: bool,
}

/// Most files that are remembered one by one. Beyond it all are looked at.
const FILES_MAX: usize = 1_000;

impl News {
    fn is_empty(&self) -> bool {
        self.settled.is_empty() && self.doubtful.is_empty() && !self.folders && !self.end
    }

    fn add(&mut self, path: PathBuf, is_settled: bool) {
        if self.settled.len() + self.doubtful.len() >= FILES_MAX {
            self.folders = true;
        } else if is_settled {
            self.settled.insert(path);
        } else {
            self.doubtful.insert(path);
        }
    }
}

/// Between who hears and who acts on it.
#[derive(Debug, Default)]
pub(super) struct Ear {
    heard: Mutex<(Interest, News)>,
    told: Condvar,
}

impl Ear {
    /// Both are consistent between any two statements, so a panic elsewhere while they were locked doesn't matter.
    fn lock(&self) -> MutexGuard<'_, (Interest, News)> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for news, until `deadline` if there is one.
    pub(super) fn listen(&self, deadline: Option<Instant>) -> News {
        let mut heard = self.lock();
        while heard.1.is_empty() {
            let Some(deadline) = deadline else {
                heard = self
                    .told
                    .wait(heard)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.told.wait_timeout(heard, left);
            heard = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::take(&mut heard.1)
    }

    /// Adds to the news.
    pub(super) fn tell(&self, words: impl FnOnce(&mut News)) {
        words(&mut self.lock().1);
        self.told.notify_all();
    }

    fn hear(&self, event: notify::Result<notify::Event>) {
        let Ok(event) = event else {
            return self.tell(|news| news.folders = true);
        };
        let Some(is_settled) = is_settled(&event.kind) else {
            return;
        };
        let mut heard = self.lock();
        let (interest, news) = &mut *heard;
        news.folders |= event.need_rescan();
        for path in &event.paths {
            interest.sort(path, is_settled, news);
        }
        if !news.is_empty() {
            self.told.notify_all();
        }
    }
}

impl Interest {
    fn sort(&self, path: &Path, is_settled: bool, news: &mut News) {
        for link in self.links.get(path).into_iter().flatten() {
            news.add(link.clone(), is_settled);
        }
        let in_folder = path.parent().is_some_and(|it| self.folders.contains(it));
        if self.files.contains(path) || (in_folder && super::is_component(path)) {
            news.add(path.to_owned(), is_settled);
        }
        let leads_to = |wanted: &PathBuf| wanted.starts_with(path) && wanted != path;
        if self.folders.contains(path)
            || self.folders.iter().any(leads_to)
            || self.files.iter().any(leads_to)
        {
            news.folders = true;
        }
    }

    /// Returns the folders to watch for it.
    fn watched(&self) -> BTreeSet<PathBuf> {
        let mut watched = BTreeSet::new();
        for folder in &self.folders {
            watched.extend(folder.is_dir().then(|| folder.clone()));
            watched.extend(nearest(folder));
        }
        let files = self.files.iter().chain(self.links.keys());
        watched.extend(files.filter_map(|file| nearest(file)));
        watched
    }
}

/// Returns the folder that `path` lies in, or the nearest above it that exists.
fn nearest(path: &Path) -> Option<PathBuf> {
    let mut above = path.ancestors().skip(1);
    above.find(|folder| folder.is_dir()).map(Path::to_owned)
}

/// Returns whether a file is as somebody wanted it after this, or nothing if it is not to be looked at: whoever writes
/// to it has not closed it, or it was only read.
fn is_settled(kind: &EventKind) -> Option<bool> {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(true),
        EventKind::Access(_) => None,
        // Where closing a file is not told, every write is.
        EventKind::Modify(ModifyKind::Data(_)) => (!cfg!(target_os = "linux")).then_some(true),
        EventKind::Modify(ModifyKind::Name(notify::event::RenameMode::From)) => Some(false),
        EventKind::Create(_) | EventKind::Remove(_) => Some(false),
        _ => Some(true),
    }
}

/// Makes the system tell an [`Ear`].
#[derive(Debug)]
pub(super) struct Watch {
    ear: Arc<Ear>,
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
}

impl Watch {
    /// Returns what watches nothing yet.
    pub(super) fn new(ear: &Arc<Ear>) -> notify::Result<Self> {
        let hearing = ear.clone();
        Ok(Self {
            ear: ear.clone(),
            watcher: notify::recommended_watcher(move |event| hearing.hear(event))?,
            watched: BTreeSet::new(),
        })
    }

    /// Returns the links whose files are watched.
    pub(super) fn links(&self) -> BTreeMap<PathBuf, BTreeSet<PathBuf>> {
        self.ear.lock().0.links.clone()
    }

    /// Watches what `interest` takes, as it lies now. Look at the files after this, not before.
    pub(super) fn aim(&mut self, interest: Interest) -> notify::Result<()> {
        // A folder may be another one than that which was watched under its name. So all are watched anew.
        for folder in std::mem::take(&mut self.watched) {
            // It may be gone, and then it isn't watched.
            let _ = self.watcher.unwatch(&folder);
        }
        // A folder that is made meanwhile is seen at the next turn.
        loop {
            let wanted = interest.watched();
            if wanted.is_subset(&self.watched) {
                break;
            }
            for folder in wanted {
                if self.watched.contains(&folder) {
                    continue;
                }
                match self.watcher.watch(&folder, RecursiveMode::NonRecursive) {
                    Err(error) if !is_gone(&error) => return Err(error),
                    // One that has gone is not wanted at the next turn.
                    Err(_) => {}
                    Ok(()) => drop(self.watched.insert(folder)),
                }
            }
        }
        self.ear.lock().0 = interest;
        Ok(())
    }
}

fn is_gone(error: &notify::Error) -> bool {
    matches!(error.kind, notify::ErrorKind::PathNotFound)
}
