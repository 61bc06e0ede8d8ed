//! The folder of segments: one of them is this process's to append to, all of them are there to read.
//!
//! Whoever appends to a segment has its file locked, so that each process has its own; a segment that is neither full
//! nor somebody's is taken over. Nothing is ever cut off or overwritten: what a crash left behind the last good record
//! stays as a gap until the segment is compacted. Numbers of segments are never used twice.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use homestar_core::ipld::{Block, Buffers};

use super::io::{Io, IoFile, Lock, Mode};
use super::segment::{HEADER_BYTES, Header, VERSION, read_exact, segment_header, segment_version};
use super::{at, is_missing};
use crate::StoreError;
use crate::key::Key;

/// Most files that are kept open for reading. Each of them may be a removed one whose space comes back only when it is
/// closed, so there aren't many.
const HANDLES_MAX: usize = 64;

/// Buffers of blocks that were read and are read no more: about what one reader orders ahead.
const BUFFERS_MAX: usize = 16;

/// Where a block lies in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) segment: u64,
    /// Where its record begins.
    pub(super) offset: u64,
    pub(super) length: u32,
}

impl Spot {
    /// How much of the segment its record takes.
    pub(super) fn record_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + u64::from(self.length)
    }
}

/// A block that was written to a segment.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) spot: Spot,
    /// Keeps the segment locked until the index points to the block: what nothing points to may be removed.
    _file: Arc<dyn IoFile>,
}

#[derive(Debug)]
pub(super) struct Segments {
    io: Arc<dyn Io>,
    folder: PathBuf,
    bytes_max: u64,
    writing: Mutex<Writing>,
    /// Held while something is made durable: whoever comes then may need what is on its way.
    syncing: Mutex<()>,
    handles: Mutex<HashMap<u64, Arc<dyn IoFile>>>,
    buffers: Buffers,
}

#[derive(Debug, Default)]
struct Writing {
    active: Option<Active>,
    /// What was written to since it was last made durable.
    unsynced: HashMap<u64, Arc<dyn IoFile>>,
    /// Those for which that failed: nobody knows what is in them.
    failed: BTreeSet<u64>,
    is_folder_synced: bool,
}

#[derive(Debug)]
struct Active {
    number: u64,
    file: Arc<dyn IoFile>,
    end: u64,
}

impl Segments {
    pub(super) fn new(io: Arc<dyn Io>, folder: PathBuf, bytes_max: u64) -> Self {
        Self {
            io,
            folder,
            bytes_max,
            writing: Mutex::default(),
            syncing: Mutex::default(),
            handles: Mutex::default(),
            buffers: Buffers::new(BUFFERS_MAX),
        }
    }

    /// What blocks are read into.
    pub(super) fn buffers(&self) -> &Buffers {
        &self.buffers
    }

    /// Nothing panics while it holds this lock.
    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:016x}.seg"))
    }

    /// Writes a block behind all others. It is durable after the next [`sync`](Self::sync). `candidates` gives segments
    /// that may have room, if one is needed.
    pub(super) fn append(
        &self,
        block: &Block,
        candidates: impl FnOnce() -> Result<Vec<u64>, StoreError>,
    ) -> Result<Written, StoreError> {
        let (cid, bytes) = (block.cid(), block.bytes().len() as u64);
        let too_large = || StoreError::TooLarge { cid: *cid, bytes };
        let header = Header {
            key: Key::of(cid).ok_or_else(too_large)?,
            codec: cid.codec(),
            length: u32::try_from(bytes).map_err(|_| too_large())?,
        };
        let mut writing = self.writing();
        let record_bytes = HEADER_BYTES as u64 + bytes;
        let is_full = |active: &mut Active| active.end + record_bytes > self.bytes_max;
        drop(writing.active.take_if(is_full));
        if writing.active.is_none() {
            let active = self.take(&mut writing, candidates, record_bytes)?;
            writing.active = Some(active);
        }
        let active = writing.active.as_mut().expect("there is one");
        let (number, offset) = (active.number, active.end);
        let file = Arc::clone(&active.file);
        let failed = |error| at(&self.path(number))(error);
        // The bytes first: without them a header would be worth nothing.
        file.write_at(block.bytes(), offset + HEADER_BYTES as u64)
            .and_then(|()| file.write_at(&header.encode(), offset))
            .map_err(failed)?;
        active.end += record_bytes;
        writing.unsynced.insert(number, Arc::clone(&file));
        let spot = Spot {
            segment: number,
            offset,
            length: header.length,
        };
        Ok(Written { spot, _file: file })
    }

    /// Makes everything durable that was appended. Fails if something in `needed` was written to a segment of which the
    /// disk has said that it failed.
    pub(super) fn sync(&self, needed: &BTreeSet<u64>) -> Result<(), StoreError> {
        let _syncing = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        let (unsynced, is_folder_synced) = {
            let mut writing = self.writing();
            let unsynced = std::mem::take(&mut writing.unsynced);
            (
                unsynced,
                std::mem::replace(&mut writing.is_folder_synced, true),
            )
        };
        let mut result = Ok(());
        if !is_folder_synced && let Err(error) = self.io.sync_folder(&self.folder) {
            self.writing().is_folder_synced = false;
            result = Err(at(&self.folder)(error));
        }
        for (number, file) in unsynced {
            if let Err(error) = file.sync() {
                result = Err(at(&self.path(number))(error));
                self.abandon(number);
            }
        }
        result?;
        match needed.intersection(&self.writing().failed).next() {
            Some(&number) => {
                let error = io::Error::other("what was written before was lost");
                Err(at(&self.path(number))(error))
            }
            None => Ok(()),
        }
    }

    /// Writes no more to a segment: after a failed sync, what was written may be gone though it can be read.
    fn abandon(&self, number: u64) {
        let mut writing = self.writing();
        writing.failed.insert(number);
        writing.active.take_if(|active| active.number == number);
    }

    /// Gives up the active segment, if it is this one.
    pub(super) fn retire(&self, number: u64) {
        let mut writing = self.writing();
        writing.active.take_if(|active| active.number == number);
    }

    fn take(
        &self,
        writing: &mut Writing,
        candidates: impl FnOnce() -> Result<Vec<u64>, StoreError>,
        record_bytes: u64,
    ) -> Result<Active, StoreError> {
        let untried = candidates()?.into_iter();
        for number in untried.filter(|number| !writing.failed.contains(number)) {
            let Some(file) = self.claim(number)? else {
                continue;
            };
            let end = file.len().map_err(at(&self.path(number)))?;
            if end >= HEADER_BYTES as u64 && end + record_bytes <= self.bytes_max {
                return Ok(Active { number, file, end });
            }
        }
        writing.is_folder_synced = false;
        self.create()
    }

    /// Opens and locks a segment, unless it is somebody's or is gone.
    pub(super) fn claim(&self, number: u64) -> Result<Option<Arc<dyn IoFile>>, StoreError> {
        let path = self.path(number);
        let file = match self.io.open(&path, Mode::Write) {
            Err(error) if is_missing(&error) => return Ok(None),
            opened => opened.map_err(at(&path))?,
        };
        let is_mine = file.lock(Lock::TryExclusive).map_err(at(&path))?;
        // It may have been removed before it was locked.
        let is_there = is_mine && file.is_linked().map_err(at(&path))?;
        Ok(is_there.then(|| file.into()))
    }

    fn create(&self) -> Result<Active, StoreError> {
        loop {
            let number = self.io.unique() >> 1;
            let path = self.path(number);
            let file = match self.io.open(&path, Mode::CreateNew) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                opened => opened.map_err(at(&path))?,
            };
            file.write_at(&segment_header(number), 0)
                .map_err(at(&path))?;
            // Until it is locked it looks like one that was left behind, and may be removed.
            if file.lock(Lock::TryExclusive).map_err(at(&path))?
                && file.is_linked().map_err(at(&path))?
            {
                let (file, end) = (file.into(), HEADER_BYTES as u64);
                return Ok(Active { number, file, end });
            }
        }
    }

    /// Opens a segment to read. There is none if it is gone.
    pub(super) fn file(&self, number: u64) -> io::Result<Option<Arc<dyn IoFile>>> {
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = handles.get(&number) {
            return Ok(Some(Arc::clone(file)));
        }
        let file: Arc<dyn IoFile> = match self.io.open(&self.path(number), Mode::Read) {
            Err(error) if is_missing(&error) => return Ok(None),
            opened => opened?.into(),
        };
        handles.retain(|_, file| file.is_linked().unwrap_or(false));
        if handles.len() >= HANDLES_MAX
            && let Some(other) = handles.keys().next().copied()
        {
            handles.remove(&other);
        }
        handles.insert(number, Arc::clone(&file));
        Ok(Some(file))
    }

    /// Closes the files of segments that are gone, so that their space comes back.
    pub(super) fn close_removed(&self) {
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        handles.retain(|_, file| file.is_linked().unwrap_or(false));
    }

    /// Lists all segments that are there.
    pub(super) fn numbers(&self) -> Result<Vec<u64>, StoreError> {
        let paths = self.io.list(&self.folder).map_err(at(&self.folder))?;
        Ok(paths.iter().filter_map(|path| number_of(path)).collect())
    }

    /// Returns how long all segments are together.
    pub(super) fn disk_bytes(&self) -> Result<u64, StoreError> {
        let mut bytes = 0;
        for number in self.numbers()? {
            if let Some(file) = self.file(number).map_err(at(&self.path(number)))? {
                bytes += file.len().map_err(at(&self.path(number)))?;
            }
        }
        Ok(bytes)
    }

    /// Checks that we know the format of a segment.
    pub(super) fn check_version(&self, number: u64, file: &dyn IoFile) -> Result<(), StoreError> {
        let path = self.path(number);
        let mut header = [0; HEADER_BYTES];
        let is_whole = read_exact(file, &mut header, 0).map_err(at(&path))?;
        match segment_version(&header).filter(|_| is_whole) {
            Some(found) if found > VERSION => {
                let known = VERSION;
                Err(StoreError::Version { path, found, known })
            }
            _ => Ok(()),
        }
    }
}

fn number_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_suffix(".seg")?;
    u64::from_str_radix(name, 16).ok()
}
