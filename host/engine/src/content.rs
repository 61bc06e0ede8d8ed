//! What one task has of content: which of it it reaches, what it has open, and how much it has written.
//!
//! Everything waits here, on the thread of the guest, until a block is there or the deadline is: so what a guest sees
//! of content depends on the content alone, and not on when or from where its blocks come. [`fetch`] and [`write`] do
//! the work on threads of their own meanwhile.

mod fetch;
pub(crate) mod pass;
mod reach;
mod read;
pub(crate) mod streams;
mod write;

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use homestar_core::grant::{Asking, Grants, Permit};
use homestar_core::ipld::{Block, Buffer, Buffers, Cid, DAG_PB, MAX_BLOCK_BYTES, RAW};
use homestar_core::task::Limits;
use homestar_core::ucan::Leave;
use homestar_core::unixfs::{
    self, DirEntry, Entry, Found, Layout, ListStep, Listing, Node, Resolve, ResolveStep,
    UnixfsError,
};
use wasmtime::component::{ComponentType, Lift, Lower};

use crate::blocks::{Blocks, BlocksError, NoBlocks};
use crate::drivers::clock;
use crate::end::LimitReached;
use crate::outside::Refused;
use crate::stop::Deadline;

use fetch::Fetch;
use reach::Reach;
use read::Reader;
use write::{Unwritten, Writer};

/// Blobs that a task may have open at the same time: each costs some hundred bytes of this process.
pub(crate) const BLOBS_MAX: u64 = 10_000;

/// Files that it may be writing at the same time: each holds a chunk of it.
pub(crate) const SINKS_MAX: u64 = 256;

/// Streams that it may have asked for and not closed: each may hold the links of a node.
pub(crate) const STREAMS_MAX: u64 = 1024;

/// Files that are being read on where they were left, whose blocks are ordered ahead.
const CURSORS_MAX: usize = 8;

/// Chunks that were put and whose memory is used again: about what waits to be put.
const BUFFERS_MAX: usize = 32;

/// Least that a file or a node counts as when it is written: about what its name takes in an index.
const WRITTEN_BYTES_MIN: u64 = 256;

/// Why content can't be had: `homestar:blocks/types.error`.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(variant)]
pub(crate) enum Error {
    #[component(name = "denied")]
    Denied,
    #[component(name = "invalid-cid")]
    InvalidCid(String),
    #[component(name = "no-entry")]
    NoEntry(String),
    #[component(name = "other-kind")]
    OtherKind(String),
    #[component(name = "malformed")]
    Malformed(String),
    #[component(name = "too-large")]
    TooLarge(u64),
    #[component(name = "too-many")]
    TooMany(u64),
    #[component(name = "other")]
    Other(String),
}

/// What a CID names: `homestar:blocks/types.kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum Kind {
    #[component(name = "file")]
    File,
    #[component(name = "directory")]
    Directory,
    #[component(name = "symlink")]
    Symlink,
    #[component(name = "other")]
    Other,
}

/// Why something was not done.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The guest is told.
    Guest(Error),
    /// The task ends.
    Task(wasmtime::Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Guest(error)
    }
}

impl From<Ended> for Fault {
    fn from(ended: Ended) -> Self {
        Self::Task(ended.into())
    }
}

impl From<LimitReached> for Fault {
    fn from(limit: LimitReached) -> Self {
        Self::Task(limit.into())
    }
}

impl From<UnixfsError> for Fault {
    fn from(error: UnixfsError) -> Self {
        Self::Guest(match error.fault {
            unixfs::Fault::NoEntry(name) => Error::NoEntry(name.into()),
            unixfs::Fault::NotADirectory => Error::OtherKind("not a directory".to_owned()),
            _ => Error::Malformed(error.to_string()),
        })
    }
}

/// Returns what the guest is told, unless the task ends.
pub(crate) fn told<T>(result: Result<T, Fault>) -> wasmtime::Result<Result<T, Error>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Fault::Guest(error)) => Ok(Err(error)),
        Err(Fault::Task(error)) => Err(error),
    }
}

/// A task ends because of content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ended {
    /// Some that is within its reach can't be had.
    #[error("needs block {cid}, which can't be had: {reason}")]
    Unavailable { cid: Cid, reason: String },
    /// What its instruction links to isn't what it takes.
    #[error("can't be given {cid}: {reason}")]
    Input { cid: Cid, reason: String },
    /// The host failed.
    #[error("{0}")]
    Host(String),
}

impl From<BlocksError> for Ended {
    fn from(error: BlocksError) -> Self {
        match error {
            BlocksError::Unavailable { cid, reason } => Self::Unavailable { cid, reason },
            BlocksError::Host(reason) => Self::Host(reason),
        }
    }
}

/// What one task has of content. All of it works through shared references, since a stream writes into a guest's
/// memory while it reads.
pub(crate) struct Content {
    blocks: Option<Arc<dyn Blocks>>,
    /// Most tasks read nothing, so it begins when it is asked first.
    fetch: OnceLock<Fetch>,
    layout: Layout,
    deadline: Deadline,
    time_max: Duration,
    storage_max: u64,
    /// What whoever asked for the task lets it do, and the guest; none for a task of the operator's own.
    leave: Option<(Arc<Leave>, Cid)>,
    /// For the chunks of what is written.
    buffers: Buffers,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    reach: Reach,
    stored: u64,
    writer: Option<Arc<Writer>>,
    /// Number of the next file that is written.
    next: u64,
    /// Nodes that were written and may not be put yet.
    unput: BTreeSet<Cid>,
    open: Open,
    /// Where blobs were left, the longest ago first.
    cursors: VecDeque<Cursor>,
}

/// How much is open.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Open {
    pub(crate) blobs: u64,
    pub(crate) sinks: u64,
    pub(crate) streams: u64,
}

struct Cursor {
    blob: u32,
    offset: u64,
    reader: Reader,
}

impl Content {
    /// Returns what a task has of content that reaches `links` at first.
    pub(crate) fn new(
        blocks: Option<Arc<dyn Blocks>>,
        links: Vec<Cid>,
        limits: &Limits,
        deadline: Deadline,
    ) -> Self {
        Self {
            blocks,
            fetch: OnceLock::new(),
            layout: Layout::default(),
            deadline,
            time_max: limits.time,
            storage_max: limits.storage_bytes,
            leave: None,
            buffers: Buffers::new(BUFFERS_MAX),
            state: Mutex::new(State {
                reach: Reach::new(links),
                ..State::default()
            }),
        }
    }

    /// The same for a task of somebody else's, whose guest is `component`.
    pub(crate) fn with_leave(mut self, leave: Arc<Leave>, component: Cid) -> Self {
        self.leave = Some((leave, component));
        self
    }

    /// The state is consistent between any two statements, so a panic while it was locked does not matter.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn blocks(&self) -> Arc<dyn Blocks> {
        let blocks = self.blocks.clone();
        blocks.unwrap_or_else(|| Arc::new(NoBlocks))
    }

    fn fetch(&self) -> &Fetch {
        self.fetch
            .get_or_init(|| Fetch::new(self.blocks(), &self.deadline))
    }

    fn late(&self) -> LimitReached {
        LimitReached::Time(self.time_max)
    }

    /// Opens one more of something of which there may be `max`.
    pub(crate) fn open(&self, of: fn(&mut Open) -> &mut u64, max: u64) -> Result<(), Error> {
        let mut state = self.lock();
        let count = of(&mut state.open);
        if *count >= max {
            return Err(Error::TooMany(max));
        }
        *count += 1;
        Ok(())
    }

    /// Closes one.
    pub(crate) fn close(&self, of: fn(&mut Open) -> &mut u64) {
        let mut state = self.lock();
        let count = of(&mut state.open);
        *count = count.saturating_sub(1);
    }

    /// Returns the CID that `text` spells, if the task reaches it.
    pub(crate) fn reached(&self, text: &str) -> Result<Cid, Error> {
        self.lock().reach.find(text)
    }

    /// Adds links to what the task reaches: what it has read, or what it has written.
    pub(crate) fn reach<'a>(&self, links: impl IntoIterator<Item = &'a Cid>) -> Result<(), Error> {
        self.lock().reach.add(links)
    }

    /// Returns a block, whether or not the task reaches it.
    fn get(&self, cid: &Cid) -> Result<Arc<Block>, Fault> {
        if self.lock().unput.contains(cid) {
            self.settle()?;
        }
        match self.fetch().get(cid, &self.deadline) {
            None => Err(self.late().into()),
            Some(Ok(block)) => Ok(block),
            Some(Err(error)) => Err(Ended::from(error).into()),
        }
    }

    /// Returns what a CID names.
    pub(crate) fn kind(&self, cid: &Cid) -> Result<Kind, Fault> {
        if !matches!(cid.codec(), RAW | DAG_PB) {
            return Ok(Kind::Other);
        }
        // A node of DAG-PB need not be of UnixFS.
        Ok(match Node::decode(&*self.get(cid)?) {
            Ok(Node::Raw(_) | Node::File(_)) => Kind::File,
            Ok(Node::Directory(_) | Node::Shard(_)) => Kind::Directory,
            Ok(Node::Symlink(_)) => Kind::Symlink,
            Err(_) => Kind::Other,
        })
    }

    /// Returns entries of a directory from number `start` on. They are within reach then.
    pub(crate) fn list(
        &self,
        cid: &Cid,
        start: usize,
        count: usize,
    ) -> Result<Vec<DirEntry>, Fault> {
        let mut listing = Listing::new(*cid);
        let mut entries = Vec::new();
        let mut number = 0;
        while entries.len() < count {
            match listing.step()? {
                ListStep::Need(cid) => {
                    self.fetch().ahead(&listing.upcoming(fetch::AHEAD_MAX));
                    listing.give(&*self.get(&cid)?)?;
                }
                ListStep::Entry(entry) => {
                    if number >= start {
                        entries.push(entry);
                    }
                    number += 1;
                }
                ListStep::Done => break,
            }
        }
        self.reach(entries.iter().map(|entry| &entry.cid))?;
        Ok(entries)
    }

    /// Returns the CID at a path below a directory. It is within reach then.
    pub(crate) fn resolve(&self, cid: &Cid, path: &str) -> Result<Cid, Fault> {
        let path = Resolve::new(*cid, path);
        let mut path = path.map_err(|error| Error::NoEntry(error.0))?;
        loop {
            match path.step()? {
                ResolveStep::Need(cid) => path.give(&*self.get(&cid)?)?,
                ResolveStep::Found(Found::Block(cid)) => {
                    self.reach([&cid])?;
                    return Ok(cid);
                }
                ResolveStep::Found(Found::Value { .. }) => {
                    return Err(Error::OtherKind("a part of a node".to_owned()).into());
                }
            }
        }
    }

    /// Returns a node and its links. They are within reach then.
    pub(crate) fn node(&self, cid: &Cid) -> Result<(Arc<Block>, Vec<Cid>), Fault> {
        let block = self.get(cid)?;
        let links = unixfs::links(&block)?;
        self.reach(&links)?;
        Ok((block, links))
    }

    /// Writes a node. What it links to has to be within reach, or reading it would bring there what isn't.
    pub(crate) fn put_node(&self, block: Block) -> Result<Cid, Fault> {
        let cid = *block.cid();
        let links = unixfs::links(&block)?;
        {
            let mut state = self.lock();
            if !links.iter().all(|link| state.reach.has(link)) {
                return Err(Error::Denied.into());
            }
            state.reach.add([&cid])?;
        }
        self.put(block)?;
        Ok(cid)
    }

    /// Returns the file of a CID, and how many bytes it says it has.
    pub(crate) fn file(&self, cid: &Cid) -> Result<u64, Fault> {
        let other = |kind: &str| Err(Error::OtherKind(kind.to_owned()).into());
        match Node::decode(&*self.get(cid)?)? {
            Node::Raw(bytes) => Ok(bytes as u64),
            Node::File(file) => Ok(file.file_bytes),
            Node::Directory(_) | Node::Shard(_) => other("a directory"),
            Node::Symlink(_) => other("a symbolic link"),
        }
    }

    /// Returns how many bytes there are to read in what a CID names: none if that is no file.
    pub(crate) fn size(&self, cid: &Cid) -> Result<u64, Fault> {
        if !matches!(cid.codec(), RAW | DAG_PB) {
            return Ok(0);
        }
        match self.file(cid) {
            Err(Fault::Guest(_)) => Ok(0),
            size => size,
        }
    }

    /// Reads all of a file.
    pub(crate) fn read_whole(&self, cid: &Cid, bytes: u64) -> Result<Vec<u8>, Fault> {
        let mut reader = Reader::new(*cid, 0, true);
        // A file may lie about its size, so no more is taken for it at once than a block has.
        let mut whole =
            Vec::with_capacity(usize::try_from(bytes).unwrap_or(0).min(MAX_BLOCK_BYTES));
        while reader.append(self, &mut whole, MAX_BLOCK_BYTES)? > 0 {
            if whole.len() as u64 > bytes {
                return Err(Error::Malformed("it is longer than it says".to_owned()).into());
            }
        }
        Ok(whole)
    }

    /// Reads from a blob, on from where it was left if that is where this begins.
    pub(crate) fn read_blob(
        &self,
        blob: u32,
        cid: &Cid,
        offset: u64,
        length: usize,
    ) -> Result<Vec<u8>, Fault> {
        let mut reader = self
            .take_cursor(blob, offset)
            .unwrap_or_else(|| Reader::new(*cid, offset, false));
        let mut bytes = Vec::new();
        reader.append(self, &mut bytes, length)?;
        let mut state = self.lock();
        if state.cursors.len() >= CURSORS_MAX {
            state.cursors.pop_front();
        }
        state.cursors.push_back(Cursor {
            blob,
            offset: offset + bytes.len() as u64,
            reader,
        });
        Ok(bytes)
    }

    fn take_cursor(&self, blob: u32, offset: u64) -> Option<Reader> {
        let mut state = self.lock();
        let position = state
            .cursors
            .iter()
            .position(|cursor| cursor.blob == blob)?;
        let cursor = state.cursors.remove(position)?;
        (cursor.offset == offset).then_some(cursor.reader)
    }

    /// Forgets where a blob was left.
    pub(crate) fn forget_cursor(&self, blob: u32) {
        self.lock().cursors.retain(|cursor| cursor.blob != blob);
    }
}

/// Writing.
impl Content {
    /// Counts bytes that are written, if they may be.
    fn store(&self, bytes: u64) -> wasmtime::Result<()> {
        let mut state = self.lock();
        state.stored = state.stored.saturating_add(bytes);
        if let Some((leave, component)) = &self.leave {
            let asking = Asking {
                component: *component,
                calls: 0,
                bytes: 0,
                now: clock::seconds(),
            };
            let permit = Permit::with_leave(Grants::none(), leave.clone(), asking);
            let allowed = permit.put(state.stored);
            allowed.map_err(|denied| Refused(denied.to_string()))?;
        }
        match state.stored > self.storage_max {
            true => Err(LimitReached::Storage(self.storage_max).into()),
            false => Ok(()),
        }
    }

    fn writer(&self) -> wasmtime::Result<Arc<Writer>> {
        let mut state = self.lock();
        if let Some(writer) = &state.writer {
            return Ok(writer.clone());
        }
        let writer = Writer::start(self.blocks(), self.layout, &self.deadline);
        let writer = Arc::new(writer.map_err(|unwritten| self.unwritten(unwritten))?);
        state.writer = Some(writer.clone());
        Ok(writer)
    }

    fn unwritten(&self, unwritten: Unwritten) -> wasmtime::Error {
        match unwritten {
            Unwritten::Late => self.late().into(),
            Unwritten::Failed(error) => Ended::from(error).into(),
        }
    }

    fn next_number(&self) -> u64 {
        let mut state = self.lock();
        state.next += 1;
        state.next
    }

    /// Writes a file of these bytes.
    pub(crate) fn write_whole(self: &Arc<Self>, bytes: &[u8]) -> wasmtime::Result<Entry> {
        let mut file = self.begin()?;
        file.write(bytes)?;
        file.finish()
    }

    /// Begins a file.
    pub(crate) fn begin(self: &Arc<Self>) -> wasmtime::Result<File> {
        self.store(WRITTEN_BYTES_MIN)?;
        Ok(File {
            content: self.clone(),
            writer: self.writer()?,
            number: self.next_number(),
            chunk: self.buffers.take_empty(0),
            written: 0,
            is_finished: false,
        })
    }

    /// Writes a node.
    fn put(&self, block: Block) -> Result<(), Fault> {
        let bytes = WRITTEN_BYTES_MIN.max(block.bytes().len() as u64);
        self.store(bytes).map_err(Fault::Task)?;
        let writer = self.writer().map_err(Fault::Task)?;
        let cid = *block.cid();
        writer
            .node(block, &self.deadline)
            .map_err(|unwritten| Fault::Task(self.unwritten(unwritten)))?;
        self.lock().unput.insert(cid);
        if self.lock().unput.len() >= UNPUT_MAX {
            self.settle()?;
        }
        Ok(())
    }

    /// Ends a call: all that was written is put.
    pub(crate) fn finish(&self) -> wasmtime::Result<()> {
        if self.lock().unput.is_empty() {
            return Ok(());
        }
        match self.settle() {
            Ok(()) => Ok(()),
            Err(Fault::Task(error)) => Err(error),
            Err(Fault::Guest(error)) => Err(wasmtime::format_err!("{error:?}")),
        }
    }

    /// Waits until all that was written is put.
    fn settle(&self) -> Result<(), Fault> {
        let Some(writer) = self.lock().writer.clone() else {
            return Ok(());
        };
        let number = self.next_number();
        writer
            .settle(number, &self.deadline)
            .map_err(|unwritten| Fault::Task(self.unwritten(unwritten)))?;
        self.lock().unput.clear();
        Ok(())
    }
}

/// Nodes that may wait to be put before all of them are waited for.
const UNPUT_MAX: usize = 1024;

/// A file that is being written.
pub(crate) struct File {
    content: Arc<Content>,
    writer: Arc<Writer>,
    number: u64,
    chunk: Buffer,
    written: u64,
    is_finished: bool,
}

impl File {
    /// Appends bytes.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> wasmtime::Result<()> {
        let is_beyond_minimum = |written: u64| written.saturating_sub(WRITTEN_BYTES_MIN);
        let before = is_beyond_minimum(self.written);
        self.written += bytes.len() as u64;
        self.content
            .store(is_beyond_minimum(self.written) - before)?;
        let chunk_bytes = self.content.layout.chunk_bytes();
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(bytes.len().min(chunk_bytes - self.chunk.len()));
            self.chunk.extend_from_slice(piece);
            bytes = rest;
            if self.chunk.len() == chunk_bytes {
                // The next chunk of a long file will be whole too.
                self.send(self.content.buffers.take_empty(chunk_bytes))?;
            }
        }
        Ok(())
    }

    fn send(&mut self, next: Buffer) -> wasmtime::Result<()> {
        let chunk = std::mem::replace(&mut self.chunk, next);
        let deadline = &self.content.deadline;
        let sent = self.writer.chunk(self.number, chunk, deadline);
        sent.map_err(|unwritten| self.content.unwritten(unwritten))
    }

    /// Ends the file and waits until it is put.
    pub(crate) fn finish(mut self) -> wasmtime::Result<Entry> {
        if !self.chunk.is_empty() {
            self.send(self.content.buffers.take_empty(0))?;
        }
        self.is_finished = true;
        let finished = self.writer.finish(self.number, &self.content.deadline);
        let entry = finished.map_err(|unwritten| self.content.unwritten(unwritten))?;
        // The nodes above the chunks take some bytes too, fewer than a thousandth of the file's.
        let nodes = entry.total_bytes.saturating_sub(entry.file_bytes);
        self.content.store(nodes)?;
        Ok(entry)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if !self.is_finished {
            self.writer.forget(self.number);
        }
    }
}
