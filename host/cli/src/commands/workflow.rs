//! Workflows: checked, planned, run, and looked at afterwards.
//!
//! ```text
//! file ── read ─→ Workflow ── find, guests ─→ Plan ──┬─→ check, plan: printed
//!                                                     ├─→ run: node's Run ─→ board, results
//!                                                     ├─→ manage: a Run in this machine's node
//!                                                     └─→ there: a Run in another node
//! ```

pub(crate) mod check;
pub(crate) mod explain;
pub(crate) mod plan;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod there;

mod board;
mod events;
mod execute;
mod find;
mod guests;
mod manage;
mod prepare;
mod results;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use homestar_core::grant::Grants;
use homestar_core::plan::Rules;
use homestar_engine::Allocation;

use super::limits::{CompileOptions, ConfigOptions};
use super::load::Loading;
use super::storage::StorageOptions;
use crate::authority::{Authority, Pin};
use crate::error::CommandError;
use crate::settings::Settings;

use self::guests::Guests;

pub(crate) use self::manage::Workflows;
pub(crate) use self::prepare::{STDIN, is_workflow, read};

/// What the commands take that look at a workflow and run nothing.
#[derive(Args, Debug)]
pub(crate) struct Common {
    /// The workflow: a file that ends in .yaml, .yml, .toml or .json, or - for JSON on standard input
    file: PathBuf,

    /// Choose who provides an interface, where several effects do; may be given more than once
    #[arg(long, value_name = "INTERFACE=EFFECT", help_heading = "Authority")]
    pin: Vec<Pin>,

    #[command(flatten)]
    config: ConfigOptions,

    #[command(flatten)]
    storage: StorageOptions,

    #[command(flatten)]
    compiling: CompileOptions,

    /// A folder of effects to ask before ./effects and the user's
    #[arg(long, value_name = "FOLDER")]
    effects: Vec<PathBuf>,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

impl Common {
    /// Returns what loads components, and what the operator decided.
    fn setting(&self) -> Result<(Guests, Rules), CommandError> {
        let settings = self.config.settings()?;
        let authority = Authority::new(&settings, &[], &self.pin);
        let rules = rules(&settings, settings.limits(), authority.ceiling());
        let loading = Loading {
            use_cache: true,
            compile_time: self.compiling.compile_time,
            compile_memory: self.compiling.compile_memory,
            effects: self.effects.clone(),
            drivers: settings.drivers(false)?,
            authority,
        };
        let data = Arc::new(self.storage.data(&settings)?);
        Ok((Guests::new(loading, data, Allocation::OnDemand)?, rules))
    }
}

/// Returns what a workflow may ask for.
fn rules(settings: &Settings, usual: homestar_core::task::Limits, ceiling: &Grants) -> Rules {
    Rules {
        usual,
        max: settings.limits_max(),
        ceiling: ceiling.clone(),
    }
}
