//! What is in a directory.

use super::asked::Asked;
use super::node::{DirEntry, Node, Shard, Slot};
use super::shard::{Fanout, hash_of};
use super::{Fault, UnixfsError};
use crate::ipld::{Block, Cid};
use std::vec::IntoIter;

/// Lists a directory entry by entry, asking for shards on the way.
///
/// A directory in one block is listed by name, one in shards by the names' hashes. Each entry of a shard is checked to
/// be where its name would be looked for, so no name comes twice.
#[derive(Clone, Debug)]
pub struct Listing {
    entries: IntoIter<DirEntry>,
    /// The shards between the root and what is listed next.
    path: Vec<Level>,
    asked: Asked<Place>,
    /// A root that was not asked for so far.
    root: Option<Cid>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListStep {
    /// Give this block.
    Need(Cid),
    /// The next entry.
    Entry(DirEntry),
    /// There are no more.
    Done,
}

/// Which part of all hashes belongs in a shard: those that begin with these bits.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// What the shards of the directory have in common. The root says so.
    fanout: Option<Fanout>,
    depth: u32,
    bits: u64,
}

#[derive(Clone, Debug)]
struct Level {
    cid: Cid,
    fanout: Fanout,
    place: Place,
    slots: IntoIter<(u32, Slot)>,
}

impl Listing {
    /// Lists a directory.
    pub fn new(root: Cid) -> Self {
        Self {
            entries: Vec::new().into_iter(),
            path: Vec::new(),
            asked: Asked::default(),
            root: Some(root),
        }
    }

    /// Says what to do next. It says the same again until a block that it needs is given.
    pub fn step(&mut self) -> Result<ListStep, UnixfsError> {
        loop {
            if let Some(cid) = self.asked.cid() {
                return Ok(ListStep::Need(cid));
            }
            if let Some(entry) = self.entries.next() {
                return Ok(ListStep::Entry(entry));
            }
            let (cid, place) = match self.next()? {
                Next::Shard(cid, place) => (cid, place),
                Next::Entry(entry) => return Ok(ListStep::Entry(entry)),
                Next::End => return Ok(ListStep::Done),
            };
            if let Some(block) = self.asked.ask(cid, place)? {
                self.give(&block)?;
            }
        }
    }

    /// Takes the block that was asked for.
    pub fn give(&mut self, block: &Block) -> Result<(), UnixfsError> {
        let (cid, place) = self.asked.take(block)?;
        match (Node::decode(block)?, place.fanout) {
            (Node::Directory(directory), None) => {
                self.entries = directory.entries.into_iter();
                Ok(())
            }
            (Node::Shard(shard), _) => self.enter(cid, place, shard),
            _ => Err(Fault::NotADirectory.of(&cid)),
        }
    }

    /// The blocks that will be asked for next, as far as the shards that were given say, for those who fetch ahead.
    pub fn upcoming(&self, count: usize) -> Vec<Cid> {
        let needed = self.asked.cid().or(self.root).into_iter();
        let levels = self.path.iter().rev();
        let shards = levels.flat_map(|level| level.slots.as_slice());
        let shards = shards.filter_map(|(_, slot)| match slot {
            Slot::Shard(cid) => Some(*cid),
            Slot::Entry(_) => None,
        });
        let all = needed.chain(shards);
        all.filter(|cid| Block::inline(cid).is_none())
            .take(count)
            .collect()
    }

    fn enter(&mut self, cid: Cid, place: Place, shard: Shard) -> Result<(), UnixfsError> {
        let fanout = shard.fanout;
        check(fanout, place, &shard).map_err(|fault| fault.of(&cid))?;
        self.path.push(Level {
            cid,
            fanout,
            place,
            slots: shard.slots.into_iter(),
        });
        Ok(())
    }

    fn next(&mut self) -> Result<Next, UnixfsError> {
        if let Some(root) = self.root.take() {
            let place = Place {
                fanout: None,
                depth: 0,
                bits: 0,
            };
            return Ok(Next::Shard(root, place));
        }
        while let Some(level) = self.path.last_mut() {
            match level.slots.next() {
                Some((slot, held)) => return level.next(slot, held),
                None => self.path.pop(),
            };
        }
        Ok(Next::End)
    }
}

enum Next {
    Shard(Cid, Place),
    Entry(DirEntry),
    End,
}

impl Level {
    fn next(&self, slot: u32, held: Slot) -> Result<Next, UnixfsError> {
        let depth = self.place.depth + 1;
        let bits = self.fanout.append(self.place.bits, slot);
        match held {
            Slot::Shard(cid) => {
                let fanout = Some(self.fanout);
                Ok(Next::Shard(
                    cid,
                    Place {
                        fanout,
                        depth,
                        bits,
                    },
                ))
            }
            Slot::Entry(entry) if self.fanout.first(hash_of(&entry.name), depth) != bits => {
                Err(Fault::Slot(entry.name.into()).of(&self.cid))
            }
            Slot::Entry(entry) => Ok(Next::Entry(entry)),
        }
    }
}

/// Checks that a shard fits the place where it was found. Without the bounds, few blocks could make a listing without
/// end.
fn check(fanout: Fanout, place: Place, shard: &Shard) -> Result<(), Fault> {
    if place.fanout.is_some_and(|others| others != fanout) {
        return Err(fanout.unlike());
    }
    if place.depth == fanout.depth_max() {
        return Err(Fault::Depth(place.depth as usize));
    }
    if place.depth > 0 && shard.slots.is_empty() {
        return Err(Fault::EmptyShard);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Blocks, entry, name_in};
    use super::super::{DirectoryError, DirectoryWriter, dag_pb, data};
    use super::*;
    use crate::ipld::{DAG_PB, MAX_BLOCK_BYTES};
    use proptest::prelude::*;

    fn list(blocks: &Blocks, root: Cid) -> Result<(Vec<DirEntry>, usize), UnixfsError> {
        let mut listing = Listing::new(root);
        let (mut entries, mut asked) = (Vec::new(), 0);
        loop {
            let ahead = listing.upcoming(1);
            match listing.step()? {
                ListStep::Need(cid) => {
                    assert_eq!(ahead, [cid]);
                    asked += 1;
                    listing.give(blocks.get(&cid))?;
                }
                ListStep::Entry(entry) => entries.push(entry),
                ListStep::Done => return Ok((entries, asked)),
            }
        }
    }

    fn write(names: impl IntoIterator<Item = String>, shard_above: u64) -> (Cid, Blocks) {
        let mut directory = DirectoryWriter::new().shard_above(shard_above);
        for (at, name) in names.into_iter().enumerate() {
            directory.add(&name, entry(at as u64)).unwrap();
        }
        let mut blocks = Blocks::default();
        let root = directory.finish(&mut |block| blocks.try_put(block));
        (root.unwrap().cid, blocks)
    }

    /// A shard with these links, and bits for these slots.
    fn shard(slots: &[u8], links: &[(&str, Cid)]) -> Block {
        let mut bits = [0u8; 32];
        for slot in slots {
            bits[31 - *slot as usize / 8] |= 1 << (slot % 8);
        }
        let mut writer = dag_pb::Writer::default();
        for (name, cid) in links {
            writer.link(cid, name, 1);
        }
        Block::new(DAG_PB, writer.finish(&data::shard(&bits, 0x22, 256)).0)
    }

    fn fault(blocks: &[&Block]) -> Fault {
        let mut all = Blocks::default();
        blocks.iter().for_each(|block| all.put((*block).clone()));
        list(&all, *blocks[0].cid()).unwrap_err().fault
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]

        #[test]
        fn what_is_put_in_is_listed(
            names in prop::collection::btree_set(name_in(), 0..400),
            sharded: bool,
        ) {
            let (root, blocks) = write(names.clone(), if sharded { 0 } else { 1 << 20 });
            let (mut entries, asked) = list(&blocks, root).unwrap();
            prop_assert_eq!(asked, blocks.0.len());
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            let listed = entries.iter().map(|entry| &entry.name);
            prop_assert!(listed.eq(names.iter()));
            for (at, found) in entries.iter().enumerate() {
                let put = entry(at as u64);
                prop_assert_eq!(found.cid, put.cid);
                prop_assert_eq!(found.total_bytes, Some(put.total_bytes));
            }
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let block = Block::new(DAG_PB, bytes);
            let mut listing = Listing::new(*block.cid());
            listing.step().unwrap();
            let _ = listing.give(&block);
            let _ = listing.step();
        }
    }

    #[test]
    fn many_entries_are_spread() {
        let names = (0..8000).map(|at| format!("file-{at}"));
        let (root, blocks) = write(names, 1 << 20);
        assert!(blocks.0.len() > 100, "{}", blocks.0.len());
        assert!(
            blocks
                .0
                .values()
                .all(|block| block.bytes().len() <= MAX_BLOCK_BYTES)
        );
        assert_eq!(list(&blocks, root).unwrap().0.len(), 8000);
    }

    #[test]
    fn the_longest_names_fit_their_shards() {
        let names = (0..600).map(|at| format!("{at:0>2048}"));
        let (root, blocks) = write(names, 0);
        assert!(
            blocks
                .0
                .values()
                .all(|block| block.bytes().len() <= MAX_BLOCK_BYTES)
        );
        assert_eq!(list(&blocks, root).unwrap().0.len(), 600);
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["", ".", "..", "a/b", "/", "a\0"] {
            let mut directory = DirectoryWriter::new();
            let refused = Err(DirectoryError::Name(name.to_owned()));
            assert_eq!(directory.add(name, entry(1)), refused);
            let mut writer = dag_pb::Writer::default();
            writer.link(&entry(1).cid, name, 1);
            let block = Block::new(DAG_PB, writer.finish(&data::directory()).0);
            assert_eq!(fault(&[&block]), Fault::Name(name.into()));
            if !name.is_empty() {
                let slot = (hash_of(name) >> 56) as u8;
                let name_there = format!("{slot:02X}{name}");
                let block = shard(&[slot], &[(&name_there, entry(1).cid)]);
                assert_eq!(fault(&[&block]), Fault::Name(name.into()));
            }
        }
    }

    #[test]
    fn a_name_is_put_in_once() {
        let mut directory = DirectoryWriter::new();
        directory.add("a", entry(1)).unwrap();
        let twice = DirectoryError::Twice("a".to_owned());
        assert_eq!(directory.add("a", entry(2)), Err(twice));
        let long = "x".repeat(super::super::MAX_NAME_BYTES + 1);
        let bytes = long.len();
        let refused = Err(DirectoryError::NameLength { bytes });
        assert_eq!(directory.add(&long, entry(2)), refused);
    }

    #[test]
    fn names_have_one_order() {
        let plain = |names: [&str; 2]| {
            let mut writer = dag_pb::Writer::default();
            for name in names {
                writer.link(&entry(1).cid, name, 1);
            }
            Block::new(DAG_PB, writer.finish(&data::directory()).0)
        };
        assert_eq!(fault(&[&plain(["b", "a"])]), Fault::NotSorted("a".into()));
        assert_eq!(fault(&[&plain(["a", "a"])]), Fault::Twice("a".into()));
    }

    #[test]
    fn bits_that_do_not_fit_are_refused() {
        let cid = entry(1).cid;
        // "hello" has a hash that begins with CB.
        let good = shard(&[0xcb], &[("CBhello", cid)]);
        let mut blocks = Blocks::default();
        blocks.put(good.clone());
        assert_eq!(list(&blocks, *good.cid()).unwrap().0.len(), 1);
        for bad in [
            shard(&[], &[("CBhello", cid)]),
            shard(&[0xcb, 0xcc], &[("CBhello", cid)]),
            shard(&[0xcc], &[("CBhello", cid)]),
            shard(&[0xcb], &[("cbhello", cid)]),
            shard(&[0xcb], &[("C", cid)]),
            shard(&[0xcb], &[("CBhello", cid), ("CBhello", cid)]),
        ] {
            assert_eq!(fault(&[&bad]), Fault::BitField);
        }
        let wrong = shard(&[0xca], &[("CAhello", cid)]);
        assert_eq!(fault(&[&wrong]), Fault::Slot("hello".into()));
    }

    #[test]
    fn shards_lie_where_they_belong() {
        let cid = entry(1).cid;
        let empty = shard(&[], &[]);
        let above = shard(&[1], &[("01", *empty.cid())]);
        assert_eq!(fault(&[&above, &empty]), Fault::EmptyShard);
        let inner = shard(&[0xd8], &[("D8hello", cid)]);
        let good = shard(&[0xcb], &[("CB", *inner.cid())]);
        let mut blocks = Blocks::default();
        blocks.put(good.clone());
        blocks.put(inner.clone());
        assert_eq!(list(&blocks, *good.cid()).unwrap().0.len(), 1);
        let bad = shard(&[0xcc], &[("CC", *inner.cid())]);
        assert_eq!(fault(&[&bad, &inner]), Fault::Slot("hello".into()));
        let plain = Block::new(
            DAG_PB,
            dag_pb::Writer::default().finish(&data::directory()).0,
        );
        let bad = shard(&[0xcb], &[("CB", *plain.cid())]);
        assert_eq!(fault(&[&bad, &plain]), Fault::NotADirectory);
    }

    #[test]
    fn shards_of_shards_end() {
        // Each shard has all slots filled with the one below: few blocks, and names without end.
        let mut blocks = vec![shard(&[0xcb], &[("CBhello", entry(1).cid)])];
        for _ in 0..9 {
            let below = *blocks.last().unwrap().cid();
            let slots: Vec<u8> = (0..=255).collect();
            let names: Vec<_> = slots.iter().map(|slot| format!("{slot:02X}")).collect();
            let links: Vec<_> = names.iter().map(|name| (name.as_str(), below)).collect();
            blocks.push(shard(&slots, &links));
        }
        let nine: Vec<_> = blocks.iter().rev().collect();
        assert_eq!(fault(&nine), Fault::Depth(8));
        assert_eq!(fault(&nine[3..]), Fault::Slot("hello".into()));
    }

    #[test]
    fn other_hashes_and_sizes_of_shards_are_refused() {
        for (hash, fanout) in [(0x12, 256), (0x22, 0), (0x22, 7), (0x22, 4), (0x22, 2048)] {
            let data = data::shard(&[], hash, fanout);
            let block = Block::new(DAG_PB, dag_pb::Writer::default().finish(&data).0);
            assert_eq!(fault(&[&block]), Fault::Fanout { hash, fanout });
        }
    }
}
