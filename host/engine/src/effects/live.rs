//! Folders of effects as they are now.
//!
//! ```text
//! the system ─ watch ─→ Ear ─ a thread ─→ Tracked: reads what changed ─→ Published: a snapshot with a number
//! ```
//!
//! Tasks take the snapshot that is there, and never wait for a file to be read.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::tracked::{Change, Tracked, is_begun};
use super::watch::{Ear, News, Watch};
use super::{EffectError, Effects};

/// Folders of effects that are watched: a file that is dropped, replaced or removed counts in the next snapshot. What
/// was wired before stays as it is.
///
/// A file that can't be used is named by [`Snapshot::errors`], and the others work. As long as it can't, the last
/// content of it that could counts, since it may be in the middle of being written. One that is removed counts for
/// [`Live::GRACE`] more, since it may be in the middle of being replaced.
#[derive(Debug)]
#[must_use = "dropping it ends the watch"]
pub struct Live {
    shared: Arc<Shared>,
    ear: Arc<Ear>,
    thread: Option<JoinHandle<()>>,
}

/// What is done to each snapshot before it counts.
type Prepare = Box<dyn Fn(&mut Effects) + Send + Sync>;

struct Shared {
    tracked: Mutex<Tracked>,
    published: Mutex<Published>,
    changed: Condvar,
    prepare: Prepare,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// Folders of effects at one time.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Its number. A later one has a higher number.
    pub generation: u64,
    /// The effects.
    pub effects: Arc<Effects>,
    /// Files that can't be used as they are.
    pub errors: Vec<Arc<EffectError>>,
}

#[derive(Default)]
struct Published {
    snapshot: Snapshot,
    /// What made the last snapshots differ from those before, with their numbers.
    changes: VecDeque<(u64, Change)>,
    /// Why nothing is watched, if so.
    fault: Option<String>,
}

/// Most changes that are remembered for those who wait.
const CHANGES_MAX: usize = 256;

/// How often who waits looks at the folders where nothing is watched.
const LOOK_EVERY: Duration = Duration::from_millis(250);

impl Live {
    /// How long a file that came or went is left alone, unless it is said to be complete before: some programs replace
    /// a file by removing it and writing it anew.
    pub const GRACE: Duration = Duration::from_millis(20);

    /// Watches `folders`, in the order in which they are asked. They need not exist. A component may have
    /// `bytes_max` bytes.
    ///
    /// Where the system can't watch, the folders are looked at for each snapshot, and [`Live::fault`] says so.
    pub fn open(folders: &[PathBuf], bytes_max: u64) -> Self {
        Self::open_with(folders, bytes_max, |_| {})
    }

    /// Like [`Live::open`]. `prepare` is called with each snapshot before it counts, to add what is built in and to
    /// grant what an operator grants.
    pub fn open_with(
        folders: &[PathBuf],
        bytes_max: u64,
        prepare: impl Fn(&mut Effects) + Send + Sync + 'static,
    ) -> Self {
        let live = Self::new(folders, bytes_max, prepare);
        match Watch::new(&live.ear) {
            Ok(watch) => live.watch(watch),
            Err(error) => live.looking(error.to_string()),
        }
    }

    /// Like [`Live::open_with`], but looks at the folders for each snapshot and watches nothing: for file systems
    /// that don't tell what others write, such as those on a network.
    pub fn open_unwatched(
        folders: &[PathBuf],
        bytes_max: u64,
        prepare: impl Fn(&mut Effects) + Send + Sync + 'static,
    ) -> Self {
        let live = Self::new(folders, bytes_max, prepare);
        live.looking("nobody asked for it".to_owned())
    }

    fn new(
        folders: &[PathBuf],
        bytes_max: u64,
        prepare: impl Fn(&mut Effects) + Send + Sync + 'static,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                tracked: Mutex::new(Tracked::new(folders, bytes_max)),
                published: Mutex::default(),
                changed: Condvar::new(),
                prepare: Box::new(prepare),
            }),
            ear: Arc::default(),
            thread: None,
        }
    }

    fn looking(self, fault: String) -> Self {
        self.shared.published().fault = Some(fault);
        self.shared.look();
        self
    }

    fn watch(mut self, watch: Watch) -> Self {
        let mut watching = Watching {
            shared: self.shared.clone(),
            ear: self.ear.clone(),
            watch,
            doubts: BTreeMap::new(),
        };
        watching.begin();
        let thread = thread::Builder::new().name("homestar-live".into());
        match thread.spawn(move || watching.run()) {
            Ok(thread) => self.thread = Some(thread),
            Err(error) => self.shared.published().fault = Some(error.to_string()),
        }
        self
    }

    /// Returns the effects that count now. What is made of them stays as it is.
    pub fn effects(&self) -> Arc<Effects> {
        self.snapshot().effects
    }

    /// Returns the effects that count now, with what is wrong.
    pub fn snapshot(&self) -> Snapshot {
        if self.fault().is_some() {
            self.shared.look();
        }
        self.shared.published().snapshot.clone()
    }

    /// Returns why nothing is watched, so that the folders are looked at for each snapshot, if so.
    pub fn fault(&self) -> Option<String> {
        self.shared.published().fault.clone()
    }

    /// Follows the file at `path` too, whatever it is: when its content changes, there is a new snapshot. It need not
    /// exist.
    pub fn follow(&self, path: &Path) {
        self.shared.tracked().follow(path);
        // It has to be watched before it is looked at, or a change in between is missed.
        self.ear.tell(|news| news.folders = true);
    }

    /// Waits for a snapshot later than that of the number `generation`, and returns what changed. Returns nothing if
    /// there is none within `time_max`.
    pub fn wait(&self, generation: u64, time_max: Duration) -> Vec<Change> {
        let deadline = Instant::now() + time_max;
        loop {
            let looks = self.fault().is_some();
            if looks {
                self.shared.look();
            }
            let published = self.shared.published();
            let changes = published.since(generation);
            let left = deadline.saturating_duration_since(Instant::now());
            if !changes.is_empty() || left.is_zero() {
                return changes;
            }
            let left = if looks { left.min(LOOK_EVERY) } else { left };
            drop(self.shared.changed.wait_timeout(published, left));
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.ear.tell(|news| news.end = true);
        if let Some(thread) = self.thread.take() {
            // It has nothing to say.
            let _ = thread.join();
        }
    }
}

impl Published {
    fn since(&self, generation: u64) -> Vec<Change> {
        let later = self.changes.iter().filter(|(at, _)| *at > generation);
        later.map(|(_, change)| change.clone()).collect()
    }
}

impl Shared {
    /// What a panic elsewhere leaves behind is a file that is read again.
    fn tracked(&self) -> MutexGuard<'_, Tracked> {
        self.tracked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds whole snapshots only.
    fn published(&self) -> MutexGuard<'_, Published> {
        self.published
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at everything, and takes what it finds as it is.
    fn look(&self) {
        let mut tracked = self.tracked();
        for path in tracked.look() {
            tracked.look_at(&path);
        }
        self.publish(&mut tracked);
    }

    /// Makes a snapshot, if anything changed.
    fn publish(&self, tracked: &mut Tracked) {
        let (changes, errors) = (tracked.changes(), tracked.errors());
        let before = self.published().snapshot.clone();
        let is_same = before.errors.iter().map(ToString::to_string);
        let is_same = is_same.eq(errors.iter().map(ToString::to_string));
        if before.generation > 0 && is_same && changes.is_empty() {
            return;
        }
        let mut effects = tracked.effects();
        (self.prepare)(&mut effects);
        let mut published = self.published();
        let generation = before.generation + 1;
        published.snapshot = Snapshot {
            generation,
            effects: Arc::new(effects),
            errors,
        };
        let changes = changes.into_iter().map(|change| (generation, change));
        published.changes.extend(changes);
        while published.changes.len() > CHANGES_MAX {
            published.changes.pop_front();
        }
        self.changed.notify_all();
    }
}

/// The thread that reads what changed.
struct Watching {
    shared: Arc<Shared>,
    ear: Arc<Ear>,
    watch: Watch,
    /// Files that came or went, and when to look at them.
    doubts: BTreeMap<PathBuf, Instant>,
}

impl Watching {
    /// Watches, and makes the first snapshot.
    fn begin(&mut self) {
        self.aim();
        self.shared.look();
        // Only now is it known where links lead.
        if !self.shared.tracked().interest().links.is_empty() {
            self.aim();
            self.shared.look();
        }
    }

    fn run(mut self) {
        loop {
            let news = self.ear.listen(self.doubts.values().min().copied());
            if news.end {
                return;
            }
            self.act(news);
        }
    }

    fn act(&mut self, news: News) {
        let soon = Instant::now() + Live::GRACE;
        for path in news.doubtful {
            self.doubts.insert(path, soon);
        }
        let shared = self.shared.clone();
        if news.folders {
            self.aim();
            for path in shared.tracked().look() {
                self.doubts.entry(path).or_insert(soon);
            }
        }
        let mut tracked = shared.tracked();
        for path in news.settled {
            // By now it may be on its way to be replaced once more, which is no reason to forget it at once.
            match tracked.take_in(&path) {
                true => self.doubts.remove(&path),
                false => self.doubts.insert(path, soon),
            };
        }
        let now = Instant::now();
        self.doubts.retain(|path, at| {
            if *at > now {
                return true;
            }
            if is_begun(path) {
                *at = soon;
                return true;
            }
            tracked.look_at(path);
            false
        });
        let links = tracked.interest().links;
        shared.publish(&mut tracked);
        drop(tracked);
        if links != self.watch.links() {
            // A link is new, or leads elsewhere.
            self.ear.tell(|news| news.folders = true);
        }
    }

    /// Watches what is to be watched. If that fails, whoever wants a snapshot looks.
    fn aim(&mut self) {
        let interest = self.shared.tracked().interest();
        let fault = self.watch.aim(interest).err();
        self.shared.published().fault = fault.map(|error| error.to_string());
    }
}
