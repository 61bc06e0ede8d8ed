//! What is needed: everything that can be reached from some roots.

use std::collections::HashSet;

use homestar_core::ipld::{Block, Cid, RAW};

use crate::StoreError;
use crate::key::Key;

/// Gives the links of a block. One that can't be read has none.
pub type Links<'a> = dyn Fn(&Block) -> Vec<Cid> + 'a;

/// Marks what is needed.
#[derive(Debug, Default)]
pub(crate) struct Marker {
    needed: HashSet<Key>,
    /// Those whose links were followed, with the codec under which they were read: bytes may have links under one codec
    /// and none under another.
    followed: HashSet<(u64, Key)>,
}

impl Marker {
    /// Marks one block.
    pub(crate) fn block(&mut self, cid: &Cid) {
        self.needed.extend(Key::of(cid));
    }

    /// Marks a block and all that it links to, as far as `get` has it.
    pub(crate) fn dag(
        &mut self,
        root: &Cid,
        get: &mut dyn FnMut(&Cid) -> Result<Option<Block>, StoreError>,
        links: &Links<'_>,
    ) -> Result<(), StoreError> {
        let mut todo = vec![*root];
        while let Some(cid) = todo.pop() {
            let Some(key) = Key::of(&cid) else {
                // A CID may hold its block, and that may have links.
                todo.extend(Block::inline(&cid).iter().flat_map(links));
                continue;
            };
            self.needed.insert(key);
            // Raw blocks have no links, and most blocks are raw.
            if cid.codec() == RAW || !self.followed.insert((cid.codec(), key)) {
                continue;
            }
            if let Some(block) = get(&cid)? {
                todo.extend(links(&block));
            }
        }
        Ok(())
    }

    /// True if a block is needed.
    pub(crate) fn needs(&self, key: &Key) -> bool {
        self.needed.contains(key)
    }
}
