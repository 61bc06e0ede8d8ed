//! Files and links: content that is passed on by its name.

use std::path::Path;

use serde_json::Value as Json;

use super::arg::one;
use super::error::Error;
use super::program;

/// A file or folder, by a path, an `ipfs://` or an `https://` URL. A path is looked for where the program runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    name: String,
}

impl File {
    /// The file of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    pub(super) fn written(&self) -> Json {
        one("@", self.name.clone().into())
    }
}

/// Content, by its CID.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    cid: String,
}

impl Link {
    /// The content of this CID.
    pub fn new(cid: impl Into<String>) -> Self {
        Self { cid: cid.into() }
    }

    /// The CID.
    #[must_use]
    pub fn cid(&self) -> &str {
        &self.cid
    }

    /// All its bytes.
    pub fn read(&self) -> Result<Vec<u8>, Error> {
        program::output(&["cat", &self.cid])
    }

    /// All of it, as text.
    pub fn text(&self) -> Result<String, Error> {
        let bytes = self.read()?;
        String::from_utf8(bytes).map_err(|_| Error::input(format!("{} is no text", self.cid)))
    }

    /// Writes it to a path where nothing is yet: a file, or a folder with all that is in it.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref().to_string_lossy();
        program::output(&["get", &self.cid, "--output", &path]).map(drop)
    }

    pub(super) fn written(&self) -> Json {
        one("/", self.cid.clone().into())
    }
}

/// What a parameter takes that is content: the bytes, a file, or a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The bytes.
    Bytes(Vec<u8>),
    /// A file.
    File(File),
    /// A link.
    Link(Link),
}

/// Any data, in the form of DAG-JSON.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Data(pub Json);
