//! One commit: jobs, and what was staged, become rows.

use std::collections::HashMap;

use rusqlite::{Transaction, params};

use super::commits::{Content, Done, Entry, Job};
use super::index::Fault;
use super::rows::{Known, Place, Totals, signed, use_segment};
use super::{Inner, rows};
use crate::StoreError;

/// A commit in the making.
pub(super) struct Apply<'a> {
    store: &'a Inner,
    transaction: &'a Transaction<'a>,
    totals: Totals,
    /// How many more bytes of each segment are of use, and how far it reaches.
    segments: HashMap<u64, (i64, u64)>,
}

impl<'a> Apply<'a> {
    pub(super) fn begin(store: &'a Inner, transaction: &'a Transaction<'a>) -> Result<Self, Fault> {
        Ok(Self {
            store,
            transaction,
            totals: Totals::read(transaction)?,
            segments: HashMap::new(),
        })
    }

    /// Writes a job. What it returns is about this job alone: others in the commit aren't touched by it.
    pub(super) fn job(&mut self, job: &Job) -> Result<Result<Done, StoreError>, Fault> {
        if let Err(error) = self.check_quota(job)? {
            return Ok(Err(error));
        }
        let mut done = Done::Durable;
        for entry in &job.entries {
            let Some(id) = self.entry(entry)? else {
                done = Done::Gone;
                break;
            };
            if entry.receipt.is_some() {
                self.receipt(id, entry)?;
            }
        }
        Ok(Ok(done))
    }

    fn check_quota(&self, job: &Job) -> Result<Result<(), StoreError>, Fault> {
        let Some(quota) = self.store.config.quota_bytes else {
            return Ok(Ok(()));
        };
        let used = self.totals.bytes;
        let mut new = HashMap::new();
        for entry in &job.entries {
            if !entry.is_repair {
                new.insert(entry.key, entry.content.length());
            }
        }
        let mut asked = new.values().sum::<u64>();
        if used + asked > quota {
            // Some of it may be there.
            for (key, length) in new {
                if rows::length(self.transaction, &key)?.is_some() {
                    asked -= length;
                }
            }
        }
        if asked > 0 && used + asked > quota {
            return Ok(Err(StoreError::Quota { quota, used, asked }));
        }
        Ok(Ok(()))
    }

    /// Writes a block and returns its row. There is none if it should have been there and isn't.
    pub(super) fn entry(&mut self, entry: &Entry) -> Result<Option<i64>, Fault> {
        if matches!(entry.content, Content::Known) {
            return self.touch(entry);
        }
        if let Some(id) = self.insert(entry)? {
            return Ok(Some(id));
        }
        // It is there: somebody else was faster, or nobody looked.
        let known = Known::find(self.transaction, &entry.key)?;
        let known = known.ok_or(Fault::Row("a hash can't be found in its index"))?;
        if entry.is_repair || !self.is_well(&known, entry) {
            self.replace(&known, entry)?;
        } else if known.touched < self.totals.epoch {
            self.touch(entry)?;
        }
        Ok(Some(known.id))
    }

    fn touch(&self, entry: &Entry) -> Result<Option<i64>, Fault> {
        let sql = "UPDATE blocks SET touched = max(touched, ?1) WHERE hash = ?2 RETURNING id";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let mut rows = statement.query(params![signed(self.totals.epoch), &entry.key.0[..]])?;
        Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
    }

    fn insert(&mut self, entry: &Entry) -> Result<Option<i64>, Fault> {
        let sql = "INSERT INTO blocks (hash, codec, touched, length, segment, offset, bytes) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (hash) DO NOTHING";
        let (segment, offset, bytes) = entry.content.columns();
        let length = entry.content.length();
        let inserted = self.transaction.prepare_cached(sql)?.execute(params![
            &entry.key.0[..],
            signed(entry.codec),
            signed(self.totals.epoch),
            signed(length),
            segment,
            offset,
            bytes,
        ])?;
        if inserted == 0 {
            return Ok(None);
        }
        self.totals.blocks += 1;
        self.totals.bytes += length;
        self.uses(entry);
        Ok(Some(self.transaction.last_insert_rowid()))
    }

    /// True if what is there can be read. What was looked at before it came here isn't looked at again.
    fn is_well(&self, known: &Known, entry: &Entry) -> bool {
        match (&known.place, &entry.content) {
            (Place::Inline(there), Content::Inline(bytes)) => there == bytes,
            (Place::Lost, _) => false,
            _ => {
                let cid = entry.key.cid(entry.codec);
                cid.is_some_and(|cid| self.store.read_place(&cid, &known.place).is_ok())
            }
        }
    }

    fn replace(&mut self, known: &Known, entry: &Entry) -> Result<(), Fault> {
        let sql =
            "UPDATE blocks SET touched = ?1, segment = ?2, offset = ?3, bytes = ?4 WHERE id = ?5";
        let (segment, offset, bytes) = entry.content.columns();
        self.transaction.prepare_cached(sql)?.execute(params![
            signed(self.totals.epoch),
            segment,
            offset,
            bytes,
            known.id,
        ])?;
        if let Place::Segment(spot) = &known.place {
            self.segments.entry(spot.segment).or_default().0 -= spot.record_bytes().cast_signed();
        }
        self.uses(entry);
        Ok(())
    }

    fn uses(&mut self, entry: &Entry) {
        if let Content::Segment(written) = &entry.content {
            let spot = &written.spot;
            let (alive, end) = self.segments.entry(spot.segment).or_default();
            *alive += spot.record_bytes().cast_signed();
            *end = (*end).max(spot.offset + spot.record_bytes());
        }
    }

    fn receipt(&mut self, id: i64, entry: &Entry) -> Result<(), Fault> {
        let Some(receipt) = &entry.receipt else {
            return Ok(());
        };
        let sql = "INSERT INTO receipts (number, block, ran, reusable, at_ms) VALUES (?1, ?2, ?3, ?4, ?5) \
                   ON CONFLICT (block) DO NOTHING";
        let inserted = self.transaction.prepare_cached(sql)?.execute(params![
            signed(self.totals.receipts + 1),
            id,
            receipt.ran,
            receipt.is_reusable,
            signed(receipt.at_ms),
        ])?;
        if inserted > 0 {
            self.totals.receipts += 1;
        } else if receipt.is_reusable {
            let sql = "UPDATE receipts SET reusable = 1 WHERE block = ?1";
            self.transaction.prepare_cached(sql)?.execute([id])?;
        }
        Ok(())
    }

    /// Writes what is known only when all jobs were written.
    pub(super) fn end(self) -> Result<(), Fault> {
        for (segment, (alive, end)) in self.segments {
            use_segment(self.transaction, segment, alive, end)?;
        }
        self.totals.write(self.transaction)
    }
}

impl Content {
    fn length(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Segment(written) => written.spot.length.into(),
            Self::Known => 0,
        }
    }

    fn columns(&self) -> (Option<i64>, Option<i64>, Option<&[u8]>) {
        match self {
            Self::Inline(bytes) => (None, None, Some(bytes)),
            Self::Segment(written) => {
                let spot = &written.spot;
                (Some(signed(spot.segment)), Some(signed(spot.offset)), None)
            }
            Self::Known => (None, None, None),
        }
    }
}
