//! Drivers: the only doors to the outside, one file each.
//!
//! A driver knows nothing of components: it is asked with plain values, checks what was granted to the asker, and
//! answers. What connects it to a component is in `link`, and what records it in `door`.

pub(crate) mod clock;
pub(crate) mod entropy;

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::runtime::{Handle, Runtime};

use crate::instance::Diverged;

/// What the drivers use.
#[derive(Clone, Debug, Default)]
pub struct DriverSettings {}

/// What the drivers of one engine share. Set up when it is first needed.
pub(crate) struct Drivers {
    #[expect(dead_code, reason = "drivers that have settings are on their way")]
    settings: DriverSettings,
    runtime: OnceLock<Runtime>,
}

/// Threads that drivers run on. They wait more than they work.
const THREADS: usize = 2;

impl Drivers {
    pub(crate) fn new(settings: DriverSettings) -> Self {
        Self {
            settings,
            runtime: OnceLock::new(),
        }
    }

    /// Returns where drivers run.
    pub(crate) fn runtime(&self) -> Result<&Handle, Diverged> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime.handle());
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("homestar-driver")
            .enable_all()
            .build()
            .map_err(|error| Diverged(format!("the drivers' threads can't be started: {error}")))?;
        Ok(self.runtime.get_or_init(|| runtime).handle())
    }
}

impl Drop for Drivers {
    fn drop(&mut self) {
        // Nothing that still runs is worth waiting for: its task has ended.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl std::fmt::Debug for Drivers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drivers").finish_non_exhaustive()
    }
}

/// Returns nanoseconds since the start of 1970.
pub(crate) fn unix_nanoseconds() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
