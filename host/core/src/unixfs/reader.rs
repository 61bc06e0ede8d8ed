//! Blocks to bytes.

use super::asked::Asked;
use super::node::{File, Node};
use super::{Fault, UnixfsError};
use crate::ipld::{Block, Cid};
use std::ops::Range;

/// How deep the nodes of a file may lie. Writers that put two links in a node come to 64 with the longest file there
/// can be.
pub const MAX_FILE_DEPTH: usize = 64;

/// How many links the nodes above one part of a file may have together. A block has room for some 20,000, and nodes as
/// wide as that are three deep in the longest file. It bounds what a reader holds.
const MAX_PATH_LINKS: usize = 1 << 17;

/// Reads a range of a file, asking for the blocks that it takes and for no others.
///
/// It does no input and output: [`step`](Self::step) says what it needs, [`give`](Self::give) takes it. It holds links
/// of the nodes between the root and where it is, and no bytes. Every node is checked against what the one above it
/// says, so what is read has the size that the root says, or ends in an error.
///
/// ```
/// use homestar_core::unixfs::{FileReader, Step, blocks_of_file};
///
/// let bytes: Vec<u8> = (0..1_000_000u32).map(|at| (at / 1000) as u8).collect();
/// let (file, blocks) = blocks_of_file(&bytes);
///
/// let mut read = Vec::new();
/// let mut reader = FileReader::range(file.cid, 300_000..300_500);
/// let mut given = None;
/// loop {
///     match reader.step()? {
///         Step::Need(cid) => {
///             let block = blocks.iter().find(|block| *block.cid() == cid).expect("stored");
///             reader.give(block)?;
///             given = Some(block);
///         }
///         Step::Bytes { range, .. } => read.extend(&given.expect("given").bytes()[range]),
///         Step::Inline(bytes) => read.extend(bytes),
///         Step::Done => break,
///     }
/// }
/// assert_eq!(read, bytes[300_000..300_500]);
/// # Ok::<(), homestar_core::unixfs::UnixfsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FileReader {
    root: Cid,
    /// What of the file is still to be read. The end lies within the file once that is known.
    range: Range<u64>,
    /// The nodes between the root and what is read next.
    path: Vec<Level>,
    file_bytes: Option<u64>,
    asked: Asked<Range<u64>>,
    /// Bytes that were given and not yet handed out.
    ready: Option<Step>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Give this block.
    Need(Cid),
    /// The next bytes of the file stand here, in the block that was given last.
    Bytes {
        /// That block.
        cid: Cid,
        /// Where in it. Never empty.
        range: Range<usize>,
    },
    /// These are the next bytes of the file. They came with a link, so there is no block to find them in.
    Inline(Vec<u8>),
    /// All of the range has been read.
    Done,
}

/// A node of the path, with where its parts are in the file.
#[derive(Clone, Debug)]
struct Level {
    /// Where the bytes of its parts begin. Its own are before them, and can't be had without asking for it again.
    start: u64,
    /// Each part, and where it ends.
    parts: Vec<(Cid, u64)>,
}

impl Level {
    fn end(&self) -> u64 {
        self.parts.last().map_or(self.start, |part| part.1)
    }

    /// The parts that have anything of a range.
    fn within(&self, range: Range<u64>) -> impl Iterator<Item = (Cid, Range<u64>)> {
        let first = self.parts.partition_point(|part| part.1 <= range.start);
        let mut start = match first {
            0 => self.start,
            after => self.parts[after - 1].1,
        };
        let end = range.end;
        let parts = self.parts[first..].iter().map(move |part| {
            let from = std::mem::replace(&mut start, part.1);
            (part.0, from..part.1)
        });
        parts
            .take_while(move |(_, span)| span.start < end)
            .filter(|(_, span)| !span.is_empty())
    }
}

impl FileReader {
    /// Reads a whole file.
    pub fn new(root: Cid) -> Self {
        Self::range(root, 0..u64::MAX)
    }

    /// Reads a range of a file. What lies behind the end of the file is left out. The root is asked for whatever the
    /// range, since it says how long the file is.
    pub fn range(root: Cid, range: Range<u64>) -> Self {
        Self {
            root,
            range,
            path: Vec::new(),
            file_bytes: None,
            asked: Asked::default(),
            ready: None,
        }
    }

    /// Goes on with another range. What lies between the root and the new place, and was on the way to the old one, is
    /// not asked for again.
    pub fn seek(&mut self, range: Range<u64>) {
        self.range = range;
        self.clip();
        self.ready = None;
        self.asked.forget();
        let start = self.range.start;
        let is_within = |level: &Level| level.start <= start && start < level.end();
        let kept = self.path.iter().take_while(|level| is_within(level));
        self.path.truncate(kept.count());
    }

    /// How many bytes the whole file has. It is known once the root was given.
    pub fn file_bytes(&self) -> Option<u64> {
        self.file_bytes
    }

    /// What of the range is still to be handed out.
    pub fn left(&self) -> Range<u64> {
        self.range.clone()
    }

    /// Says what to do next. It says the same again until a block that it needs is given.
    pub fn step(&mut self) -> Result<Step, UnixfsError> {
        loop {
            if let Some(step) = self.ready.take() {
                return Ok(step);
            }
            if let Some(cid) = self.asked.cid() {
                return Ok(Step::Need(cid));
            }
            let Some((cid, span)) = self.next() else {
                return Ok(Step::Done);
            };
            if let Some(block) = self.asked.ask(cid, span)? {
                let (cid, span) = self.asked.take(&block)?;
                self.enter(cid, span, &block, true)?;
            }
        }
    }

    /// Takes the block that was asked for.
    pub fn give(&mut self, block: &Block) -> Result<(), UnixfsError> {
        let (cid, span) = self.asked.take(block)?;
        self.enter(cid, span, block, false)
    }

    /// The blocks that will be asked for next, as far as the nodes that were given say, for those who fetch ahead. The
    /// one that is needed now is the first of them.
    pub fn upcoming(&self, count: usize) -> Vec<Cid> {
        let needed = self.asked.cid().into_iter();
        // What is needed now is the next part of some level, and not yet read.
        let behind = match self.asked.about() {
            Some(span) => span.end..self.range.end,
            None => self.range.clone(),
        };
        let is_at_root = self.path.is_empty() && self.asked.cid().is_none() && !self.is_done();
        let root = is_at_root.then_some(self.root).into_iter();
        let mut from = behind.start;
        let levels = self.path.iter().rev();
        let levels = levels.flat_map(move |level| {
            let range = from..behind.end;
            from = from.max(level.end());
            level.within(range).map(|(cid, _)| cid)
        });
        let all = needed.chain(root).chain(levels);
        all.filter(|cid| Block::inline(cid).is_none())
            .take(count)
            .collect()
    }

    /// The next part to go into, and what of the file it is.
    fn next(&mut self) -> Option<(Cid, Range<u64>)> {
        if self.is_done() {
            return None;
        }
        while self
            .path
            .pop_if(|level| level.end() <= self.range.start)
            .is_some()
        {}
        match self.path.last() {
            Some(level) => level.within(self.range.clone()).next(),
            None => Some((self.root, 0..self.file_bytes.unwrap_or(u64::MAX))),
        }
    }

    fn is_done(&self) -> bool {
        self.file_bytes.is_some() && self.range.is_empty()
    }

    fn enter(
        &mut self,
        cid: Cid,
        span: Range<u64>,
        block: &Block,
        is_inline: bool,
    ) -> Result<(), UnixfsError> {
        let fail = |fault: Fault| fault.of(&cid);
        let (size, own, parts) = match Node::decode(block)? {
            Node::Raw(bytes) => (bytes as u64, 0..bytes, Vec::new()),
            Node::File(File {
                file_bytes,
                own,
                parts,
                ..
            }) => (file_bytes, own, parts),
            _ => return Err(fail(Fault::NotAFile)),
        };
        match self.file_bytes {
            None => {
                self.file_bytes = Some(size);
                self.clip();
            }
            Some(_) if size != span.end - span.start => {
                let said = span.end - span.start;
                return Err(fail(Fault::Size { said, found: size }));
            }
            Some(_) if self.path.len() > MAX_FILE_DEPTH => {
                return Err(fail(Fault::Depth(MAX_FILE_DEPTH)));
            }
            Some(_) => {}
        }
        let start = span.start + own.len() as u64;
        self.own(span.start..start, own, block, is_inline);
        let held = self.path.iter().map(|level| level.parts.len());
        if held.sum::<usize>() + parts.len() > MAX_PATH_LINKS {
            return Err(fail(Fault::Wide(MAX_PATH_LINKS)));
        }
        if !parts.is_empty() {
            let mut end = start;
            let parts = parts.into_iter().map(|part| {
                end += part.file_bytes;
                (part.cid, end)
            });
            let parts = parts.collect();
            self.path.push(Level { start, parts });
        }
        Ok(())
    }

    /// Makes ready what of a block's own bytes is in the range.
    fn own(&mut self, span: Range<u64>, at: Range<usize>, block: &Block, is_inline: bool) {
        let wanted = self.range.start.max(span.start)..self.range.end.min(span.end);
        if wanted.is_empty() {
            return;
        }
        let from = at.start + (wanted.start - span.start) as usize;
        let range = from..from + (wanted.end - wanted.start) as usize;
        self.range.start = wanted.end;
        self.ready = Some(match is_inline {
            true => Step::Inline(block.bytes()[range].to_vec()),
            false => Step::Bytes {
                cid: *block.cid(),
                range,
            },
        });
    }

    /// Keeps the range within the file.
    fn clip(&mut self) {
        if let Some(file_bytes) = self.file_bytes {
            self.range.end = self.range.end.min(file_bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Blocks, any_layout, contents, file_of};
    use super::super::{Entry, Layout, Leaves, Tree};
    use super::*;
    use crate::ipld::{DAG_PB, RAW};
    use proptest::prelude::*;

    /// Reads a range, and how many blocks it took.
    fn read(blocks: &Blocks, reader: &mut FileReader) -> Result<(Vec<u8>, usize), UnixfsError> {
        let (mut bytes, mut asked) = (Vec::new(), 0);
        let mut given: Option<&Block> = None;
        loop {
            match reader.step()? {
                Step::Need(cid) => {
                    let expected = reader.upcoming(1);
                    assert_eq!(expected, [cid]);
                    asked += 1;
                    given = Some(blocks.get(&cid));
                    reader.give(blocks.get(&cid))?;
                }
                Step::Bytes { cid, range } => {
                    let block = given.expect("given before");
                    assert_eq!(block.cid(), &cid);
                    assert!(!range.is_empty());
                    bytes.extend_from_slice(&block.bytes()[range]);
                }
                Step::Inline(more) => bytes.extend(more),
                Step::Done => return Ok((bytes, asked)),
            }
        }
    }

    fn error(blocks: &Blocks, root: Cid) -> UnixfsError {
        read(blocks, &mut FileReader::new(root)).unwrap_err()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn any_range_of_any_file_is_its_slice(
            layout in any_layout(),
            bytes in contents(),
            ranges in prop::collection::vec((any::<prop::sample::Index>(), 0..700u64), 1..6),
        ) {
            let (file, blocks) = file_of(layout, &bytes);
            prop_assert_eq!(file.file_bytes, bytes.len() as u64);
            prop_assert_eq!(file.total_bytes, blocks.total_bytes(&file.cid));
            let mut kept = FileReader::new(file.cid);
            prop_assert_eq!(read(&blocks, &mut kept).unwrap().0, &bytes[..]);
            for (start, length) in ranges {
                let start = start.index(bytes.len() + 2) as u64;
                let range = start..start + length;
                let slice = |at: u64| bytes.len().min(at as usize);
                let slice = &bytes[slice(range.start)..slice(range.end)];
                let mut reader = FileReader::range(file.cid, range.clone());
                prop_assert_eq!(&read(&blocks, &mut reader).unwrap().0[..], slice);
                prop_assert_eq!(reader.file_bytes(), Some(bytes.len() as u64));
                kept.seek(range);
                prop_assert_eq!(&read(&blocks, &mut kept).unwrap().0[..], slice);
            }
        }

        #[test]
        fn only_what_a_range_takes_is_asked_for(start in 0..5000u64, length in 0..300u64) {
            // 5,000 bytes in chunks of 10, four links a node: depth 6.
            let layout = Layout::new(10, 4, Leaves::Raw).unwrap();
            let bytes: Vec<u8> = (0..5000).map(|at| (at / 10) as u8).collect();
            let (file, blocks) = file_of(layout, &bytes);
            let mut reader = FileReader::range(file.cid, start..start + length);
            let (_, asked) = read(&blocks, &mut reader).unwrap();
            let end = (start + length).min(5000);
            let leaves = match start < end {
                true => (end - 1) / 10 - start / 10 + 1,
                false => 0,
            };
            // The root, and at each of the four levels between no more than hold the leaves.
            let between = [4, 16, 64, 256].map(|below| match leaves {
                0 => 0,
                _ => (end - 1) / 10 / below - start / 10 / below + 1,
            });
            prop_assert_eq!(asked as u64, 1 + leaves + between.iter().sum::<u64>());
        }

        #[test]
        fn garbage_in_place_of_a_node_never_panics(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            raw: bool,
        ) {
            let block = Block::new(if raw { RAW } else { DAG_PB }, bytes);
            let _ = Node::decode(&block);
            let mut reader = FileReader::new(*block.cid());
            let _ = reader.step();
            let _ = reader.give(&block);
            let _ = reader.step();
        }
    }

    /// A file as nobody writes it: nodes with bytes of their own, parts without any, leaves of all kinds.
    #[derive(Clone, Debug)]
    enum Odd {
        Raw(Vec<u8>),
        Inline(Vec<u8>),
        Node(Vec<u8>, Vec<Self>),
    }

    impl Odd {
        fn any() -> impl Strategy<Value = Self> {
            let bytes = |most| prop::collection::vec(any::<u8>(), 0..most);
            let leaf = prop_oneof![
                bytes(30).prop_map(Self::Raw),
                bytes(30).prop_map(Self::Inline),
                bytes(30).prop_map(|own| Self::Node(own, vec![])),
            ];
            leaf.prop_recursive(5, 40, 5, move |inner| {
                let parts = prop::collection::vec(inner, 0..5);
                (bytes(9), parts).prop_map(|(own, parts)| Self::Node(own, parts))
            })
        }

        /// Returns its name, and puts its bytes behind `file`.
        fn write(&self, blocks: &mut Blocks, file: &mut Vec<u8>) -> Cid {
            let block = match self {
                Self::Raw(bytes) => {
                    file.extend(bytes);
                    Block::raw(bytes.clone())
                }
                Self::Inline(bytes) => {
                    file.extend(bytes);
                    let held = multihash::Multihash::wrap(0, bytes).unwrap();
                    return Cid::new_v1(RAW, held);
                }
                Self::Node(own, parts) => {
                    let start = file.len();
                    file.extend(own);
                    let mut writer = super::super::dag_pb::Writer::default();
                    let mut data = vec![8, 2, 0x12, own.len() as u8];
                    data.extend(own);
                    for part in parts {
                        let before = file.len();
                        writer.link(&part.write(blocks, file), "", 0);
                        super::super::proto::number(&mut data, 4, (file.len() - before) as u64);
                    }
                    super::super::proto::number(&mut data, 3, (file.len() - start) as u64);
                    Block::new(DAG_PB, writer.finish(&data).0)
                }
            };
            blocks.put(block.clone());
            *block.cid()
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn any_tree_is_read_as_it_stands(
            tree in Odd::any(),
            ranges in prop::collection::vec((any::<prop::sample::Index>(), 0..200u64), 1..6),
        ) {
            let (mut blocks, mut whole) = (Blocks::default(), Vec::new());
            let root = tree.write(&mut blocks, &mut whole);
            let mut kept = FileReader::new(root);
            prop_assert_eq!(&read(&blocks, &mut kept).unwrap().0, &whole);
            for (start, length) in ranges {
                let start = start.index(whole.len() + 1);
                let end = whole.len().min(start + length as usize);
                let range = start as u64..start as u64 + length;
                let mut reader = FileReader::range(root, range.clone());
                prop_assert_eq!(&read(&blocks, &mut reader).unwrap().0, &whole[start..end]);
                kept.seek(range);
                prop_assert_eq!(&read(&blocks, &mut kept).unwrap().0, &whole[start..end]);
            }
        }
    }

    #[test]
    fn nodes_wide_and_deep_are_refused() {
        let mut blocks = Blocks::default();
        let (mut entry, block) = Layout::default().leaf(b"deep".to_vec());
        blocks.put(block);
        let layout = Layout::new(1, super::super::MAX_LINKS, Leaves::Raw).unwrap();
        for _ in 0..17 {
            let mut tree = Tree::new(&layout);
            let mut put = |block| blocks.try_put(block);
            tree.push(entry, &mut put).unwrap();
            for _ in 1..super::super::MAX_LINKS {
                let empty = Entry {
                    file_bytes: 0,
                    ..entry
                };
                tree.push(empty, &mut put).unwrap();
            }
            entry = tree.finish(&mut put).unwrap();
        }
        assert!(matches!(error(&blocks, entry.cid).fault, Fault::Wide(_)));
    }

    #[test]
    fn what_comes_next_is_known_ahead() {
        let layout = Layout::new(1, 3, Leaves::Raw).unwrap();
        let (file, blocks) = file_of(layout, b"abcdefghi");
        let mut reader = FileReader::new(file.cid);
        assert_eq!(reader.upcoming(9), [file.cid]);
        reader.step().unwrap();
        reader.give(blocks.get(&file.cid)).unwrap();
        let nodes = reader.upcoming(9);
        assert_eq!(nodes.len(), 3);
        assert_eq!(reader.step(), Ok(Step::Need(nodes[0])));
        reader.give(blocks.get(&nodes[0])).unwrap();
        let leaf = |byte: u8| *Block::raw(vec![byte]).cid();
        let expected = [leaf(b'a'), leaf(b'b'), leaf(b'c'), nodes[1], nodes[2]];
        assert_eq!(reader.upcoming(9), expected);
        assert_eq!(reader.upcoming(2), expected[..2]);
        // What is asked for now is still to come.
        assert_eq!(reader.step(), Ok(Step::Need(expected[0])));
        assert_eq!(reader.upcoming(9), expected);
        reader.seek(1..5);
        assert_eq!(reader.upcoming(9), [expected[1], expected[2], nodes[1]]);
    }

    #[test]
    fn going_on_nearby_asks_for_little() {
        let layout = Layout::new(10, 4, Leaves::Raw).unwrap();
        let (file, blocks) = file_of(layout, &[7; 5000]);
        let mut reader = FileReader::range(file.cid, 2000..2005);
        assert_eq!(read(&blocks, &mut reader).unwrap().1, 6);
        reader.seek(2005..2010);
        assert_eq!(read(&blocks, &mut reader).unwrap().1, 1);
        reader.seek(1999..2000);
        assert!(read(&blocks, &mut reader).unwrap().1 < 6);
        reader.seek(6000..7000);
        assert_eq!(read(&blocks, &mut reader).unwrap(), (vec![], 0));
        reader.seek(0..10);
        assert_eq!(read(&blocks, &mut reader).unwrap().0, [7; 10]);
    }

    #[test]
    fn a_block_that_was_not_asked_for_is_refused() {
        let (file, blocks) = file_of(Layout::default(), b"hello");
        let mut reader = FileReader::new(file.cid);
        let block = blocks.get(&file.cid);
        let unasked = Fault::Unasked.of(block.cid());
        assert_eq!(reader.give(block), Err(unasked.clone()));
        reader.step().unwrap();
        let other = Block::raw(b"other".to_vec());
        assert_eq!(reader.give(&other), Err(Fault::Unasked.of(other.cid())));
        assert_eq!(reader.step(), Ok(Step::Need(file.cid)));
        reader.give(block).unwrap();
        assert_eq!(reader.give(block), Err(unasked));
    }

    #[test]
    fn sizes_that_lie_are_found_where_they_lie() {
        let mut blocks = Blocks::default();
        let leaf = |bytes: &[u8]| Layout::default().leaf(bytes.to_vec());
        let (honest, block) = leaf(b"hello");
        blocks.put(block);
        for said in [4, 6, 0xffff_ffff] {
            let lie = Entry {
                file_bytes: said,
                ..honest
            };
            let mut tree = Tree::new(&Layout::default());
            let mut put = |block| blocks.try_put(block);
            tree.push(lie, &mut put).unwrap();
            tree.push(lie, &mut put).unwrap();
            let file = tree.finish(&mut put).unwrap();
            let expected = Fault::Size { said, found: 5 }.of(&honest.cid);
            assert_eq!(error(&blocks, file.cid), expected);
        }
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let directory = Block::new(DAG_PB, vec![0x0a, 2, 8, 1]);
        let mut blocks = Blocks::default();
        blocks.put(directory.clone());
        let expected = Fault::NotAFile.of(directory.cid());
        assert_eq!(error(&blocks, *directory.cid()), expected);

        let other = Block::new(0x0129, b"{}".to_vec());
        blocks.put(other.clone());
        let expected = Fault::Codec { code: 0x0129 }.of(other.cid());
        assert_eq!(error(&blocks, *other.cid()), expected);

        let sha3 = multihash::Multihash::wrap(0x16, &[7; 32]).unwrap();
        let cid = Cid::new_v1(RAW, sha3);
        let expected = Fault::Hash { code: 0x16 }.of(&cid);
        assert_eq!(error(&blocks, cid), expected);
    }

    #[test]
    fn a_file_too_deep_is_refused() {
        let mut blocks = Blocks::default();
        let (mut entry, block) = Layout::default().leaf(b"deep".to_vec());
        blocks.put(block);
        for depth in 1..=MAX_FILE_DEPTH + 1 {
            let mut tree = Tree::new(&Layout::default());
            let empty = Entry {
                file_bytes: 0,
                ..entry
            };
            let mut put = |block| blocks.try_put(block);
            tree.push(entry, &mut put).unwrap();
            tree.push(empty, &mut put).unwrap();
            entry = tree.finish(&mut put).unwrap();
            let read = read(&blocks, &mut FileReader::new(entry.cid));
            match depth <= MAX_FILE_DEPTH {
                true => assert_eq!(read.unwrap().0, b"deep"),
                false => assert!(matches!(read.unwrap_err().fault, Fault::Depth(_))),
            }
        }
    }

    #[test]
    fn leaves_may_stand_in_their_links() {
        let inline = |bytes: &[u8]| Cid::new_v1(RAW, multihash::Multihash::wrap(0, bytes).unwrap());
        let entry = |bytes: &[u8]| Entry {
            cid: inline(bytes),
            file_bytes: bytes.len() as u64,
            total_bytes: bytes.len() as u64,
        };
        let mut blocks = Blocks::default();
        let mut put = |block| blocks.try_put(block);
        let mut tree = Tree::new(&Layout::default());
        tree.push(entry(b"hello, "), &mut put).unwrap();
        tree.push(entry(b"world"), &mut put).unwrap();
        let file = tree.finish(&mut put).unwrap();
        let mut reader = FileReader::range(file.cid, 3..10);
        assert_eq!(
            read(&blocks, &mut reader).unwrap(),
            (b"lo, wor".to_vec(), 1)
        );
        let mut reader = FileReader::new(inline(b"all of it"));
        assert_eq!(
            read(&blocks, &mut reader).unwrap(),
            (b"all of it".to_vec(), 0)
        );
    }

    #[test]
    fn own_bytes_come_before_those_of_parts() {
        // A node with bytes of its own and two parts, as no usual writer makes them.
        let mut blocks = Blocks::default();
        let leaves = [b"two, ", b"three"].map(|bytes| Layout::default().leaf(bytes.to_vec()));
        let mut writer = super::super::dag_pb::Writer::default();
        for (entry, block) in leaves {
            writer.link(&entry.cid, "", entry.total_bytes);
            blocks.put(block);
        }
        let data = [
            &[8, 2, 0x12, 5][..],
            b"one, ",
            &[0x18, 15, 0x20, 5, 0x20, 5],
        ]
        .concat();
        let root = Block::new(DAG_PB, writer.finish(&data).0);
        blocks.put(root.clone());
        let whole = b"one, two, three";
        let mut kept = FileReader::new(*root.cid());
        for start in 0..=15 {
            for end in start..=15 {
                let slice = &whole[start as usize..end as usize];
                let mut reader = FileReader::range(*root.cid(), start..end);
                assert_eq!(read(&blocks, &mut reader).unwrap().0, slice);
                kept.seek(start..end);
                assert_eq!(read(&blocks, &mut kept).unwrap().0, slice);
            }
        }
    }
}
