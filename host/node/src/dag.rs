//! Whole DAGs: pinned, written to a CAR file, read from one.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use homestar_core::car::{self, CarError};
use homestar_core::ipld::{Block, BlockError, Cid, MAX_BLOCK_BYTES, RAW};
use homestar_net::{FetchError, Scope, wait};
use homestar_store::{Pin, Store, StoreError};
use thiserror::Error;

use crate::read::{AHEAD, Held, links_of};
use crate::staging::Staging;
use crate::{ReadError, Source, SourceError};

/// Pins a block and everything that it links to, after fetching what isn't here. Returns how much that is.
pub fn pin(source: &Source, pin: &Pin) -> Result<Held, ReadError> {
    let store = source.store();
    let session = store.session()?;
    session.hold(&[pin.cid])?;
    let held = complete(source, &pin.cid)?;
    store.flush()?;
    store.pin(pin)?;
    Ok(held)
}

/// Fetches what isn't here of a DAG.
fn complete(source: &Source, root: &Cid) -> Result<Held, ReadError> {
    let mut seen = HashSet::from([*root]);
    let mut todo = vec![*root];
    let mut held = Held::default();
    fetch(source, &[*root])?;
    while let Some(cid) = todo.pop() {
        if cid.codec() == RAW {
            match source.store().size(&cid)? {
                Some(bytes) => {
                    held.blocks += 1;
                    held.bytes += bytes;
                    continue;
                }
                // It holds its bytes itself, or is to be had now or never.
                None => source.get(&cid)?,
            };
            continue;
        }
        let block = source.get(&cid)?;
        held.blocks += 1;
        held.bytes += block.bytes().len() as u64;
        let links = homestar_core::unixfs::links(&block)?;
        let new: Vec<_> = links
            .into_iter()
            .filter(|link| seen.insert(*link))
            .collect();
        fetch(source, &new)?;
        todo.extend(new.into_iter().rev());
    }
    Ok(held)
}

/// Fetches those of `cids` that aren't here: leaves side by side, anything else with all that it leads to.
fn fetch(source: &Source, cids: &[Cid]) -> Result<(), ReadError> {
    let missing = source.store().missing(cids)?;
    let missing = missing
        .into_iter()
        .filter(|cid| Block::inline(cid).is_none());
    let (leaves, others): (Vec<_>, Vec<_>) = missing.partition(|cid| cid.codec() == RAW);
    let unavailable = |cid: Cid| match source.fetch() {
        Some(fetch) => Ok(fetch),
        None => Err(ReadError::Source(SourceError::Missing { cid })),
    };
    let mut failure = None;
    let mut take = |block: Block| match source.store().stage(&[block]) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failure = Some(error);
            ControlFlow::Break(())
        }
    };
    let mut fetched = Ok(());
    let mut of = None;
    if let Some(first) = leaves.first() {
        of = Some(*first);
        fetched = wait(unavailable(*first)?.blocks(&leaves, &mut take));
    }
    for cid in &others {
        if fetched.is_err() {
            break;
        }
        of = Some(*cid);
        fetched = wait(unavailable(*cid)?.dag(cid, Scope::All, &mut take));
    }
    match (failure, fetched, of) {
        (Some(error), ..) => Err(error.into()),
        (None, Err(error), Some(cid)) => Err(not_fetched(cid, error)),
        _ => Ok(()),
    }
}

fn not_fetched(asked: Cid, error: FetchError) -> ReadError {
    let cid = match &error {
        FetchError::NoProvider { cid }
        | FetchError::Nowhere { cid, .. }
        | FetchError::Hash { cid, .. } => *cid,
        _ => asked,
    };
    let source = Box::new(error);
    SourceError::Unavailable { cid, source }.into()
}

/// Writes DAGs as a CAR file: each root with all that it leads to, depth first, every block once. `progress` is told how
/// many bytes more were written.
pub fn write_car(
    source: &Source,
    roots: &[Cid],
    output: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<Held, WriteCarError> {
    let mut put = |bytes: &[u8]| {
        progress(bytes.len() as u64);
        output.write_all(bytes).map_err(WriteCarError::Write)
    };
    put(&car::write(roots, []))?;
    let mut seen = HashSet::new();
    let mut todo: Vec<_> = roots.iter().rev().copied().collect();
    let mut held = Held::default();
    while let Some(cid) = todo.pop() {
        if Block::inline(&cid).is_some() || !seen.insert(cid) {
            continue;
        }
        let next = todo.iter().rev().take(AHEAD - 1);
        let next: Vec<_> = std::iter::once(&cid).chain(next).copied().collect();
        source.ahead(&next);
        let block = source.get(&cid).map_err(ReadError::from)?;
        let name = cid.to_bytes();
        put(&varint(name.len() + block.bytes().len()))?;
        put(&name)?;
        put(block.bytes())?;
        held.blocks += 1;
        held.bytes += block.bytes().len() as u64;
        let links = homestar_core::unixfs::links(&block).map_err(ReadError::from)?;
        todo.extend(links.into_iter().rev().filter(|link| !seen.contains(link)));
    }
    Ok(held)
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// What a CAR file had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FromCar {
    /// Its roots.
    pub roots: Vec<Cid>,
    /// How many blocks.
    pub blocks: u64,
    /// How many bytes these have.
    pub bytes: u64,
}

/// A CID has fewer bytes than this: two numbers, and a multihash.
const CID_BYTES_MAX: usize = 128;

/// Bytes of a length: so many that a header and a block fit, and no more.
const LENGTH_BYTES_MAX: usize = 4;

/// Puts the blocks of a CAR file into a store, one by one, each checked against its name. They are durable when this
/// returns, and garbage until somebody pins them: hold a session of the store. `progress` is told how many bytes more
/// were read.
pub fn read_car(
    store: &dyn Store,
    input: &mut dyn Read,
    progress: &mut dyn FnMut(u64),
) -> Result<FromCar, ReadCarError> {
    let mut sections = Sections { input, at: 0 };
    let mut section = Vec::new();
    if !sections.next(&mut section, true)? {
        return Err(ReadCarError::Empty);
    }
    let mut from = FromCar {
        roots: car::Reader::new(&section)?.roots().to_vec(),
        ..FromCar::default()
    };
    progress(sections.at);
    let mut staging = Staging::new(store);
    loop {
        let at = sections.at;
        if !sections.next(&mut section, false)? {
            break;
        }
        progress(sections.at - at);
        let mut rest = &section[..];
        let cid = Cid::read_bytes(&mut rest).map_err(|_| ReadCarError::NoCid { at })?;
        let length = section.len() - rest.len();
        if cid.to_bytes() != section[..length] {
            return Err(ReadCarError::NoCid { at });
        }
        let block = Block::verify(cid, rest.to_vec())
            .map_err(|source| ReadCarError::Block { at, source })?;
        // What a CID holds in itself needs no keeping.
        if Block::inline(&cid).is_none() {
            from.blocks += 1;
            from.bytes += block.bytes().len() as u64;
            staging.push(block)?;
        }
    }
    staging.flush()?;
    Ok(from)
}

/// The sections of a CAR file: a length, and so many bytes.
struct Sections<'a> {
    input: &'a mut dyn Read,
    /// Where it has come to.
    at: u64,
}

impl Sections<'_> {
    /// Reads the next section, its length included if that is asked for. False at the end of the file.
    fn next(&mut self, section: &mut Vec<u8>, with_length: bool) -> Result<bool, ReadCarError> {
        section.clear();
        let start = self.at;
        let mut length = 0usize;
        for shift in 0.. {
            let mut byte = [0];
            if self.read(&mut byte)? == 0 {
                return match shift {
                    0 => Ok(false),
                    _ => Err(ReadCarError::Cut { at: start }),
                };
            }
            section.push(byte[0]);
            length |= usize::from(byte[0] & 0x7f) << (7 * shift);
            if byte[0] < 0x80 {
                break;
            }
            if shift + 1 == LENGTH_BYTES_MAX {
                return Err(ReadCarError::Length { at: start });
            }
        }
        if length > MAX_BLOCK_BYTES + CID_BYTES_MAX {
            return Err(ReadCarError::Length { at: start });
        }
        if !with_length {
            section.clear();
        }
        let before = section.len();
        section.resize(before + length, 0);
        match self.read(&mut section[before..])? == length {
            true => Ok(true),
            false => Err(ReadCarError::Cut { at: start }),
        }
    }

    /// Fills the buffer, as far as there is anything.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadCarError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.input.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(length) => filled += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ReadCarError::Unreadable(error)),
            }
        }
        self.at += filled as u64;
        Ok(filled)
    }
}

/// Forgets what nothing needs.
pub fn gc(store: &dyn Store) -> Result<homestar_store::Collected, StoreError> {
    store.gc(&links_of)
}

/// Why a CAR file wasn't written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WriteCarError {
    /// A block isn't to be had.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It can't be written.
    #[error("can't write")]
    Write(#[source] io::Error),
}

/// Why a CAR file wasn't read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadCarError {
    /// It can't be read.
    #[error("can't read")]
    Unreadable(#[source] io::Error),
    /// It has no bytes.
    #[error("it is empty")]
    Empty,
    /// Its header isn't one.
    #[error("it is no CAR file")]
    Header(#[from] CarError),
    /// It ends inside of something.
    #[error("it ends inside of what begins at byte {at}")]
    Cut {
        /// Where that begins.
        at: u64,
    },
    /// A length is longer than any block, or isn't one.
    #[error("byte {at} begins no block of at most {MAX_BLOCK_BYTES} bytes")]
    Length {
        /// Where it begins.
        at: u64,
    },
    /// A block has no CID, or one that isn't written in its shortest form.
    #[error("the block at byte {at} has no CID")]
    NoCid {
        /// Where it begins.
        at: u64,
    },
    /// A block isn't what its CID says.
    #[error("the block at byte {at} is not what its CID says")]
    Block {
        /// Where it begins.
        at: u64,
        /// What is wrong.
        source: BlockError,
    },
    /// The store can't take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}
