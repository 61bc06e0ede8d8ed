//! Directories, paths and files, read through a [`Source`].

use std::collections::HashSet;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use homestar_core::ipld::{Block, Cid, DAG_CBOR, DAG_PB, RAW};
use homestar_core::unixfs::{
    self, DirEntry, FileReader, Found, Node, PathError, Resolve, ResolveStep, Step, UnixfsError,
};
use homestar_net::{EntityBytes, Scope, WalkError};
use homestar_store::StoreError;
use thiserror::Error;

use crate::follow::Follow;
use crate::{ContentPath, Source, SourceError};

impl Source {
    /// Finds the block where a path leads, through folders and DAG-CBOR.
    pub fn resolve(&self, content: &ContentPath) -> Result<Cid, ReadError> {
        let mut resolve = Resolve::new(content.root, &content.path.join("/"))?;
        loop {
            match resolve.step()? {
                ResolveStep::Need(cid) => resolve.give(&self.get(&cid)?)?,
                ResolveStep::Found(Found::Block(cid)) => return Ok(cid),
                ResolveStep::Found(Found::Value { block, .. }) => {
                    let content = content.clone();
                    return Err(ReadError::Value { content, block });
                }
            }
        }
    }

    /// Lists a directory: sorted by name if it lies in one block, in the order of the names' hashes otherwise.
    pub fn list(&self, cid: &Cid) -> Result<Vec<DirEntry>, ReadError> {
        self.follow(vec![*cid], Scope::Entity).list(cid)
    }

    /// Says what a block is, without reading what it leads to.
    pub fn look(&self, cid: &Cid) -> Result<Look, ReadError> {
        Ok(Look::of(&self.get(cid)?)?)
    }

    /// Says how much of a block and of all that it leads to is here. Nobody else is asked.
    pub fn held(&self, cid: &Cid) -> Result<Held, ReadError> {
        let mut held = Held::default();
        let mut seen = HashSet::from([*cid]);
        let mut todo = vec![*cid];
        while let Some(cid) = todo.pop() {
            if let Some(block) = Block::inline(&cid) {
                let links = links_of(&block).into_iter();
                todo.extend(links.filter(|link| seen.insert(*link)));
                continue;
            }
            if cid.codec() == RAW {
                held.count(self.store().size(&cid)?);
                continue;
            }
            let block = self.store().get(&cid)?;
            held.count(block.as_ref().map(|block| block.bytes().len() as u64));
            let links = block.as_ref().map(links_of).unwrap_or_default();
            todo.extend(links.into_iter().filter(|link| seen.insert(*link)));
        }
        Ok(held)
    }

    /// Reads a range of a file, or of what there is of it.
    pub fn open(&self, cid: &Cid, range: Range<u64>) -> FileStream {
        let scope = match range.start == 0 && range.end == u64::MAX {
            true => Scope::Entity,
            false => {
                let end = range.end.min(i64::MAX.cast_unsigned());
                let bytes = EntityBytes::try_from(range.start..end);
                bytes.map_or(Scope::Block, Scope::Bytes)
            }
        };
        FileStream::new(Arc::new(self.follow(vec![*cid], scope)), cid, range)
    }
}

/// The links of a block; one that can't be read has none. For [`Store::gc`](homestar_store::Store::gc).
pub fn links_of(block: &Block) -> Vec<Cid> {
    unixfs::links(block).unwrap_or_default()
}

/// What a block is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// What kind of thing.
    pub kind: Kind,
    /// How many bytes the block itself has.
    pub block_bytes: u64,
    /// How many bytes a file has, or the target of a symbolic link.
    pub content_bytes: Option<u64>,
    /// How many links the block has.
    pub links: usize,
    /// Where a symbolic link leads.
    pub target: Option<String>,
}

impl Look {
    pub(crate) fn of(block: &Block) -> Result<Self, UnixfsError> {
        let block_bytes = block.bytes().len() as u64;
        let links = links_of(block).len();
        let (kind, content_bytes, target) = match block.cid().codec() {
            RAW | DAG_PB => match Node::decode(block)? {
                Node::Raw(bytes) => (Kind::File, Some(bytes as u64), None),
                Node::File(file) => (Kind::File, Some(file.file_bytes), None),
                Node::Directory(_) => (Kind::Directory, None, None),
                Node::Shard(_) => (Kind::Shards, None, None),
                Node::Symlink(link) => {
                    let bytes = link.target.len() as u64;
                    (Kind::Symlink, Some(bytes), Some(link.target))
                }
            },
            DAG_CBOR => (Kind::DagCbor, None, None),
            _ => (Kind::Other, None, None),
        };
        Ok(Self {
            kind,
            block_bytes,
            content_bytes,
            links,
            target,
        })
    }
}

/// Kinds of things that blocks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A file.
    File,
    /// A directory in one block.
    Directory,
    /// A directory that is spread over many blocks.
    Shards,
    /// A symbolic link.
    Symlink,
    /// A value in DAG-CBOR.
    DagCbor,
    /// Bytes of a codec that isn't read here.
    Other,
}

impl Kind {
    /// True for directories.
    pub fn is_directory(self) -> bool {
        matches!(self, Self::Directory | Self::Shards)
    }

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory | Self::Shards => "directory",
            Self::Symlink => "symlink",
            Self::DagCbor => "dag-cbor",
            Self::Other => "other",
        }
    }
}

/// How much of something is here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Blocks that are here, each counted once.
    pub blocks: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Blocks that aren't here, as far as those that are say so.
    pub missing: u64,
}

impl Held {
    fn count(&mut self, bytes: Option<u64>) {
        match bytes {
            Some(bytes) => {
                self.blocks += 1;
                self.bytes += bytes;
            }
            None => self.missing += 1,
        }
    }
}

/// A file that is read from its beginning to its end. What of it isn't here is fetched a little ahead.
#[derive(Debug)]
pub struct FileStream {
    follow: Arc<Follow>,
    reader: FileReader,
    /// What was given last.
    block: Option<Block>,
    /// Bytes that came with a link.
    inline: Vec<u8>,
}

impl FileStream {
    /// A file that is read by itself, or that belongs to what is read.
    pub(crate) fn new(follow: Arc<Follow>, cid: &Cid, range: Range<u64>) -> Self {
        Self {
            follow,
            reader: FileReader::range(*cid, range),
            block: None,
            inline: Vec::new(),
        }
    }

    /// Returns the next bytes, some of them; none at the end.
    pub fn chunk(&mut self) -> Result<&[u8], ReadError> {
        loop {
            match self.reader.step()? {
                Step::Need(cid) => {
                    let block = self.follow.get(&cid)?;
                    self.reader.give(&block)?;
                    self.block = Some(block);
                }
                Step::Bytes { range, .. } => {
                    let bytes = self.block.as_ref().map(Block::bytes).unwrap_or_default();
                    return Ok(&bytes[range]);
                }
                Step::Inline(bytes) => {
                    self.inline = bytes;
                    return Ok(&self.inline);
                }
                Step::Done => return Ok(&[]),
            }
        }
    }

    /// Writes everything that is left, and returns how many bytes that was.
    pub fn copy_to(&mut self, output: &mut dyn Write) -> Result<u64, CopyError> {
        let mut copied = 0;
        loop {
            let bytes = self.chunk()?;
            if bytes.is_empty() {
                return Ok(copied);
            }
            output.write_all(bytes).map_err(CopyError::Write)?;
            copied += bytes.len() as u64;
        }
    }
}

/// Why something can't be read by content.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A block isn't to be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A block isn't what is needed.
    #[error(transparent)]
    Unixfs(#[from] UnixfsError),
    /// There is more of it than can be followed.
    #[error(transparent)]
    Walk(WalkError),
    /// The path is none.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The path ends inside a block.
    #[error("{content} is a value inside block {block}, and no block of its own")]
    Value {
        /// What was asked for.
        content: ContentPath,
        /// Where it ends.
        block: Cid,
    },
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::Source(error.into())
    }
}

/// Why something wasn't copied.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CopyError {
    /// It can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It can't be written.
    #[error("can't write")]
    Write(#[source] io::Error),
}
