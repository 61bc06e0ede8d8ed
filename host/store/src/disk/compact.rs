//! Space comes back: what is of use in a segment that is mostly garbage moves to another one, and the file goes.
//!
//! The bytes are durable in their new place before the index points there, and the index points there before the file is
//! removed. Whoever has found the old place and not read it yet finds no file, or another record, and looks again.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use homestar_core::ipld::{Block, Buffers};
use rusqlite::{Transaction, params};

use super::index::Fault;
use super::io::IoFile;
use super::rows::{self, signed, unsigned, use_segment};
use super::segment::read_bytes;
use super::segments::Spot;
use super::{Inner, at};
use crate::key::Key;
use crate::{Flaw, StoreError};

/// Bytes that are moved in one commit.
const STEP_BYTES: u64 = 16 << 20;

/// A block in a segment that is to go.
struct Tenant {
    id: i64,
    key: Key,
    codec: u64,
    spot: Spot,
}

impl Inner {
    /// Empties and removes the segments of which less than half is of use, and those that nothing points to.
    pub(super) fn compact(&self) -> Result<(), StoreError> {
        for number in self.wasteful()? {
            self.segments.retire(number);
            // Somebody may be writing to it; then it is for the next time.
            if let Some(file) = self.segments.claim(number)? {
                self.empty(number, &*file)?;
            }
        }
        self.remove_unknown()
    }

    fn wasteful(&self) -> Result<Vec<u64>, StoreError> {
        let known = self.index.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT id, alive FROM segments")?;
            let found = statement.query_map([], |row| Ok((unsigned(row, 0)?, row.get(1)?)))?;
            Ok(found.collect::<Result<Vec<(u64, i64)>, _>>()?)
        })?;
        let mut wasteful = vec![];
        for (number, alive) in known {
            let path = self.segments.path(number);
            let bytes = match self.segments.file(number).map_err(at(&path))? {
                Some(file) => file.len().map_err(at(&path))?,
                None => 0,
            };
            if alive.max(0).cast_unsigned() < bytes / 2 {
                wasteful.push(number);
            }
        }
        Ok(wasteful)
    }

    /// Moves what is of use in a segment to others.
    fn empty(&self, number: u64, file: &dyn IoFile) -> Result<(), StoreError> {
        let mut after = -1;
        loop {
            let tenants = self.tenants(number, after)?;
            let Some(last) = tenants.last() else { break };
            after = signed(last.spot.offset);
            self.move_out(file, tenants)?;
        }
        self.index.write(|transaction| {
            let sql = "DELETE FROM segments WHERE id = ?1 \
                       AND NOT EXISTS (SELECT 1 FROM blocks WHERE segment = ?1)";
            transaction.execute(sql, [signed(number)])?;
            Ok(())
        })
    }

    fn tenants(&self, number: u64, after: i64) -> Result<Vec<Tenant>, StoreError> {
        self.index.read(|connection| {
            let sql = "SELECT id, hash, codec, offset, length FROM blocks \
                       WHERE segment = ?1 AND offset > ?2 ORDER BY offset";
            let mut statement = connection.prepare_cached(sql)?;
            let mut found = statement.query(params![signed(number), after])?;
            let (mut tenants, mut bytes) = (vec![], 0);
            while let Some(row) = found.next()? {
                let length = u32::try_from(unsigned(row, 4)?);
                let spot = Spot {
                    segment: number,
                    offset: unsigned(row, 3)?,
                    length: length.map_err(|_| Fault::Row("a block has no length"))?,
                };
                tenants.push(Tenant {
                    id: row.get(0)?,
                    key: rows::key(row, 1)?,
                    codec: unsigned(row, 2)?,
                    spot,
                });
                bytes += spot.record_bytes();
                if bytes >= STEP_BYTES {
                    break;
                }
            }
            Ok(tenants)
        })
    }

    fn move_out(&self, file: &dyn IoFile, tenants: Vec<Tenant>) -> Result<(), StoreError> {
        let mut moved = vec![];
        let mut needed = BTreeSet::new();
        for tenant in tenants {
            match tenant.read(file, self.segments.buffers()) {
                Ok(block) => {
                    let written = self.segments.append(&block, || self.segments_with_room())?;
                    needed.insert(written.spot.segment);
                    moved.push((tenant, Some(written)));
                }
                // The disk may do better another time.
                Err(Flaw::Unreadable(_)) => {}
                Err(_) => moved.push((tenant, None)),
            }
        }
        self.segments.sync(&needed)?;
        self.index.write(|transaction| {
            for (tenant, written) in &moved {
                let spot = written.as_ref().map(|written| &written.spot);
                tenant.moves(transaction, spot)?;
            }
            Ok(())
        })
    }

    /// Removes files that no row of the index speaks of. They were left behind by a crash, before a commit or after one.
    fn remove_unknown(&self) -> Result<(), StoreError> {
        let mut found = self.segments.numbers()?;
        let known = self.index.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT id FROM segments")?;
            let known = statement.query_map([], |row| unsigned(row, 0))?;
            Ok(known.collect::<Result<HashSet<_>, _>>()?)
        })?;
        found.retain(|number| !known.contains(number));
        for number in found {
            // It may have become known since; but then it is its writer's, or has a row by now.
            let Some(claimed) = self.segments.claim(number)? else {
                continue;
            };
            if !self.is_known(number)? {
                self.remove_claimed(number, claimed)?;
            }
        }
        self.segments.close_removed();
        Ok(())
    }

    fn is_known(&self, number: u64) -> Result<bool, StoreError> {
        self.index.read(|connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM segments WHERE id = ?1)";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_row([signed(number)], |row| row.get(0))?)
        })
    }

    /// The lock goes when the file does.
    fn remove_claimed(&self, number: u64, claimed: Arc<dyn IoFile>) -> Result<(), StoreError> {
        let path = self.segments.path(number);
        self.io.remove(&path).map_err(at(&path))?;
        drop(claimed);
        Ok(())
    }
}

impl Tenant {
    /// Reads the block. If only the header of its record is damaged, that is written anew now.
    fn read(&self, file: &dyn IoFile, buffers: &Buffers) -> Result<Block, Flaw> {
        let cid = self.key.cid(self.codec).ok_or(Flaw::Header)?;
        read_bytes(file, self.spot.offset, self.spot.length, &cid, buffers)
    }

    /// Points to the new place, unless somebody has repaired the block meanwhile or taken it away.
    fn moves(&self, transaction: &Transaction<'_>, to: Option<&Spot>) -> Result<(), Fault> {
        let sql = "UPDATE blocks SET segment = ?1, offset = ?2 \
                   WHERE id = ?3 AND segment = ?4 AND offset = ?5";
        let changed = transaction.prepare_cached(sql)?.execute(params![
            to.map(|spot| signed(spot.segment)),
            to.map(|spot| signed(spot.offset)),
            self.id,
            signed(self.spot.segment),
            signed(self.spot.offset),
        ])?;
        if changed == 0 {
            return Ok(());
        }
        let bytes = self.spot.record_bytes().cast_signed();
        use_segment(transaction, self.spot.segment, -bytes, 0)?;
        if let Some(to) = to {
            use_segment(
                transaction,
                to.segment,
                bytes,
                to.offset + to.record_bytes(),
            )?;
        }
        Ok(())
    }
}
