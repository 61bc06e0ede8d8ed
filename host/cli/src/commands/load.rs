//! Reading components, and what to say when that fails.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use homestar_engine::{Compiler, Component, Config, Engine, EngineError, LoadError, Missing};

use crate::cli::WORKER;
use crate::error::CommandError;
use crate::files::{self, Stdin};
use crate::{paths, print};

/// How components are loaded.
#[derive(Debug)]
pub(super) struct Loading {
    /// Whether compiled code is kept and used.
    pub(super) use_cache: bool,
    /// Longest time that compiling may take, if not the engine's own.
    pub(super) compile_time: Option<Duration>,
}

impl Loading {
    /// Returns an engine. Without a folder for compiled code it works too, and says so.
    pub(super) fn engine(&self) -> Result<Engine, CommandError> {
        let mut config = Config {
            compiler: Compiler::Process {
                program: std::env::current_exe().map_err(CommandError::host)?,
                arguments: vec![WORKER.into()],
            },
            ..Config::default()
        };
        config.compile_time_max = self.compile_time.unwrap_or(config.compile_time_max);
        if self.use_cache {
            match paths::code() {
                Ok(folder) => config.cache = Some(folder),
                Err(error) => print::warning(&format!("compiled code is not kept: {error}")),
            }
        }
        match Engine::new(config.clone()) {
            Err(error @ EngineError::Cache { .. }) => {
                print::warning(&format!("compiled code is not kept: {error}"));
                config.cache = None;
                Engine::new(config).map_err(CommandError::host)
            }
            engine => engine.map_err(CommandError::host),
        }
    }
}

/// Returns the component in the file at `path`, or on standard input for `-`.
pub(super) fn component(
    engine: &Engine,
    path: &Path,
    stdin: &mut Stdin,
) -> Result<Component, CommandError> {
    let loaded = match path.to_str() {
        Some("-") => {
            let bytes = stdin.read(COMPONENT, Config::default().component_bytes_max)?;
            while_it_compiles("the component", bytes.len() as u64, || engine.load(&bytes))
        }
        _ => {
            let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
            while_it_compiles(&path.display().to_string(), bytes, || {
                engine.load_file(path)
            })
        }
    };
    loaded.map_err(explained)
}

/// Returns the bytes of the component in the file at `path`, or on standard input for `-`.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>, CommandError> {
    let bytes_max = Config::default().component_bytes_max;
    match path.to_str() {
        Some("-") => Stdin::default().read(COMPONENT, bytes_max),
        _ => files::read(path, bytes_max),
    }
}

/// What standard input is read for.
const COMPONENT: &str = "the component";

/// Size from which a component takes long enough to compile that somebody would wonder, in bytes.
const LONG_BYTES_MIN: u64 = 256 << 10;

/// How long somebody waits without wondering.
const PATIENCE: Duration = Duration::from_millis(300);

/// Does `load`. If that takes long and somebody watches, says why.
fn while_it_compiles<T>(name: &str, bytes: u64, load: impl FnOnce() -> T) -> T {
    if bytes < LONG_BYTES_MIN || !std::io::stderr().is_terminal() {
        return load();
    }
    let words = format!(
        "compiling {name} ({}), once per machine …\n",
        print::size(bytes)
    );
    let (done, wait) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if wait.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                print::err(&words);
            }
        });
        let loaded = load();
        drop(done);
        loaded
    })
}

/// How to make a component, said where something else was given.
const BUILD: &str = "`cargo build --target wasm32-wasip2` builds a component";

/// Returns `error` with its exit code and hints.
pub(super) fn explained(error: LoadError) -> CommandError {
    let hints: Vec<String> = match &error {
        LoadError::Missing { missing } => missing.iter().take(HINTS_MAX).map(provider).collect(),
        LoadError::CoreModule => vec![BUILD.into()],
        LoadError::NotWasm {
            found: "WebAssembly text",
        } => vec!["`wasm-tools parse FILE -o OUT` turns it into binary".into()],
        LoadError::NotWasm { .. } => vec![BUILD.into()],
        LoadError::CompileTime { .. } => vec!["`--compile-time` gives it longer".into()],
        _ => Vec::new(),
    };
    let mut error = match error {
        LoadError::Compiler { .. } => CommandError::host(error),
        _ => CommandError::input(error),
    };
    error.hints = hints;
    error
}

/// Most missing imports that get a hint of their own.
const HINTS_MAX: usize = 3;

fn provider(missing: &Missing) -> String {
    format!(
        "no effect provides `{}`; a component that exports it would",
        missing.import
    )
}
