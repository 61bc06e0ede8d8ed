//! Everything is read and checked.

use rusqlite::Connection;

use super::index::Fault;
use super::rows::{self, Known};
use super::{Inner, Place};
use crate::{Damage, Flaw, StoreError, Verified};
use homestar_core::ipld::Cid;

/// Blocks that are read from the index at once.
const STEP: i64 = 256;

impl Inner {
    pub(super) fn verify(&self) -> Result<Verified, StoreError> {
        let mut verified = Verified {
            index: self.index.check()?,
            ..Verified::default()
        };
        let mut after = 0;
        loop {
            let step = self.index.read(|connection| some(connection, after))?;
            let Some((last, _)) = step.last() else { break };
            after = last.id;
            for (known, cid) in step {
                self.check(&known, &cid, &mut verified)?;
            }
        }
        Ok(verified)
    }

    fn check(&self, known: &Known, cid: &Cid, verified: &mut Verified) -> Result<(), StoreError> {
        verified.blocks += 1;
        verified.bytes += known.length;
        let mut flaw = self.read_place(cid, &known.place).err();
        if flaw == Some(Flaw::Missing) && !matches!(known.place, Place::Lost) {
            // It may have been moved or taken away meanwhile.
            flaw = match self.get(cid) {
                Err(StoreError::Corrupt { flaw, .. }) => Some(flaw),
                got => got.map(|_| None)?,
            };
        }
        let cid = *cid;
        verified
            .damaged
            .extend(flaw.map(|flaw| Damage { cid, flaw }));
        Ok(())
    }
}

fn some(connection: &Connection, after: i64) -> Result<Vec<(Known, Cid)>, Fault> {
    let sql = "SELECT id, codec, touched, length, segment, offset, bytes, hash FROM blocks \
               WHERE id > ?1 ORDER BY id LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query([after, STEP])?;
    let mut some = vec![];
    while let Some(row) = found.next()? {
        let known = Known::of(row)?;
        let cid = rows::key(row, 7)?.cid(known.codec);
        some.push((known, cid.ok_or(Fault::Row("a hash is none"))?));
    }
    Ok(some)
}
