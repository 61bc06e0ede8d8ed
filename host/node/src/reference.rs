//! How people name components and data: by a path, by content, by a URL, or as what comes on standard input.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;
use std::str::FromStr;

use homestar_core::ipld::{Cid, CidError, parse_cid};
use homestar_net::{DownloadUrl, DownloadUrlError};
use thiserror::Error;

/// What names a component or data.
///
/// | written | is |
/// |---|---|
/// | `-` | standard input |
/// | `bafy…`, `bafy…/cat.png`, `Qm…` | content |
/// | `ipfs://bafy…/cat.png`, `/ipfs/bafy…/cat.png` | content |
/// | `https://example.com/cat.png` | whatever is there when it is asked for |
/// | anything else, `./bafy…` included | a path |
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// Standard input.
    Stdin,
    /// A file or a folder.
    Path(PathBuf),
    /// Content, or something in it.
    Content(ContentPath),
    /// The place of a file, which has a name by content once somebody has read it.
    Url(DownloadUrl),
}

/// Content, or something in it: a CID and a path from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentPath {
    /// Where the path begins.
    pub root: Cid,
    /// Names to follow from there, through folders, maps and lists. None of them is empty.
    pub path: Vec<String>,
}

impl From<Cid> for ContentPath {
    fn from(root: Cid) -> Self {
        Self {
            root,
            path: Vec::new(),
        }
    }
}

impl Display for ContentPath {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.root)?;
        self.path.iter().try_for_each(|name| write!(f, "/{name}"))
    }
}

impl FromStr for ContentPath {
    type Err = ReferenceError;

    /// Reads `CID[/path]`, with `ipfs://` or `/ipfs/` before it or without.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = scheme(text).unwrap_or(text);
        let (root, path) = rest.split_once('/').unwrap_or((rest, ""));
        let root = parse_cid(root).map_err(|source| ReferenceError::Cid {
            text: root.to_owned(),
            source,
        })?;
        let path = path.split('/').filter(|name| !name.is_empty());
        Ok(Self {
            root,
            path: path.map(str::to_owned).collect(),
        })
    }
}

/// Returns what follows the start of a text that can only be about content.
fn scheme(text: &str) -> Option<&str> {
    text.strip_prefix("ipfs://")
        .or_else(|| text.strip_prefix("/ipfs/"))
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "-" {
            return Ok(Self::Stdin);
        }
        if scheme(text).is_some() {
            return text.parse().map(Self::Content);
        }
        if DownloadUrl::is_meant(text) {
            return Ok(Self::Url(text.parse()?));
        }
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(ReferenceError::Scheme(scheme.to_owned()));
        }
        let first = text.split('/').next().unwrap_or_default();
        match parse_cid(first) {
            Ok(_) => text.parse().map(Self::Content),
            Err(_) => Ok(Self::Path(PathBuf::from(text))),
        }
    }
}

impl Display for Reference {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("-"),
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Content(content) => write!(f, "{content}"),
            Self::Url(url) => write!(f, "{url}"),
        }
    }
}

/// A text names nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// What should be a CID is none.
    #[error("`{text}` is no CID")]
    Cid {
        /// The text.
        text: String,
        /// Why not.
        source: CidError,
    },
    /// A URL of a kind that is not read.
    #[error(
        "`{0}://` is not read here, only ipfs:// and https://; what other programs fetch comes through standard input, `-`"
    )]
    Scheme(String),
    /// A URL that names no file.
    #[error(transparent)]
    Url(#[from] DownloadUrlError),
}

#[cfg(test)]
mod tests {
    use super::*;

    const CID: &str = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

    fn content(text: &str) -> (String, Vec<String>) {
        match text.parse() {
            Ok(Reference::Content(ContentPath { root, path })) => (root.to_string(), path),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn content_is_named_in_four_ways() {
        for start in ["", "/ipfs/", "ipfs://"] {
            assert_eq!(content(&format!("{start}{CID}")), (CID.to_owned(), vec![]));
            let path = vec!["a".to_owned(), "b.png".to_owned()];
            for text in ["/a/b.png", "/a//b.png/"] {
                let text = format!("{start}{CID}{text}");
                assert_eq!(content(&text), (CID.to_owned(), path.clone()));
            }
        }
        let old = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn";
        assert_eq!(content(old).0, old);
    }

    #[test]
    fn anything_else_is_a_path() {
        for text in ["cat.png", "./-", &format!("./{CID}"), "bafy", "a:b", "ipfs"] {
            assert_eq!(text.parse(), Ok(Reference::Path(text.into())), "{text}");
        }
        assert_eq!("-".parse(), Ok(Reference::Stdin));
    }

    #[test]
    fn a_place_is_named_by_its_url() {
        for text in ["https://example.com/a.wasm", "HTTPS://example.com/a.wasm"] {
            let Ok(Reference::Url(url)) = text.parse() else {
                panic!("{text}");
            };
            assert_eq!(url.to_string(), "https://example.com/a.wasm");
        }
    }

    #[test]
    fn what_can_be_nothing_else_is_refused() {
        let words = |text: &str| text.parse::<Reference>().unwrap_err().to_string();
        assert_eq!(words("ipfs://bafy/x"), "`bafy` is no CID");
        assert_eq!(words("/ipfs/"), "`` is no CID");
        assert!(words("ftp://example.com/x").starts_with("`ftp://` is not read here"));
        assert!(words("http://example.com/x").contains("is not encrypted"));
        assert!(words("https://").contains("names no file"));
    }

    #[test]
    fn it_is_printed_as_it_is_read() {
        for text in [&format!("{CID}/a/b"), "x/y", "-", "https://example.com/x"] as [&str; 4] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
        }
    }
}
