//! Receipts of a run that everybody may have, since the settings say so.

use std::collections::HashMap;
use std::sync::Arc;

use homestar_core::ipld::Cid;
use homestar_core::receipt::Receipt;
use homestar_core::schedule::Schedule;
use homestar_store::Store;

use super::{News, now_ms};
use crate::share_receipts;

/// Shares receipts as soon as they are kept: of what is pure and not secret.
#[derive(Debug)]
pub struct Sharing {
    store: Arc<dyn Store>,
    /// What ran and isn't kept yet.
    waiting: HashMap<Cid, Receipt>,
    shared: usize,
    fault: Option<String>,
}

impl Sharing {
    /// Shares in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            waiting: HashMap::new(),
            shared: 0,
            fault: None,
        }
    }

    /// Hears what happens in the run.
    pub fn hear(&mut self, schedule: &Schedule, news: &News<'_>) {
        match news {
            News::Ran(task, receipt) if !schedule.is_secret(*task) => {
                let cid = *receipt.link().cid();
                self.waiting.insert(cid, (*receipt).clone());
            }
            News::Recorded(recorded) => {
                let kept = recorded.iter();
                let kept = kept.filter_map(|(_, link)| self.waiting.remove(link.cid()));
                let kept: Vec<Receipt> = kept.collect();
                self.share(&kept);
            }
            _ => {}
        }
    }

    fn share(&mut self, receipts: &[Receipt]) {
        let receipts: Vec<&Receipt> = receipts.iter().collect();
        match share_receipts(&*self.store, &receipts, now_ms()) {
            Ok(()) => self.shared += receipts.len(),
            Err(error) => self.fault = Some(error.to_string()),
        }
    }

    /// Returns how many were shared, and why not all were, if so.
    pub fn end(self) -> (usize, Option<String>) {
        (self.shared, self.fault)
    }
}
