//! A new index, made of what there is.
//!
//! The new index is written into a folder of its own. When it is complete, the old one's folder gets another name, the
//! new one's gets its place, and the old one is removed. After a crash between any two of these, the store has an index
//! that is whole, or has none and can be rebuilt.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use homestar_core::ipld::Block;
use rusqlite::{Connection, OpenFlags, Row, Transaction, TransactionBehavior, params};

use super::index::{self, Fault};
use super::io::Io;
use super::rows::{self, Totals, signed, unsigned, use_segment};
use super::segment::{Header, VERSION, scan};
use super::segments::{Segments, Spot};
use super::{Paths, at, is_there};
use crate::StoreError;

/// What [`Disk::rebuild`](super::Disk::rebuild) found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// How many blocks there are.
    pub blocks: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many receipts there are.
    pub receipts: u64,
    /// How many pins there are.
    pub pins: u64,
    /// How many names there are.
    pub names: u64,
    /// What couldn't be read of the old index: small blocks, receipts, pins or names may be lost.
    pub lost: Vec<String>,
}

pub(super) fn rebuild(io: &Arc<dyn Io>, paths: &Paths) -> Result<Rebuilt, StoreError> {
    let (current, new, old) = (
        paths.index_folder(),
        paths.0.join("index.new"),
        paths.0.join("index.old"),
    );
    let _ = io.remove_folder(&new);
    let source = match is_there(&**io, &current.join("index.db"))? {
        true => {
            // Left behind by a rebuild that was complete.
            let _ = io.remove_folder(&old);
            &current
        }
        false => &old,
    };
    io.create_folder(&new).map_err(at(&new))?;
    let path = new.join("index.db");
    let rebuilt = write(io, paths, &path, &source.join("index.db"))
        .map_err(|fault| index::error_of(&path, fault))?;
    io.sync_folder(&new).map_err(at(&new))?;
    if source == &current {
        io.rename(&current, &old).map_err(at(&current))?;
    }
    io.rename(&new, &current).map_err(at(&new))?;
    io.sync_folder(&paths.0).map_err(at(&paths.0))?;
    let _ = io.remove_folder(&old);
    Ok(rebuilt)
}

fn write(io: &Arc<dyn Io>, paths: &Paths, path: &Path, source: &Path) -> Result<Rebuilt, Fault> {
    let mut connection = index::connect(path, io.vfs(), OpenFlags::SQLITE_OPEN_CREATE)?;
    index::create(&mut connection)?;
    let mut rebuilt = Rebuilt::default();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let old = old(io, source, &mut rebuilt)?;
    for (select, order, take) in TABLES {
        if let Some(old) = &old {
            let mut take = |row: &Row<'_>| take(&transaction, row);
            if let Err(fault) = each(old, select, order, &mut take) {
                let error = index::error_of(source, fault);
                rebuilt.lost.push(format!("{}: {}", select, cause(&error)));
            }
        }
        if order == "id" {
            // Receipts come later: their blocks may lie in segments.
            from_segments(&transaction, io, paths)?;
        }
    }
    total(&transaction, old.as_ref(), &mut rebuilt)?;
    transaction.commit()?;
    // Closing writes the log into the index.
    connection.close().map_err(|(_, error)| error)?;
    Ok(rebuilt)
}

/// Opens the old index, if it is one.
fn old(
    io: &Arc<dyn Io>,
    source: &Path,
    rebuilt: &mut Rebuilt,
) -> Result<Option<Connection>, Fault> {
    if !is_there(&**io, source)? {
        rebuilt.lost.push("there was no index".to_owned());
        return Ok(None);
    }
    let old = index::connect(source, io.vfs(), OpenFlags::empty());
    let version = old.map_err(Fault::from).and_then(|old| {
        let version = index::version(&old)?;
        Ok((old, version))
    });
    match version {
        Ok((_, Some(found))) if found > VERSION => {
            let (path, known) = (PathBuf::from(source), VERSION);
            Err(StoreError::Version { path, found, known }.into())
        }
        Ok((old, _)) => Ok(Some(old)),
        Err(fault) => {
            let error = index::error_of(source, fault);
            rebuilt.lost.push(format!("the index: {}", cause(&error)));
            Ok(None)
        }
    }
}

fn cause(error: &StoreError) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), ToString::to_string)
}

type Take = fn(&Transaction<'_>, &Row<'_>) -> Result<(), Fault>;

/// What is taken over: a query, its order, and what is done with a row.
const TABLES: [(&str, &str, Take); 4] = [
    (
        "SELECT id, codec, touched, length, segment, offset, bytes, hash FROM blocks \
         WHERE segment IS NULL AND bytes IS NOT NULL",
        "id",
        block,
    ),
    (
        "SELECT label, cid, recursive, at_ms, touched FROM pins",
        "label, cid",
        pin,
    ),
    ("SELECT name, cid, touched FROM names", "name", name),
    (
        "SELECT r.number, b.hash, r.ran, r.reusable, r.at_ms FROM receipts r \
         JOIN blocks b ON b.id = r.block",
        "r.number",
        receipt,
    ),
];

/// Reads a table from its beginning, and if that ends in what is damaged, from its end too.
fn each(
    old: &Connection,
    select: &str,
    order: &str,
    take: &mut dyn FnMut(&Row<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut read = |sql: &str| {
        let mut statement = old.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            // A row that makes no sense is left out.
            match take(row) {
                Err(Fault::Row(_)) => {}
                taken => taken?,
            }
        }
        Ok(())
    };
    let forth = read(&format!("{select} ORDER BY {order}"));
    if forth.is_err() {
        let back = order.replace(',', " DESC,");
        let _: Result<(), Fault> = read(&format!("{select} ORDER BY {back} DESC"));
    }
    forth
}

fn block(new: &Transaction<'_>, row: &Row<'_>) -> Result<(), Fault> {
    let key = rows::key(row, 7)?;
    let codec = integer(row, 1)?;
    let bytes = row.get_ref(6)?.as_blob().map_err(|_| NO_SENSE)?;
    let cid = key.cid(codec.cast_unsigned()).ok_or(NO_SENSE)?;
    let block = Block::verify(cid, bytes.to_vec()).map_err(|_| NO_SENSE)?;
    let sql = "INSERT INTO blocks (hash, codec, touched, length, bytes) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT (hash) DO NOTHING";
    new.prepare_cached(sql)?.execute(params![
        &key.0[..],
        codec,
        integer(row, 2)?,
        signed(block.bytes().len() as u64),
        block.bytes(),
    ])?;
    Ok(())
}

fn pin(new: &Transaction<'_>, row: &Row<'_>) -> Result<(), Fault> {
    let sql = "INSERT OR REPLACE INTO pins VALUES (?1, ?2, ?3, ?4, ?5)";
    new.prepare_cached(sql)?.execute(params![
        text(row, 0)?,
        rows::cid(row, 1)?.to_bytes(),
        integer(row, 2)? != 0,
        integer(row, 3)?,
        integer(row, 4)?,
    ])?;
    Ok(())
}

fn name(new: &Transaction<'_>, row: &Row<'_>) -> Result<(), Fault> {
    let sql = "INSERT OR REPLACE INTO names VALUES (?1, ?2, ?3)";
    let cid = rows::cid(row, 1)?.to_bytes();
    let mut statement = new.prepare_cached(sql)?;
    statement.execute(params![text(row, 0)?, cid, integer(row, 2)?])?;
    Ok(())
}

fn receipt(new: &Transaction<'_>, row: &Row<'_>) -> Result<(), Fault> {
    let key = rows::key(row, 1)?;
    let ran = row.get_ref(2)?.as_blob().map_err(|_| NO_SENSE)?;
    // Without its block there is no receipt.
    let sql = "INSERT OR IGNORE INTO receipts (number, block, ran, reusable, at_ms) \
               SELECT ?1, id, ?2, ?3, ?4 FROM blocks WHERE hash = ?5";
    new.prepare_cached(sql)?.execute(params![
        integer(row, 0)?,
        ran,
        integer(row, 3)? != 0,
        integer(row, 4)?,
        &key.0[..],
    ])?;
    Ok(())
}

const NO_SENSE: Fault = Fault::Row("a column holds what it can't");

fn integer(row: &Row<'_>, column: usize) -> Result<i64, Fault> {
    row.get_ref(column)?.as_i64().map_err(|_| NO_SENSE)
}

fn text<'row>(row: &'row Row<'_>, column: usize) -> Result<&'row str, Fault> {
    row.get_ref(column)?.as_str().map_err(|_| NO_SENSE)
}

fn from_segments(new: &Transaction<'_>, io: &Arc<dyn Io>, paths: &Paths) -> Result<(), Fault> {
    let segments = Segments::new(Arc::clone(io), paths.segments(), 0);
    for number in segments.numbers()? {
        let path = segments.path(number);
        let Some(file) = segments.file(number).map_err(at(&path))? else {
            continue;
        };
        segments.check_version(number, &*file)?;
        let end = file.len().map_err(at(&path))?;
        use_segment(new, number, 0, end)?;
        scan::<ScanFault>(&*file, |offset, header, _| {
            let (segment, length) = (number, header.length);
            let spot = Spot {
                segment,
                offset,
                length,
            };
            Ok(found(new, header, &spot)?)
        })
        .map_err(|fault| fault.at(&path))?;
    }
    Ok(())
}

fn found(new: &Transaction<'_>, header: &Header, spot: &Spot) -> Result<(), Fault> {
    let sql = "INSERT INTO blocks (hash, codec, touched, length, segment, offset) \
               VALUES (?1, ?2, 0, ?3, ?4, ?5) ON CONFLICT (hash) DO NOTHING";
    let inserted = new.prepare_cached(sql)?.execute(params![
        &header.key.0[..],
        signed(header.codec),
        header.length,
        signed(spot.segment),
        signed(spot.offset),
    ])?;
    if inserted > 0 {
        use_segment(new, spot.segment, spot.record_bytes().cast_signed(), 0)?;
    }
    Ok(())
}

/// What ends a scan: the file, or the new index.
enum ScanFault {
    File(std::io::Error),
    Index(Fault),
}

impl From<std::io::Error> for ScanFault {
    fn from(error: std::io::Error) -> Self {
        Self::File(error)
    }
}

impl From<Fault> for ScanFault {
    fn from(fault: Fault) -> Self {
        Self::Index(fault)
    }
}

impl ScanFault {
    fn at(self, path: &Path) -> Fault {
        match self {
            Self::File(error) => at(path)(error).into(),
            Self::Index(fault) => fault,
        }
    }
}

/// Counts what there is, and lets new epochs and receipts have higher numbers than all before.
fn total(
    new: &Transaction<'_>,
    old: Option<&Connection>,
    rebuilt: &mut Rebuilt,
) -> Result<(), Fault> {
    let number = |sql: &str| new.query_row(sql, [], |row| unsigned(row, 0));
    rebuilt.blocks = number("SELECT count(*) FROM blocks")?;
    rebuilt.bytes = number("SELECT coalesce(sum(length), 0) FROM blocks")?;
    rebuilt.receipts = number("SELECT count(*) FROM receipts")?;
    rebuilt.pins = number("SELECT count(*) FROM pins")?;
    rebuilt.names = number("SELECT count(*) FROM names")?;
    let touched = number(
        "SELECT max(coalesce((SELECT max(touched) FROM blocks), 0), \
         coalesce((SELECT max(touched) FROM pins), 0), \
         coalesce((SELECT max(touched) FROM names), 0))",
    )?;
    let newest = number("SELECT coalesce(max(number), 0) FROM receipts")?;
    let before = old.and_then(|old| Totals::read(old).ok());
    let totals = Totals {
        epoch: before.map_or(0, |before| before.epoch).max(touched).max(1),
        blocks: rebuilt.blocks,
        bytes: rebuilt.bytes,
        receipts: before.map_or(0, |before| before.receipts).max(newest),
    };
    totals.write(new)
}
