//! The components of a workflow, each loaded when it is first needed and then kept.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use homestar_core::ipld::Cid;
use homestar_core::plan::How;
use homestar_core::receipt::Receipt;
use homestar_core::task::Instruction;
use homestar_core::ucan::Leave;
use homestar_core::unixfs::blocks_of_file;
use homestar_engine::{Allocation, Blocks as _, Component, Engine};
use homestar_node::Reference;

use super::super::data::Data;
use super::super::load::Loading;
use crate::error::CommandError;
use crate::files::Stdin;

/// Who is chosen to provide interfaces.
pub(super) type Pins = BTreeMap<String, String>;

/// A component that is loaded once, by whoever needs it first.
type Slot = Arc<OnceLock<Result<Component, CommandError>>>;

/// Loads components, and keeps them.
#[derive(Debug)]
pub(super) struct Guests {
    pub(super) engine: Arc<Engine>,
    pub(super) loading: Arc<Loading>,
    pub(super) data: Arc<Data>,
    /// Whether others are to get them from the store.
    pub(super) are_lent: bool,
    loaded: Mutex<HashMap<(Cid, Pins), Slot>>,
}

impl Guests {
    pub(super) fn new(
        loading: Loading,
        data: Arc<Data>,
        allocation: Allocation,
    ) -> Result<Self, CommandError> {
        let engine = loading.engine_with(allocation)?;
        Ok(Self::of(Arc::new(engine), Arc::new(loading), data))
    }

    /// Loads them by an engine that others use too.
    pub(super) fn of(engine: Arc<Engine>, loading: Arc<Loading>, data: Arc<Data>) -> Self {
        Self {
            engine,
            loading,
            data,
            are_lent: false,
            loaded: Mutex::default(),
        }
    }

    /// Loads the component that `named` names, whose CID isn't known yet, and keeps it under its CID.
    pub(super) fn load(&self, named: &Reference, pins: &Pins) -> Result<Component, CommandError> {
        let mut stdin = Stdin::default();
        let loaded =
            self.loading
                .component_with(&self.engine, named, &mut stdin, &self.data, pins)?;
        let slot = self.slot(*loaded.component.cid(), pins);
        if self.are_lent {
            let (_, blocks) = blocks_of_file(&loaded.bytes()?);
            let put = self.data.content()?.put(&blocks);
            put.map_err(CommandError::host)?;
        }
        // If one is there already, it is the same.
        slot.get_or_init(|| Ok(loaded.component.clone()));
        Ok(loaded.component)
    }

    /// Returns the component of that CID, wired as `pins` say.
    pub(super) fn get(&self, cid: &Cid, pins: &Pins) -> Result<Component, CommandError> {
        let slot = self.slot(*cid, pins);
        let loaded = slot.get_or_init(|| {
            let named = Reference::Content((*cid).into());
            let mut stdin = Stdin::default();
            let loaded =
                self.loading
                    .component_with(&self.engine, &named, &mut stdin, &self.data, pins)?;
            Ok(loaded.component)
        });
        match loaded {
            Ok(component) => Ok(component.clone()),
            Err(error) => Err(error.again()),
        }
    }

    /// Whether a task would be wired to no driver.
    pub(super) fn is_pure(
        &self,
        instruction: &Instruction,
        how: &How,
        leave: Option<&Leave>,
    ) -> bool {
        let component = self.get(instruction.resource().cid(), &how.pin);
        let grants = self.loading.authority.task_with(&how.grants);
        let grants = match leave {
            Some(leave) => grants.within(leave),
            None => grants,
        };
        component.is_ok_and(|component| component.is_pure(&grants))
    }

    /// Whether a receipt answers for a task: whether that would be wired to the same effects.
    pub(super) fn is_answer(
        &self,
        instruction: &Instruction,
        how: &How,
        receipt: &Receipt,
    ) -> bool {
        let component = self.get(instruction.resource().cid(), &how.pin);
        component.is_ok_and(|component| component.effects() == receipt.meta().effects)
    }

    fn slot(&self, cid: Cid, pins: &Pins) -> Slot {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(loaded.entry((cid, pins.clone())).or_default())
    }
}
