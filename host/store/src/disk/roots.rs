//! Pins and names, and the other small tables.

use homestar_core::ipld::Cid;
use rusqlite::{Connection, OptionalExtension, params};

use super::index::Fault;
use super::rows::{Totals, cid, signed, unsigned};
use super::{Inner, rows};
use crate::key::Key;
use crate::{Depth, Pin, Stats, StoreError};

impl Inner {
    pub(super) fn list(&self, after: Option<&Cid>, limit: usize) -> Result<Vec<Cid>, StoreError> {
        let after = after.and_then(Key::of);
        let after = after.as_ref().map_or(&[][..], |key| &key.0);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.index.read(|connection| {
            let sql = "SELECT hash, codec FROM blocks WHERE hash > ?1 ORDER BY hash LIMIT ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let mut found = statement.query(params![after, limit])?;
            let mut cids = vec![];
            while let Some(row) = found.next()? {
                let cid = rows::key(row, 0)?.cid(unsigned(row, 1)?);
                cids.push(cid.ok_or(Fault::Row("a hash is none"))?);
            }
            Ok(cids)
        })
    }

    pub(super) fn pin_all(&self, pins: &[Pin]) -> Result<(), StoreError> {
        self.index.write(|transaction| {
            let epoch = Totals::read(transaction)?.epoch;
            let sql = "INSERT OR REPLACE INTO pins (label, cid, recursive, at_ms, touched) \
                       VALUES (?1, ?2, ?3, ?4, ?5)";
            let mut statement = transaction.prepare_cached(sql)?;
            for pin in pins {
                statement.execute(params![
                    pin.label,
                    pin.cid.to_bytes(),
                    pin.depth == Depth::Recursive,
                    signed(pin.at_ms),
                    signed(epoch),
                ])?;
            }
            Ok(())
        })
    }

    pub(super) fn unpin(&self, cid: &Cid, label: &str) -> Result<bool, StoreError> {
        self.index.write(|transaction| {
            let sql = "DELETE FROM pins WHERE label = ?1 AND cid = ?2";
            let mut statement = transaction.prepare_cached(sql)?;
            Ok(statement.execute(params![label, cid.to_bytes()])? > 0)
        })
    }

    pub(super) fn pins(&self) -> Result<Vec<Pin>, StoreError> {
        self.index.read(|connection| pins_since(connection, 0))
    }

    pub(super) fn set_name(&self, name: &str, to: Option<&Cid>) -> Result<Option<Cid>, StoreError> {
        self.index.write(|transaction| {
            let old = name_of(transaction, name)?;
            lead(transaction, name, to)?;
            Ok(old)
        })
    }

    pub(super) fn swap_name(
        &self,
        name: &str,
        old: Option<&Cid>,
        new: Option<&Cid>,
    ) -> Result<bool, StoreError> {
        self.index.write(|transaction| {
            if name_of(transaction, name)?.as_ref() != old {
                return Ok(false);
            }
            lead(transaction, name, new)?;
            Ok(true)
        })
    }

    pub(super) fn name(&self, name: &str) -> Result<Option<Cid>, StoreError> {
        self.index.read(|connection| name_of(connection, name))
    }

    pub(super) fn names_under(&self, beginning: &str) -> Result<Vec<(String, Cid)>, StoreError> {
        self.index
            .read(|connection| names_under(connection, beginning))
    }

    pub(super) fn stats(&self) -> Result<Stats, StoreError> {
        let mut stats = self.index.read(|connection| {
            let totals = Totals::read(connection)?;
            let count = |table: &str| {
                let sql = format!("SELECT count(*) FROM {table}");
                connection.query_row(&sql, [], |row| unsigned(row, 0))
            };
            Ok(Stats {
                blocks: totals.blocks,
                bytes: totals.bytes,
                quota_bytes: self.config.quota_bytes,
                disk_bytes: 0,
                receipts: count("receipts")?,
                pins: count("pins")?,
                names: count("names")?,
            })
        })?;
        stats.disk_bytes = self.segments.disk_bytes()? + self.index.disk_bytes()?;
        Ok(stats)
    }
}

/// Returns the pins that were set since an epoch.
pub(super) fn pins_since(connection: &Connection, epoch: u64) -> Result<Vec<Pin>, Fault> {
    let sql =
        "SELECT label, cid, recursive, at_ms FROM pins WHERE touched >= ?1 ORDER BY label, cid";
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query([signed(epoch)])?;
    let mut pins = vec![];
    while let Some(row) = found.next()? {
        let depth = match row.get(2)? {
            true => Depth::Recursive,
            false => Depth::Direct,
        };
        pins.push(Pin {
            label: row.get(0)?,
            cid: cid(row, 1)?,
            depth,
            at_ms: unsigned(row, 3)?,
        });
    }
    Ok(pins)
}

/// Returns the names that were set since an epoch.
pub(super) fn names_since(
    connection: &Connection,
    epoch: u64,
) -> Result<Vec<(String, Cid)>, Fault> {
    let sql = "SELECT name, cid FROM names WHERE touched >= ?1 ORDER BY name";
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query([signed(epoch)])?;
    let mut names = vec![];
    while let Some(row) = found.next()? {
        names.push((row.get(0)?, cid(row, 1)?));
    }
    Ok(names)
}

fn names_under(connection: &Connection, beginning: &str) -> Result<Vec<(String, Cid)>, Fault> {
    let sql = "SELECT name, cid FROM names WHERE name >= ?1 ORDER BY name";
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query([beginning])?;
    let mut names = vec![];
    while let Some(row) = found.next()? {
        let name: String = row.get(0)?;
        if !name.starts_with(beginning) {
            break;
        }
        names.push((name, cid(row, 1)?));
    }
    Ok(names)
}

fn name_of(connection: &Connection, name: &str) -> Result<Option<Cid>, Fault> {
    let mut statement = connection.prepare_cached("SELECT cid FROM names WHERE name = ?1")?;
    let found = statement.query_row([name], |row| Ok(cid(row, 0)));
    found.optional()?.transpose()
}

fn lead(connection: &Connection, name: &str, to: Option<&Cid>) -> Result<(), Fault> {
    let Some(to) = to else {
        let mut statement = connection.prepare_cached("DELETE FROM names WHERE name = ?1")?;
        statement.execute([name])?;
        return Ok(());
    };
    let epoch = Totals::read(connection)?.epoch;
    let sql = "INSERT OR REPLACE INTO names (name, cid, touched) VALUES (?1, ?2, ?3)";
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute(params![name, to.to_bytes(), signed(epoch)])?;
    Ok(())
}
