//! The files that a build depends on.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};

/// Folders that no build reads from, or that builds write themselves.
const LEFT_OUT: &[&str] = &["__pycache__", "build", "dist", "node_modules", "target"];

/// Most files that are looked at. A project with more is built each time.
const FILES_MAX: usize = 10_000;

/// Most bytes that are read of them.
const BYTES_MAX: u64 = 256 << 20;

/// Returns the files of the project in `folder`, in order, or none if there are too many. Hidden ones, components and what
/// tools write are left out.
pub(super) fn files(folder: &Path) -> io::Result<Option<Vec<PathBuf>>> {
    let mut found = Vec::new();
    let is_all = add(folder, &mut found)?;
    found.sort();
    Ok(is_all.then_some(found))
}

fn add(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let kind = entry.file_type()?;
        if name.starts_with('.') || LEFT_OUT.contains(&&*name) || name.ends_with(".wasm") {
            continue;
        }
        if kind.is_dir() && !add(&entry.path(), found)? {
            return Ok(false);
        }
        if kind.is_file() {
            found.push(entry.path());
        }
        if found.len() > FILES_MAX {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns a number that is another if a file of the project in `folder` is another, or none if there is too much to read.
/// Where the folder lies doesn't count.
pub(super) fn digest(folder: &Path, files: &[PathBuf], also: &[&str]) -> io::Result<Option<u64>> {
    let mut hasher = DefaultHasher::new();
    let mut bytes_left = BYTES_MAX;
    for word in also {
        write(&mut hasher, word.as_bytes());
    }
    for path in files {
        let Some(left) = bytes_left.checked_sub(fs::metadata(path)?.len()) else {
            return Ok(None);
        };
        bytes_left = left;
        let name = path.strip_prefix(folder).unwrap_or(path);
        write(&mut hasher, name.as_os_str().as_encoded_bytes());
        write(&mut hasher, &fs::read(path)?);
    }
    Ok(Some(hasher.finish()))
}

/// With its length, so that no two files read like two others.
fn write(hasher: &mut DefaultHasher, bytes: &[u8]) {
    hasher.write_u64(bytes.len() as u64);
    hasher.write(bytes);
}

/// What a file says of the last time that something was done.
#[derive(Debug)]
pub(super) struct Stamp {
    path: PathBuf,
}

impl Stamp {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Tells whether it was done with `digest`.
    pub(super) fn is(&self, digest: Option<u64>) -> bool {
        digest.is_some_and(|digest| {
            fs::read_to_string(&self.path).is_ok_and(|text| text == line(digest))
        })
    }

    /// Remembers that it was done with `digest`. If it can't, it is done again next time.
    pub(super) fn set(&self, digest: Option<u64>) {
        let _ = match digest {
            Some(digest) => fs::write(&self.path, line(digest)),
            None => fs::remove_file(&self.path),
        };
    }
}

fn line(digest: u64) -> String {
    format!("{digest:016x}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_no_source_and_what_is_written_is() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let now = || {
            let files = files(folder.path()).unwrap().unwrap();
            digest(folder.path(), &files, &["1"]).unwrap().unwrap()
        };
        put("app.py", "a");
        let first = now();
        for made in [
            "words.wasm",
            ".venv/bin/python",
            "node_modules/a/b.js",
            "src/target/x",
        ] {
            put(made, "made");
            assert_eq!(now(), first, "{made}");
        }
        put("wit/words.wit", "b");
        let second = now();
        assert_ne!(second, first);
        put("app.py", "c");
        assert_ne!(now(), second);

        let stamp = Stamp::new(folder.path().join("stamp"));
        assert!(!stamp.is(Some(1)) && !stamp.is(None));
        stamp.set(Some(1));
        assert!(stamp.is(Some(1)) && !stamp.is(Some(2)));
        stamp.set(None);
        assert!(!stamp.is(Some(1)));
    }
}
