//! What guests may ask without leaving the deterministic world: the log, and the task's own names.

use std::fmt::Write as _;

use wasmtime::component::{ComponentType, Lift};

use super::Instance;
use crate::instance::State;

/// How important a message is: `homestar:std/log.level`.
#[derive(Clone, Copy, Debug, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "made by lifting what a guest passes")]
enum Level {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

/// The same in `wasi:logging`, which knows one more.
#[derive(Clone, Copy, Debug, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "made by lifting what a guest passes")]
enum WasiLevel {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
    #[component(name = "critical")]
    Critical,
}

pub(super) fn add_log(instance: &mut Instance<'_>) -> wasmtime::Result<()> {
    instance.func_wrap("log", |store, (level, message): (Level, String)| {
        let level = match level {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        write(store.data(), level, "", &message)
    })
}

pub(super) fn add_logging(instance: &mut Instance<'_>) -> wasmtime::Result<()> {
    instance.func_wrap(
        "log",
        |store, (level, context, message): (WasiLevel, String, String)| {
            let level = match level {
                WasiLevel::Trace => "trace",
                WasiLevel::Debug => "debug",
                WasiLevel::Info => "info",
                WasiLevel::Warn => "warn",
                WasiLevel::Error => "error",
                WasiLevel::Critical => "critical",
            };
            write(store.data(), level, &context, &message)
        },
    )
}

/// Writes one line to the log: a message has no line breaks of its own there.
fn write(state: &State, level: &str, context: &str, message: &str) -> wasmtime::Result<()> {
    let mut line = format!("{level}: ");
    if !context.is_empty() {
        let _ = write!(line, "{}: ", context.escape_debug());
    }
    for (number, part) in message.lines().enumerate() {
        let _ = write!(line, "{}{part}", if number == 0 { "" } else { "\n  " });
    }
    line.push('\n');
    Ok(state.world.log().put(line.as_bytes())?)
}

pub(super) fn add_task(instance: &mut Instance<'_>) -> wasmtime::Result<()> {
    instance.func_wrap("instruction", |store, (): ()| {
        let [instruction, _] = &store.data().names;
        Ok((instruction.clone(),))
    })?;
    instance.func_wrap("component", |store, (): ()| {
        let [_, component] = &store.data().names;
        Ok((component.clone(),))
    })
}
