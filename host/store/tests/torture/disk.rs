//! A disk that crashes.
//!
//! It keeps files in memory and writes down, in order, everything that was done to them. From that log, what a real disk
//! might hold after a crash at any point can be made: what was synced is there, and of the rest some writes are and some
//! aren't, in any combination, some of them torn. SQLite reaches the same files through `vfs`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use homestar_store::{Io, IoFile, Lock, Mode};

use crate::random::Random;

/// Writes are torn at multiples of this.
const SECTOR_BYTES: usize = 512;

/// Number of a file, whatever it is called.
type Inode = u64;

#[derive(Clone, Debug)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    files: HashMap<Inode, File>,
    names: BTreeMap<PathBuf, Inode>,
    folders: BTreeSet<PathBuf>,
    log: Vec<Done>,
    made: u64,
    handles: u64,
    trouble: Option<Trouble>,
    vfs: Option<&'static str>,
}

#[derive(Clone, Debug, Default)]
struct File {
    bytes: Vec<u8>,
    shared: BTreeSet<u64>,
    exclusive: Option<u64>,
}

/// Something that was done to the disk.
#[derive(Clone, Debug)]
enum Done {
    Write(Inode, u64, Vec<u8>),
    SetLen(Inode, u64),
    Sync(Inode),
    /// What was written and not synced by now may be gone for good, though it can be read.
    SyncFailed(Inode),
    Create(PathBuf, Inode),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
    SyncFolder(PathBuf),
}

/// The disk refuses to do some things: from some write or sync on, so many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trouble {
    pub(crate) after: u64,
    pub(crate) count: u64,
    pub(crate) kind: io::ErrorKind,
}

impl Disk {
    pub(crate) fn new(vfs: &'static str) -> Self {
        let state = State {
            vfs: Some(vfs),
            ..State::default()
        };
        Self(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much was done so far.
    pub(crate) fn position(&self) -> usize {
        self.state().log.len()
    }

    pub(crate) fn set_trouble(&self, trouble: Option<Trouble>) {
        self.state().trouble = trouble;
    }

    /// Returns a disk with what might be on this one after a crash at a point.
    pub(crate) fn crashed_at(&self, position: usize, random: &mut Random) -> Self {
        let state = self.state();
        let log = &state.log[..position];
        let style = Style::any(random);
        let mut files = HashMap::new();
        for (inode, writes) in writes_of(log) {
            files.insert(inode, survivors(writes, style, random));
        }
        let names = names_of(log, random);
        let folders = state.folders.clone();
        let mut crashed = State {
            folders,
            made: state.made,
            vfs: state.vfs,
            ..State::default()
        };
        for (name, inode) in names {
            let bytes = files.remove(&inode).unwrap_or_default();
            // What is there now was there always, as far as the next crash is concerned.
            crashed.log.push(Done::Create(name.clone(), inode));
            crashed.log.push(Done::Write(inode, 0, bytes.clone()));
            crashed.log.push(Done::Sync(inode));
            if let Some(folder) = name.parent() {
                crashed.log.push(Done::SyncFolder(folder.to_owned()));
            }
            let file = File {
                bytes,
                ..File::default()
            };
            crashed.files.insert(inode, file);
            crashed.names.insert(name, inode);
        }
        Self(Arc::new(Mutex::new(crashed)))
    }

    pub(crate) fn open_file(&self, path: &Path, mode: Mode, is_log: bool) -> io::Result<Handle> {
        let mut state = self.state();
        let inode = match (state.names.get(path).copied(), mode) {
            (Some(_), Mode::CreateNew) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Some(inode), _) => inode,
            (None, Mode::Read | Mode::Write) => return Err(io::ErrorKind::NotFound.into()),
            (None, Mode::Create | Mode::CreateNew) => {
                state.may_do()?;
                state.made += 1;
                let inode = state.made;
                state.files.insert(inode, File::default());
                state.names.insert(path.to_owned(), inode);
                state.log.push(Done::Create(path.to_owned(), inode));
                inode
            }
        };
        state.handles += 1;
        Ok(Handle {
            disk: self.clone(),
            inode,
            number: state.handles,
            // As SQLite does on a real disk: the first sync of a log makes its name durable too.
            folder: path.parent().filter(|_| is_log).map(Path::to_owned),
        })
    }

    pub(crate) fn is_there(&self, path: &Path) -> bool {
        self.state().names.contains_key(path)
    }
}

impl State {
    /// Counts something that the disk may refuse.
    fn may_do(&mut self) -> io::Result<()> {
        let Some(trouble) = &mut self.trouble else {
            return Ok(());
        };
        if trouble.after > 0 {
            trouble.after -= 1;
            return Ok(());
        }
        if trouble.count == 0 {
            return Ok(());
        }
        trouble.count -= 1;
        Err(trouble.kind.into())
    }
}

/// How much of what wasn't synced survives.
#[derive(Clone, Copy, Debug)]
enum Style {
    Nothing,
    Everything,
    /// Each write or none, whole or torn.
    Some,
    /// All writes up to one, and that one torn.
    Prefix,
}

impl Style {
    fn any(random: &mut Random) -> Self {
        match random.below(8) {
            0 => Self::Nothing,
            1 => Self::Everything,
            2..5 => Self::Prefix,
            _ => Self::Some,
        }
    }
}

/// What was written to a file: what is durable, and what may be.
#[derive(Default)]
struct Writes<'a> {
    durable: Vec<&'a Done>,
    doubtful: Vec<&'a Done>,
    /// Set for a doubtful one that no later sync can make durable.
    lost: Vec<bool>,
}

fn writes_of(log: &[Done]) -> BTreeMap<Inode, Writes<'_>> {
    let mut all = BTreeMap::<_, Writes<'_>>::new();
    for done in log {
        match done {
            Done::Write(inode, ..) | Done::SetLen(inode, _) => {
                let writes = all.entry(*inode).or_default();
                writes.doubtful.push(done);
                writes.lost.push(false);
            }
            Done::SyncFailed(inode) => {
                let writes = all.entry(*inode).or_default();
                writes.lost.fill(true);
            }
            Done::Sync(inode) => all.entry(*inode).or_default().sync(),
            _ => {}
        }
    }
    all
}

impl Writes<'_> {
    fn sync(&mut self) {
        if !self.lost.contains(&true) {
            self.durable.append(&mut self.doubtful);
            self.lost.clear();
        } else {
            // The order has to stay, so those that were lost keep the later ones company; a write over the same bytes
            // makes good what was lost.
            let lost = std::mem::take(&mut self.lost);
            let doubtful = std::mem::take(&mut self.doubtful);
            for (done, is_lost) in doubtful.into_iter().zip(lost) {
                if !is_lost {
                    self.durable.push(done);
                }
            }
        }
    }
}

fn survivors(writes: Writes<'_>, style: Style, random: &mut Random) -> Vec<u8> {
    let mut bytes = vec![];
    for done in writes.durable {
        apply(&mut bytes, done);
    }
    let count = writes.doubtful.len() as u64;
    let last = random.below(count + 1);
    for (at, done) in (0..).zip(writes.doubtful) {
        let survives = match style {
            Style::Nothing => false,
            Style::Everything => true,
            Style::Some => random.below(2) == 0,
            Style::Prefix => at <= last,
        };
        let is_torn = match style {
            Style::Some => random.below(4) == 0,
            Style::Prefix => at == last,
            _ => false,
        };
        match done {
            Done::Write(inode, offset, written) if survives && is_torn => {
                for (offset, piece) in torn(*offset, written, random) {
                    apply(&mut bytes, &Done::Write(*inode, offset, piece));
                }
            }
            done if survives => apply(&mut bytes, done),
            _ => {}
        }
    }
    bytes
}

/// Some sectors of a write.
fn torn(offset: u64, written: &[u8], random: &mut Random) -> Vec<(u64, Vec<u8>)> {
    let first = SECTOR_BYTES - offset as usize % SECTOR_BYTES;
    let mut pieces = vec![];
    let mut at = 0;
    while at < written.len() {
        let end = written
            .len()
            .min(if at == 0 { first } else { at + SECTOR_BYTES });
        if random.below(2) == 0 {
            pieces.push((offset + at as u64, written[at..end].to_vec()));
        }
        at = end;
    }
    pieces
}

fn apply(bytes: &mut Vec<u8>, done: &Done) {
    match done {
        Done::Write(_, offset, written) => {
            let (from, to) = (*offset as usize, *offset as usize + written.len());
            if bytes.len() < to {
                bytes.resize(to, 0);
            }
            bytes[from..to].copy_from_slice(written);
        }
        Done::SetLen(_, len) => bytes.resize(*len as usize, 0),
        _ => {}
    }
}

/// What files are called after a crash: names are kept in order, and synced folder by folder.
fn names_of(log: &[Done], random: &mut Random) -> BTreeMap<PathBuf, Inode> {
    let mut last_sync = BTreeMap::<&Path, usize>::new();
    for (at, done) in log.iter().enumerate() {
        if let Done::SyncFolder(folder) = done {
            last_sync.insert(folder, at);
        }
    }
    let cut = match random.below(3) {
        0 => 0,
        1 => log.len(),
        _ => random.below(log.len() as u64 + 1) as usize,
    };
    let survives = |at: usize, path: &Path| {
        let folder = path.parent().unwrap_or(path);
        at < cut || last_sync.get(folder).is_some_and(|&sync| at < sync)
    };
    let mut names = BTreeMap::new();
    for (at, done) in log.iter().enumerate() {
        match done {
            Done::Create(path, inode) if survives(at, path) => {
                names.insert(path.clone(), *inode);
            }
            Done::Remove(path) if survives(at, path) => {
                names.remove(path);
            }
            Done::Rename(from, to) if survives(at, to) => rename(&mut names, from, to),
            _ => {}
        }
    }
    names
}

/// Renames a file, or all in a folder.
fn rename(names: &mut BTreeMap<PathBuf, Inode>, from: &Path, to: &Path) {
    let moved: Vec<_> = names
        .iter()
        .filter_map(|(name, inode)| {
            Some((
                name.clone(),
                name.strip_prefix(from).ok()?.to_owned(),
                *inode,
            ))
        })
        .collect();
    for (name, rest, inode) in moved {
        names.remove(&name);
        let name = match rest.as_os_str().is_empty() {
            true => to.to_owned(),
            false => to.join(rest),
        };
        names.insert(name, inode);
    }
}

impl Io for Disk {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn IoFile>> {
        Ok(Box::new(self.open_file(path, mode, false)?))
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        let state = self.state();
        let inode = state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(state.files[inode].bytes.len() as u64)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        // Folders are there from the beginning: losing them would only lose an empty store.
        let above = path.ancestors().map(Path::to_owned);
        self.state().folders.extend(above);
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let state = self.state();
        if !state.folders.contains(folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let files = state.names.keys().chain(&state.folders);
        Ok(files
            .filter(|path| path.parent() == Some(folder))
            .cloned()
            .collect())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.may_do()?;
        if state.names.remove(path).is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.log.push(Done::Remove(path.to_owned()));
        Ok(())
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let within = |name: &PathBuf| name.starts_with(path);
        let names = state.names.keys().filter(|name| within(name));
        let names: Vec<_> = names.cloned().collect();
        for name in names {
            state.names.remove(&name);
            state.log.push(Done::Remove(name));
        }
        state.folders.retain(|folder| !within(folder));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.may_do()?;
        rename(&mut state.names, from, to);
        if state.folders.remove(from) {
            state.folders.insert(to.to_owned());
        }
        state.log.push(Done::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.may_do()?;
        state.log.push(Done::SyncFolder(path.to_owned()));
        Ok(())
    }

    fn unique(&self) -> u64 {
        let mut state = self.state();
        state.made += 1;
        state.made
    }

    fn vfs(&self) -> Option<&str> {
        self.state().vfs
    }
}

/// An open file.
#[derive(Debug)]
pub(crate) struct Handle {
    disk: Disk,
    inode: Inode,
    number: u64,
    folder: Option<PathBuf>,
}

impl IoFile for Handle {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        let file = &state.files[&self.inode].bytes;
        let from = file
            .len()
            .min(usize::try_from(offset).unwrap_or(usize::MAX));
        let count = bytes.len().min(file.len() - from);
        bytes[..count].copy_from_slice(&file[from..from + count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let done = Done::Write(self.inode, offset, bytes.to_vec());
        state.may_do()?;
        let file = state.files.get_mut(&self.inode).expect("it is open");
        apply(&mut file.bytes, &done);
        state.log.push(done);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[&self.inode].bytes.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let done = Done::SetLen(self.inode, len);
        // Cutting a file changes memory only; a disk that fails to keep it is noticed later.
        let file = state.files.get_mut(&self.inode).expect("it is open");
        apply(&mut file.bytes, &done);
        state.log.push(done);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        if let Err(error) = state.may_do() {
            state.log.push(Done::SyncFailed(self.inode));
            return Err(error);
        }
        state.log.push(Done::Sync(self.inode));
        if let Some(folder) = &self.folder {
            state.log.push(Done::SyncFolder(folder.clone()));
        }
        Ok(())
    }

    fn lock(&self, lock: Lock) -> io::Result<bool> {
        let mut state = self.disk.state();
        let file = state.files.get_mut(&self.inode).expect("it is open");
        let others_share = file.shared.iter().any(|other| *other != self.number);
        let other_has_it = file.exclusive.is_some_and(|other| other != self.number);
        let is_free = match lock {
            Lock::Unlock => true,
            Lock::Shared | Lock::TryShared => !other_has_it,
            Lock::Exclusive | Lock::TryExclusive => !other_has_it && !others_share,
        };
        if !is_free {
            let waits = matches!(lock, Lock::Shared | Lock::Exclusive);
            assert!(!waits, "there is one thread, and it would wait for ever");
            return Ok(false);
        }
        file.shared.remove(&self.number);
        file.exclusive.take_if(|owner| *owner == self.number);
        match lock {
            Lock::Unlock => {}
            Lock::Shared | Lock::TryShared => drop(file.shared.insert(self.number)),
            Lock::Exclusive | Lock::TryExclusive => file.exclusive = Some(self.number),
        }
        Ok(true)
    }

    fn is_linked(&self) -> io::Result<bool> {
        Ok(self
            .disk
            .state()
            .names
            .values()
            .any(|inode| *inode == self.inode))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let _ = self.lock(Lock::Unlock);
    }
}
