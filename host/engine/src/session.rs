//! What one task holds open at the drivers: bodies of responses, keys. Its numbers mean something only to the part
//! that got them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::drivers::Drivers;

/// What one task holds open.
pub(crate) struct Session {
    pub(crate) drivers: Arc<Drivers>,
    parts: Vec<Mutex<Open>>,
}

/// What one part holds open.
#[derive(Default)]
pub(crate) struct Open {}

impl Session {
    pub(crate) fn new(drivers: Arc<Drivers>, parts: usize) -> Self {
        Self {
            drivers,
            parts: (0..parts).map(|_| Mutex::default()).collect(),
        }
    }

    /// Returns what a part holds open. It is consistent between any two statements, so a panic while it was locked
    /// does not matter.
    pub(crate) fn open(&self, part: usize) -> MutexGuard<'_, Open> {
        self.parts[part]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
