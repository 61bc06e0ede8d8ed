//! Options of several commands: what a task may use, and who says so.

use std::time::Duration;

use std::path::PathBuf;

use clap::Args;
use homestar_core::quantity;
use homestar_core::task::Limits;
use homestar_core::workflow::LimitTable;

use crate::error::CommandError;
use crate::paths;
use crate::print;
use crate::settings::Settings;

/// What a task may use.
#[derive(Args, Debug)]
pub(super) struct LimitOptions {
    /// Most fuel, about one unit for each instruction of WebAssembly [default: 1T]
    #[arg(long, value_name = "UNITS", value_parser = quantity::fuel, help_heading = "Limits")]
    fuel: Option<u64>,

    /// Most memory [default: 1GiB]
    #[arg(long, value_name = "SIZE", value_parser = quantity::bytes, help_heading = "Limits")]
    memory: Option<u64>,

    /// Longest time [default: 1m]
    #[arg(long, value_name = "TIME", value_parser = quantity::time, help_heading = "Limits")]
    time: Option<Duration>,

    /// Largest result, a command's standard output included [default: 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = quantity::bytes, help_heading = "Limits")]
    output_limit: Option<u64>,

    /// Most that is written to storage: blobs, nodes and streams that are returned [default: 4GiB]
    #[arg(long, value_name = "SIZE", value_parser = quantity::bytes, help_heading = "Limits")]
    storage_limit: Option<u64>,

    /// Longest log, which is all that goes to standard error [default: 1MiB]
    #[arg(long, value_name = "SIZE", value_parser = quantity::bytes, help_heading = "Limits")]
    log_limit: Option<u64>,

    /// Most calls of drivers [default: 10000]
    #[arg(long, value_name = "COUNT", value_parser = quantity::count, help_heading = "Limits")]
    calls: Option<u64>,

    /// Most bytes that calls of drivers move, both ways together [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = quantity::bytes, help_heading = "Limits")]
    call_bytes: Option<u64>,
}

impl LimitOptions {
    /// Returns what is given, for a workflow to say it.
    pub(super) fn table(&self) -> LimitTable {
        LimitTable {
            fuel: self.fuel,
            memory: self.memory,
            time: self.time,
            output: self.output_limit,
            storage: self.storage_limit,
            log: self.log_limit,
            calls: self.calls,
            call_bytes: self.call_bytes,
            ..LimitTable::default()
        }
    }

    /// Returns these limits, and those of `usual` where none is given.
    pub(super) fn over(&self, usual: Limits) -> Limits {
        let limits = Limits {
            fuel: self.fuel.unwrap_or(usual.fuel),
            memory_bytes: self.memory.unwrap_or(usual.memory_bytes),
            time: self.time.unwrap_or(usual.time),
            output_bytes: self.output_limit.unwrap_or(usual.output_bytes),
            storage_bytes: self.storage_limit.unwrap_or(usual.storage_bytes),
            log_bytes: self.log_limit.unwrap_or(usual.log_bytes),
            calls: self.calls.unwrap_or(usual.calls),
            call_bytes: self.call_bytes.unwrap_or(usual.call_bytes),
            ..usual
        };
        limits.clamp(Limits::MAX)
    }

    /// Returns these limits over those of the settings. An option that asks for more than the operator allows is
    /// refused: whoever asked would wonder why the task ends.
    pub(super) fn within(&self, settings: &Settings) -> Result<Limits, CommandError> {
        let max = settings.limits_max();
        let most = |option: &str, asked: Option<u64>, max: u64, print: fn(u64) -> String| {
            let is_too_much = asked.is_some_and(|asked| asked > max);
            is_too_much.then(|| (option.to_owned(), print(max)))
        };
        let time = self.time.filter(|time| *time > max.time);
        let beyond = most("--fuel", self.fuel, max.fuel, print::number)
            .or_else(|| most("--memory", self.memory, max.memory_bytes, print::size))
            .or_else(|| time.map(|_| ("--time".to_owned(), format!("{:?}", max.time))))
            .or_else(|| {
                most(
                    "--output-limit",
                    self.output_limit,
                    max.output_bytes,
                    print::size,
                )
            })
            .or_else(|| {
                most(
                    "--storage-limit",
                    self.storage_limit,
                    max.storage_bytes,
                    print::size,
                )
            })
            .or_else(|| most("--log-limit", self.log_limit, max.log_bytes, print::size))
            .or_else(|| most("--calls", self.calls, max.calls, print::number))
            .or_else(|| most("--call-bytes", self.call_bytes, max.call_bytes, print::size));
        let Some((option, most)) = beyond.filter(|_| settings.has_limits_max()) else {
            return Ok(self.over(settings.limits()));
        };
        let error = CommandError::usage(format!("{option} asks for more than {most}"));
        Err(error.hint(format!(
            "that is the most that `[limits.max]` of {} lets a task use",
            settings.name()
        )))
    }
}

/// What compiling may use.
#[derive(Args, Debug)]
pub(super) struct CompileOptions {
    /// Longest time to compile the component [default: 2m]
    #[arg(long, value_name = "TIME", value_parser = quantity::time, help_heading = "Limits")]
    pub(super) compile_time: Option<Duration>,

    /// Most memory to compile the component [default: 6GiB]
    #[arg(long, value_name = "SIZE", value_parser = quantity::bytes, help_heading = "Limits")]
    pub(super) compile_memory: Option<u64>,
}

/// Where the operator's decisions stand.
#[derive(Args, Debug, Default)]
pub(super) struct ConfigOptions {
    /// Settings to go by, instead of the user's homestar.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigOptions {
    /// Returns the file they are in, whether it is there or not.
    pub(super) fn path(&self) -> Option<PathBuf> {
        self.config.clone().or_else(|| paths::settings().ok())
    }

    /// Reads the settings.
    pub(super) fn settings(&self) -> Result<Settings, CommandError> {
        Settings::read(self.config.as_deref())
    }
}
