//! Bytes to blocks.

use super::{Layout, Tree};
use crate::ipld::{Block, Cid};
use std::convert::Infallible;

/// What something is named, and how large it is: a part of a file, a file, a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub cid: Cid,
    /// How many bytes of a file it has. Of a directory: all of its files.
    pub file_bytes: u64,
    /// How many bytes its blocks have, each counted as often as it is linked.
    pub total_bytes: u64,
}

/// Cuts a file into blocks while its bytes come.
///
/// It holds less than one chunk, and of the nodes above as much as one path. `put` gets every block once it is
/// complete, parts before what links them, the root last; an error of it ends the writing, and the writer must then be
/// dropped. The blocks of equal chunks are equal, and given each time.
///
/// ```
/// use homestar_core::unixfs::{FileWriter, Layout};
///
/// let mut blocks = Vec::new();
/// let mut put = |block| { blocks.push(block); Ok::<_, std::convert::Infallible>(()) };
/// let mut writer = FileWriter::new(Layout::default());
/// writer.write(b"hello, ", &mut put)?;
/// writer.write(b"world", &mut put)?;
/// let file = writer.finish(&mut put)?;
/// assert_eq!((file.file_bytes, blocks[0].cid()), (12, &file.cid));
/// # Ok::<(), std::convert::Infallible>(())
/// ```
#[derive(Clone, Debug)]
pub struct FileWriter {
    layout: Layout,
    /// The beginning of the next chunk.
    begun: Vec<u8>,
    tree: Tree,
}

impl FileWriter {
    /// A file without bytes so far.
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            begun: Vec::new(),
            tree: Tree::new(&layout),
        }
    }

    /// Takes the next bytes.
    pub fn write<E>(
        &mut self,
        mut bytes: &[u8],
        put: &mut impl FnMut(Block) -> Result<(), E>,
    ) -> Result<(), E> {
        while !bytes.is_empty() {
            let missing = self.layout.chunk_bytes() - self.begun.len();
            let (now, later) = bytes.split_at(missing.min(bytes.len()));
            if self.begun.is_empty() && now.len() < missing {
                self.begun.reserve_exact(missing);
            }
            self.begun.extend_from_slice(now);
            bytes = later;
            if now.len() == missing {
                self.leaf(put)?;
            }
        }
        Ok(())
    }

    /// Takes what is left as the last chunk, and returns the file.
    pub fn finish<E>(mut self, put: &mut impl FnMut(Block) -> Result<(), E>) -> Result<Entry, E> {
        if !self.begun.is_empty() {
            self.leaf(put)?;
        }
        self.tree.finish(put)
    }

    fn leaf<E>(&mut self, put: &mut impl FnMut(Block) -> Result<(), E>) -> Result<(), E> {
        let (entry, block) = self.layout.leaf(std::mem::take(&mut self.begun));
        put(block)?;
        self.tree.push(entry, put)
    }
}

/// The name of a file with these bytes: what `ipfs add --cid-version 1` says.
///
/// A file of at most 256 KiB is one raw block, and this is its CID.
pub fn cid_of_file(bytes: &[u8]) -> Cid {
    let layout = Layout::default();
    let mut tree = Tree::new(&layout);
    let mut ignored = |_| Ok::<_, Infallible>(());
    for chunk in bytes.chunks(layout.chunk_bytes()) {
        let Ok(()) = tree.push(layout.name_leaf(chunk), &mut ignored);
    }
    let Ok(root) = tree.finish(&mut ignored);
    root.cid
}

/// The blocks of a file with these bytes, parts before what links them, and the file.
pub fn blocks_of_file(bytes: &[u8]) -> (Entry, Vec<Block>) {
    let mut blocks = Vec::new();
    let mut put = |block| {
        blocks.push(block);
        Ok::<_, Infallible>(())
    };
    let mut writer = FileWriter::new(Layout::default());
    let Ok(()) = writer.write(bytes, &mut put);
    let Ok(file) = writer.finish(&mut put);
    (file, blocks)
}
