//! Receipts.

use homestar_core::ipld::{Block, DAG_CBOR, Link};
use homestar_core::receipt::Receipt;
use homestar_core::task::Instruction;
use rusqlite::{Connection, Row, params};

use super::commits::{Content, Done, Entry, Job, ReceiptRow};
use super::index::Fault;
use super::rows::{self, Known, signed, unsigned};
use super::{Inner, Place, key_of};
use crate::{Record, Recorded, StoreError};

/// Finds the receipts of an instruction: the columns of `Known`, then what is known of a receipt.
const OF: &str = "SELECT b.id, b.codec, b.touched, b.length, b.segment, b.offset, b.bytes, \
                  b.hash, r.number, r.reusable, r.at_ms \
                  FROM receipts r JOIN blocks b ON b.id = r.block \
                  WHERE r.ran = ?1 ORDER BY r.number";

/// Finds the newest ones below a number.
const BEFORE: &str = "SELECT b.id, b.codec, b.touched, b.length, b.segment, b.offset, b.bytes, \
                      b.hash, r.number, r.reusable, r.at_ms \
                      FROM receipts r JOIN blocks b ON b.id = r.block \
                      WHERE r.number < ?1 ORDER BY r.number DESC LIMIT ?2";

/// A row of either.
struct Found {
    place: Place,
    hash: crate::key::Key,
    number: u64,
    is_reusable: bool,
    at_ms: u64,
}

impl Inner {
    pub(super) fn record(&self, records: &[Record<'_>]) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        loop {
            let mut entries = Vec::with_capacity(records.len() * 2);
            for record in records {
                for block in record.blocks {
                    entries.extend(self.brought(block)?);
                }
                entries.push(self.receipt_entry(record)?);
            }
            if self.submit(Job { entries })? == Done::Durable {
                return Ok(());
            }
        }
    }

    /// Like `entry`, but nobody looks first whether small blocks are there: those that come with receipts are new, as a
    /// rule, and a commit sees it anyway.
    fn brought(&self, block: &Block) -> Result<Option<Entry>, StoreError> {
        if block.bytes().len() > self.config.inline_bytes_max {
            return self.entry(block);
        }
        Ok(Some(Entry {
            key: key_of(block)?,
            codec: block.cid().codec(),
            content: Content::Inline(block.bytes().to_vec()),
            is_repair: false,
            receipt: None,
        }))
    }

    fn receipt_entry(&self, record: &Record<'_>) -> Result<Entry, StoreError> {
        let block = record.receipt.block();
        let known = Entry {
            key: key_of(block)?,
            codec: block.cid().codec(),
            content: Content::Known,
            is_repair: false,
            receipt: None,
        };
        let mut entry = self.brought(block)?.unwrap_or(known);
        entry.receipt = Some(ReceiptRow {
            ran: record.receipt.ran().cid().to_bytes(),
            is_reusable: record.is_reusable(),
            at_ms: record.at_ms,
        });
        Ok(entry)
    }

    pub(super) fn forget(&self, receipts: &[Link<Receipt>]) -> Result<usize, StoreError> {
        self.index.write(|transaction| {
            let sql = "DELETE FROM receipts WHERE block = (SELECT id FROM blocks WHERE hash = ?1)";
            let mut statement = transaction.prepare_cached(sql)?;
            let mut forgotten = 0;
            for receipt in receipts {
                if let Some(key) = crate::key::Key::of(receipt.cid()) {
                    forgotten += statement.execute([&key.0[..]])?;
                }
            }
            Ok(forgotten)
        })
    }

    pub(super) fn receipts_of(
        &self,
        ran: &[Link<Instruction>],
    ) -> Result<Vec<Vec<Recorded>>, StoreError> {
        let found = self.index.read(|connection| {
            // Otherwise each query would look at the log anew.
            let snapshot = connection.unchecked_transaction()?;
            let all = ran.iter().map(|link| found_of(&snapshot, link));
            all.collect::<Result<Vec<_>, _>>()
        })?;
        found
            .into_iter()
            .map(|of| self.recorded(of))
            .collect::<Result<_, _>>()
    }

    pub(super) fn receipts(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Recorded>, StoreError> {
        let mut before = before.map_or(i64::MAX, signed);
        let mut page = vec![];
        // Damaged ones are left out, so one look may not be enough.
        while page.len() < limit {
            let more = limit - page.len();
            let found = self
                .index
                .read(|connection| found_before(connection, before, more))?;
            let Some(last) = found.last() else { break };
            before = signed(last.number);
            page.extend(self.recorded(found)?);
        }
        Ok(page)
    }

    /// Reads the receipts themselves, but for damaged ones.
    fn recorded(&self, found: Vec<Found>) -> Result<Vec<Recorded>, StoreError> {
        let mut recorded = Vec::with_capacity(found.len());
        for found in found {
            let cid = found.hash.cid(DAG_CBOR);
            let cid = cid.ok_or_else(|| self.damaged("a hash is none"))?;
            let block = match found.place {
                Place::Inline(bytes) => Block::verify(cid, bytes).ok(),
                Place::Segment(_) => match self.get(&cid) {
                    Err(StoreError::Corrupt { .. }) => None,
                    got => got?,
                },
                Place::Lost => None,
            };
            recorded.extend(block.map(|block| Recorded {
                block,
                number: found.number,
                is_reusable: found.is_reusable,
                at_ms: found.at_ms,
            }));
        }
        Ok(recorded)
    }

    fn damaged(&self, why: &'static str) -> StoreError {
        super::index::error_of(self.index.path(), Fault::Row(why))
    }
}

fn found_of(connection: &Connection, ran: &Link<Instruction>) -> Result<Vec<Found>, Fault> {
    let mut statement = connection.prepare_cached(OF)?;
    let mut rows = statement.query([ran.cid().to_bytes()])?;
    let mut found = vec![];
    while let Some(row) = rows.next()? {
        found.push(Found::of(row)?);
    }
    Ok(found)
}

fn found_before(connection: &Connection, before: i64, limit: usize) -> Result<Vec<Found>, Fault> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(BEFORE)?;
    let mut rows = statement.query(params![before, limit])?;
    let mut found = vec![];
    while let Some(row) = rows.next()? {
        found.push(Found::of(row)?);
    }
    Ok(found)
}

impl Found {
    fn of(row: &Row<'_>) -> Result<Self, Fault> {
        Ok(Self {
            place: Known::of(row)?.place,
            hash: rows::key(row, 7)?,
            number: unsigned(row, 8)?,
            is_reusable: row.get(9)?,
            at_ms: unsigned(row, 10)?,
        })
    }
}
