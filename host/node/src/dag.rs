//! Whole DAGs: pinned, written to a CAR file, read from one.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use homestar_core::car::{self, CarError, Parser, Piece};
use homestar_core::ipld::{Block, Cid, RAW};
use homestar_net::{FetchError, Scope, wait};
use homestar_store::{Pin, Store, StoreError};
use thiserror::Error;

use crate::read::{AHEAD, Held, links_of};
use crate::staging::Staging;
use crate::{ReadError, Source, SourceError};

/// Pins a block and everything that it links to, after fetching what isn't here. Returns how much that is. `progress` is
/// told how many bytes more came from elsewhere.
pub fn pin(
    source: &Source,
    pin: &Pin,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<Held, ReadError> {
    let store = source.store();
    let session = store.session()?;
    session.hold(&[pin.cid])?;
    let held = complete(source, &pin.cid, progress)?;
    store.flush()?;
    store.pin(pin)?;
    Ok(held)
}

/// Fetches what isn't here of a DAG.
fn complete(
    source: &Source,
    root: &Cid,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<Held, ReadError> {
    let mut seen = HashSet::from([*root]);
    let mut todo = vec![*root];
    let mut held = Held::default();
    fetch(source, &[*root], progress)?;
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
        fetch(source, &new, progress)?;
        todo.extend(new.into_iter().rev());
    }
    Ok(held)
}

/// Fetches those of `cids` that aren't here: leaves side by side, anything else with all that it leads to.
fn fetch(
    source: &Source,
    cids: &[Cid],
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<(), ReadError> {
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
    let mut take = |block: Block| {
        progress(block.bytes().len() as u64);
        match source.store().stage(&[block]) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
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
    put(&car::header(roots))?;
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
        put(&car::section_head(&block))?;
        put(block.bytes())?;
        held.blocks += 1;
        held.bytes += block.bytes().len() as u64;
        let links = homestar_core::unixfs::links(&block).map_err(ReadError::from)?;
        todo.extend(links.into_iter().rev().filter(|link| !seen.contains(link)));
    }
    Ok(held)
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

/// What is read at once of a CAR file, in bytes.
const READ_BYTES: usize = 256 << 10;

/// Puts the blocks of a CAR file into a store as they come, each checked against its name. They are durable when this
/// returns, and garbage until somebody pins them: hold a session of the store. `progress` is told how many bytes more
/// were read.
pub fn read_car(
    store: &dyn Store,
    input: &mut dyn Read,
    progress: &mut dyn FnMut(u64),
) -> Result<FromCar, ReadCarError> {
    let mut from = FromCar::default();
    let mut staging = Staging::new(store);
    let mut parser = Parser::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let length = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(ReadCarError::Unreadable(error)),
        };
        progress(length as u64);
        let mut bytes = &buffer[..length];
        while let Some(piece) = parser.next(&mut bytes)? {
            match piece {
                Piece::Header { roots } => from.roots = roots,
                // What a CID holds in itself needs no keeping.
                Piece::Block(block) if Block::inline(block.cid()).is_some() => {}
                Piece::Block(block) => {
                    from.blocks += 1;
                    from.bytes += block.bytes().len() as u64;
                    staging.push(block)?;
                }
            }
        }
    }
    parser.end()?;
    staging.flush()?;
    Ok(from)
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
    /// It isn't one, or a block in it isn't what its CID says.
    #[error("it is not a good CAR file")]
    Car(#[from] CarError),
    /// The store can't take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}
