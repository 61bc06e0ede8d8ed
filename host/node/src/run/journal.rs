//! What is known of a run before it has ended: what came of its tasks, and which receipts answer within it and nowhere
//! else.
//!
//! What the instruction alone decided is found by its instruction, whoever ran it. What a task heard from outside, and
//! an end by a limit, count for the run in which they happened. So that a run which was interrupted finds its own again,
//! and people see how far it came, a name of the store leads to a page of their CIDs, which links to the page before it.

use std::collections::BTreeMap;

use homestar_core::ipld::{Block, Cid};
use homestar_core::receipt::Receipt;
use homestar_store::{Record, Store, StoreError};
use serde::{Deserialize, Serialize};

use super::record::{RunRecordError, RunTask, read};

/// What names of journals begin with.
const NAME: &str = "journal/";

/// The journal of one run.
#[derive(Debug)]
pub(super) struct Journal {
    name: String,
    last: Option<Cid>,
}

/// What came of a task.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    pub(super) label: String,
    /// `ran`, `memoised` or `failed`.
    pub(super) status: String,
    pub(super) receipt: Cid,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    before: Option<Cid>,
    receipts: Vec<Cid>,
    tasks: Vec<Note>,
}

/// Tasks in one page: so many that the block stays well within its size.
const PAGE: usize = 2_000;

impl Journal {
    /// Opens the journal of the run `id`; one that isn't there is empty.
    pub(super) fn open(store: &dyn Store, id: &str) -> Result<Self, StoreError> {
        let name = format!("{NAME}{id}");
        let last = store.name(&name)?;
        Ok(Self { name, last })
    }

    /// Makes pages of what came of tasks, and of those receipts among them that answer nowhere else, and stages them: they
    /// are durable with what is recorded next, and [`lead`](Self::lead) makes them count. Pages to which nothing leads
    /// lose nothing that was told of.
    pub(super) fn stage(
        &self,
        store: &dyn Store,
        records: &[Record<'_>],
        notes: &[Note],
    ) -> Result<Option<Cid>, StoreError> {
        let records = records.iter().filter(|record| !record.is_reusable());
        let mut receipts: Vec<_> = records.map(|it| *it.receipt.link().cid()).collect();
        let mut last = self.last;
        let mut pages = Vec::new();
        for notes in notes.chunks(PAGE) {
            let page = Page {
                before: last,
                receipts: std::mem::take(&mut receipts),
                tasks: notes.to_vec(),
            };
            // Texts and CIDs always have an encoded form, and labels are short.
            let Ok(page) = Block::of_dag_cbor(&page) else {
                continue;
            };
            last = Some(*page.cid());
            pages.push(page);
        }
        store.stage(&pages)?;
        Ok(last)
    }

    /// Lets pages that were staged, and are durable now, count.
    pub(super) fn lead(&mut self, store: &dyn Store, last: Option<Cid>) -> Result<(), StoreError> {
        if last != self.last {
            store.set_name(&self.name, last.as_ref())?;
            self.last = last;
        }
        Ok(())
    }

    /// Reads what came of tasks, by their labels. Of a task that was tried again it is what came last.
    pub(super) fn tasks(
        &self,
        store: &dyn Store,
    ) -> Result<BTreeMap<String, RunTask>, RunRecordError> {
        let mut tasks = BTreeMap::new();
        for page in self.pages(store)? {
            for note in page.tasks {
                let task = RunTask {
                    label: note.label.clone(),
                    status: note.status,
                    receipt: Some(note.receipt),
                    because: None,
                };
                tasks.insert(note.label, task);
            }
        }
        Ok(tasks)
    }

    /// Reads the pages, the first one first.
    fn pages(&self, store: &dyn Store) -> Result<Vec<Page>, RunRecordError> {
        let mut pages = Vec::new();
        let mut next = self.last;
        while let Some(cid) = next {
            let page: Page = read(store, &cid)?;
            next = page.before;
            pages.push(page);
        }
        pages.reverse();
        Ok(pages)
    }

    /// Reads the receipts, in the order in which they were recorded. One that is damaged is left out: its task runs
    /// again.
    pub(super) fn receipts(&self, store: &dyn Store) -> Result<Vec<Receipt>, RunRecordError> {
        let mut receipts = Vec::new();
        let pages = self.pages(store)?;
        for cid in pages.into_iter().flat_map(|page| page.receipts) {
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
