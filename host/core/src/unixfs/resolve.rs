//! Where a path leads.

use super::asked::Asked;
use super::node::{Node, Shard, Slot};
use super::shard::{Fanout, hash_of};
use super::{Fault, PathError, UnixfsError};
use crate::ipld::{Block, Cid, DAG_CBOR, Ipld};
use std::collections::VecDeque;

/// Follows a path from a block: through directories by name, through DAG-CBOR by keys of maps and places in lists.
///
/// It asks for the blocks on the way, and not for the one where the path ends.
///
/// ```
/// use homestar_core::ipld::{Block, Ipld};
/// use homestar_core::unixfs::{Found, Resolve, ResolveStep};
///
/// let photo = Block::raw(b"photo".to_vec());
/// let list = Ipld::List(vec![Ipld::Null, Ipld::Link(*photo.cid())]);
/// let album = Block::of_dag_cbor(&Ipld::Map([("photos".to_owned(), list)].into()))?;
///
/// let mut resolve = Resolve::new(*album.cid(), "photos/1")?;
/// assert_eq!(resolve.step()?, ResolveStep::Need(*album.cid()));
/// resolve.give(&album)?;
/// assert_eq!(resolve.step()?, ResolveStep::Found(Found::Block(*photo.cid())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Resolve {
    rest: VecDeque<String>,
    at: At,
    asked: Asked<Option<Within>>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum ResolveStep {
    /// Give this block.
    Need(Cid),
    /// The path ends here.
    Found(Found),
}

/// Where a path ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// At a block.
    Block(Cid),
    /// Inside a DAG-CBOR block, at a value that isn't a link.
    Value {
        /// The block.
        block: Cid,
        /// The value.
        value: Ipld,
    },
}

/// Where the path has come to.
#[derive(Clone, Debug)]
enum At {
    /// At a block that wasn't looked at, and within which directory it is a shard.
    Block(Cid, Option<Within>),
    Value(Cid, Ipld),
}

/// Shards that were passed in looking for a name.
#[derive(Clone, Copy, Debug)]
struct Within {
    /// The directory.
    root: Cid,
    fanout: Fanout,
    depth: u32,
}

impl Resolve {
    /// Follows a path. Its parts are divided by slashes, of which there may be one more at each end; none of them is
    /// empty, `.` or `..`.
    pub fn new(root: Cid, path: &str) -> Result<Self, PathError> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut rest = VecDeque::new();
        for part in path.split('/').filter(|_| !path.is_empty()) {
            match part {
                "" | "." | ".." => return Err(PathError(part.to_owned())),
                part => rest.push_back(part.to_owned()),
            }
        }
        Ok(Self {
            rest,
            at: At::Block(root, None),
            asked: Asked::default(),
        })
    }

    /// Says what to do next. It says the same again until a block that it needs is given.
    pub fn step(&mut self) -> Result<ResolveStep, UnixfsError> {
        loop {
            if let Some(cid) = self.asked.cid() {
                return Ok(ResolveStep::Need(cid));
            }
            let (cid, within) = match &self.at {
                At::Block(cid, None) if self.rest.is_empty() => {
                    return Ok(ResolveStep::Found(Found::Block(*cid)));
                }
                At::Value(block, value) => {
                    let (block, value) = (*block, value.clone());
                    return Ok(ResolveStep::Found(Found::Value { block, value }));
                }
                At::Block(cid, within) => (*cid, *within),
            };
            if let Some(block) = self.asked.ask(cid, within)? {
                self.give(&block)?;
            }
        }
    }

    /// Takes the block that was asked for.
    pub fn give(&mut self, block: &Block) -> Result<(), UnixfsError> {
        let (cid, within) = self.asked.take(block)?;
        let at = match block.cid().codec() {
            DAG_CBOR if within.is_none() => self.in_value(block, cid),
            _ => self.in_node(Node::decode(block)?, within, cid),
        };
        self.at = at.map_err(|fault| {
            // What isn't there isn't in the whole directory, and that is what people know the CID of.
            let of = match (&fault, within) {
                (Fault::NoEntry(_), Some(within)) => within.root,
                _ => cid,
            };
            fault.of(&of)
        })?;
        Ok(())
    }

    /// Goes on in a directory.
    fn in_node(&mut self, node: Node, within: Option<Within>, cid: Cid) -> Result<At, Fault> {
        let name = self.rest.front().map(String::as_str).unwrap_or_default();
        let missing = || Fault::NoEntry(name.into());
        let found = match (node, within) {
            (Node::Directory(directory), None) => {
                let entries = &directory.entries;
                let place = entries.binary_search_by(|entry| entry.name.as_str().cmp(name));
                entries[place.map_err(|_| missing())?].cid
            }
            (Node::Shard(shard), within) => {
                let within = below(&shard, within, cid)?;
                let slot = shard.fanout.slot(hash_of(name), within.depth);
                let place = shard.slots.binary_search_by_key(&slot, |held| held.0);
                match &shard.slots[place.map_err(|_| missing())?].1 {
                    Slot::Entry(entry) if entry.name == name => entry.cid,
                    Slot::Entry(_) => return Err(missing()),
                    Slot::Shard(cid) => {
                        let depth = within.depth + 1;
                        return Ok(At::Block(*cid, Some(Within { depth, ..within })));
                    }
                }
            }
            (Node::Symlink(link), None) => return Err(Fault::Symlink(link.target.into())),
            _ => return Err(Fault::NotADirectory),
        };
        self.rest.pop_front();
        Ok(At::Block(found, None))
    }

    /// Goes on in a value, until it or the path ends.
    fn in_value(&mut self, block: &Block, cid: Cid) -> Result<At, Fault> {
        let mut value = block.decode::<Ipld>().map_err(|_| Fault::DagCbor)?;
        while !matches!(value, Ipld::Link(_)) {
            let Some(part) = self.rest.pop_front() else {
                return Ok(At::Value(cid, value));
            };
            let inner = match value {
                Ipld::Map(mut fields) => fields.remove(&part),
                Ipld::List(mut items) => {
                    index(&part, items.len()).map(|place| items.swap_remove(place))
                }
                _ => None,
            };
            value = inner.ok_or(Fault::NoEntry(part.into()))?;
        }
        match value {
            Ipld::Link(next) => Ok(At::Block(next, None)),
            value => Ok(At::Value(cid, value)),
        }
    }
}

/// Where in a directory a shard is that was found there.
fn below(shard: &Shard, within: Option<Within>, cid: Cid) -> Result<Within, Fault> {
    let fanout = shard.fanout;
    let within = within.unwrap_or(Within {
        root: cid,
        fanout,
        depth: 0,
    });
    if within.fanout != fanout {
        return Err(fanout.unlike());
    }
    if within.depth == fanout.depth_max() {
        return Err(Fault::Depth(within.depth as usize));
    }
    Ok(within)
}

/// A place in a list, as its number is written.
fn index(part: &str, length: usize) -> Option<usize> {
    let place: usize = part.parse().ok()?;
    (place.to_string() == part && place < length).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Blocks, entry, name_in};
    use super::super::{DirectoryWriter, Entry, blocks_of_file, symlink};
    use super::*;
    use proptest::prelude::*;

    fn resolve(blocks: &Blocks, root: Cid, path: &str) -> Result<(Found, usize), UnixfsError> {
        let mut resolve = Resolve::new(root, path).expect("a path");
        let mut asked = 0;
        loop {
            match resolve.step()? {
                ResolveStep::Need(cid) => {
                    asked += 1;
                    resolve.give(blocks.get(&cid))?;
                }
                ResolveStep::Found(found) => return Ok((found, asked)),
            }
        }
    }

    fn directory(
        blocks: &mut Blocks,
        shard_above: u64,
        entries: impl IntoIterator<Item = (String, Entry)>,
    ) -> Entry {
        let mut directory = DirectoryWriter::new().shard_above(shard_above);
        for (name, entry) in entries {
            directory.add(&name, entry).unwrap();
        }
        let Ok(root) = directory.finish(&mut |block| blocks.try_put(block));
        root
    }

    fn fault(blocks: &Blocks, root: Cid, path: &str) -> (Cid, Fault) {
        let error = resolve(blocks, root, path).unwrap_err();
        (error.cid, error.fault)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]

        #[test]
        fn every_entry_is_found(
            names in prop::collection::btree_set(name_in(), 1..300),
            missing in name_in(),
            sharded: bool,
        ) {
            let mut blocks = Blocks::default();
            let entries = names.iter().cloned().zip((0..).map(entry));
            let shard_above = if sharded { 0 } else { 1 << 20 };
            let root = directory(&mut blocks, shard_above, entries);
            for (at, name) in (0..).zip(&names) {
                let (found, asked) = resolve(&blocks, root.cid, name).unwrap();
                prop_assert_eq!(found, Found::Block(entry(at).cid));
                prop_assert!(asked <= 8);
            }
            if !names.contains(&missing) {
                let expected = (root.cid, Fault::NoEntry(missing.as_str().into()));
                prop_assert_eq!(fault(&blocks, root.cid, &missing), expected);
            }
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), cbor: bool) {
            let codec = if cbor { DAG_CBOR } else { crate::ipld::DAG_PB };
            let block = Block::new(codec, bytes);
            let mut resolve = Resolve::new(*block.cid(), "0/a").unwrap();
            resolve.step().unwrap();
            let _ = resolve.give(&block);
            let _ = resolve.step();
        }
    }

    /// `/values/files/0/sub/hello.txt`, from the root down.
    fn nested(blocks: &mut Blocks) -> (Cid, Cid) {
        let (file, pieces) = blocks_of_file(b"hello");
        pieces.into_iter().for_each(|block| blocks.put(block));
        let (link, block) = symlink("hello.txt").unwrap();
        blocks.put(block);
        let files = [("hello.txt".to_owned(), file), ("link".to_owned(), link)];
        let sub = directory(blocks, 0, files);
        let outer = directory(blocks, 1 << 20, [("sub".to_owned(), sub)]);
        let files = Ipld::List(vec![Ipld::Link(outer.cid)]);
        let fields = [
            ("files".to_owned(), files),
            ("n".to_owned(), Ipld::Integer(7)),
        ];
        let value = Block::of_dag_cbor(&Ipld::Map(fields.into())).unwrap();
        blocks.put(value.clone());
        let entry = Entry {
            cid: *value.cid(),
            ..entry(1)
        };
        let root = directory(blocks, 1 << 20, [("values".to_owned(), entry)]);
        (root.cid, file.cid)
    }

    #[test]
    fn paths_lead_through_directories_and_values() {
        let mut blocks = Blocks::default();
        let (root, file) = nested(&mut blocks);
        let found = |path: &str| resolve(&blocks, root, path).unwrap();
        assert_eq!(found(""), (Found::Block(root), 0));
        assert_eq!(found("/"), (Found::Block(root), 0));
        let whole = (Found::Block(file), 4);
        assert_eq!(found("values/files/0/sub/hello.txt"), whole);
        assert_eq!(found("/values/files/0/sub/hello.txt/"), whole);
        let (number, _) = found("values/n");
        assert!(matches!(
            number,
            Found::Value {
                value: Ipld::Integer(7),
                ..
            }
        ));
        let (list, asked) = found("values/files");
        assert!(matches!(
            list,
            Found::Value {
                value: Ipld::List(_),
                ..
            }
        ));
        assert_eq!(asked, 2);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let mut blocks = Blocks::default();
        let (root, file) = nested(&mut blocks);
        let missing = |name: &str| Fault::NoEntry(name.into());
        assert_eq!(fault(&blocks, root, "x"), (root, missing("x")));
        for path in [
            "values/files/1",
            "values/files/00",
            "values/files/-",
            "values/x",
            "values/n/x",
        ] {
            let name = path.rsplit('/').next().unwrap();
            assert_eq!(fault(&blocks, root, path).1, missing(name), "{path}");
        }
        let sub = "values/files/0/sub";
        let through_file = fault(&blocks, root, &format!("{sub}/hello.txt/x"));
        assert_eq!(through_file, (file, Fault::NotADirectory));
        let through_link = fault(&blocks, root, &format!("{sub}/link/x")).1;
        assert_eq!(through_link, Fault::Symlink("hello.txt".into()));
    }

    #[test]
    fn parts_of_a_path_are_names() {
        let root = entry(1).cid;
        for (path, part) in [("..", ".."), ("a/../b", ".."), ("a//b", ""), ("./a", ".")] {
            let error = Resolve::new(root, path).unwrap_err();
            assert_eq!(error, PathError(part.to_owned()), "{path}");
        }
    }
}
