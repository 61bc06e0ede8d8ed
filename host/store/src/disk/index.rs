//! The index: an SQLite database in WAL mode.
//!
//! One connection writes, and several read. Writers of all processes take turns by a lock on a file beside the index,
//! since SQLite's own way of waiting is to ask again and again.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::at;
use super::io::{Io, IoFile, Lock, Mode};
use super::segment::VERSION;
use crate::StoreError;

/// Marks the database as ours: "hmst".
const APPLICATION_ID: i32 = 0x686d_7374;

/// How long others may keep the index locked in ways that the lock beside it doesn't see, such as by the `sqlite3`
/// command.
const BUSY_MAX: Duration = Duration::from_secs(30);

/// Connections for reading that are kept; more are made for as long as they are needed.
const READERS_MAX: usize = 8;

/// Pages of the log after which it is written into the index: 8 MiB. It has to be read when the store is opened after a
/// crash.
const LOG_PAGES: u32 = 2048;

/// A log of this many bytes is written into the index when the store is closed.
const LOG_BYTES_LEFT: u64 = 256 << 10;

/// Memory for pages, in KiB per connection. More made no difference to writing a million blocks.
const CACHE_KIB: i32 = 8 << 10;

/// Bytes of the log that are written anew at a time.
const RENEW_BYTES: usize = 1 << 20;

/// `docs/store-format.md` explains it.
pub(super) const SCHEMA: &str = "
CREATE TABLE store (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,
    blocks INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    receipts INTEGER NOT NULL
) STRICT;
INSERT INTO store VALUES (1, 1, 0, 0, 0);
CREATE TABLE blocks (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    codec INTEGER NOT NULL,
    touched INTEGER NOT NULL,
    length INTEGER NOT NULL,
    segment INTEGER,
    offset INTEGER,
    bytes BLOB
) STRICT;
CREATE INDEX blocks_by_place ON blocks (segment, offset) WHERE segment IS NOT NULL;
CREATE TABLE segments (
    id INTEGER PRIMARY KEY,
    end INTEGER NOT NULL,
    alive INTEGER NOT NULL
) STRICT;
CREATE TABLE receipts (
    number INTEGER PRIMARY KEY,
    block INTEGER NOT NULL UNIQUE,
    ran BLOB NOT NULL,
    reusable INTEGER NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX receipts_by_ran ON receipts (ran, number, block, reusable, at_ms);
CREATE TABLE pins (
    label TEXT NOT NULL,
    cid BLOB NOT NULL,
    recursive INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    touched INTEGER NOT NULL,
    PRIMARY KEY (label, cid)
) STRICT, WITHOUT ROWID;
CREATE TABLE names (
    name TEXT PRIMARY KEY,
    cid BLOB NOT NULL,
    touched INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Why something in the index failed, before it is said which index.
#[derive(Debug)]
pub(super) enum Fault {
    Sql(rusqlite::Error),
    Store(StoreError),
    /// A row says what can't be.
    Row(&'static str),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Fault {
    /// True if the log may end now in a commit that was written, and that the disk failed to make durable. This
    /// connection would write over it. But whoever opens the index later reads the log from the beginning, finds a whole
    /// commit, and would append to what is gone after a crash. Another sync wouldn't help, since the system takes for
    /// written what it failed to write. So before anything else is written, the log is written anew.
    fn leaves_doubt(&self) -> bool {
        let Self::Sql(error) = self else { return false };
        error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
    }
}

#[derive(Debug)]
pub(super) struct Index {
    path: PathBuf,
    io: Arc<dyn Io>,
    readers: Mutex<Vec<Connection>>,
    writer: Mutex<Writer>,
}

#[derive(Debug)]
struct Writer {
    connection: Option<Connection>,
    /// The file by which writers take turns. While it isn't empty, the log is in doubt.
    turn: Box<dyn IoFile>,
    turn_path: PathBuf,
}

impl Index {
    /// Opens the index, and creates it if it isn't there. `turn_path` is the file by which writers take turns.
    pub(super) fn open(
        io: Arc<dyn Io>,
        path: PathBuf,
        turn_path: PathBuf,
    ) -> Result<Self, StoreError> {
        let turn = io.open(&turn_path, Mode::Create).map_err(at(&turn_path))?;
        let index = Self {
            path,
            io,
            readers: Mutex::default(),
            writer: Mutex::new(Writer {
                connection: None,
                turn,
                turn_path,
            }),
        };
        index.with_writer(|connection| match version(connection)? {
            Some(VERSION) => Ok(()),
            Some(found) => Err(index.unknown(found)),
            None => create(connection),
        })?;
        Ok(index)
    }

    fn unknown(&self, found: u32) -> Fault {
        let (path, known) = (self.path.clone(), VERSION);
        StoreError::Version { path, found, known }.into()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// True if there is one connection, which reads and writes.
    fn is_single(&self) -> bool {
        self.io.vfs().is_some()
    }

    fn connect(&self) -> Result<Connection, Fault> {
        let create = OpenFlags::SQLITE_OPEN_CREATE;
        Ok(connect(&self.path, self.io.vfs(), create)?)
    }

    /// Reads: what `read` sees is of one moment, if it makes one query.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        if self.is_single() {
            return self.with_writer(|connection| read(connection));
        }
        let kept = self.readers().pop();
        let connection = match kept {
            Some(connection) => connection,
            None => self
                .connect()
                .and_then(|connection| set_up(&connection).map(|()| connection))
                .map_err(|fault| self.error(fault))?,
        };
        let result = read(&connection);
        let mut readers = self.readers();
        if readers.len() < READERS_MAX {
            readers.push(connection);
        }
        drop(readers);
        result.map_err(|fault| self.error(fault))
    }

    fn readers(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes: all that `write` does is one commit, which is durable when this returns.
    pub(super) fn write<T>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.with_writer(|connection| {
            let behavior = TransactionBehavior::Immediate;
            let transaction = connection.transaction_with_behavior(behavior)?;
            let written = write(&transaction)?;
            transaction.commit()?;
            Ok(written)
        })
    }

    fn with_writer<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Writer {
            connection,
            turn,
            turn_path,
        } = &mut *writer;
        turn.lock(Lock::Exclusive).map_err(at(turn_path))?;
        let is_in_doubt = turn.len().map_err(at(turn_path))? > 0;
        let result = self.connected(connection).and_then(|connection| {
            if is_in_doubt {
                self.renew_log()?;
            }
            work(connection)
        });
        let doubt = match &result {
            Err(fault) if fault.leaves_doubt() => turn.set_len(1),
            Ok(_) if is_in_doubt => turn.set_len(0),
            _ => Ok(()),
        };
        let unlocked = doubt.and_then(|()| turn.lock(Lock::Unlock));
        let result = result.map_err(|fault| self.error(fault))?;
        unlocked.map(|_| result).map_err(at(turn_path))
    }

    /// Writes the log once more, byte for byte, so that it becomes durable after all.
    fn renew_log(&self) -> Result<(), StoreError> {
        let path = log_path(&self.path);
        let log = match self.io.open(&path, Mode::Write) {
            Err(error) if super::is_missing(&error) => return Ok(()),
            opened => opened.map_err(at(&path))?,
        };
        let mut bytes = vec![0; RENEW_BYTES];
        let mut offset = 0;
        loop {
            let read = log.read_at(&mut bytes, offset).map_err(at(&path))?;
            if read == 0 {
                return log.sync().map_err(at(&path));
            }
            log.write_at(&bytes[..read], offset).map_err(at(&path))?;
            offset += read as u64;
        }
    }

    fn connected<'a>(
        &self,
        connection: &'a mut Option<Connection>,
    ) -> Result<&'a mut Connection, Fault> {
        if connection.is_none() {
            let new = self.connect()?;
            set_up_writer(&new)?;
            *connection = Some(new);
        }
        Ok(connection.as_mut().expect("it is there"))
    }

    /// Asks SQLite what is wrong with the index.
    pub(super) fn check(&self) -> Result<Vec<String>, StoreError> {
        self.read(|connection| {
            let mut said = connection.prepare("PRAGMA integrity_check(100)")?;
            let said = said.query_map([], |row| row.get::<_, String>(0))?;
            let said = said.collect::<Result<Vec<_>, _>>()?;
            Ok(said.into_iter().filter(|line| line != "ok").collect())
        })
    }

    /// Writes the log into the index and gives back what the index doesn't need.
    pub(super) fn shrink(&self) -> Result<(), StoreError> {
        self.with_writer(|connection| {
            run(connection, "PRAGMA incremental_vacuum")?;
            empty_log(connection)
        })
    }

    /// Returns how long the index and its log are.
    pub(super) fn disk_bytes(&self) -> Result<u64, StoreError> {
        let log = log_path(&self.path);
        let mut bytes = 0;
        for path in [&self.path, &log] {
            match self.io.len(path) {
                Ok(len) => bytes += len,
                Err(error) if super::is_missing(&error) => {}
                Err(error) => return Err(at(path)(error)),
            }
        }
        Ok(bytes)
    }

    fn error(&self, fault: Fault) -> StoreError {
        error_of(&self.path, fault)
    }
}

impl Drop for Index {
    /// Leaves a short log to whoever opens the store next: reading it is cheaper than a sync now.
    fn drop(&mut self) {
        self.readers().clear();
        let log = self.io.len(&log_path(&self.path));
        if log.is_ok_and(|len| len > LOG_BYTES_LEFT) {
            let _ = self.with_writer(|connection| empty_log(connection));
        }
    }
}

fn log_path(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// Opens a database.
pub(super) fn connect(
    path: &Path,
    vfs: Option<&str>,
    more: OpenFlags,
) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let connection = match vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs)?,
        None => Connection::open_with_flags(path, flags)?,
    };
    if vfs.is_some() {
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    }
    connection.busy_timeout(BUSY_MAX)?;
    // Otherwise the values of parameters may matter to the plan, and each new value prepares a statement anew.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// What holds for every connection.
fn set_up(connection: &Connection) -> Result<(), Fault> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(())
}

fn set_up_writer(connection: &Connection) -> Result<(), Fault> {
    set_up(connection)?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    Ok(())
}

/// Runs a statement and throws away what it says.
fn run(connection: &Connection, sql: &str) -> Result<(), Fault> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

/// Writes the log into the index and begins it anew, as far as nobody reads from it.
fn empty_log(connection: &Connection) -> Result<(), Fault> {
    run(connection, "PRAGMA wal_checkpoint(TRUNCATE)")
}

/// Returns the format version of a database; none if it is empty.
pub(super) fn version(connection: &Connection) -> Result<Option<u32>, Fault> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    if application == APPLICATION_ID {
        return Ok(Some(version.cast_unsigned()));
    }
    let count = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection.query_row(count, [], |row| row.get(0))?;
    match (application, version, tables) {
        (0, 0, 0) => Ok(None),
        _ => Err(Fault::Row("it is the database of another program")),
    }
}

/// Makes an empty index of an empty database.
pub(super) fn create(connection: &mut Connection) -> Result<(), Fault> {
    // Comes first: it can't be changed later.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    run(connection, "PRAGMA journal_mode = WAL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(SCHEMA)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(())
}

/// Says of which index something failed, and what that means.
pub(super) fn error_of(path: &Path, fault: Fault) -> StoreError {
    let path = path.to_owned();
    let error = match fault {
        Fault::Store(error) => return error,
        Fault::Row(why) => {
            let source = why.into();
            return StoreError::Index { path, source };
        }
        Fault::Sql(error) => error,
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::InUse { path },
        Some(ErrorCode::DiskFull) => {
            let source = std::io::Error::new(std::io::ErrorKind::StorageFull, error);
            StoreError::DiskFull { path, source }
        }
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::OutOfMemory,
        ) => {
            let source = std::io::Error::other(error);
            StoreError::Io { path, source }
        }
        _ => {
            let source = error.into();
            StoreError::Index { path, source }
        }
    }
}
