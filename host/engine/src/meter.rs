//! What one task uses of memory and tables, counted over all instances of its composition.

use homestar_core::task::Limits;
use wasmtime::ResourceLimiter;

use crate::end::LimitReached;

/// Counts and limits. A guest that wants more than it may have ends, rather than being told that there is no more:
/// most programs answer that by a trap without words.
#[derive(Debug)]
pub(crate) struct Meter {
    memory_bytes: u64,
    memory_bytes_max: u64,
    table_elements: u64,
    table_elements_max: u64,
}

/// This machine, not the guest, had no memory left.
#[derive(Debug, thiserror::Error)]
#[error("this machine has no memory left for a guest: {0}")]
pub(crate) struct HostFault(String);

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory_bytes: 0,
            memory_bytes_max: limits.memory_bytes,
            table_elements: 0,
            table_elements_max: limits.table_elements,
        }
    }

    /// Returns the bytes of linear memory in use. Memory never shrinks, so this is also the most there were.
    pub(crate) fn memory_peak(&self) -> u64 {
        self.memory_bytes
    }
}

/// Adds the growth from `current` to `desired` to `total`, if that is at most `max`.
fn grow(
    total: &mut u64,
    current: usize,
    desired: usize,
    max: u64,
    limit: LimitReached,
) -> wasmtime::Result<bool> {
    let after = total.saturating_add(desired.saturating_sub(current) as u64);
    if after > max {
        return Err(limit.into());
    }
    *total = after;
    Ok(true)
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let max = self.memory_bytes_max;
        grow(
            &mut self.memory_bytes,
            current,
            desired,
            max,
            LimitReached::Memory(max),
        )
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // Reported here too, but no fault of ours: the guest is told of it by the instruction.
        if error.to_string().contains(BEYOND_ITS_TYPE) {
            return Ok(());
        }
        Err(HostFault(error.to_string()).into())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let max = self.table_elements_max;
        grow(
            &mut self.table_elements,
            current,
            desired,
            max,
            LimitReached::Table(max),
        )
    }
}

/// What wasmtime says when a memory would become larger than its own type allows.
const BEYOND_ITS_TYPE: &str = "memory type's limits";
