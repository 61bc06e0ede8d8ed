//! How a call ends when it doesn't return: by a trap of the guest or at one of its limits.

use std::fmt::Write as _;
use std::time::Duration;

use homestar_core::outcome::{Failure, Kind};
use homestar_core::task::Limits;
use wasmtime::{FrameInfo, PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::abi::{Broken, TooMuch};
use crate::content::Ended;
use crate::door::OverBudget;
use crate::meter::HostFault;
use crate::outside::Refused;
use crate::world::drive::Halt;

/// Something of which a task may have only so much was used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LimitReached {
    #[error("used up its {0} units of fuel")]
    Fuel(u64),
    #[error("asked for more than its {} of memory", bytes(*.0))]
    Memory(u64),
    #[error("asked for more than its {0} elements of tables")]
    Table(u64),
    #[error("did not end within {0:?}")]
    Time(Duration),
    #[error("returned more than {}", bytes(*.0))]
    Output(u64),
    #[error("wrote more than {} to storage", bytes(*.0))]
    Storage(u64),
    #[error("logged more than {}", bytes(*.0))]
    Log(u64),
    #[error(
        "made more than {0} driver calls, or moved more by them than allowed, and went on when told so"
    )]
    Calls(u64),
}

impl LimitReached {
    fn kind(self) -> Kind {
        match self {
            Self::Fuel(_) => Kind::Fuel,
            Self::Memory(_) | Self::Table(_) => Kind::Memory,
            Self::Time(_) => Kind::Time,
            Self::Output(_) => Kind::Output,
            Self::Storage(_) => Kind::Storage,
            Self::Log(_) => Kind::Log,
            Self::Calls(_) => Kind::Calls,
        }
    }
}

/// Returns a number of bytes as people write it.
fn bytes(count: u64) -> String {
    for (unit, size) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if count >= size && count.is_multiple_of(size) {
            return format!("{} {unit}", count / size);
        }
    }
    format!("{count} bytes")
}

/// How a call ended that returned nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// By a trap of the guest or at one of its limits.
    Failure(Box<Failure>),
    /// A command asked to exit with this status.
    Exit(i32),
    /// This host failed the guest; that says nothing about the guest.
    Host(String),
}

/// Returns the end at `limit`.
pub(crate) fn of_limit(limit: LimitReached) -> End {
    End::Failure(Box::new(Failure::new(limit.kind(), limit.to_string())))
}

/// Returns what `error` says of the end of a call.
pub(crate) fn of(error: &wasmtime::Error, limits: &Limits) -> End {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return End::Exit(exit.0);
    }
    if let Some(limit) = limit_in(error, limits) {
        return of_limit(limit);
    }
    if let Some(ended) = error.downcast_ref::<Ended>() {
        return of_content(ended);
    }
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return End::Failure(Box::new(Failure::new(Kind::Denied, refused.to_string())));
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return End::Host(format!(
            "{error:#}; more `instances_max` of the engine's pool makes room"
        ));
    }
    if error.is::<HostFault>() {
        return End::Host(format!("{error:#}"));
    }
    let trap = error.downcast_ref::<Trap>();
    let backtrace = error.downcast_ref::<WasmBacktrace>();
    let is_of_the_guest = trap.is_some()
        || backtrace.is_some()
        || error.is::<Broken>()
        || is_stuck(error)
        || keeps_what_was_lent(error);
    if !is_of_the_guest {
        return End::Host(format!("{error:#}"));
    }
    let (kind, mut message) = match trap {
        Some(Trap::StackOverflow) => (Kind::Stack, "used up its stack".to_owned()),
        Some(trap) => (Kind::Trap, plain(*trap)),
        None => (Kind::Trap, error.root_cause().to_string()),
    };
    if let Some(backtrace) = backtrace {
        where_it_was(backtrace, &mut message);
    }
    End::Failure(Box::new(Failure::new(kind, message)))
}

fn of_content(ended: &Ended) -> End {
    let kind = match ended {
        Ended::Unavailable { .. } => Kind::Unavailable,
        Ended::Input { .. } => Kind::Input,
        Ended::Host(reason) => return End::Host(reason.clone()),
    };
    End::Failure(Box::new(Failure::new(kind, ended.to_string())))
}

/// Tells whether the guest has not given back handles that were lent to it. wasmtime has no type for that.
fn keeps_what_was_lent(error: &wasmtime::Error) -> bool {
    error.to_string().contains("borrow handles still remain")
}

fn is_stuck(error: &wasmtime::Error) -> bool {
    matches!(error.downcast_ref::<Halt>(), Some(Halt::Stuck))
}

/// Returns the limit that `error` stands for, if it does.
fn limit_in(error: &wasmtime::Error, limits: &Limits) -> Option<LimitReached> {
    if let Some(limit) = error.downcast_ref::<LimitReached>() {
        return Some(*limit);
    }
    if let Some(Halt::Limit(limit)) = error.downcast_ref::<Halt>() {
        return Some(*limit);
    }
    if let Some(over) = error.downcast_ref::<OverBudget>() {
        return Some(LimitReached::Calls(over.0));
    }
    if error.is::<TooMuch>() {
        return Some(LimitReached::Output(limits.output_bytes));
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Some(LimitReached::Fuel(limits.fuel)),
        _ => None,
    }
}

/// Most functions that a failure names: enough to find the place, few enough to read.
const FRAMES_MAX: usize = 8;

/// Appends the functions in which a guest was when it ended, innermost first. Where several components were at work,
/// each function is told with its own, by the name that its author gave it.
fn where_it_was(backtrace: &WasmBacktrace, message: &mut String) {
    let frames = backtrace.frames();
    let component = |frame: &FrameInfo| {
        let name = frame.module().name().unwrap_or_default();
        name.strip_suffix(".wasm").unwrap_or(name).to_owned()
    };
    let ends = frames.iter().take_while(|frame| {
        frame
            .func_name()
            .is_some_and(|name| is_how_it_ends(&demangled(name)))
    });
    let frames = &frames[ends.count()..];
    let first = frames.first().map(component);
    let are_several = frames.iter().any(|frame| Some(component(frame)) != first);
    let names = frames.iter().filter_map(|frame| {
        let name = demangled(frame.func_name()?);
        Some(match component(frame) {
            component if are_several && !component.is_empty() => format!("{name} of {component}"),
            _ => name,
        })
    });
    for (number, name) in names.take(FRAMES_MAX).enumerate() {
        let word = if number == 0 { "in" } else { "called by" };
        // Writing to a string can't fail.
        let _ = write!(message, "\n  {word} {name}");
    }
}

/// What a program of Rust's or C's calls once it has to end, and how one of Python's is called.
const ENDINGS: &[&str] = &[
    "<componentize_py_runtime::",
    "__rustc::",
    "core::option::expect_failed",
    "core::option::unwrap_failed",
    "core::panicking::",
    "core::result::unwrap_failed",
    "std::panicking::",
    "std::process::abort",
    "std::sys::",
    "wit_dylib_export_async_call",
    "wit_dylib_export_call",
];

/// Tells whether a function is how a language ends a program, and no place in it.
fn is_how_it_ends(name: &str) -> bool {
    name == "abort" || ENDINGS.iter().any(|ending| name.starts_with(ending))
}

/// Returns the name as the guest's author wrote it.
fn demangled(name: &str) -> String {
    rustc_demangle::try_demangle(name).map_or_else(|_| name.to_owned(), |name| format!("{name:#}"))
}

/// Returns wasmtime's words for `trap` without the prefix they all share.
fn plain(trap: Trap) -> String {
    let text = trap.to_string();
    text.strip_prefix("wasm trap: ").unwrap_or(&text).to_owned()
}
