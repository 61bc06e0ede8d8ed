//! Receipts.

use homestar_core::ipld::{Block, DAG_CBOR, Link};
use homestar_core::receipt::Receipt;
use homestar_core::task::Instruction;
use rusqlite::{Connection, Row, Rows, params};

use super::Inner;
use super::commits::{Content, Done, Entry, Job, ReceiptRow};
use super::index::Fault;
use super::rows::{self, signed, unsigned};
use crate::key::Key;
use crate::{Record, Recorded, StoreError};

/// Finds the receipts of an instruction.
const OF: &str = "SELECT b.bytes, b.hash, r.number, r.reusable, r.at_ms \
                  FROM receipts r JOIN blocks b ON b.id = r.block \
                  WHERE r.ran = ?1 ORDER BY r.number";

/// Finds the newest ones below a number.
const BEFORE: &str = "SELECT b.bytes, b.hash, r.number, r.reusable, r.at_ms \
                      FROM receipts r JOIN blocks b ON b.id = r.block \
                      WHERE r.number < ?1 ORDER BY r.number DESC LIMIT ?2";

/// A row of either.
struct Found {
    /// The receipt, if it is small enough to lie in the index.
    inline: Option<Vec<u8>>,
    hash: Key,
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
            for block in records.iter().flat_map(|record| record.blocks) {
                entries.extend(self.brought(block)?);
            }
            // Receipts lie beside each other: whoever asks for one asks for others too.
            for record in records {
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
        let key = Key::for_keeping(block)?;
        Ok(key.map(|key| Entry {
            key,
            codec: block.cid().codec(),
            content: Content::Inline(block.bytes().to_vec()),
            is_repair: false,
            receipt: None,
        }))
    }

    fn receipt_entry(&self, record: &Record<'_>) -> Result<Entry, StoreError> {
        let block = record.receipt.block();
        let known = Key::of(block.cid()).map(|key| Entry {
            key,
            codec: block.cid().codec(),
            content: Content::Known,
            is_repair: false,
            receipt: None,
        });
        let entry = self.brought(block)?.or(known);
        let mut entry = entry.ok_or_else(|| self.damaged("a receipt has no hash"))?;
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
                if let Some(key) = Key::of(receipt.cid()) {
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
            let mut statement = snapshot.prepare_cached(OF)?;
            let all = ran.iter().map(|link| {
                let mut rows = statement.query([link.cid().to_bytes()])?;
                found(&mut rows)
            });
            all.collect::<Result<Vec<_>, Fault>>()
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
            let block = match found.inline {
                Some(bytes) => Block::verify(cid, bytes).ok(),
                None => match self.get(&cid) {
                    Err(StoreError::Corrupt { .. }) => None,
                    got => got?,
                },
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

fn found_before(connection: &Connection, before: i64, limit: usize) -> Result<Vec<Found>, Fault> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(BEFORE)?;
    found(&mut statement.query(params![before, limit])?)
}

fn found(rows: &mut Rows<'_>) -> Result<Vec<Found>, Fault> {
    let mut found = vec![];
    while let Some(row) = rows.next()? {
        found.push(Found::of(row)?);
    }
    Ok(found)
}

impl Found {
    fn of(row: &Row<'_>) -> Result<Self, Fault> {
        Ok(Self {
            inline: row.get(0)?,
            hash: rows::key(row, 1)?,
            number: unsigned(row, 2)?,
            is_reusable: row.get(3)?,
            at_ms: unsigned(row, 4)?,
        })
    }
}
