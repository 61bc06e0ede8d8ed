//! Turning a component into machine code, in this process or in one that can be stopped.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::config::{Allocation, Compiler, Config, Mode, wasmtime_config};
use crate::error::LoadError;
use crate::functions::Functions;

/// Compiles `component` for `engine`. What it has in common with what was compiled before is taken from the file
/// `functions`, if there is one.
pub(crate) fn compile(
    component: &[u8],
    engine: &wasmtime::Engine,
    mode: Mode,
    config: &Config,
    functions: Option<&Path>,
) -> Result<Vec<u8>, LoadError> {
    match &config.compiler {
        Compiler::InProcess => {
            let link_error = |error: wasmtime::Error| LoadError::Link {
                source: error.into(),
            };
            let functions = open(functions);
            let compiler = match functions {
                Some(_) => &compiler(mode, functions.as_ref()).map_err(link_error)?,
                None => engine,
            };
            let code = compiler.precompile_component(component);
            let code = code.map_err(|error| LoadError::Invalid {
                source: error.into(),
            })?;
            keep(functions);
            Ok(code)
        }
        Compiler::Process { program, arguments } => {
            let mut command = Command::new(program);
            command.args(arguments);
            Worker {
                mode,
                config,
                program,
                functions,
            }
            .run(command, component)
        }
    }
}

/// Returns an engine that compiles, and takes what it can from `functions`.
fn compiler(mode: Mode, functions: Option<&Arc<Functions>>) -> wasmtime::Result<wasmtime::Engine> {
    let mut config = wasmtime_config(mode, Allocation::OnDemand);
    if let Some(functions) = functions {
        config.enable_incremental_compilation(functions.clone())?;
    }
    wasmtime::Engine::new(&config)
}

fn open(functions: Option<&Path>) -> Option<Arc<Functions>> {
    functions.map(|path| Arc::new(Functions::open(path)))
}

fn keep(functions: Option<Arc<Functions>>) {
    if let Some(functions) = functions {
        // Without them the next time takes longer, no more.
        let _ = functions.save();
    }
}

/// Status of a worker whose component breaks the rules of WebAssembly; it says which one on standard error.
const INVALID_STATUS: u8 = 65;

/// How often a compiler is asked whether it is done. Compiling takes tens of milliseconds at least.
const ASK_EVERY: Duration = Duration::from_millis(2);

/// Most that is read of what a worker says, in bytes.
const WORDS_BYTES_MAX: u64 = 64 << 10;

/// The side of the process that wants something compiled.
struct Worker<'a> {
    mode: Mode,
    config: &'a Config,
    program: &'a Path,
    functions: Option<&'a Path>,
}

impl Worker<'_> {
    fn run(&self, mut command: Command, component: &[u8]) -> Result<Vec<u8>, LoadError> {
        let failed = |source: io::Error| LoadError::Compiler {
            program: self.program.to_owned(),
            source,
        };
        let output = tempfile::NamedTempFile::new().map_err(failed)?;
        let input = input(component).map_err(failed)?;
        let mut child = command
            .arg(self.mode.as_str())
            .arg(self.config.compile_memory_bytes_max.to_string())
            .arg(output.path())
            .args(self.functions)
            .stdin(Stdio::from(input))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let words = read_in_background(&mut child);
        let status = self.wait(&mut child)?;
        let words = words.join().unwrap_or_default();
        self.judge(status, words)?;
        fs::read(output.path()).map_err(failed)
    }

    /// Waits for the end of `child`, and ends it when its time is up.
    fn wait(&self, child: &mut Child) -> Result<ExitStatus, LoadError> {
        let failed = |source: io::Error| LoadError::Compiler {
            program: self.program.to_owned(),
            source,
        };
        let deadline = Instant::now() + self.config.compile_time_max;
        loop {
            if let Some(status) = child.try_wait().map_err(failed)? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                // It may have ended by itself in between.
                let _ = child.kill();
                let _ = child.wait();
                return Err(LoadError::CompileTime {
                    time_max: self.config.compile_time_max,
                });
            }
            thread::sleep(ASK_EVERY);
        }
    }

    fn judge(&self, status: ExitStatus, words: String) -> Result<(), LoadError> {
        if status.success() {
            return Ok(());
        }
        let words = words.trim();
        if status.code() == Some(INVALID_STATUS.into()) {
            return Err(LoadError::Invalid {
                source: words.into(),
            });
        }
        let reason = match words.lines().last() {
            Some(line) => format!("{line} ({status})"),
            None => status.to_string(),
        };
        let memory_bytes_max = self.config.compile_memory_bytes_max;
        Err(LoadError::CompileEnded {
            memory_bytes_max,
            reason,
        })
    }
}

/// Returns an open file with `component` in it, that nobody else can see.
fn input(component: &[u8]) -> io::Result<fs::File> {
    use std::io::Seek as _;
    let mut file = tempfile::tempfile()?;
    file.write_all(component)?;
    file.rewind()?;
    Ok(file)
}

fn read_in_background(child: &mut Child) -> thread::JoinHandle<String> {
    let stderr = child.stderr.take();
    thread::spawn(move || {
        let mut words = Vec::new();
        if let Some(stderr) = stderr {
            // What can't be read is missing from a message, no more.
            let _ = stderr.take(WORDS_BYTES_MAX).read_to_end(&mut words);
        }
        String::from_utf8_lossy(&words).into_owned()
    })
}

/// Why a compiler's process ends without code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerFailure {
    /// The exit status to end with.
    pub status: u8,
    /// What to write to standard error.
    pub words: String,
}

impl WorkerFailure {
    fn new(status: u8, words: impl ToString) -> Self {
        let words = words.to_string();
        Self { status, words }
    }
}

impl From<io::Error> for WorkerFailure {
    fn from(error: io::Error) -> Self {
        Self::new(1, error)
    }
}

/// The side of the process that compiles: reads a component from standard input and writes its code.
///
/// A program that gives itself as [`Compiler::Process`] calls this, with the arguments that follow its own: the engine
/// to compile for, the bytes of memory it may take, the file to write to,
/// and the one to keep functions in, if any. It ends with what a failure says.
pub fn compile_worker(arguments: &[impl AsRef<OsStr>]) -> Result<(), WorkerFailure> {
    let usage = || {
        let words = "the arguments are: sync|concurrent MEMORY-BYTES OUTPUT [FUNCTIONS]";
        WorkerFailure::new(2, words)
    };
    let (mode, memory_bytes_max, output, functions) = match arguments {
        [mode, memory_bytes_max, output] => (mode, memory_bytes_max, output, None),
        [mode, memory_bytes_max, output, functions] => {
            let functions = Some(Path::new(functions));
            (mode, memory_bytes_max, output, functions)
        }
        _ => return Err(usage()),
    };
    let mode = mode.as_ref().to_str().and_then(Mode::parse);
    let memory_bytes_max = memory_bytes_max
        .as_ref()
        .to_str()
        .and_then(|text| text.parse().ok());
    match (mode, memory_bytes_max) {
        (Some(mode), Some(memory_bytes_max)) => {
            work(mode, memory_bytes_max, Path::new(output), functions)
        }
        _ => Err(usage()),
    }
}

fn work(
    mode: Mode,
    memory_bytes_max: u64,
    output: &Path,
    functions: Option<&Path>,
) -> Result<(), WorkerFailure> {
    let limit = Rlimit {
        current: Some(memory_bytes_max),
        maximum: Some(memory_bytes_max),
    };
    setrlimit(Resource::As, limit).map_err(io::Error::from)?;
    let mut component = Vec::new();
    io::stdin().read_to_end(&mut component)?;
    let functions = open(functions);
    let engine = compiler(mode, functions.as_ref())
        .map_err(|error| WorkerFailure::new(1, format!("{error:#}")))?;
    let code = engine
        .precompile_component(&component)
        .map_err(|error| WorkerFailure::new(INVALID_STATUS, format!("{error:#}")))?;
    keep(functions);
    Ok(fs::write(output, code)?)
}
