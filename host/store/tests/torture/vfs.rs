//! How SQLite reaches the disks that crash.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use homestar_store::{IoFile, Mode};
use sqlite_vfs::{
    DatabaseHandle, LockKind, OpenAccess, OpenKind, OpenOptions, Vfs, WalDisabled, register,
};

use crate::disk::{Disk, Handle};
use crate::random::Random;

/// The name under which SQLite knows it.
pub(crate) const NAME: &str = "torture";

/// The disks, by the first part of paths on them.
static DISKS: Mutex<BTreeMap<PathBuf, Disk>> = Mutex::new(BTreeMap::new());

/// Numbers for SQLite.
static NUMBERS: Mutex<Random> = Mutex::new(Random(1));

/// Lets SQLite find a disk: all paths that begin with `root` are on it, until another takes its place.
pub(crate) fn mount(root: &Path, disk: &Disk) {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| register(NAME, Disks, false).expect("SQLite takes another VFS"));
    let mut disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
    disks.insert(root.to_owned(), disk.clone());
}

pub(crate) fn unmount(root: &Path) {
    let mut disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
    disks.remove(root);
}

fn disk_of(path: &str) -> io::Result<Disk> {
    let disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut found = disks
        .iter()
        .filter(|(root, _)| Path::new(path).starts_with(root));
    let found = found.next().map(|(_, disk)| disk.clone());
    found.ok_or_else(|| io::ErrorKind::NotFound.into())
}

struct Disks;

impl Vfs for Disks {
    type Handle = Open;

    fn open(&self, path: &str, options: OpenOptions) -> io::Result<Open> {
        let mode = match options.access {
            OpenAccess::Read => Mode::Read,
            OpenAccess::Write => Mode::Write,
            OpenAccess::Create => Mode::Create,
            OpenAccess::CreateNew => Mode::CreateNew,
        };
        let is_log = matches!(options.kind, OpenKind::Wal | OpenKind::MainJournal);
        let handle = disk_of(path)?.open_file(Path::new(path), mode, is_log)?;
        let lock = LockKind::None;
        Ok(Open { handle, lock })
    }

    fn delete(&self, path: &str) -> io::Result<()> {
        homestar_store::Io::remove(&disk_of(path)?, Path::new(path))
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        Ok(disk_of(path)?.is_there(Path::new(path)))
    }

    fn temporary_name(&self) -> String {
        unreachable!("temporary tables are kept in memory")
    }

    fn random(&self, buffer: &mut [i8]) {
        let mut numbers = NUMBERS.lock().unwrap_or_else(PoisonError::into_inner);
        buffer.fill_with(|| numbers.next() as i8);
    }

    fn sleep(&self, _: Duration) -> Duration {
        panic!("nobody else has the index locked")
    }
}

/// A file that SQLite has open. It is the only one to have it.
struct Open {
    handle: Handle,
    lock: LockKind,
}

impl DatabaseHandle for Open {
    type WalIndex = WalDisabled;

    fn size(&self) -> io::Result<u64> {
        self.handle.len()
    }

    fn read_exact_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let read = self.handle.read_at(buffer, offset)?;
        match read == buffer.len() {
            true => Ok(()),
            false => {
                // SQLite asks for it.
                buffer[read..].fill(0);
                Err(io::ErrorKind::UnexpectedEof.into())
            }
        }
    }

    fn write_all_at(&mut self, buffer: &[u8], offset: u64) -> io::Result<()> {
        self.handle.write_at(buffer, offset)
    }

    fn sync(&mut self, _: bool) -> io::Result<()> {
        self.handle.sync()
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.handle.set_len(len)
    }

    fn lock(&mut self, lock: LockKind) -> io::Result<bool> {
        self.lock = lock;
        Ok(true)
    }

    fn reserved(&mut self) -> io::Result<bool> {
        Ok(false)
    }

    fn current_lock(&self) -> io::Result<LockKind> {
        Ok(self.lock)
    }

    fn wal_index(&self, _: bool) -> io::Result<WalDisabled> {
        Ok(WalDisabled)
    }
}
