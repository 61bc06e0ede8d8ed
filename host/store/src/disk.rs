//! A store in a folder, which several processes may use at once.
//!
//! ```text
//!  put, record ──→ Segments ──sync──→ Apply ──commit──→ acknowledged
//!                  (bytes of         (rows of the
//!                   large blocks)     index; small blocks)
//!        ↑ shared by all who come while the disk is busy (Commits)
//!
//!  get ──→ Index ──→ Segments ──→ checked against its name
//! ```
//!
//! - [`index`](self): an SQLite database says where each block is, and holds the small ones, receipts, pins and names.
//! - `segments` hold the bytes of large blocks. They are durable before the index points to them, and what nothing
//!   points to was never acknowledged.
//! - `commits` makes one commit of what many callers bring.
//! - `sessions` says who is at work; `collect` takes away what nothing needs, `compact` gives the space back.
//! - `rebuild` makes a new index from the segments and from what can be read of the old one.
//!
//! All files are reached through [`Io`], so that tests can let a disk crash between any two writes.

mod apply;
mod collect;
mod commits;
mod compact;
mod index;
mod io;
mod rebuild;
mod receipts;
mod roots;
mod rows;
mod segment;
mod segments;
mod sessions;
mod verify;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use homestar_core::ipld::{Block, Cid, Link};
use homestar_core::receipt::Receipt;
use homestar_core::task::Instruction;
use rusqlite::Connection;

use self::apply::Apply;
use self::commits::{Commits, Content, Done, Entry, Job, Staged};
use self::index::Index;
pub use self::io::{Io, IoFile, Lock, Mode, Os};
pub use self::rebuild::Rebuilt;
use self::rows::{Known, Place, Totals};
use self::segment::VERSION;
use self::segments::Segments;
use self::sessions::Sessions;
use crate::key::Key;
use crate::{
    Collected, Flaw, Holder, Links, Pin, Record, Recorded, Session, Stats, Store, StoreError,
    Verified,
};

/// What whoever opens a store decides.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How many bytes the blocks may have together. Without one, the disk is the limit.
    pub quota_bytes: Option<u64>,
    /// Blocks of at most so many bytes lie in the index, larger ones in segments. A commit with blocks in segments
    /// waits for the disk twice; a block in the index is written twice.
    pub inline_bytes_max: usize,
    /// How long a segment may grow.
    pub segment_bytes_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            quota_bytes: None,
            inline_bytes_max: 16 << 10,
            segment_bytes_max: 256 << 20,
        }
    }
}

/// Staged blocks of so many bytes together are made durable without waiting for more.
const STAGED_BYTES_MAX: u64 = 16 << 20;

/// How often a read begins anew when what it found in the index isn't there any more. Each time somebody has moved or
/// removed the block in between.
const READ_TRIES: usize = 16;

/// A store in a folder. Clones are the same store.
#[derive(Clone, Debug)]
pub struct Disk(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    io: Arc<dyn Io>,
    paths: Paths,
    config: Config,
    index: Index,
    segments: Segments,
    sessions: Sessions,
    commits: Commits,
    /// Locked as long as the store is open, so that nobody rebuilds it meanwhile.
    _open: Box<dyn IoFile>,
}

/// What lies where.
#[derive(Clone, Debug)]
struct Paths(PathBuf);

impl Paths {
    fn format(&self) -> PathBuf {
        self.0.join("format")
    }

    fn index_folder(&self) -> PathBuf {
        self.0.join("index")
    }

    fn index(&self) -> PathBuf {
        self.index_folder().join("index.db")
    }

    fn segments(&self) -> PathBuf {
        self.0.join("segments")
    }

    fn sessions(&self) -> PathBuf {
        self.0.join("sessions")
    }

    fn locks(&self) -> PathBuf {
        self.0.join("locks")
    }

    fn lock(&self, name: &str) -> PathBuf {
        self.locks().join(name)
    }
}

impl Disk {
    /// Opens the store in a folder, and creates it if the folder isn't there or is empty.
    pub fn open(path: &Path, config: Config) -> Result<Self, StoreError> {
        Self::open_on(Arc::new(Os), path, config)
    }

    /// Opens a store whose files are somewhere else than on the system's disk.
    pub fn open_on(io: Arc<dyn Io>, path: &Path, config: Config) -> Result<Self, StoreError> {
        let paths = Paths(path.to_owned());
        prepare(&*io, &paths)?;
        let open = lock_open(&*io, &paths, Lock::TryShared)?;
        check_format(&*io, &paths)?;
        let folder = paths.index_folder();
        io.create_folder(&folder).map_err(at(&folder))?;
        let index = Index::open(Arc::clone(&io), paths.index(), paths.lock("write"))?;
        write_format(&*io, &paths)?;
        let inner = Inner {
            segments: Segments::new(Arc::clone(&io), paths.segments(), config.segment_bytes_max),
            sessions: Sessions::new(Arc::clone(&io), paths.sessions(), paths.lock("sessions")),
            commits: Commits::default(),
            io,
            paths,
            config,
            index,
            _open: open,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Makes the index of a store anew, from the segments and from what can be read of the index that is there. Small
    /// blocks, receipts, pins and names are in the index alone: as many of them come back as can be read. Nobody may
    /// have the store open.
    pub fn rebuild(path: &Path) -> Result<Rebuilt, StoreError> {
        Self::rebuild_on(Arc::new(Os), path)
    }

    /// Does the same where the files are somewhere else than on the system's disk.
    pub fn rebuild_on(io: Arc<dyn Io>, path: &Path) -> Result<Rebuilt, StoreError> {
        let paths = Paths(path.to_owned());
        prepare(&*io, &paths)?;
        let _open = lock_open(&*io, &paths, Lock::TryExclusive)?;
        rebuild::rebuild(&io, &paths)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0.paths.0
    }
}

/// Creates the folders of a store.
fn prepare(io: &dyn Io, paths: &Paths) -> Result<(), StoreError> {
    for folder in [paths.segments(), paths.sessions(), paths.locks()] {
        io.create_folder(&folder).map_err(at(&folder))?;
    }
    Ok(())
}

fn lock_open(io: &dyn Io, paths: &Paths, lock: Lock) -> Result<Box<dyn IoFile>, StoreError> {
    let path = paths.lock("open");
    let file = io.open(&path, Mode::Create).map_err(at(&path))?;
    if !file.lock(lock).map_err(at(&path))? {
        let path = paths.0.clone();
        return Err(StoreError::InUse { path });
    }
    Ok(file)
}

/// What the file says that tells a store from an empty folder; a number of the format follows.
const FORMAT: &str = "homestar store, format ";

/// Checks that we know the format, and that the index is there if there ever was one: an empty one in its place would
/// have lost everything, and let the next collection of garbage remove what could be found again.
fn check_format(io: &dyn Io, paths: &Paths) -> Result<(), StoreError> {
    let path = paths.format();
    let said = match io.open(&path, Mode::Read) {
        Ok(file) => {
            let mut said = [0; 64];
            let read = file.read_at(&mut said, 0).map_err(at(&path))?;
            Some(String::from_utf8_lossy(&said[..read]).into_owned())
        }
        Err(error) if is_missing(&error) => None,
        Err(error) => return Err(at(&path)(error)),
    };
    let version = said.as_deref().and_then(|said| said.strip_prefix(FORMAT));
    let found = version.and_then(|version| version.trim_end().parse().ok());
    if let Some(found) = found.filter(|found| *found > VERSION) {
        let known = VERSION;
        return Err(StoreError::Version { path, found, known });
    }
    let is_lost = !is_there(io, &paths.index())?;
    let segments = paths.segments();
    let is_store = said.is_some_and(|said| !said.is_empty());
    if is_lost && (is_store || !io.list(&segments).map_err(at(&segments))?.is_empty()) {
        let path = paths.index();
        return Err(StoreError::NoIndex { path });
    }
    Ok(())
}

/// Says that this is a store, once it has an index and all names are durable. Until the text stands there, nothing was
/// ever acknowledged, and whoever opens the store does this again.
fn write_format(io: &dyn Io, paths: &Paths) -> Result<(), StoreError> {
    let path = paths.format();
    if is_there(io, &path)? {
        return Ok(());
    }
    let file = io.open(&path, Mode::Create).map_err(at(&path))?;
    let index = paths.index_folder();
    let above = match paths.0.parent() {
        // What is named by one word lies in the folder one is in.
        Some(above) if above.as_os_str().is_empty() => Path::new("."),
        Some(above) => above,
        None => &paths.0,
    };
    for folder in [&index, &paths.0, above] {
        io.sync_folder(folder).map_err(at(folder))?;
    }
    let text = format!("{FORMAT}{VERSION}\n");
    file.write_at(text.as_bytes(), 0).map_err(at(&path))?;
    file.sync().map_err(at(&path))
}

/// True if there is a file with something in it.
fn is_there(io: &dyn Io, path: &Path) -> Result<bool, StoreError> {
    match io.len(path) {
        Ok(len) => Ok(len > 0),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(at(path)(error)),
    }
}

fn is_missing(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}

/// Says of which file the system said something.
fn at(path: &Path) -> impl Fn(std::io::Error) -> StoreError {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull, WriteZero};
    move |source| {
        let path = path.to_owned();
        match source.kind() {
            StorageFull | QuotaExceeded | WriteZero => StoreError::DiskFull { path, source },
            _ => StoreError::Io { path, source },
        }
    }
}

impl Inner {
    /// Finds out what has to be done for a block to be there: nothing if it is.
    fn entry(&self, block: &Block) -> Result<Option<Entry>, StoreError> {
        let cid = block.cid();
        let Some(key) = Key::for_keeping(block)? else {
            return Ok(None);
        };
        let (known, epoch) = self.index.read(|connection| {
            let known = Known::find(connection, &key)?;
            Ok((known, Totals::read(connection)?.epoch))
        })?;
        let well = known
            .as_ref()
            .filter(|known| self.holds(&known.place, block));
        let (is_repair, content) = match well {
            Some(well) if well.touched >= epoch => return Ok(None),
            Some(_) => (false, Content::Known),
            None => (known.is_some(), self.content(block)?),
        };
        Ok(Some(Entry {
            key,
            codec: cid.codec(),
            content,
            is_repair,
            receipt: None,
        }))
    }

    /// Takes the bytes of a block: small ones into memory, until the index has them, large ones into a segment.
    fn content(&self, block: &Block) -> Result<Content, StoreError> {
        if block.bytes().len() <= self.config.inline_bytes_max {
            return Ok(Content::Inline(block.bytes().to_vec()));
        }
        let written = self.segments.append(block, || self.segments_with_room())?;
        Ok(Content::Segment(written))
    }

    /// Some segments that aren't full.
    fn segments_with_room(&self) -> Result<Vec<u64>, StoreError> {
        let full = self.config.segment_bytes_max / 4 * 3;
        self.index.read(|connection| {
            let sql = "SELECT id FROM segments WHERE end < ?1 ORDER BY end DESC LIMIT 16";
            let mut statement = connection.prepare_cached(sql)?;
            let numbers =
                statement.query_map([rows::signed(full)], |row| rows::unsigned(row, 0))?;
            Ok(numbers.collect::<Result<_, _>>()?)
        })
    }

    /// Keeps blocks, and brings those again that somebody has removed in between.
    fn put(&self, blocks: &[Block]) -> Result<(), StoreError> {
        loop {
            let entries = blocks
                .iter()
                .filter_map(|block| self.entry(block).transpose());
            let entries = entries.collect::<Result<Vec<_>, _>>()?;
            if entries.is_empty() && self.commits.is_idle() {
                return Ok(());
            }
            if self.submit(Job { entries })? == Done::Durable {
                return Ok(());
            }
        }
    }

    fn submit(&self, job: Job) -> Result<Done, StoreError> {
        self.commits
            .submit(job, |jobs, staged| self.commit(jobs, staged))
    }

    /// Makes one commit: blocks before pointers.
    fn commit(
        &self,
        jobs: &mut [Job],
        staged: &Staged,
    ) -> Result<Vec<Result<Done, StoreError>>, StoreError> {
        let entries = staged.blocks.values();
        let entries = entries.filter_map(|block| self.entry(block).transpose());
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let all = jobs.iter().flat_map(|job| &job.entries).chain(&entries);
        let needed: BTreeSet<_> = all.filter_map(Entry::segment).collect();
        if !needed.is_empty() {
            self.segments.sync(&needed)?;
        }
        self.index.write(|transaction| {
            let mut apply = Apply::begin(self, transaction)?;
            for entry in &entries {
                // One that was there and is gone was put outside of any session, and collected.
                apply.entry(entry)?;
            }
            let mut results = Vec::with_capacity(jobs.len());
            for job in &*jobs {
                results.push(apply.job(job)?);
            }
            apply.end()?;
            Ok(results)
        })
    }

    fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        let Some(key) = Key::of(cid) else {
            return Ok(Block::inline(cid));
        };
        if let Some(block) = self.commits.staged(&key) {
            return under(cid, block).map(Some);
        }
        self.get_by(cid, || {
            self.index.read(|connection| Known::find(connection, &key))
        })
    }

    /// Reads a block within a transaction.
    fn get_within(&self, connection: &Connection, cid: &Cid) -> Result<Option<Block>, StoreError> {
        let Some(key) = Key::of(cid) else {
            return Ok(Block::inline(cid));
        };
        self.get_by(cid, || {
            let known = Known::find(connection, &key);
            known.map_err(|fault| index::error_of(self.index.path(), fault))
        })
    }

    fn get_by(
        &self,
        cid: &Cid,
        find: impl Fn() -> Result<Option<Known>, StoreError>,
    ) -> Result<Option<Block>, StoreError> {
        let mut tries = 0;
        loop {
            let Some(known) = find()? else {
                return Ok(None);
            };
            let flaw = match self.read_place(cid, &known.place) {
                Ok(block) => return Ok(Some(block)),
                Err(flaw) => flaw,
            };
            // Between the look and the read, the block may have been moved and its segment removed.
            tries += 1;
            if flaw != Flaw::Missing || tries == READ_TRIES {
                let cid = *cid;
                return Err(StoreError::Corrupt { cid, flaw });
            }
        }
    }

    /// Tells whether a block can be read there. What is there is compared, which takes less than hashing it.
    fn holds(&self, place: &Place, block: &Block) -> bool {
        match place {
            Place::Inline(bytes) => bytes == block.bytes(),
            Place::Lost => false,
            Place::Segment(spot) => {
                let file = self.segments.file(spot.segment).ok().flatten();
                file.is_some_and(|file| segment::holds(&*file, spot.offset, block))
            }
        }
    }

    /// Reads the bytes of a block and checks them.
    fn read_place(&self, cid: &Cid, place: &Place) -> Result<Block, Flaw> {
        match place {
            Place::Inline(bytes) => Block::verify(*cid, bytes.clone()).map_err(|_| Flaw::Bytes),
            Place::Lost => Err(Flaw::Missing),
            Place::Segment(spot) => match self.segments.file(spot.segment) {
                Ok(Some(file)) => {
                    let buffers = self.segments.buffers();
                    segment::read_block(&*file, spot.offset, spot.length, cid, buffers)
                }
                Ok(None) => Err(Flaw::Missing),
                Err(error) => Err(Flaw::Unreadable(error.to_string())),
            },
        }
    }
}

impl Entry {
    fn segment(&self) -> Option<u64> {
        match &self.content {
            Content::Segment(written) => Some(written.spot.segment),
            _ => None,
        }
    }
}

/// Returns a block under another CID of the same hash.
fn under(cid: &Cid, block: Block) -> Result<Block, StoreError> {
    if block.cid() == cid {
        return Ok(block);
    }
    let (_, bytes) = block.into_parts();
    let (cid, flaw) = (*cid, Flaw::Bytes);
    Block::verify(cid, bytes).map_err(|_| StoreError::Corrupt { cid, flaw })
}

impl Store for Disk {
    fn put(&self, blocks: &[Block]) -> Result<(), StoreError> {
        self.0.put(blocks)
    }

    fn stage(&self, blocks: &[Block]) -> Result<(), StoreError> {
        let inner = &*self.0;
        let mut waiting = inner.commits.staged_bytes();
        if let Some(quota) = inner.config.quota_bytes {
            let used = inner.index.read(Totals::read)?.bytes + waiting;
            let asked: u64 = blocks.iter().map(|block| block.bytes().len() as u64).sum();
            if used + asked > quota {
                // Some of it may be there already, and whoever waits learns what is wrong.
                return inner.put(blocks);
            }
        }
        for block in blocks {
            if let Some(key) = Key::for_keeping(block)? {
                waiting = inner.commits.stage(key, block.clone());
            }
        }
        if waiting > STAGED_BYTES_MAX {
            return inner.put(&[]);
        }
        Ok(())
    }

    fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        self.0.get(cid)
    }

    fn size(&self, cid: &Cid) -> Result<Option<u64>, StoreError> {
        let Some(key) = Key::of(cid) else {
            return Ok(Block::inline(cid).map(|block| block.bytes().len() as u64));
        };
        if let Some(block) = self.0.commits.staged(&key) {
            return Ok(Some(block.bytes().len() as u64));
        }
        self.0
            .index
            .read(|connection| rows::length(connection, &key))
    }

    fn list(&self, after: Option<&Cid>, limit: usize) -> Result<Vec<Cid>, StoreError> {
        self.0.list(after, limit)
    }

    fn pin(&self, pin: &Pin) -> Result<(), StoreError> {
        self.0.pin_all(std::slice::from_ref(pin))
    }

    fn pin_all(&self, pins: &[Pin]) -> Result<(), StoreError> {
        self.0.pin_all(pins)
    }

    fn unpin(&self, cid: &Cid, label: &str) -> Result<bool, StoreError> {
        self.0.unpin(cid, label)
    }

    fn pins(&self) -> Result<Vec<Pin>, StoreError> {
        self.0.pins()
    }

    fn set_name(&self, name: &str, cid: Option<&Cid>) -> Result<Option<Cid>, StoreError> {
        self.0.set_name(name, cid)
    }

    fn swap_name(
        &self,
        name: &str,
        old: Option<&Cid>,
        new: Option<&Cid>,
    ) -> Result<bool, StoreError> {
        self.0.swap_name(name, old, new)
    }

    fn name(&self, name: &str) -> Result<Option<Cid>, StoreError> {
        self.0.name(name)
    }

    fn names_under(&self, beginning: &str) -> Result<Vec<(String, Cid)>, StoreError> {
        self.0.names_under(beginning)
    }

    fn record(&self, records: &[Record<'_>]) -> Result<(), StoreError> {
        self.0.record(records)
    }

    fn forget(&self, receipts: &[Link<Receipt>]) -> Result<usize, StoreError> {
        self.0.forget(receipts)
    }

    fn receipts_of(&self, ran: &[Link<Instruction>]) -> Result<Vec<Vec<Recorded>>, StoreError> {
        self.0.receipts_of(ran)
    }

    fn receipts(&self, before: Option<u64>, limit: usize) -> Result<Vec<Recorded>, StoreError> {
        self.0.receipts(before, limit)
    }

    fn session(&self) -> Result<Session, StoreError> {
        let epoch = || Ok(self.0.index.read(Totals::read)?.epoch);
        let id = self.0.sessions.begin(epoch)?;
        let store = Arc::clone(&self.0);
        Ok(Session::new(Box::new(Held { store, id })))
    }

    fn gc(&self, links: &Links<'_>) -> Result<Collected, StoreError> {
        self.0.gc(links)
    }

    fn verify(&self) -> Result<Verified, StoreError> {
        self.0.verify()
    }

    fn stats(&self) -> Result<Stats, StoreError> {
        self.0.stats()
    }
}

/// A session of a store on disk.
#[derive(Debug)]
struct Held {
    store: Arc<Inner>,
    id: u64,
}

impl Holder for Held {
    fn hold(&self, cids: &[Cid]) -> Result<(), StoreError> {
        self.store.sessions.hold(self.id, cids)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.store.sessions.end(self.id);
    }
}
