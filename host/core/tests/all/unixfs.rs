//! Files and directories, as JavaScript and kubo name them.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use homestar_core::ipld::{Block, Cid, DAG_PB, parse_cid};
use homestar_core::unixfs::{
    DirectoryWriter, Entry, FileReader, FileWriter, Found, Layout, Leaves, ListStep, Listing, Node,
    Resolve, ResolveStep, Step, cid_of_file, links, symlink,
};
use serde_json::Value;

use crate::{bytes, list, text};

/// The vectors that JavaScript wrote.
fn javascript() -> Value {
    serde_json::from_str(include_str!("../vectors/unixfs.json")).expect("JSON")
}

/// The vectors that kubo wrote.
fn kubo() -> Value {
    serde_json::from_str(include_str!("../vectors/kubo.json")).expect("JSON")
}

fn number(vector: &Value, key: &str) -> u64 {
    vector[key].as_u64().expect(key)
}

/// The bytes of a file of so many: the scripts have the same rule.
fn content(size: u64) -> Vec<u8> {
    let byte = |at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8;
    (0..size as u32).map(byte).collect()
}

/// The names in a directory.
fn names(vector: &Value) -> Vec<String> {
    let pattern = text(vector, "pattern");
    let numbered = (0..number(vector, "count")).map(|at| pattern.replacen('#', &at.to_string(), 1));
    let more = list(vector, "more").iter();
    let more = more.map(|name| name.as_str().expect("a name").to_owned());
    numbered.chain(more).collect()
}

#[derive(Default)]
struct Blocks(BTreeMap<Cid, Block>);

impl Blocks {
    fn put(&mut self, block: Block) -> Result<(), Infallible> {
        self.0.insert(*block.cid(), block);
        Ok(())
    }

    fn file(&mut self, layout: Layout, bytes: &[u8]) -> Entry {
        let mut put = |block| self.put(block);
        let mut writer = FileWriter::new(layout);
        let Ok(()) = writer.write(bytes, &mut put);
        let Ok(file) = writer.finish(&mut put);
        file
    }

    fn directory(&mut self, directory: DirectoryWriter) -> Entry {
        let Ok(root) = directory.finish(&mut |block| self.put(block));
        root
    }

    fn read(&self, cid: Cid) -> Vec<u8> {
        let mut reader = FileReader::new(cid);
        let mut bytes = Vec::new();
        loop {
            match reader.step().expect("a good file") {
                Step::Need(cid) => reader.give(&self.0[&cid]).expect("a good file"),
                Step::Bytes { cid, range } => bytes.extend(&self.0[&cid].bytes()[range]),
                Step::Inline(more) => bytes.extend(more),
                Step::Done => return bytes,
            }
        }
    }

    fn list(&self, cid: Cid) -> Vec<(String, Cid)> {
        let mut listing = Listing::new(cid);
        let mut entries = Vec::new();
        loop {
            match listing.step().expect("a good directory") {
                ListStep::Need(cid) => listing.give(&self.0[&cid]).expect("a good directory"),
                ListStep::Entry(entry) => entries.push((entry.name, entry.cid)),
                ListStep::Done => return entries,
            }
        }
    }

    fn resolve(&self, root: Cid, path: &str) -> Cid {
        let mut resolve = Resolve::new(root, path).expect("a path");
        loop {
            match resolve.step().expect("a good path") {
                ResolveStep::Need(cid) => resolve.give(&self.0[&cid]).expect("a good path"),
                ResolveStep::Found(Found::Block(cid)) => return cid,
                ResolveStep::Found(found) => panic!("{found:?}"),
            }
        }
    }

    fn decode(&self, cid: &Cid) -> Node {
        Node::decode(&self.0[cid]).expect("a good node")
    }

    /// Everything below a directory that isn't one, by path.
    fn walk(&self, cid: Cid, path: &str, found: &mut BTreeMap<String, Cid>) {
        match self.decode(&cid) {
            Node::Directory(_) | Node::Shard(_) => {
                for (name, cid) in self.list(cid) {
                    self.walk(cid, format!("{path}/{name}").trim_start_matches('/'), found);
                }
            }
            _ => {
                found.insert(path.to_owned(), cid);
            }
        }
    }
}

#[test]
fn javascript_names_files_the_same() {
    for vector in list(&javascript(), "files") {
        let leaves = match text(vector, "leaves") {
            "raw" => Leaves::Raw,
            _ => Leaves::DagPb,
        };
        let (chunk, links) = (number(vector, "chunk"), number(vector, "links"));
        let layout = Layout::new(chunk as usize, links as usize, leaves).expect("a layout");
        let bytes = content(number(vector, "size"));
        let mut blocks = Blocks::default();
        let file = blocks.file(layout, &bytes);
        assert_eq!(file.cid.to_string(), text(vector, "cid"), "{vector}");
        assert_eq!(file.file_bytes, bytes.len() as u64);
        assert_eq!(file.total_bytes, number(vector, "total"), "{vector}");
        assert!(blocks.read(file.cid) == bytes, "{vector}");
        if layout == Layout::default() {
            assert_eq!(cid_of_file(&bytes), file.cid);
        }
    }
}

#[test]
fn javascript_names_directories_the_same() {
    for vector in list(&javascript(), "directories") {
        let mut blocks = Blocks::default();
        let mut directory = DirectoryWriter::new();
        if let Some(bytes) = vector["shard_above"].as_u64() {
            directory = directory.shard_above(bytes);
        }
        let names = names(vector);
        for name in &names {
            let file = blocks.file(Layout::default(), name.as_bytes());
            directory.add(name, file).expect("a name");
        }
        let root = blocks.directory(directory);
        assert_eq!(root.cid.to_string(), text(vector, "cid"), "{vector}");
        assert_eq!(root.total_bytes, number(vector, "total"), "{vector}");
        let listed = blocks.list(root.cid).into_iter();
        let listed: BTreeSet<_> = listed.map(|(name, _)| name).collect();
        assert!(listed.iter().eq(&BTreeSet::from_iter(names)), "{vector}");
        for name in listed.iter().step_by(97) {
            let file = blocks.resolve(root.cid, name);
            assert_eq!(blocks.read(file), name.as_bytes());
        }
    }
}

#[test]
fn what_javascript_writes_is_read() {
    for vector in list(&javascript(), "trees") {
        let name = text(vector, "name");
        let mut blocks = Blocks::default();
        for block in list(vector, "blocks") {
            let cid = parse_cid(text(block, "cid")).expect(name);
            let Ok(()) = blocks.put(Block::verify(cid, bytes(block, "bytes")).expect(name));
        }
        let root = parse_cid(text(vector, "root")).expect(name);
        let mut found = BTreeMap::new();
        blocks.walk(root, "", &mut found);
        let holds = list(vector, "holds");
        assert_eq!(found.len(), holds.len(), "{name}");
        for held in holds {
            let path = text(held, "path");
            let cid = found[path];
            assert_eq!(blocks.resolve(root, path), cid, "{name}: {path}");
            match held["target"].as_str() {
                Some(target) => {
                    let Node::Symlink(link) = blocks.decode(&cid) else {
                        panic!("{name}: {path}");
                    };
                    assert_eq!(link.target, target, "{name}");
                }
                None => assert_eq!(blocks.read(cid), bytes(held, "bytes"), "{name}: {path}"),
            }
        }
        let linked = blocks
            .0
            .values()
            .flat_map(|block| links(block).expect(name));
        let linked: BTreeSet<_> = linked.chain([root]).collect();
        assert!(linked.iter().eq(blocks.0.keys()), "{name}");
    }
}

/// The tree of a name.
fn tree(name: &str) -> Value {
    let vectors = javascript();
    let mut trees = list(&vectors, "trees").iter();
    let found = trees.find(|tree| text(tree, "name") == name);
    found.expect("there").clone()
}

#[test]
fn a_directory_around_a_file_is_the_same() {
    let vector = tree("a file in a directory around it");
    let mut blocks = Blocks::default();
    let file = blocks.file(Layout::default(), b"hello");
    let mut directory = DirectoryWriter::new();
    directory.add("hello.txt", file).expect("a name");
    let root = blocks.directory(directory);
    assert_eq!(root.cid.to_string(), text(&vector, "root"));
    assert_eq!(root.total_bytes, number(&vector, "total"));
}

#[test]
fn mode_and_time_are_read() {
    let mut seen = BTreeMap::new();
    for block in list(&tree("mode and time"), "blocks") {
        let cid = parse_cid(text(block, "cid")).expect("a CID");
        let block = Block::verify(cid, bytes(block, "bytes")).expect("a block");
        let meta = match Node::decode(&block).expect("a node") {
            Node::File(file) => file.meta,
            Node::Symlink(link) => link.meta,
            _ => continue,
        };
        if let (Some(mode), Some(mtime)) = (meta.mode, meta.mtime) {
            seen.insert(mode, (mtime.seconds, mtime.nanoseconds));
        }
    }
    let expected = (0..4).map(|at| {
        let (seconds, nanoseconds) = ((i64::from(at) - 2) * 1_000_000, at * 7);
        (0o640 + at, (seconds, nanoseconds))
    });
    assert_eq!(seen, expected.collect());
}

/// A varint and what follows it.
fn varint(bytes: &[u8]) -> (u64, &[u8]) {
    let length = bytes.iter().take_while(|byte| **byte >= 0x80).count() + 1;
    let (number, rest) = bytes.split_at(length);
    let bits = number.iter().rev().map(|byte| u64::from(byte & 0x7f));
    (bits.fold(0, |number, bits| number << 7 | bits), rest)
}

fn push_field(out: &mut Vec<u8>, key: u8, number: u64, bytes: &[u8]) {
    out.push(key);
    let mut rest = number;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
    out.extend(bytes);
}

/// The name of a root as kubo writes it, where all CIDs are of version 0, and the bytes of all below it. In nodes of the
/// one form that we write, links come first, each with CID, name and size.
fn as_version_0(blocks: &Blocks, cid: &Cid) -> (Cid, u64) {
    let mut rest = blocks.0[cid].bytes();
    let (mut node, mut total) = (Vec::new(), 0);
    while let [0x12, after @ ..] = rest {
        let (length, after) = varint(after);
        let (link, after) = after.split_at(length as usize);
        rest = after;
        // Behind the CID and its head: a name of some length, and a size.
        let (below, name) = link[2..].split_at(36);
        let name_bytes = varint(&name[1..]);
        let name = &name_bytes.1[..name_bytes.0 as usize];
        let below = Cid::try_from(below).expect("a CID");
        let (below, below_total) = as_version_0(blocks, &below);
        let mut link = Vec::new();
        push_field(&mut link, 0x0a, 34, &below.to_bytes());
        push_field(&mut link, 0x12, name.len() as u64, name);
        push_field(&mut link, 0x18, below_total, &[]);
        push_field(&mut node, 0x12, link.len() as u64, &link);
        total += below_total;
    }
    node.extend(rest);
    total += node.len() as u64;
    let block = Block::new(DAG_PB, node);
    (Cid::new_v0(*block.cid().hash()).expect("sha2-256"), total)
}

#[test]
fn kubo_names_files_and_directories_the_same() {
    let kubo = kubo();
    let layout = Layout::new(256 << 10, 174, Leaves::DagPb).expect("a layout");
    for vector in list(&kubo, "files") {
        let mut blocks = Blocks::default();
        let file = blocks.file(layout, &content(number(vector, "size")));
        let (cid, _) = as_version_0(&blocks, &file.cid);
        assert_eq!(cid.to_string(), text(vector, "cid"), "{vector}");
    }
    for vector in list(&kubo, "directories") {
        let mut blocks = Blocks::default();
        let mut directory = DirectoryWriter::new();
        for name in names(vector) {
            let file = blocks.file(layout, name.as_bytes());
            directory.add(&name, file).expect("a name");
        }
        let root = blocks.directory(directory);
        let (cid, _) = as_version_0(&blocks, &root.cid);
        assert_eq!(cid.to_string(), text(vector, "cid"), "{vector}");
    }
    let vector = &kubo["linked"];
    let mut blocks = Blocks::default();
    let (link, block) = symlink(text(vector, "target")).expect("a target");
    let Ok(()) = blocks.put(block);
    let mut directory = DirectoryWriter::new();
    directory.add(text(vector, "name"), link).expect("a name");
    let root = blocks.directory(directory);
    let (cid, _) = as_version_0(&blocks, &root.cid);
    assert_eq!(cid.to_string(), text(vector, "cid"));
}
