//! Garbage.
//!
//! First everything is marked that pins, names, receipts and sessions need; others go on working meanwhile. Then what
//! isn't marked is taken away, some thousand blocks a commit. Before each, while no session can change, everything is
//! marked too that came to be needed since. What was put since the oldest session began, or since the collection did,
//! stays whether marked or not.

use std::collections::HashSet;

use homestar_core::ipld::{Cid, DAG_CBOR};
use rusqlite::{Connection, Transaction, params};

use super::index::Fault;
use super::io::{Lock, Mode};
use super::roots::{names_since, pins_since};
use super::rows::{self, Totals, signed, unsigned, use_segment};
use super::segment::HEADER_BYTES;
use super::sessions::Needs;
use super::{Inner, at};
use crate::key::Key;
use crate::mark::Marker;
use crate::{Collected, Depth, Links, StoreError};

/// Blocks that are looked at in one commit: few enough that nobody waits long, enough that the commits don't matter.
const STEP: usize = 4096;

/// A collection at work.
struct Collection<'a> {
    links: &'a Links<'a>,
    /// The epoch that it began.
    epoch: u64,
    marker: Marker,
    held: HashSet<Cid>,
    /// The number of the newest receipt that was marked.
    receipts: u64,
}

impl Inner {
    pub(super) fn gc(&self, links: &Links<'_>) -> Result<Collected, StoreError> {
        let path = self.paths.lock("collection");
        let alone = self.io.open(&path, Mode::Create).map_err(at(&path))?;
        alone.lock(Lock::Exclusive).map_err(at(&path))?;
        let before = self.stats()?.disk_bytes;
        let mut collection = self.begin(links)?;
        self.mark(&mut collection)?;
        let mut collected = Collected::default();
        let mut after = Some(0);
        while let Some(id) = after {
            after = self.step(&mut collection, id, &mut collected)?;
        }
        self.compact()?;
        self.index.shrink()?;
        let stats = self.stats()?;
        collected.disk_bytes = before.saturating_sub(stats.disk_bytes);
        collected.kept = stats.blocks;
        Ok(collected)
    }

    /// Begins an epoch: sessions that began before it are known from now on, and what is put within it stays.
    fn begin<'a>(&self, links: &'a Links<'a>) -> Result<Collection<'a>, StoreError> {
        self.sessions.exclusively(|needs| {
            let epoch = self.index.write(|transaction| {
                let mut totals = Totals::read(transaction)?;
                totals.epoch += 1;
                totals.write(transaction)?;
                Ok(totals.epoch)
            })?;
            Ok(Collection {
                links,
                epoch,
                marker: Marker::default(),
                held: needs.holds,
                receipts: 0,
            })
        })
    }

    fn mark(&self, collection: &mut Collection<'_>) -> Result<(), StoreError> {
        let roots = self
            .index
            .read(|connection| collection.roots(connection, 0))?;
        let held: Vec<_> = collection.held.iter().copied().collect();
        let links = collection.links;
        for root in roots.into_iter().chain(held) {
            collection
                .marker
                .dag(&root, &mut |cid| self.get(cid), links)?;
        }
        Ok(())
    }

    /// Takes away some blocks behind a row. Returns the row to go on from.
    fn step(
        &self,
        collection: &mut Collection<'_>,
        after: i64,
        collected: &mut Collected,
    ) -> Result<Option<i64>, StoreError> {
        self.sessions.exclusively(|needs| {
            self.index.write(|transaction| {
                self.mark_new(collection, &needs, transaction)?;
                let since = needs.since.unwrap_or(u64::MAX).min(collection.epoch);
                take_away(transaction, collection, after, since, collected)
            })
        })
    }

    /// Marks what came to be needed since the last look.
    fn mark_new(
        &self,
        collection: &mut Collection<'_>,
        needs: &Needs,
        transaction: &Transaction<'_>,
    ) -> Result<(), Fault> {
        let mut roots = collection.roots(transaction, collection.epoch)?;
        let held = needs.holds.iter();
        roots.extend(held.filter(|cid| collection.held.insert(**cid)));
        let links = collection.links;
        for root in &roots {
            let mut get = |cid: &Cid| self.get_within(transaction, cid);
            collection.marker.dag(root, &mut get, links)?;
        }
        Ok(())
    }
}

impl Collection<'_> {
    /// Returns the roots that were set since an epoch, and receipts that weren't asked for yet. Marks the blocks that
    /// are pinned alone.
    fn roots(&mut self, connection: &Connection, epoch: u64) -> Result<Vec<Cid>, Fault> {
        let mut roots = vec![];
        for pin in pins_since(connection, epoch)? {
            match pin.depth {
                Depth::Recursive => roots.push(pin.cid),
                Depth::Direct => self.marker.block(&pin.cid),
            }
        }
        let names = names_since(connection, epoch)?.into_iter();
        roots.extend(names.map(|(_, cid)| cid));
        let sql = "SELECT r.number, b.hash FROM receipts r JOIN blocks b ON b.id = r.block \
                   WHERE r.number > ?1 ORDER BY r.number";
        let mut statement = connection.prepare_cached(sql)?;
        let mut found = statement.query([signed(self.receipts)])?;
        while let Some(row) = found.next()? {
            self.receipts = unsigned(row, 0)?;
            roots.extend(rows::key(row, 1)?.cid(DAG_CBOR));
        }
        Ok(roots)
    }
}

/// A block that may be taken away.
struct Candidate {
    id: i64,
    key: Key,
    length: u64,
    segment: Option<u64>,
}

/// Takes away those of the next blocks that nothing needs and that weren't touched since an epoch.
fn take_away(
    transaction: &Transaction<'_>,
    collection: &Collection<'_>,
    after: i64,
    since: u64,
    collected: &mut Collected,
) -> Result<Option<i64>, Fault> {
    let candidates = candidates(transaction, after, since)?;
    let last = candidates.last().map(|last| last.id);
    let is_last = candidates.len() < STEP;
    let mut totals = Totals::read(transaction)?;
    let mut delete = transaction.prepare_cached("DELETE FROM blocks WHERE id = ?1")?;
    for candidate in candidates {
        if collection.marker.needs(&candidate.key) {
            continue;
        }
        delete.execute([candidate.id])?;
        totals.blocks -= 1;
        totals.bytes -= candidate.length;
        collected.blocks += 1;
        collected.bytes += candidate.length;
        if let Some(segment) = candidate.segment {
            let freed = candidate.length + HEADER_BYTES as u64;
            use_segment(transaction, segment, -freed.cast_signed(), 0)?;
        }
    }
    totals.write(transaction)?;
    Ok(last.filter(|_| !is_last))
}

fn candidates(
    transaction: &Transaction<'_>,
    after: i64,
    since: u64,
) -> Result<Vec<Candidate>, Fault> {
    let sql = "SELECT id, hash, length, segment FROM blocks WHERE id > ?1 AND touched < ?2 \
               ORDER BY id LIMIT ?3";
    let mut statement = transaction.prepare_cached(sql)?;
    let mut found = statement.query(params![after, signed(since), STEP as i64])?;
    let mut candidates = vec![];
    while let Some(row) = found.next()? {
        candidates.push(Candidate {
            id: row.get(0)?,
            key: rows::key(row, 1)?,
            length: unsigned(row, 2)?,
            segment: row.get::<_, Option<i64>>(3)?.map(i64::cast_unsigned),
        });
    }
    Ok(candidates)
}
