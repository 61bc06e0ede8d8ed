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

#[cfg(test)]
mod tests {
    use super::super::testing::{any_layout, contents, file_of};
    use super::super::{LayoutError, Leaves};
    use super::*;
    use crate::ipld::{MAX_BLOCK_BYTES, RAW, cid_of_raw};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn pieces_do_not_matter(layout in any_layout(), bytes in contents()) {
            let (file, blocks) = file_of(layout, &bytes);
            let mut others = Vec::new();
            let mut put = |block| { others.push(block); Ok::<_, Infallible>(()) };
            let mut writer = FileWriter::new(layout);
            writer.write(&bytes, &mut put).unwrap();
            prop_assert_eq!(writer.finish(&mut put).unwrap(), file);
            prop_assert_eq!(others.last().unwrap().cid(), &file.cid);
            prop_assert!(others.iter().all(|block| blocks.0.contains_key(block.cid())));
            // Leaves that are named elsewhere give the same tree.
            let mut tree = Tree::new(&layout);
            let mut ignored = |_| Ok::<_, Infallible>(());
            for chunk in bytes.chunks(layout.chunk_bytes()) {
                tree.push(layout.name_leaf(chunk), &mut ignored).unwrap();
            }
            prop_assert_eq!(tree.finish(&mut ignored).unwrap(), file);
        }
    }

    #[test]
    fn small_files_are_raw_blocks() {
        let most = vec![7; 256 << 10];
        for bytes in [&b""[..], b"hello", &most] {
            assert_eq!(cid_of_file(bytes), cid_of_raw(bytes));
            let (file, blocks) = blocks_of_file(bytes);
            assert_eq!(blocks, [Block::raw(bytes.to_vec())]);
            assert_eq!(file.cid, cid_of_raw(bytes));
        }
        let more = vec![7; (256 << 10) + 1];
        assert_ne!(cid_of_file(&more).codec(), RAW);
        assert_eq!(blocks_of_file(&more).0.cid, cid_of_file(&more));
        assert_eq!(blocks_of_file(&more).1.len(), 3);
    }

    #[test]
    fn layouts_whose_blocks_would_be_too_large_are_refused() {
        let chunk = |bytes, leaves| Layout::new(bytes, 174, leaves);
        assert_eq!(chunk(0, Leaves::Raw), Err(LayoutError::Chunk(0)));
        let more = MAX_BLOCK_BYTES + 1;
        assert_eq!(chunk(more, Leaves::Raw), Err(LayoutError::Chunk(more)));
        let most = MAX_BLOCK_BYTES;
        assert!(chunk(most, Leaves::Raw).is_ok());
        assert_eq!(chunk(most, Leaves::DagPb), Err(LayoutError::Chunk(most)));
        let layout = chunk(most - 32, Leaves::DagPb).unwrap();
        assert!(layout.leaf(vec![7; most - 32]).1.bytes().len() <= MAX_BLOCK_BYTES);
        for links in [0, 1, super::super::MAX_LINKS + 1] {
            let refused = Layout::new(1, links, Leaves::Raw);
            assert_eq!(refused, Err(LayoutError::Links { links }));
        }
        let layout = Layout::new(1, super::super::MAX_LINKS, Leaves::Raw).unwrap();
        let mut tree = Tree::new(&layout);
        let huge = Entry {
            file_bytes: u64::MAX / 8192,
            total_bytes: u64::MAX,
            cid: cid_of_raw(b""),
        };
        let mut largest = 0;
        for _ in 0..super::super::MAX_LINKS {
            let mut put = |block: Block| {
                largest = block.bytes().len();
                Ok::<_, Infallible>(())
            };
            tree.push(huge, &mut put).unwrap();
        }
        assert!((1..=MAX_BLOCK_BYTES).contains(&largest), "{largest}");
    }
}
