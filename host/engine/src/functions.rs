//! Compiled functions of a guest on disk, so that another effect under it doesn't compile the guest again.
//!
//! Code is compiled per composition, and a composition is new as soon as one effect is. Its functions are not: cranelift
//! names each by a hash of all that its code depends on, and asks here for it. A guest has one file, which holds what
//! the last compilation of it used: entries of a name and what it stands for, and the trailer that all files of the
//! [cache](crate::cache) have. It appears whole or not at all; of two that are saved at once the later stays.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::cache;

/// Most bytes that are kept of one guest. The functions of a Python interpreter have 40 MiB.
const BYTES_MAX: u64 = 512 << 20;

/// The functions of one guest.
#[derive(Debug)]
pub(crate) struct Functions {
    path: PathBuf,
    /// What the file holds.
    content: Vec<u8>,
    /// Where in it functions are, by name.
    places: HashMap<Vec<u8>, Range<usize>>,
    turn: Mutex<Turn>,
}

/// What one compilation asked for.
#[derive(Debug, Default)]
struct Turn {
    found: HashSet<Vec<u8>>,
    new: HashMap<Vec<u8>, Vec<u8>>,
}

impl Functions {
    /// Returns those in the file at `path`; none if it isn't there or not whole.
    pub(crate) fn open(path: &Path) -> Self {
        let (content, places) = read(path).unwrap_or_default();
        Self {
            path: path.to_owned(),
            content,
            places,
            turn: Mutex::default(),
        }
    }

    /// Both lists are consistent between any two statements.
    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what was asked for, if any of it is new.
    pub(crate) fn save(&self) -> io::Result<()> {
        let turn = self.turn();
        if turn.new.is_empty() {
            return File::open(&self.path)?.set_modified(SystemTime::now());
        }
        let old = turn.found.iter().filter_map(|name| {
            let place = self.places.get(name)?;
            Some((name, self.content.get(place.clone())?))
        });
        let new = turn.new.iter().map(|(name, code)| (name, code.as_slice()));
        let mut content = Vec::new();
        for (name, code) in old.chain(new) {
            content.extend(length(name)?);
            content.extend(length(code)?);
            content.extend(name);
            content.extend(code);
        }
        if content.len() as u64 > BYTES_MAX {
            return Ok(());
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut file = BufWriter::new(tempfile::NamedTempFile::new_in(folder)?);
        file.write_all(&content)?;
        file.write_all(&cache::trailer(&content))?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.persist(&self.path)?;
        Ok(())
    }
}

impl wasmtime::CacheStore for Functions {
    fn get(&self, name: &[u8]) -> Option<Cow<'_, [u8]>> {
        let place = self.places.get(name)?;
        let code = self.content.get(place.clone())?;
        self.turn().found.insert(name.to_vec());
        Some(code.into())
    }

    fn insert(&self, name: &[u8], code: Vec<u8>) -> bool {
        self.turn().new.insert(name.to_vec(), code);
        true
    }
}

fn length(bytes: &[u8]) -> io::Result<[u8; 4]> {
    let length = u32::try_from(bytes.len()).map_err(|_| damaged())?;
    Ok(length.to_le_bytes())
}

fn damaged() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

type Read = (Vec<u8>, HashMap<Vec<u8>, Range<usize>>);

fn read(path: &Path) -> io::Result<Read> {
    if fs::metadata(path)?.len() > BYTES_MAX + cache::TRAILER_BYTES as u64 {
        return Err(damaged());
    }
    let mut content = fs::read(path)?;
    let end = content.len().checked_sub(cache::TRAILER_BYTES);
    let end = end.ok_or_else(damaged)?;
    if content[end..] != cache::trailer(&content[..end]) {
        return Err(damaged());
    }
    content.truncate(end);
    let places = places(&content).ok_or_else(damaged)?;
    Ok((content, places))
}

/// Returns where the functions in `content` are.
fn places(content: &[u8]) -> Option<HashMap<Vec<u8>, Range<usize>>> {
    let mut places = HashMap::new();
    let mut at = 0;
    let number = |at: usize| {
        let bytes = content.get(at..at.checked_add(4)?)?;
        usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
    };
    while at < content.len() {
        let name = (at + 8)..(at + 8).checked_add(number(at)?)?;
        let code = name.end..name.end.checked_add(number(at + 4)?)?;
        content.get(code.clone())?;
        at = code.end;
        places.insert(content.get(name)?.to_vec(), code);
    }
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime::CacheStore as _;

    fn code(functions: &Functions, name: &[u8]) -> Option<Vec<u8>> {
        functions.get(name).map(Cow::into_owned)
    }

    #[test]
    fn what_the_last_turn_used_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("functions");
        let first = Functions::open(&path);
        assert_eq!(code(&first, b"a"), None);
        first.insert(b"a", vec![1; 1000]);
        first.insert(b"b", vec![2]);
        first.save().unwrap();
        let second = Functions::open(&path);
        assert_eq!(code(&second, b"a"), Some(vec![1; 1000]));
        second.insert(b"c", Vec::new());
        second.save().unwrap();
        let third = Functions::open(&path);
        let found = [b"a", b"b", b"c"].map(|name| code(&third, name).is_some());
        assert_eq!(found, [true, false, true]);
        third.save().unwrap();
        assert_eq!(Functions::open(&path).places.len(), 2);
    }

    #[test]
    fn a_damaged_file_holds_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("functions");
        let functions = Functions::open(&path);
        functions.insert(b"a", vec![7; 100]);
        functions.save().unwrap();
        let whole = fs::read(&path).unwrap();
        for position in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[position] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert_eq!(code(&Functions::open(&path), b"a"), None, "{position}");
            fs::write(&path, &whole[..position]).unwrap();
            assert_eq!(code(&Functions::open(&path), b"a"), None, "{position}");
        }
    }
}
