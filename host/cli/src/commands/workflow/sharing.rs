//! Receipts of a run that everybody may have, since the settings say so.

use std::collections::HashMap;
use std::sync::Arc;

use homestar_core::ipld::Cid;
use homestar_core::receipt::Receipt;
use homestar_core::schedule::Schedule;
use homestar_node::{News, Store, now_ms, share_receipts};

use super::super::node::tell_shared;
use crate::print;

/// Shares receipts as soon as they are kept: of what is pure and not secret.
#[derive(Debug)]
pub(super) struct Sharing {
    store: Arc<dyn Store>,
    /// What ran and isn't kept yet.
    waiting: HashMap<Cid, Receipt>,
    shared: usize,
    fault: Option<String>,
}

impl Sharing {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            waiting: HashMap::new(),
            shared: 0,
            fault: None,
        }
    }

    pub(super) fn hear(&mut self, schedule: &Schedule, news: &News<'_>) {
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

    /// Tells the node of this machine, if one runs, and the person if something went wrong.
    pub(super) fn end(self) {
        if self.shared > 0 {
            tell_shared();
        }
        if let Some(fault) = self.fault {
            print::warning(&format!("not all receipts are shared: {fault}"));
        }
    }
}
