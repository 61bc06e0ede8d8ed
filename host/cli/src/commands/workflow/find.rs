//! What the names in a workflow stand for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use homestar_core::ipld::{Cid, cid_of_raw};
use homestar_core::plan::{Found, Resources};
use homestar_core::workflow::{Named, Workflow};
use homestar_node::Reference;

use super::super::data::{DOWNLOAD_BYTES_MAX, Data, unread};
use crate::error::{Caused, CommandError};

/// Whether the files that a workflow names go into the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Files {
    /// They do, so that their CIDs are known and tasks can read them.
    Kept,
    /// They are looked at only. Each gets a CID that stands for its path.
    LookedAt,
    /// There are none, nor places: whoever wrote the workflow may be somebody else, so it names content only.
    Content,
}

/// What became of the names.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) resources: Resources,
    /// Why others stand for nothing.
    pub(super) unresolved: BTreeMap<String, String>,
}

/// Finds what the names stand for, components apart. Paths are those beside the workflow.
pub(super) fn names(workflow: &Workflow, folder: &Path, data: &Data, files: Files) -> Names {
    let mut names = Names::default();
    for (text, name) in workflow.names() {
        let found = match name.of {
            Named::Component => continue,
            of => one(text, of == Named::Folder, folder, data, files),
        };
        match found {
            Ok(found) => drop(names.resources.insert(text.to_owned(), found)),
            Err(error) => drop(names.unresolved.insert(text.to_owned(), error.message())),
        }
    }
    names
}

/// Returns what a text in a workflow names. Paths are those beside the workflow.
pub(super) fn reference(
    text: &str,
    folder: &Path,
    files: Files,
) -> Result<Reference, CommandError> {
    match text.parse().map_err(CommandError::input)? {
        Reference::Path(_) | Reference::Url(_) if files == Files::Content => {
            let words = format!("`{text}` is no CID, and there are no files beside this workflow");
            Err(CommandError::input(words)
                .hint("`homestar add FILE` puts a file into the store and says its CID"))
        }
        Reference::Stdin => Err(CommandError::input(
            "a workflow doesn't read standard input",
        )),
        Reference::Path(path) => Ok(Reference::Path(folder.join(path))),
        other => Ok(other),
    }
}

fn one(
    text: &str,
    is_folder: bool,
    folder: &Path,
    data: &Data,
    files: Files,
) -> Result<Found, CommandError> {
    let cid = match (reference(text, folder, files)?, files) {
        (Reference::Path(path), Files::LookedAt) => return look(&path, is_folder),
        (Reference::Path(path), _) => data.add_path(&real(&path)?)?,
        (Reference::Content(path), _) => data.resolve(&path)?,
        (Reference::Url(url), _) => data.download(&url, DOWNLOAD_BYTES_MAX)?,
        (other, _) => return Err(CommandError::input(format!("{other} is no file"))),
    };
    let entries = match is_folder {
        true => Some(entries(data, text, &cid)?),
        false => None,
    };
    Ok(Found { cid, entries })
}

/// Returns where a path leads, links followed: it is the file that is meant.
fn real(path: &Path) -> Result<PathBuf, CommandError> {
    fs::canonicalize(path).map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, error: std::io::Error) -> CommandError {
    CommandError::input(Caused::new(format!("can't read {}", path.display()), error))
}

fn entries(data: &Data, text: &str, cid: &Cid) -> Result<BTreeMap<String, Cid>, CommandError> {
    let listed = data.content()?.source().list(cid);
    let listed = listed.map_err(|error| unread(format!("can't list {text}"), error))?;
    let entries = listed.into_iter();
    Ok(entries.map(|entry| (entry.name, entry.cid)).collect())
}

/// Finds that a file or folder is there, and reads nothing of it.
fn look(path: &Path, is_folder: bool) -> Result<Found, CommandError> {
    let path = real(path)?;
    let cid = stand_in(&path);
    if !is_folder {
        fs::File::open(&path).map_err(|error| unreadable(&path, error))?;
        return Ok(cid.into());
    }
    let mut entries = BTreeMap::new();
    let failed = |error| unreadable(&path, error);
    for entry in fs::read_dir(&path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // As when it is put into the store.
        if !name.starts_with('.') {
            entries.insert(name, stand_in(&entry.path()));
        }
    }
    Ok(Found {
        cid,
        entries: Some(entries),
    })
}

fn stand_in(path: &Path) -> Cid {
    cid_of_raw(path.as_os_str().as_encoded_bytes())
}
