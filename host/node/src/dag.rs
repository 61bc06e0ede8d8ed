//! Whole DAGs: pinned, written to a CAR file, read from one.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use homestar_core::car::{self, CarError, Parser, Piece};
use homestar_core::ipld::{Block, Cid};
use homestar_net::{FetchError, Scope};
use homestar_store::{Pin, Store, StoreError};
use thiserror::Error;

use crate::missing::{Missing, MissingError};
use crate::read::{Held, links_of};
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
    let store = source.store();
    let missing = Missing {
        store: &**store,
        roots: &[*root],
        scope: Scope::All,
        looked_at_max: usize::MAX,
    };
    let Some(fetch) = source.fetch() else {
        if let Some(cid) = missing.first()? {
            // It may be damaged, too.
            source.get(&cid)?;
        }
        return source.held(root);
    };
    let mut failure = None;
    let mut take = |block: Block| {
        progress(block.bytes().len() as u64);
        match store.stage(&[block]) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        }
    };
    let fetched = missing.fetch(&**fetch, &mut take);
    match (failure, fetched) {
        (Some(error), _) => Err(error.into()),
        (None, Ok(())) => source.held(root),
        (None, Err(MissingError::Read(error))) => Err(error),
        (None, Err(MissingError::Fetch(next, error))) => {
            // If it can't be fetched, the damage is what a person has to know.
            if let Some(next) = next {
                store.get(&next)?;
            }
            Err(not_fetched(next.unwrap_or(*root), error))
        }
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
    let follow = source.follow(roots.to_vec(), Scope::All);
    let mut seen = HashSet::new();
    let mut todo: Vec<_> = roots.iter().rev().copied().collect();
    let mut held = Held::default();
    while let Some(cid) = todo.pop() {
        if Block::inline(&cid).is_some() || !seen.insert(cid) {
            continue;
        }
        let block = follow.get(&cid).map_err(ReadError::from)?;
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
