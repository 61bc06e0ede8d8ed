//! The nodes above the leaves of a file.

use super::dag_pb::Writer;
use super::{Entry, Layout, data};
use crate::ipld::{Block, DAG_PB};

/// Builds the nodes above leaves, of which it is told in their order.
///
/// Leaves can be hashed anywhere, on several threads, as long as they are told of in order:
///
/// ```
/// use homestar_core::unixfs::{Layout, Tree, cid_of_file};
///
/// let layout = Layout::default();
/// let file = vec![7; 1_000_000];
/// let leaves = file.chunks(layout.chunk_bytes()).map(|chunk| layout.name_leaf(chunk));
///
/// let mut nodes = Vec::new();
/// let mut put = |block| { nodes.push(block); Ok::<_, std::convert::Infallible>(()) };
/// let mut tree = Tree::new(&layout);
/// for leaf in leaves {
///     tree.push(leaf, &mut put)?;
/// }
/// let root = tree.finish(&mut put)?;
/// assert_eq!(root.cid, cid_of_file(&file));
/// assert_eq!((root.file_bytes, nodes.len()), (1_000_000, 1));
/// # Ok::<(), std::convert::Infallible>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tree {
    layout: Layout,
    /// What waits for a node above it, leaves first. No level is full.
    levels: Vec<Vec<Entry>>,
}

impl Tree {
    /// A tree without leaves.
    pub fn new(layout: &Layout) -> Self {
        Self {
            layout: *layout,
            levels: vec![Vec::new()],
        }
    }

    /// Takes the next leaf. `put` gets nodes that this completes.
    pub fn push<E>(
        &mut self,
        leaf: Entry,
        put: &mut impl FnMut(Block) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut entry = leaf;
        for level in &mut self.levels {
            level.push(entry);
            if level.len() < self.layout.links() {
                return Ok(());
            }
            entry = node(level, put)?;
            level.clear();
        }
        self.levels.push(vec![entry]);
        Ok(())
    }

    /// Completes the tree and returns its root: the only leaf, or the node above all. `put` gets the nodes that are
    /// still missing, and the leaf of an empty file if there was none.
    pub fn finish<E>(mut self, put: &mut impl FnMut(Block) -> Result<(), E>) -> Result<Entry, E> {
        let top = self.levels.pop().unwrap_or_default();
        let mut carried = None;
        for mut level in self.levels {
            level.extend(carried.take());
            if !level.is_empty() {
                carried = Some(node(&level, put)?);
            }
        }
        let mut top = top;
        top.extend(carried);
        match top[..] {
            [] => {
                let (entry, block) = self.layout.leaf(Vec::new());
                put(block)?;
                Ok(entry)
            }
            [root] => Ok(root),
            _ => node(&top, put),
        }
    }
}

/// Makes the node above these.
fn node<E>(below: &[Entry], put: &mut impl FnMut(Block) -> Result<(), E>) -> Result<Entry, E> {
    let mut writer = Writer::default();
    let mut file_bytes = 0u64;
    for entry in below {
        writer.link(&entry.cid, "", entry.total_bytes);
        file_bytes = file_bytes.saturating_add(entry.file_bytes);
    }
    let sizes = below.iter().map(|entry| entry.file_bytes);
    let (bytes, total_bytes) = writer.finish(&data::file(file_bytes, sizes));
    let block = Block::new(DAG_PB, bytes);
    let cid = *block.cid();
    put(block)?;
    Ok(Entry {
        cid,
        file_bytes,
        total_bytes,
    })
}
