//! Stand-in.
#![allow(
    missing_docs,
    clippy::all,
    missing_debug_implementations,
    reason = "stand-in"
)]
use crate::ipld::{Block, Cid, DAG_CBOR, Ipld, RAW, decode};
use std::collections::VecDeque;
use std::ops::Range;
pub const DAG_PB: u64 = 0x70;

#[derive(Clone, Copy, Debug)]
pub struct Layout {
    pub chunk_bytes: usize,
    pub links_max: usize,
}
impl Default for Layout {
    fn default() -> Self {
        Self {
            chunk_bytes: 262144,
            links_max: 174,
        }
    }
}
impl Layout {
    pub fn chunk_bytes(&self) -> usize {
        self.chunk_bytes
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub cid: Cid,
    pub file_bytes: u64,
    pub total_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnixfsError(pub String);

fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}
fn read_varint(b: &mut &[u8]) -> Result<u64, UnixfsError> {
    let mut n = 0u64;
    let mut shift = 0;
    loop {
        let Some((x, r)) = b.split_first() else {
            return Err(UnixfsError("cut off".into()));
        };
        *b = r;
        n |= u64::from(x & 0x7f) << shift;
        shift += 7;
        if x & 0x80 == 0 {
            return Ok(n);
        }
        if shift > 63 {
            return Err(UnixfsError("long number".into()));
        }
    }
}
fn fields(
    mut b: &[u8],
    mut f: impl FnMut(u64, u64, &[u8]) -> Result<(), UnixfsError>,
) -> Result<(), UnixfsError> {
    while !b.is_empty() {
        let key = read_varint(&mut b)?;
        match key & 7 {
            0 => {
                let v = read_varint(&mut b)?;
                f(key >> 3, v, &[])?
            }
            2 => {
                let l = read_varint(&mut b)? as usize;
                if l > b.len() {
                    return Err(UnixfsError("cut off".into()));
                }
                let (x, r) = b.split_at(l);
                b = r;
                f(key >> 3, 0, x)?
            }
            _ => return Err(UnixfsError("unknown wire type".into())),
        }
    }
    Ok(())
}
struct PbLink {
    cid: Cid,
    name: String,
}
fn pb(block: &[u8]) -> Result<(Vec<PbLink>, Vec<u8>), UnixfsError> {
    let mut links = Vec::new();
    let mut data = Vec::new();
    fields(block, |n, _, x| {
        match n {
            2 => {
                let mut cid = None;
                let mut name = String::new();
                fields(x, |n, _, x| {
                    match n {
                        1 => cid = Cid::try_from(x).ok(),
                        2 => name = String::from_utf8_lossy(x).into(),
                        _ => {}
                    }
                    Ok(())
                })?;
                links.push(PbLink {
                    cid: cid.ok_or_else(|| UnixfsError("no cid".into()))?,
                    name,
                })
            }
            1 => data = x.to_vec(),
            _ => {}
        }
        Ok(())
    })?;
    Ok((links, data))
}
struct Data {
    ty: u64,
    data: Vec<u8>,
    size: u64,
    sizes: Vec<u64>,
}
fn ufs(d: &[u8]) -> Result<Data, UnixfsError> {
    let mut o = Data {
        ty: 0,
        data: vec![],
        size: 0,
        sizes: vec![],
    };
    fields(d, |n, v, x| {
        match n {
            1 => o.ty = v,
            2 => o.data = x.to_vec(),
            3 => o.size = v,
            4 => o.sizes.push(v),
            _ => {}
        }
        Ok(())
    })?;
    Ok(o)
}

#[derive(Debug, Default)]
pub struct Tree {
    layout: Layout,
    levels: Vec<Vec<Entry>>,
}
impl Tree {
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            levels: vec![],
        }
    }
    pub fn push<E>(
        &mut self,
        leaf: Entry,
        put: &mut impl FnMut(Block) -> Result<(), E>,
    ) -> Result<(), E> {
        self.add(0, leaf, put)
    }
    fn add<E>(
        &mut self,
        level: usize,
        e: Entry,
        put: &mut impl FnMut(Block) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.levels.len() <= level {
            self.levels.push(vec![])
        }
        if self.levels[level].len() == self.layout.links_max {
            let full = std::mem::take(&mut self.levels[level]);
            let n = node(&full, put)?;
            self.add(level + 1, n, put)?;
        }
        self.levels[level].push(e);
        Ok(())
    }
    pub fn finish<E>(mut self, put: &mut impl FnMut(Block) -> Result<(), E>) -> Result<Entry, E> {
        let mut level = 0;
        loop {
            let es = std::mem::take(&mut self.levels[level]);
            if es.len() == 1 && level + 1 == self.levels.len() {
                return Ok(es[0]);
            }
            let n = node(&es, put)?;
            self.add(level + 1, n, put)?;
            level += 1;
        }
    }
}
fn node<E>(es: &[Entry], put: &mut impl FnMut(Block) -> Result<(), E>) -> Result<Entry, E> {
    let mut out = vec![];
    let mut data = vec![8, 2];
    let mut size = 0;
    let mut total = 0;
    for e in es {
        size += e.file_bytes;
        total += e.total_bytes;
    }
    data.push(0x18);
    varint(&mut data, size);
    for e in es {
        let mut l = vec![0x0a];
        let c = e.cid.to_bytes();
        varint(&mut l, c.len() as u64);
        l.extend(&c);
        l.extend([0x12, 0]);
        l.push(0x18);
        varint(&mut l, e.total_bytes);
        out.push(0x12);
        varint(&mut out, l.len() as u64);
        out.extend(l);
        data.push(0x20);
        varint(&mut data, e.file_bytes);
    }
    out.push(0x0a);
    varint(&mut out, data.len() as u64);
    out.extend(data);
    total += out.len() as u64;
    let b = Block::new(DAG_PB, out);
    let cid = *b.cid();
    put(b)?;
    Ok(Entry {
        cid,
        file_bytes: size,
        total_bytes: total,
    })
}
pub fn links(b: &Block) -> Result<Vec<Cid>, UnixfsError> {
    Ok(match b.cid().codec() {
        DAG_PB => pb(b.bytes())?.0.into_iter().map(|l| l.cid).collect(),
        DAG_CBOR => {
            let v: Ipld = decode(b.bytes()).map_err(|e| UnixfsError(e.to_string()))?;
            let mut o = vec![];
            fn go(v: &Ipld, o: &mut Vec<Cid>) {
                match v {
                    Ipld::Link(c) => o.push(*c),
                    Ipld::List(l) => l.iter().for_each(|v| go(v, o)),
                    Ipld::Map(m) => m.values().for_each(|v| go(v, o)),
                    _ => {}
                }
            }
            go(&v, &mut o);
            o
        }
        _ => vec![],
    })
}
#[derive(Debug)]
pub enum Node {
    Raw { file_bytes: u64 },
    File { file_bytes: u64 },
    Directory { entries: Vec<(String, Cid)> },
    Shard {},
    Symlink {},
}
impl Node {
    pub fn decode(b: &Block) -> Result<Self, UnixfsError> {
        if b.cid().codec() == RAW {
            return Ok(Self::Raw {
                file_bytes: b.bytes().len() as u64,
            });
        }
        if b.cid().codec() != DAG_PB {
            return Err(UnixfsError("no UnixFS".into()));
        }
        let (l, d) = pb(b.bytes())?;
        let d = ufs(&d)?;
        Ok(match d.ty {
            0 | 2 => Self::File { file_bytes: d.size },
            1 => Self::Directory {
                entries: l.into_iter().map(|l| (l.name, l.cid)).collect(),
            },
            4 => Self::Symlink {},
            5 => Self::Shard {},
            _ => return Err(UnixfsError("unknown type".into())),
        })
    }
}
#[derive(Debug)]
pub enum Step {
    Need(Cid),
    Bytes { cid: Cid, range: Range<usize> },
    Done,
}
#[derive(Debug)]
pub struct FileReader {
    stack: VecDeque<(Cid, u64, Option<u64>)>,
    range: Range<u64>,
    out: Option<(Cid, Range<usize>)>,
}
impl FileReader {
    pub fn new(root: Cid, range: Range<u64>) -> Self {
        Self {
            stack: VecDeque::from([(root, 0, None)]),
            range,
            out: None,
        }
    }
    pub fn step(&mut self) -> Result<Step, UnixfsError> {
        if let Some((cid, range)) = self.out.take() {
            return Ok(Step::Bytes { cid, range });
        }
        Ok(match self.stack.front() {
            Some((c, at, _)) if *at < self.range.end => Step::Need(*c),
            _ => Step::Done,
        })
    }
    pub fn give(&mut self, b: &Block) -> Result<(), UnixfsError> {
        let Some((cid, at, size)) = self.stack.pop_front() else {
            return Err(UnixfsError("nothing needed".into()));
        };
        assert_eq!(cid, *b.cid());
        if cid.codec() == RAW {
            let len = b.bytes().len() as u64;
            if size.is_some_and(|s| s != len) {
                return Err(UnixfsError(format!(
                    "part {cid} has {len} bytes, and its file says otherwise"
                )));
            }
            let s = self.range.start.clamp(at, at + len) - at;
            let e = self.range.end.clamp(at, at + len) - at;
            self.out = Some((cid, s as usize..e as usize));
            return Ok(());
        }
        if cid.codec() != DAG_PB {
            return Err(UnixfsError("no UnixFS".into()));
        }
        let (l, d) = pb(b.bytes())?;
        let d = ufs(&d)?;
        if d.ty != 2 && d.ty != 0 {
            return Err(UnixfsError("not a file".into()));
        }
        if d.sizes.len() != l.len()
            || d.sizes.iter().sum::<u64>() != d.size
            || size.is_some_and(|s| s != d.size)
        {
            return Err(UnixfsError("sizes don't add up".into()));
        }
        let mut at = at;
        let mut new = vec![];
        for (l, s) in l.iter().zip(&d.sizes) {
            if at + s > self.range.start && at < self.range.end {
                new.push((l.cid, at, Some(*s)))
            }
            at += s;
        }
        for n in new.into_iter().rev() {
            self.stack.push_front(n)
        }
        Ok(())
    }
    pub fn upcoming(&self, n: usize) -> Vec<Cid> {
        self.stack.iter().take(n).map(|x| x.0).collect()
    }
}
pub fn cid_of_file(bytes: &[u8]) -> Cid {
    let mut t = Tree::new(Layout::default());
    let mut p = |_| Ok::<_, ()>(());
    if bytes.is_empty() {
        return crate::ipld::cid_of_raw(b"");
    }
    for c in bytes.chunks(262144) {
        let e = Entry {
            cid: crate::ipld::cid_of_raw(c),
            file_bytes: c.len() as u64,
            total_bytes: c.len() as u64,
        };
        t.push(e, &mut p).unwrap();
    }
    t.finish(&mut p).unwrap().cid
}
