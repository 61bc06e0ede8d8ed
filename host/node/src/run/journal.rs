//! Which receipts answer within one run and nowhere else.
//!
//! What the instruction alone decided is found by its instruction, whoever ran it. What a task heard from outside, and
//! an end by a limit, count for the run in which they happened. So that a run which was interrupted finds its own again,
//! a name of the store leads to a page of their CIDs, which links to the page before it.

use homestar_core::ipld::{Block, Cid};
use homestar_core::receipt::Receipt;
use homestar_store::{Record, Store, StoreError};
use serde::{Deserialize, Serialize};

use super::record::{RunRecordError, read};

/// What names of journals begin with.
const NAME: &str = "journal/";

/// The journal of one run.
#[derive(Debug)]
pub(super) struct Journal {
    name: String,
    last: Option<Cid>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    before: Option<Cid>,
    receipts: Vec<Cid>,
}

impl Journal {
    /// Opens the journal of the run `id`; one that isn't there is empty.
    pub(super) fn open(store: &dyn Store, id: &str) -> Result<Self, StoreError> {
        let name = format!("{NAME}{id}");
        let last = store.name(&name)?;
        Ok(Self { name, last })
    }

    /// Notes those receipts that answer nowhere else. They are recorded already: a page that was never linked to costs
    /// what it lists once more, and loses nothing that was told of.
    pub(super) fn add(
        &mut self,
        store: &dyn Store,
        records: &[Record<'_>],
    ) -> Result<(), StoreError> {
        let records = records.iter().filter(|record| !record.is_reusable());
        let receipts: Vec<_> = records.map(|it| *it.receipt.link().cid()).collect();
        if receipts.is_empty() {
            return Ok(());
        }
        let page = Page {
            before: self.last,
            receipts,
        };
        // CIDs and nothing else always have an encoded form.
        let Ok(page) = Block::of_dag_cbor(&page) else {
            return Ok(());
        };
        store.put(std::slice::from_ref(&page))?;
        store.set_name(&self.name, Some(page.cid()))?;
        self.last = Some(*page.cid());
        Ok(())
    }

    /// Reads the receipts, in the order in which they were recorded. One that is damaged is left out: its task runs
    /// again.
    pub(super) fn receipts(&self, store: &dyn Store) -> Result<Vec<Receipt>, RunRecordError> {
        let mut pages = Vec::new();
        let mut next = self.last;
        while let Some(cid) = next {
            let page: Page = read(store, &cid)?;
            next = page.before;
            pages.push(page.receipts);
        }
        let mut receipts = Vec::new();
        for cid in pages.into_iter().rev().flatten() {
            let block = match store.get(&cid) {
                Ok(Some(block)) => block,
                Ok(None) | Err(StoreError::Corrupt { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            receipts.extend(Receipt::reread(block, receipts.last()).ok());
        }
        Ok(receipts)
    }

    /// Forgets the journal of a run that has ended.
    pub(super) fn close(store: &dyn Store, id: &str) -> Result<(), StoreError> {
        store.set_name(&format!("{NAME}{id}"), None).map(drop)
    }
}
