//! Who is at work, in this process and in others.
//!
//! Each process that has sessions keeps a file of them, and keeps it locked, so that others can tell whether it lives.
//! Everything about sessions happens under a lock between processes: whoever begins or changes a session shares it, and
//! whoever collects garbage has it alone while it looks at the sessions and takes away what they don't need.
//!
//! A session's file is a list of lines: `+ID EPOCH` a session began, `=ID CID` it holds something, `-ID` it ended. It
//! need not be durable: sessions don't outlive their process.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use homestar_core::ipld::{Cid, parse_cid};

use super::at;
use super::io::{Io, IoFile, Lock, Mode};
use crate::StoreError;

/// Lines of ended sessions that a file may have before it is written anew.
const LINES_ENDED_MAX: usize = 1000;

#[derive(Debug)]
pub(super) struct Sessions {
    io: Arc<dyn Io>,
    folder: PathBuf,
    lock_path: PathBuf,
    own: Mutex<Own>,
}

/// This process's sessions.
#[derive(Debug, Default)]
struct Own {
    file: Option<OwnFile>,
    open: BTreeMap<u64, Vec<String>>,
    begun: u64,
    /// Lines of sessions that ended.
    lines_ended: usize,
}

#[derive(Debug)]
struct OwnFile {
    path: PathBuf,
    file: Box<dyn IoFile>,
    lock: Box<dyn IoFile>,
    end: u64,
}

/// What all sessions of all processes need.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// The epoch in which the oldest of them began.
    pub(super) since: Option<u64>,
    pub(super) holds: HashSet<Cid>,
}

impl Sessions {
    pub(super) fn new(io: Arc<dyn Io>, folder: PathBuf, lock_path: PathBuf) -> Self {
        Self {
            io,
            folder,
            lock_path,
            own: Mutex::default(),
        }
    }

    /// Nothing panics while it holds this lock.
    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a session and returns its number. `epoch` is asked while no garbage is collected.
    pub(super) fn begin(
        &self,
        epoch: impl FnOnce() -> Result<u64, StoreError>,
    ) -> Result<u64, StoreError> {
        let mut own = self.own();
        if own.file.is_none() {
            own.file = Some(self.create()?);
        }
        let id = own.begun;
        own.shared(|own| own.write(id, format!("+{id} {}\n", epoch()?)))?;
        own.begun += 1;
        Ok(id)
    }

    pub(super) fn hold(&self, id: u64, cids: &[Cid]) -> Result<(), StoreError> {
        let lines: String = cids.iter().map(|cid| format!("={id} {cid}\n")).collect();
        self.own().shared(|own| own.write(id, lines))
    }

    /// Ends a session. If that can't be written, what it needs stays until the process ends.
    pub(super) fn end(&self, id: u64) {
        let mut own = self.own();
        let _ = own.shared(|own| own.end(id));
    }

    fn create(&self) -> Result<OwnFile, StoreError> {
        let lock = self.io.open(&self.lock_path, Mode::Create);
        let lock = lock.map_err(at(&self.lock_path))?;
        // A file that isn't locked looks like a dead process's, and would be removed.
        lock.lock(Lock::Shared).map_err(at(&self.lock_path))?;
        let path = self.folder.join(format!("{:016x}", self.io.unique()));
        let file = self.io.open(&path, Mode::CreateNew).map_err(at(&path))?;
        file.lock(Lock::TryExclusive).map_err(at(&path))?;
        lock.lock(Lock::Unlock).map_err(at(&self.lock_path))?;
        Ok(OwnFile {
            path,
            file,
            lock,
            end: 0,
        })
    }

    /// Does something while no session begins, ends or changes, knowing what all of them need. Removes what dead
    /// processes left behind.
    pub(super) fn exclusively<T>(
        &self,
        work: impl FnOnce(Needs) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let lock = self.io.open(&self.lock_path, Mode::Create);
        let lock = lock.map_err(at(&self.lock_path))?;
        lock.lock(Lock::Exclusive).map_err(at(&self.lock_path))?;
        let mut needs = Needs::default();
        for path in self.io.list(&self.folder).map_err(at(&self.folder))? {
            self.look(&path, &mut needs)?;
        }
        work(needs)
    }

    fn look(&self, path: &Path, needs: &mut Needs) -> Result<(), StoreError> {
        let file = match self.io.open(path, Mode::Write) {
            Err(error) if super::is_missing(&error) => return Ok(()),
            opened => opened.map_err(at(path))?,
        };
        if file.lock(Lock::TryExclusive).map_err(at(path))? {
            return self.io.remove(path).map_err(at(path));
        }
        let length = file.len().map_err(at(path))?;
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        super::segment::read_exact(&*file, &mut bytes, 0).map_err(at(path))?;
        needs.add(&String::from_utf8_lossy(&bytes));
        Ok(())
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        if let Some(own) = self.own().file.take() {
            let _ = self.io.remove(&own.path);
        }
    }
}

impl Own {
    /// Does something while no garbage is collected.
    fn shared(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let lock = |own: &Self, lock| match &own.file {
            Some(file) => file.lock.lock(lock).map_err(at(&file.path)).map(drop),
            None => Ok(()),
        };
        lock(self, Lock::Shared)?;
        let result = work(self);
        lock(self, Lock::Unlock)?;
        result
    }

    fn write(&mut self, id: u64, lines: String) -> Result<(), StoreError> {
        self.append(&lines)?;
        self.open.entry(id).or_default().push(lines);
        Ok(())
    }

    fn end(&mut self, id: u64) -> Result<(), StoreError> {
        self.lines_ended += self.open.remove(&id).map_or(0, |lines| lines.len());
        let open = self.open.values().map(Vec::len).sum::<usize>();
        if open == 0 || self.lines_ended > LINES_ENDED_MAX.max(2 * open) {
            return self.rewrite();
        }
        self.append(&format!("-{id}\n"))
    }

    fn append(&mut self, lines: &str) -> Result<(), StoreError> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let written = file.file.write_at(lines.as_bytes(), file.end);
        written.map_err(at(&file.path))?;
        file.end += lines.len() as u64;
        Ok(())
    }

    /// Writes the file without the sessions that ended.
    fn rewrite(&mut self) -> Result<(), StoreError> {
        if let Some(file) = &mut self.file {
            file.file.set_len(0).map_err(at(&file.path))?;
            file.end = 0;
        }
        self.lines_ended = 0;
        let lines: String = self.open.values().flatten().map(String::as_str).collect();
        self.append(&lines)
    }
}

impl Needs {
    /// Adds what the sessions in a file need. A line that can't be read is of no session.
    fn add(&mut self, text: &str) {
        let mut sessions = BTreeMap::<&str, (Option<u64>, Vec<Cid>)>::new();
        for line in text.lines() {
            let Some((sign, rest)) = line.split_at_checked(1) else {
                continue;
            };
            let (id, said) = rest.split_once(' ').unwrap_or((rest, ""));
            match sign {
                "+" => sessions.entry(id).or_default().0 = said.parse().ok(),
                "=" => sessions.entry(id).or_default().1.extend(parse_cid(said)),
                _ => drop(sessions.remove(id)),
            }
        }
        for (since, holds) in sessions.into_values() {
            self.since = self.since.into_iter().chain(since).min();
            self.holds.extend(holds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::io::Os;
    use super::*;
    use homestar_core::ipld::cid_of_raw;

    fn sessions(folder: &Path) -> Sessions {
        let own = folder.join("sessions");
        Os.create_folder(&own).unwrap();
        Sessions::new(Arc::new(Os), own, folder.join("lock"))
    }

    fn needs(sessions: &Sessions) -> Needs {
        sessions.exclusively(Ok).unwrap()
    }

    #[test]
    fn the_oldest_session_of_all_counts() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (sessions(folder.path()), sessions(folder.path()));
        assert_eq!(needs(&one), Needs::default());
        let first = one.begin(|| Ok(7)).unwrap();
        let second = two.begin(|| Ok(5)).unwrap();
        let third = two.begin(|| Ok(9)).unwrap();
        let cid = cid_of_raw(b"x");
        two.hold(third, &[cid]).unwrap();
        for sessions in [&one, &two] {
            let needs = needs(sessions);
            assert_eq!((needs.since, needs.holds.len()), (Some(5), 1));
        }
        two.end(second);
        assert_eq!(needs(&one).since, Some(7));
        one.end(first);
        assert_eq!(needs(&one).since, Some(9));
        two.end(third);
        assert_eq!(needs(&one), Needs::default());
    }

    #[test]
    fn sessions_of_the_dead_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let one = sessions(folder.path());
        one.begin(|| Ok(3)).unwrap();
        let left = folder.path().join("sessions/left");
        std::fs::write(&left, "+0 1\n").unwrap();
        assert_eq!(needs(&one).since, Some(3));
        assert!(!left.exists());
    }

    #[test]
    fn a_file_of_many_sessions_stays_short() {
        let folder = tempfile::tempdir().unwrap();
        let one = sessions(folder.path());
        let long = one.begin(|| Ok(1)).unwrap();
        for _ in 0..5000 {
            let short = one.begin(|| Ok(2)).unwrap();
            one.hold(short, &[cid_of_raw(b"x")]).unwrap();
            one.end(short);
        }
        let end = one.own().file.as_ref().map(|file| file.end);
        assert!(end.is_some_and(|end| end < 200_000), "{end:?}");
        assert_eq!(needs(&one).since, Some(1));
        one.end(long);
        assert_eq!(needs(&one), Needs::default());
    }
}
