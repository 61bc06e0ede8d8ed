//! What guests may ask without leaving the deterministic world: the log, the task's own names, and further tasks.

use std::fmt::Write as _;

use homestar_core::ipld::{Ipld, parse_cid};
use homestar_core::json;
use homestar_core::task::{Input, Instruction, Nonce, Resource};
use wasmtime::component::{ComponentType, Lift, Lower};

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
    })?;
    type Asked = (Option<String>, String, String);
    instance.func_wrap(
        "ask",
        |mut store,
         (component, function, args): Asked|
         -> wasmtime::Result<(Result<String, AskError>,)> {
            Ok((ask(store.data_mut(), component, function, &args),))
        },
    )
}

/// Why no further task is asked for: `homestar:std/task.ask-error`.
#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(variant)]
enum AskError {
    #[component(name = "malformed")]
    Malformed(String),
    #[component(name = "too-many")]
    TooMany(u32),
}

/// Further tasks that one may ask for, and bytes that their instructions may have together. Whoever runs them has bounds
/// of their own.
const ASKED_MAX: usize = 1_000;
const ASKED_BYTES_MAX: usize = 16 << 20;

fn ask(
    state: &mut State,
    component: Option<String>,
    function: String,
    args: &str,
) -> Result<String, AskError> {
    let malformed =
        |what: &str, error: &dyn std::fmt::Display| AskError::Malformed(format!("{what}: {error}"));
    let [_, own] = &state.names;
    let component = component.as_ref().unwrap_or(own);
    let cid = parse_cid(component).map_err(|error| malformed("the component", &error))?;
    let args = match json::parse(args) {
        Ok(Ipld::List(args)) => args,
        Ok(_) => return Err(malformed("the arguments", &"they are no list")),
        Err(error) => return Err(malformed("the arguments", &error)),
    };
    let input = Input::new(function, args);
    let instruction = Instruction::new(Resource::from(cid), input, Nonce::EMPTY);
    let instruction = instruction.map_err(|error| malformed("the task", &error))?;
    let name = instruction.link().to_string();
    let bytes = |asked: &Instruction| asked.block().bytes().len();
    let sum = state.asked.iter().map(bytes).sum::<usize>() + bytes(&instruction);
    if state.asked.len() >= ASKED_MAX || sum > ASKED_BYTES_MAX {
        return Err(AskError::TooMany(state.asked.len() as u32));
    }
    if !state.asked.contains(&instruction) {
        state.asked.push(instruction);
    }
    Ok(name)
}
