//! Rows of the index, and the statements that read and write them.

use homestar_core::ipld::Cid;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::index::Fault;
use super::segments::Spot;
use crate::key::Key;

/// What the index knows of a block.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) id: i64,
    pub(super) codec: u64,
    pub(super) touched: u64,
    pub(super) length: u64,
    pub(super) place: Place,
}

/// Where the bytes of a block are.
#[derive(Debug)]
pub(super) enum Place {
    /// In the index.
    Inline(Vec<u8>),
    /// In a segment.
    Segment(Spot),
    /// Nowhere: they were damaged when the segment was compacted.
    Lost,
}

/// The one row of the table `store`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Totals {
    /// How often garbage was collected: the clock by which sessions and blocks are compared.
    pub(super) epoch: u64,
    pub(super) blocks: u64,
    pub(super) bytes: u64,
    /// The number of the newest receipt.
    pub(super) receipts: u64,
}

/// Numbers that SQLite has no type for are kept as the signed ones with the same bits.
pub(super) fn signed(number: u64) -> i64 {
    number.cast_signed()
}

pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

impl Totals {
    pub(super) fn read(connection: &Connection) -> Result<Self, Fault> {
        let sql = "SELECT epoch, blocks, bytes, receipts FROM store";
        let mut statement = connection.prepare_cached(sql)?;
        Ok(statement.query_row([], |row| {
            Ok(Self {
                epoch: unsigned(row, 0)?,
                blocks: unsigned(row, 1)?,
                bytes: unsigned(row, 2)?,
                receipts: unsigned(row, 3)?,
            })
        })?)
    }

    pub(super) fn write(&self, connection: &Connection) -> Result<(), Fault> {
        let sql = "UPDATE store SET epoch = ?1, blocks = ?2, bytes = ?3, receipts = ?4";
        connection.prepare_cached(sql)?.execute(params![
            signed(self.epoch),
            signed(self.blocks),
            signed(self.bytes),
            signed(self.receipts),
        ])?;
        Ok(())
    }
}

impl Known {
    /// Finds a block.
    pub(super) fn find(connection: &Connection, key: &Key) -> Result<Option<Self>, Fault> {
        let sql =
            "SELECT id, codec, touched, length, segment, offset, bytes FROM blocks WHERE hash = ?1";
        let mut statement = connection.prepare_cached(sql)?;
        let found = statement.query_row([&key.0[..]], |row| Ok(Self::of(row)));
        found.optional()?.transpose()
    }

    /// Reads a row of: id, codec, touched, length, segment, offset, bytes.
    pub(super) fn of(row: &Row<'_>) -> Result<Self, Fault> {
        let length = unsigned(row, 3)?;
        let segment = row.get::<_, Option<i64>>(4)?;
        let place = match segment {
            Some(segment) => Place::Segment(Spot {
                segment: segment.cast_unsigned(),
                offset: unsigned(row, 5)?,
                length: u32::try_from(length).map_err(|_| Fault::Row("a block has no length"))?,
            }),
            None => row
                .get::<_, Option<Vec<u8>>>(6)?
                .map_or(Place::Lost, Place::Inline),
        };
        Ok(Self {
            id: row.get(0)?,
            codec: unsigned(row, 1)?,
            touched: unsigned(row, 2)?,
            length,
            place,
        })
    }
}

/// Reads a key.
pub(super) fn key(row: &Row<'_>, column: usize) -> Result<Key, Fault> {
    let bytes = row.get_ref(column)?.as_blob().ok();
    let key = bytes.and_then(|bytes| bytes.try_into().ok()).map(Key);
    key.ok_or(Fault::Row("a hash is none"))
}

/// Reads a CID.
pub(super) fn cid(row: &Row<'_>, column: usize) -> Result<Cid, Fault> {
    let bytes = row.get_ref(column)?.as_blob().ok();
    let cid = bytes.and_then(|bytes| Cid::try_from(bytes).ok());
    cid.ok_or(Fault::Row("a CID is none"))
}

/// Returns the length of a block, without reading it.
pub(super) fn length(connection: &Connection, key: &Key) -> Result<Option<u64>, Fault> {
    let mut statement = connection.prepare_cached("SELECT length FROM blocks WHERE hash = ?1")?;
    let length = statement.query_row([&key.0[..]], |row| unsigned(row, 0));
    Ok(length.optional()?)
}

/// Says that so many more bytes of a segment are of use, or fewer, and how far it is known to reach.
pub(super) fn use_segment(
    connection: &Connection,
    segment: u64,
    more: i64,
    end: u64,
) -> Result<(), Fault> {
    let sql = "INSERT INTO segments (id, end, alive) VALUES (?1, ?2, ?3) \
               ON CONFLICT (id) DO UPDATE SET end = max(end, excluded.end), alive = alive + ?3";
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute(params![signed(segment), signed(end), more])?;
    Ok(())
}
