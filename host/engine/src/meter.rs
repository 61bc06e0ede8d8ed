//! What one task uses of memory and tables, counted over all instances of its composition.

use homestar_core::task::Limits;
use wasmtime::ResourceLimiter;

use crate::end::LimitReached;

/// Counts and limits. A guest that wants more than it may have ends, rather than being told that there is no more:
/// most programs answer that by a trap without words.
#[derive(Debug)]
pub(crate) struct Meter {
    memory_bytes: Count,
    /// Bytes of what the host holds for the task.
    held_bytes: u64,
    table_elements: Count,
}

/// This machine, not the guest, had no memory left.
#[derive(Debug, thiserror::Error)]
#[error("this machine has no memory left for a guest: {0}")]
pub(crate) struct HostFault(String);

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory_bytes: Count::new(limits.memory_bytes, LimitReached::Memory),
            held_bytes: 0,
            table_elements: Count::new(limits.table_elements, LimitReached::Table),
        }
    }

    /// Counts what the host holds for the task: it takes of the same limit as linear memory.
    pub(crate) fn hold(&mut self, bytes: u64) -> Result<(), LimitReached> {
        let held = self.held_bytes.saturating_add(bytes);
        let Count { used, max, .. } = self.memory_bytes;
        if used.saturating_add(held) > max {
            return Err(LimitReached::Memory(max));
        }
        self.held_bytes = held;
        Ok(())
    }

    /// Forgets what the host no longer holds.
    pub(crate) fn release(&mut self, bytes: u64) {
        self.held_bytes = self.held_bytes.saturating_sub(bytes);
    }

    /// Returns the bytes of linear memory in use. Memory never shrinks, so this is also the most there were.
    pub(crate) fn memory_peak(&self) -> u64 {
        self.memory_bytes.used
    }
}

/// How much there is of something, and how much there may be.
#[derive(Debug)]
struct Count {
    used: u64,
    max: u64,
    limit: fn(u64) -> LimitReached,
}

impl Count {
    fn new(max: u64, limit: fn(u64) -> LimitReached) -> Self {
        Self {
            used: 0,
            max,
            limit,
        }
    }

    /// Lets one thing grow from `current` to `desired`, while so much of the limit is taken by others. Beyond its own
    /// type's `maximum` the instruction says no.
    fn grow(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
        taken: u64,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let after = self
            .used
            .saturating_add(desired.saturating_sub(current) as u64);
        if after.saturating_add(taken) > self.max {
            return Err((self.limit)(self.max).into());
        }
        self.used = after;
        Ok(true)
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let held = self.held_bytes;
        self.memory_bytes.grow(current, desired, maximum, held)
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
        self.table_elements.grow(current, desired, maximum, 0)
    }
}

/// What wasmtime says when a memory would become larger than its own type allows.
const BEYOND_ITS_TYPE: &str = "memory type's limits";
